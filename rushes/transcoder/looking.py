"""The look at a source that comes before its trials: its features, and the windows that are tried."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rushes.errors import StepFailure
from rushes.ffmpeg.door import Door
from rushes.plan import Grid
from rushes.transcoder import complexity, windows
from rushes.transcoder.inputs import Input
from rushes.transcoder.proxy import DETAIL, HEIGHT, RATE, WIDTH, Place, places, proxy_args

Pictures = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Look:
    windows: list[windows.Window]
    cuts: float
    """A second."""
    features: dict[str, float]


def look(door: Door, source: Input, scratch: Path, grid: Grid, span: tuple[Fraction, float]) -> Look:
    """`span`: seconds of the source at which the asset begins, and how long it is. Raises StepFailure
    `no_decodable_frames` where nothing is to be seen."""
    begins, seconds = span
    seen = []
    for place in places(seconds, grid):
        small, details = _decode(door, source, scratch, (place, begins))
        if len(small):
            seen.append((place, complexity.measure(small), details))
    if not seen:
        raise StepFailure("no_decodable_frames")
    activity = [one for place, found, _ in seen for one in _activity(place, found, grid)]
    found = [one for _, one, _ in seen]
    cuts = sum(len(one.cuts) for one in found)
    chosen = windows.choose(activity, int(seconds * float(grid.fps)), grid.gop_frames, cuts=cuts)
    features = complexity.features(found, np.concatenate([details for *_, details in seen]))
    seen_seconds = sum(len(one.spatial) for one in found) / RATE
    return Look(
        chosen,
        cuts / seen_seconds,
        features | {"windows": float(len(chosen)), "window_frames": float(chosen[0].frames)},
    )


def _decode(door: Door, source: Input, scratch: Path, where: tuple[Place, Fraction]) -> tuple[Pictures, Pictures]:
    """The small pictures of a place, and the details; none where the source gives none there."""
    folder = scratch / "looks"
    folder.mkdir(exist_ok=True)
    outputs = (folder / "small.gray", folder / "detail.gray")
    arguments = proxy_args(source, *where, outputs)
    finished = door.run(arguments, reads=[source.path], writes=folder, check=False)
    if finished.returncode != 0:
        return _read(Path(), (HEIGHT, WIDTH)), _read(Path(), (DETAIL, DETAIL))
    found = _read(outputs[0], (HEIGHT, WIDTH)), _read(outputs[1], (DETAIL, DETAIL))
    for output in outputs:
        output.unlink()
    return found


def _read(path: Path, shape: tuple[int, int]) -> Pictures:
    data = path.read_bytes() if path.is_file() else b""
    size = shape[0] * shape[1]
    return np.frombuffer(data[: len(data) // size * size], dtype=np.uint8).reshape(-1, *shape)


def _activity(place: Place, found: complexity.Complexity, grid: Grid) -> list[tuple[int, float]]:
    """Of each GOP that begins in the place, by its first frame."""
    length = grid.gop_frames / grid.fps
    each = max(1, round(float(length) * RATE))
    number = max(1, len(found.spatial) // each)
    return [
        (place.first + index * grid.gop_frames, found.activity(index * each, (index + 1) * each))
        for index in range(number)
    ]
