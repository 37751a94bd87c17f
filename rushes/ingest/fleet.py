"""One request at a time appends to an upload, whichever process has it: `rushes.ingest.hold` by leases in the catalog.

Within a process nothing changes. Between processes the holder renews its lease every second, says how long its client has
been silent, and hears whether somebody else waits; then it gives way under the same rules. While a client of it is silent
it listens more often, so that whoever is back is not kept waiting. The lease of a process that is gone expires. One that
only seemed to be gone may go on writing: the store sorts that below what its successor writes (`fence`), and nothing is
acknowledged without `Hold.confirm`.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import ParamSpec, Protocol, TypeVar

from rushes.catalog.database import DatabaseUnavailable
from rushes.catalog.holds import Grip, Held, Wanted
from rushes.ingest.hold import HAND_OFF, STALLED, Hold, Holds, Locked

log = logging.getLogger(__name__)

LEASE = 4.0
"""Seconds after which a holder that does not renew counts as gone."""
RENEW = 1.0
LISTEN = 0.1
"""Seconds between two looks of a process that has a silent client: one small read for all of them."""
LOOK = 0.05
"""Seconds between two looks of a request that waits for a holder to give way."""
THREADS = 8
"""For the requests of a process that take, confirm and release holds."""

P = ParamSpec("P")
T = TypeVar("T")


class HoldCatalog(Protocol):
    """The part of the catalog that keeps leases. Methods block and are called from threads."""

    def take_hold(self, upload: str, owner: str, lease: float, wanted: Wanted) -> Grip: ...

    def ask_for_hold(self, upload: str, wanted: Wanted) -> float | None: ...

    def renew_holds(self, owner: str, lease: float, held: Mapping[str, Held]) -> dict[str, Wanted]: ...

    def wanted_holds(self, owner: str) -> dict[str, Wanted]: ...

    def has_hold(self, upload: str, owner: str, fence: int) -> bool: ...

    def release_hold(self, upload: str, owner: str, fence: int) -> None: ...


@dataclass(frozen=True)
class Pace:
    """Seconds; see the constants of this module and of `rushes.ingest.hold`."""

    stalled: float = STALLED
    hand_off: float = HAND_OFF
    lease: float = LEASE
    renew: float = RENEW
    listen: float = LISTEN

    @property
    def patience(self) -> float:
        """For so long a request waits for a holder that may be silent: it becomes so, hears of us, stores what it has."""
        return self.stalled + 3 * self.listen

    def is_at_work(self, silence: float) -> bool:
        """Whether a holder lives and its client sends, judged by a silence that it told of up to a renewal ago."""
        return silence < self.stalled + self.renew


@dataclass
class _Lease:
    hold: Hold
    renewed: float = field(default_factory=time.monotonic)
    """Before the catalog was last asked, so never later than the lease really began."""


class FleetHolds:
    """UploadLocks for the processes of one catalog.

    In threads of their own, renewals in one apart even from these: a lease must not expire for want of a thread.
    """

    def __init__(self, catalog: HoldCatalog, pace: Pace | None = None) -> None:
        self._catalog = catalog
        self._pace = pace or Pace()
        self._within = Holds(stalled=self._pace.stalled, hand_off=self._pace.hand_off)
        self._owner = secrets.token_hex(8)
        self._leases: dict[str, _Lease] = {}
        self._renewing: asyncio.Task[None] | None = None
        self._threads = ThreadPoolExecutor(THREADS, "hold")
        self._renewer = ThreadPoolExecutor(1, "renew")

    @asynccontextmanager
    async def claim(self, upload: str, *, force: bool = False) -> AsyncIterator[Hold]:
        async with self._within.claim(upload, force=force) as hold:
            hold.fence = await self._take(upload, hold, Wanted.AT_ONCE if force else Wanted.IF_SILENT)
            hold.is_mine = partial(_run, self._threads, self._catalog.has_hold, upload, self._owner, hold.fence)
            hold.heard = time.monotonic()
            self._leases[upload] = _Lease(hold)
            self._keep_renewing()
            try:
                yield hold
            finally:
                del self._leases[upload]
                await asyncio.shield(self._release(upload, hold.fence))

    def is_free(self, upload: str) -> bool:
        return False

    async def settle(self, upload: str) -> bool:
        if not await self._within.settle(upload):
            return False
        start = time.monotonic()
        ask = partial(_run, self._threads, self._catalog.ask_for_hold, upload, Wanted.IF_SILENT)
        while (silence := await ask()) is not None:
            # A holder that is silent and lives gives way in time. One that does not live need not be waited for.
            more = 0.0 if self._pace.is_at_work(silence) else self._pace.renew
            if time.monotonic() - start >= self._pace.patience + more:
                return False
            await asyncio.sleep(LOOK)
        return True

    async def _take(self, upload: str, hold: Hold, wanted: Wanted) -> int:
        """The fence. Waits only for a holder that is silent or has to go."""
        start = time.monotonic()
        while True:
            grip = await _run(self._threads, self._catalog.take_hold, upload, self._owner, self._pace.lease, wanted)
            if grip.fence:
                return grip.fence
            at_work = wanted is Wanted.IF_SILENT and self._pace.is_at_work(grip.silence)
            patience = self._pace.patience if at_work else self._pace.hand_off
            if hold.interrupted or time.monotonic() - start >= patience:
                raise Locked
            await asyncio.sleep(LOOK)

    async def _release(self, upload: str, fence: int) -> None:
        with suppress(DatabaseUnavailable):  # then it expires
            await _run(self._threads, self._catalog.release_hold, upload, self._owner, fence)

    # -- renewing -----------------------------------------------------------------------------------------------------

    def _keep_renewing(self) -> None:
        if self._renewing is None or self._renewing.done():
            self._renewing = asyncio.create_task(self._renew_all())

    async def _renew_all(self) -> None:
        """While there is a lease. One transaction for all of them."""
        renewed = time.monotonic()
        while self._leases:
            await asyncio.sleep(min(self._pace.listen, self._pace.renew))
            before = time.monotonic()
            try:
                if before - renewed >= self._pace.renew:
                    renewed = before
                    await self._renew(before)
                elif any(lease.hold.silence >= self._pace.stalled for lease in self._leases.values()):
                    self._heed(await _run(self._renewer, self._catalog.wanted_holds, self._owner))
            except DatabaseUnavailable as error:
                log.warning("%d uploads wait for the catalog: %s", len(self._leases), error)
                self._give_up_expired(before)
            except Exception:  # whatever it is, the other uploads need the next round
                log.exception("leases of uploads could not be renewed")
                self._give_up_expired(before)

    async def _renew(self, now: float) -> None:
        leases = dict(self._leases)
        answer = await _run(self._renewer, self._catalog.renew_holds, self._owner, self._pace.lease, _held(leases))
        for upload, lease in leases.items():
            if upload not in answer:  # it is another's
                lease.hold.interrupt()
            lease.renewed = now
        self._heed(answer)

    def _give_up_expired(self, now: float) -> None:
        for lease in self._leases.values():
            if now - lease.renewed >= self._pace.lease:
                lease.hold.interrupt()

    def _heed(self, wanted: Mapping[str, Wanted]) -> None:
        """Give way where somebody may have it."""
        for upload, wish in wanted.items():
            lease = self._leases.get(upload)
            if lease is None or wish is Wanted.NO:
                continue
            if wish is Wanted.AT_ONCE or lease.hold.silence >= self._pace.stalled:
                lease.hold.interrupt()


def _run(threads: Executor, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
    return asyncio.get_running_loop().run_in_executor(threads, partial(function, *args, **kwargs))


def _held(leases: Mapping[str, _Lease]) -> dict[str, Held]:
    return {upload: Held(lease.hold.fence, lease.hold.silence) for upload, lease in leases.items()}
