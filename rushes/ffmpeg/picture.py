"""The first decodable picture of a stream: what a video really is, whatever its container declares.

Runs in the probe's child only.
"""

from __future__ import annotations

import contextlib
import struct
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.sidedata.sidedata import SideData
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_MAX_PACKETS = 600
_WORK_SECONDS = 20.0


def first_picture(container: InputContainer, stream: VideoStream) -> dict[str, Any] | None:
    """Size, format, colours, orientation of the first picture that decodes; None where none does within bounds.

    The file has to be freshly opened: seeking to its start does not work in all formats.
    """
    stream.thread_type = "NONE"  # frame threads multiply the memory of a large picture
    stream.codec_context.thread_count = 1
    deadline = time.monotonic() + _WORK_SECONDS
    frame = next(_frames(container, stream, deadline), None)
    return describe(frame) if frame is not None else None


def _frames(container: InputContainer, stream: VideoStream, deadline: float) -> Any:  # noqa: ANN401 - an iterator of frames
    import av.error

    packets = container.demux(stream)
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
    matrix = _display_matrix(frame)
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
    }


def _display_matrix(frame: VideoFrame) -> bytes:
    for number in range(len(frame.side_data)):
        data: SideData = frame.side_data[number]  # type: ignore[literal-required]  # PyAV's stub knows names only
        if data.type.name == "DISPLAYMATRIX":
            return bytes(data)
    return b""
