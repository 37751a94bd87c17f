"""What simulations are fed with: which uploads came, and what their steps took. Reads history; for an operator, now and then."""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from rushes.catalog import assets, costs
from rushes.catalog.change import Store
from rushes.catalog.database import Row, Session
from rushes.engine.clip import shown
from rushes.engine.simulate.fitting import Walls
from rushes.engine.simulate.shape import TRACE, Pace, paces_of
from rushes.facts import SourceFacts
from rushes.model import Asset
from rushes.states import StepKind

PAGE = 500
MOST_ATTEMPTS = 200_000


def lines(store: Store, seconds: float) -> Iterator[dict[str, Any]]:
    """The uploads of the last `seconds`, behind a heading with what is known of their steps."""
    with store.database.read() as tx:
        since = store.now(tx) - seconds
        learned = {key: one.model_dump() for key, one in costs.read(tx).items()}
        paces, together = _paces(tx, since)
        yield {
            "trace": TRACE,
            "learned": learned,
            "paces": {key: one.model_dump() for key, one in paces.items()},
            "together": together,
        }
    last, names = "", dict[str, str]()
    while True:
        with store.database.read() as tx:
            rows = _page(tx, last, since)
        for row in rows:
            asset = assets.noun(row)
            if asset.facts and asset.uploaded_at and asset.uploaded_at >= since:
                yield _line(asset, names.setdefault(asset.tenant, f"tenant-{len(names) + 1}"))
        if len(rows) < PAGE:
            return
        last = rows[-1]["id"]


def _page(tx: Session, last: str, since: float) -> Sequence[Row]:
    return tx.all(
        f"SELECT {assets.COLUMNS} FROM assets WHERE id > :last AND created_at >= :since ORDER BY id LIMIT :most",
        {"last": last, "since": since - 86_400, "most": PAGE},
    )


def _line(asset: Asset, tenant: str) -> dict[str, Any]:
    facts = shown(asset.facts, asset.options) if asset.facts else None
    return {
        "at": asset.uploaded_at, "tenant": tenant, "priority": asset.priority, "profile": asset.profile,
        "facts": _anonymous(facts).model_dump(mode="json", exclude_defaults=True) if facts else None,
    }  # fmt: skip


def _anonymous(facts: SourceFacts) -> SourceFacts:
    """Without what says whose it is."""
    return facts.model_copy(update={"tags": {}, "personal": (), "sha256": None, "warnings": (), "provenance": {}})


def _paces(tx: Session, since: float) -> tuple[dict[str, Pace], float]:
    """By class of work; and how far the steps of an asset go together."""
    rows = tx.all(
        "SELECT s.asset, s.kind, s.params, s.priority, s.cost, s.factor, t.cpu_seconds, t.started_at, t.finished_at FROM attempts t"
        " JOIN steps s ON s.id = t.step WHERE t.outcome IN ('done', 'skipped') AND t.started_at >= :since AND s.avoided = 0"
        " ORDER BY t.started_at DESC LIMIT :most",
        {"since": since, "most": MOST_ATTEMPTS},
    )
    kinds = {kind.value for kind in StepKind}
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    walls = Walls()
    for row in rows:
        if row["kind"] in kinds:
            planned = row["cost"] / row["factor"]
            wall = max(0.0, row["finished_at"] - row["started_at"])
            classes = paces_of(StepKind(row["kind"]), json.loads(row["params"]), planned, row["priority"])
            walls.add(row["asset"], classes, wall / planned)
            for key in classes:
                found[key].append((row["cpu_seconds"] / planned, wall / planned))
    told = {key: {"seen": walls.mean(key), "seen_wobble": walls.wobble(key)} for key in found}
    return {key: _pace(seen).model_copy(update=told[key]) for key, seen in sorted(found.items())}, walls.together()


def _pace(seen: Sequence[tuple[float, float]]) -> Pace:
    """The wall is that of an idle machine, as far as it was seen: most of those seen took longer, for others ran beside them."""
    cpu, wall = [one for one, _ in seen], sorted(one for _, one in seen)
    return Pace(n=len(seen), cpu=statistics.fmean(cpu), spread=statistics.pstdev(cpu), wall=wall[len(wall) // 4])
