"""The `rushes` command. It reads the settings, wires the rooms, and turns errors into sentences and exit codes.

Exit codes: 0 done, 1 our fault, 2 the input was refused, 3 held or blocked by policy, 64 usage.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from rushes import encoding, game_day, linting, logs, simulating
from rushes.catalog.database import DatabaseUnavailable
from rushes.client import Client
from rushes.console import StepBars, as_json, stderr
from rushes.encoding import LOCAL, ClipOption, JsonOption, ServerOption, TokenOption, parse_clip, said_of
from rushes.errors import Refused, RushesError
from rushes.operating import acts, assets, ledger, quarantine, replay, view, waiting
from rushes.operating.listing import table
from rushes.settings import Settings, SettingsError, load_settings
from rushes.states import Pool
from rushes.storage.store import StoreError
from rushes.workers.slots import asked

app = typer.Typer(
    name="rushes", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    help="A creator's upload becomes a published adaptive video.",
    epilog="Start with `rushes up`, then `rushes push clip.mp4` in another terminal.",
)  # fmt: skip
models = typer.Typer(no_args_is_help=True, help="Models for speech recognition.")
app.add_typer(models, name="models")
app.add_typer(encoding.watermarks, name="watermarks")
app.add_typer(simulating.app, name="simulate")
app.command(epilog="Example: rushes encode 01hzy... --profile quality")(encoding.encode)
app.command()(encoding.demand)
for commands in (waiting, assets, acts, quarantine, view, ledger, replay):
    commands.register(app)
game_day.register(app)
app.command(epilog="Example: rushes lint https://example.com/media/x/master.m3u8 --fail-on should")(linting.lint)

DataOption = Annotated[Path | None, typer.Option(help="Directory of the embedded stack.")]
SlotsOption = Annotated[
    str | None, typer.Option(help="Heavy steps at a time; 0 chooses by the cores. Also by pool: video=4,speech=1.")
]
PortOption = Annotated[int, typer.Option(min=1, max=65535)]


@app.command(epilog="Example: rushes up --port 9000 --data /var/lib/rushes")
def up(
    host: str = "127.0.0.1",
    port: PortOption = 8000,
    data: DataOption = None,
    slots: SlotsOption = None,
) -> None:
    """Run the embedded stack: uploads, catalog, origin, workers and pages by one command."""
    from rushes.server import run_stack

    raise typer.Exit(run_stack(_settings(data=data, **asked(slots)), host, port))


ParentOption = Annotated[int, typer.Option(hidden=True, help="Process of `up` that this one is a part of.")]
PoolsOption = Annotated[str, typer.Option(help=f"Kinds of steps to do: {','.join(Pool)}. Empty: all.")]


@app.command(epilog="Example: RUSHES_DATABASE_URL=postgresql://... RUSHES_AUTH=keys ... rushes serve --host 0.0.0.0")
def serve(host: str = "127.0.0.1", port: PortOption = 8000, parent: ParentOption = 0) -> None:
    """Run a web server of a fleet: uploads, API, origin and pages. Any number may run beside each other."""
    from rushes.server import run_web

    run_web(_settings(), host, port, parent)


@app.command(epilog="Example: rushes worker --pools video,audio --slots 8")
def worker(pools: PoolsOption = "", slots: SlotsOption = None, parent: ParentOption = 0) -> None:
    """Run a worker of a fleet. SIGTERM drains it: running steps get RUSHES_DRAIN_SECONDS to end."""
    from rushes.server import run_worker

    run_worker(_settings(**asked(slots)), _pools(pools), parent)


def _pools(names: str) -> tuple[Pool, ...]:
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    unknown = [name for name in wanted if name not in set(Pool)]
    if unknown:
        raise typer.BadParameter(f"There is no pool {', '.join(unknown)}; there are {', '.join(Pool)}.")
    return tuple(dict.fromkeys(Pool(name) for name in wanted)) or tuple(Pool)


@app.command(epilog="Example: rushes transcode clip.mov -o out && ls out/master.m3u8")
def transcode(  # noqa: PLR0913 - each is an option of the command
    file: Annotated[Path, typer.Argument(help="The video.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Directory for the stream.")],
    json_output: JsonOption = False,
    profile: Annotated[str | None, typer.Option(help="Name of a profile, or a file.")] = None,
    policy: Annotated[str | None, typer.Option(help="Name of a policy, or a file.")] = None,
    clip: ClipOption = "",
    watermark: Annotated[
        str, typer.Option(help="A picture to lay on it: logo.png, or logo.png,position=top-left,size=0.2,opacity=0.5.")
    ] = "",
) -> None:
    """Take one file through the whole pipeline, without a server."""
    from rushes.oneshot import Extras, record
    from rushes.oneshot import transcode as run

    if not file.is_file():
        raise typer.BadParameter(f"There is no file {file}.")
    console = stderr()
    with tempfile.TemporaryDirectory(prefix="rushes-", dir=_work_parent(out)) as work, StepBars(console) as bars:
        settings = _settings(data=Path(work), profile=profile, policy=policy)
        logs.configure(settings.log_format, logging.ERROR)  # the bars tell the rest
        try:
            done = run(file, out, settings, bars.show, Extras(parse_clip(clip), watermark))
        except Refused as error:
            raise typer.BadParameter(error.message) from error
    line = record(done)
    (out / "asset.json").write_text(line + "\n", encoding="utf-8")
    if done.asset.reason:
        console.print(
            f"{done.asset.reason.code}: {done.asset.reason.message}", style="red", markup=False, soft_wrap=True
        )
    if json_output:
        print(line)
    raise typer.Exit(done.exit_code)


def _work_parent(out: Path) -> Path:
    """Work beside the output, so that large files move instead of being copied across file systems."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise typer.BadParameter(f"{out} is no directory, and cannot become one.") from error
    return out.absolute().parent


