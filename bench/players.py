"""Every clip of a directory in every player: a Markdown table. `python -m bench.players DIR [PLAYER ...]`.

A stack of its own makes the videos, with captions of whatever was heard. A cell says `ok` and the longest stall in
milliseconds, or what failed; `slow` is the height before and after the network fell to 600 kbit/s.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from rushes.testing import running_stack
from tests.acceptance.corpus import record, settled, until, upload
from tests.acceptance.players import PLAYERS, STALL, Verdict, check, description, is_worth_slowing, slow
from tests.acceptance.reading import messages

MOST = 6.0
"""Seconds played at either end of long clips."""
FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--autoplay-policy=no-user-gesture-required"]


def main() -> None:
    folder, players = Path(sys.argv[1]), sys.argv[2:] or PLAYERS
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        profile = Path(name) / "players.toml"
        profile.write_text(with_all_captions())
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        with running_stack(Path(name) / "data", profile=str(profile)) as stack:
            for row in table(browser, stack.url, _made(stack.url, folder), players):
                print(row, flush=True)
        browser.close()


def with_all_captions() -> str:
    """The profile `fast`, with drafts as captions too."""
    shipped = Path(__file__).parents[1] / "rushes" / "data" / "profiles" / "fast.toml"
    text = shipped.read_text()
    return text.replace('name = "fast"', 'name = "players"').replace('captions = "trusted"', 'captions = "always"')


def _made(url: str, folder: Path) -> Iterator[tuple[str, str]]:
    """(file name, asset) of what became a video, one after the other."""
    for file in sorted(folder.iterdir()):
        found = until(url, upload(url, file), settled, 900)
        if found["publication"] == "published":
            yield file.name, found["id"]


def table(browser: Browser, url: str, made: Iterator[tuple[str, str]], players: Sequence[str]) -> Iterator[str]:
    """The rows, then a line with the sums."""
    verdicts: list[Verdict] = []
    yield "| clip | " + " | ".join(players) + " | slow | ffmpeg |\n|" + "---|" * (len(players) + 3)
    for name, asset in made:
        found = {player: check(browser, url, asset, player, most=MOST) for player in players}
        verdicts += [verdict for verdict in found.values() if verdict]
        cells = [cell(verdict) for verdict in found.values()]
        yield f"| {name} | " + " | ".join([*cells, _slow(browser, url, asset), _read(record(url, asset))]) + " |"
    good = sum(verdict.good for verdict in verdicts)
    worst = max((verdict.stall for verdict in verdicts), default=0.0)
    shown = sum(bool(verdict.captions) for verdict in verdicts)
    found_tiles = sum(bool(verdict.tile) for verdict in verdicts)
    yield (
        f"\n{good} of {len(verdicts)} good, longest stall {worst:.0f} ms,"
        f" captions shown {shown} times, storyboards found {found_tiles} times."
    )


def cell(verdict: Verdict | None) -> str:
    if verdict is None:
        return "not there"
    if verdict.good:
        return f"ok, {verdict.stall:.0f}"
    said = [f"{stage}: {text}" for stage, text in verdict.failed.items()] + verdict.errors[:2]
    if verdict.stall > STALL:
        said.append(f"stall of {verdict.stall:.0f} ms with {verdict.stall_ahead:.1f} s buffered")
    return "FAILED " + "; ".join(text.replace("|", "/")[:90] for text in said)


def _slow(browser: Browser, url: str, asset: str) -> str:
    if not is_worth_slowing(description(url, asset), record(url, asset)["renditions"]):
        return ""
    return "; ".join(f"{player} {slow(browser, url, asset, player)}" for player in ("hlsjs", "dashjs", "shaka"))


def _read(found: dict[str, Any]) -> str:
    """What ffmpeg says of every rendition by HLS and by DASH."""
    said = [messages(found["playback"][kind]).strip() for kind in ("hls", "dash")]
    return "clean" if not any(said) else "; ".join(text[:60] or "clean" for text in said)


if __name__ == "__main__":
    main()
