"""The file's name in `Content-Disposition` (RFC 6266). Pure. Whatever cannot be read is no name, and no error."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

_PARAMETER = re.compile(
    r';\s*(?P<name>filename\*?)\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<token>[^\s;"]+))', re.IGNORECASE
)
_EXTENDED = re.compile(r"(?P<charset>utf-8|iso-8859-1)'[A-Za-z0-9-]*'(?P<value>[^']*)", re.IGNORECASE)


def filename_in(header: str) -> str:
    """`inline; filename="a.mp4"; filename*=UTF-8''%C3%A4.mp4` -> `ä.mp4`: the extended form wins (section 4.3).

    The text is untrusted: paths and control characters are still in it. Empty where there is no name.
    """
    plain = extended = ""
    for found in _PARAMETER.finditer(header):
        value = re.sub(r"\\(.)", r"\1", found["quoted"]) if found["quoted"] is not None else found["token"]
        if found["name"].endswith("*"):
            extended = extended or _extended(value)
        else:
            plain = plain or _plain(value)
    return extended or plain


def _extended(value: str) -> str:
    """RFC 8187 section 3.2.1."""
    found = _EXTENDED.fullmatch(value)
    return unquote_to_bytes(found["value"]).decode(found["charset"], "replace") if found else ""


def _plain(value: str) -> str:
    """Header bytes reach us as Latin-1, but many clients send UTF-8."""
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return value
