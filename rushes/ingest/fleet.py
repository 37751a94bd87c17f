"""One request at a time appends to an upload, whichever process has it: `rushes.ingest.hold` by leases in the catalog.

Within a process nothing changes. Between processes the holder renews its lease every second, says how long its client has
been silent, and hears whether somebody else waits; then it gives way under the same rules. The lease of a process that is
gone expires. One that only seemed to be gone may go on writing: the store sorts that below what its successor writes
(`fence`), and nothing is acknowledged without `Hold.confirm`.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from rushes.catalog.database import DatabaseUnavailable
from rushes.catalog.holds import Grip, Held, Wanted
from rushes.ingest.hold import HAND_OFF, STALLED, Hold, Holds, Locked

log = logging.getLogger(__name__)

LEASE = 4.0
"""Seconds after which a holder that does not renew counts as gone."""
RENEW = 1.0
LOOK = 0.2
"""Seconds between two looks of a request that waits for a holder to give way."""


class HoldCatalog(Protocol):
    """The part of the catalog that keeps leases. Methods block and are called from threads."""

    def take_hold(self, upload: str, owner: str, lease: float, wanted: Wanted) -> Grip: ...

    def ask_for_hold(self, upload: str, wanted: Wanted) -> float | None: ...

    def renew_holds(self, owner: str, lease: float, held: Mapping[str, Held]) -> dict[str, Wanted]: ...

    def has_hold(self, upload: str, owner: str, fence: int) -> bool: ...

    def release_hold(self, upload: str, owner: str, fence: int) -> None: ...


@dataclass(frozen=True)
class Pace:
    """Seconds; see the constants of this module and of `rushes.ingest.hold`."""

    stalled: float = STALLED
    hand_off: float = HAND_OFF
    lease: float = LEASE
    renew: float = RENEW


@dataclass
class _Lease:
    hold: Hold
    renewed: float = field(default_factory=time.monotonic)
    """Before the catalog was last asked, so never later than the lease really began."""


class FleetHolds:
    """UploadLocks for the processes of one catalog."""

    def __init__(self, catalog: HoldCatalog, pace: Pace | None = None) -> None:
        self._catalog = catalog
        self._pace = pace or Pace()
        self._within = Holds(stalled=self._pace.stalled, hand_off=self._pace.hand_off)
        self._owner = secrets.token_hex(8)
        self._leases: dict[str, _Lease] = {}
        self._renewing: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def claim(self, upload: str, *, force: bool = False) -> AsyncIterator[Hold]:
        async with self._within.claim(upload, force=force) as hold:
            hold.fence = await self._take(upload, hold, Wanted.AT_ONCE if force else Wanted.IF_SILENT)
            hold.is_mine = partial(asyncio.to_thread, self._catalog.has_hold, upload, self._owner, hold.fence)
            hold.heard = time.monotonic()
            self._leases[upload] = _Lease(hold)
            self._keep_renewing()
            try:
                yield hold
            finally:
                del self._leases[upload]
                await asyncio.shield(self._release(upload, hold.fence))

    async def settle(self, upload: str) -> bool:
        if not await self._within.settle(upload):
            return False
        start = time.monotonic()
        while (silence := await asyncio.to_thread(self._catalog.ask_for_hold, upload, Wanted.IF_SILENT)) is not None:
            waited, alive = time.monotonic() - start, silence < self._pace.stalled
            # A holder that is silent and lives hears of us within a round. One that does not need not be waited for.
            if waited >= self._pace.stalled + (0.0 if alive else 2 * self._pace.renew):
                return False
            await asyncio.sleep(LOOK)
        return True

    async def _take(self, upload: str, hold: Hold, wanted: Wanted) -> int:
        """The fence. Waits only for a holder that is silent or has to go."""
        start = time.monotonic()
        while True:
            grip = await asyncio.to_thread(self._catalog.take_hold, upload, self._owner, self._pace.lease, wanted)
            if grip.fence:
                return grip.fence
            at_work = wanted is Wanted.IF_SILENT and grip.silence < self._pace.stalled
            if at_work or hold.interrupted or time.monotonic() - start >= self._pace.hand_off:
                raise Locked
            await asyncio.sleep(LOOK)

    async def _release(self, upload: str, fence: int) -> None:
        with suppress(DatabaseUnavailable):  # then it expires
            await asyncio.to_thread(self._catalog.release_hold, upload, self._owner, fence)

    # -- renewing -----------------------------------------------------------------------------------------------------

    def _keep_renewing(self) -> None:
        if self._renewing is None or self._renewing.done():
            self._renewing = asyncio.create_task(self._renew_all())

    async def _renew_all(self) -> None:
        """While there is a lease. One transaction for all of them."""
        while self._leases:
            await asyncio.sleep(self._pace.renew)
            leases, before = dict(self._leases), time.monotonic()
            try:
                answer = await asyncio.to_thread(
                    self._catalog.renew_holds, self._owner, self._pace.lease, _held(leases)
                )
            except DatabaseUnavailable as error:
                log.warning("%d uploads wait for the catalog: %s", len(leases), error)
                self._give_up_expired(leases, before)
            except Exception:  # whatever it is, the other uploads need the next round
                log.exception("leases of uploads could not be renewed")
                self._give_up_expired(leases, before)
            else:
                self._heed(leases, answer, before)

    def _give_up_expired(self, leases: Mapping[str, _Lease], now: float) -> None:
        for lease in leases.values():
            if now - lease.renewed >= self._pace.lease:
                lease.hold.interrupt()

    def _heed(self, leases: Mapping[str, _Lease], answer: Mapping[str, Wanted], now: float) -> None:
        for upload, lease in leases.items():
            wanted = answer.get(upload)
            silent = lease.hold.silence >= self._pace.stalled
            if wanted in (None, Wanted.AT_ONCE) or (wanted is Wanted.IF_SILENT and silent):
                lease.hold.interrupt()
            lease.renewed = now


def _held(leases: Mapping[str, _Lease]) -> dict[str, Held]:
    return {upload: Held(lease.hold.fence, lease.hold.silence) for upload, lease in leases.items()}
