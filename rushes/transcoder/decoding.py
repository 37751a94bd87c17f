"""How decoding went, from ffmpeg's closing summary and error lines. Pure.

The only place that says how many pictures and sound frames really came out of the source: padding and constant frame
rates fill every hole in what is written, and ffmpeg's exit code is 0 all the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

VERBOSE = ("-loglevel", "level+verbose")
"""The level at which ffmpeg prints the summary, with each line's own level in front."""
_STREAM = re.compile(r"Input stream #0:(\d+) .*?(\d+) frames decoded; (\d+) decode errors")
_ERROR = re.compile(r"^\[(?P<by>[^\]@]+?)(?: @ [^\]]*)?\](?: \[[^\]]*@[^\]]*\])* \[(?:error|fatal)\] ")
_LOUD = re.compile(r"^(?:\[[^\]]*@[^\]]*\] )*\[(?:warning|error|fatal|panic)\] |^(?:bwrap|prlimit|jail): ")
_REPEATED = re.compile(r"Last message repeated (\d+) times")
_ENCODERS = ("libx264", "libx265", "libsvtav1", "libopus")
_OURS = ("null", "mp4", *_ENCODERS, "out#", "graph", "swscaler", "fc#", "af#", "vf#", "aost", "vost")
"""Speakers on the writing side, whose complaints are not about the source."""


@dataclass(frozen=True)
class Decoding:
    """Of one input stream. `errors` counts frames that failed and messages about damage: at least so many."""

    frames: int
    errors: int


def read_decoding(messages: str, stream: int) -> Decoding | None:
    """What ffmpeg said of input stream `stream` when it ended; None if it did not come to that."""
    found = [match for match in _STREAM.finditer(messages) if int(match[1]) == stream]
    if not found:
        return None
    return Decoding(frames=int(found[-1][2]), errors=max(int(found[-1][3]), error_lines(messages)))


def loud(messages: str) -> str:
    """The lines of level warning and above: what ffmpeg says for itself, without what it quotes from the file."""
    return "\n".join(line for line in messages.splitlines() if _LOUD.match(line))


def error_lines(messages: str) -> int:
    """Error messages about the input, repetitions counted."""
    count, last = 0, False
    for line in messages.splitlines():
        repeated = _REPEATED.search(line)
        if repeated:
            count += int(repeated[1]) if last else 0
            continue
        error = _ERROR.match(line)
        last = error is not None and not error["by"].startswith(_OURS)
        count += last
    return count
