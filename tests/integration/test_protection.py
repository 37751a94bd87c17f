"""Real encodes under `cbcs`: which bytes stay clear is what ffmpeg's own parser says, and what comes out again, by two decryptors
that are not ours, is what went in."""

from __future__ import annotations

import re
import subprocess
from itertools import pairwise
from pathlib import Path

import imageio_ffmpeg
import pytest

from rushes.isobmff.cbcs import Protector, Secret
from rushes.isobmff.movie import MovieTrack, read_movie
from rushes.isobmff.protected_init import protected_init, sample_entry_of
from rushes.isobmff.segmenter import closed_starts, cut
from rushes.isobmff.subsamples import Range, ranges_of
from tests.services.cenc import Opener

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
SECRET = Secret(bytes(range(16)), bytes(range(100, 116)), bytes(range(50, 66)))
FADE = ("-vf", "fade=in:0:8,fade=out:10:8")
"""Weighted prediction, whose tables are the longest part of a slice header."""
PICTURES = {
    "slices": ("-c:v", "libx264", "-x264-params", "slices=5:bframes=3:ref=6"),
    "weights": (*FADE, "-c:v", "libx264", "-x264-params", "weightp=2:weightb=1:bframes=4:ref=8:keyint=12"),
    "baseline": ("-c:v", "libx264", "-profile:v", "baseline", "-x264-params", "slices=3"),
    "interlaced": ("-c:v", "libx264", "-x264-params", "tff=1:bframes=3:slices=2"),
    "hevc": (*FADE, "-c:v", "libx265", "-x265-params", "slices=2:wpp=1:bframes=4:weightb=1:keyint=12:log-level=0"),
    "hevc10": ("-pix_fmt", "yuv420p10le", "-c:v", "libx265", "-x265-params", "sao=0:temporal-layers=2:log-level=0"),
}
SOUND = {"aac": ("-c:a", "aac"), "opus": ("-c:a", "libopus")}


def encoded(folder: Path, name: str) -> Path:
    path = folder / f"{name}.mp4"
    source = "testsrc2=size=320x180:rate=25:duration=0.8" if name in PICTURES else "sine=duration=1"
    tag = ("-tag:v", "hvc1") if name.startswith("hevc") else ()
    arguments = (*PICTURES.get(name, SOUND.get(name, ())), *tag)
    command = [FFMPEG, "-v", "error", "-f", "lavfi", "-i", source, "-pix_fmt", "yuv420p", *arguments, str(path)]
    subprocess.run(
        command if name in PICTURES else [one for one in command if one not in ("-pix_fmt", "yuv420p")], check=True
    )
    return path


def hashes(path: Path, *options: str) -> str:
    command = [FFMPEG, "-v", "error", *options, "-i", str(path), "-f", "framemd5", "-"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def contents(track: MovieTrack, data: bytes) -> list[bytes]:
    return [data[one.position : one.position + one.size] for one in track.samples]


@pytest.mark.parametrize("name", [*PICTURES, *SOUND])
def test_two_decryptors_of_others_give_back_what_went_in(name: str, tmp_path: Path) -> None:
    data = encoded(tmp_path, name).read_bytes()
    (track,) = read_movie(data)
    starts = closed_starts(track) if name in PICTURES else [0, len(track.samples) // 2]
    made = cut(track, data, starts)
    protector = Protector.of(made.init, SECRET, ranges_of(sample_entry_of(made.init)))
    sealed = [protector.segment(piece.data) for piece in made.segments]
    init = protected_init(made.init, SECRET)

    opener = Opener(init, SECRET.key)
    assert opener.pattern == ((1, 9) if name in PICTURES else (0, 0))
    assert [sample for piece, _ in sealed for sample in opener.samples(piece)] == contents(track, data)

    clear, closed = tmp_path / "clear.mp4", tmp_path / "closed.mp4"
    clear.write_bytes(made.init + b"".join(piece.data for piece in made.segments))
    closed.write_bytes(init + b"".join(piece for piece, _ in sealed))
    seen = hashes(clear)
    assert len(seen.splitlines()) > 15
    assert hashes(closed, "-decryption_key", SECRET.key.hex()) == seen
    assert hashes(closed, "-decryption_key", bytes(16).hex()) != seen
    for (piece, reach), old in zip(sealed, made.segments, strict=True):
        assert reach - len(piece) == old.keyframe_size - len(old.data)


def slice_headers(path: Path) -> list[int]:
    """Bytes of NAL units up to the end of their slice headers, as ffmpeg's `trace_headers` reads them."""
    command = [FFMPEG, "-v", "trace", "-i", str(path), "-c", "copy", "-bsf:v", "trace_headers", "-f", "null", "-"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    found: list[int] = []
    in_slice = False
    for line in re.findall(r"\[trace_headers @ \w+\] (.*)", said):
        if line.startswith(("Slice Header", "Slice Segment Header")):
            found.append(0)
            in_slice = True
        elif field := re.match(r"(\d+)\s+\S+\s+([01]+) = ", line):
            found[-1:] = [int(field[1]) + len(field[2])] if in_slice else found[-1:]
        else:
            in_slice = False
    return [-(-bits // 8) for bits in found]


def clear_of_units(sample: bytes, spans: list[Range]) -> list[int]:
    """Of each protected range, how much of its NAL unit lies before it. NAL units begin with four bytes of length."""
    bounds, at = [0], 0
    while at < len(sample):
        at += 4 + int.from_bytes(sample[at : at + 4], "big")
        bounds.append(at)
    found, place = [], 0
    for clear, protected in spans:
        place += clear
        if protected:
            start, end = next((a, b) for a, b in pairwise(bounds) if a < place < b)
            assert place + protected == end, "to the end of its NAL unit"
            found.append(place - start - 4)
        place += protected
    return found


@pytest.mark.parametrize("name", PICTURES)
def test_what_stays_clear_is_exactly_the_headers(name: str, tmp_path: Path) -> None:
    path = encoded(tmp_path, name)
    data = path.read_bytes()
    (track,) = read_movie(data)
    ranges, ours = ranges_of(track.sample_entry), []
    for sample in contents(track, data):
        spans = ranges(sample)
        assert spans is not None
        ours += clear_of_units(sample, spans)
    theirs = slice_headers(path)
    assert len(theirs) >= 20
    assert ours == theirs
