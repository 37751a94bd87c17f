"""`rushes ledger`: what work has cost."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rushes.client import Client
from rushes.console import as_json
from rushes.encoding import LOCAL, JsonOption, ServerOption, TokenOption
from rushes.operating.listing import table

KINDS = ("tenant", "kind", "rendition", "day")


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: rushes ledger --by tenant --since 2026-01-01")(ledger)


def ledger(  # noqa: PLR0913 - each is an option of the command
    asset: Annotated[str, typer.Argument(help="Of this asset only, by kind or rendition.")] = "",
    by: Annotated[str, typer.Option(help=", ".join(KINDS))] = "kind",
    since: Annotated[str, typer.Option(help="First day, YYYY-MM-DD (UTC). [30 days ago]")] = "",
    until: Annotated[str, typer.Option(help="Last day. [today]")] = "",
    tenant: Annotated[str, typer.Option(help="Of this tenant only.")] = "",
    server: ServerOption = LOCAL,
    token: TokenOption = None,
    json_output: JsonOption = False,
) -> None:
    """Show CPU seconds and bytes by tenant, kind of step, rendition or day; wasted work apart."""
    if by not in KINDS:
        raise typer.BadParameter(f"--by is one of {', '.join(KINDS)}.")
    asked: dict[str, Any] = {"asset": asset, "by": by, "since": since, "until": until, "tenant": tenant}
    found = Client(server, token).call("GET", "/v1/ledger", **{name: value for name, value in asked.items() if value})
    if json_output:
        print(as_json(found))
        return
    lines = [*found["lines"], {**found["total"], "name": "together"}]
    table(("name", "cpu", "wasted", "read", "written", "stored"), [shown(line) for line in lines])


def shown(line: dict[str, Any]) -> dict[str, str]:
    """A line as a person reads it."""
    return {
        "name": line["name"] or "(whole assets)",
        "cpu": f"{line['cpu_seconds']:.1f} s",
        "wasted": f"{line['wasted_cpu_seconds']:.1f} s",
        **{name: size(line[f"bytes_{name}"]) for name in ("read", "written", "stored")},
    }


def size(number: int) -> str:
    """`1536000` -> `1.5 MB`."""
    value = float(number)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
