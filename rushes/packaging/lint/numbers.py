"""Numbers and names as manifests write them, read without trust: no exponents, no thousand digits. Pure."""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from posixpath import normpath
from urllib.parse import urljoin, urlsplit

_PLAIN = re.compile(r"^(?!/)[A-Za-z0-9_./-]+$")
"""Relative addresses without anything that has a meaning in one: most of them."""
_WHOLE = re.compile(r"^\d{1,18}$")
_DECIMAL = re.compile(r"^\d{1,12}(\.\d{0,15})?$")
_RATIO = re.compile(r"^\d{1,9}(/[1-9]\d{0,8})?$")
_SIZE = re.compile(r"^([1-9]\d{0,5})x([1-9]\d{0,5})$")
_DURATION = re.compile(
    r"^P(?:(\d{1,6})D)?(?:T(?:(\d{1,8})H)?(?:(\d{1,9})M)?(?:(\d{1,10}(?:\.\d{0,12})?)S)?)?$"
)  # years and months have no fixed length, and no manifest needs them
_TAG = re.compile(
    r"^(?:[a-z]{2,3}(?:-[a-z]{3}){0,3}|[a-z]{4}|[a-z]{5,8})(?:-[a-z]{4})?(?:-(?:[a-z]{2}|\d{3}))?"
    r"(?:-(?:[a-z0-9]{5,8}|\d[a-z0-9]{3}))*(?:-[0-9a-wy-z](?:-[a-z0-9]{2,8})+)*(?:-x(?:-[a-z0-9]{1,8})+)?$",
    re.IGNORECASE,
)
_PRIVATE = re.compile(r"^(?:x(?:-[a-z0-9]{1,8})+|i-[a-z]+|sgn-[a-z]{2}-[a-z]{2})$", re.IGNORECASE)


def whole(text: str | None) -> int | None:
    return int(text) if text is not None and _WHOLE.match(text) else None


def decimal(text: str | None) -> Fraction | None:
    return Fraction(text) if text is not None and _DECIMAL.match(text) else None


def ratio(text: str | None) -> Fraction | None:
    """`30000/1001`, `25`."""
    return Fraction(text) if text is not None and _RATIO.match(text) else None


def size(text: str | None) -> tuple[int, int] | None:
    """`1280x720`."""
    found = _SIZE.match(text or "")
    return (int(found[1]), int(found[2])) if found else None


def duration(text: str | None) -> Fraction | None:
    """Seconds of an `xs:duration`: `PT1H2M3.5S`."""
    found = _DURATION.match(text or "")
    if not found or not any(found.groups()):
        return None
    days, hours, minutes, seconds = (Fraction(part or 0) for part in found.groups())
    return days * 86_400 + hours * 3600 + minutes * 60 + seconds


def is_language(text: str) -> bool:
    """Well formed by RFC 5646 section 2.1 (BCP 47); four letters alone are reserved there, and nobody's language."""
    return bool(_PRIVATE.match(text) or (_TAG.match(text) and len(text.split("-")[0]) != 4))


def address(base: str, uri: str) -> str:
    """Where a relative URI leads to; empty where it leads nowhere."""
    if _PLAIN.match(uri) and uri[-1] != "/":
        origin, folder = _split(base)
        return origin + normpath(folder + uri)
    try:
        found = urljoin(base, uri.strip())
        urlsplit(found)
    except ValueError:
        return ""
    return found.split("#", 1)[0]


@lru_cache(maxsize=1024)
def _split(base: str) -> tuple[str, str]:
    """Origin, and the folder of the path."""
    found = urlsplit(base)
    return f"{found.scheme}://{found.netloc}", found.path.rpartition("/")[0] + "/"


def is_relative(uri: str) -> bool:
    return not re.match(r"^([A-Za-z][A-Za-z0-9+.-]*:|//|/)", uri.strip())


def codecs(text: str) -> list[str]:
    return [one.strip() for one in text.split(",") if one.strip()]


def same_codec(one: str, other: str) -> bool:
    """Whether two RFC 6381 strings mean the same: what AV1 and HEVC may leave out counts as left out, and HE-AAC may be
    announced by its core."""
    first, second = one.lower().split("."), other.lower().split(".")
    if first[0] != second[0]:
        return False
    if first[0] in ("av01", "vp09", "hvc1", "hev1"):
        short = 4
        return first[:short] == second[:short] and (min(len(first), len(second)) <= short or _padded(first, second))
    if first[0] == "mp4a":
        return first == second or {one.lower(), other.lower()} <= {"mp4a.40.2", "mp4a.40.5", "mp4a.40.29"}
    return first == second


def _padded(first: list[str], second: list[str]) -> bool:
    length = max(len(first), len(second))
    return [*first, *["0"] * (length - len(first))] == [*second, *["0"] * (length - len(second))] or first[0] == "av01"
