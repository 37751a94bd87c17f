"""What a tool's end means: one table, read once, at the tool's edge. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rushes.errors import Blame, StepFailure


@dataclass(frozen=True)
class _Rule:
    pattern: re.Pattern[str]
    code: str
    blame: Blame = Blame.PERMANENT


def _rule(pattern: str, code: str, blame: Blame = Blame.PERMANENT) -> _Rule:
    return _Rule(re.compile(pattern, re.IGNORECASE), code, blame)


# The first that matches decides: our surroundings before the file, the particular before the general.
_RULES = (
    _rule(r"no space left on device|disk quota exceeded", "scratch_full", Blame.RESOURCE),
    _rule(r"\bjail: |bwrap: ", "internal", Blame.TRANSIENT),
    _rule(r"moov atom not found", "moov_missing"),
    _rule(r"encrypt|decryption key|\bcenc\b", "encrypted"),
    _rule(r"not on whitelist|not allowed to be used|is not in allow", "playlist_refused"),
    _rule(r"decoder \(codec [^)]*\) not found|no decoder|unknown codec|unsupported codec|not implemented",
          "codec_unsupported"),
    _rule(r"matches no streams|does not contain any stream|no video stream", "no_video_stream"),
    _rule(r"nothing was written|cannot determine format of input|received no packets|no frames? (?:were|was) decoded",
          "no_decodable_frames"),
    _rule(r"picture size \d+x\d+ (?:is invalid|exceeds)", "over_limit_pixels"),
    _rule(r"cannot allocate memory|MemoryError|std::bad_alloc", "over_limit_memory"),
    _rule(r"error opening input.*invalid data found|invalid data found when processing input", "corrupt"),
)  # fmt: skip
_SHORT, _ENDED = 9, 15
"""SIGKILL and SIGTERM. Nobody but the kernel sends the first as a rule, when memory ran out: tried the same way again, in the same
company, it would run out again."""
_CRASHED = {4: "SIGILL", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE", 11: "SIGSEGV", 31: "SIGSYS"}


def classify(returncode: int, stderr: str, command: str = "") -> StepFailure:
    """Name the failure of a tool that ended with `returncode` (minus the signal's number where one ended it).

    Not for a tool that the door itself stopped. bubblewrap reports a signal of its child as 128 + number.
    """
    signal = -returncode if returncode < 0 else returncode - 128 if 128 < returncode < 160 else 0
    detail = describe(command, returncode, stderr)
    if signal in (_SHORT, _ENDED):
        blame = Blame.RESOURCE if signal == _SHORT else Blame.TRANSIENT
        return StepFailure("tool_killed", blame, detail=detail)
    if signal in _CRASHED:
        # A crash is the file's doing as a rule, but once in a while the machine's: the engine counts the attempts.
        return StepFailure("tool_failed", Blame.POISON, detail=f"{_CRASHED[signal]}: {detail}")
    if signal == 25:  # SIGXFSZ
        return StepFailure("scratch_full", Blame.RESOURCE, detail=detail)
    rule = next((rule for rule in _RULES if rule.pattern.search(stderr)), None)
    if rule is None:
        return StepFailure("tool_failed", Blame.TRANSIENT, detail=detail)
    return StepFailure(rule.code, rule.blame, detail=detail)


def describe(command: str, returncode: int | None, stderr: str) -> str:
    """For operators: what was run, how it ended, and what it said last."""
    ending = "stopped by us" if returncode is None else f"exit code {returncode}"
    return f"{command}\n{ending}\n{stderr[-8000:].strip()}".strip()
