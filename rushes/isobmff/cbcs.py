"""Common encryption by the scheme `cbcs` (ISO/IEC 23001-7 sections 9.6 and 10.4): AES-128 in CBC mode, one initialization vector
for all, of pictures one block in ten. Pure: bytes in, bytes out.

A fragment says which bytes of its pictures are encrypted (`senc`, found by `saiz` and `saio`). Sound is encrypted whole, by what
the init segment says, so its fragments need not say anything (section 7.1).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from struct import pack, pack_into

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES128
from cryptography.hazmat.primitives.ciphers.modes import CBC

from rushes.isobmff.boxes import Box, BoxError, box, children, full_box, iter_boxes, need
from rushes.isobmff.fields import Fields
from rushes.isobmff.fragments import Growing, read_fragment, read_trex
from rushes.isobmff.samples import Budget, Sample
from rushes.isobmff.subsamples import Range, Ranges

BLOCK = 16
PERIOD = 10
"""Blocks of a pattern: one is encrypted, nine stay as they are."""
_SUBSAMPLES = 2
_TRACK_OFFSET = 0x1


@dataclass(frozen=True)
class Secret:
    """What a track is encrypted with; `kid` names the key in public."""

    kid: bytes
    key: bytes
    iv: bytes


Crypt = Callable[[bytes], bytes]
"""Whole blocks, from the initialization vector on."""


def encrypting(secret: Secret) -> Crypt:
    cipher = Cipher(AES128(secret.key), CBC(secret.iv))

    def crypt(blocks: bytes) -> bytes:
        return cipher.encryptor().update(blocks)

    return crypt


def patterned(data: bytes, crypt: Crypt) -> bytes:
    """A protected range of a picture: the chain goes over the first block in each ten; a last part of a block stays clear."""
    whole = len(data) - len(data) % BLOCK
    starts = range(0, whole, BLOCK * PERIOD)
    encrypted = crypt(b"".join([data[at : at + BLOCK] for at in starts]))
    changed = bytearray(data)
    for number, at in enumerate(starts):
        changed[at : at + BLOCK] = encrypted[number * BLOCK : (number + 1) * BLOCK]
    return bytes(changed)


def entire(data: bytes, crypt: Crypt) -> bytes:
    """A sample of sound: all whole blocks."""
    whole = len(data) - len(data) % BLOCK
    return crypt(data[:whole]) + data[whole:]


@dataclass(frozen=True)
class Protector:
    """Makes protected segments of the clear ones of a track. `trex`: what its fragments leave to the init segment."""

    crypt: Crypt
    ranges: Ranges
    track: int
    defaults: Growing

    @classmethod
    def of(cls, init: bytes, secret: Secret, ranges: Ranges) -> Protector:
        """By the track's clear init segment. Raises BoxError."""
        moov = next((found for found in iter_boxes(init, 0, len(init)) if found.kind == "moov"), None)
        if moov is None:
            raise BoxError("there is no 'moov' box")
        track, defaults = read_trex(init, need(init, moov, "mvex/trex"))
        return cls(encrypting(secret), ranges, track, Growing(defaults=defaults))

    def segment(self, data: bytes) -> tuple[bytes, int]:
        """The protected segment, and how many bytes of it reach to the end of its first sample. Raises BoxError."""
        top = list(iter_boxes(data, 0, len(data)))
        moof = _only(top, "moof")
        samples = self._samples(data, moof)
        payload, described = bytearray(data), []
        for sample in samples:
            content = data[sample.position : sample.position + sample.size]
            spans = self.ranges(content)
            payload[sample.position : sample.position + sample.size] = self._sample(content, spans)
            described.append(spans)
        added = (
            _fragment(data, moof, described)
            if any(spans is not None for spans in described)
            else data[moof.start : moof.end]
        )
        grown = len(added) - (moof.end - moof.start)
        whole = bytes(payload[: moof.start]) + added + bytes(payload[moof.end :])
        return whole, samples[0].position + samples[0].size + grown

    def _samples(self, data: bytes, moof: Box) -> list[Sample]:
        track = Growing(defaults=self.defaults.defaults)
        read_fragment(data, moof, {self.track: track}, Budget.of(len(data)))
        if not track.samples or any(not moof.end <= one.position <= len(data) - one.size for one in track.samples):
            raise BoxError("a fragment does not hold its samples")
        return track.samples

    def _sample(self, content: bytes, spans: list[Range] | None) -> bytes:
        if spans is None:
            return entire(content, self.crypt)
        pieces, at = [], 0
        for clear, protected in spans:
            pieces.append(content[at : at + clear])
            at += clear + protected
            pieces.append(patterned(content[at - protected : at], self.crypt))
        return b"".join(pieces)


def _only(boxes: Sequence[Box], kind: str) -> Box:
    found = [one for one in boxes if one.kind == kind]
    if len(found) != 1:
        raise BoxError(f"a segment of ours has one {kind!r}, not {len(found)}")
    return found[0]


def _fragment(data: bytes, moof: Box, described: Sequence[list[Range] | None]) -> bytes:
    """The `moof` with the description of the samples behind what it had."""
    traf = _only([child for child in children(data, moof) if child.kind == "traf"], "traf")
    details = [_detail(spans or []) for spans in described]
    sizes = bytes(len(detail) for detail in details)
    senc = full_box("senc", 0, _SUBSAMPLES, pack(">I", len(details)), *details)
    saiz = full_box("saiz", 0, 0, pack(">BI", 0, len(sizes)), sizes)
    saio_size = 8 + 4 + 4 + 4
    grown = len(saiz) + saio_size + len(senc)
    inner = bytearray(data[traf.body : traf.end])
    _move(data, traf, inner, grown)
    before = data[moof.body : traf.start]
    place = (
        8 + len(before) + 8 + len(inner) + len(saiz) + saio_size + 16
    )  # from the start of `moof` to the first detail
    saio = full_box("saio", 0, 0, pack(">II", 1, place))
    return box("moof", before, box("traf", bytes(inner), saiz, saio, senc), data[traf.end : moof.end])


def _detail(spans: Sequence[Range]) -> bytes:
    return pack(">H", len(spans)) + b"".join(pack(">HI", *span) for span in spans)


def _move(data: bytes, traf: Box, inner: bytearray, grown: int) -> None:
    """The samples lie as much later as the `moof` has grown."""
    for child in children(data, traf):
        if child.kind == "trun":
            _, flags = Fields.of(data, child).version_flags()
            if not flags & _TRACK_OFFSET:
                raise BoxError("a fragment does not say where its samples are")
            at = child.body + 8
            (old,) = Fields(data, at, child.end).unpack("i")
            pack_into(">i", inner, at - traf.body, old + grown)
