"""Names of colour descriptions by their code points (ITU-T H.273, sections 8.1 to 8.3). Pure."""

from __future__ import annotations

from typing import Literal

UNSPECIFIED = 2
_FULL_RANGE = 2  # libavutil's AVCOL_RANGE_JPEG

PRIMARIES = {
    1: "bt709", 4: "bt470m", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "film", 9: "bt2020", 10: "smpte428",
    11: "smpte431", 12: "smpte432", 22: "ebu3213",
}  # fmt: skip
TRANSFERS = {
    1: "bt709", 4: "gamma22", 5: "gamma28", 6: "smpte170m", 7: "smpte240m", 8: "linear", 9: "log100", 10: "log316",
    11: "iec61966-2-4", 12: "bt1361e", 13: "iec61966-2-1", 14: "bt2020-10", 15: "bt2020-12", 16: "smpte2084",
    17: "smpte428", 18: "arib-std-b67",
}  # fmt: skip
MATRICES = {
    0: "gbr", 1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "ycgco", 9: "bt2020nc",
    10: "bt2020c", 11: "smpte2085", 12: "chroma-derived-nc", 13: "chroma-derived-c", 14: "ictcp",
}  # fmt: skip


def hdr_of(transfer: str | None) -> Literal["pq", "hlg"] | None:
    """Which high dynamic range a transfer function means (ITU-R BT.2100)."""
    if transfer == "smpte2084":
        return "pq"
    return "hlg" if transfer == "arib-std-b67" else None


def first_specified(*codes: int) -> int:
    """The bitstream's word before the container's; 2 is "unspecified" in both."""
    return next((code for code in codes if code not in (UNSPECIFIED,)), UNSPECIFIED)


def is_full_range(pix_fmt: str, *codes: int) -> bool:
    return pix_fmt.startswith("yuvj") or _FULL_RANGE in codes[:1] or (codes[0] == 0 and _FULL_RANGE in codes)
