"""Protected streams in a browser: hls.js, dash.js and Shaka Player fetch the key and show every picture, before and after a change
of the key; and the key is nowhere but in memory."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page

from rushes.ffmpeg.binary import find_binary
from rushes.media_keys import DerivedKeys
from rushes.testing import Stack, running_stack
from tests.acceptance.corpus import settled, until, upload
from tests.services.node import NODE, installed

pytestmark = [pytest.mark.browser, pytest.mark.node]
SECRET = "what the keys of this stack are made of"
SECONDS, FRAMES = 2, 50
SCHEMES = ("cbcs", "aes-128")
PROFILE = """
name = "protected"
version = 1
[video]
codecs = [{{ codec = "h264", preset = "ultrafast", crf = 28 }}]
rungs = [{{ short_side = 180, max_bitrate = 400_000 }}, {{ short_side = 120, max_bitrate = 150_000 }}]
[audio]
codecs = ["aac"]
[outputs]
protection = "{scheme}"
[enrichment]
transcript = false
labels = false
"""
LIBRARIES = (
    "hls.js/dist/hls.min.js",
    "dashjs/dist/modern/umd/dash.all.min.js",
    "shaka-player/dist/shaka-player.compiled.js",
)
PAGE = "protected-player"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Standard, so that the fast lane is protected too."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    picture = f"testsrc2=size=320x180:rate=25:duration={SECONDS}"
    command = [
        str(find_binary()),
        "-v",
        "error",
        "-f",
        "lavfi",
        "-i",
        picture,
        "-f",
        "lavfi",
        "-i",
        f"sine=duration={SECONDS}",
    ]
    command += ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "50", "-c:a", "aac", str(path)]
    subprocess.run(command, check=True)
    return path


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """With a profile for each scheme; the second asset's clear tracks are copies of the first one's."""
    folder = tmp_path_factory.mktemp("house")
    for scheme in SCHEMES:
        profile_of(folder, scheme).write_text(PROFILE.format(scheme=scheme))
    names = ",".join(str(profile_of(folder, scheme)) for scheme in SCHEMES)
    with running_stack(folder / "data", profiles=names, key_secret=SECRET, speech_draft="false") as running:
        yield running


def profile_of(folder: Path, scheme: str) -> Path:
    return folder / f"{scheme}.toml"


def played(page: Page, stack: Stack, player: str, playback: dict[str, Any]) -> dict[str, Any]:
    installed()
    html = "<!doctype html><title>Player</title><video playsinline></video>"
    page.route(f"**/{PAGE}", lambda route: route.fulfill(body=html, content_type="text/html"))
    page.goto(f"{stack.url}/{PAGE}")
    for library in LIBRARIES:
        page.add_script_tag(path=NODE / "node_modules" / library)
    page.add_script_tag(path=Path(__file__).with_name("protected.js"))
    seen: dict[str, Any] = page.evaluate(
        "(these) => playProtected(...these)", [player, playback, SECONDS - 0.1, SECONDS + 12]
    )
    return seen


def check(page: Page, stack: Stack, player: str, playback: dict[str, Any], *, eme: bool) -> None:
    seen = played(page, stack, player, playback)
    assert seen["errors"] == []
    assert seen["time"] >= SECONDS - 0.1, seen
    assert seen["frames"] >= FRAMES - 3
    assert seen["sound"] > 0
    assert seen["eme"] is eme


def objects_with(stack: Stack, needles: list[bytes]) -> list[str]:
    files = [stack.log, *(path for path in stack.data.rglob("*") if path.is_file())]
    return [str(path) for path in files if any(needle in path.read_bytes() for needle in needles)]


def forms(key: str) -> list[bytes]:
    raw = bytes.fromhex(key)
    return [raw, key.encode(), key.upper().encode(), base64.b64encode(raw)[:22], base64.urlsafe_b64encode(raw)[:22]]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_players_play_it_to_its_end(page: Page, clip: Path, stack: Stack, scheme: str) -> None:
    players = ("hlsjs", "dashjs", "shaka", "shakahls") if scheme == "cbcs" else ("hlsjs", "shakahls")
    asset = upload(stack.url, clip, profile=str(profile_of(stack.data.parent, scheme)))
    playback = until(stack.url, asset, settled)["playback"]
    assert bool(playback["dash"]) == (scheme == "cbcs")
    for player in players:
        check(page, stack, player, playback, eme=scheme == "cbcs")

    # When the key is changed, what was published plays by the new one, and the old one lives until it is retired
    keys = [DerivedKeys(SECRET.encode()).key(asset, version) for version in (1, 2)]
    with httpx.Client(base_url=stack.url) as client:
        assert client.post(f"/v1/assets/{asset}/keys/rotate").status_code == 202
        until(stack.url, asset, settled)
        assert keys[1].kid in client.get(f"/media/{asset}/master.m3u8").text
        assert client.get(f"/keys/{asset}/{keys[0].kid}").content == bytes.fromhex(keys[0].key)
        check(page, stack, "shakahls", playback, eme=scheme == "cbcs")
        assert client.post(f"/v1/assets/{asset}/keys/retire").status_code == 200
        assert client.get(f"/keys/{asset}/{keys[0].kid}").status_code == 404

    # And nothing that is kept or said has a key in it
    assert objects_with(stack, [form for key in keys for form in forms(key.key)]) == []
    assert objects_with(stack, [keys[1].kid.encode()]) != [], "the search finds what is there"
