"""The probe's child: opens a stranger's file with PyAV and prints what it is, as JSON. Runs in the sandbox.

`python -m rushes.ffmpeg.probe_child PATH DEMUXER [holes]`. Prints `{"failure": code, "detail": text}` or the raw facts, which
`facts.py` makes into SourceFacts; nothing heavy is imported here.
"""

from __future__ import annotations

import json
import sys
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rushes.ffmpeg.argv import demuxer_options
from rushes.ffmpeg.codecs import VIDEO_CODECS
from rushes.ffmpeg.outline import Outline, read_outline
from rushes.ffmpeg.picture import first_picture
from rushes.ffmpeg.scan import Scan, last_time, scan
from rushes.ffmpeg.timeline import Timeline

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.video.stream import VideoStream

_MAX_INDEX = 2_000_000
_MAX_KEYFRAMES = 5000
_PICTURE_ONLY = 0x400 | 0x800 | 0x100000  # attached picture, timed thumbnails, still image (libavformat dispositions)
_DEFAULT = 0x1
_MAX_VIDEO, _MAX_AUDIO = 8, 200


class Refusal(Exception):
    """The file cannot become a video; `code` is one of rushes.errors.REASONS."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail


def probe(path: Path, demuxer: str, *, holes: bool = False) -> dict[str, Any]:
    """Raw facts of the file. Raises Refusal. `holes`: most samples are not there yet and read as zeros."""
    size = path.stat().st_size
    outline = Outline(has_index=True)
    if demuxer == "mov":
        with path.open("rb") as file:
            outline = read_outline(file, size)
    if outline.encrypted:
        raise Refusal("encrypted", "protected sample entries")
    with _open(path, demuxer, outline, holes=holes) as container:
        videos = _videos(container)
        packets = scan(container, demuxer, size, declared=(container.duration or 0) > 0)
        index, picture = _choose(path, demuxer, _candidates(videos, packets), outline)
        indexed = demuxer == "mov" and not outline.fragmented
        if demuxer == "gif" and packets.complete and packets.timelines[index].packets == 1:
            raise Refusal("still_image")
        return {**_facts(container, indexed, packets, index, picture), "cut": not outline.complete}


def _open(path: Path, demuxer: str, outline: Outline, *, holes: bool = False) -> InputContainer:
    import av
    import av.error

    # A parser would find no key picture in a sample of zeros; without one, those that the index names are believed.
    options = {**demuxer_options(demuxer), **({"fflags": "+noparse"} if holes else {})}
    try:
        return av.open(f"file:{path}", format=demuxer, container_options=options, metadata_errors="replace")
    except (av.error.FFmpegError, ValueError) as error:
        if not outline.has_index:
            raise Refusal("moov_missing", str(error)) from error
        raise Refusal("corrupt" if outline.complete else "truncated", str(error)) from error


def _videos(container: InputContainer) -> list[VideoStream]:
    """Streams that could be the video: moving, in the clear, of a codec that we take."""
    if any("enc_key_id" in stream.metadata for stream in container.streams):  # Matroska's ContentEncryption
        raise Refusal("encrypted", "a stream with a key id")
    videos = [stream for stream in container.streams.video if not int(stream.disposition) & _PICTURE_ONLY]
    if not videos:
        raise Refusal("no_video_stream")
    taken = [stream for stream in videos if stream.codec_context and _codec(stream) in VIDEO_CODECS]
    if not taken:
        names = ", ".join(_codec(stream) if stream.codec_context else "unknown" for stream in videos)
        raise Refusal("codec_unsupported", names)
    return taken


def _candidates(videos: list[VideoStream], packets: Scan) -> list[int]:
    """Their indices, the likeliest main video first: declared default, then largest, then first."""
    filled = [stream for stream in videos if packets.timelines[stream.index].packets] or videos[:1]
    filled.sort(key=lambda stream: (not int(stream.disposition) & _DEFAULT, -_area(stream), stream.index))
    return [stream.index for stream in filled[:_MAX_VIDEO]]


def _choose(path: Path, demuxer: str, candidates: list[int], outline: Outline) -> tuple[int, dict[str, Any]]:
    """The first that really decodes, and its first picture."""
    for index in candidates:
        with _open(path, demuxer, outline) as container:
            stream = next(stream for stream in container.streams.video if stream.index == index)
            picture = first_picture(container, stream)
        if picture is not None:
            return index, picture
    raise Refusal("no_decodable_frames" if outline.complete else "truncated")


def _facts(
    container: InputContainer, indexed: bool, packets: Scan, index: int, picture: dict[str, Any]
) -> dict[str, Any]:
    stream = next(stream for stream in container.streams.video if stream.index == index)
    return {
        "duration": container.duration / 1e6 if container.duration else None,
        "bitrate": container.bit_rate or None,
        "streams": len(container.streams),
        "tags": dict(container.metadata),
        "complete": packets.complete,
        "video": {**_video(container, stream, packets, indexed=indexed), "picture": picture},
        "audio": [_audio(audio, packets) for audio in container.streams.audio[:_MAX_AUDIO] if audio.codec_context],
    }


def _codec(stream: VideoStream) -> str:
    return stream.codec_context.codec.canonical_name


def _area(stream: VideoStream) -> int:
    return min(stream.codec_context.width * stream.codec_context.height, 1 << 27)


def _video(container: InputContainer, stream: VideoStream, packets: Scan, *, indexed: bool) -> dict[str, Any]:
    context, timeline = stream.codec_context, packets.timelines[stream.index]
    index = _index(stream) if indexed and not packets.complete else {}
    tail = None
    if not packets.complete and not indexed and container.duration:
        tail = last_time(container, stream.index, container.duration / 1e6)
    return {
        **_common(stream, timeline),
        "codec": _codec(stream),
        "sar": _ratio(stream.sample_aspect_ratio),
        "rates": [_ratio(rate) for rate in (stream.base_rate, stream.average_rate, stream.guessed_rate)],
        "frames": stream.frames or None,
        "primaries": int(context.color_primaries),
        "transfer": int(context.color_trc),
        "matrix": int(context.colorspace),
        "range": int(context.color_range),
        "field_order": int(context.field_order),
        "times": timeline.times,
        "tail": tail,
        "keyframes": index.get("keyframes") or timeline.keyframes,
        "index_seconds": index.get("seconds"),
        "index_frames": index.get("frames"),
    }


def _audio(stream: AudioStream, packets: Scan) -> dict[str, Any]:
    context = stream.codec_context
    return {
        **_common(stream, packets.timelines[stream.index]),
        "codec": context.codec.canonical_name,
        "channels": context.channels,
        "sample_rate": context.sample_rate,
    }


def _common(stream: VideoStream | AudioStream, timeline: Timeline) -> dict[str, Any]:
    base = float(stream.time_base or 0)
    return {
        "index": stream.index,
        "profile": stream.profile,
        "language": stream.metadata.get("language"),
        "default": bool(int(stream.disposition) & _DEFAULT),
        "bitrate": stream.codec_context.bit_rate or None,
        "tick": base,
        "duration": stream.duration * base if stream.duration else None,
        "start": stream.start_time * base if stream.start_time is not None else None,
        "packets": timeline.packets,
        "bytes": timeline.bytes,
        "measured": timeline.duration,
        "measured_start": timeline.start,
    }


def _index(stream: VideoStream) -> dict[str, Any]:
    """Keyframe times and length by the container's own index of samples; its times are those of decoding."""
    entries = stream.index_entries
    count = min(len(entries), _MAX_INDEX)
    if count < 2:
        return {}
    base = float(stream.time_base or 0)
    first, last = entries[0].timestamp, entries[count - 1].timestamp
    shift = (stream.start_time or 0) - first
    keyframes: list[float] = []
    for number in range(count):
        entry = entries[number]
        if entry.is_keyframe and not entry.is_discard:
            keyframes.append((entry.timestamp + shift) * base)
            if len(keyframes) >= _MAX_KEYFRAMES:
                break
    return {"keyframes": keyframes, "seconds": (last - first) * base * count / (count - 1), "frames": count}


def _ratio(value: Fraction | None) -> list[int] | None:
    return [value.numerator, value.denominator] if value else None


def main(arguments: list[str]) -> None:
    path, demuxer, *rest = arguments
    try:
        answer = probe(Path(path), demuxer, holes=rest == ["holes"])
    except Refusal as refusal:
        answer = {"failure": refusal.code, "detail": refusal.detail}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main(sys.argv[1:])
