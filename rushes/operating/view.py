"""`rushes fleet`: pools, workers, steps; `--watch` draws them again and again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from rushes.client import Client
from rushes.clock import pause
from rushes.console import as_json, stderr
from rushes.encoding import LOCAL, JsonOption, ServerOption, TokenOption
from rushes.errors import RushesError
from rushes.operating.listing import table

STEPS = 3
"""Of a worker, by name; the rest is a number."""
STYLES = {"working": "green", "draining": "yellow", "cordoned": "yellow"}
SPEEDY = 0.75
"""Of what others reach, below which a worker's speed is shown as a warning."""
View = Mapping[str, Any]


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: rushes fleet --watch")(fleet)


def fleet(
    watch: Annotated[bool, typer.Option("--watch", help="Go on, until Ctrl-C.")] = False,
    every: Annotated[float, typer.Option(min=0.2, max=3600, help="Seconds between looks.")] = 1.0,
    server: ServerOption = LOCAL,
    token: TokenOption = None,
    json_output: JsonOption = False,
) -> None:
    """Show pools with their backlog in seconds, and workers with their steps and their speed."""
    client = Client(server, token)

    def look() -> View:
        found: View = client.call("GET", "/v1/fleet")
        return found

    if not watch:
        tell(look(), json_output=json_output)
        return
    console = stderr()
    if json_output or not console.is_terminal:
        for _ in _again(every):
            tell(look(), json_output=json_output)
    live(look, console, _again(every))


def tell(view: View, *, json_output: bool) -> None:
    """Plain, for scripts and logs."""
    if json_output:
        print(as_json(view), flush=True)
        return
    table(("pool", "ready", "running", "waiting", "backlog_seconds", "oldest_ready_seconds"), view["pools"])
    for found in view["pools"]:
        if found["paused"]:
            print(_with(f"pool {found['pool']} is paused", found["reason"]))
    for found in view["workers"]:
        state = "" if found["state"] == "working" else f" ({_with(found['state'], found['reason'])})"
        print(f"worker {found['id']}{state}: {', '.join(found['steps']) or 'idle'}", flush=True)


def _with(sentence: str, reason: str) -> str:
    return f"{sentence}: {reason}" if reason else sentence


def _again(every: float) -> Iterable[None]:
    while True:
        yield
        pause(every)


def live(look: Callable[[], View], console: Console, looks: Iterable[None]) -> None:
    """Drawn over what was drawn before. A server that does not answer is said, and asked again."""
    with Live(console=console, screen=True, auto_refresh=False) as screen:
        drawn: View | None = None
        for _ in looks:
            trouble = ""
            try:
                drawn = look()
            except RushesError as error:
                trouble = error.message
            screen.update(drawing(drawn, trouble), refresh=True)


def drawing(view: View | None, trouble: str = "") -> Group:
    """`trouble`: why the view is not of now."""
    parts = [] if view is None else [pools(view["pools"]), workers(view["workers"])]
    return Group(*([Text(trouble, style="red")] if trouble else []), *parts)


def pools(rows: Sequence[View]) -> Table:
    found = Table(title="Pools", title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for name in ("pool", "backlog", "CPU", "ready", "run", "wait", "oldest", "workers", "cores"):
        found.add_column(name, justify="left" if name == "pool" else "right", no_wrap=True)
    for row in rows:
        work = row["ready_cpu_seconds"] + row["running_cpu_seconds"]
        stuck = row["ready"] > 0 and not row["workers"]
        found.add_row(
            Text(row["pool"] + (" (paused)" if row["paused"] else "")), span(row["backlog_seconds"]), span(work),
            str(row["ready"]), str(row["running"]), str(row["waiting"]), span(row["oldest_ready_seconds"]),
            Text(str(row["workers"]), style="red" if stuck else ""), f"{row['cores']:g}",
            style="yellow" if row["paused"] else "" if row["ready"] + row["running"] else "dim",
        )  # fmt: skip
    return found


def workers(rows: Sequence[View]) -> Table:
    found = Table(
        title=f"Workers: {len(rows)}", title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False
    )
    for name in ("worker", "state", "pools", "busy", "cores", "speed", "steps"):
        found.add_column(
            name, justify="right" if name in ("busy", "cores", "speed") else "left", no_wrap=name == "worker"
        )
    for row in rows:
        state = row["state"] + (f" ({row['reason']})" if row["reason"] else "")
        found.add_row(
            Text(row["id"]), Text(state, style=STYLES.get(row["state"], "")), ", ".join(row["pools"]),
            f"{len(row['steps'])}/{row['slots']}", f"{row['cores']:g}", _speed(row["speed"]), Text(_steps(row["steps"])),
        )  # fmt: skip
    return found


def _speed(speed: float) -> Text:
    """Estimated by real CPU seconds."""
    return Text("") if speed <= 0 else Text(f"{speed:.2f}x", style="red" if speed < SPEEDY else "")


def _steps(steps: Sequence[str]) -> str:
    """`encode.3 of ...abc123`, as the pages say it."""
    named = [f"{key} of …{asset[-6:]}" for asset, _, key in (step.partition("/") for step in steps[:STEPS])]
    return ", ".join(named) + (f" and {len(steps) - STEPS} more" if len(steps) > STEPS else "")


def span(seconds: float) -> str:
    """`42 s`, `3.5 min`, `2.1 h`, `4.0 d`."""
    for size, unit in ((86_400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
