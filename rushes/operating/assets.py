"""What is done to one asset: try again, stop, delete, let it go before others or after them."""

from __future__ import annotations

from typing import Annotated

import typer

from rushes.client import Client
from rushes.encoding import LOCAL, JsonOption, ServerOption, TokenOption
from rushes.engine.classes import Class
from rushes.operating.listing import act

CLASSES = tuple(chosen.name.lower() for chosen in sorted(Class, reverse=True))


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: rushes retry 01hzy... --from package.1")(retry)
    app.command()(cancel)
    app.command()(delete)
    app.command(epilog="Example: rushes priority 01hzy... bulk")(priority)


def retry(
    asset: str,
    step: Annotated[str, typer.Option("--from", help="Do this step and all that rest on it again, done or not.")] = "",
    server: ServerOption = LOCAL,
    token: TokenOption = None,
    json_output: JsonOption = False,
) -> None:
    """Start the failed and cancelled steps of an asset again."""
    body = {"from": step} if step else None
    act(Client(server, token), "POST", f"/v1/assets/{asset}/retry", json_output, body)


def cancel(
    asset: str, server: ServerOption = LOCAL, token: TokenOption = None, json_output: JsonOption = False
) -> None:
    """Stop the work on an asset."""
    act(Client(server, token), "POST", f"/v1/assets/{asset}/cancel", json_output)


def delete(
    asset: str, server: ServerOption = LOCAL, token: TokenOption = None, json_output: JsonOption = False
) -> None:
    """Take an asset down and delete everything of it."""
    act(Client(server, token), "DELETE", f"/v1/assets/{asset}", json_output)


def priority(
    asset: str,
    chosen: Annotated[str, typer.Argument(metavar="CLASS", help=", ".join(CLASSES))],
    server: ServerOption = LOCAL,
    token: TokenOption = None,
    json_output: JsonOption = False,
) -> None:
    """Let the work on an asset go before others', or after it. `fast` needs an operator's key."""
    if chosen not in CLASSES:
        raise typer.BadParameter(f"There is no class {chosen}; there are {', '.join(CLASSES)}.")
    act(Client(server, token), "POST", f"/v1/assets/{asset}/priority", json_output, {"class": chosen})