@app.command(epilog="Example: rushes push *.mp4 --wait published")
def push(  # noqa: PLR0913 - each is an option of the command
    files: Annotated[list[Path], typer.Argument(help="Videos to upload, or directories of them.")],
    server: ServerOption = LOCAL,
    token: TokenOption = None,
    wait: Annotated[str, typer.Option(help="uploaded, playable, ready or published")] = "ready",
    parallel: Annotated[
        int | None, typer.Option(min=1, max=16, help="Parts of a file at once. [4 from 64 MiB]")
    ] = None,
    profile: Annotated[str, typer.Option(help="Name of a profile of the server.")] = "",
    clip: ClipOption = "",
    watermark: Annotated[
        str,
        typer.Option(help="Name of a watermark (`rushes watermarks`), or name,position=top-left,size=0.2,opacity=0.5."),
    ] = "",
    playback: Annotated[str, typer.Option(help="signed: nobody plays it without a token.")] = "",
    json_output: JsonOption = False,
) -> None:
    """Upload with progress; run again after a cut it resumes. Then show the steps until the asset is `--wait`."""
    from rushes.ingest.push import push as run

    if wait not in ("uploaded", "playable", "ready", "published"):
        raise typer.BadParameter("--wait is one of uploaded, playable, ready, published.")
    said = said_of(profile, clip, watermark, playback)
    code = run(
        files,
        server=server,
        token=token,
        wait=wait,
        json_output=json_output,
        console=stderr(),
        parallel=parallel,
        said=said,
    )
    raise typer.Exit(code)


@app.command("ls")
def list_assets(
    server: ServerOption = LOCAL, token: TokenOption = None, limit: int = 50, json_output: JsonOption = False
) -> None:
    """List assets, newest first."""
    page = Client(server, token).call("GET", "/v1/assets", limit=limit)
    if json_output:
        print(as_json(page))
        return
    names = ("id", "state", "publication", "created_at", "title")
    table(names, page["items"])


@app.command()
def show(asset: str, server: ServerOption = LOCAL, token: TokenOption = None, json_output: JsonOption = False) -> None:
    """Show one asset: its record as JSON."""
    print(as_json(Client(server, token).call("GET", f"/v1/assets/{asset}")))


@app.command()
def migrate(data: DataOption = None, json_output: JsonOption = False) -> None:
    """Bring the database up to date."""
    from rushes.catalog.open import open_database
    from rushes.wiring import await_database

    applied = await_database(open_database(_settings(data=data).database).migrate)
    print(as_json(applied) if json_output else "\n".join(applied) or "The database is up to date.")


@app.command()
def doctor(data: DataOption = None, json_output: JsonOption = False) -> None:
    """Check everything the machine needs, and say what to do where something is missing."""
    from rushes.workers.doctor import checks

    found = checks(_settings(data=data))
    if json_output:
        print(as_json([vars(check) for check in found]))
    for check in found if not json_output else ():
        print(f"{'ok  ' if check.ok else 'FAIL'} {check.name}: {check.detail}")
        if not check.ok and check.remedy:
            print(f"     -> {check.remedy}")
    raise typer.Exit(0 if all(check.ok for check in found) else 1)


