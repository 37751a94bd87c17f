"""Real and hard clips through a whole stack: each ends as its manifest expects, is read by ffmpeg and plays in Chromium."""

from __future__ import annotations

import csv
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Page

from rushes.chaos.member import until as wait
from rushes.errors import CREATOR_REASONS
from rushes.ffmpeg.binary import find_binary
from rushes.testing import Stack, running_stack
from tests.acceptance.corpus import Record, settled, until, upload
from tests.acceptance.playback import play
from tests.acceptance.reading import messages
from tests.services.children import command_of, name_of

SHORT = 5.5
"""Seconds; longer clips are for the nightly tier."""
HOUR, MINUTES = "slideshow-1frame-per-minute-1h.mp4", 6
"""A long clip with few frames, and how many minutes of it are enough by day."""
LONG = (HOUR, "bomb-4k60-av1-363s.mp4")
Clips = list[tuple[Path, dict[str, str]]]
pytestmark = [pytest.mark.media]


def clips(media: Path, folder: str) -> Clips:
    """(file, its row of the manifest) of the files in a folder that are uploads."""
    with (media / "MANIFEST.tsv").open(encoding="utf-8") as table:
        rows = [row for row in csv.DictReader(table, delimiter="\t") if row["path"].startswith(folder + "/")]
    return [(media / row["path"], row) for row in rows if row["expected_outcome"] != "(document)"]


def is_short(row: dict[str, str]) -> bool:
    return float(row["duration_s"] or 0) <= SHORT


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, pages: Path) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("corpus") / "data", speech_draft="false") as running:
        yield running
        # the living worker's own directory, held, and nothing in it: a step clears away behind its last word
        scratch = running.data / "scratch"
        wait(lambda: not list(scratch.glob("*/*")), "empty directories")
        assert sorted(path.suffix for path in scratch.iterdir()) == ["", ".lock"]


def outcomes(stack: Stack, chosen: Clips, patience: float) -> Iterator[tuple[Path, dict[str, str], Record]]:
    """Everything is sent first, so that the stack has its hands full; whoever looks at one does so while it goes on with others."""
    sent = [(file, row, upload(stack.url, file)) for file, row in chosen]
    for file, row, asset in sent:
        yield file, row, until(stack.url, asset, settled, patience)


def assert_good(stack: Stack, page: Page, file: Path, found: Record) -> None:
    assert (found["state"], found["publication"]) == ("ready", "published"), file.name
    source = found["source"]
    for rung in found["renditions"]:
        assert rung["width"] * rung["height"] <= 1.05 * source["display_width"] * source["display_height"], file.name
    assert messages(found["playback"]["hls"]) == "", file.name
    if found["duration"] * found["renditions"][0]["fps"] >= 20:  # fewer frames: ffmpeg's DASH demuxer plays them twice
        assert messages(found["playback"]["dash"]) == "", file.name
    report = play(page, stack.url, found["id"], quality="highest")
    assert (report.ended, report.errors) == (True, []), file.name
    assert report.duration == pytest.approx(found["duration"], abs=0.1), file.name


@pytest.mark.browser
@pytest.mark.timeout(600)
def test_short_real_clips(stack: Stack, media: Path, page: Page) -> None:
    chosen = [(file, row) for file, row in clips(media, "real") if is_short(row)]
    assert len(chosen) >= 10
    for file, _, found in outcomes(stack, chosen, 500):
        assert_good(stack, page, file, found)


@pytest.mark.nightly
@pytest.mark.browser
@pytest.mark.timeout(3600)
def test_all_real_clips(stack: Stack, media: Path, page: Page) -> None:
    for file, _, found in outcomes(stack, clips(media, "real"), 3000):
        assert_good(stack, page, file, found)


def assert_as_expected(file: Path, row: dict[str, str], found: Record) -> None:
    """`reject` alone must be refused, `ok` alone must be ready; where the manifest leaves a choice either is right."""
    expected = row["expected_outcome"]
    refused = found["state"] == "failed"
    if refused:
        assert found["reason"]["code"] in CREATOR_REASONS, (file.name, found["reason"])
    choice = " or " in expected or "partial" in expected or "policy" in expected
    if expected.startswith("reject") and not choice:
        assert refused, (file.name, found["state"])
    elif expected.startswith("ok") and not choice:
        assert found["state"] == "ready", (file.name, found["reason"])


@pytest.mark.timeout(600)
def test_hard_files_end_as_their_manifest_expects(stack: Stack, media: Path, tmp_path: Path) -> None:
    chosen = [(file, row) for file, row in clips(media, "hard") if file.name not in LONG]
    chosen += [(_beginning(file, tmp_path / file.name), row) for file, row in clips(media, "hard") if file.name == HOUR]
    for file, row, found in outcomes(stack, chosen, 500):
        assert_as_expected(file, row, found)
    # Nothing of it is left running
    wait(lambda: tools(stack) == [], "the end of all tools")


def tools(stack: Stack) -> list[str]:
    names = [name_of(process) for process in psutil.process_iter() if str(stack.data) in command_of(process)]
    return [name for name in names if "ffmpeg" in name or "bwrap" in name]


def _beginning(file: Path, path: Path) -> Path:
    command = [
        str(find_binary()),
        "-v",
        "error",
        "-nostdin",
        "-i",
        str(file),
        "-t",
        str(60 * MINUTES),
        "-c",
        "copy",
        str(path),
    ]
    subprocess.run(command, check=True)
    return path


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_long_hard_files_end_within_their_limits(stack: Stack, media: Path) -> None:
    chosen = [(file, row) for file, row in clips(media, "hard") if file.name in LONG]
    for file, row, found in outcomes(stack, chosen, 3000):
        assert_as_expected(file, row, found)
