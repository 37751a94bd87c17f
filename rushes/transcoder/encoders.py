"""The encoders' arguments, as data: capped constant quality, key pictures exactly on the grid, the same bytes every time. Pure.

What makes an encoder's bytes the same at every run was measured, and costs parallelism (docs/decisions/0005 and 0019): each
works with one thread. The rungs of one encode run beside each other anyway, and so do its chunks.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

from rushes.facts import Mastering
from rushes.plan import Grid, Rung

SLOWEST_REORDERED = 8
"""Frames a second below which pictures are not reordered: the delay would be a good part of a segment (see `cuts`)."""
FULL_WHERE_JOINED = 0.5
"""Share of the rate control's buffer that is full where a chunk begins behind another one: what x264 and x265 aim at, and so
leave (docs/decisions/0021)."""
GUARD, GUARD_WHERE_CHOSEN = 2, 3
"""Times its cap, what SVT-AV1 is told of a rung: it starves the pictures behind a key picture long before a cap is reached
(docs/decisions/0025). The larger where the CRF was chosen so that the rung stays below its cap."""
MOST_FOR_SVT = 100_000_000
"""Bits per second: SVT-AV1 refuses a higher cap."""
_TRANSFER = {"pq": "smpte2084", "hlg": "arib-std-b67"}


def encoder_args(rung: Rung, grid: Grid, first: int = 0) -> list[str]:
    """All that an encoder is told for a rung, but where to write. `first` is the frame of the grid at which the encode
    begins."""
    special = {"h264": _h264, "hevc": _hevc, "av1": _av1}[rung.codec](rung, grid, first)
    depth = "yuv420p10le" if rung.hdr else "yuv420p"
    return [*special, "-preset", rung.preset, "-pix_fmt", depth, *_rate(rung), *_keys(grid, first), *_colour(rung)]


def reordered(rung: Rung, grid: Grid) -> int:
    """Frames by which pictures are taken out of order at the most; what is encoded decides whether they are. Both x264 and
    x265 write two into their parameter sets where B pictures may refer to others."""
    return 2 if rung.codec != "av1" and grid.fps >= SLOWEST_REORDERED else 0


def _rate(rung: Rung) -> list[str]:
    """The cap. SVT-AV1 keeps no buffer: with any size of it, it writes the same bytes."""
    if rung.codec != "av1":
        return ["-maxrate", str(rung.max_bitrate), "-bufsize", str(rung.buffer_bits)]
    guard = GUARD if rung.vmaf is None else GUARD_WHERE_CHOSEN
    return ["-maxrate", str(min(MOST_FOR_SVT, guard * rung.max_bitrate))]


def _h264(rung: Rung, grid: Grid, first: int) -> list[str]:
    """`stitchable`: the parameter sets do not depend on what is encoded, so that chunks share one init segment."""
    joined = ["-rc_init_occupancy", str(round(FULL_WHERE_JOINED * rung.buffer_bits))] if first else []
    return [
        *(
            "-c:v",
            "libx264",
            "-crf",
            f"{rung.crf:g}",
            "-profile:v",
            "high",
            *_order(grid),
            "-sc_threshold",
            "0",
            "-forced-idr",
            "1",
        ),
        *("-x264-params", "open-gop=0:stitchable=1", "-threads", "1"),
        *joined,
    ]


def _hevc(rung: Rung, grid: Grid, first: int) -> list[str]:
    """`info=0`: no banner with the settings, which would differ. Wavefronts and frame threads give other bytes at every run
    once the cap bites. Tagged `hvc1`, as Apple's players ask: the parameter sets are in the sample entry only."""
    tuned = [f"vbv-init={FULL_WHERE_JOINED}"] if first else []
    tuned += [f"hdr10-opt={int(rung.hdr == 'pq')}"] if rung.hdr else []
    if rung.mastering:
        tuned.append(f"master-display={_display(rung.mastering, 50_000, 10_000)}")
    if rung.light:
        tuned.append(f"max-cll={rung.light[0]},{rung.light[1]}")
    fixed = ["info=0", "open-gop=0", "scenecut=0", "repeat-headers=0", "pools=none", "wpp=0", "frame-threads=1"]
    return [
        *(
            "-c:v",
            "libx265",
            "-crf",
            f"{rung.crf:g}",
            "-tag:v",
            "hvc1",
            "-profile:v",
            "main10" if rung.hdr else "main",
            *_order(grid),
        ),
        *("-sc_threshold", "0", "-forced-idr", "1", "-x265-params", ":".join([*fixed, *tuned, "log-level=warning"])),
    ]


def _av1(rung: Rung, grid: Grid, first: int) -> list[str]:
    """SVT-AV1. `lp=1`: with a cap its rate control reads what other threads have done so far. `irefresh-type=2`: key
    pictures are closed. The factor goes by its own way: ffmpeg's `-crf` knows whole numbers only, SVT-AV1 quarters."""
    parameters = [f"crf={round(4 * rung.crf) / 4:g}", "lp=1", "scd=0", "irefresh-type=2"]
    if rung.mastering:
        parameters.append(f"mastering-display={_display(rung.mastering)}")
    if rung.light:
        parameters.append(f"content-light={rung.light[0]},{rung.light[1]}")
    return ["-c:v", "libsvtav1", "-svtav1-params", ":".join(parameters)]


def _display(mastering: Mastering, places: int = 1, nits: int = 1) -> str:
    """As both encoders want it; x265 counts in 1/50,000 of a coordinate and 1/10,000 nit."""

    def pair(values: tuple[float, float], unit: int) -> str:
        return "({},{})".format(*(round(value * unit) if unit > 1 else f"{value:g}" for value in values))

    names = (("G", mastering.green), ("B", mastering.blue), ("R", mastering.red), ("WP", mastering.white))
    colours = "".join(name + pair(values, places) for name, values in names)
    return f"{colours}L{pair((mastering.most, mastering.least), nits)}"


def _order(grid: Grid) -> list[str]:
    return [] if grid.fps >= SLOWEST_REORDERED else ["-bf", "0"]


def _keys(grid: Grid, first: int) -> list[str]:
    """A key picture exactly every `gop_frames`; or where the source has its own, there and nowhere else."""
    if not grid.starts:
        return ["-g", str(grid.gop_frames), "-keyint_min", str(grid.gop_frames)]
    forced = [start - first for start in grid.starts if start >= first]
    longest = max((after - before for before, after in pairwise(grid.starts)), default=0)
    early = Fraction(1, 4)  # of a frame: the first picture at or after the time is meant, and times are rounded
    times = ",".join(f"{float(max(Fraction(0), start - early) / grid.fps):.6f}" for start in forced)
    return ["-g", str(2 * max(longest, grid.segment_frames)), "-keyint_min", "1", "-force_key_frames", times]


def _colour(rung: Rung) -> list[str]:
    names = ("bt2020nc", "bt2020", _TRANSFER[rung.hdr]) if rung.hdr else ("bt709", "bt709", "bt709")
    return ["-color_range", "tv", "-colorspace", names[0], "-color_primaries", names[1], "-color_trc", names[2]]
