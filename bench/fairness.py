"""Fairness: one tenant has uploaded a thousand videos; how long does another tenant's one take to become playable? Beside the
same upload on the same stack while it was idle.

`FLOOD` assets of the first tenant (1000), `ROUNDS` uploads of the second before and after (10). The flood is uploaded whole
before the second tenant comes, and has to last longer than the measurement: otherwise this says so and fails.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from bench.clips import phone
from bench.playable import TUS, _free_box, _one, _rest
from rushes.testing import Stack, running_stack

FLOOD = int(os.environ.get("FLOOD", "1000"))
ROUNDS = int(os.environ.get("ROUNDS", "10"))
MOST = 1.5
"""Times the idle figure."""
KEYS = {"flood": "the flood's own key", "other": "the other one's key"}


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        small = folder / "small"
        small.mkdir()
        clip, brief = phone(folder), phone(small, seconds=4)
        keys = ",".join(f"{tenant}:{key}" for tenant, key in KEYS.items())
        with running_stack(folder / "data", profile="fast", auth="keys", api_keys=keys) as stack:
            _compare(stack, clip, brief)


def _compare(stack: Stack, clip: Path, small: Path) -> None:
    with _client(stack.url, "other") as http:
        _times(http, stack, clip, range(2))  # the worker's children have done everything once
        idle = _times(http, stack, clip, range(2, 2 + ROUNDS))
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "bench.fairness", stack.url, str(small)], check=True)
        print(f"fairness: {FLOOD} uploads of one tenant took {time.perf_counter() - started:.0f} s")
        flooded = _times(http, stack, clip, range(100, 100 + ROUNDS), rest=False)
        left = sum(pool["ready"] + pool["running"] + pool["waiting"] for pool in http.get("/v1/fleet").json()["pools"])
    for text, times in (("idle", idle), (f"beside the flood ({left} steps of it left)", flooded)):
        print(f"  {text:50} median {statistics.median(times):.3f} s  worst {max(times):.3f} s  ({len(times)} runs)")
    ratio = statistics.median(flooded) / statistics.median(idle)
    print(f"  ratio {ratio:.2f} (aim: at most {MOST})")
    if left < FLOOD / 2:
        sys.exit("The flood was over before the measurement was.")


def _client(url: str, tenant: str) -> httpx.Client:
    return httpx.Client(base_url=url, timeout=120, headers={"Authorization": f"Bearer {KEYS[tenant]}"})


def _times(http: httpx.Client, stack: Stack, clip: Path, numbers: range, *, rest: bool = True) -> list[float]:
    """Seconds from the last byte to the first segment, of uploads one after the other."""
    times = []
    for number in numbers:
        asset, start, end = _one(http, clip, number)
        times.append(end - start)
        if rest:
            _rest(http, stack, asset)
        else:
            http.delete(f"/v1/assets/{asset}").raise_for_status()
            time.sleep(1.0)
    return times


def _flood(url: str, clip: Path) -> None:
    """Creation and bytes in one request each."""
    data = clip.read_bytes()

    def upload(number: int) -> None:
        body = data + _free_box(number)
        headers = {**TUS, "Upload-Length": str(len(body)), "Content-Type": "application/offset+octet-stream"}
        http.post("/files", content=body, headers=headers).raise_for_status()

    with _client(url, "flood") as http, ThreadPoolExecutor(8) as pool:
        list(pool.map(upload, range(FLOOD)))


if __name__ == "__main__":
    _flood(sys.argv[1], Path(sys.argv[2]))
