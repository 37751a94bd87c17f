"""What operators do to workers and pools: drain, cordon, pause."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rushes.client import Client
from rushes.clock import pause as wait_a_moment
from rushes.console import as_json, stderr
from rushes.encoding import LOCAL, JsonOption, ServerOption, TokenOption
from rushes.states import Pool

EVERY = 1.0
"""Seconds between two looks at a worker that is waited for."""

WorkerArgument = Annotated[str, typer.Argument(help="Its name in `rushes fleet`, or the beginning of it.")]
PoolArgument = Annotated[str, typer.Argument(help=", ".join(Pool))]


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: rushes drain worker-7 --wait && poweroff")(drain)
    app.command()(cordon)
    app.command()(uncordon)
    app.command(epilog="Example: rushes pause speech --reason 'new model'")(pause)
    app.command()(resume)


def drain(
    worker: WorkerArgument,
    wait: Annotated[bool, typer.Option("--wait", help="Until it runs nothing any more, or has gone.")] = False,
    server: ServerOption = LOCAL,
    token: TokenOption = None,
    json_output: JsonOption = False,
) -> None:
    """Have a worker take nothing more, let what runs end for RUSHES_DRAIN_SECONDS, and give the rest back. It stays, idle."""
    client = Client(server, token)
    found = _ask(client, worker, "drain")
    if wait:
        _watch(client, found["id"])
    _tell(found, json_output, f"{found['id']}: {'drained' if wait else 'is draining'}")


def cordon(
    worker: WorkerArgument,
    server: ServerOption = LOCAL,
    token: TokenOption = None,
    json_output: JsonOption = False,
) -> None:
    """Have a worker take nothing more. What it runs goes on, and it stays."""
    found = _ask(Client(server, token), worker, "cordon")
    _tell(found, json_output, f"{found['id']}: cordoned")


def uncordon(
    worker: WorkerArgument,
    server: ServerOption = LOCAL,
    token: TokenOption = None,
    json_output: JsonOption = False,
) -> None:
    """Let a cordoned worker take work again."""
    found = _ask(Client(server, token), worker, "uncordon")
    _tell(found, json_output, f"{found['id']}: takes work again")


def pause(
    pool: PoolArgument,
    reason: Annotated[str, typer.Option(help="Told to who asks why something waits.")] = "",
    server: ServerOption = LOCAL,
    token: TokenOption = None,
    json_output: JsonOption = False,
) -> None:
    """Have no step of a pool begin, on any worker. What runs goes on; what comes in waits."""
    answer = Client(server, token).call("POST", _pool(pool, "pause"), body={"reason": reason})
    _tell(answer, json_output, f"{pool}: paused")


def resume(
    pool: PoolArgument, server: ServerOption = LOCAL, token: TokenOption = None, json_output: JsonOption = False
) -> None:
    """Let the steps of a paused pool begin again."""
    answer = Client(server, token).call("POST", _pool(pool, "resume"))
    _tell(answer, json_output, f"{pool}: goes on")


def matching(workers: list[dict[str, Any]], name: str) -> str:
    """The one worker of that name, or the only one whose name begins with it. Raises BadParameter."""
    if not name:  # a variable that is not set, as a rule; each name begins with nothing
        raise typer.BadParameter("Name a worker; `rushes fleet` has their names.")
    names = [str(worker["id"]) for worker in workers]
    found = [name] if name in names else [known for known in names if known.startswith(name)]
    if len(found) == 1:
        return found[0]
    if found:
        raise typer.BadParameter(f"{name} may be any of {', '.join(found)}.")
    raise typer.BadParameter(f"There is no worker {name}; there are {', '.join(names) or 'none'}.")


def _ask(client: Client, worker: str, wanted: str) -> dict[str, Any]:
    name = matching(client.call("GET", "/v1/fleet")["workers"], worker)
    answer: dict[str, Any] = client.call("POST", f"/v1/fleet/workers/{name}/{wanted}")
    return answer


def _pool(pool: str, wanted: str) -> str:
    if pool not in set(Pool):
        raise typer.BadParameter(f"There is no pool {pool}; there are {', '.join(Pool)}.")
    return f"/v1/fleet/pools/{pool}/{wanted}"


def _watch(client: Client, worker: str) -> None:
    """Until the worker has heard of it and runs nothing, or has gone."""
    with stderr().status(f"{worker}: is told") as status:
        while sentence := _left(client, worker):
            status.update(sentence)
            wait_a_moment(EVERY)


def _left(client: Client, worker: str) -> str:
    """What is still to come, in words; empty: nothing."""
    found = next((one for one in client.call("GET", "/v1/fleet")["workers"] if one["id"] == worker), None)
    if found is None or (found["state"] == "draining" and not found["steps"]):
        return ""
    left = len(found["steps"])
    return f"{worker}: {found['state']}, {left} {'step' if left == 1 else 'steps'} left"


def _tell(answer: dict[str, Any], json_output: bool, sentence: str) -> None:
    if json_output:
        print(as_json(answer))
    else:
        stderr().print(sentence, markup=False)
