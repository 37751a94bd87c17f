"""The TypeScript of the pages: it type-checks, its pure parts do what they say, its bundle is what it should be."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from rushes.web import build

pytestmark = pytest.mark.node
TESTS = Path(__file__).resolve().parents[2] / "unit" / "web"


@pytest.fixture(scope="module")
def node() -> build.Node:
    found = build.find_node()
    build.build()
    build.install(found)
    return found


def call(node: build.Node, *command: str) -> str:
    done = subprocess.run(command, cwd=build.ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_types(node: build.Node):
    call(node, *node.node, "node_modules/typescript/bin/tsc", "--noEmit")


def test_pure_parts(node: build.Node, tmp_path: Path):
    bundled = tmp_path / "pure.test.mjs"
    source = str(TESTS / "pure.test.ts")
    call(node, *node.node, "node_modules/esbuild/bin/esbuild", source, "--bundle", "--platform=node", "--format=esm",
         f"--outfile={bundled}", "--log-level=error")  # fmt: skip
    assert re.search(r"^# fail 0$", call(node, *node.node, "--test", "--test-reporter=tap", str(bundled)), re.MULTILINE)


def test_pages_name_only_files_that_are_there(node: build.Node):
    dist = build.ROOT / "dist"
    for page in ("index", "watch", "embed", "ops", "missing"):
        text = (dist / f"{page}.html").read_text()
        named = re.findall(r'(?:src|href)="/assets-static/([^"]+)"', text)
        assert len(named) >= 2
        assert [name for name in named if not (dist / "static" / name).is_file()] == []
        assert "{{" not in text
        assert re.search(r"<script(?! type=\"module\" src=)|\son\w+=|style=", text) is None, (
            "the policy forbids inline code"
        )


def test_the_player_is_loaded_only_when_it_is_needed(node: build.Node):
    static = build.ROOT / "dist" / "static"
    entry = next(static.glob("upload-*.js")).read_text()
    players = [path for path in static.glob("chunk-*.js") if path.stat().st_size > 300_000]
    assert len(players) == 1
    assert f'import("./{players[0].name}")' in "".join(path.read_text() for path in static.glob("*.js"))
    assert not re.search(rf'from"./{re.escape(players[0].name)}"', entry)


def test_the_embedded_player_is_small(node: build.Node):
    rows = (build.ROOT / "dist" / build.SIZES).read_text().splitlines()
    sizes = {name: int(size) for name, size in (row.split("\t") for row in rows)}
    assert 1000 < sizes["embed"] < 16_000, "bytes of script, gzipped, without the player library"
    assert sizes["embed"] < sizes["watch"]


def test_licences_travel_with_the_bundle(node: build.Node):
    text = (build.ROOT / "dist" / "static" / "licences.txt").read_text()
    assert all(name in text for name in ("hls.js", "tus-js-client", "Apache License", "MIT"))


def test_the_lock_names_no_host_but_the_public_registry():
    lock = json.loads((build.ROOT / "package-lock.json").read_text())
    hosts = {str(entry.get("resolved", "https://registry.npmjs.org/")) for entry in lock["packages"].values()}
    assert all(host.startswith("https://registry.npmjs.org/") for host in hosts)
    assert all("integrity" in entry for name, entry in lock["packages"].items() if name)


def test_no_page_writes_markup():
    sources = "".join(path.read_text() for path in (build.ROOT / "src").glob("*.ts"))
    assert re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", sources) is None
