"""What work before the last byte gains: the time from the last byte to the first segment, of a clip that comes at the pace
of a phone's network. The index in front, or sent first, lets the probe run ahead; the index at the end does not."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from bench.clips import ffmpeg, phone
from bench.playable import _first_segment, _settle
from rushes.testing import running_stack

ROUNDS = 20
RATE = 2_000_000
"""Bytes per second."""
TAIL = 256 * 1024
TUS = {"Tus-Resumable": "1.0.0"}
KINDS = {"last": "index last, sent as it is", "first": "index first", "tail": "index last, tail sent first"}


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        last = phone(Path(name))
        first = last.with_name("first.mp4")
        ffmpeg("-i", last, "-c", "copy", "-movflags", "+faststart", first)
        clips = {"last": last.read_bytes(), "first": first.read_bytes(), "tail": last.read_bytes()}
        with running_stack(Path(name) / "data") as stack, httpx.Client(base_url=stack.url, timeout=60) as http:
            _one(http, "first", clips["first"])  # the worker's children are warm after this
            times = {kind: [0.0] * ROUNDS for kind in KINDS}
            for number in range(ROUNDS):
                for kind in KINDS:
                    times[kind][number] = _one(http, kind, clips[kind])
    print(
        f"early, 20 s phone clip at {RATE / 1e6:.0f} MB/s, {ROUNDS} runs each: last byte to first segment from the origin"
    )
    base = statistics.median(times["last"])
    for kind, label in KINDS.items():
        ordered = sorted(times[kind])
        print(
            f"  {label:28} median {statistics.median(ordered):.3f} s  p95 {ordered[int(0.95 * ROUNDS) - 1]:.3f} s"
            f"  ratio {statistics.median(ordered) / base:.2f}"
        )


def _one(http: httpx.Client, kind: str, data: bytes) -> float:
    asset = _joined(http, data) if kind == "tail" else _whole(http, data)
    start = time.perf_counter()
    assert _first_segment(http, f"/media/{asset}/", start)
    elapsed = time.perf_counter() - start
    _settle(http, asset)
    return elapsed


def _whole(http: httpx.Client, data: bytes) -> str:
    created = http.post("/files", headers={**TUS, "Upload-Length": str(len(data))}).raise_for_status()
    _send(http, created.headers["location"], data)
    return str(created.headers["rushes-asset"])


def _joined(http: httpx.Client, data: bytes) -> str:
    pieces = (data[:-TAIL], data[-TAIL:])
    parts = [_part(http, len(piece)) for piece in pieces]
    created = http.post("/files", headers={**TUS, "Upload-Concat": f"final;{' '.join(parts)}"}).raise_for_status()
    for part, piece in zip(reversed(parts), reversed(pieces), strict=True):
        _send(http, part, piece)
    return str(created.headers["rushes-asset"])


def _part(http: httpx.Client, length: int) -> str:
    answer = http.post("/files", headers={**TUS, "Upload-Concat": "partial", "Upload-Length": str(length)})
    return str(answer.raise_for_status().headers["location"])


def _send(http: httpx.Client, url: str, data: bytes) -> None:
    headers = {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    http.patch(
        url, content=_paced(data), headers={**TUS, **headers, "Content-Length": str(len(data))}
    ).raise_for_status()


def _paced(data: bytes, piece: int = 16384) -> Iterator[bytes]:
    start = time.perf_counter()
    for sent in range(0, len(data), piece):
        yield data[sent : sent + piece]
        ahead = (sent + piece) / RATE - (time.perf_counter() - start)
        if ahead > 0:
            time.sleep(ahead)
