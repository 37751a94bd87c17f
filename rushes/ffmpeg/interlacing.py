"""Measures on a few windows of a file whether its pictures are interlaced. Runs in the probe's child only."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rushes.ffmpeg.combing import Combing, Look, is_candidate, look, verdict
from rushes.ffmpeg.scan import packets_of

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

WINDOW = 6
"""Pictures of a window; all but two are judged."""
PLACES = (0.1, 0.5, 0.85)
"""Of the windows, as shares of the length."""
MAX_PIXELS = 4096 * 2304
_WORK_SECONDS = 3.0
_SAMPLED = 8
"""Every so manieth column is looked at."""
_PHONES = ("com.android.version", "com.android.manufacturer", "com.apple.quicktime.make")
Reopen = Callable[[], contextlib.AbstractContextManager[tuple["InputContainer", "VideoStream"]]]


def is_worth_measuring(first: VideoFrame, stream: VideoStream, tags: dict[str, str], *, flagged: bool) -> bool:
    """By what is known once the first picture is decoded."""
    if first.width * first.height > MAX_PIXELS:
        return False
    rate = stream.guessed_rate or stream.average_rate
    turned = bool(first.rotation)
    phone = any(name in tags for name in _PHONES)
    size = (first.width, first.height)
    return flagged or is_candidate(size, float(rate) if rate else None, turned=turned, phone=phone)


def measure_start(first: Sequence[VideoFrame], *, flagged: bool) -> Combing:
    """From the first pictures alone, as far as they decide. What is flagged as interlaced may begin with something that is
    not; so for that they never do."""
    if flagged:
        return Combing(None)
    return Combing(False) if _is_plainly_progressive(first) else verdict(_judged(first), flagged=False)


def measure(first: Sequence[VideoFrame], duration: float, reopen: Reopen, *, flagged: bool) -> Combing:
    """From the first pictures and from windows further on."""
    deadline = time.monotonic() + _WORK_SECONDS
    looks = _judged(first)
    for place in PLACES:
        if time.monotonic() > deadline:
            break
        with reopen() as (container, stream):
            looks += _judged(_window(container, stream, place * duration, deadline))
    return verdict(looks, flagged=flagged)


def _is_plainly_progressive(pictures: Sequence[VideoFrame]) -> bool:
    """libavfilter's `idet` on the first window. It errs on the other side only, and loads nothing."""
    import av
    import av.error
    import av.filter

    graph, said = av.filter.Graph(), []
    try:
        chain = [
            graph.add_buffer(
                width=pictures[0].width,
                height=pictures[0].height,
                format=pictures[0].format,
                time_base=pictures[0].time_base,
            ),
            graph.add("idet"),
            graph.add("buffersink"),
        ]
        graph.link_nodes(*chain).configure()
        for picture in [*pictures, None]:
            graph.push(picture)
            with contextlib.suppress(av.error.BlockingIOError, av.error.EOFError):
                while True:
                    said.append(graph.pull().metadata.get("lavfi.idet.multiple.current_frame"))
    except (av.error.FFmpegError, ValueError, AttributeError):
        return False
    return len(said) >= WINDOW - 2 and said.count("progressive") >= len(said) - 1


def _window(container: InputContainer, stream: VideoStream, at: float, deadline: float) -> list[VideoFrame]:
    import av.error

    stream.thread_type = "NONE"
    stream.codec_context.thread_count = 1
    found: list[VideoFrame] = []
    with contextlib.suppress(av.error.FFmpegError, StopIteration):
        container.seek(int((at + (container.start_time or 0) / 1e6) * 1_000_000))
        for frame in _decoded(container, stream, deadline):
            found.append(frame)
            if len(found) >= WINDOW:
                break
    return found


def _decoded(container: InputContainer, stream: VideoStream, deadline: float) -> Iterator[VideoFrame]:
    for packet in packets_of(container, stream):
        if time.monotonic() > deadline:
            return
        yield from stream.codec_context.decode(packet)


def _judged(pictures: Sequence[VideoFrame]) -> list[Look | None]:
    planes = [plane for picture in pictures if (plane := _luma(picture)) is not None]
    return [look(*planes[at : at + 3]) for at in range(len(planes) - 2)]


def _luma(picture: VideoFrame) -> Any:  # noqa: ANN401 - an array of the brightness, see combing.Luma
    """Every eighth column of the first plane; None for formats that have no brightness of their own there."""
    import numpy as np

    component = picture.format.components[0] if picture.format.components else None
    if component is None or picture.format.is_rgb or picture.format.has_palette or component.bits not in range(8, 17):
        return None
    plane, wide = picture.planes[0], component.bits > 8
    if picture.format.name.startswith(("yuyv", "uyvy", "yvyu")) or (picture.format.is_big_endian and wide):
        return None
    samples = np.frombuffer(memoryview(plane), np.uint16 if wide else np.uint8).reshape(picture.height, -1)
    return samples[:, : picture.width : _SAMPLED].astype(np.int32)
