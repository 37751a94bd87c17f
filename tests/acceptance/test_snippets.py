"""The snippets of `docs/clients.md`, as they stand there."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from rushes.ffmpeg.binary import find_binary
from rushes.testing import Stack, running_stack
from tests.acceptance.corpus import settled, until
from tests.conftest import unavailable
from tests.services.node import NodeMissing, installed

PAGE = Path(__file__).parents[2] / "docs" / "clients.md"
NODE = Path(__file__).parents[1] / "integration" / "node"


def snippet(language: str, with_word: str = "") -> str:
    """The first snippet in a language that has this word."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return next(text for text in found if with_word in text)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("snippets") / "data", speech_draft="false") as running:
        yield running


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    command = [str(find_binary()), "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25:duration=2"]
    subprocess.run([*command, "-c:v", "libx264", "-g", "25", "-pix_fmt", "yuv420p", str(path)], check=True)
    return path


def bash(text: str, **environment: str) -> str:
    done = subprocess.run(
        ["bash", "-euc", text], env={**os.environ, **environment}, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def assert_arrived(stack: Stack, asset: str, clip: Path) -> None:
    found = until(stack.url, asset, settled)
    assert found["state"] == "ready"
    assert found["title"] == "My holidays"
    assert found["source"]["sha256"] == hashlib.sha256(clip.read_bytes()).hexdigest()


@pytest.fixture
def address(stack: Stack) -> str:
    """Of one upload."""
    made = json.loads(bash(snippet("bash", "/v1/uploads"), SERVER=stack.url, KEY="a key"))
    assert made["limits"]["max_duration"] == 60
    return str(made["url"])


@pytest.mark.node
def test_javascript(stack: Stack, address: str, clip: Path) -> None:
    try:
        node = installed()
    except NodeMissing as error:
        unavailable(str(error))
    module = NODE / f"snippet-{os.getpid()}.mjs"  # beside the packages that it imports
    run = """
import { readFileSync } from "node:fs";
const [file, endpoint] = process.argv.slice(2);
console.log(await upload(readFileSync(file), endpoint, "clip.mp4", () => undefined));
"""
    module.write_text(snippet("javascript") + run)
    try:
        command = '"$NODE" "$MODULE" "$FILE" "$ENDPOINT"'
        output = bash(command, NODE=node, MODULE=str(module), FILE=str(clip), ENDPOINT=address)
    finally:
        module.unlink()
    assert_arrived(stack, output.split()[-1], clip)


def test_python(stack: Stack, address: str, clip: Path, tmp_path: Path) -> None:
    module = tmp_path / "snippet.py"
    module.write_text(snippet("python"))
    spec = importlib.util.spec_from_file_location("snippet", module)
    assert spec
    assert spec.loader
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    assert_arrived(stack, loaded.upload(str(clip), address, str(tmp_path / "urls.json")), clip)


def test_curl_by_tus(stack: Stack, address: str, clip: Path) -> None:
    text = snippet("bash", "Upload-Offset")
    location = bash(text + '\necho "$location"', ENDPOINT=address, FILE=str(clip)).strip()
    answer = httpx.head(location, headers={"Tus-Resumable": "1.0.0"})
    assert_arrived(stack, answer.headers["rushes-asset"], clip)


def test_curl_by_the_ietf_protocol(stack: Stack, address: str, clip: Path) -> None:
    answer = bash(snippet("bash", "Interop"), ENDPOINT=address, FILE=str(clip))
    assert "104" in answer.split("\n", 1)[0]
    asset = re.findall(r"(?im)^rushes-asset: (\S+)", answer)[-1]
    assert_arrived(stack, asset, clip)
