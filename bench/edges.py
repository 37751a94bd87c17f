"""Caching edges before a whole stack: how much of an audience's requests they keep from the origin, and what a publish, an
enrichment and a takedown look like to players.

`python -m bench edges`, or `python -m bench.edges varnish 100` for one edge and so many players. nginx and Varnish run with the
configurations of `docker/`. Time is eased: a player fetches SPEED seconds of film in a second.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from bench.audience import Audience, Connection, media_playlist, renditions
from rushes.chaos.member import free_port
from rushes.ffmpeg.binary import find_binary
from rushes.testing import Stack
from tests.services import nginx, varnish
from tests.services.edge import SECRET, Edge
from tests.services.nginx import Nginx
from tests.services.varnish import Varnish

EDGES: dict[str, tuple[type[Edge], str | None]] = {
    "nginx": (Nginx, nginx.PROGRAM),
    "varnish": (Varnish, varnish.PROGRAM),
}
PLAYERS, SPEED, SECONDS = 500, 1.5, 48
LEAST = 60.0
"""Seconds for which they play before the takedown."""
AFTERWARDS = 8.0
"""Seconds for which one looks whether anything still answers."""


@dataclass
class Figures:
    edge: str
    purge: bool
    players: int
    seconds: float = 0.0
    requests: int = 0
    ratio: float = 0.0
    origin: dict[str, int] = field(default_factory=dict)
    megabytes: float = 0.0
    errors: list[str] = field(default_factory=list)
    builds: list[str] = field(default_factory=list)
    gone: dict[str, float] = field(default_factory=dict)
    """Seconds from the answer to the takedown to the last answer of 200; infinite where it did not end."""
    answer: float = 0.0


def main(only: str = "", players: str = "") -> None:
    with tempfile.TemporaryDirectory() as name:
        clip = _clip(Path(name) / "clip.mp4")
        for edge, (_, program) in EDGES.items():
            if program is None:
                print(f"{edge} is not installed")
            elif only in ("", edge):
                for purge in (True, False):
                    few = int(players or PLAYERS) if purge else 20
                    folder = Path(name) / f"{edge}-{purge}"
                    folder.mkdir()
                    _print(asyncio.run(_run(folder, clip, Figures(edge, purge, few))))


def _clip(path: Path) -> Path:
    """Of few bytes: it is requests that are counted."""
    picture, tone = f"smptebars=size=640x360:rate=25:duration={SECONDS}", f"sine=frequency=440:duration={SECONDS}"
    command = [find_binary(), "-v", "error", "-nostdin", "-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", tone]
    subprocess.run([*command, "-c:v", "mpeg4", "-q:v", "5", "-c:a", "aac", path], check=True)
    return path


async def _run(folder: Path, clip: Path, figures: Figures) -> Figures:
    port = free_port()
    told = {"purge": figures.edge, "purge_url": f"http://127.0.0.1:{port}", "purge_secret": SECRET}
    stack = Stack(folder / "data", profile="fast", **(told if figures.purge else {}))
    await asyncio.to_thread(stack.start)
    (folder / "edge").mkdir()
    edge = EDGES[figures.edge][0](folder / "edge", stack.url, port)
    try:
        async with httpx.AsyncClient(base_url=stack.url, timeout=120) as api:
            await _measure(api, edge, clip, figures)
    finally:
        edge.stop()
        await asyncio.to_thread(stack.stop)
    return figures


async def _measure(api: httpx.AsyncClient, edge: Edge, clip: Path, figures: Figures) -> None:
    """From an upload to its takedown, with an audience from the first playable moment on."""
    asset = await _upload(api, clip)
    master = f"/media/{asset}/master.m3u8"
    async with Audience(edge.url, master, figures.players, SPEED) as audience:
        began = time.monotonic()
        await _until(api, asset, lambda record: _over(record) and record["published_build"] == record["build"])
        figures.builds.append(f"ready and enriched after {time.monotonic() - began:.0f} s")
        before = (await _record(api, asset))["published_build"]
        (await api.post(f"/v1/assets/{asset}/encodes", json={"profile": "fast"})).raise_for_status()
        await _until(api, asset, lambda record: record["published_build"] > before and _over(record))
        figures.builds.append(f"encoded again after {time.monotonic() - began:.0f} s")
        await asyncio.sleep(max(5.0, LEAST - (time.monotonic() - began)))
        tally = audience.tally
        figures.seconds, figures.requests, figures.ratio = time.monotonic() - began, tally.requests, tally.ratio
        figures.origin, figures.megabytes = dict(tally.asked), tally.bytes / 1e6
        figures.errors = list(tally.errors)
        await _take_down(api, edge, asset, figures)


async def _take_down(api: httpx.AsyncClient, edge: Edge, asset: str, figures: Figures) -> None:
    """Look at the pointer and at a segment that the edge has, in close turns, while the asset is deleted."""
    paths = {"pointer": f"/media/{asset}/master.m3u8", "segment": await _some_segment(edge, asset)}
    seen: dict[str, float] = {}
    over = asyncio.Event()
    watchers = [asyncio.create_task(_watch(edge, name, path, seen, over)) for name, path in paths.items()]
    await asyncio.sleep(0.5)
    asked = time.monotonic()
    (await api.delete(f"/v1/assets/{asset}")).raise_for_status()
    answered = time.monotonic()
    await asyncio.sleep(AFTERWARDS)
    ended = time.monotonic()
    over.set()
    await asyncio.gather(*watchers)
    figures.answer = answered - asked
    figures.gone = {name: at - answered if ended - at > 0.5 else float("inf") for name, at in seen.items()}


async def _watch(edge: Edge, name: str, path: str, seen: dict[str, float], over: asyncio.Event) -> None:
    connection = Connection(edge.url)
    while not over.is_set():
        answer = await connection.get(path, Accept_Encoding="gzip")
        if answer.status == 200:
            seen[name] = time.monotonic()
        await asyncio.sleep(0.01)
    connection.close()


async def _some_segment(edge: Edge, asset: str) -> str:
    connection, master = Connection(edge.url), f"/media/{asset}/master.m3u8"
    variants, _ = renditions((await connection.get(master)).body.decode(), master)
    playlist = media_playlist((await connection.get(variants[0])).body.decode(), variants[0])
    connection.close()
    return playlist.segments[0][0]


async def _upload(api: httpx.AsyncClient, clip: Path) -> str:
    """Until its pointer is there."""
    data = await asyncio.to_thread(clip.read_bytes)
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": str(len(data)), "Upload-Offset": "0"}
    headers["Content-Type"] = "application/offset+octet-stream"
    created = (await api.post("/files", content=data, headers=headers)).raise_for_status()
    asset = str(created.headers["rushes-asset"])
    await _until(api, asset, lambda record: record["published_build"] > 0)
    return asset


async def _record(api: httpx.AsyncClient, asset: str) -> dict[str, Any]:
    return dict((await api.get(f"/v1/assets/{asset}")).raise_for_status().json())


async def _until(api: httpx.AsyncClient, asset: str, true: Callable[[dict[str, Any]], bool]) -> None:
    async with asyncio.timeout(600):
        while not true(await _record(api, asset)):  # noqa: ASYNC110 - it happens in another process
            await asyncio.sleep(0.1)


def _over(record: dict[str, Any]) -> bool:
    states = {step["state"] for step in record["steps"]}
    return record["state"] == "ready" and not states & {"waiting", "ready", "running"}


def _print(figures: Figures) -> None:
    told = "with purge" if figures.purge else "without purge"
    print(f"{figures.edge}, {figures.players} players, {told}: {figures.seconds:.0f} s, {'; '.join(figures.builds)}")
    asked = sum(figures.origin.values())
    print(
        f"  requests {figures.requests}  hit ratio {100 * figures.ratio:.2f} %  at the origin {asked} {figures.origin}"
    )
    print(f"  {figures.megabytes:.0f} MB  errors before the takedown {len(figures.errors)} {figures.errors[:3]}")
    ends = "  ".join(f"last {name} {after:+.2f} s" for name, after in figures.gone.items())
    print(f"  takedown answered after {figures.answer:.2f} s; from then: {ends}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
