"""No byte of another file gets into an output and no connection is opened: files that try, in every sandbox there is.

A bait lies where the attack points, and inotify says whether it was opened; servers listen on loopback and count. With the
sandbox off the command line alone has to hold.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg
import pytest

from rushes.engine.job import Limits, ToolSettings
from rushes.errors import CREATOR_REASONS, StepFailure
from rushes.facts import SourceFacts
from rushes.ffmpeg.argv import input_args
from rushes.ffmpeg.confinement import Mode
from rushes.ffmpeg.door import Door
from rushes.ffmpeg.probe import probe
from rushes.ffmpeg.sandbox import works
from rushes.ffmpeg.sniff import HEAD_BYTES, sniff
from tests.services.attacks import BOXES, CANARY, SCRIPTS, Bait, Listener, Target, build
from tests.services.children import descendants

MODES = [Mode.BWRAP, Mode.LANDLOCK, Mode.RLIMITS, Mode.OFF]
DEMUXERS = ("mov", "matroska", "mpegts", "avi", "flv", "ogg", "gif", "mp3", "wav", "flac", "aac", "mpeg", "asf")
TEXT_DEMUXERS = ("mov", "matroska", "mpegts", "mp3", "aac")
FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
ATTACKS = [*SCRIPTS, *BOXES, "segment-linking"]


@dataclass
class Range:
    """Where the attacks are tried: files in a folder with a bait beside them, and a listening server."""

    folder: Path
    attacks: dict[str, Path]
    bait: Bait
    listener: Listener

    def untouched(self) -> bool:
        # both are asked, so that what one test let out is not held against the next
        opened, reached = self.bait.taken(), self.listener.reached()
        return not opened and not reached


@pytest.fixture(scope="module")
def field(tmp_path_factory) -> Iterator[Range]:
    folder = tmp_path_factory.mktemp("attacks")
    source = ["-f", "lavfi", "-i", "testsrc2=size=160x120:rate=25:duration=1", "-f", "lavfi", "-i", "sine=duration=1"]
    codecs = ["-shortest", "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac"]
    for name in ("base.mov", "base.mkv", "canary.ts"):
        command = [FFMPEG, "-nostdin", "-loglevel", "error", *source, *codecs, str(folder / name)]
        subprocess.run(command, check=True, timeout=60)
    canary = folder / "canary.ts"
    canary.write_bytes(canary.read_bytes() + CANARY)
    listener = Listener()
    attacks = build(
        folder, (folder / "base.mov").read_bytes(), (folder / "base.mkv").read_bytes(), Target(canary, listener.port)
    )
    siblings = [canary]
    for path in attacks.values():  # what players look for beside a film
        for suffix in (".srt", ".ass", ".idx", ".sub", ".xmp", ".vtt"):
            sibling = path.with_suffix(suffix)
            sibling.write_bytes(CANARY)
            siblings.append(sibling)
    bait = Bait(*siblings)
    yield Range(folder, attacks, bait, listener)
    bait.close()
    listener.close()


@pytest.fixture(params=MODES)
def tools(request) -> ToolSettings:
    if not works(request.param):
        pytest.skip(f"{request.param} does not work on this machine")
    return ToolSettings(sandbox=request.param.value, limits=Limits(wall=20.0, stall=10.0))


def test_the_attacks_work_where_nobody_is_on_guard(field: Range) -> None:
    """Or what follows would prove nothing."""
    naked = [
        ["-f", "concat", "-safe", "0", "-i", str(field.attacks["ffconcat"])],
        ["-allowed_extensions", "ALL", "-extension_picky", "0", "-f", "hls", "-i", str(field.attacks["hls"])],
        ["-enable_drefs", "1", "-use_absolute_path", "1", "-i", str(field.attacks["dref-alias"])],
    ]
    for arguments in naked:
        subprocess.run([FFMPEG, "-nostdin", *arguments, "-f", "null", "-"], capture_output=True, timeout=20)
        assert field.bait.taken(), arguments
    arguments = ["-protocol_whitelist", "file,http,tcp", "-allowed_extensions", "ALL", "-f", "hls"]
    command = [FFMPEG, "-nostdin", *arguments, "-i", str(field.attacks["hls-variant"]), "-f", "null", "-"]
    subprocess.run(command, capture_output=True, timeout=20)
    assert field.listener.reached()
    field.bait.taken()


@pytest.mark.parametrize("name", ATTACKS)
def test_the_probe_reads_only_what_it_was_given(field: Range, tools: ToolSettings, name: str) -> None:
    try:
        found: SourceFacts | None = probe(field.attacks[name], tools)
    except StepFailure as failure:
        found = None
        assert failure.code in CREATOR_REASONS
        assert CANARY.decode() not in failure.detail
    assert (found is None) or name in ("dref-url", "dref-http", "dref-alias", "script-behind-movie", "segment-linking")
    assert CANARY.decode() not in (found.model_dump_json() if found else "")
    assert field.untouched()
    assert descendants(zombies=True) == []


@pytest.mark.parametrize("name", ATTACKS)
def test_were_the_sniffing_fooled_the_forced_demuxer_would_hold(field: Range, tmp_path: Path, name: str) -> None:
    """Every demuxer that we use, on every attack, with no sandbox: the command line alone."""
    door = Door(ToolSettings(sandbox="off", limits=Limits(wall=20.0, stall=10.0)))
    path = field.attacks[name]
    for demuxer in DEMUXERS if name not in SCRIPTS else TEXT_DEMUXERS:
        output = tmp_path / f"{demuxer}.mkv"
        arguments = [
            "-max_error_rate",
            "1",
            *input_args(path, demuxer),
            "-map",
            "0",
            "-c",
            "copy",
            "-t",
            "2",
            str(output),
        ]
        door.run(arguments, reads=[path], writes=tmp_path, check=False)
        assert field.untouched(), demuxer
        assert CANARY not in (output.read_bytes() if output.exists() else b"")


@pytest.mark.parametrize(
    "name", ["dref-url", "dref-alias", "script-behind-movie", "segment-linking", "hls", "ffconcat"]
)
def test_an_encode_in_every_sandbox(field: Range, tools: ToolSettings, tmp_path: Path, name: str) -> None:
    path, output = field.attacks[name], tmp_path / "out.mp4"
    demuxer = "matroska" if name == "segment-linking" else "mov"
    arguments = [
        *input_args(path, demuxer),
        "-map",
        "0",
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-t",
        "1",
        str(output),
    ]
    Door(tools).run(arguments, reads=[path], writes=tmp_path, check=False)
    assert field.untouched()
    assert CANARY not in (output.read_bytes() if output.exists() else b"")


@pytest.mark.parametrize("name", ["%03d.mp4", "img%d.mp4", "*.mp4", "concat:canary.ts|base.mov", "-i", "pipe:0"])
def test_names_lead_nowhere_else(field: Range, tmp_path: Path, name: str) -> None:
    """Patterns of picture sequences, lists, protocols: with siblings that they would find."""
    sibling = tmp_path / "img1.mp4"
    sibling.write_bytes(CANARY)
    bait = Bait(sibling)
    upload = tmp_path / name
    upload.write_bytes((field.folder / "base.mov").read_bytes())
    tools = ToolSettings(sandbox="off")
    assert probe(upload, tools).container == "mp4"
    Door(tools).run([*input_args(upload, "mov"), "-map", "0:0", "-c", "copy", "-f", "null", "-"], reads=[upload])
    assert not bait.taken()
    assert field.untouched()
    bait.close()


@pytest.mark.media
@pytest.mark.parametrize("mode", [Mode.BWRAP, Mode.OFF])
def test_the_shared_hard_files(media: Path, tmp_path: Path, mode: Mode) -> None:
    """As their magic bytes say, and where those are refused as if they were MP4. What they point to is watched: the
    ports that they name, a file beside them, and whether the machine's list of users shows up."""
    if not works(mode):
        pytest.skip(f"{mode} does not work on this machine")
    tools = ToolSettings(sandbox=mode.value, limits=Limits(wall=60.0, stall=20.0))
    files = [path for path in sorted((media / "hard").iterdir()) if "bomb" not in path.name and "8k" not in path.name]
    named = {
        int(port) for path in files for port in re.findall(rb"(?:127\.0\.0\.1|localhost):(\d{2,5})", path.read_bytes())
    }
    sibling = tmp_path / "sibling.ts"
    sibling.write_bytes(CANARY)
    listener, watched = Listener(tuple(named)), Bait(sibling)
    for path in files:
        upload = tmp_path / path.name
        upload.write_bytes(path.read_bytes())
        watched.taken()
        output = tmp_path / "out" / f"{path.name}.nut"
        output.parent.mkdir(exist_ok=True)
        door = Door(tools)
        watched.taken()
        arguments = [
            "-max_error_rate",
            "1",
            *input_args(upload, _demuxer(upload)),
            "-map",
            "0:v?",
            "-map",
            "0:a?",
            "-t",
            "1",
        ]
        door.run([*arguments, "-vf", "scale=64:64", "-c:v", "mpeg4", "-c:a", "pcm_s16le", "-f", "nut", str(output)],
                 reads=[upload], writes=output.parent, check=False)  # fmt: skip
        assert not watched.taken(), path.name
        assert not listener.reached(), path.name
        data = output.read_bytes() if output.exists() else b""
        assert CANARY not in data
        assert b"root:x:0" not in data
        upload.unlink()
    listener.close()
    watched.close()


def _demuxer(path: Path) -> str:
    with path.open("rb") as file:
        try:
            return sniff(file.read(HEAD_BYTES), path.stat().st_size).demuxer
        except StepFailure:
            return "mov"
