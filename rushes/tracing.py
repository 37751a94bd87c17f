"""Names of traces and spans (W3C Trace Context). Computed from what they are of, so nothing is stored and nothing handed on:
every process knows the span of any attempt, a link needs no look-up, and what is sent twice is the same span. Pure."""

from __future__ import annotations

import hashlib


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


def traceparent(asset: str, step: str, fence: int) -> str:
    """For who does the attempt: version 00, sampled."""
    return f"00-{trace_id(asset)}-{attempt_span(step, fence)}-01"


def _digest(text: str) -> str:
    """Never all zeros, which would be no name (section 3.2.2.3); the odds are those of a collision."""
    return hashlib.sha256(text.encode()).hexdigest()
