"""`rushes chaos`: something goes wrong on a stack of its own, and it is told which bounds held."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rushes.console import as_json
from rushes.encoding import JsonOption
from rushes.errors import RushesError

if TYPE_CHECKING:
    from rushes.chaos.stack import Stack

ALL, RANDOM, LIST = "all", "random", "ls"
SHIPPED = (20.0, 5.0)
"""Lease and heartbeat as they are shipped."""
QUICK = (4.0, 1.0)


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: rushes chaos kill-worker --shipped")(chaos)


def chaos(
    name: Annotated[str, typer.Argument(help=f"A fault, `{ALL}` of them, `{RANDOM}` incidents, or `{LIST}`.")],
    shipped: Annotated[
        bool, typer.Option("--shipped", help="With the lease and heartbeat that are shipped; takes longer.")
    ] = False,
    runs: Annotated[int, typer.Option(min=1, help=f"Of `{RANDOM}`.")] = 5,
    seed: Annotated[int, typer.Option(help=f"Of the first of the `{RANDOM}` runs.")] = 1,
    json_output: JsonOption = False,
) -> None:
    """A game day: break something on a local stack of its own, and see which bounds hold. Touches nothing else.

    Steps on media are stand-ins, so that a day takes seconds; everything else is real. Exit 1 where a bound did not hold.
    """
    from rushes.chaos.faults import FAULTS  # deferred, as all of this room: no other command needs it
    from rushes.chaos.local import local_stack
    from rushes.chaos.servers import missing

    if name == LIST:
        _list(json_output)
        return
    if name not in (ALL, RANDOM, *FAULTS):
        raise typer.BadParameter(f"There is no fault {name}; `rushes chaos ls` lists them.")
    if lacking := missing():
        raise RushesError("extra_missing", f"A game day needs what is not here: {', '.join(lacking)}.")
    lease, heartbeat = SHIPPED if shipped else QUICK
    with local_stack(lease=lease, heartbeat=heartbeat) as stack:
        held = _random(stack, seed, runs) if name == RANDOM else _faults(stack, name, json_output)
    raise typer.Exit(0 if held else 1)


def _list(json_output: bool) -> None:
    from rushes.chaos.faults import FAULTS

    if json_output:
        print(as_json([{"name": fault.name, "number": fault.number, "what": fault.what} for fault in FAULTS.values()]))
        return
    for fault in FAULTS.values():
        print(f"{fault.number:2}  {fault.name:18} {fault.what}")


def _faults(stack: Stack, name: str, json_output: bool) -> bool:
    from rushes.chaos.fault import suffer
    from rushes.chaos.faults import FAULTS

    chosen = list(FAULTS.values()) if name == ALL else [FAULTS[name]]
    held = True
    for fault in chosen:
        bounds = suffer(fault, stack)
        held = held and bounds.held
        if json_output:
            print(as_json({"fault": fault.name, "held": bounds.held, "bounds": [vars(one) for one in bounds.found]}))
        else:
            print("\n".join((f"{fault.name}: {fault.what}", *(f"  {line}" for line in bounds.lines()))), flush=True)
    return held


def _random(stack: Stack, seed: int, runs: int) -> bool:
    from rushes.chaos import random_day

    held = True
    for number in range(seed, seed + runs):
        told, broken = random_day.live(stack, number)
        held = held and not broken
        print(f"seed {number}: {', '.join(told)}: {'; '.join(broken) or 'the promise held'}", flush=True)
    return held
