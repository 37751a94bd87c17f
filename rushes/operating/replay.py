"""`rushes replay`: a step done again on this machine, as it was when it was set aside or as it is now, to see how it ends."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rushes.console import as_json, stderr
from rushes.encoding import JsonOption

AGAIN = 1
"""Exit code: it failed, as it did before or otherwise."""


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: rushes replay 01hzy.../encode.0")(replay)


def replay(
    step: Annotated[
        str, typer.Argument(metavar="STEP|BUNDLE", help="Id of a step, ASSET/KEY, or a file with its bundle.")
    ],
    source: Annotated[Path | None, typer.Option(help="A file to take in place of the original.", exists=True)] = None,
    keep: Annotated[Path | None, typer.Option(help="Directory for what the step makes; else it is removed.")] = None,
    data: Annotated[Path | None, typer.Option(help="Directory of the embedded stack.")] = None,
    json_output: JsonOption = False,
) -> None:
    """Do a step again here, in a process of its own, and say how it ends: 0 done, 1 failed or died.

    The object store is only read, the catalog only asked; what the step makes goes into a directory of its own.
    """
    from rushes.replaying import run  # deferred: it needs what a worker needs

    bundle, ended = run(step, source=source, keep=keep, data=data)
    failed = ended if ended.say == "failed" else None
    if json_output:
        about = {"step": bundle.step, "asset": bundle.asset, "key": bundle.key}
        print(as_json({**about, **ended.model_dump(mode="json")}))
    else:
        before = ", ".join(trial.reason_code for trial in bundle.trials if trial.reason_code) or "nothing"
        end = f"{failed.reason.code} ({failed.blame})" if failed else f"done, {ended.cpu_seconds:.1f} CPU seconds"
        stderr().print(f"{bundle.asset}/{bundle.key}: {end}; before: {before}", markup=False)
        stderr().print(failed.detail[-2000:] if failed else "", markup=False)
    if failed:
        raise typer.Exit(AGAIN)
