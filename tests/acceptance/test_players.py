"""One short video in every player: from start to end, through every rung, with seeks, captions and storyboard."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from bench.players import with_all_captions
from rushes.ffmpeg.binary import find_binary
from rushes.testing import Stack, running_stack
from tests.acceptance.corpus import Record, settled, until, upload
from tests.acceptance.players import (
    PLAYERS,
    STALL,
    check,
    check_together,
    description,
    is_worth_slowing,
    opened,
    slow,
)
from tests.acceptance.stub import ASSET, Stub

pytestmark = [pytest.mark.browser, pytest.mark.node, pytest.mark.media]
WITHOUT_CAPTIONS = frozenset({"native"})
"""Chromium's own HLS shows no subtitle rendition (docs/decisions/0032)."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, pages: Path) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("players")
    profile = folder / "players.toml"
    profile.write_text(with_all_captions())
    with running_stack(folder / "data", profile=str(profile)) as running:
        yield running


def speaking(media: Path, clip: Path) -> Path:
    """Five seconds of moving picture and speech."""
    command = [
        str(find_binary()), "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=640x360:r=25", "-i", str(media / "speech/jfk.flac"),
        "-t", "5", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac", str(clip),
    ]  # fmt: skip
    subprocess.run(command, check=True)
    return clip


@pytest.mark.timeout(180)
def test_every_player_plays_it(stack: Stack, browser: Browser, media: Path, tmp_path: Path) -> None:
    found = until(stack.url, upload(stack.url, speaking(media, tmp_path / "speech.mp4")), settled)
    verdicts = [one for one in check_together(browser, stack.url, found["id"], PLAYERS) if one]
    assert {one.player for one in verdicts} >= {"hlsjs", "dashjs", "shaka", "shakahls"}
    for one in verdicts:
        silent = one.player in WITHOUT_CAPTIONS
        assert set(one.failed) <= ({"captions"} if silent else set()), one
        assert one.errors == [], one
        if one.player != "native":
            assert one.heights == tuple(sorted(rung["height"] for rung in found["renditions"])), one
            assert one.captions and min(one.tile) > 0, one


STANDING = """async (limit) => {
  const still = { currentTime: 1, buffered: { length: 0 } }, monitor = watch(still);
  await until("a stall", () => monitor.seen.worst > limit, 10);
  monitor.stop();
  return monitor.seen.at;
}"""
MOVING = """async (limit) => {
  let time = 0;
  const moving = { get currentTime() { return (time += 0.01); }, buffered: { length: 0 } }, monitor = watch(moving);
  await until("some looks", () => time > 1, 10);
  monitor.stop();
  return monitor.seen.worst;
}"""


def test_what_is_wrong_is_seen(browser: Browser, stub: Stub) -> None:
    # A picture that stands still is a stall, one that moves is none
    page = opened(browser, stub.url)
    assert page.evaluate(STANDING, STALL) == 1
    assert page.evaluate(MOVING, STALL) == 0
    page.context.close()
    # And a stream that is not there is a failure (of two players that do not try for long)
    stub.put(playback={"hls": "/stream/nothing.m3u8", "dash": "/stream/nothing.mpd"})
    for verdict in check_together(browser, stub.url, ASSET, ("shaka", "shakahls")):
        assert verdict and not verdict.good and "open" in verdict.failed, verdict


def tried(browser: Browser, stack: Stack, found: Record) -> list[str]:
    """What is wrong with one clip, a line for each player."""
    verdicts = [check(browser, stack.url, found["id"], player, most=6) for player in PLAYERS]
    allowed = {player: {"captions"} for player in WITHOUT_CAPTIONS}
    wrong = [
        f"{found['title']}: {one}"
        for one in verdicts
        if one and (set(one.failed) - allowed.get(one.player, set()) or one.errors or one.stall > STALL)
    ]
    if is_worth_slowing(description(stack.url, found["id"]), found["renditions"]):
        changes = {player: slow(browser, stack.url, found["id"], player) for player in ("hlsjs", "dashjs", "shaka")}
        wrong += [f"{found['title']}: {player} {text}" for player, text in changes.items() if "FAILED" in text]
    return wrong


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_every_player_plays_every_clip(stack: Stack, browser: Browser, media: Path) -> None:
    files = sorted((media / "real").iterdir())
    made = (until(stack.url, upload(stack.url, file), settled, 900) for file in files)
    assert [
        line for found in made if found["publication"] == "published" for line in tried(browser, stack, found)
    ] == []
