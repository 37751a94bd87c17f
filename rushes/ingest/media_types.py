"""Media types (RFC 9110 section 8.3.1) that an upload may be of. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rushes.errors import RushesError

_SAID = ("filetype", "type")
"""Where tus clients say it: tus-js-client and most others; Uppy."""


class TypeRefused(RushesError):
    """RFC 9110 section 15.5.16."""

    status = 415

    def __init__(self, types: Sequence[str]) -> None:
        super().__init__("type_refused", f"Files of this type are not taken here; these are: {', '.join(types)}.")


def matches(media_type: str, types: Sequence[str]) -> bool:
    """`video/mp4` is one of `video/mp4`, `video/*` or nothing at all. Parameters do not count, nor does case."""
    name = media_type.partition(";")[0].strip().lower()
    return not types or name in types or f"{name.partition('/')[0]}/*" in types


def check_said(metadata: Mapping[str, str], types: Sequence[str]) -> None:
    """What a client says of its file, if it says anything. The file itself is looked at later. Raises TypeRefused."""
    said = next((metadata[key] for key in _SAID if "/" in metadata.get(key, "")), None)
    if said is not None and not matches(said, types):
        raise TypeRefused(types)
