"""What the command line shows: progress of steps, errors as sentences, JSON for scripts. Everything but JSON goes to stderr."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from rushes.model import StepView
from rushes.states import StepState

MARKS = {
    StepState.DONE: "[green]done",
    StepState.SKIPPED: "[yellow]skipped",
    StepState.FAILED: "[red]failed",
    StepState.CANCELLED: "[red]cancelled",
    StepState.RUNNING: "running",
}


def stderr() -> Console:
    return Console(stderr=True)


class StepBars:
    """One bar for each step that has started; finished ones stay with their outcome."""

    def __init__(self, console: Console) -> None:
        columns = (
            TextColumn("{task.description:<18}"),
            BarColumn(30),
            TextColumn("{task.fields[mark]}"),
            TimeElapsedColumn(),
        )
        self._progress = Progress(*columns, console=console, transient=False)
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> StepBars:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, steps: Sequence[StepView]) -> None:
        for step in steps:
            if step.state in (StepState.WAITING, StepState.READY):
                continue
            if step.key not in self._tasks:
                self._tasks[step.key] = self._progress.add_task(step.key, total=1.0, mark="running")
            done = 1.0 if step.state.is_final else step.progress
            task = self._tasks[step.key]
            self._progress.update(task, completed=done, mark=MARKS[step.state])
            if step.state.is_final:
                self._progress.stop_task(task)


def as_json(value: Any) -> str:  # noqa: ANN401 - whatever json takes
    """One line, so that it can be the last line of standard output."""
    return json.dumps(value, ensure_ascii=False)
