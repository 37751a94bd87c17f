"""One file of a round: made by its number, tried, kept where it showed a fault."""

from __future__ import annotations

from pathlib import Path
from random import Random

from tests.fuzz.mutations import mutate
from tests.fuzz.pipeline import Report, run


def damaged(number: int, seed: int, paths: list[Path]) -> tuple[str, bytes]:
    """File `number` of a round, and how it was made."""
    random = Random(seed + number)
    path = paths[number % len(paths)]
    others = [other.read_bytes() for other in random.sample(paths, min(3, len(paths)))]
    data, how = mutate(path.read_bytes(), others, random)
    return f"{number:05d} {path.name} {how}", data


def one(number: int, seed: int, paths: list[Path], folder: Path, keep: Path) -> Report:
    name, data = damaged(number, seed, paths)
    report = run(name, data, folder / str(number))
    if report.faults:
        keep.mkdir(parents=True, exist_ok=True)
        (keep / f"{number:05d}.bin").write_bytes(data)
        (keep / f"{number:05d}.txt").write_text("\n\n".join([name, report.outcome, *report.faults]), encoding="utf-8")
    return report
