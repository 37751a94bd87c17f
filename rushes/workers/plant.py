"""What a worker works with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rushes.catalog.pipeline import Pipeline
from rushes.clock import Clock, SystemClock
from rushes.engine.job import ToolSettings
from rushes.media_keys import KeyServer
from rushes.states import Pool
from rushes.workers.doorbell import Listener
from rushes.workers.machine import Machine
from rushes.workers.spans import Spans
from rushes.workers.telemetry import Telemetry


@dataclass(frozen=True)
class Plant:
    name: str
    pipeline: Pipeline
    listener: Listener
    scratch: Path
    storage: str
    tools: ToolSettings
    heartbeat: float = 1.0
    """Seconds between two signs of life of a running step. Those that somebody waits for give one each second."""
    keep_originals: float = -1.0
    """Days; negative: for ever."""
    keep_history: float = -1.0
    """The same, of attempts of assets that rest."""
    room: int = 0
    """Bytes that must be free on the scratch disk before a step is claimed."""
    keys: KeyServer | None = None
    """Gives the keys of protected media; None: there are none."""
    drain: float = 0.0
    """Seconds that running steps get to end when the worker is stopped; those that do not are given back."""
    pull_slots: int = 4
    """Pulls at a time, beside everything else."""
    own_slots: Mapping[Pool, int] = field(default_factory=dict)
    """Pools that share no slots with others."""
    slow_host: float = 0.0
    """Of the fleet's median speed: who is slower takes no more work. 0: never."""
    machine: Machine = field(default_factory=lambda: Machine(cores=1.0, memory=0))
    clock: Clock = field(default_factory=SystemClock)
    telemetry: Telemetry = field(default_factory=Telemetry)
    """The numbers of this process."""
    spans: Spans = field(default_factory=lambda: Spans(None))
    """Its part in traces."""
