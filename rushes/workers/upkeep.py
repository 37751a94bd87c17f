"""What a worker does beside its steps: says that it is there, hears what is asked of it, looks after those who are not there."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator
from itertools import count

from rushes.catalog.database import DatabaseUnavailable
from rushes.catalog.repairs import told
from rushes.catalog.telling import Folded
from rushes.catalog.workforce import Heard, Presence
from rushes.workers.attempting import outlast
from rushes.workers.plant import Plant
from rushes.workers.speed import Peer, slowness
from rushes.workers.standing import NOTICED, WORKING, Standing

REPORT_EVERY = 2.5
HOUSEKEEP_ROUNDS = 12
"""Cleanups are planned in every twelfth of those rounds: nobody waits for them, and every worker looks."""
PROBATION = 900.0
"""Seconds after which a slow host is tried again: its neighbour may have gone."""
log = logging.getLogger("rushes.worker")


class Upkeep:
    def __init__(
        self, plant: Plant, standing: Standing, presence: Callable[[], Presence], measure_anew: Callable[[], None]
    ) -> None:
        """`presence` is asked for at each round; `measure_anew` forgets how fast this host was."""
        self._plant = plant
        self._standing = standing
        self._presence = presence
        self._measure_anew = measure_anew
        self._slow_since: float | None = None
        self._asked: float | None = None
        """When it was asked to work, by the database's clock."""

    async def run(self) -> None:
        """After a time in which nothing could be said by anybody (the machine slept, the disk was full) the others get a round
        to speak before they are taken for dead."""
        # A worker that starts after a time without a database must not be the first to judge either.
        clock = self._plant.clock
        last, waited = clock.now() - 3 * REPORT_EVERY, False
        for turn in count():
            self._heard(*await outlast(self._report))
            waited = not waited and clock.now() - last > 2 * REPORT_EVERY
            last = clock.now()
            if not waited:
                await outlast(self._take_back)
            if not waited and turn % HOUSEKEEP_ROUNDS == 0:
                await outlast(self._keep_house)
                self._compared(await outlast(self._slowness))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(REPORT_EVERY):
                    await self._standing.changed.wait()  # what changed is said at once
            self._standing.changed.clear()

    def _report(self) -> tuple[Heard, float, float]:
        """With the time before and after."""
        clock = self._plant.clock
        before = clock.now()
        heard = self._plant.pipeline.report(self._plant.name, self._presence())
        return heard, before, clock.now()

    def _heard(self, heard: Heard, before: float, after: float) -> None:
        if after - before < NOTICED:  # an answer that took long says little of the time
            self._standing.clock_off((before + after) / 2 - heard.now)
        self._released(heard)
        self._standing.asked(heard.wanted, heard.since)

    def _released(self, heard: Heard) -> None:
        """An operator has it work: how slow it was found to be before that counts no longer."""
        asked = heard.now - heard.since if heard.wanted == "work" else None
        if asked is not None and (self._asked is None or asked > self._asked + NOTICED):
            self._measure_anew()
            self._slow_since = None
            self._standing.slow("")
        self._asked = asked

    def _take_back(self) -> None:
        with self._whatever_is_wrong_with_one_row():
            repaired = self._plant.pipeline.look_after(self._plant.name)
            if repaired:
                log.log(*told(repaired), extra={"worker": self._plant.name})

    def _keep_house(self) -> None:
        with self._whatever_is_wrong_with_one_row():
            self._plant.pipeline.housekeep(self._plant.keep_originals)
            if self._plant.keep_history >= 0:
                gone = self._plant.pipeline.fold_history(self._plant.name, self._plant.keep_history)
                _told(gone, self._plant.name)

    def _slowness(self) -> str:
        """Why this host is too slow beside the others; empty: it is not."""
        mine = self._presence()
        if mine.speed <= 0.0 or self._plant.slow_host <= 0.0:
            return ""
        found = self._plant.pipeline.peers(self._plant.name)
        peers = [Peer(frozenset(one.pools), one.speed, one.state == WORKING) for one in found]
        return slowness(mine.speed, mine.pools, peers, self._plant.slow_host)

    def _compared(self, reason: str) -> None:
        """It stands aside for a time, and only as long as somebody faster is there for each of its pools."""
        now, since = self._plant.clock.now(), self._slow_since
        if since is None and reason:
            self._slow_since = now
            self._standing.slow(reason)
        elif since is not None and (not reason or now - since > PROBATION):
            if reason:
                self._measure_anew()  # by what it was measured before, it would stand aside again at once
            self._slow_since = None
            self._standing.slow("")

    @contextlib.contextmanager
    def _whatever_is_wrong_with_one_row(self) -> Iterator[None]:
        """It must not stop the work on all others."""
        try:
            yield
        except DatabaseUnavailable:
            raise
        except Exception:
            log.exception("the house could not be kept", extra={"worker": self._plant.name})


def _told(gone: Folded, worker: str) -> None:
    if gone != Folded():
        text = "history folded away: %d attempts, %d steps, %d bundles"
        log.info(text, gone.attempts, gone.steps, gone.bundles, extra={"worker": worker})
