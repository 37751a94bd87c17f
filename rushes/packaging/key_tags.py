"""What manifests say of keys: EXT-X-KEY (RFC 8216bis sections 4.4.4.4 and 4.4.6.5), ContentProtection (ISO/IEC 23009-1 section
5.8.4.1; ISO/IEC 23001-7 section 11; DASH-IF, Implementation Guidelines: Content Protection). Pure.

Addresses of keys are relative, four levels up from a build: what is in front of `/media` stands in front of `/keys` too.
"""

from __future__ import annotations

import posixpath
import xml.etree.ElementTree as ET
from base64 import b64encode
from collections.abc import Callable, Sequence
from uuid import UUID

from rushes.keys import build_prefix, media_key_path
from rushes.packaging.tags import quoted, tag
from rushes.tracks import Protection, Track

CENC = "urn:mpeg:cenc:2013"
_COMMON = "urn:mpeg:dash:mp4protection:2011"
_CLEARKEY = "urn:uuid:e2719d58-a985-b3c9-781a-b030af78d30e"
_METHODS = {"aes-128": "AES-128", "cbcs": "SAMPLE-AES"}


def key_tags(track: Track, href: Callable[[str], str]) -> list[str]:
    """How a playlist's init segment and segments are decrypted; they stand before both.

    For `cbcs` twice: players that do it themselves are given the address of the key, and those that have the browser's ClearKey do
    it (W3C, Encrypted Media Extensions, section 9.1) its name.
    """
    found = track.protection
    if found is None:
        return []
    plain = [*_key(found, href(media_key_path(_asset(track), found.kid))), ("IV", f"0x{found.iv}"), *_IDENTITY]
    return [tag("KEY", plain), *([tag("KEY", _named(found))] if found.scheme == "cbcs" else [])]


def session_keys(tracks: Sequence[Track], build: int) -> list[str]:
    """The keys of a multivariant playlist, so that players can fetch them first. They have no vector: it may differ by track."""
    found = {track.protection.kid: track for track in tracks if track.protection}
    return [_session_key(track, build) for track in found.values()]


def _session_key(track: Track, build: int) -> str:
    asset, protection = _asset(track), track.protection
    if protection is None:
        raise ValueError(f"{track.name} is in the clear")
    uri = posixpath.relpath(media_key_path(asset, protection.kid), build_prefix(asset, build))
    return tag("SESSION-KEY", [*_key(protection, uri), *_IDENTITY])


_IDENTITY = [("KEYFORMAT", '"identity"'), ("KEYFORMATVERSIONS", '"1"')]


def _key(protection: Protection, uri: str) -> list[tuple[str, str | None]]:
    return [("METHOD", _METHODS[protection.scheme]), ("URI", quoted(uri))]


def _named(protection: Protection) -> list[tuple[str, str | None]]:
    name = b64encode(bytes.fromhex(protection.kid)).decode()
    formats = [("KEYFORMAT", '"org.w3.clearkey"'), ("KEYFORMATVERSIONS", '"1"')]
    return [*_key(protection, f"data:text/plain;base64,{name}"), *formats]


def describe_protection(parent: ET.Element, track: Track) -> None:
    """Of an adaptation set: the scheme with the name of the key, and that ClearKey will do.

    Where to ask for it is not said (`dashif:Laurl`): players take a relative address there for one of the page's, and would rather
    ask that than the one they were told (docs/decisions/0028).
    """
    found = track.protection
    if found is None:
        return
    name = {"xmlns:cenc": CENC, "cenc:default_KID": str(UUID(found.kid))}
    ET.SubElement(parent, "ContentProtection", {"schemeIdUri": _COMMON, "value": found.scheme, **name})
    ET.SubElement(parent, "ContentProtection", schemeIdUri=_CLEARKEY, value="ClearKey1.0")


def _asset(track: Track) -> str:
    """Tracks that are encrypted lie below `media/{asset}/`."""
    return track.prefix.split("/")[1]
