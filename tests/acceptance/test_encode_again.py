"""A viewer whose player began on one build goes on while the asset is encoded again, and after the new build has taken over."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page

from rushes.ffmpeg.binary import find_binary
from rushes.testing import Stack, running_stack
from tests.acceptance.corpus import settled, until, upload
from tests.acceptance.playback import play

SECONDS = 100
"""More than a player holds in advance."""
_SEGMENT = "/t/"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, pages: Path) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("again") / "data", speech_draft="false") as running:
        yield running


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "film.mkv"
    command = [
        str(find_binary()),
        "-v",
        "error",
        "-f",
        "lavfi",
        "-i",
        f"testsrc2=size=192x108:rate=5:duration={SECONDS}",
    ]
    subprocess.run([*command, "-c:v", "mpeg4", "-q:v", "6", str(path)], check=True)
    return path


def test_what_plays_goes_on_while_it_is_encoded_again(stack: Stack, film: Path, page: Page) -> None:
    # Given somebody who watches the first build
    asset = upload(stack.url, film)
    first = until(stack.url, asset, settled)
    fetched: list[str] = []
    page.on("response", lambda answer: fetched.append(answer.url) if _SEGMENT in answer.url else None)
    page.goto(f"{stack.url}/watch/{asset}")
    page.wait_for_function("() => window.rushesPlayer?.video.readyState >= 2", timeout=60_000)
    page.evaluate(
        "() => { window.rushesPlayer.hls.config.maxMaxBufferLength = 30; }"
    )  # else it has all of so small a film
    begun = {address.split(_SEGMENT)[1].split("/")[0] for address in fetched}
    # When it is encoded by another profile, and that has taken over
    httpx.post(f"{stack.url}/v1/assets/{asset}/encodes", json={"profile": "archive"}).raise_for_status()
    last = until(stack.url, asset, settled, 600)
    assert [one["state"] for one in last["encodes"]] == ["done"]
    assert last["published_build"] > first["published_build"]
    # Then the player fetches what it has not had yet from the build it began on, to the end
    fetched.clear()
    page.evaluate(
        "async (time) => { const { video } = window.rushesPlayer; video.muted = true; video.currentTime = time;"
        " await video.play(); }",
        SECONDS - 3,
    )
    page.wait_for_function("() => window.rushesPlayer.video.ended", timeout=60_000)
    assert fetched
    assert {address.split(_SEGMENT)[1].split("/")[0] for address in fetched} <= begun
    # And whoever comes now gets the new one
    report = play(page, stack.url, asset)
    assert report.ended
    assert [error for error in report.errors if error.startswith("fatal")] == []
    assert {address.split(_SEGMENT)[1].split("/")[0] for address in fetched} - begun
