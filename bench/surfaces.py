"""The priors of `rushes.transcoder.surface_priors`, from full encodes: every clip at six sizes and six CRFs, scored whole.

`python -m bench.surfaces DATA.json CLIP...` collects into DATA.json, clip by clip (about 15 CPU-minutes each at 1080p);
`python -m bench.surfaces DATA.json` prints what has been learnt.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from bench.whole import scores
from rushes.engine.job import Limits, ToolSettings
from rushes.ffmpeg.door import Door
from rushes.ffmpeg.probe import probe
from rushes.plan import Ladder, Rung, Viewing
from rushes.profiles import Codec
from rushes.settings import load_profile
from rushes.transcoder.command import encode_args
from rushes.transcoder.delivery import open_movie
from rushes.transcoder.grid import plan_grid
from rushes.transcoder.inputs import Input
from rushes.transcoder.ladder import rung_sizes
from rushes.transcoder.scoring import MODELS
from rushes.transcoder.stretch import Stretch
from rushes.transcoder.surface import SCALES, to_logit
from rushes.transcoder.trials import NO_CAP

SIDES = (1080, 720, 540, 432, 360, 240)
CRFS: dict[str, tuple[float, ...]] = {"h264": (20, 23, 26, 30, 34, 38), "av1": (26, 33, 40, 46, 52, 58)}
PRESETS = {"h264": "veryfast", "av1": "10"}
SECONDS = 8
FEWEST_SIZES = 3
SEEN = (30.0, 99.0)
"""VMAF outside of which a point says nothing of a surface's shape."""
SLACK = 0.02
"""Standard deviation that every coefficient has at least: these clips are not all there are."""


def main() -> None:
    path = Path(sys.argv[1])
    data: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    for clip in map(Path, sys.argv[2:]):
        for codec in CRFS:
            if f"{clip.name} {codec}" not in data:
                data[f"{clip.name} {codec}"] = collect(clip, "av1" if codec == "av1" else "h264")
                path.write_text(json.dumps(data))
                print(f"{clip.name} {codec}: {len(data[f'{clip.name} {codec}'])} points", flush=True)
    for codec in CRFS:
        known = {name: points for name, points in data.items() if name.endswith(codec)}
        for what in ("phone", "default", "bitrate"):
            found = [coefficients(points, codec, what) for points in known.values() if _wide(points)]
            if len(found) < 2:
                sys.exit(f"Two clips at least are needed that say something of sizes; {len(found)} do.")
            mean, covariance = learnt(found)
            print(f'("{codec}", "{what}"): mean={np.round(mean, 3).tolist()}')
            print(f"    covariance={np.round(covariance, 4).tolist()}")


def collect(clip: Path, codec: Codec) -> list[dict[str, float]]:
    """Rate and both VMAFs of the first seconds of a clip at every size and CRF."""
    tools = ToolSettings(limits=Limits(stall=600))
    facts = probe(clip, tools)
    if facts.video is None:
        return []
    grid, sizes = plan_grid(facts.video, load_profile("fast").video), rung_sizes(facts.video.display_size, SIDES)
    stretch = Stretch(grid, 0, int(SECONDS * grid.fps))
    found = []
    for size in sizes:
        ladder = Ladder(rungs=tuple(_rung(size, codec, crf) for crf in CRFS[codec]), grid=grid)
        with tempfile.TemporaryDirectory() as name:
            files = [Path(name) / f"{rung.name}.mp4" for rung in ladder.rungs]
            source, door = Input(clip, facts), Door(tools)
            door.run(encode_args(source, ladder, files, SECONDS, stretch), reads=[clip], writes=Path(name))
            width, height = sizes[0]
            seen = [Viewing(model=model, width=width, height=height) for model in MODELS]
            found_of = {viewing.model: scores(door, source, files, stretch, viewing) for viewing in seen}
            for index, (rung, file) in enumerate(zip(ladder.rungs, files, strict=True)):
                point = {
                    "octaves": float(np.log2(min(size) / min(sizes[0]))),
                    "crf": rung.crf,
                    "bitrate": _bitrate(file),
                }
                found.append(point | {model: of_model[index] for model, of_model in found_of.items()})
    return found


def _rung(size: tuple[int, int], codec: Codec, crf: float) -> Rung:
    preset = PRESETS[codec]
    return Rung(
        name=f"{min(size)}-{crf:g}", width=size[0], height=size[1], codec=codec, preset=preset, crf=crf,
        max_bitrate=NO_CAP, buffer_bits=2 * NO_CAP,
    )  # fmt: skip


def _bitrate(file: Path) -> float:
    with open_movie(file) as movie:
        track = movie.need("vide")
        return 8 * sum(sample.size for sample in track.samples) * track.timescale / track.ticks


def _wide(points: list[dict[str, float]]) -> bool:
    """A clip says something of sizes if it has several, and its quality varies."""
    kept = [point for point in points if SEEN[0] < point["phone"] < SEEN[1]]
    return len({point["octaves"] for point in kept}) >= FEWEST_SIZES


def coefficients(points: list[dict[str, float]], codec: str, what: str) -> np.ndarray:
    """Of one clip's surface, by least squares over what was seen of it."""
    scale = SCALES["av1" if codec == "av1" else "h264"]
    kept = [point for point in points if SEEN[0] < point["phone" if what == "bitrate" else what] < SEEN[1]]
    x = np.array([point["octaves"] for point in kept])
    c = np.array([(point["crf"] - scale.middle) / scale.unit for point in kept])
    values = [np.log2(point["bitrate"]) if what == "bitrate" else to_logit(point[what]) for point in kept]
    basis = np.stack([np.ones_like(x), x, x**2, c, c**2, x * c], axis=1)
    found: np.ndarray = np.linalg.lstsq(basis, np.array(values), rcond=None)[0]
    return found


def learnt(each: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance over clips. Nothing is claimed of how good a content is as such: that is the first coefficient."""
    rows = np.array(each)
    covariance = np.cov(rows.T) + np.diag([SLACK**2] * rows.shape[1])
    covariance[0, 0] += 1
    return rows.mean(axis=0), covariance


if __name__ == "__main__":
    main()
