"""A headless Chromium, the built pages, and a server with made-up assets behind them."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import imageio_ffmpeg
import pytest
import uvicorn
from playwright.sync_api import Browser, Page, expect, sync_playwright

from rushes.web import build
from tests.acceptance.stub import Stub
from tests.conftest import unavailable

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="session", autouse=True)
def patience() -> None:
    """What a page is to show it may show late, on a machine that does other things too: five seconds were Playwright's own."""
    expect.set_options(timeout=30_000)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The machine's Chromium. One per module: while Playwright is up, no other event loop may run in this thread."""
    found = next((path for path in map(shutil.which, CHROMIUM) if path), None)
    if found is None:
        unavailable("Chromium")
    arguments = ["--disable-dev-shm-usage"] + (["--no-sandbox"] if os.geteuid() == 0 else [])
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=found, args=arguments)
        yield running
        running.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of its own profile, in which no error of a script goes unseen."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB")
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("console", lambda message: errors.append(message.text) if "Content Security" in message.text else None)
    yield opened
    seen = list(errors)  # now: closing breaks off what is still being loaded
    context.close()
    assert seen == []


@pytest.fixture(scope="session")
def pages() -> Path:
    """The built pages, built now if that has not been done. Without Node this is a skip, in CI a failure."""
    try:
        build.build()
    except build.BuildError as error:
        unavailable(f"the build of the pages ({error})")
    return build.ROOT / "dist"


@pytest.fixture(scope="session")
def stream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six seconds as HLS in two qualities with captions, a poster and a storyboard: `master.m3u8`, `short.m3u8` ..."""
    folder = tmp_path_factory.mktemp("stream")
    _ffmpeg(
        folder, "-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25:duration=6",
        "-f", "lavfi", "-i", "sine=frequency=440:duration=6",
        "-filter_complex", "[0:v]split=2[a][b];[b]scale=320:180[c]", "-map", "[a]", "-map", "1:a", "-map", "[c]", "-map", "1:a",
        "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "50", "-sc_threshold", "0",
        "-b:v:0", "800k", "-b:v:1", "200k", "-c:a", "aac", "-f", "hls", "-hls_time", "2", "-hls_playlist_type", "vod",
        "-hls_segment_type", "fmp4", "-hls_fmp4_init_filename", "init.mp4", "-var_stream_map", "v:0,a:0 v:1,a:1",
        "-master_pl_name", "video.m3u8", "-hls_segment_filename", "v%v_%d.m4s", "v%v.m3u8",
    )  # fmt: skip
    _ffmpeg(
        folder, "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=0.04", "-c:v", "libx264", "-pix_fmt", "yuv420p",
        "-f", "hls", "-hls_playlist_type", "vod", "-hls_segment_type", "fmp4", "-hls_fmp4_init_filename", "short-init.mp4",
        "-hls_segment_filename", "short_%d.m4s", "short.m3u8",
    )  # fmt: skip
    source = ("-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25:duration=6")
    _ffmpeg(folder, *source, "-frames:v", "1", "poster.jpg")
    _ffmpeg(folder, *source, "-vf", "fps=1,scale=160:90,tile=3x2", "-frames:v", "1", "sprite.jpg")
    _write_texts(folder)
    return folder


def _ffmpeg(folder: Path, *arguments: str) -> None:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-loglevel", "error", "-nostdin", "-y", *arguments]
    subprocess.run(command, cwd=folder, check=True)


def _write_texts(folder: Path) -> None:
    captions = "WEBVTT\n\n00:00:00.000 --> 00:00:02.000\nHello & welcome\n\n00:00:03.000 --> 00:00:06.000\n<b>Bars</b> and tone\n"
    (folder / "captions.vtt").write_text(captions.replace("&", "&amp;"))
    (folder / "captions.m3u8").write_text(
        "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-PLAYLIST-TYPE:VOD\n#EXTINF:6,\ncaptions.vtt\n#EXT-X-ENDLIST\n"
    )
    tiles = [
        f"00:00:0{n}.000 --> 00:00:0{n + 1}.000\nsprite.jpg#xywh={n % 3 * 160},{n // 3 * 90},160,90\n" for n in range(6)
    ]
    (folder / "storyboard.vtt").write_text("WEBVTT\n\n" + "\n".join(tiles))
    media = '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="c",NAME="English",LANGUAGE="en",URI="captions.m3u8"'
    master = (folder / "video.m3u8").read_text().replace("#EXT-X-STREAM-INF:", '#EXT-X-STREAM-INF:SUBTITLES="c",')
    (folder / "master.m3u8").write_text(master.replace("#EXTM3U\n", f"#EXTM3U\n{media}\n"))


@pytest.fixture
def stub(pages: Path, stream: Path) -> Iterator[Stub]:
    """A server on a free port; tests put assets into it and tell it how to behave."""
    made = Stub(stream)
    server = uvicorn.Server(uvicorn.Config(made.app(), port=0, log_level="warning", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = threading.Event()
    while not server.started:
        assert thread.is_alive(), "the stub server did not start"
        deadline.wait(0.01)
    made.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    yield made
    made.close()
    server.should_exit = True
    thread.join(10)
