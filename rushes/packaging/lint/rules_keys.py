"""Rules for protected streams (RFC 8216bis section 4.4.4.4; ISO/IEC 23001-7, CENC)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rushes.packaging.lint.lanes import Lane, entry_of, lanes, media_lanes
from rushes.packaging.lint.m3u8 import plain
from rushes.packaging.lint.rule import MUST, Fault, rule
from rushes.packaging.lint.rules_rates import representations
from rushes.packaging.lint.stream import Key, Playlist, Representation, Stream

_METHODS = ("NONE", "AES-128", "SAMPLE-AES", "SAMPLE-AES-CTR")
_IV = re.compile(r"^0[xX][0-9A-Fa-f]{1,32}$")
_BLOCK = 16
_CENC = "urn:mpeg:dash:mp4protection:2011"
_SCHEMES = {"SAMPLE-AES": ("cbcs",), "SAMPLE-AES-CTR": ("cenc",)}


def keyed(stream: Stream) -> list[Lane]:
    return [lane for lane in lanes(stream) if any(piece.key for piece in lane.pieces)]


def sealed(stream: Stream) -> list[Lane]:
    return [lane for lane in keyed(stream) if lane.is_sealed]


def _keys(lane: Lane) -> list[Key]:
    found: list[Key] = []
    for piece in lane.pieces:
        found += [one for one in piece.keys if one not in found]
    return found


@rule("hls.key", MUST, "RFC 8216bis 4.4.4.4", keyed)
def key(lane: Lane, _: Stream) -> Iterator[Fault]:
    """EXT-X-KEY has a known METHOD, the key's address, and an IV of 128 bits if any."""
    for one in _keys(lane):
        if one.method not in _METHODS:
            yield Fault(lane.where, f"METHOD={one.method}", " or ".join(_METHODS))
        if not plain(one.attributes.get("URI")):
            yield Fault(lane.where, "no URI", "the key's address")
        if "IV" in one.attributes and not _IV.match(one.attributes["IV"]):
            yield Fault(lane.where, f"IV={one.attributes['IV']}", "0x and up to 32 hexadecimal digits")


@rule("hls.key-blocks", MUST, "RFC 8216bis 4.4.4.4, AES-128: CBC with PKCS7 padding", sealed)
def blocks(lane: Lane, stream: Stream) -> Iterator[Fault]:
    """Whole segments that are encrypted are whole blocks of 16 bytes."""
    for piece in lane.pieces:
        size = piece.ref.length if piece.ref.length is not None else stream.sizes.get(piece.ref.uri)
        if piece.key and piece.key.method == "AES-128" and size is not None and size % _BLOCK:
            yield Fault(piece.where, f"{size} bytes", "a multiple of 16")


@rule("hls.key-entry", MUST, "RFC 8216bis 4.4.4.4, SAMPLE-AES; ISO/IEC 23001-7 10.4", media_lanes)
def key_entry(lane: Lane, stream: Stream) -> Iterator[Fault]:
    """Samples are encrypted where EXT-X-KEY says so, by its scheme, and nowhere else."""
    entry = entry_of(lane, stream)
    if entry is None or not isinstance(lane.source, Playlist) or lane.is_sealed:
        return
    methods = {one.method for one in _keys(lane)}
    if entry.scheme and not methods & _SCHEMES.keys():
        yield Fault(lane.where, f"samples are encrypted by {entry.scheme}", "EXT-X-KEY that says so")
    for method in methods & _SCHEMES.keys():
        if entry.scheme not in _SCHEMES[method]:
            yield Fault(
                lane.where, entry.scheme or "samples in the clear", f"{_SCHEMES[method][0]}, by METHOD={method}"
            )


@rule("hls.key-id", MUST, "ISO/IEC 23001-7 8.2, tenc", keyed)
def key_id(lane: Lane, stream: Stream) -> Iterator[Fault]:
    """Where EXT-X-KEY names its key identifier, it is that of the samples."""
    entry = entry_of(lane, stream)
    for one in _keys(lane) if entry and entry.kid else ():
        said = re.findall(r"[0-9a-f]{32}", plain(one.attributes.get("KEYID") or one.attributes.get("URI")).lower())
        if said and entry and entry.kid not in said and not plain(one.attributes.get("URI")).startswith("data:"):
            yield Fault(lane.where, said[-1], entry.kid)


def _kids(one: Representation) -> list[str]:
    return [each["default_KID"].replace("-", "").lower() for each in one.protections if "default_KID" in each]


@rule("dash.protection", MUST, "ISO/IEC 23001-7 11.2; DASH-IF IOP part 6", representations)
def protection(one: Representation, stream: Stream) -> Iterator[Fault]:
    """What is encrypted says so in ContentProtection, with its scheme and key identifier; what is in the clear does not."""
    entry = entry_of(Lane(one.where, one.pieces, one), stream)
    if entry is None:
        return
    common = [each for each in one.protections if each.get("schemeIdUri", "").lower() == _CENC]
    if entry.scheme and not common:
        yield Fault(one.where, f"samples are encrypted by {entry.scheme}", f"ContentProtection {_CENC}")
    if one.protections and not entry.scheme:
        yield Fault(one.where, "samples in the clear", "samples that are encrypted")
    for each in common:
        if entry.scheme and each.get("value") not in (None, entry.scheme):
            yield Fault(one.where, str(each.get("value")), entry.scheme)


@rule("dash.key-id", MUST, "ISO/IEC 23001-7 11.2, @cenc:default_KID", representations)
def dash_key_id(one: Representation, stream: Stream) -> Iterator[Fault]:
    """@cenc:default_KID is the key identifier of the samples (tenc)."""
    entry = entry_of(Lane(one.where, one.pieces, one), stream)
    for kid in _kids(one) if entry and entry.kid else ():
        if entry and kid != entry.kid:
            yield Fault(one.where, kid, entry.kid)


RULES = (key, blocks, key_entry, key_id, protection, dash_key_id)
