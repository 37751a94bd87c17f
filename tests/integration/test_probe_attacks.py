"""Uploads that attack: no other file is read, no server reached, no bound passed, nothing left running."""

from __future__ import annotations

import shutil
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from rushes.engine.job import Limits, ToolSettings
from rushes.errors import StepFailure
from rushes.ffmpeg.confinement import Mode
from rushes.ffmpeg.door import Door
from rushes.ffmpeg.probe import probe
from rushes.ffmpeg.sandbox import works
from tests.services.children import descendants

TOOLS = ToolSettings()


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    path: Path = tmp_path_factory.mktemp("clips") / "a.mp4"
    args = ["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=1", "-c:v", "libx264", str(path)]
    Door(ToolSettings(sandbox="off")).run(args, writes=path.parent)
    return path


def refusal(path: Path, tools: ToolSettings = TOOLS) -> StepFailure:
    with pytest.raises(StepFailure) as caught:
        probe(path, tools)
    return caught.value


@pytest.fixture
def ports() -> Iterator[tuple[int, list[object]]]:
    """A listener on loopback: (port, how often somebody came)."""
    server = socket.create_server(("127.0.0.1", 0))
    came: list[object] = []

    def serve() -> None:
        while True:
            try:
                came.append(server.accept()[0].close())
            except OSError:
                return

    threading.Thread(target=serve, daemon=True).start()
    yield server.getsockname()[1], came
    server.close()


SCRIPTS = {
    "hls": "#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:{port}/a.ts\n#EXTINF:1,\nfile://{canary}\n#EXT-X-ENDLIST\n",
    "bom": "\ufeff#EXTM3U\n#EXTINF:1,\n{canary}\n",
    "key": '#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="file://{canary}"\n#EXTINF:1,\na.ts\n',
    "concat": "ffconcat version 1.0\nfile '{canary}'\nfile 'http://127.0.0.1:{port}/'\n",
    "dash": '<?xml version="1.0"?><MPD type="static"><BaseURL>http://127.0.0.1:{port}/</BaseURL></MPD>',
    "smil": '<smil><body><video src="http://127.0.0.1:{port}/"/></body></smil>',
    "sdp": "v=0\nc=IN IP4 127.0.0.1\nm=video {port} RTP/AVP 96\n",
    "svg": "<svg xmlns='http://www.w3.org/2000/svg'><image href='http://127.0.0.1:{port}/'/></svg>",
}


@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize("demuxer", ["sniffed", "mov", "matroska"])
def test_scripts_reach_no_file_and_no_server(name: str, demuxer: str, tmp_path: Path, ports) -> None:
    """Refused by their bytes; and were the sniffing fooled, the forced demuxer and the sandbox would still hold."""
    port, came = ports
    canary = tmp_path / "canary.mp4"
    canary.write_text("CANARY-77aa")
    upload = tmp_path / "up.mp4"
    upload.write_text(SCRIPTS[name].format(port=port, canary=canary))
    if demuxer == "sniffed":
        assert refusal(upload).code in ("playlist_refused", "still_image")
    else:
        answer = Door(TOOLS).run_python("rushes.ffmpeg.probe_child", [str(upload), demuxer], reads=[upload])
        assert b'"failure"' in answer
        assert b"CANARY-77aa" not in answer
    assert came == []


def test_a_movie_whose_data_lies_elsewhere(clip: Path, tmp_path: Path) -> None:
    """A `dref` with a path is how QuickTime points to other files."""
    data = clip.read_bytes()
    reference = b"\0\0\0\x0curl \0\0\0\1"
    canary = tmp_path / "canary"
    canary.write_text("CANARY-77aa")
    path = str(canary).encode() + b"\0"
    outside = struct.pack(">I", 12 + len(path)) + b"url \0\0\0\0" + path
    assert reference in data
    upload = tmp_path / "up.mp4"
    upload.write_bytes(data.replace(reference, outside[: len(reference)]))
    try:
        assert "CANARY" not in probe(upload, TOOLS).model_dump_json()
    except StepFailure as failure:
        assert "CANARY" not in failure.detail + failure.message


def test_the_probes_own_bounds_hold(clip: Path) -> None:
    path = clip
    assert refusal(path, ToolSettings(limits=Limits(memory=10_000_000))).code == "over_limit_memory"
    assert refusal(path, ToolSettings(limits=Limits(wall=0.0))).code == "over_limit_time"
    assert descendants(zombies=True) == []


@pytest.mark.parametrize(
    "name", ["-i.mp4", "concat:a|b.mp4", "http:x.mp4", "%05d.mp4", "a'b\"c;$(id).mp4", "日本 \u202e.mp4"]
)
def test_names_of_files_decide_nothing(clip: Path, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    shutil.copy(clip, path)
    assert probe(path, TOOLS).container == "mp4"


@pytest.mark.parametrize("mode", [Mode.BWRAP, Mode.LANDLOCK, Mode.RLIMITS, Mode.OFF])
def test_every_sandbox_gives_the_same_facts(clip: Path, mode: Mode) -> None:
    if not works(mode):
        pytest.skip(f"{mode} does not work on this machine")
    path = clip
    assert probe(path, ToolSettings(sandbox=mode.value)) == probe(path, TOOLS)
