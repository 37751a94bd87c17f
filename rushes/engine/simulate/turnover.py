"""Workers that come and go: those whose provider takes them back, and those whose number follows the work. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rushes.engine.simulate.crew import Crew
from rushes.engine.simulate.host import Host

if TYPE_CHECKING:
    from rushes.engine.simulate.run import Run

HOUR = 3600.0


class Turnover:
    def __init__(self, run: Run) -> None:
        self._run = run
        self._rules = run.rules

    def begin(self) -> None:
        for crew in self._run.crews:
            group = crew.group
            for _ in range(group.count if group.least is None else group.least):
                self._hire(crew)
        if any(crew.group.least is not None for crew in self._run.crews):
            self._run.after(self._rules.scale_every, self._scale)

    def _hire(self, crew: Crew) -> None:
        host = self._run.hire(crew)
        if self._rules.loss:
            rate = -math.log1p(-self._rules.loss) / HOUR
            self._run.after(self._run.random.expovariate(rate), self._warn, crew, host)

    # -- losses --------------------------------------------------------------------------------------------------------

    def _warn(self, crew: Crew, host: Host) -> None:
        """The provider wants it back. With a notice it drains; without, nobody knows of it until the leases end."""
        if not host.open or self._run.is_over:
            return
        host.open = False
        crew.coming += 1
        self._run.after(self._rules.startup, self._arrive, crew)
        self._run.after(min(self._rules.notice, self._rules.drain), self._lose, crew, host)

    def _lose(self, crew: Crew, host: Host) -> None:
        for step in [step for step in host.parts if step >= 0]:
            self._run.give_back(host, step, 0.0 if self._rules.notice else self._lease_left())
        self._run.dismiss(crew, host)

    def _lease_left(self) -> float:
        """Until the reconciler takes a step back whose worker died between two heartbeats."""
        return self._rules.lease - self._run.random.random() * self._rules.heartbeat + 1.0

    def _arrive(self, crew: Crew) -> None:
        crew.coming -= 1
        if not self._run.is_over:
            self._hire(crew)

    # -- scale ---------------------------------------------------------------------------------------------------------

    def _scale(self) -> None:
        if self._run.is_over:
            return
        for crew in self._run.crews:
            if crew.group.least is not None:
                self._fit(crew, self._wanted(crew))
        self._run.after(self._rules.scale_every, self._scale)

    def _wanted(self, crew: Crew) -> int:
        """By the CPU seconds that are ready and those that run, as the scaler of `docker/kubernetes` reckons."""
        ready = sum(self._run.waiting[pool] for pool in crew.group.pools)
        left = sum(part.cpu for host in crew.hosts for part in host.parts.values() if part.step >= 0) / 2
        wanted = math.ceil((ready + left) / (crew.group.cores * self._rules.scale_to) - 1e-9)
        return min(crew.group.count, max(crew.group.least or 0, wanted))

    def _fit(self, crew: Crew, wanted: int) -> None:
        now, have = self._run.now, len(crew.hosts) + crew.coming
        if wanted >= have:
            crew.calm_since = now
        for _ in range(wanted - have):
            crew.coming += 1
            self._run.after(self._rules.startup, self._arrive, crew)
        if wanted < have and now - crew.calm_since >= self._rules.calm:
            for host in [host for host in crew.hosts if host.open and not host.parts][: have - wanted]:
                self._run.dismiss(crew, host)
