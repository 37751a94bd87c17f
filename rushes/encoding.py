"""The commands about how assets are encoded: encode one again, keep watermarks; and the options that other commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rushes.client import Client
from rushes.console import as_json, stderr
from rushes.errors import RushesError
from rushes.options import Asked, Clip, asked

ServerOption = Annotated[str, typer.Option(help="Address of the server.", envvar="RUSHES_SERVER")]
TokenOption = Annotated[str | None, typer.Option(help="API key.", envvar="RUSHES_TOKEN")]
JsonOption = Annotated[bool, typer.Option("--json", help="Machine-readable output on standard output.")]
ClipOption = Annotated[str, typer.Option(help="Only this stretch, in seconds: 1.5-4, or 1.5- to the end.")]
LOCAL = "http://127.0.0.1:8000"
watermarks = typer.Typer(no_args_is_help=True, help="Pictures that are laid on videos.")


def parse_clip(text: str) -> Clip | None:
    """`1.5-4`, `1.5-`, `-4`; None for the empty text. Raises BadParameter."""
    return _checked(_ends(text)).clip


def said_of(profile: str, clip: str, watermark: str, playback: str = "") -> dict[str, str]:
    """An upload's metadata for these options of the command line. Raises BadParameter."""
    said = {"profile": profile, "watermark": watermark, "playback": playback, **_ends(clip)}
    said = {key: value for key, value in said.items() if value}
    _checked(said)
    return said


def _ends(clip: str) -> dict[str, str]:
    start, dash, end = clip.partition("-")
    if clip and (not dash or clip == "-"):
        raise typer.BadParameter(_CLIP)
    return {"clip_start": start, "clip_end": end}


def _checked(said: dict[str, str]) -> Asked:
    try:
        return asked(said)
    except RushesError as error:
        raise typer.BadParameter(_CLIP if error.code == "bad_clip" else error.message) from error


_CLIP = "--clip is START-END in seconds, such as 1.5-4 or 1.5-."


def encode(
    asset: str,
    profile: Annotated[str, typer.Option(help="Name of a profile of the server.")] = "",
    cancel: Annotated[int, typer.Option(help="Give up the encode of this number instead.")] = 0,
    server: ServerOption = LOCAL,
    token: TokenOption = None,
    json_output: JsonOption = False,
) -> None:
    """Encode an asset again, by another profile, beside what plays. The new build replaces it when it is complete."""
    if bool(profile) == bool(cancel):
        raise typer.BadParameter("Say --profile NAME, or --cancel NUMBER.")
    client, path = Client(server, token), f"/v1/assets/{asset}/encodes"
    answer = (
        client.call("DELETE", f"{path}/{cancel}") if cancel else client.call("POST", path, body={"profile": profile})
    )
    if json_output:
        print(as_json(answer))
        return
    number = cancel or answer["encodes"][-1]["number"]
    found = next(one for one in answer["encodes"] if one["number"] == number)
    stderr().print(f"{asset}: encode {number} by {found['profile']}: {found['state']}", markup=False)


def demand(
    asset: str, server: ServerOption = LOCAL, token: TokenOption = None, json_output: JsonOption = False
) -> None:
    """Make what the profile of an asset leaves until somebody wants to see the video; or start again what failed of it."""
    answer = Client(server, token).call("POST", f"/v1/assets/{asset}/demand")
    if json_output:
        print(as_json(answer))
        return
    missing = ", ".join(rung["name"] for rung in answer["lazy"]["missing"]) or "nothing"
    stderr().print(f"{asset}: {answer['lazy']['state']}, missing: {missing}", markup=False)


@watermarks.command("put", epilog="Example: rushes watermarks put logo logo.png")
def put(
    name: str, file: Path, server: ServerOption = LOCAL, token: TokenOption = None, json_output: JsonOption = False
) -> None:
    """Store a PNG, WebP or JPEG under a name, or replace the one it has. Assets keep the picture they were created with."""
    if not file.is_file():
        raise typer.BadParameter(f"There is no file {file}.")
    answer = Client(server, token).call("PUT", f"/v1/watermarks/{name}", body=file.read_bytes())
    print(as_json(answer) if json_output else f"{answer['name']}  {answer['width']}x{answer['height']}")


@watermarks.command("ls")
def list_watermarks(server: ServerOption = LOCAL, token: TokenOption = None, json_output: JsonOption = False) -> None:
    """List them."""
    page = Client(server, token).call("GET", "/v1/watermarks")
    if json_output:
        print(as_json(page))
    for found in page["items"] if not json_output else ():
        print(f"{found['name']}  {found['width']}x{found['height']}")


@watermarks.command("rm")
def remove(name: str, server: ServerOption = LOCAL, token: TokenOption = None) -> None:
    """Take a name away. Assets that have the picture keep it."""
    Client(server, token).call("DELETE", f"/v1/watermarks/{name}")