@app.command(epilog="Example: rushes audit --repair, after a restore of the database or of the object store")
def audit(
    repair: Annotated[
        bool, typer.Option("--repair", help="Have what disagrees put right; workers do the rest.")
    ] = False,
    data: DataOption = None,
    json_output: JsonOption = False,
) -> None:
    """Compare the catalog with the object store. Exit 1 if something is wrong and was not put right."""
    from rushes import wiring
    from rushes.storage.open import open_store
    from rushes.workers.audit import audit as run
    from rushes.workers.doorbell import open_doorbell

    settings, console = _settings(data=data), stderr()
    catalog = wiring.catalog(wiring.open_catalog(settings, open_doorbell(settings)))
    with console.status("comparing ...") as status:
        store = open_store(settings.storage)
        found = list(
            run(catalog, store, repair=repair, progress=lambda count: status.update(f"{count} assets compared"))
        )
    if json_output:
        print(
            as_json(
                [
                    {"asset": each.asset, "code": each.fault, "message": each.fault.message, "mended": each.mended}
                    for each in found
                ]
            )
        )
    for each in found if not json_output else ():
        print(f"{each.asset}  {each.fault}: {each.fault.message}{' Put right.' if each.mended else ''}")
    if not (found or json_output):
        print("The catalog and the object store agree.")
    raise typer.Exit(0 if all(each.mended for each in found) else 1)


@app.command(
    "import", epilog="Example: rushes import 's3://archive/2019?endpoint_url=https://s3.example.com' --dry-run"
)
def import_(  # noqa: PLR0913 - each is an option of the command
    source: Annotated[str, typer.Argument(help="s3://bucket/prefix?endpoint_url=..., or a directory.")],
    manifest: Annotated[
        Path | None, typer.Option(help="CSV or JSON lines: path, title, tenant, external_id, profile, metadata.")
    ] = None,
    tenant: Annotated[str, typer.Option(help="Whose assets they become.")] = "default",
    rate: Annotated[str | None, typer.Option(help="At most so much: 30/min (files), 20MB/s (bytes).")] = None,
    at_once: Annotated[int, typer.Option(min=1, max=64, help="Files at a time.")] = 4,
    everything: Annotated[bool, typer.Option("--all", help="Also files that are no videos by their names.")] = False,
    profile: Annotated[
        str, typer.Option(help="Name of a profile, or a file. A manifest may say another for each.")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be imported, and do nothing.")] = False,
    data: DataOption = None,
    json_output: JsonOption = False,
) -> None:
    """Import a back catalogue, beside the work that people wait for. Run again it goes on; each file comes once."""
    from rushes.back_catalogue import Order, run
    from rushes.ingest.rate import parse_rate

    try:
        pace = parse_rate(rate) if rate else None
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    order = Order(source, tenant, manifest, pace, at_once, everything, profile)
    report = run(order, _settings(data=data), stderr(), dry_run=dry_run)
    print(as_json(report.as_dict()) if json_output else "\n".join(report.lines()))
    raise typer.Exit(report.exit_code)


@models.command("pull", epilog="Example: rushes models pull small --data /var/lib/rushes")
def pull(name: str, data: DataOption = None) -> None:
    """Download a Whisper model (needs a network); models are never fetched otherwise."""
    target = _settings(data=data).data / "models" / name
    try:
        from faster_whisper import download_model

        path = download_model(name, output_dir=str(target))
    except ImportError as error:
        raise RushesError("extra_missing", "Install the extra first: pip install 'rushes[speech]'.") from error
    except Exception as error:  # the hub's client has a zoo of exceptions; each means that nothing was pulled
        raise RushesError("model_unavailable", f"The model {name!r} could not be downloaded: {error}") from error
    print(f"Set RUSHES_WHISPER_MODEL={path}")


def _settings(**overrides: Any) -> Settings:  # noqa: ANN401 - the model validates them
    settings = load_settings(os.environ, **overrides)
    logs.configure(settings.log_format)
    return settings


_USAGE_ERROR = cast(type[typer.BadParameter], typer.BadParameter.__mro__[1])
"""Typer's UsageError, which it does not export: the parent of everything wrong with a command line."""


def main() -> None:
    """Entry point: run the command, answer with the documented exit code."""
    try:
        code = app(standalone_mode=False)
    except _USAGE_ERROR as error:
        if sentence := error.format_message().rstrip("."):
            print(f"{sentence}. See `rushes --help`.", file=sys.stderr)
        code = 64
    except (typer.Abort, KeyboardInterrupt):
        code = 130
    except (SettingsError, RushesError) as error:
        stderr().print(
            error.message if isinstance(error, RushesError) else str(error), style="red", markup=False, soft_wrap=True
        )
        code = 64 if isinstance(error, SettingsError) else 1
    except (OSError, DatabaseUnavailable, StoreError) as error:  # a full disk, no leave to write, a part that is away
        stderr().print(str(error), style="red", markup=False, soft_wrap=True)
        code = 1
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
