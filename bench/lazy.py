"""What it saves to put the dear rungs off, and what the first viewer waits for: an embedded stack, the profile `lazy` beside the
same one with nothing put off.

`python -m bench lazy`, or `python -m bench.lazy 5` for five runs of the second part. The machine has to be idle.
"""

from __future__ import annotations

import re
import statistics
import sys
import tempfile
import time
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx

from bench.clips import needs_encode_1080p
from rushes.testing import running_stack

TUS = {"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream"}
FINAL = ("done", "skipped", "failed", "cancelled")
RUNGS = ("720p", "1080p")


def main(runs: str = "3") -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = needs_encode_1080p(folder)
        shipped = (files("rushes") / "data" / "profiles" / "lazy.toml").read_text(encoding="utf-8")
        whole = folder / "whole.toml"
        whole.write_text(shipped.replace(", lazy = true", "").replace('name = "lazy"', 'name = "whole"'))
        print(f"lazy: {clip.stem}, 30 s, H.264 and AV1; embedded stack")
        spent = _everything(folder / "whole", str(whole), clip)
        _on_demand(folder / "lazy", clip, int(runs), spent)


def _everything(place: Path, profile: str, clip: Path) -> float:
    stack = running_stack(place, profile=profile, speech_draft="false")
    with stack as running, httpx.Client(base_url=running.url, timeout=120) as http:
        return float(_idle(http, _upload(http, clip, 0))["cost"]["cpu_seconds"])


def _on_demand(place: Path, clip: Path, runs: int, whole: float) -> None:
    eager, rows = [], []
    stack = running_stack(place, profile="lazy", speech_draft="false", segment_wait="60")
    with stack as running, httpx.Client(base_url=running.url, timeout=120, follow_redirects=True) as http:
        for number in range(1, runs + 1):
            asset = _idle(http, _upload(http, clip, number))
            eager.append(float(asset["cost"]["cpu_seconds"]))
            rows.append(_watched(http, asset["id"]))
            http.delete(f"/v1/assets/{asset['id']}").raise_for_status()
    cpu = statistics.median(eager)
    print(f"  CPU until nothing is left to do: {cpu:.1f} s, everything at once {whole:.1f} s: ratio {cpu / whole:.2f}")
    for item in rows[0]:
        values = [row[item] for row in rows]
        print(f"  {item:44} median {statistics.median(values):6.2f}  worst {max(values):6.2f}  ({runs} runs)")


def _watched(http: httpx.Client, asset: str) -> dict[str, float]:
    """Seconds from the moment at which a player asks for the first segment of the best rung, which nobody has made."""
    base = f"/media/{asset}/jit/"
    best = next(name for name in reversed(RUNGS) if f"\n{name}.m3u8" in http.get(base + "master.m3u8").text)
    names = re.findall(r"^[^#\n].*$", http.get(f"{base}{best}.m3u8").text, re.MULTILINE)
    middle = names[len(names) // 2]
    start = time.perf_counter()
    found = {}
    for what, name in (("first segment", names[0]), ("then a seek to the middle", middle)):
        begun = time.perf_counter()
        http.get(base + name).raise_for_status()
        found[f"{what}, s"] = time.perf_counter() - begun
    made = _idle(http, asset)
    assert made["lazy"]["state"] == "made", made["lazy"]
    found["from the demand to the build with all rungs, s"] = time.perf_counter() - start
    own = [step for step in made["steps"] if ".lazy" in step["key"]]
    found["CPU of what was made on demand, s"] = sum(step["cpu_seconds"] for step in own)
    return found


def _upload(http: httpx.Client, clip: Path, number: int) -> str:
    data = clip.read_bytes() + (8 + number).to_bytes(4, "big") + b"free" + bytes(number)
    headers = {**TUS, "Upload-Length": str(len(data))}
    return str(http.post("/files", headers=headers, content=data).raise_for_status().headers["rushes-asset"])


def _idle(http: httpx.Client, asset: str) -> dict[str, Any]:
    """The record once nothing of the asset is left to be done."""
    while True:
        found: dict[str, Any] = http.get(f"/v1/assets/{asset}").json()
        if found["state"] in ("ready", "failed") and all(step["state"] in FINAL for step in found["steps"]):
            return found
        time.sleep(0.1)


if __name__ == "__main__":
    main(*sys.argv[1:2])
