"""Colour: what the source's numbers mean, and the filters that make BT.709 limited-range SDR of them, or keep HDR. Pure."""

from __future__ import annotations

from typing import Literal

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


def flatten(video: VideoFacts) -> list[str]:
    """Transparent pictures are laid on black: every colour times its alpha, then the alpha is dropped."""
    conversion = f"scale=in_color_matrix={matrix_of(video)}:in_range={range_of(video)}"
    return [conversion, "format=gbrap", "premultiply=inplace=1", "format=gbrp"]


def narrow(video: VideoFacts) -> list[str]:
    """SDR with more colours than BT.709 has (phones' and cameras' P3, BT.2020) into BT.709, of which it has the matrix and
    range by then. Else it would be shown pale. Where it does not say so, nothing is done."""
    primaries = _ZSCALE_PRIMARIES.get((video.primaries or "").lower(), "709")
    if primaries == "709":
        return []
    return [f"zscale=pin={primaries}:p=709:tin=709:t=709:min=709:m=709:rin=limited:r=limited", "format=yuv420p"]


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


def keep_range(video: VideoFacts) -> list[str]:
    """PQ or HLG as it is, in the one form that players know: BT.2020 primaries and matrix, limited range (BT.2100).

    Nothing is done to a picture that already is in that form; zscale passes it on.
    """
    transfer = _ZSCALE_TRANSFER[video.hdr or "pq"]
    primaries = _ZSCALE_PRIMARIES.get((video.primaries or "").lower(), "2020")
    source = f"tin={transfer}:min=2020_ncl:pin={primaries}:rin={range_of(video)}"
    return [f"zscale={source}:t={transfer}:p=2020:m=2020_ncl:r=limited", "format=yuv420p10le"]


def tags(hdr: Literal["pq", "hlg"] | None) -> str:
    """The filter that says what the numbers of a finished picture mean."""
    if hdr is None:
        return "setparams=range=limited:color_primaries=bt709:color_trc=bt709:colorspace=bt709"
    return f"setparams=range=limited:color_primaries=bt2020:color_trc={_ZSCALE_TRANSFER[hdr]}:colorspace=bt2020nc"
