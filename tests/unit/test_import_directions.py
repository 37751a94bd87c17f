"""Rooms may import only what lies below them, and pure files nothing that acts. Read from the source, not by import."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FLOOR = {
    "noun",
    "facts",
    "model",
    "tracks",
    "media_keys",
    "plan",
    "options",
    "logs",
    "states",
    "keys",
    "errors",
    "settings",
    "profiles",
    "policies",
    "clock",
    "text",
    "addresses",
    "tokens",
    "quotas",
    "tracing",
}
LEVELS = [
    {"floor"},
    {"isobmff", "engine"},
    {"ffmpeg", "storage", "catalog"},
    {"transcoder", "packaging", "enrichment", "moderation"},
    {"workers", "ingest", "api", "web"},
    {"chaos"},
    {"cli"},
]
TOP = "cli"
"""The files that wire the rooms: the command line and what it is made of."""
WIRING = {"operating"}
"""Folders that belong to it."""
PURE = [
    *(
        f"rushes/{name}.py"
        for name in (
            "model",
            "tracks",
            "media_keys",
            "plan",
            "options",
            "states",
            "keys",
            "errors",
            "profiles",
            "policies",
            "addresses",
            "tokens",
            "tracing",
        )
    ),
    "rushes/isobmff/*.py",
    "rushes/engine/*.py",
    "rushes/engine/simulate/*.py",
    *(
        f"rushes/ffmpeg/{name}.py"
        for name in ("argv", "sniff", "combing", "outline", "provenance", "rates", "segment", "tags", "timeline")
    ),
    "rushes/storage/names.py",
    "rushes/storage/types.py",
    "rushes/packaging/purge.py",
    "rushes/transcoder/ladder.py",
    "rushes/transcoder/chunks.py",
    "rushes/transcoder/vbv.py",
    "rushes/transcoder/stretch.py",
    "rushes/transcoder/grid.py",
    "rushes/transcoder/filters.py",
    "rushes/transcoder/first_look.py",
    "rushes/transcoder/reuse.py",
    *(
        f"rushes/transcoder/{name}.py"
        for name in ("surface", "surface_priors", "hull", "trials", "windows", "complexity")
    ),
    "rushes/transcoder/quality_ladder.py",
    "rushes/transcoder/languages.py",
    "rushes/transcoder/limits.py",
    "rushes/transcoder/loudness.py",
    "rushes/transcoder/watermark.py",
    "rushes/moderation/policy.py",
    "rushes/moderation/capabilities.py",
    "rushes/moderation/taxonomy.py",
    "rushes/moderation/sampling.py",
    "rushes/moderation/spans.py",
]
ACTING = {
    "os", "subprocess", "socket", "ssl", "sqlite3", "shutil", "tempfile", "glob", "signal", "fcntl", "asyncio",
    "threading", "multiprocessing", "urllib.request", "http", "httpx", "requests", "uvicorn", "fastapi", "psutil",
    "rushes.storage.local", "rushes.storage.memory", "rushes.storage.open", "rushes.storage.workspace",
    "rushes.catalog", "rushes.ffmpeg.door", "rushes.settings",
}  # fmt: skip
"""What a pure file may not import, neither itself nor through others of ours."""


def imports(source: str) -> Iterator[str]:
    """Every module that is imported anywhere in the source, by its full name; for `from a import b` also `a.b`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide where a name comes from"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(module: str) -> str | None:
    """`rushes.storage.local` -> `storage`; None for what is not ours. Single files beside the rooms are floor or top."""
    parts = module.split(".")
    if parts[0] != "rushes" or len(parts) < 2:
        return None
    if parts[1] in FLOOR:
        return "floor"
    return TOP if parts[1] in WIRING or (ROOT / "rushes" / f"{parts[1]}.py").is_file() else parts[1]


def level(name: str) -> int:
    return next((number for number, names in enumerate(LEVELS) if name in names), -1)


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def forbidden(importer: str, source: str) -> list[str]:
    """Imports of a module that go sideways or upwards."""
    mine = room(importer)
    found = []
    for target in imports(source):
        theirs = room(target)
        if theirs is None or theirs == mine or level(theirs) < 0:
            continue
        if mine is None or level(theirs) >= level(mine):
            found.append(f"{importer} imports {target}")
    return found


SOURCES = {name_of(path): path for path in sorted((ROOT / "rushes").rglob("*.py")) if "node_modules" not in path.parts}


@pytest.mark.parametrize("module", SOURCES)
def test_imports_go_downwards(module: str):
    assert forbidden(module, SOURCES[module].read_text(encoding="utf-8")) == []


def test_every_room_has_a_level():
    rooms = {room(module) for module in SOURCES} - {None}
    assert rooms <= set().union(*LEVELS)


def acting(module: str, seen: frozenset[str] = frozenset()) -> list[str]:
    """What acts among the imports of a module of ours, with the way there."""
    found = []
    for target in imports(SOURCES[module].read_text(encoding="utf-8")):
        if any(target == name or target.startswith(f"{name}.") for name in ACTING):
            found.append(f"{module} -> {target}")
        elif target in SOURCES and target not in seen:
            found += [f"{module} -> {way}" for way in acting(target, seen | {module, target})]
    return found


@pytest.mark.parametrize("pattern", PURE)
def test_pure_files_import_nothing_that_acts(pattern: str):
    paths = list(ROOT.glob(pattern))
    assert paths, f"{pattern} is on the list of pure files, but there is no such file"
    assert [way for path in paths for way in acting(name_of(path))] == []


@pytest.mark.parametrize(
    ("importer", "source", "wrong"),
    [
        ("rushes.moderation.labels", "from rushes.enrichment.poster import run", True),
        ("rushes.moderation.labels", "import rushes.workers.pool", True),
        ("rushes.storage.local", "from rushes.catalog import catalog", True),
        ("rushes.engine.graph", "from rushes.storage.store import Headers", True),
        ("rushes.model", "def late():\n    import rushes.engine.job", True),
        ("rushes.api.app", "from rushes.cli import main", True),
        ("rushes.moderation.labels", "from rushes.moderation import nudenet", False),
        ("rushes.moderation.labels", "from rushes.storage.local import LocalStore\nimport os", False),
        ("rushes.cli", "from rushes.api.app import app", False),
        ("rushes.model", "from rushes.states import Pool", False),
    ],
)
def test_the_test_itself_sees_wrong_imports(importer: str, source: str, wrong: bool):
    assert bool(forbidden(importer, source)) is wrong


def test_the_test_itself_sees_acting_imports_through_others():
    assert acting("rushes.storage.open")
    assert acting("rushes.moderation.verdict")  # by way of the workspace
    assert not acting("rushes.states")
