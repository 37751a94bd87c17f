"""The origin beside nginx sending the same files from the same disk, in turns, under wrk; then a thousand players at once.

Requests/s and MB/s as ratios, and CPU seconds of the servers' processes for each GB or 1000 requests: on a machine that others use
too, the last are what can be compared. nginx has one worker process with `sendfile`, and both write an access log. `accel` is
nginx in front, which asks us and then sends the file itself. Needs `nginx` and `wrk` (Debian's packages).
`python -m bench.origin [ROUNDS] [SECONDS]`, or `python -m bench.origin players [SECONDS]`.
"""

from __future__ import annotations

import getpass
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from rushes.chaos.member import free_port
from rushes.keys import new_id

ROUNDS, SECONDS = 3, 4
PLAYERS = 1000
ASSET = new_id(1_750_000_000.0, 7)
MEDIA = f"media/{ASSET}"
CONNECTIONS = {"small": 64, "large": 16, "playlist": 64}
BYTES = {"small": 100_000, "large": 2_000_000}
NUMBERS = {"small": 200, "large": 64}
"""Segments: the small ones (20 MB) fit into the memory that we keep for them, the large ones (128 MB) do not."""
PLAYLIST = "b/1/720p.m3u8"
NGINX = """
daemon off; user {user}; worker_processes 1; pid {root}/nginx.pid; error_log {root}/error.log warn;
events {{ worker_connections 4096; }}
http {{
  sendfile on; tcp_nopush on; keepalive_requests 1000000; access_log {root}/access.log; types {{ video/iso.segment m4s; }}
  client_body_temp_path {root}/b; proxy_temp_path {root}/p;
  fastcgi_temp_path {root}/f; uwsgi_temp_path {root}/u; scgi_temp_path {root}/s;
  server {{ listen 127.0.0.1:{files}; root {objects}; }}
  upstream api {{ server 127.0.0.1:{api}; keepalive 64; }}
  server {{
    listen 127.0.0.1:{accel};
    location / {{ proxy_pass http://api; proxy_http_version 1.1; proxy_set_header Connection ""; }}
    location /_objects/ {{ internal; alias {objects}/; }}
  }}
}}
"""
LUA = """
local paths = {{ {paths} }}
local turn = 0
request = function()
  turn = turn % #paths + 1
  return wrk.format("GET", paths[turn])
end
"""


@dataclass
class Server:
    name: str
    ports: tuple[int, ...]
    processes: tuple[psutil.Process, ...]
    seen: dict[str, list[Measure]] = field(default_factory=dict)

    def cpu(self) -> float:
        """Seconds of all its processes so far."""
        family = [one for root in self.processes for one in (root, *root.children(recursive=True))]
        return sum(times.user + times.system for times in (one.cpu_times() for one in family))


@dataclass(frozen=True)
class Measure:
    requests: float
    """A second."""
    megabytes: float
    """A second."""
    cpu: float
    """Seconds, for 1000 requests."""


