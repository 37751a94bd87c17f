"""`rushes why`: what an asset waits for."""

from __future__ import annotations

import typer

from rushes.client import Client
from rushes.console import as_json
from rushes.encoding import LOCAL, JsonOption, ServerOption, TokenOption


def register(app: typer.Typer) -> None:
    app.command()(why)


def why(asset: str, server: ServerOption = LOCAL, token: TokenOption = None, json_output: JsonOption = False) -> None:
    """Say what an asset is waiting for."""
    answer = Client(server, token).call("GET", f"/v1/assets/{asset}/why")
    print(as_json(answer) if json_output else answer["why"])
