"""The first decodable picture of a stream: what a video really is, whatever its container declares.

Runs in the probe's child only.
"""

from __future__ import annotations

import contextlib
import struct
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rushes.ffmpeg.scan import packets_of

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.sidedata.sidedata import SideData
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_MAX_PACKETS = 600
_WORK_SECONDS = 20.0


def pictures(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    """The first pictures that decode, within bounds.

    The file has to be freshly opened: seeking to its start does not work in all formats.
    """
    stream.thread_type = "NONE"  # frame threads multiply the memory of a large picture
    stream.codec_context.thread_count = 1
    yield from _frames(container, stream, time.monotonic() + _WORK_SECONDS)


def _frames(container: InputContainer, stream: VideoStream, deadline: float) -> Any:  # noqa: ANN401 - an iterator of frames
    import av.error

    packets = packets_of(container, stream)
    for _ in range(_MAX_PACKETS):
        try:
            packet = next(packets, None)
        except av.error.FFmpegError:
            packet = None
        with contextlib.suppress(av.error.FFmpegError):  # one damaged packet is no verdict on the next
            yield from stream.codec_context.decode(packet)
        if packet is None or packet.size == 0 or time.monotonic() > deadline:
            return


def describe(frame: VideoFrame) -> dict[str, Any]:
    riding = _riding(frame)
    matrix, light = riding.get("DISPLAYMATRIX", b""), riding.get("CONTENT_LIGHT_LEVEL", b"")
    return {
        "width": frame.width,
        "height": frame.height,
        "pix_fmt": frame.format.name,
        "bit_depth": max((part.bits for part in frame.format.components), default=8),
        "primaries": int(frame.color_primaries),
        "transfer": int(frame.color_trc),
        "matrix": int(frame.colorspace),
        "range": int(frame.color_range),
        "interlaced": frame.interlaced_frame,
        "orientation": list(struct.unpack("=9i", matrix)) if len(matrix) == 36 else [],
        "mastering": _mastering(riding.get("MASTERING_DISPLAY_METADATA", b"")),
        "light": list(struct.unpack_from("=II", light)) if len(light) >= 8 else None,
        "dolby_vision": "DOVI_METADATA" in riding or "DOVI_RPU_BUFFER" in riding,
        "hdr10_plus": "DYNAMIC_HDR_PLUS" in riding,
    }


def _riding(frame: VideoFrame) -> dict[str, bytes]:
    """What rides on a picture beside its samples, by libavutil's name of it."""
    found: dict[str, bytes] = {}
    for number in range(len(frame.side_data)):
        data: SideData = frame.side_data[number]  # type: ignore[literal-required]  # PyAV's stub knows names only
        found[data.type.name] = bytes(data)
    return found


def _mastering(data: bytes) -> list[list[int]] | None:
    """The ten ratios of SMPTE ST 2086 as libavutil stores them: x and y of red, green, blue and white; least and most
    light in nits. None where either half is not given."""
    if len(data) < 88 or struct.unpack_from("=ii", data, 80) != (1, 1):
        return None
    numbers = struct.unpack_from("=20i", data)
    return [list(numbers[at : at + 2]) for at in range(0, 20, 2)]
