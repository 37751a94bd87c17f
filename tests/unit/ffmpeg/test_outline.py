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
    size = len(moov(b"avc1", b"mp4a")) - 8
    assert found == Outline(has_index=True, fragmented=False, complete=True, encrypted=False, index_bytes=size)


def track(*boxes: bytes) -> bytes:
    return FTYP + box(b"moov", box(b"trak", b"".join(boxes)))


def test_edits_that_show_something_are_counted() -> None:
    rows = struct.pack(">iiI", 1000, -1, 0x10000) + 2 * struct.pack(">iiI", 1000, 1024, 0x10000)
    assert outline(track(box(b"edts", box(b"elst", struct.pack(">II", 0, 3) + rows)))).edits == 2
    long = struct.pack(">qqI", 1000, -1, 0x10000) + struct.pack(">qqI", 1000, 0, 0x10000)
    assert outline(track(box(b"edts", box(b"elst", struct.pack(">BxxxI", 1, 2) + long)))).edits == 1
    # And a count of four billion reads no further than the box
    assert outline(track(box(b"edts", box(b"elst", struct.pack(">II", 0, 2**32 - 1) + rows)))).edits == 2


def sample_entry(kind: bytes, body: bytes) -> bytes:
    return track(box(b"mdia", box(b"minf", box(b"stbl", box(b"stsd", bytes(8) + box(kind, body))))))


def test_the_profile_of_dolby_vision() -> None:
    configuration = box(b"dvvC", bytes([1, 0, 8 << 1, 0x4D]) + bytes(20))
    assert outline(sample_entry(b"hvc1", bytes(78) + configuration)).dolby_vision == 8
    assert outline(sample_entry(b"hvc1", bytes(78))).dolby_vision is None
    assert outline(sample_entry(b"hvc1", b"dvvC")).dolby_vision is None


def test_what_cameras_write_of_places_is_seen() -> None:
    assert outline(sample_entry(b"gpmd", bytes(8))).telemetry
    assert not outline(sample_entry(b"avc1", bytes(8))).telemetry
    xmp = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
    assert outline(FTYP + moov(b"avc1") + box(b"uuid", xmp + b"<x:xmpmeta/>")).telemetry


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
