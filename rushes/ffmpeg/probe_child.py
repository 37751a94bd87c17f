"""The probe's child: opens a stranger's file with PyAV and prints what it is, as JSON. Runs in the sandbox.

`python -m rushes.ffmpeg.probe_child PATH DEMUXER [holes]`. Prints `{"failure": code, "detail": text}` or the raw facts, which
`facts.py` makes into SourceFacts; nothing heavy is imported here.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rushes.ffmpeg.argv import demuxer_options
from rushes.ffmpeg.codecs import VIDEO_CODECS
from rushes.ffmpeg.interlacing import WINDOW, is_worth_measuring, measure, measure_start
from rushes.ffmpeg.outline import Outline, read_outline
from rushes.ffmpeg.picture import describe, pictures
from rushes.ffmpeg.scan import Scan, last_time, scan
from rushes.ffmpeg.segment import HEAD_BYTES, breaks_off
from rushes.ffmpeg.timeline import Timeline

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.stream import Stream
    from av.video.stream import VideoStream

_MAX_INDEX = 2_000_000
_MAX_KEYFRAMES = 5000
_PICTURE_ONLY = 0x400 | 0x800 | 0x100000  # attached picture, timed thumbnails, still image (libavformat dispositions)
_DEFAULT = 0x1
_SECONDARY = 0x8 | 0x80 | 0x100 | 0x200  # comment, hearing impaired, visual impaired, clean effects
_INTERLACED = (2, 3, 4, 5)  # libavcodec's AV_FIELD_TT, BB, TB, BT
_MAX_INDEX_BYTES = 256_000_000
"""Of the index of an MP4 file, which is read whole. A day at 60 frames a second has some 100 MB."""
_MAX_VIDEO, _MAX_AUDIO, _MAX_NAMES = 8, 200, 200
_DECLARING = ("flv", "avi")
"""Formats whose header says how long the file lasts, but not reliably how many bytes it has."""


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
    if outline.index_bytes > _MAX_INDEX_BYTES:
        raise Refusal("over_limit_index", f"{outline.index_bytes} bytes, {_MAX_INDEX_BYTES} allowed")
    if outline.encrypted:
        raise Refusal("encrypted", "protected sample entries")
    with _open(path, demuxer, outline, holes=holes) as container:
        videos = _videos(container)
        packets = scan(container, demuxer, size, declared=(container.duration or 0) > 0)
        index, picture = _choose(path, demuxer, _candidates(videos, packets), outline, holes=holes)
        indexed = demuxer == "mov" and not outline.fragmented
        if demuxer == "gif" and packets.complete and packets.timelines[index].packets == 1:
            raise Refusal("still_image")
        found = _facts(container, indexed, packets, index, picture)
        if demuxer == "mov" and not outline.complete:
            _count_what_is_there(container, size, found)
        found |= {"edits": outline.edits, "dolby_vision": outline.dolby_vision, "telemetry": outline.telemetry}
    cut = _cut(path, demuxer, outline, size)
    return {**found, "cut": cut, "indexed": indexed or _has_cues(path, demuxer, index)}


def _cut(path: Path, demuxer: str, outline: Outline, size: int) -> bool | None:
    """Whether the file ends before its own structure does; None where only the length that it declares can tell."""
    if demuxer in _DECLARING:
        return None
    if demuxer != "matroska":
        return not outline.complete
    with path.open("rb") as file:
        return breaks_off(file.read(HEAD_BYTES), size)


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


def _choose(
    path: Path, demuxer: str, candidates: list[int], outline: Outline, *, holes: bool
) -> tuple[int, dict[str, Any]]:
    """The first that really decodes, and what its pictures say."""
    for index in candidates:
        with _reading(path, demuxer, outline, index) as (container, stream):
            decoded = pictures(container, stream)
            first = next(decoded, None)
            if first is None:
                continue
            found = describe(first)
            flagged = first.interlaced_frame or int(stream.codec_context.field_order) in _INTERLACED
            if not is_worth_measuring(first, stream, dict(container.metadata), flagged=flagged):
                return index, found
            start = [first, *islice(decoded, WINDOW - 1)]
            combing = measure_start(start, flagged=flagged)
            if combing.interlaced is None and holes:
                raise Refusal("truncated", "pictures have to be looked at that are not there yet")
            if combing.interlaced is None:
                length = (container.duration or 0) / 1e6
                again = partial(_reading, path, demuxer, outline, index)
                combing = measure(start, length, again, flagged=flagged)
            return index, {**found, "woven": combing.interlaced, "order": combing.order}
    raise Refusal("no_decodable_frames" if outline.complete else "truncated")


@contextmanager
def _reading(path: Path, demuxer: str, outline: Outline, index: int) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The file opened once more, and one video stream of it."""
    with _open(path, demuxer, outline) as container:
        yield container, next(stream for stream in container.streams.video if stream.index == index)


