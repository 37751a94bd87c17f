"""Whether a worker takes work, and why not: what an operator asked of it goes before what it finds itself."""

from __future__ import annotations

import asyncio
import logging

WORKING, DRAINING, CORDONED = "working", "draining", "cordoned"
NOTICED, TOO_FAR = 5.0, 300.0
"""Seconds that this host's clock may be off before it is told, and before it must not sign requests to stores any more: S3
refuses what is 15 minutes off, tokens and webhooks earlier."""
COOLING = 900.0
"""Seconds for which an operator's word to work goes before what the worker finds itself. Then it judges itself again."""
log = logging.getLogger("rushes.worker")


def judged(wanted: str, skew: float, slow: str) -> tuple[str, str]:
    """State and reason. `wanted` is what an operator asks: drain, cordon, work; empty: nothing."""
    if wanted in ("drain", "cordon"):
        return (DRAINING if wanted == "drain" else CORDONED), "an operator asked for it"
    if wanted == "work":
        return WORKING, ""
    if abs(skew) > TOO_FAR:
        return CORDONED, f"clock_skew: {skew:+.0f} s from the database's"
    return (CORDONED, slow) if slow else (WORKING, "")


class Standing:
    """`changed` is set whenever the answer is another one; `leaves` while an operator has it drain, `stays` while not."""

    def __init__(self, worker: str) -> None:
        self._worker = worker
        self._wanted, self._slow = "", ""
        self._told_skew = False
        self.skew = 0.0
        self.state, self.reason = WORKING, ""
        self.changed, self.leaves, self.stays = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.stays.set()

    @property
    def takes_work(self) -> bool:
        return self.state == WORKING

    def asked(self, wanted: str, since: float = 0.0) -> None:
        """`since`: how many seconds ago."""
        self._wanted = "" if wanted == "work" and since > COOLING else wanted
        self._judge()

    def clock_off(self, seconds: float) -> None:
        """This host's clock minus the database's."""
        self.skew = seconds
        if not self._told_skew and abs(seconds) > NOTICED:
            self._told_skew = True
            log.warning("this host's clock is %+.1f s from the database's", seconds, extra={"worker": self._worker})
        self._judge()

    def slow(self, reason: str) -> None:
        """Empty: it is not."""
        self._slow = reason
        self._judge()

    def _judge(self) -> None:
        state, reason = judged(self._wanted, self.skew, self._slow)
        if state != self.state:
            text = "the worker is %s now%s"
            log.warning(text, state, f" ({reason})" if reason else "", extra={"worker": self._worker})
            self.state = state
            self.changed.set()
            now, before = (self.leaves, self.stays) if state == DRAINING else (self.stays, self.leaves)
            now.set()
            before.clear()
        self.reason = reason
