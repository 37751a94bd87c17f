"""Colour: what the source's numbers mean, and the filters that make BT.709 limited-range SDR of them. Pure."""

from __future__ import annotations

from rushes.facts import VideoFacts

HD_SHORT_SIDE = 720
"""An untagged picture below it is taken for BT.601, as television and browsers do."""
REFERENCE_WHITE = 203
"""Nits of a white page in HDR (ITU-R BT.2408 table 1); it becomes white in SDR."""
PEAK = 1000
"""Nits up to which highlights are kept: HLG's nominal display and the usual grade of PQ. The file's own mastering data
is not believed: phones write nonsense there."""
ALPHA_FORMATS = ("yuva", "rgba", "bgra", "argb", "abgr", "gbrap", "pal8", "ya8", "ya16", "ayuv", "vuya")

_BT601 = {"smpte170m", "bt470bg", "fcc", "bt601"}
_ZSCALE_TRANSFER = {"pq": "smpte2084", "hlg": "arib-std-b67"}
_SCALE_MATRIX = {"bt2020nc": "bt2020", "bt2020c": "bt2020", "bt2020_ncl": "bt2020", "smpte240m": "smpte240m"}
_ZSCALE_PRIMARIES = {"bt2020": "2020", "bt709": "709", "smpte432": "smpte432", "smpte431": "smpte431"}


def has_alpha(pix_fmt: str) -> bool:
    return pix_fmt.startswith(ALPHA_FORMATS)


def matrix_of(video: VideoFacts) -> str:
    """swscale's name of the matrix that turns the coded picture into RGB."""
    tagged = (video.matrix or "").lower()
    if tagged in _BT601:
        return "bt601"
    if tagged in _SCALE_MATRIX:
        return _SCALE_MATRIX[tagged]
    if tagged == "bt709":
        return "bt709"
    return "bt709" if min(video.width, video.height) >= HD_SHORT_SIDE else "bt601"


def range_of(video: VideoFacts) -> str:
    return "full" if video.full_range or video.pix_fmt.startswith("yuvj") else "limited"


def flatten() -> list[str]:
    """Transparent pictures are laid on black: every colour times its alpha, then the alpha is dropped."""
    return ["format=gbrap", "premultiply=inplace=1", "format=gbrp"]


def tone_map(video: VideoFacts) -> list[str]:
    """PQ or HLG to SDR: to linear light with reference white at 1, into BT.709 primaries, highlights rolled off.

    The curve is linear up to its knee, so faces and skies keep the brightness they had on an HDR screen.
    """
    transfer = _ZSCALE_TRANSFER[video.hdr or "pq"]
    primaries = _ZSCALE_PRIMARIES.get((video.primaries or "").lower(), "2020")
    source = f"tin={transfer}:min=2020_ncl:pin={primaries}:rin={range_of(video)}"
    return [
        f"zscale={source}:t=linear:p=709:npl={REFERENCE_WHITE}",
        "format=gbrpf32le",
        f"tonemap=tonemap=mobius:desat=0:peak={PEAK / REFERENCE_WHITE:.4f}",
        "zscale=t=709:m=709:r=limited",
        "format=yuv420p",
    ]
