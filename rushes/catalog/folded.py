"""What is kept of an asset's attempts and steps that were folded away (`catalog.history`)."""

from __future__ import annotations

from pydantic import TypeAdapter

from rushes.catalog.account import Entry
from rushes.catalog.database import Session

Used = dict[tuple[str, str], Entry]
"""By kind and rendition."""
_USED: TypeAdapter[dict[str, Entry]] = TypeAdapter(dict[str, Entry])
"""The same as it is stored: by `kind/rendition`."""


def used(tx: Session, asset: str) -> Used:
    found = tx.one("SELECT used FROM folded WHERE asset = :asset", {"asset": asset})
    stored = _USED.validate_json(found["used"]) if found else {}
    return {_named(name): entry for name, entry in stored.items()}


def _named(name: str) -> tuple[str, str]:
    kind, _, rendition = name.partition("/")
    return kind, rendition


def add(tx: Session, asset: str, more: Used, lost: int) -> None:
    """`lost`: attempts that did not win. The asset is in the caller's hands."""
    there = used(tx, asset)
    both = {key: there.get(key, Entry()).plus(more.get(key, Entry())) for key in {**there, **more}}
    text = _USED.dump_json({"/".join(key): entry for key, entry in both.items()}, exclude_defaults=True).decode()
    tx.later(
        "INSERT INTO folded (asset, lost, used) VALUES (:asset, :lost, :used)"
        " ON CONFLICT (asset) DO UPDATE SET lost = folded.lost + :lost, used = :used",
        {"asset": asset, "lost": lost, "used": text},
    )


def lost(tx: Session, asset: str) -> int:
    found = tx.one("SELECT lost FROM folded WHERE asset = :asset", {"asset": asset})
    return int(found["lost"]) if found else 0


def cost(tx: Session, asset: str) -> tuple[float, float]:
    """CPU seconds of steps that are gone, and those that copies had saved in them."""
    found = tx.one("SELECT cpu, avoided FROM folded WHERE asset = :asset", {"asset": asset})
    return (found["cpu"], found["avoided"]) if found else (0.0, 0.0)


def add_steps(tx: Session, asset: str) -> None:
    """All steps of the asset are about to go. What copies had saved is counted by kind too, for all that went, in the order of
    the kinds."""
    about = {"asset": asset}
    tx.execute(
        "INSERT INTO folded (asset, cpu, avoided) SELECT asset, sum(cpu_seconds), sum(avoided) FROM steps"
        " WHERE asset = :asset GROUP BY asset"
        " ON CONFLICT (asset) DO UPDATE SET cpu = folded.cpu + excluded.cpu, avoided = folded.avoided + excluded.avoided",
        about,
    )
    rows = tx.all(
        "SELECT kind, count(*) AS n, sum(avoided) AS cpu FROM steps WHERE asset = :asset AND avoided > 0 GROUP BY kind",
        about,
    )
    for row in sorted(rows, key=lambda row: str(row["kind"])):
        tx.execute(
            "INSERT INTO avoided (kind, n, cpu) VALUES (:kind, :n, :cpu)"
            " ON CONFLICT (kind) DO UPDATE SET n = avoided.n + :n, cpu = avoided.cpu + :cpu",
            {"kind": row["kind"], "n": row["n"], "cpu": row["cpu"]},
        )
