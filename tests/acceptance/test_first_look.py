"""A first look in Chromium: the page plays it while it grows, and never comes to an end that is none. And a source that is a
rung of its own ladder: players switch to it and away from it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from playwright.sync_api import Page

from rushes.keys import build_prefix
from rushes.model import TracksResult
from rushes.packaging.chunks import join_chunks
from rushes.packaging.growing import grow, growing_master, growing_playlists
from rushes.packaging.hls import MASTER
from rushes.tracks import Track
from tests.acceptance.conftest import _ffmpeg
from tests.acceptance.playback import _HOOK
from tests.acceptance.stub import NOTHING, Stub
from tests.integration.transcoder.steps import Run

pytestmark = [pytest.mark.browser, pytest.mark.node]
BUILD = 1
HLS = f"/tree/{build_prefix('a', BUILD)}{MASTER}"
PICTURE = ("-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25:duration=13")
SOUND = ("-f", "lavfi", "-i", "sine=frequency=440:duration=13")
X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-flags", "+cgop")
_TIME = "() => window.rushesPlayer.video.currentTime"
_PLAY = "async () => { const { video } = window.rushesPlayer; video.muted = true; await video.play(); }"
_SWITCH = """
(height) => {
  const { hls } = window.rushesPlayer;
  hls.currentLevel = hls.levels.findIndex((level) => level.height === height);
}
"""
_SHOWN = "(height) => window.rushesPlayer.video.videoHeight === height"


class Look:
    """The chunks of a first look, encoded as the steps do it, in a store that a browser sees."""

    def __init__(self, root: Path) -> None:
        _ffmpeg(root, *PICTURE, *SOUND, *X264, "-g", "50", "-c:a", "libopus", "film.mkv")
        self.run = Run(root, root / "film.mkv")
        assert self.run.plan.look is not None
        self.plan = self.run.plan.look
        self.run.sound()
        chunks = self.plan.chunks
        self.chunks = [
            self.run.encode(
                f"first.{chunk.number}", self.plan.ladder, chunk.model_dump(mode="json"), len(chunks), provisional=True
            ).tracks
            for chunk in chunks
        ]

    def show(self, chunks: int) -> None:
        """The first so many chunks are there; the build begins with the first."""
        sound = self.run.done["audio"]
        assert isinstance(sound, TracksResult)
        tracks: list[Track] = [*join_chunks(self.chunks[:chunks]), *sound.tracks]
        segment, over = Fraction(self.plan.ladder.grid.segment_seconds), chunks == len(self.chunks)
        for key, text in growing_playlists("a", BUILD, tracks, segment, over=over).items():
            grow(self.run.store, key, text)
        if chunks == 1:
            master = growing_master("a", BUILD, tracks, bandwidth=1_000_000)
            self.run.store.put_bytes(build_prefix("a", BUILD) + MASTER, master.encode())


def watch(page: Page, stub: Stub, run: Run, **changes: object) -> None:
    stub.tree = run.store.root
    stub.put(playback=NOTHING | {"hls": HLS}, duration=13.0, **changes)
    page.add_init_script(_HOOK)
    page.goto(f"{stub.url}/watch/{next(iter(stub.assets))}")
    page.wait_for_function("() => window.rushesPlayer?.video.readyState >= 2", timeout=20_000)


def test_a_first_look_plays_while_it_grows(page: Page, stub: Stub, tmp_path: Path) -> None:
    # Given a film of which the first four seconds are there
    look = Look(tmp_path)
    look.show(1)
    # When somebody watches
    watch(page, stub, look.run, state="playable")
    assert page.evaluate(_TIME) < 0.2, "it begins at the beginning, not at what there is last"
    page.evaluate(_PLAY)
    page.wait_for_function("() => window.rushesPlayer.video.currentTime > 3.5", timeout=20_000)
    # Then it waits at the end of what there is, which is no end
    page.wait_for_timeout(1500)
    assert page.evaluate("() => window.rushesPlayer.video.ended") is False
    assert page.evaluate(_TIME) < 4.2
    # When the next chunk is there, and then the last
    look.show(2)
    page.wait_for_function("() => window.rushesPlayer.video.currentTime > 5", timeout=20_000)
    look.show(3)
    page.wait_for_function("() => window.rushesPlayer.video.ended", timeout=30_000)
    # Then it was seen to the end, and nothing broke
    assert abs(page.evaluate("() => window.rushesPlayer.video.duration") - 13) < 0.3
    assert page.evaluate("() => window.playback.errors") == []


def test_players_switch_between_the_source_and_the_rungs_below_it(page: Page, stub: Stub, tmp_path: Path) -> None:
    # Given a source that is its own top rung, with key pictures at times of its own
    keys = ("-force_key_frames", "0,2.4,4.8,7,10", "-g", "300", "-b:v", "600k", "-bf", "2", "-c:a", "aac")
    tags = ("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709")
    _ffmpeg(tmp_path, *PICTURE, *SOUND, *X264, *keys, *tags, "good.mp4")
    run = Run(tmp_path, tmp_path / "good.mp4")
    assert run.plan.reuse
    run.reused()
    # When somebody watches and goes up and down
    watch(page, stub, run)
    assert page.evaluate("() => window.rushesPlayer.hls.levels.map((level) => level.height)") == [240, 360]
    page.evaluate(_PLAY)
    for height, time in ((360, 1.0), (240, 3.5), (360, 6.5), (240, 9.0)):
        page.evaluate(_SWITCH, height)
        page.wait_for_function(_SHOWN, arg=height, timeout=20_000)
        page.wait_for_function("(time) => window.rushesPlayer.video.currentTime > time", arg=time, timeout=20_000)
    # Then it plays to the end without a fault
    page.wait_for_function("() => window.rushesPlayer.video.ended", timeout=30_000)
    assert page.evaluate("() => window.playback.errors") == []
