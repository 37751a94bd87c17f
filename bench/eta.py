"""What `rushes why` says beside what came: a watch over a stack that works, and what its sayings were worth.

`./dev bench simulate` runs it beside its real uploads.
"""

from __future__ import annotations

import statistics
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random
from typing import NamedTuple

from rushes.catalog.change import Store
from rushes.catalog.open import open_database
from rushes.catalog.why import explanation
from rushes.engine.eta import Eta

EVERY = 0.5
AT_ONCE = 2
"""Assets that are asked for at a time: more would be a load of their own."""
LEAST = 0.3
"""Seconds: of what comes sooner, an ETA in tenths of a second says nothing."""


class Saying(NamedTuple):
    asset: str
    at: float
    eta: Eta


class Watch:
    def __init__(self, database: Path) -> None:
        self.sayings: list[Saying] = []
        self._database = database
        self._over = threading.Event()

    def run(self) -> None:
        random = Random(5)
        with closing(open_database(f"sqlite:///{self._database}")) as database:
            store = Store(database)
            while not self._over.wait(EVERY):
                self._look(store, random)

    def stop(self) -> None:
        self._over.set()

    def _look(self, store: Store, random: Random) -> None:
        with store.database.read() as tx:
            rows = tx.all(
                "SELECT DISTINCT asset FROM steps WHERE state IN ('waiting', 'ready', 'running') AND required = 1", {}
            )
            for row in random.sample(list(rows), min(AT_ONCE, len(rows))):
                now = store.now(tx)
                said = explanation(tx, row["asset"], now)
                if said.eta and said.until == "ready":
                    self.sayings.append(Saying(row["asset"], now, said.eta))


@contextmanager
def watching(database: Path) -> Iterator[Watch]:
    watch = Watch(database)
    thread = threading.Thread(target=watch.run)
    thread.start()
    try:
        yield watch
    finally:
        watch.stop()
        thread.join()


def told(sayings: Sequence[Saying], ready: Mapping[str, float]) -> Iterator[str]:
    """`ready`: when each asset was, by its id; seconds since the epoch."""
    known = [one for one in sayings if one.asset in ready and ready[one.asset] - one.at >= LEAST]
    first = {one.asset: one for one in reversed(known)}
    half = {one.asset: one for one in sorted(known, key=lambda one: -abs(_way(one, first[one.asset], ready) - 0.5))}
    near = [one for one in half.values() if 0.25 <= _way(one, first[one.asset], ready) <= 0.75]
    for name, some in (("planned", list(first.values())), ("halfway", near), ("any moment", known)):
        yield f"  eta, {name:10} {_judged(some, ready)}"
    for word in ("high", "medium", "low"):
        yield f"    said {word:10} {_judged([one for one in known if one.eta.confidence == word], ready)}"


def _way(one: Saying, first: Saying, ready: Mapping[str, float]) -> float:
    """Share of the time from the first saying that has passed."""
    return (one.at - first.at) / (ready[one.asset] - first.at)


def _judged(some: Sequence[Saying], ready: Mapping[str, float]) -> str:
    if len(some) < 2:
        return f"{len(some)} seen"
    left = [ready[one.asset] - one.at for one in some]
    shares = sorted(one.eta.seconds / real for one, real in zip(some, left, strict=True))
    within = statistics.fmean(one.eta.earliest <= real <= one.eta.latest for one, real in zip(some, left, strict=True))
    low, middle, high = (shares[int(len(shares) * point)] for point in (0.1, 0.5, 0.9))
    return f"{len(some):5} seen   eta / real: {middle:.2f} (a tenth below {low:.2f}, above {high:.2f})   {within:.0%} came as said"
