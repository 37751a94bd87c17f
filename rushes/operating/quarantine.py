"""`rushes quarantine`: steps that killed their workers, and what is needed to see it happen again."""

from __future__ import annotations

from typing import Annotated

import typer

from rushes.client import Client
from rushes.console import as_json
from rushes.encoding import LOCAL, JsonOption, ServerOption, TokenOption
from rushes.operating.listing import act, table

commands = typer.Typer(no_args_is_help=True, help="Steps that killed their workers and were put aside.")
PAGE = 100
StepArgument = Annotated[str, typer.Argument(help="ASSET/KEY, as `rushes quarantine ls` has them, or its id.")]


def register(app: typer.Typer) -> None:
    app.add_typer(commands, name="quarantine")


@commands.command("ls")
def list_steps(
    released: Annotated[bool, typer.Option("--all", help="Those too that were let go.")] = False,
    server: ServerOption = LOCAL,
    token: TokenOption = None,
    json_output: JsonOption = False,
) -> None:
    """List them, newest first."""
    page = Client(server, token).call("GET", "/v1/quarantine", limit=PAGE, released=str(released).lower())
    if json_output:
        print(as_json(page))
        return
    table(("asset", "key", "tenant", "reason_code", "at", "released_at"), page["items"])


@commands.command("show", epilog="Example: rushes quarantine show 01hzy.../encode.h264.0 > bundle.json")
def show(step: StepArgument, server: ServerOption = LOCAL, token: TokenOption = None) -> None:
    """Print what is needed to do the step again elsewhere, as JSON: `rushes replay` takes it."""
    print(as_json(Client(server, token).call("GET", f"/v1/quarantine/{step}")["bundle"]))


@commands.command("release")
def release(
    step: StepArgument, server: ServerOption = LOCAL, token: TokenOption = None, json_output: JsonOption = False
) -> None:
    """Try it once more, from the beginning: when its cause is mended."""
    act(Client(server, token), "POST", f"/v1/quarantine/{step}/release", json_output)
