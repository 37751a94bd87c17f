"""Time from the last byte of an upload to the first segment served by the origin, on an idle embedded stack."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import httpx
from tusclient.client import TusClient

from bench.clips import phone
from rushes.testing import running_stack

ROUNDS = 20


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        clip = phone(Path(name))
        with running_stack(Path(name) / "data") as stack, httpx.Client(base_url=stack.url, timeout=30) as http:
            times = [_one(stack.url, http, clip) for _ in range(ROUNDS)]
    ordered = sorted(times)
    print(f"playable, 20 s phone clip, {ROUNDS} runs: last byte to first segment from the origin")
    print(
        f"  median {statistics.median(times):.3f} s  p95 {ordered[int(0.95 * ROUNDS) - 1]:.3f} s  worst {ordered[-1]:.3f} s"
    )
    print(f"  beside Mux's published 1.8 s median: ratio {statistics.median(times) / 1.8:.2f}")


def _one(url: str, http: httpx.Client, clip: Path) -> float:
    uploader = TusClient(f"{url}/files").uploader(str(clip), metadata={"filename": clip.name}, chunk_size=4 << 20)
    uploader.upload()
    start = time.perf_counter()
    asset = _asset_of(http)
    segment = _first_segment(http, f"/media/{asset}/", start)
    assert segment
    elapsed = time.perf_counter() - start
    _settle(http, asset)
    return elapsed


def _asset_of(http: httpx.Client) -> str:
    """The newest asset is ours: nothing else uploads here."""
    return str(http.get("/v1/assets", params={"limit": 1}).json()["items"][0]["id"])


def _first_segment(http: httpx.Client, base: str, start: float) -> bytes:
    while time.perf_counter() - start < 60:
        master = http.get(base + "master.m3u8")
        if master.status_code == 200:
            playlist = httpx.URL(base).join(_first_uri(master.text))
            media = http.get(str(playlist))
            return http.get(str(playlist.join(_first_uri(media.text)))).content
        time.sleep(0.005)
    raise TimeoutError("the clip did not become playable within 60 s")


def _first_uri(playlist: str) -> str:
    return next(line for line in playlist.splitlines() if line and not line.startswith("#"))


def _settle(http: httpx.Client, asset: str) -> None:
    """Wait until the asset's other steps are done, so that each run starts on an idle machine."""
    while any(
        step["state"] in ("waiting", "ready", "running") for step in http.get(f"/v1/assets/{asset}").json()["steps"]
    ):
        time.sleep(0.2)
