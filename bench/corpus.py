"""What becomes of a directory of files: a Markdown table, from a stack of its own. `python -m bench.corpus DIR [--browser]`."""

from __future__ import annotations

import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from rushes.testing import running_stack
from tests.acceptance.corpus import settled, until, upload
from tests.acceptance.playback import PlaybackFailed, play
from tests.acceptance.reading import messages

HEAD = ("file", "outcome", "rungs", "frames/s", "playable", "ready", "ffmpeg HLS", "ffmpeg DASH", "Chromium, hls.js")


def main() -> None:
    folder = Path(sys.argv[1])
    with (
        tempfile.TemporaryDirectory() as name,
        running_stack(Path(name) / "data") as stack,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        print("| " + " | ".join(HEAD) + " |\n|" + "---|" * len(HEAD))
        for file in sorted(folder.iterdir()):
            found = until(stack.url, upload(stack.url, file), settled, 900)
            print("| " + " | ".join(_row(stack.url, file.name, found, browser)) + " |", flush=True)
        browser.close()


def _row(url: str, name: str, found: dict[str, Any], browser: Browser) -> list[str]:
    if found["state"] == "failed":
        return [name, f"`{found['reason']['code']}`", *[""] * 7]
    partial = found["partial"]
    outcome = f"{found['state']}, {found['publication']}"
    if partial:
        outcome += f"; partial: {partial['missing_seconds']:.2f} s missing, {partial['decode_errors']} decode errors"
    rungs = " ".join(f"{rung['width']}x{rung['height']}" for rung in found["renditions"])
    rate = f"{found['renditions'][0]['fps']:g}"
    read = [messages(found["playback"][kind]).strip()[:80] or "clean" for kind in ("hls", "dash")]
    return [
        name,
        outcome,
        rungs,
        rate,
        _after(found, "playable_at"),
        _after(found, "ready_at"),
        *read,
        _watch(url, found, browser),
    ]


def _after(found: dict[str, Any], moment: str) -> str:
    seconds = datetime.fromisoformat(found[moment]) - datetime.fromisoformat(found["uploaded_at"])
    return f"{seconds.total_seconds():.2f} s"


def _watch(url: str, found: dict[str, Any], browser: Browser) -> str:
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    try:
        report = play(page, url, found["id"], quality="highest")
    except PlaybackFailed as error:
        return f"FAILED: {str(error)[:80]}"
    finally:
        page.context.close()
    trouble = f", {report.stalls} stalls, errors {report.errors}" if report.stalls or report.errors else ""
    return f"to the end, {report.width}x{report.height}{trouble}"


if __name__ == "__main__":
    main()
