"""Pictures and sound of a source as arrays, decoded by ffmpeg behind the door."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TypedDict, Unpack

import numpy as np
import numpy.typing as npt

from rushes.engine.job import Limits
from rushes.ffmpeg.argv import input_args
from rushes.ffmpeg.door import Door

Picture = npt.NDArray[np.uint8]
"""Height x width x 3, RGB."""


class Sampling(TypedDict, total=False):
    """Which pictures: `fps` of them per second, or the ones shown at `times`."""

    fps: Fraction | None
    width: int
    height: int
    times: Sequence[float] | None
    filters: str
    stream: int | None
    """Index of the video stream in the file; None: ffmpeg's choice."""
    limits: Limits | None


def read_frames(door: Door, path: Path, demuxer: str, **sampling: Unpack[Sampling]) -> Iterator[tuple[float, Picture]]:
    """Times in seconds from the start of the video, and upright pictures of exactly `width` x `height`.

    `filters` go before the scaling. Reading stops early when the iterator is closed. Raises StepFailure.
    """
    times, fps = sampling.get("times"), sampling.get("fps")
    if sampling["width"] < 1 or sampling["height"] < 1 or (times is None and not fps):
        raise ValueError("pictures need a size of at least 1 x 1, and either `fps` or `times`")
    if times is None and fps:
        for number, picture in enumerate(_pictures(door, path, demuxer, sampling, None)):
            yield float(number / fps), picture
    for time in times or ():
        with contextlib.closing(_pictures(door, path, demuxer, sampling, time)) as pictures:
            for picture in pictures:
                yield time, picture


def read_pcm(door: Door, path: Path, demuxer: str, *, stream: int, rate: int = 16000) -> npt.NDArray[np.int16]:
    """The whole of one audio stream (by its index in the file), mono, 16 bit. Gaps are filled with silence."""
    data = bytearray()
    args = [
        *input_args(path, demuxer),
        *("-map", f"0:{stream}", "-vn", "-sn", "-dn"),
        *("-af", "aresample=async=1000:first_pts=0", "-ac", "1", "-ar", str(rate), "-f", "s16le", "pipe:1"),
    ]
    door.run(args, reads=[path], stdout=data.extend)
    return np.frombuffer(bytes(data[: len(data) // 2 * 2]), dtype="<i2").astype(np.int16, copy=False)


def _pictures(
    door: Door, path: Path, demuxer: str, sampling: Sampling, time: float | None
) -> Generator[Picture, None, None]:
    """All that one run of ffmpeg gives; with a `time`, one picture or none (the time is behind the last)."""
    width, height = sampling["width"], sampling["height"]
    size = width * height * 3
    pending = bytearray()
    stream = door.stream(_arguments(path, demuxer, sampling, time), reads=[path], limits=sampling.get("limits"))
    with contextlib.closing(stream):
        for chunk in stream:
            pending += chunk
            while len(pending) >= size:
                picture = np.frombuffer(bytes(pending[:size]), dtype=np.uint8).reshape(height, width, 3)
                del pending[:size]
                yield picture


def _arguments(path: Path, demuxer: str, sampling: Sampling, time: float | None) -> list[str]:
    fps = sampling.get("fps")
    chosen = sampling.get("stream")
    chain = [sampling.get("filters", "")]
    if time is None and fps:
        chain.append(f"fps={fps.numerator}/{fps.denominator}:round=up:start_time=0")
    chain.append(f"scale={sampling['width']}:{sampling['height']}:flags=bicubic,setsar=1,format=rgb24")
    return [
        *(("-ss", f"{max(0.0, time):.6f}") if time is not None else ()),
        *input_args(path, demuxer),
        *("-map", f"0:{chosen}" if chosen is not None else "0:v:0", "-an", "-sn", "-dn"),
        *(("-frames:v", "1") if time is not None else ()),
        *("-vf", ",".join(part for part in chain if part), "-fps_mode", "passthrough"),
        *("-f", "rawvideo", "pipe:1"),
    ]
