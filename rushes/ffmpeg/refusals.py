"""What is refused before any tool sees it: scripts that name other files, and still pictures. Pure."""

from __future__ import annotations

import re

_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_XML_ROOT = re.compile(rb"<(?![?!])(?:[a-z0-9._-]+:)?([a-z0-9._-]+)")
_SCRIPTS = (
    b"#extm3u",  # RFC 8216 section 4.3.1.1
    b"ffconcat",
    b"v=0",  # SDP, RFC 8866 section 5.1
    b"[reference]",  # QuickTime and ASX redirectors
    b"[playlist]",  # PLS
    b"rtsptext",
    b"rtsp://",
    b"#ext-x-",
)
_PLAYLIST_ROOTS = (b"mpd", b"smil", b"asx", b"smoothstreamingmedia", b"playlist", b"wpl")
_PICTURES = (
    b"\xff\xd8\xff",  # JPEG
    b"\x89PNG\r\n\x1a\n",
    b"II*\0",
    b"MM\0*",  # TIFF
    b"8BPS",  # PSD
    b"v/1\x01",  # OpenEXR
    b"\0\0\1\0\1\0",  # ICO
    b"\0\0\0\x0cjP  ",
    b"\xff\x4f\xff\x51",  # JPEG 2000
    b"\xff\x0a",
    b"\0\0\0\x0cJXL ",  # JPEG XL
)
_IMAGE_BRANDS = frozenset(  # ISO/IEC 23008-12 annex B and the AVIF specification, section 8
    (b"heic", b"heix", b"heim", b"heis", b"mif1", b"mif2", b"avif", b"jpeg", b"jpgs", b"crx ", b"miaf")
)
_VIDEO_BRANDS = frozenset((b"isom", b"mp41", b"mp42", b"qt  ", b"avc1", b"msf1", b"hevc", b"avis", b"iso5", b"iso6"))


def is_script(head: bytes) -> bool:
    """Whether the bytes are text by which a demuxer would be led to other files: HLS, ffconcat, DASH, SMIL, SDP..."""
    text = _plain(head)
    return text.startswith(_SCRIPTS) or _xml_root(text) in _PLAYLIST_ROOTS


def is_text(head: bytes) -> bool:
    """Whether the bytes can be read as text. No container we take can: all have control characters early on."""
    text = head[:1024].decode("utf-8", "surrogateescape")
    if len(head) >= 1024:
        text = text[:-3]  # a character may be cut in two there
    return bool(text) and all(char.isprintable() or char in "\t\r\n\f\v\x1b\ufeff" for char in text)


def is_still(head: bytes) -> bool:
    """Whether the bytes are one picture: JPEG, PNG, WebP, HEIC, AVIF, BMP, TIFF, SVG, JPEG 2000, PSD, EXR, ICO."""
    if head.startswith(
        (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\0", b"MM\0*", b"8BPS", b"v/1\x01", b"\0\0\1\0\1\0")
    ):
        return True
    if head.startswith((b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51", b"\xff\x0a", b"\0\0\0\x0cJXL ")):
        return True
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return True
    if head[:2] == b"BM" and head[6:10] == bytes(4) and len(head) > 26 and head[14] in (12, 40, 52, 56, 108, 124):
        return True
    return _is_image_brand(head) or _xml_root(_plain(head)) == b"svg"


def _is_image_brand(head: bytes) -> bool:
    if head[4:8] != b"ftyp":
        return False
    size = int.from_bytes(head[:4])
    brands = {head[at : at + 4] for at in range(16, min(size, len(head) - 3, 256), 4)}
    return head[8:12] in _IMAGE_BRANDS and not brands & _VIDEO_BRANDS


def _plain(head: bytes) -> bytes:
    """Lower case, without a byte order mark, UTF-16 padding and leading space."""
    text = head[:65536]
    for mark in _MARKS:
        text = text.removeprefix(mark)
    if head[:2] in _MARKS or _is_wide(text[:8]):
        text = text.replace(b"\0", b"")
    return text.lstrip(b" \t\r\n\f\v\0").lower()


def _is_wide(start: bytes) -> bool:
    """Whether it looks like ASCII in UTF-16: every other byte is zero."""
    return len(start) == 8 and any(
        not any(start[first::2]) and all(0x09 <= byte < 0x7F for byte in start[1 - first :: 2]) for first in (0, 1)
    )


def _xml_root(text: bytes) -> bytes:
    """The local name of the first element, past declarations and comments; empty where it is no XML."""
    if not text.startswith(b"<"):
        return b""
    found = _XML_ROOT.search(_without_comments(text))
    return found.group(1) if found else b""


def _without_comments(text: bytes) -> bytes:
    """In one pass: a pattern would look for the end of each of many comments that have none."""
    kept, at = [], 0
    while (start := text.find(b"<!--", at)) >= 0 and (end := text.find(b"-->", start + 4)) >= 0:
        kept.append(text[at:start])
        at = end + 3
    return b"".join([*kept, text[at:]])
