"""Which sandbox works on this machine, found out once by trying; and what its command lines need of the machine."""

from __future__ import annotations

import os
import shutil
import sys
from functools import lru_cache
from pathlib import Path

from rushes.errors import Blame, StepFailure
from rushes.ffmpeg.confinement import Confinement, Mode, bwrap_command, environment, jail_command
from rushes.ffmpeg.process import Process

_TRIAL_SECONDS = 10.0


@lru_cache(maxsize=8)
def detect(wanted: str) -> Mode:
    """The mode for a setting `required`, `preferred` or `off`, or for the name of a mode (for tests and `doctor`).

    Raises StepFailure `internal` if a sandbox is required and neither bubblewrap nor Landlock works.
    """
    if wanted in (Mode.OFF, Mode.RLIMITS):
        return Mode(wanted)
    candidates = [Mode(wanted)] if wanted in (Mode.BWRAP, Mode.LANDLOCK) else [Mode.BWRAP, Mode.LANDLOCK]
    working = next((mode for mode in candidates if works(mode)), None)
    if working is not None:
        return working
    if wanted == "preferred":
        return Mode.RLIMITS if works(Mode.RLIMITS) else Mode.OFF
    raise StepFailure(
        "internal",
        Blame.TRANSIENT,
        message="No sandbox works here, and RUSHES_SANDBOX requires one. Install bubblewrap and allow user namespaces, "
        "use a kernel with Landlock (5.13 or newer), or set RUSHES_SANDBOX=preferred.",
    )


def works(mode: Mode) -> bool:
    """Whether a harmless program runs to its end in that mode."""
    harmless = shutil.which("true", path="/usr/bin:/bin")
    if harmless is None or (mode is Mode.BWRAP and shutil.which("bwrap") is None):
        return False
    command = confine(mode, Confinement(reads=(), libraries=(Path(harmless),)), [harmless])
    try:
        process = Process(command, minimal_environment(mode), quiet=True)
    except OSError:
        return False
    try:
        return process.wait(_TRIAL_SECONDS) and process.returncode == 0
    finally:
        process.kill()


def confine(mode: Mode, confinement: Confinement, command: list[str]) -> list[str]:
    """The command with its sandbox before it. For a child of this very process: it ends with it."""
    if mode is Mode.BWRAP:
        return [*bwrap_command(shutil.which("bwrap") or "bwrap", confinement, shutil.which("prlimit")), *command]
    return [*jail_command(mode, sys.executable, os.getpid(), confinement), *command]


def minimal_environment(mode: Mode, confinement: Confinement | None = None) -> dict[str, str]:
    return environment(mode, confinement or Confinement(reads=()))


def python_arguments(module: str) -> list[str]:
    """Arguments that make Python run a module of ours.

    The package is named by its own folder: the one around it, a checkout as a rule, is not to be seen in there.
    """
    package = Path(__file__).resolve().parents[1]
    load = (
        "import importlib.util as u,runpy,sys;"
        f"s=u.spec_from_file_location({package.name!r},{str(package / '__init__.py')!r},"
        f"submodule_search_locations=[{str(package)!r}]);"
        f"m=u.module_from_spec(s);sys.modules[{package.name!r}]=m;s.loader.exec_module(m);"
        f"runpy.run_module({module!r},run_name='__main__')"
    )
    return ["-I", "-B", "-c", load]


@lru_cache(maxsize=1)
def python_libraries() -> tuple[Path, ...]:
    """What a Python child of ours has to read: the interpreter, its packages, and ours; never the whole checkout."""
    packages = [Path(entry) for entry in sys.path if Path(entry).name in ("site-packages", "dist-packages")]
    ours = Path(__file__).resolve().parents[1]
    places = [Path(sys.prefix), Path(sys.base_prefix), Path(sys.executable).resolve(), *packages, ours]
    return tuple(dict.fromkeys(place for place in places if place.exists() and place != Path("/")))
