"""The rules of the house that a linter does not know. Each check is shown to find what it is meant to find."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rushes.errors import REASONS

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [path for path in sorted((ROOT / "rushes").rglob("*.py")) if "node_modules" not in path.parts]
TESTS = sorted((ROOT / "tests").rglob("*.py"))
PROCESS_DOORS = {
    "rushes/ffmpeg/process.py": "the one door to ffmpeg",
    "rushes/ffmpeg/sandbox.py": "tries once which sandbox works here",
    "rushes/ffmpeg/jail.py": "becomes the tool after it has limited itself",
    "rushes/workers/": "each step is a child that can be killed",
    "rushes/embedded.py": "one command, several processes of ours",
    "rushes/web/build.py": "calls the JavaScript tool chain",
    "rushes/testing.py": "a whole stack for tests and benchmarks",
    "rushes/chaos/": "a stack that is started in order to be hurt",
}
"""Only these start processes: file or folder -> why."""
CLOCKS = {"rushes/clock.py": "the one door to time"}
"""File -> why it may ask for the time itself."""
MOST_LINES, MOST_FUNCTION_LINES = 400, 50

STARTING = re.compile(
    r"^(subprocess\.(Popen|run|call|check_call|check_output|getoutput|getstatusoutput)"
    r"|os\.(fork|forkpty|system|popen|posix_spawnp?|exec[lv]\w*|spawn[lv]\w*)"
    r"|asyncio\.create_subprocess_(exec|shell)|pty\.\w+|multiprocessing\.\w+)$"
)
TIME = re.compile(r"^(time\.(time|time_ns|sleep)|(datetime\.)*(datetime\.(now|utcnow|today)|date\.today))$")
MACHINE_PATH = re.compile(r"(?<![\w.<{$}-])/(?:home|root|Users|work|mnt)/[\w.-]+")

Finding = tuple[int, str]
Check = Callable[[ast.Module], Iterator[Finding]]


def dotted(node: ast.AST) -> str:
    """`a.b.c` of a chain of names, as far as it is one."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def used(tree: ast.Module, pattern: re.Pattern[str]) -> Iterator[Finding]:
    """Uses of a name by its full name, whether it was imported with its module, from it, or under another name."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.asname: alias.name for alias in node.names if alias.asname}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name):
            first, _, rest = dotted(node).partition(".")
            full = ".".join(part for part in (names.get(first, first), rest) if part)
            if pattern.match(full):
                yield node.lineno, full


def processes(tree: ast.Module) -> Iterator[Finding]:
    yield from used(tree, STARTING)


def clocks(tree: ast.Module) -> Iterator[Finding]:
    yield from used(tree, TIME)


def sleeps(tree: ast.Module) -> Iterator[Finding]:
    yield from used(tree, re.compile(r"^time\.sleep$"))


def shells(tree: ast.Module) -> Iterator[Finding]:
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "shell" and getattr(node.value, "value", True):
            yield node.value.lineno, "shell=True"


def bare_excepts(tree: ast.Module) -> Iterator[Finding]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and node.type is None:
            yield node.lineno, "bare except"


def unknown_reasons(tree: ast.Module) -> Iterator[Finding]:
    """Literal codes of StepFailure that errors.REASONS does not know: a creator would read a bare code."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and dotted(node.func).split(".")[-1] == "StepFailure":
            keyword = [one.value for one in node.keywords if one.arg == "code"]
            for argument in [*node.args[:1], *keyword]:
                if isinstance(argument, ast.Constant) and argument.value not in REASONS:
                    yield node.lineno, str(argument.value)


def long_functions(tree: ast.Module) -> Iterator[Finding]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            lines = node.end_lineno - node.lineno + 1
            if lines > MOST_FUNCTION_LINES:
                yield node.lineno, f"{node.name} has {lines} lines"


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def findings(check: Check, paths: list[Path], allowed: tuple[str, ...] = ()) -> list[str]:
    return [
        f"{relative(path)}:{line}: {what}"
        for path in paths
        if not any(relative(path).startswith(door) for door in allowed)
        for line, what in check(ast.parse(path.read_text(encoding="utf-8")))
    ]


def test_processes_start_behind_a_door():
    assert findings(processes, SOURCES, tuple(PROCESS_DOORS)) == []
    assert [door for door in PROCESS_DOORS if not (ROOT / door).exists()] == []


