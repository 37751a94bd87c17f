"""What is made on demand, on a real stack: by a beacon, and by a player that does not wait for it."""

from __future__ import annotations

import base64
import re
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from rushes.clock import pause
from rushes.ffmpeg.binary import find_binary
from rushes.testing import Stack, running_stack

PROFILE = """
name = "small"
version = 1
[video]
codecs = [{ codec = "h264", preset = "veryfast", crf = 30 }]
reuse_source = false
rungs = [
  { short_side = 360, max_bitrate = 800_000, lazy = true },
  { short_side = 180, max_bitrate = 300_000 },
]
[enrichment]
transcript = false
labels = false
poster = false
storyboard = false
"""
FINAL = ("done", "skipped", "failed", "cancelled")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    root = tmp_path_factory.mktemp("demand")
    (root / "small.toml").write_text(PROFILE)
    with running_stack(root / "data", profile=str(root / "small.toml"), segment_wait="30") as made:
        yield made


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    subprocess.run(
        [
            *(str(find_binary()), "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=640x360:r=25:d=12"),
            *("-f", "lavfi", "-i", "sine=d=12", "-c:v", "libx264", "-preset", "ultrafast", "-g", "50"),
            *("-pix_fmt", "yuv420p", "-c:a", "aac", "-movflags", "+faststart", str(path)),
        ],
        check=True,
    )
    return path


def upload(stack: Stack, clip: Path, title: str) -> str:
    said = ",".join(f"{key} {base64.b64encode(text.encode()).decode()}" for key, text in {"filename": title}.items())
    data = clip.read_bytes()
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": str(len(data)), "Upload-Metadata": said}
    headers["Content-Type"] = "application/offset+octet-stream"
    made = httpx.post(f"{stack.url}/files", headers=headers, content=data).raise_for_status()
    return str(made.headers["rushes-asset"])


def over(stack: Stack, asset: str) -> dict[str, Any]:
    """The record once nothing is left to be done."""
    for _ in range(600):
        found: dict[str, Any] = httpx.get(f"{stack.url}/v1/assets/{asset}").json()
        if found["state"] in ("ready", "failed") and all(step["state"] in FINAL for step in found["steps"]):
            return found
        pause(0.1)
    raise AssertionError(f"it is not over: {[step for step in found['steps'] if step['state'] not in FINAL]}")


def every_address(url: str) -> set[str]:
    """Whatever a multivariant playlist leads to."""
    found: set[str] = {url}
    waiting = [url]
    while waiting:
        here = httpx.URL(waiting.pop())
        for uri in re.findall(r'URI="([^"]+)"|^([^#\s].*)$', httpx.get(here).text, re.MULTILINE):
            address = str(here.join(uri[0] or uri[1]))
            if address not in found:
                found.add(address)
                waiting += [address] if address.endswith(".m3u8") else []
    return found


def test_a_beacon_brings_the_missing_rungs_and_breaks_nobody(stack: Stack, clip: Path) -> None:
    asset = over(stack, upload(stack, clip, "watched.mp4"))
    pointer = asset["playback"]["hls"]
    assert ([one["name"] for one in asset["renditions"]], asset["lazy"]["state"]) == (["180p"], "available")
    old = every_address(pointer.replace("master.m3u8", f"b/{asset['build']}/master.m3u8"))
    assert httpx.post(f"{stack.url}/plays/{asset['id']}").status_code == 204
    for _ in range(100):
        if httpx.get(f"{stack.url}/v1/assets/{asset['id']}").json()["lazy"]["state"] != "available":
            break
        pause(0.1)
    made = over(stack, asset["id"])
    # Then there is a build with all of it, which is published
    assert [one["name"] for one in made["renditions"]] == ["360p", "180p"]
    assert made["published_build"] == made["build"] > asset["build"]
    assert (made["lazy"]["state"], made["lazy"]["by"]) == ("made", "play")
    assert not [step["key"] for step in made["steps"] if step["state"] == "failed"]
    # And what either of them names is there
    new = every_address(pointer)
    assert [url for url in old | new if httpx.get(url).status_code != 200] == []
    assert any("/360p/" in url for url in new) and not any("jit" in url for url in new)


def test_a_player_gets_it_before_it_is_made(stack: Stack, clip: Path) -> None:
    asset = over(stack, upload(stack, clip, "hasty.mp4"))
    base = f"{stack.url}/media/{asset['id']}/jit/"
    with httpx.Client(follow_redirects=True, timeout=60) as player:
        # Given a player that reads the master, chooses the rung that is not there, and seeks at once
        master = player.get(base + "master.m3u8").text
        said = dict(re.findall(r'CODECS="(avc1[^,"]+)[^\n]*\n(\S+)', master))
        playlist = player.get(base + "360p.m3u8").text
        names = [line for line in playlist.splitlines() if not line.startswith("#")]
        assert names == ["360p/1.m4s", "360p/2.m4s", "360p/3.m4s"]
        with ThreadPoolExecutor(20) as many:
            crowd = list(many.map(lambda _: player.get(base + names[1]), range(20)))
        middle = crowd[0]
        assert {(answer.status_code, answer.content) for answer in crowd} == {(200, middle.content)}
        first = player.get(base + names[0])
        init = player.get(base + "360p/init.mp4")
        last = player.get(base + names[2])
        assert [answer.status_code for answer in (first, middle, last, init)] == [200] * 4
    made = over(stack, asset["id"])
    final = next(one for one in made["renditions"] if one["name"] == "360p")
    assert final["codec"] in said
    assert {step["attempts"] for step in made["steps"] if step["key"].startswith("encode.lazy")} == {1}
    # And what it was given is what everybody is given from then on
    build = httpx.get(f"{stack.url}/media/{asset['id']}/b/{made['build']}/360p.m3u8").text
    uris = [line for line in build.splitlines() if not line.startswith("#")]
    address = httpx.URL(f"{stack.url}/media/{asset['id']}/b/{made['build']}/360p.m3u8")
    assert [httpx.get(address.join(uri)).content for uri in uris] == [one.content for one in (first, middle, last)]


def test_ffmpeg_plays_it_while_it_is_made(stack: Stack, clip: Path, tmp_path: Path) -> None:
    asset = over(stack, upload(stack, clip, "read.mp4"))
    found = subprocess.run(
        [
            *(str(find_binary()), "-v", "error", "-i", f"{stack.url}/media/{asset['id']}/jit/360p.m3u8"),
            *("-map", "0:v", "-f", "framecrc", "-"),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stderr == ""
    assert len([line for line in found.stdout.splitlines() if not line.startswith("#")]) == 300


def test_a_stack_that_is_killed_goes_on_with_it(stack: Stack, clip: Path) -> None:
    asset = over(stack, upload(stack, clip, "killed.mp4"))
    assert httpx.post(f"{stack.url}/v1/assets/{asset['id']}/demand").json()["lazy"]["state"] == "making"
    stack.kill()
    stack.start()
    made = over(stack, asset["id"])
    assert (made["lazy"]["state"], made["published_build"]) == ("made", made["build"])
