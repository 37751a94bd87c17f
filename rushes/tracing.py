"""Names of traces and spans (W3C Trace Context). Computed from what they are of, so nothing is stored and nothing handed on:
every process knows the span of any attempt, a link needs no look-up, and what is sent twice is the same span. Pure."""

from __future__ import annotations

import hashlib
import re

_LONGEST = 512
"""Characters of a header that are looked at."""
_HEADER = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)
_WHOLE = 1 << 64


def trace_id(asset: str) -> str:
    """32 hexadecimal digits: one trace for an asset, from its creation to its end."""
    return _digest(f"asset {asset}")[:32]


def root_span(asset: str) -> str:
    """16 hexadecimal digits: the whole of it."""
    return _digest(f"whole {asset}")[:16]


def upload_span(asset: str) -> str:
    return _digest(f"upload {asset}")[:16]


def attempt_span(step: str, fence: int) -> str:
    """One attempt at a step."""
    return _digest(f"attempt {step} {fence}")[:16]


def wait_span(step: str, fence: int) -> str:
    """The time for which that could have been running, and was not."""
    return _digest(f"wait {step} {fence}")[:16]


def part_span(step: str, fence: int, part: str) -> str:
    """Something that an attempt did: `tool 3`, `store put`."""
    return _digest(f"part {step} {fence} {part}")[:16]


def delivery_span(delivery: str, attempt: int) -> str:
    """One attempt at a webhook; the first is 0."""
    return _digest(f"delivery {delivery} {attempt}")[:16]


def traceparent(trace: str, span: str, *, sampled: bool = True) -> str:
    """The header for who does the work of that span: version 00."""
    return f"00-{trace}-{span}-{'01' if sampled else '00'}"


def caller_of(header: str) -> tuple[str, str] | None:
    """(trace, span) of who asks, by a `traceparent` header; None for what is none (sections 3.2.2 and 4.3): then the request is
    one without. Later versions may say more behind what this one has."""
    found = _HEADER.fullmatch(header.strip(" \t")) if len(header) <= _LONGEST else None
    if found is None:
        return None
    version, trace, span, _, more = found.groups()
    is_wrong = version == "ff" or (version == "00" and more is not None) or int(trace, 16) == 0 or int(span, 16) == 0
    return None if is_wrong else (trace, span)


def is_sampled(trace: str, share: float) -> bool:
    """Whether a trace is among that share (0 to 1) of all. By its name, so that all processes agree, and as OpenTelemetry's
    `TraceIdRatioBased` does."""
    return int(trace[16:], 16) < round(share * _WHOLE)


def _digest(text: str) -> str:
    """Never all zeros, which would be no name (section 3.2.2.3); the odds are those of a collision."""
    return hashlib.sha256(text.encode()).hexdigest()