def test_time_comes_from_the_clock():
    assert all(CLOCKS.values())
    assert findings(clocks, SOURCES, tuple(CLOCKS)) == []


def test_tests_wait_for_conditions_and_never_sleep():
    assert findings(sleeps, TESTS) == []


@pytest.mark.parametrize("check", [shells, bare_excepts])
def test_never_anywhere(check: Check):
    assert findings(check, [*SOURCES, *TESTS]) == []


def test_every_reason_has_a_sentence():
    assert findings(unknown_reasons, SOURCES) == []
    assert all(sentence.endswith(".") and sentence[0].isupper() for sentence in REASONS.values())


def test_functions_and_files_stay_small():
    assert findings(long_functions, SOURCES) == []
    sizes = {relative(path): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert {name: lines for name, lines in sizes.items() if lines > MOST_LINES} == {}


def test_names_say_what_is_inside():
    junk = {"utils.py", "util.py", "helpers.py", "helper.py", "misc.py", "common.py"}
    assert [relative(path) for path in SOURCES if path.name in junk] == []
    assert [relative(path) for path in TESTS if path.name == "__init__.py"] == []


def texts() -> list[Path]:
    own = [path for folder in ("docs", "docker", "bench") for path in (ROOT / folder).rglob("*") if path.is_file()]
    plain = [
        path for path in own if path.suffix in (".md", ".txt", ".toml", ".yml", ".yaml", ".py", ".json", ".sh", "")
    ]
    return [*plain, *SOURCES, *ROOT.glob("*.md"), ROOT / "pyproject.toml"]


def machine_paths(text: str) -> list[str]:
    return MACHINE_PATH.findall(text)


def test_no_text_names_a_path_of_somebodys_machine():
    found = {relative(path): machine_paths(path.read_text(encoding="utf-8", errors="replace")) for path in texts()}
    assert {name: paths for name, paths in found.items() if paths} == {}


PLANTED = [
    (processes, "import subprocess\nsubprocess.run(['x'])"),
    (processes, "from subprocess import Popen as P\nP(['x'])"),
    (processes, "import subprocess as sp\nsp.check_output('x')"),
    (processes, "import os\nos.fork()"),
    (processes, "import asyncio\nasyncio.create_subprocess_exec('x')"),
    (clocks, "import time\ntime.time()"),
    (clocks, "from time import sleep\nsleep(1)"),
    (clocks, "import datetime\ndatetime.datetime.now()"),
    (clocks, "from datetime import datetime, UTC\nx = datetime.now(UTC)"),
    (sleeps, "import time\ntime.sleep(1)"),
    (shells, "f('x', shell=True)"),
    (shells, "f('x', shell=flag)"),
    (bare_excepts, "try:\n    f()\nexcept:\n    pass"),
    (unknown_reasons, "raise StepFailure('no_such_reason')"),
    (unknown_reasons, "raise errors.StepFailure(code='no_such_reason')"),
    (long_functions, "def f():\n" + "    x = 1\n" * 51),
]
HARMLESS = [
    (processes, "import subprocess\nx: subprocess.CompletedProcess = subprocess.PIPE"),
    (processes, "job.run('x')\nself.os.forked()"),
    (clocks, "import time\ntime.monotonic()\nclock.now()"),
    (shells, "f('x', shell=False)"),
    (bare_excepts, "try:\n    f()\nexcept ValueError:\n    pass"),
    (unknown_reasons, "raise StepFailure('corrupt')\nraise StepFailure(code)"),
    (long_functions, "def f():\n" + "    x = 1\n" * 49),
]


@pytest.mark.parametrize(("check", "source"), PLANTED)
def test_each_check_finds_what_it_is_for(check: Check, source: str):
    assert list(check(ast.parse(source)))


@pytest.mark.parametrize(("check", "source"), HARMLESS)
def test_no_check_cries_wolf(check: Check, source: str):
    assert list(check(ast.parse(source))) == []


def test_machine_paths_are_found():
    assert machine_paths("see /home/ann/rushes and (/work/main)") == ["/home/ann", "/work/main"]
    assert machine_paths("https://x.test/home/page /var/lib/rushes file:///data ./work/x {x}/work/y") == []
