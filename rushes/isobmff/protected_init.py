"""The init segment of a track that is encrypted by `cbcs` (ISO/IEC 23001-7 section 4.2; ISO/IEC 14496-12 section 8.12). Pure."""

from __future__ import annotations

from collections.abc import Callable
from struct import pack

from rushes.isobmff.boxes import Box, BoxError, Data, box, children, full_box, iter_boxes, need
from rushes.isobmff.cbcs import Secret

COMMON_SYSTEM = bytes.fromhex("1077efecc0b24d02ace33c1e52e2fb4b")
"""W3C, "cenc" Initialization Data Format, section 4: names the key and nobody's system."""
_SCHEME = b"cbcs"
_VISUAL_FIELDS, _SOUND_FIELDS = 78, 28


def sample_entry_of(init: bytes) -> bytes:
    """The first sample entry of a one-track init segment, whole. Raises BoxError."""
    stsd = need(init, _moov(init), "trak/mdia/minf/stbl/stsd")
    entry = next(iter_boxes(init, stsd.body + 8, stsd.end), None)
    if entry is None:
        raise BoxError("'stsd' is empty")
    return init[entry.start : entry.end]


def protected_init(init: bytes, secret: Secret) -> bytes:
    """The init segment for the protected form of a track. Raises BoxError."""
    moov = _moov(init)
    path = ["trak", "mdia", "minf", "stbl", "stsd"]
    changed = _rebuilt(init, moov, path, lambda stsd: _descriptions(init, stsd, secret))
    pssh = full_box("pssh", 1, 0, COMMON_SYSTEM, pack(">I", 1), secret.kid, pack(">I", 0))
    inner = changed[8:] + pssh
    return init[: moov.start] + box("moov", inner) + init[moov.end :]


def original_format(sample_entry: bytes) -> bytes:
    """The four letters of the format that a protected sample entry stands for; of a clear one, its own."""
    kind = sample_entry[4:8]
    if kind not in (b"encv", b"enca"):
        return kind
    fields = _VISUAL_FIELDS if kind == b"encv" else _SOUND_FIELDS
    sinf = next((one for one in iter_boxes(sample_entry, 8 + fields, len(sample_entry)) if one.kind == "sinf"), None)
    if sinf is None:
        raise BoxError("a protected sample entry has no 'sinf'")
    frma = need(sample_entry, sinf, "frma")
    return sample_entry[frma.body : frma.body + 4]


def _moov(init: Data) -> Box:
    found = next((one for one in iter_boxes(init, 0, len(init)) if one.kind == "moov"), None)
    if found is None:
        raise BoxError("there is no 'moov' box")
    return found


def _rebuilt(data: bytes, parent: Box, path: list[str], make: Callable[[Box], bytes]) -> bytes:
    """The box `parent` with the one at `path` below it made anew, and the sizes of those between."""
    parts = []
    for child in children(data, parent):
        if child.kind != path[0]:
            parts.append(data[child.start : child.end])
        elif len(path) == 1:
            parts.append(make(child))
        else:
            parts.append(_rebuilt(data, child, path[1:], make))
    return box(parent.kind, *parts)


def _descriptions(init: bytes, stsd: Box, secret: Secret) -> bytes:
    entries = [_protected(init[one.start : one.end], secret) for one in iter_boxes(init, stsd.body + 8, stsd.end)]
    return full_box("stsd", 0, 0, pack(">I", len(entries)), *entries)


def _protected(entry: bytes, secret: Secret) -> bytes:
    """The sample entry under its protected name, with the scheme and the key's name behind what it had."""
    picture = _is_picture(entry)
    pattern = 0x19 if picture else 0x00
    tenc = full_box("tenc", 1, 0, pack(">BBBB", 0, pattern, 1, 0), secret.kid, pack(">B", len(secret.iv)), secret.iv)
    sinf = box(
        "sinf",
        box("frma", entry[4:8]),
        full_box("schm", 0, 0, _SCHEME, pack(">I", 0x10000)),
        box("schi", tenc),
    )
    return box("encv" if picture else "enca", entry[8:], sinf)


def _is_picture(entry: bytes) -> bool:
    return entry[4:8] in (b"avc1", b"avc3", b"hvc1", b"hev1")
