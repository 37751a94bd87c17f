"""The top level of MP4 files, broken ones too."""

from __future__ import annotations

import io
import struct

from hypothesis import given
from hypothesis import strategies as st

from rushes.ffmpeg.outline import Outline, read_outline


def box(kind: bytes, body: bytes = b"", size: int | None = None) -> bytes:
    return struct.pack(">I4s", 8 + len(body) if size is None else size, kind) + body


def moov(*entries: bytes) -> bytes:
    tracks = b"".join(
        box(b"trak", box(b"mdia", box(b"minf", box(b"stbl", box(b"stsd", bytes(8) + box(entry, bytes(20)))))))
        for entry in entries
    )
    return box(b"moov", box(b"mvhd", bytes(100)) + tracks)


def outline(data: bytes) -> Outline:
    return read_outline(io.BytesIO(data), len(data))


FTYP = box(b"ftyp", b"isom" + bytes(4))


def test_a_whole_file() -> None:
    found = outline(FTYP + moov(b"avc1", b"mp4a") + box(b"mdat", bytes(50)))
    assert found == Outline(has_index=True, fragmented=False, complete=True, encrypted=False)


def test_the_index_is_lost() -> None:
    assert not outline(FTYP + box(b"mdat", bytes(50))).has_index
    assert not outline(FTYP + box(b"mdat", bytes(50), size=90_000)).has_index


def test_the_file_is_cut() -> None:
    assert not outline(FTYP + moov(b"avc1") + box(b"mdat", bytes(50), size=90_000)).complete


def test_protected_entries() -> None:
    assert outline(FTYP + moov(b"avc1", b"enca")).encrypted
    assert outline(FTYP + moov(b"encv")).encrypted
    assert not outline(FTYP + moov(b"avc1") + box(b"mdat", b"encv" * 10)).encrypted


def test_fragments() -> None:
    assert outline(FTYP + moov(b"avc1") + box(b"moof", bytes(9)) + box(b"mdat")).fragmented


def test_sizes_of_64_bits_and_to_the_end() -> None:
    large = struct.pack(">I4sQ", 1, b"mdat", 16 + 40) + bytes(40)
    assert outline(FTYP + large + moov(b"avc1")).has_index
    assert outline(FTYP + moov(b"avc1") + box(b"mdat", bytes(9), size=0)).complete


def test_junk_after_the_last_box_is_no_damage() -> None:
    assert outline(FTYP + moov(b"avc1") + b"\xff\0junk behind the end").complete


def test_an_index_that_claims_two_gigabytes_is_still_read() -> None:
    data = bytearray(FTYP + moov(b"encv"))
    data[len(FTYP) : len(FTYP) + 4] = struct.pack(">I", 1 << 31)
    assert outline(bytes(data)).encrypted


@given(st.binary(max_size=400))
def test_any_bytes_end(data: bytes) -> None:
    outline(data)
    outline(FTYP + box(b"moov", data))


def test_a_size_of_64_bits_that_no_file_can_have(tmp_path) -> None:
    path = tmp_path / "endless.mp4"
    path.write_bytes(struct.pack(">I4sQ", 1, b"ftyp", 2**64 - 1) + bytes(40))
    with path.open("rb") as file:
        assert not read_outline(file, path.stat().st_size).complete
