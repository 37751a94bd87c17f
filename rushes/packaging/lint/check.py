"""One check of a stream, from wherever it is: an address, a directory or file, a build in an object store."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import httpx

from rushes.packaging.lint.gather import USUAL, Depth, Watch, gather
from rushes.packaging.lint.http_reach import SECONDS, HttpReach, answers
from rushes.packaging.lint.reach import FolderReach, Unreachable
from rushes.packaging.lint.report import Report, report

_NAMES = ("master.m3u8", "manifest.mpd")


def is_address(target: str) -> bool:
    return target.lower().startswith(("http://", "https://"))


def check(target: str, depth: Depth = USUAL, watch: Watch = lambda _: None) -> Report:
    """Of an address or a path. Raises Unreachable where there is no stream."""
    return check_address(target, depth, watch) if is_address(target) else check_folder(Path(target), depth, watch)


def check_folder(path: Path, depth: Depth = USUAL, watch: Watch = lambda _: None) -> Report:
    """Of a directory with manifests, or of one of them."""
    entries = _manifests(path.absolute())
    root = _root(entries[0].parent)
    stream = gather([entry.as_uri() for entry in entries], FolderReach(root), depth, watch=watch)
    return report(stream)


def _manifests(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise Unreachable(f"There is no {path.name or path}.")
    found = [path / name for name in _NAMES if (path / name).is_file()]
    if found:
        return found
    others = sorted([*path.glob("*.m3u8"), *path.glob("*.mpd")])
    masters = [one for one in others if one.suffix == ".mpd" or b"#EXT-X-STREAM-INF" in one.read_bytes()[:65_536]]
    if not others:
        raise Unreachable(f"There is no manifest in {path.name or path}: no .m3u8, no .mpd.")
    return masters or others[:1]


def _root(folder: Path) -> Path:
    """What may be read: the manifest's own directory; of a build in a tree of ours, its asset's."""
    return folder.parent.parent if folder.parent.name == "b" else folder


def check_address(target: str, depth: Depth = USUAL, watch: Watch = lambda _: None) -> Report:
    limits = httpx.Limits(max_connections=16)
    with httpx.Client(timeout=SECONDS, follow_redirects=True, limits=limits, max_redirects=5) as client:
        reach = HttpReach(client, target)
        stream = gather([target], reach, depth, watch=lambda done: watch(0.9 * done))
        stream = replace(stream, answers=answers(client, stream, [target]))
        watch(1.0)
    notes = [f"also read from another origin: {other}" for other in sorted(reach.others)]
    return report(stream, notes)
