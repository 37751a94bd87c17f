"""`rushes push`: upload with a progress bar, resume after a cut, then follow the asset until it is what is asked for."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
from rich.console import Console
from rich.filesize import decimal
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from rushes.clock import Clock, SystemClock
from rushes.ingest.follow import DONE, NOT_PUBLIC, OUR_FAULT, REFUSED, AssetJson, Follower
from rushes.ingest.memo import Memos, state_directory
from rushes.ingest.patience import Patience
from rushes.ingest.transfer import Sender
from rushes.ingest.wire import PushError

INTERRUPTED = 130
"""128 + SIGINT, as shells have it."""
MEDIA = frozenset({
    ".3g2", ".3gp", ".aac", ".avi", ".flac", ".flv", ".m2ts", ".m4a", ".m4v", ".mkv", ".mov", ".mp3", ".mp4", ".mpeg", ".mpg",
    ".mts", ".mxf", ".oga", ".ogg", ".ogv", ".opus", ".ts", ".wav", ".webm", ".wmv",
})  # fmt: skip
"""Endings of the files that are taken from a directory; a file that is named is taken whatever it is called."""
_TIMEOUT = httpx.Timeout(60.0, connect=10.0)


def push(  # noqa: PLR0913 - the options of the command
    files: Sequence[Path],
    *,
    server: str,
    token: str | None,
    wait: str,
    json_output: bool,
    console: Console,
    parallel: int | None = None,
    said: Mapping[str, str] | None = None,
) -> int:
    """Upload files one after the other and follow each. Gives the exit code, the worst of all files.

    A directory stands for the videos and sounds in it and below it. `parallel`: parts of a file that go at once. `said`:
    metadata of every one of them.
    0 done, 1 our fault, 2 the input was refused, 3 held or blocked by policy, 130 stopped by Ctrl-C.
    """
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    memos = Memos(state_directory(os.environ))
    with httpx.Client(headers=headers, timeout=_TIMEOUT) as http:
        sender = Sender(server, http, memos, Patience, _telling(console), parallel, said or {})
        run = _Run(server, sender, Follower(server, http, Patience()), console)
        try:
            return _worst(run.all(list(_expanded(files)), wait, json_output=json_output))
        except KeyboardInterrupt:
            console.print("Stopped. What is uploaded is kept: run the same command again to go on.")
            return INTERRUPTED


def _telling(console: Console) -> Callable[[str], None]:
    """Prints a sentence unless it is the one before."""
    last = [""]

    def tell(sentence: str) -> None:
        if sentence != last[0]:
            console.print(sentence, style="yellow", highlight=False, markup=False)
            last[0] = sentence

    return tell


def _expanded(files: Sequence[Path]) -> Iterator[Path]:
    """Directories as what is in them and looks like media by its name, in the order of names; never what is hidden."""
    for path in files:
        if not path.is_dir():
            yield path
            continue
        for found in sorted(path.rglob("*")):
            hidden = any(part.startswith(".") for part in found.relative_to(path).parts)
            if found.suffix.lower() in MEDIA and found.is_file() and not hidden:
                yield found


def _worst(codes: Sequence[int]) -> int:
    return next((code for code in (OUR_FAULT, REFUSED, NOT_PUBLIC) if code in codes), DONE)


@dataclass(frozen=True)
class _Run:
    server: str
    sender: Sender
    follower: Follower
    console: Console

    def all(self, files: Sequence[Path], wait: str, *, json_output: bool) -> list[int]:
        if not files:
            self.console.print("There is no video in there.", style="red")
            return [REFUSED]
        codes = []
        for number, file in enumerate(files, 1):
            if len(files) > 1:
                self.console.print(f"{number} of {len(files)}", style="dim", highlight=False)
            codes.append(self.one(file, wait, json_output=json_output))
        return codes

    def one(self, file: Path, wait: str, *, json_output: bool) -> int:
        try:
            asset = self._upload(file)
            code, record = self._follow(asset, wait)
        except PushError as error:
            self._complain(file, error.message)
            return REFUSED if error.is_refusal else OUR_FAULT
        except OSError as error:
            self._complain(file, error.strerror or str(error))
            return REFUSED
        self.sender.forget(file)
        self._tell(file, record)
        if json_output:
            sys.stdout.write(json.dumps(record, ensure_ascii=False) + "\n")
            sys.stdout.flush()
        return code

    def _upload(self, file: Path) -> str:
        columns = (DownloadColumn(), TextColumn("{task.fields[rate]}"), TimeRemainingColumn())
        with Progress(TextColumn("{task.description}"), BarColumn(30), *columns, console=self.console) as progress:
            task = progress.add_task(_plain(file.name), total=None, rate="")
            return self.sender.send(file, _reporter(progress, task, SystemClock()))

    def _follow(self, asset: str, wait: str) -> tuple[int, AssetJson]:
        with Progress(
            TextColumn("{task.description:<16}"),
            BarColumn(30),
            TextColumn("{task.fields[state]}"),
            TimeElapsedColumn(),
            console=self.console,
        ) as progress:
            self.follower.show = _StepBars(progress).show
            return self.follower.follow(asset, wait)

    def _tell(self, file: Path, record: AssetJson) -> None:
        facts = f"{record['id']}: {record['state']}, {record['publication']}"
        self.console.print(f"{_plain(file.name)} -> {facts}", highlight=False, markup=False)
        if record.get("reason"):
            self._complain(file, record["reason"]["message"])
        playback = record.get("playback") or {}
        for name in ("hls", "dash", "poster"):
            if playback.get(name):
                address = urljoin(self.server, playback[name])
                self.console.print(f"  {name:<7}{address}", highlight=False, markup=False, soft_wrap=True)
        if playback.get("hls"):
            address = urljoin(self.server, f"/watch/{record['id']}")
            self.console.print(f"  watch  {address}", highlight=False, markup=False, soft_wrap=True)

    def _complain(self, file: Path, sentence: str) -> None:
        self.console.print(f"{_plain(file.name)}: {sentence}", style="red", highlight=False, markup=False)


def rate_of(sent: int, seconds: float) -> str:
    """Bytes a second since this push began, as people read them; nothing where nothing was sent yet."""
    return f"{decimal(int(sent / seconds))}/s" if sent > 0 and seconds > 0 else ""


def _reporter(progress: Progress, task: TaskID, clock: Clock) -> Callable[[int, int], None]:
    """rich's own rate is that between two reports, which for a small file is how fast the kernel takes it."""
    began: tuple[float, int] | None = None

    def report(done: int, size: int) -> None:
        nonlocal began
        began = began or (clock.monotonic(), done)
        rate = rate_of(done - began[1], clock.monotonic() - began[0])
        progress.update(task, completed=done, total=size, rate=rate)

    return report


class _StepBars:
    """One bar for each step that has started."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def show(self, asset: AssetJson) -> None:
        for index, step in enumerate(asset.get("steps", [])):
            if step["state"] in ("waiting", "ready"):
                continue
            self._update(step.get("key") or f"{step['kind']}.{index}", step)

    def _update(self, name: str, step: dict[str, Any]) -> None:
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(name, total=1.0, state="")
        done = 1.0 if step["state"] in ("done", "skipped") else step["progress"]
        self._progress.update(self._tasks[name], completed=done, state=step["state"])
        if step["state"] != "running":
            self._progress.stop_task(self._tasks[name])


def _plain(text: str) -> str:
    """File names are not markup, and control characters in them are not for the terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text).replace("[", "(").replace("]", ")")
