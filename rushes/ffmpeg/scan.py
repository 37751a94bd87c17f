"""Reading the packets of an open file, within bounds. Runs in the probe's child only."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rushes.ffmpeg.shown import is_shown
from rushes.ffmpeg.timeline import Timeline

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.stream import Stream

_FULL_BYTES = 128 * 1024 * 1024
"""A file up to this size is read whole: its own claims are then not needed."""
_HEAD_SECONDS = 60.0
_WORK_SECONDS = 20.0
_MOST_UNKNOWN = 100_000
"""Packets of streams that PyAV does not know."""
_JOINING = ("mpegts", "mpeg")


@dataclass
class Scan:
    """A timeline per stream index. `complete`: the end of the file was reached; `read` bytes of it otherwise."""

    timelines: dict[int, Timeline] = field(default_factory=dict)
    complete: bool = False
    read: int = 0


def scan(container: InputContainer, demuxer: str, size: int, *, declared: bool) -> Scan:
    """The whole file where it is small or declares no length; else its first minute."""
    import av.error

    result = Scan({stream.index: Timeline(joins=demuxer in _JOINING) for stream in container.streams})
    codecs = {stream.index: stream.codec_context.name for stream in container.streams.video if stream.codec_context}
    limit = float("inf") if size <= _FULL_BYTES or not declared else _HEAD_SECONDS
    deadline = time.monotonic() + _WORK_SECONDS
    try:
        for number, packet in enumerate(packets_of(container)):
            timeline = result.timelines.get(packet.stream_index)
            if timeline is None or packet.size == 0:
                continue  # the flush at the end, and streams that begin in the middle
            _take(timeline, packet, codecs.get(packet.stream_index, ""))
            result.read = max(result.read, packet.pos or 0)
            if number % 64 == 0 and time.monotonic() > deadline:
                return result
            if (timeline.duration or 0.0) > limit:
                return result
    except av.error.FFmpegError:
        return result  # damaged from here on: what was read counts
    result.complete = True
    return result


def packets_of(container: InputContainer, stream: Stream | None = None) -> Iterator[Packet[Stream]]:
    """As `demux`, which breaks off where a stream begins in the middle of a file (FLV, MPEG-TS), for PyAV does not know it,
    and where a damaged transport stream is so for long that the demuxer wants to be asked again, as ffmpeg does."""
    for _ in range(_MOST_UNKNOWN):
        try:
            yield from container.demux() if stream is None else container.demux(stream)
        except (IndexError, BlockingIOError):
            continue
        return


def _take(timeline: Timeline, packet: Packet[Stream], codec: str) -> None:
    if packet.is_discard or not _is_shown(packet, codec):  # outside the edit list, or only referred to
        return
    base = float(packet.time_base or 0)
    pts = packet.pts * base if packet.pts is not None else None
    dts = packet.dts * base if packet.dts is not None else None
    timeline.add(pts, dts, (packet.duration or 0) * base, packet.size, key=packet.is_keyframe)


def _is_shown(packet: Packet[Stream], codec: str) -> bool:
    if codec not in ("vp8", "vp9", "libvpx", "libvpx-vp9"):
        return True
    view = memoryview(packet)
    return is_shown(codec.removeprefix("libvpx-").replace("libvpx", "vp8"), view[0], view[-1])


def last_time(container: InputContainer, index: int, declared: float) -> float | None:
    """Where the stream really ends, in seconds, by seeking near its declared end; None where that cannot be told."""
    import av.error

    timeline = Timeline()
    deadline = time.monotonic() + _WORK_SECONDS
    try:
        container.seek(int(max(0.0, declared - 10.0) * 1_000_000))
        for packet in packets_of(container, container.streams[index]):
            if packet.size:
                _take(timeline, packet, "")
            if time.monotonic() > deadline:
                return None
    except av.error.FFmpegError:
        return timeline.end
    return timeline.end
