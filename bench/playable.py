"""Time from the last byte of an upload to the first segment served by the origin, on an embedded stack: what plays as it is,
what has to be encoded first, and where the time goes.

`python -m bench playable`, or with a part of a row's name, `python -m bench.playable 4K`, for that row only. The machine has to
be idle, and each figure says how many runs it rests on.
"""

from __future__ import annotations

import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from bench.clips import hdr_4k, long_720p, needs_encode_1080p, phone
from rushes.testing import Stack, running_stack

TUS = {"Tus-Resumable": "1.0.0"}
PIECE = 1 << 20
STEPS = ("probe", "remux", "first.0", "audio", "package.first", "lint.first", "verdict.first", "publish.first")


@dataclass(frozen=True)
class Row:
    name: str
    clip: Callable[[Path], Path]
    rounds: int
    median: float
    """Seconds that are aimed at."""
    p95: float | None = None


ROWS = (
    Row("H.264/AAC phone clip, 20 s", phone, 20, 0.3, 0.6),
    Row("H.264 file, 20 min", long_720p, 5, 2.0),
    Row("to be encoded: 1080p, 30 s", needs_encode_1080p, 10, 2.0),
    Row("to be encoded: HEVC HDR 4K, 10 s", hdr_4k, 10, 4.0),
)


def main(wanted: str = "") -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print("playable: last byte of the upload to the first segment from the origin, embedded stack, profile fast")
        for row in ROWS:
            if wanted.lower() in row.name.lower():
                _measure(row, row.clip(folder), folder)


def _measure(row: Row, clip: Path, folder: Path) -> None:
    times, parts = [], []
    place = folder / f"data-{clip.stem}"
    with running_stack(place, profile="fast") as stack, httpx.Client(base_url=stack.url, timeout=120) as http:
        _rest(http, stack, _one(http, clip, 0)[0])  # the worker's children have done everything once
        for number in range(1, row.rounds + 1):
            asset, start, end = _one(http, clip, number)
            times.append(end - start)
            parts.append(_itemised(stack, asset, start, end))
            _rest(http, stack, asset)
    ordered = sorted(times)
    p95 = ordered[max(0, -(-95 * len(ordered) // 100) - 1)]
    aim = f"at most {row.median:g} s" + (f", p95 {row.p95:g} s" if row.p95 else "")
    print(f"  {row.name}: median {statistics.median(times):.3f} s  p95 {p95:.3f} s  worst {ordered[-1]:.3f} s", end="")
    print(f"  ({row.rounds} runs, {clip.stat().st_size / 1e6:.1f} MB; aim: {aim})")
    for item in parts[0]:
        print(f"    {item:24} {1000 * statistics.median(part.get(item, 0.0) for part in parts):6.0f} ms")


def _one(http: httpx.Client, clip: Path, number: int) -> tuple[str, float, float]:
    """Asset, time of the last byte, time of the first segment; seconds since the epoch. `number` makes the file unlike the
    others of its length, so that nothing is spared because it was done before."""
    data = clip.read_bytes() + _free_box(number)
    created = http.post("/files", headers={**TUS, "Upload-Length": str(len(data))}).raise_for_status()
    asset, sent = str(created.headers["rushes-asset"]), [0.0]
    headers = {**TUS, "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    headers["Content-Length"] = str(len(data))
    http.patch(created.headers["location"], content=_pieces(data, sent), headers=headers).raise_for_status()
    assert _first_segment(http, f"/media/{asset}/", time.perf_counter())
    end = time.time()
    return asset, sent[0], end


def _free_box(number: int) -> bytes:
    """An MP4 box that every reader skips, of a length of its own (ISO/IEC 14496-12 section 8.1.2)."""
    return (8 + number).to_bytes(4, "big") + b"free" + bytes(number)


def _pieces(data: bytes, sent: list[float]) -> Iterator[bytes]:
    for at in range(0, len(data), PIECE):
        yield data[at : at + PIECE]
        sent[0] = time.time()  # it is in the socket


def _itemised(stack: Stack, asset: str, start: float, end: float) -> dict[str, float]:
    """Seconds. A step's wait is from when it could begin to its claim; steps that run beside each other overlap."""
    rows = _rows(
        stack,
        "SELECT s.key, s.ready_at, t.started_at, t.finished_at FROM steps s JOIN attempts t ON t.step = s.id"
        " WHERE s.asset = ? ORDER BY t.started_at",
        asset,
    )
    found = {key: (ready, began, over) for key, ready, began, over in rows if key in STEPS and over and over <= end}
    items = {"finish of the upload": min(ready for ready, _, _ in found.values()) - start}
    for key, (ready, began, over) in found.items():
        items[f"{key}: waits"] = began - ready
        items[key] = over - began
    last = found.get("publish.first")
    return items | {"seen at the origin": end - last[2] if last else 0.0}


def _first_segment(http: httpx.Client, base: str, start: float) -> bytes:
    while time.perf_counter() - start < 120:
        master = http.get(base + "master.m3u8")
        if master.status_code == 200:
            playlist = httpx.URL(base).join(_first_uri(master.text))
            media = http.get(str(playlist))
            return http.get(str(playlist.join(_first_uri(media.text)))).content
        time.sleep(0.005)
    raise TimeoutError("the clip did not become playable within 120 s")


def _first_uri(playlist: str) -> str:
    return next(line for line in playlist.splitlines() if line and not line.startswith("#"))


def _rest(http: httpx.Client, stack: Stack, asset: str) -> None:
    """Delete the asset, and wait until nothing of it is worked on, so that each run starts on an idle machine."""
    http.delete(f"/v1/assets/{asset}").raise_for_status()
    open_ = "SELECT 1 FROM steps WHERE asset = ? AND state IN ('waiting', 'ready', 'running') LIMIT 1"
    while _rows(stack, open_, asset):
        time.sleep(0.2)


def _rows(stack: Stack, query: str, asset: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"file:{next(stack.data.glob('*.db'))}?mode=ro", uri=True)) as database:
        return database.execute(query, (asset,)).fetchall()


if __name__ == "__main__":
    main(*sys.argv[1:2])
