"""All faults of game days, by name."""

from __future__ import annotations

from rushes.chaos import faults_of_services, faults_of_the_engine, faults_of_workers
from rushes.chaos.fault import Fault

FAULTS: dict[str, Fault] = {
    fault.name: fault
    for fault in sorted(
        (*faults_of_workers.FAULTS, *faults_of_services.FAULTS, *faults_of_the_engine.FAULTS),
        key=lambda fault: fault.number,
    )
}
