"""From what was seen in single frames to labels with time spans. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from rushes.model import Label
from rushes.moderation.taxonomy import Name

TOLERANCE = 2.5
"""Sightings this many sampling intervals apart are still one span: one frame in between may have missed it."""


@dataclass(frozen=True)
class Sighting:
    """Something seen in the frame at `time` (seconds)."""

    name: Name
    time: float
    score: float


def merge(
    sightings: Iterable[Sighting], *, interval: float, duration: float, detector: str, version: str
) -> tuple[Label, ...]:
    """Labels by start, each with the highest score of its span.

    A frame stands for the `interval` seconds that follow it, so a span ends one interval after its last sighting,
    though not after `duration`.
    """
    by_name: dict[Name, list[Sighting]] = defaultdict(list)
    for sighting in sorted(sightings, key=lambda one: one.time):
        by_name[sighting.name].append(sighting)
    labels = [
        Label(
            name=name.name,
            parents=name.parents,
            score=max(sighting.score for sighting in span),
            start=span[0].time,
            end=max(span[0].time, min(span[-1].time + interval, duration)),
            detector=detector,
            version=version,
        )
        for name, seen in by_name.items()
        for span in _spans(seen, interval * TOLERANCE)
    ]
    return tuple(sorted(labels, key=lambda label: (label.start, label.name)))


def _spans(seen: list[Sighting], gap: float) -> list[list[Sighting]]:
    spans = [[seen[0]]]
    for sighting in seen[1:]:
        if sighting.time - spans[-1][-1].time <= gap:
            spans[-1].append(sighting)
        else:
            spans.append([sighting])
    return spans