def _facts(
    container: InputContainer, indexed: bool, packets: Scan, index: int, picture: dict[str, Any]
) -> dict[str, Any]:
    stream = next(stream for stream in container.streams.video if stream.index == index)
    return {
        "duration": container.duration / 1e6 if container.duration else None,
        "bitrate": container.bit_rate or None,
        "streams": len(container.streams),
        "tags": dict(container.metadata),
        "names": _names(container),
        "restarts": max((timeline.restarts for timeline in packets.timelines.values()), default=0),
        "complete": packets.complete,
        "last": _end(packets, container.streams),
        "end": _end(packets, [*container.streams.video, *container.streams.audio]),
        "video": {**_video(container, stream, packets, indexed=indexed), "picture": picture},
        "audio": [_audio(audio, packets) for audio in container.streams.audio[:_MAX_AUDIO] if audio.codec_context],
    }


def _end(packets: Scan, streams: Iterable[Stream]) -> float | None:
    """When the last of them ends."""
    lines = (packets.timelines[stream.index] for stream in streams)
    return max((line.end for line in lines if line.end is not None), default=None)


def _names(container: InputContainer) -> list[str]:
    """Names of all metadata of streams and chapters: only that something is there, not what."""
    tags = [name for stream in container.streams for name in stream.metadata]
    chapters = [name for chapter in container.chapters() for name in chapter["metadata"]]
    return sorted(set(tags) | set(chapters))[:_MAX_NAMES]


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
        "alpha": stream.metadata.get("alpha_mode") == "1",
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
        "secondary": bool(int(stream.disposition) & _SECONDARY),
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
        "holes": timeline.holes,
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


def _count_what_is_there(container: InputContainer, size: int, found: dict[str, Any]) -> None:
    """Of a file that breaks off, by its index: a scan of all streams ends where the first of them does, although what is
    read by itself goes on."""
    for stream in [found["video"], *found["audio"]]:
        source = container.streams[stream["index"]]
        entries, base = source.index_entries, float(source.time_base or 0)
        total = min(len(entries), _MAX_INDEX)
        shown = next((number for number in range(total) if not entries[number].is_discard), total)
        beyond = (number for number in range(shown, total) if entries[number].pos + entries[number].size > size)
        end = next(beyond, shown)
        if end > shown:
            stream["measured"] = (entries[end].timestamp - entries[shown].timestamp) * base


def _has_cues(path: Path, demuxer: str, index: int) -> bool:
    """Whether a Matroska file lists its key pictures up to its end. The demuxer reads the list at the first seek."""
    import av.error

    if demuxer != "matroska":
        return False
    with _open(path, demuxer, Outline(has_index=True)) as container:
        stream = next(stream for stream in container.streams.video if stream.index == index)
        try:
            container.seek(0)
        except av.error.FFmpegError:
            return False
        entries, seconds = stream.index_entries, (container.duration or 0) / 1e6
        last = entries[len(entries) - 1].timestamp * float(stream.time_base or 0) if len(entries) > 1 else 0.0
        return 0 < seconds < 2 * last


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