def main(rounds: int = ROUNDS, seconds: int = SECONDS) -> None:
    missing = [name for name in ("nginx", "wrk") if not shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")]
    if missing:
        sys.exit(f"bench origin needs {' and '.join(missing)}")
    with tempfile.TemporaryDirectory() as name, _servers(Path(name)) as servers:
        print(f"origin: medians of {rounds} rounds of {seconds} s, in turns")
        for kind in CONNECTIONS:
            for _ in range(rounds):
                for server in servers:
                    server.seen.setdefault(kind, []).append(_load(server, kind, seconds, Path(name)))
            _report(kind, servers)


def players(seconds: int = 20) -> None:
    """`PLAYERS` at once: a burst at the start, then a segment of 100 kB every four seconds each."""
    with tempfile.TemporaryDirectory() as name, _servers(Path(name)) as servers:
        for server in servers:
            before, ports = server.cpu(), ",".join(map(str, server.ports))
            command = [sys.executable, "-m", "bench.origin_players", ports, ASSET, str(PLAYERS), str(seconds)]
            found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
            print(f"{server.name:24} {json.dumps(found)}  CPU {server.cpu() - before:.1f} s")


def tree(objects: Path) -> None:
    """The objects of one published asset."""
    for kind, size in BYTES.items():
        folder = objects / MEDIA / "t/recipe/1" / kind
        folder.mkdir(parents=True)
        for number in range(NUMBERS[kind]):
            (folder / f"{number:05d}.m4s").write_bytes(os.urandom(size))
    (objects / MEDIA / "b/1").mkdir(parents=True)
    lines = [f"#EXTINF:4.000,\n../../t/recipe/1/small/{number:05d}.m4s" for number in range(NUMBERS["small"])]
    (objects / MEDIA / PLAYLIST).write_text("#EXTM3U\n" + "\n".join(lines) + "\n#EXT-X-ENDLIST\n", encoding="ascii")
    master = "#EXTM3U\n# rushes build=1\n#EXT-X-STREAM-INF:BANDWIDTH=200000\nb/1/720p.m3u8\n"
    (objects / MEDIA / "master.m3u8").write_text(master, encoding="ascii")


def _paths(kind: str) -> list[str]:
    if kind == "playlist":
        return [f"/{MEDIA}/{PLAYLIST}"]
    return [f"/{MEDIA}/t/recipe/1/{kind}/{number:05d}.m4s" for number in range(NUMBERS[kind])]


def _load(server: Server, kind: str, seconds: int, folder: Path) -> Measure:
    """One turn under wrk: one of it for each of the server's ports."""
    script = folder / f"{kind}.lua"
    script.write_text(LUA.format(paths=", ".join(f'"{path}"' for path in _paths(kind))), encoding="ascii")
    before = server.cpu()
    runs = [
        subprocess.Popen(
            ["wrk", "-t1", f"-c{CONNECTIONS[kind] // len(server.ports)}", f"-d{seconds}s", "-s", script, f"http://127.0.0.1:{port}"],
            stdout=subprocess.PIPE, text=True,
        )
        for port in server.ports
    ]  # fmt: skip
    texts = [run.communicate()[0] for run in runs]
    cpu, total = server.cpu() - before, sum(_number(r"(\d+) requests in", text) for text in texts)
    if any("Non-2xx" in text or "Socket errors" in text for text in texts):
        sys.exit(f"{server.name} answered with errors: {texts}")
    rate = sum(_number(r"Requests/sec:\s+([\d.]+)", text) for text in texts)
    size = BYTES.get(kind, (folder / "data/objects" / MEDIA / PLAYLIST).stat().st_size)
    return Measure(rate, rate * size / 1e6, 1000 * cpu / total)


def _number(pattern: str, text: str) -> float:
    found = re.search(pattern, text)
    if found is None:
        sys.exit(f"wrk said: {text}")
    return float(found[1])


def _report(kind: str, servers: Sequence[Server]) -> None:
    peer = servers[0]
    print(f"{kind}: requests/s, MB/s, CPU-s per 1000 requests; x nginx: requests/s, CPU")
    for server in servers:
        measures = server.seen[kind]
        pairs = list(zip(measures, peer.seen[kind], strict=True))
        speed = statistics.median(own.requests / other.requests for own, other in pairs)
        cost = statistics.median(own.cpu / max(other.cpu, 1e-9) for own, other in pairs)
        middle = sorted(measures, key=lambda one: one.requests)[len(measures) // 2]
        row = f"{middle.requests:8.0f} {middle.megabytes:8.0f} {middle.cpu:8.3f}"
        print(f"  {server.name:22} {row}   {speed:6.2f} {cost:6.2f}", flush=True)


@contextmanager
def _servers(folder: Path) -> Iterator[list[Server]]:
    """nginx, we with one process and with two, nginx in front of us with `accel`. nginx comes first: it is the peer."""
    objects = folder / "data" / "objects"
    tree(objects)
    with ExitStack() as stack:
        own = [stack.enter_context(_ours(folder, number, "serve")) for number in range(2)]
        accel = stack.enter_context(_ours(folder, 2, "accel"))
        ports = {"files": free_port(), "accel": free_port(), "api": accel[0]}
        config = folder / "nginx.conf"
        config.write_text(NGINX.format(root=folder, objects=objects, user=getpass.getuser(), **ports), encoding="ascii")
        nginx = stack.enter_context(
            _running(["nginx", "-c", str(config), "-p", str(folder)], ports["files"], folder, os.environ)
        )
        yield [
            Server("nginx", (ports["files"],), (nginx,)),
            Server("rushes serve", (own[0][0],), (own[0][1],)),
            Server("rushes serve x 2", tuple(port for port, _ in own), tuple(process for _, process in own)),
            Server("nginx, rushes (accel)", (ports["accel"],), (nginx, accel[1])),
        ]


@contextmanager
def _ours(folder: Path, number: int, mode: str) -> Iterator[tuple[int, psutil.Process]]:
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RUSHES_")}
    environment |= {
        "RUSHES_DATA": str(folder / f"data{number}"), "RUSHES_STORAGE_URL": f"file://{folder}/data/objects", "RUSHES_ORIGIN": mode,
        "RUSHES_CONFIG": os.devnull,
    }  # fmt: skip
    command = [sys.executable, "-m", "rushes.cli", "serve", "--port", str(port)]
    with _running(command, port, folder, environment) as process:
        yield port, process


@contextmanager
def _running(
    command: list[str], port: int, folder: Path, environment: os._Environ[str] | dict[str, str]
) -> Iterator[psutil.Process]:
    environment = {**environment, "PATH": f"{environment['PATH']}:/usr/sbin"}
    with (folder / f"{port}.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        _until_answering(port, process, folder)
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(30)


def _until_answering(port: int, process: subprocess.Popen[bytes], folder: Path) -> None:
    for _ in range(600):
        if process.poll() is not None:
            sys.exit((folder / f"{port}.log").read_text(encoding="utf-8"))
        try:
            httpx.get(f"http://127.0.0.1:{port}/{MEDIA}/{PLAYLIST}").raise_for_status()
        except httpx.HTTPError:
            time.sleep(0.1)
        else:
            return
    sys.exit("a server did not answer within a minute")


if __name__ == "__main__":
    if sys.argv[1:2] == ["players"]:
        players(*map(int, sys.argv[2:3]))
    else:
        main(*map(int, sys.argv[1:3]))
