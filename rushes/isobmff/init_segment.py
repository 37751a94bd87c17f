"""The CMAF header: `ftyp` and a `moov` without samples (ISO/IEC 23000-19 section 7.3.1)."""

from __future__ import annotations

from struct import pack

from rushes.isobmff.boxes import box, full_box
from rushes.isobmff.edits import edit_list
from rushes.isobmff.movie import IDENTITY, Matrix, MovieTrack

_UNDETERMINED = 0x55C4  # `und`, three letters of five bits; the manifests say the language
_DEFAULT_SYNC = 0x02000000
_DEFAULT_NON_SYNC = 0x01010000
_MEDIA_HEADERS = {"vide": full_box("vmhd", 0, 1, bytes(8)), "soun": full_box("smhd", 0, 0, bytes(4))}


def init_segment(track: MovieTrack, *, media_time: int = 0, matrix: Matrix = IDENTITY) -> bytes:
    """The init segment of a one-track CMAF track. `media_time` over 0 becomes an edit list."""
    video = track.handler == "vide"
    brands = [b"iso6", b"cmfc"] + ([b"cmf2"] if not media_time else [])
    trak = box(
        "trak",
        _track_header(track, matrix),
        edit_list(media_time) if media_time else b"",
        _media(track),
    )
    trex = full_box("trex", 0, 0, pack(">5I", 1, 1, 0, 0, _DEFAULT_NON_SYNC if video else _DEFAULT_SYNC))
    moov = box("moov", _movie_header(track.timescale), trak, box("mvex", trex))
    return box("ftyp", b"iso6", pack(">I", 0), *brands) + moov


def _movie_header(timescale: int) -> bytes:
    head = pack(">4I", 0, 0, timescale, 0) + pack(">IH10x", 0x10000, 0x100)
    return full_box("mvhd", 0, 0, head, pack(">9i", *IDENTITY), bytes(24), pack(">I", 2))


def _track_header(track: MovieTrack, matrix: Matrix) -> bytes:
    wide, high = track.sar
    width = min(0xFFFF, round(track.width * wide / high)) << 16
    volume = 0x100 if track.handler == "soun" else 0
    head = pack(">5I8x4H", 0, 0, 1, 0, 0, 0, 0, volume, 0)
    return full_box("tkhd", 0, 7, head, pack(">9i", *matrix), pack(">II", width, track.height << 16))


def _media(track: MovieTrack) -> bytes:
    mdhd = full_box("mdhd", 0, 0, pack(">4IHH", 0, 0, track.timescale, 0, _UNDETERMINED, 0))
    hdlr = full_box("hdlr", 0, 0, bytes(4), track.handler.encode("latin-1"), bytes(12), b"rushes\0")
    kind = _MEDIA_HEADERS.get(track.handler) or full_box("nmhd", 0, 0)
    self_contained = full_box("dref", 0, 0, pack(">I", 1), full_box("url ", 0, 1))
    return box("mdia", mdhd, hdlr, box("minf", kind, box("dinf", self_contained), _empty_table(track)))


def _empty_table(track: MovieTrack) -> bytes:
    return box(
        "stbl",
        full_box("stsd", 0, 0, pack(">I", 1), track.sample_entry),
        full_box("stts", 0, 0, bytes(4)),
        full_box("stsc", 0, 0, bytes(4)),
        full_box("stsz", 0, 0, bytes(8)),
        full_box("stco", 0, 0, bytes(4)),
        _roll(track),
    )


def _roll(track: MovieTrack) -> bytes:
    """Opus has to be decoded from 80 ms before a sample on, which is four of our packets, until it is right (Encapsulation
    of Opus in ISO Base Media File Format, section 4.3.6.2): one description for all samples, so that fragments need none."""
    if track.sample_entry[4:8] != b"Opus":
        return b""
    return full_box("sgpd", 2, 0, b"roll", pack(">IIIh", 2, 1, 1, -4))
