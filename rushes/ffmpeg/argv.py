"""ffmpeg command lines as data. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

GLOBAL = (
    "-hide_banner", "-nostdin", "-y",
    "-loglevel", "level+warning",
    "-max_alloc", "1000000000",  # no single block over 1 GB, whatever a header claims
)  # fmt: skip
_PROTOCOLS = "file,pipe"
PROBE_BYTES = 5_000_000
"""How far a demuxer may look for its streams before it has to say what there is."""
MOST_STREAMS = 1000
"""Beyond it a demuxer gives up; a profile's own limit is lower and has a reason of its own."""


def input_args(path: Path, demuxer: str) -> list[str]:
    """`-f X ... -i PATH` that opens this one file with this one demuxer and follows no reference out of it.

    `-protocol_whitelist` alone lets a script read its siblings; `-format_whitelist` stops every nested demuxer.
    The `file:` before the path keeps a name such as `concat:a|b` or `-i.mp4` from being read as anything else.
    """
    return [
        "-protocol_whitelist", _PROTOCOLS,
        "-format_whitelist", demuxer,
        "-probesize", str(PROBE_BYTES),
        "-f", demuxer,
        "-i", f"file:{path.absolute()}",
    ]  # fmt: skip


def demuxer_options(demuxer: str) -> dict[str, str]:
    """The same whitelist as options of libavformat, for PyAV."""
    whitelist = {"protocol_whitelist": _PROTOCOLS, "format_whitelist": demuxer}
    return {**whitelist, "max_streams": str(MOST_STREAMS), "probesize": str(PROBE_BYTES)}


def command_line(binary: Path, args: Sequence[str]) -> str:
    """The command as one line that can be pasted into a shell."""
    return shlex.join([str(binary), *args])


def with_progress(args: Sequence[str], descriptor: int, period: float = 0.25) -> list[str]:
    """Our global options and progress reports on an open file descriptor, before the caller's arguments."""
    return [*GLOBAL, "-stats_period", str(period), "-progress", f"pipe:{descriptor}", *args]
