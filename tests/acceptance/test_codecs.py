"""AV1 and Opus beside H.264 and AAC in one asset, played by Chromium through hls.js and dash.js to their end."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from rushes.ffmpeg.binary import find_binary
from tests.conftest import unavailable
from tests.services.node import NODE, NodeMissing, installed

pytestmark = [pytest.mark.browser, pytest.mark.node]
PROFILE = """
name = "both"
version = 1
[video]
codecs = [
  { codec = "h264", preset = "ultrafast", crf = 28 },
  { codec = "av1", preset = "12", crf = 45, rate = 0.8 },
]
rungs = [{ short_side = 180, max_bitrate = 400_000 }, { short_side = 120, max_bitrate = 150_000 }]
[audio]
codecs = ["aac", "opus"]
[outputs]
mp4 = 180
audio_only = true
[enrichment]
transcript = false
labels = false
"""
SCRIPTS = ("hls.js/dist/hls.min.js", "dashjs/dist/modern/umd/dash.all.min.js")
HTML = "<!doctype html><title>Player</title><video muted></video>"
HLS = """
async ([url, codec]) => {
  const video = document.querySelector("video"), hls = new Hls();
  const seen = { errors: [], codecs: new Set(), sound: new Set() };
  hls.on("hlsError", (_name, data) => { if (data.details !== "bufferStalledError") seen.errors.push(data.details); });
  hls.on("hlsManifestParsed", () => {
    const chosen = hls.levels.findIndex((level) => level.videoCodec.startsWith(codec));
    hls.startLevel = hls.loadLevel = hls.nextLevel = chosen;
  });
  hls.on("hlsFragBuffered", (_name, { frag }) => {
    if (frag.type === "main") seen.codecs.add(hls.levels[frag.level].videoCodec);
    else seen.sound.add(hls.audioTracks[hls.audioTrack].groupId);
  });
  hls.loadSource(url);
  hls.attachMedia(video);
  video.playbackRate = 2;
  await new Promise((resolve) => hls.on("hlsManifestParsed", resolve));
  await video.play();
  await new Promise((resolve) => video.addEventListener("ended", resolve, { once: true }));
  const { totalVideoFrames } = video.getVideoPlaybackQuality();
  return { errors: seen.errors, codecs: [...seen.codecs], sound: [...seen.sound], frames: totalVideoFrames,
           width: video.videoWidth, duration: video.duration };
}
"""
DASH = """
async (url) => {
  const video = document.querySelector("video"), player = dashjs.MediaPlayer().create(), errors = [];
  player.on("error", ({ error }) => errors.push(error.message));
  player.initialize(video, url, false);
  await new Promise((resolve) => player.on("streamInitialized", resolve));
  // dash.js may find that it is over, and pause, before the element says so; then the element never does
  const over = new Promise((resolve) => player.on("playbackEnded", resolve));
  await player.play();
  await over;
  const said = (kind) => player.getCurrentTrackFor(kind).codec;
  return { errors, video: said("video"), audio: said("audio"), width: video.videoWidth, duration: video.duration,
           frames: video.getVideoPlaybackQuality().totalVideoFrames };
}
"""
FILE = """
async (url) => {
  const video = document.querySelector("video");
  video.src = url;
  await video.play();
  await new Promise((resolve) => video.addEventListener("ended", resolve, { once: true }));
  return { width: video.videoWidth, duration: video.duration, error: video.error };
}
"""


class Quiet(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Silence."""


@pytest.fixture(scope="module")
def asset(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a folder with one asset in both codecs, a page, and the players."""
    try:
        installed()
    except NodeMissing as error:
        unavailable(str(error))
    folder = tmp_path_factory.mktemp("both")
    clip, profile, out = folder / "clip.mp4", folder / "both.toml", folder / "out"
    profile.write_text(PROFILE)
    make = ["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=6", "-f", "lavfi", "-i", "sine=duration=6"]
    make += ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac", str(clip)]
    subprocess.run([str(find_binary()), "-v", "error", "-nostdin", *make], check=True)
    command = [sys.executable, "-m", "rushes.cli", "transcode", str(clip), "-o", str(out), "--profile", str(profile)]
    subprocess.run(command, check=True, capture_output=True, timeout=240, env=_plain())
    for script in SCRIPTS:
        (out / Path(script).name).write_bytes((NODE / "node_modules" / script).read_bytes())
    (out / "index.html").write_text(HTML + "".join(f"<script src={Path(script).name}></script>" for script in SCRIPTS))
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(out)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()


def _plain() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("RUSHES_")}


def played(page: Page, asset: str, script: str, argument: Any) -> dict[str, Any]:
    page.goto(f"{asset}index.html")
    seen: dict[str, Any] = page.evaluate(f"(argument) => Promise.race([({script})(argument), {TOO_LONG}])", argument)
    assert seen["duration"] == pytest.approx(6, abs=0.1)
    return seen


TOO_LONG = "new Promise((_, fail) => setTimeout(() => fail(new Error('it did not end within 60 s')), 60000))"


@pytest.mark.parametrize("codec", ["avc1", "av01"])
def test_hls_js_plays_each_codec(page: Page, asset: str, codec: str) -> None:
    seen = played(page, asset, HLS, [f"{asset}master.m3u8", codec])
    assert seen["errors"] == []
    assert seen["codecs"]
    assert all(found.startswith(codec) for found in seen["codecs"])
    assert len(seen["sound"]) == 1
    assert seen["frames"] > 100


def test_dash_js_takes_the_better_codecs(page: Page, asset: str) -> None:
    seen = played(page, asset, DASH, f"{asset}manifest.mpd")
    assert seen["errors"] == []
    assert "av01" in seen["video"]
    assert "opus" in seen["audio"].lower()
    assert seen["frames"] > 100


def test_the_file_to_download_plays(page: Page, asset: str) -> None:
    record = page.request.get(f"{asset}asset.json").json()
    seen = played(page, asset, FILE, f"{asset}{record['playback']['mp4']}")
    assert (seen["width"], seen["error"]) == (320, None)
