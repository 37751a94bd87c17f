"""kill -9 of the whole stack, again and again, while uploads are under way: nothing acknowledged is lost or doubled."""

from __future__ import annotations

import random
import subprocess
from collections import Counter
from pathlib import Path

import httpx
import psutil
import pytest

from rushes.clock import pause
from rushes.ffmpeg.binary import find_binary
from rushes.testing import Stack
from tests.acceptance.corpus import all_settled, upload

KILLS, UPLOADS = 10, 5


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Five different clips; two can take the fast lane, all have to be encoded."""
    folder = tmp_path_factory.mktemp("clips")
    made = []
    for number in range(UPLOADS):
        clip = folder / f"clip{number}.{'mp4' if number < 2 else 'mkv'}"
        picture = f"testsrc2=size=640x360:rate=30:duration={6 + number},hue=h={number * 40}"
        command = [str(find_binary()), "-v", "error", "-f", "lavfi", "-i", picture, "-f", "lavfi"]
        command += ["-i", f"sine=frequency={300 + 50 * number}:duration={6 + number}", "-c:v", "libx264", "-g", "60"]
        subprocess.run([*command, "-pix_fmt", "yuv420p", "-c:a", "aac", str(clip)], check=True)
        made.append(clip)
    return made


@pytest.mark.timeout(600)
def test_ten_kills_while_five_uploads_run(tmp_path: Path, clips: list[Path]) -> None:
    chance = random.Random(20)
    stack = Stack(tmp_path / "data", speech_draft="false")
    # Given five uploads, acknowledged to their last byte, on a stack that is killed at ten random moments
    stack.start()
    assets = [upload(stack.url, clip) for clip in clips]
    for _ in range(KILLS):
        pause(chance.uniform(0.5, 4.0))
        stack.kill()
        assert processes_of(stack.data) == []
        stack.start(wait=False)
    # When it comes up at last
    stack.until_ready()
    records = all_settled(stack.url, assets)
    # Then all are ready, each once, each published once, and the pointer leads to segments that are there
    assert [found["state"] for found in records] == ["ready"] * UPLOADS
    assert [found["publication"] for found in records] == ["published"] * UPLOADS
    assert len(httpx.get(f"{stack.url}/v1/assets", params={"limit": 100}).json()["items"]) == UPLOADS
    events = httpx.get(f"{stack.url}/v1/events", params={"limit": 1000}).json()["items"]
    told = Counter((event["asset"], event["type"]) for event in events)
    once = ("asset.created", "asset.ingested", "asset.playable", "asset.ready", "asset.published")
    assert {told[asset, type_] for asset in assets for type_ in once} == {1}
    for found in records:
        assert_whole(found["playback"]["hls"])
    stack.stop()
    assert processes_of(stack.data) == []


def assert_whole(master: str) -> None:
    """Every playlist and segment that the pointer leads to is there."""
    playlists = [line for line in httpx.get(master).text.splitlines() if line and not line.startswith("#")]
    assert playlists
    for playlist in playlists:
        address = httpx.URL(master).join(playlist)
        lines = [line for line in httpx.get(address).text.splitlines() if line and not line.startswith("#")]
        assert lines
        assert {httpx.head(address.join(line)).status_code for line in lines} == {200}


def processes_of(data: Path) -> list[str]:
    """Processes that still name this data directory, or descend from the stack that did, shortly after its end."""
    for _ in range(400):
        found = [
            " ".join(process.info["cmdline"])
            for process in psutil.process_iter(["cmdline"])
            if process.info["cmdline"] and any(str(data) in part for part in process.info["cmdline"])
        ]
        if not found:
            return []
        pause(0.05)
    return found
