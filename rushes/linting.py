"""The command `rushes lint`: a stream is checked against the clauses that it has to keep.

Exit codes: 0 passed, 1 a rule of ours broke, 2 a rule failed (a `must`; with `--fail-on should`, a `should` too) or nothing could
be fetched, 64 usage.
"""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from rushes.console import as_json, stderr
from rushes.encoding import JsonOption
from rushes.packaging.lint.check import check, is_address
from rushes.packaging.lint.gather import DEEP, QUICK, USUAL, Depth
from rushes.packaging.lint.reach import Unreachable
from rushes.packaging.lint.report import Report, certificate, rows, summary
from rushes.packaging.lint.rule import Severity

BROKEN, FAILED = 1, 2
_WIDTH = 160


def lint(
    target: Annotated[str, typer.Argument(help="Address of a master.m3u8 or .mpd, or a directory or file.")],
    deep: Annotated[bool, typer.Option("--deep", help="The boxes of all segments.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Few segments; rates are not measured.")] = False,
    fail_on: Annotated[str, typer.Option(help="must or should: what makes the exit code 2.")] = "must",
    json_output: JsonOption = False,
) -> None:
    """Check a stream, anybody's: HLS, DASH, CMAF and what its server says, rule by rule with its clause."""
    if deep and quick:
        raise typer.BadParameter("--deep and --quick do not go together.")
    if fail_on not in (Severity.MUST, Severity.SHOULD):
        raise typer.BadParameter("--fail-on is must or should.")
    try:
        found = _watched(target, DEEP if deep else QUICK if quick else USUAL)
    except Unreachable as error:
        if not is_address(target):
            raise typer.BadParameter(str(error)) from error
        stderr().print(f"Nothing to check: {error}", style="red", markup=False, soft_wrap=True)
        raise typer.Exit(FAILED) from error
    if json_output:
        print(as_json(certificate(found, target)))
    else:
        _show(found)
    counted = (Severity.MUST,) if fail_on == Severity.MUST else (Severity.MUST, Severity.SHOULD)
    raise typer.Exit(FAILED if found.failed(*counted) else BROKEN if found.broken else 0)


def _watched(target: str, depth: Depth) -> Report:
    with Progress(console=stderr(), transient=True) as progress:
        task = progress.add_task("reading", total=1.0)
        return check(target, depth, lambda done: progress.update(task, completed=done))


def _show(found: Report) -> None:
    console = Console(soft_wrap=False)
    console = Console(width=console.width if console.is_terminal else _WIDTH)
    if found.failed():
        table = Table("rule", "severity", "clause", "where", "measured", box=None, pad_edge=False)
        for row in rows(found):
            table.add_row(*(escape(cell) for cell in row))
        console.print(table)
    for note in found.notes:
        console.print(f"note: {escape(note)}")
    console.print(escape(summary(found)))
