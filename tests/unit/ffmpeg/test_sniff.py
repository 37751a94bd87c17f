"""The container of a file by its bytes; what is doubtful is refused."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rushes.errors import StepFailure
from rushes.ffmpeg.sniff import HEAD_BYTES, sniff

GIF = b"GIF89a" + struct.pack("<HHBBB", 10, 10, 0, 0, 0) + b";" * 20
FLV = b"FLV\1\5\0\0\0\x09\0\0\0\0"
OGG = b"OggS\0\2" + bytes(22)
FLAC = b"fLaC\0\0\0\x22" + bytes(40)
ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + bytes(32)
MP3_FRAME = b"\xff\xfb\x90\x00" + bytes(413)  # 128 kbit/s, 44.1 kHz: 417 bytes
ADTS_FRAME = bytes((0xFF, 0xF1, 0x50, 0x80, 0x0C, 0x9F, 0xFC)) + bytes(93)  # 100 bytes
PES = b"\0\0\1\xe0\0\0"
PACK = b"\0\0\1\xba\x44\0\4\0\4\1\0\1\3\xf8" + PES


def box(kind: bytes, body: bytes = b"", size: int | None = None) -> bytes:
    return struct.pack(">I4s", 8 + len(body) if size is None else size, kind) + body


def ftyp(major: bytes, *compatible: bytes) -> bytes:
    return box(b"ftyp", major + bytes(4) + b"".join(compatible))


def ts(distance: int = 188, lead: bytes = b"", packets: int = 30) -> bytes:
    prefix = bytes(distance - 188) if distance == 192 else b""
    suffix = bytes(16) if distance == 204 else b""
    return lead + b"".join(
        prefix + struct.pack(">BHB", 0x47, 0x4000 | n % 3, 0x10 | n % 16) + bytes(184) + suffix for n in range(packets)
    )


def named(head: bytes, size: int | None = None) -> tuple[str, str]:
    found = sniff(head[:HEAD_BYTES], len(head) if size is None else size)
    return found.name, found.demuxer


def refused(head: bytes) -> str:
    with pytest.raises(StepFailure) as caught:
        sniff(head[:HEAD_BYTES], len(head))
    return caught.value.code


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (ftyp(b"isom", b"isom", b"avc1") + box(b"mdat", bytes(99)), ("mp4", "mov")),
        (ftyp(b"qt  ") + box(b"wide"), ("mp4", "mov")),
        (ftyp(b"3gp4", b"3gp4"), ("mp4", "mov")),
        (box(b"styp", b"msdh\0\0\0\0") + box(b"moof", bytes(9)), ("mp4", "mov")),
        (box(b"moov", bytes(200)), ("mp4", "mov")),
        (box(b"wide") + box(b"mdat", bytes(200)), ("mp4", "mov")),
        (box(b"free", bytes(40)) + box(b"skip", bytes(4)) + box(b"mdat", bytes(9)), ("mp4", "mov")),
        (box(b"mdat", size=0) + bytes(100), ("mp4", "mov")),
        (box(b"mdat", bytes(8), size=1) + bytes(100), ("mp4", "mov")),
        (box(b"mdat", bytes(100), size=5_000_000), ("mp4", "mov")),
        (b"\x1aE\xdf\xa3\x9fB\x86\x81\1", ("webm", "matroska")),
        (b"RIFF" + bytes(4) + b"AVI LIST", ("avi", "avi")),
        (b"RIFF" + bytes(4) + b"WAVEfmt ", ("wav", "wav")),
        (FLV, ("flv", "flv")),
        (OGG, ("ogg", "ogg")),
        (GIF, ("gif", "gif")),
        (FLAC, ("flac", "flac")),
        (ASF, ("asf", "asf")),
        (MP3_FRAME * 5, ("mp3", "mp3")),
        (b"ID3\4\0\0\0\0\0\x0a" + bytes(10) + MP3_FRAME * 50, ("mp3", "mp3")),
        (ADTS_FRAME * 5, ("aac", "aac")),
        (PACK * 4, ("mpegps", "mpeg")),
        (ts(), ("mpegts", "mpegts")),
        (ts(192), ("mpegts", "mpegts")),
        (ts(204), ("mpegts", "mpegts")),
        (ts(lead=bytes(range(1, 90))), ("mpegts", "mpegts")),
    ],
)
def test_containers(head: bytes, expected: tuple[str, str]) -> None:
    assert named(head) == expected


@pytest.mark.parametrize(
    "head",
    [
        b"#EXTM3U\n#EXT-X-VERSION:3\n",
        b"\xef\xbb\xbf#EXTM3U\nfile:///etc/passwd",
        b"\n\r\n \t#EXTM3U\n",
        b"#extm3u\n",
        "#EXTM3U\n".encode("utf-16"),
        "#EXTM3U\n".encode("utf-16-be"),
        b"ffconcat version 1.0\nfile secret.mp4\n",
        b"  ffconcat version 1.0\n",
        b'<?xml version="1.0"?>\n<!-- a -->\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011">',
        b"<MPD>",
        b"<mpd:MPD>",
        b'<smil xmlns="x">',
        b"<SmoothStreamingMedia>",
        b"<ASX version='3'>",
        b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\n",
        b"[playlist]\nFile1=http://127.0.0.1/\n",
    ],
)
def test_scripts_that_lead_to_other_files(head: bytes) -> None:
    assert refused(head) == "playlist_refused"


@pytest.mark.parametrize(
    "head",
    [
        b"\xff\xd8\xff\xe0\0\x10JFIF\0",
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        b"RIFF\x10\0\0\0WEBPVP8 ",
        ftyp(b"heic", b"mif1", b"heic"),
        ftyp(b"mif1", b"avif", b"miaf"),
        ftyp(b"avif", b"mif1"),
        b"BM" + struct.pack("<IIII", 100, 0, 54, 40) + bytes(40),
        b"II*\0\x08\0\0\0",
        b"MM\0*\0\0\0\x08",
        b"<svg xmlns='http://www.w3.org/2000/svg'>",
        b"<?xml version='1.0'?><!DOCTYPE svg PUBLIC 'x'><svg:svg>",
        b"\0\0\0\x0cjP  \r\n\x87\n",
    ],
)
def test_still_pictures(head: bytes) -> None:
    assert refused(head) == "still_image"


@pytest.mark.parametrize(
    "head",
    [
        b"\0",
        b"PK\3\4" + bytes(60),
        b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
        b"<!doctype html><title>x</title>",
        b"MZ" + bytes(100),
        b"#!AMR and then plain text, which ffprobe takes for sound\n" * 100,
        b"abcdmoov is what this text says in its second word, and no more",
        b"    mdat",
        b"\n\n\n\nmdat of some text",
        ("G" + "x" * 187).encode() * 40,
        ("\xc3" * 3000).encode(),
        bytes(4000),
        b"\x47" * 4000,
        MP3_FRAME,
        MP3_FRAME[:4] + bytes(3000),
        b"RIFF" + bytes(4) + b"CDXA",
        b"ID3\4\0\0\0\0\0\x0a" + bytes(40_000),
        box(b"free", bytes(40)) + b"nothing of ours",
    ],
)
def test_the_rest_is_refused(head: bytes) -> None:
    assert refused(head) == "not_media"


def test_an_empty_file_says_so() -> None:
    assert refused(b"") == "empty_file"


def test_a_video_that_is_also_an_image_sequence_stays_a_video() -> None:
    """iPhones write `heic`-branded files with a video in them; `isom` beside it is the video's brand."""
    assert named(ftyp(b"mif1", b"mif1", b"isom", b"mp42"))[0] == "mp4"


@given(st.text(min_size=1))
def test_text_is_never_media(text: str) -> None:
    try:
        container = sniff(text.encode(), len(text.encode()))
    except StepFailure:
        return
    assert any(ord(char) < 32 for char in text[:2000]), container


@given(st.binary(max_size=3000))
def test_any_bytes_end_in_an_answer(data: bytes) -> None:
    try:
        assert sniff(data, len(data)).demuxer
    except StepFailure as failure:
        assert failure.code in ("empty_file", "not_media", "playlist_refused", "still_image")
