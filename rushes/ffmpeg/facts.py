"""From the raw findings of the probe's child to SourceFacts: which of several claims is believed. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, Literal, cast

from rushes.facts import AudioFacts, SourceFacts, VideoFacts
from rushes.ffmpeg.colour import MATRICES, PRIMARIES, TRANSFERS, first_specified, hdr_of, is_full_range
from rushes.ffmpeg.language import bcp47
from rushes.ffmpeg.orientation import orientation
from rushes.ffmpeg.rates import average_rate, exact_rate, is_variable, median_rate, usual_rate
from rushes.ffmpeg.sniff import Container
from rushes.ffmpeg.tags import clean_tags

_INTERLACED = (2, 3, 4, 5)  # libavcodec's AV_FIELD_TT, BB, TB, BT
_SLACK = 0.5
"""Seconds by which a declared length may differ from a measured one before it counts as wrong."""
_LONGEST = 400 * 86400.0

Raw = Mapping[str, Any]


def source_facts(raw: Raw, container: Container, size: int) -> SourceFacts:
    """Facts of a file of `size` bytes that the child read without a refusal."""
    video = video_facts(raw["video"], raw)
    audio = tuple(audio_facts(stream, raw) for stream in raw["audio"] if stream["channels"] and stream["sample_rate"])
    duration = _span([video, *audio]) or min(raw["duration"] or 0.0, _LONGEST)
    return SourceFacts(
        container=container.name,
        demuxer=container.demuxer,
        size=size,
        duration=round(duration, 6),
        bitrate=round(size * 8 / duration) if duration > 0 else raw["bitrate"],
        video=video,
        audio=audio,
        streams=raw["streams"],
        tags=clean_tags(raw["tags"]),
        warnings=tuple(_warnings(raw, video)),
        keyframes=tuple(round(time, 6) for time in raw["video"]["keyframes"]),
    )


def _span(streams: Sequence[VideoFacts | AudioFacts]) -> float:
    """From the first beginning to the last end, seconds."""
    known = [(stream.start, stream.start + stream.duration) for stream in streams if stream.duration]
    return max(end for _, end in known) - min(start for start, _ in known) if known else 0.0


def video_facts(stream: Raw, raw: Raw) -> VideoFacts:
    picture = stream["picture"]
    rotation, flip = orientation(picture["orientation"])
    duration = _duration(stream, raw)
    primaries, transfer, matrix = (
        first_specified(picture[name], stream[name]) for name in ("primaries", "transfer", "matrix")
    )
    frames = _frames(stream, raw)
    return VideoFacts(
        index=stream["index"],
        codec=stream["codec"],
        profile=stream["profile"],
        width=picture["width"],
        height=picture["height"],
        sar=_aspect(stream["sar"]),
        rotation=cast(Literal[0, 90, 180, 270], rotation),
        flip=flip,
        pix_fmt=picture["pix_fmt"],
        bit_depth=picture["bit_depth"],
        fps=exact_rate(_rates(stream, duration, frames), [_fraction(rate) for rate in stream["rates"]]),
        vfr=is_variable(stream["times"], stream["tick"]),
        duration=duration,
        start=round(_start(stream), 6),
        frames=frames,
        bitrate=_bitrate(stream),
        primaries=PRIMARIES.get(primaries),
        transfer=TRANSFERS.get(transfer),
        matrix=MATRICES.get(matrix),
        full_range=is_full_range(picture["pix_fmt"], picture["range"], stream["range"]),
        hdr=hdr_of(TRANSFERS.get(transfer)),
        interlaced=picture["interlaced"] or stream["field_order"] in _INTERLACED,
    )


def audio_facts(stream: Raw, raw: Raw) -> AudioFacts:
    return AudioFacts(
        index=stream["index"],
        codec=stream["codec"],
        profile=stream["profile"],
        channels=stream["channels"],
        sample_rate=stream["sample_rate"],
        language=bcp47(stream["language"]),
        bitrate=_bitrate(stream),
        duration=_duration(stream, raw),
        start=round(_start(stream), 6),
        default=stream["default"],
    )


def _duration(stream: Raw, raw: Raw) -> float | None:
    """Seconds. What was measured over the whole file wins, unless the file was cut: then what is missing shows."""
    declared, measured = stream["duration"], stream["measured"]
    indexed, tail = stream.get("index_seconds"), stream.get("tail")
    if raw["complete"]:
        cut = raw["cut"] and declared and measured and declared < measured * 100 + _SLACK
        value = max(declared, measured) if cut else measured if measured is not None else declared
    elif tail is not None:
        value = tail - _start(stream)
    elif indexed is not None:
        value = declared if declared and abs(declared - indexed) <= indexed * 0.5 + _SLACK else indexed
    else:
        value = declared or raw["duration"] or measured
    return round(min(value, _LONGEST), 6) if value and value > 0 else None


def _start(stream: Raw) -> float:
    measured: float | None = stream["measured_start"]
    return measured if measured is not None else stream["start"] or 0.0


def _frames(stream: Raw, raw: Raw) -> int | None:
    if raw["complete"] and not raw["cut"]:
        packets: int = stream["packets"]
        return packets or None
    frames: int | None = stream["index_frames"] or stream["frames"]
    return frames


def _rates(stream: Raw, duration: float | None, frames: int | None) -> list[float | None]:
    """The usual rate; where the rate varies the average, over all frames where they were counted."""
    times: list[float] = stream["times"]
    if not is_variable(times, stream["tick"]):
        return [usual_rate(times, stream["tick"]), median_rate(times)]
    if frames and duration and frames > len(times):
        return [frames / duration]
    return [average_rate(times)]


def _bitrate(stream: Raw) -> int | None:
    if stream["measured"] and stream["packets"] > 1:
        return round(float(stream["bytes"] * 8 / stream["measured"]))
    bitrate: int | None = stream["bitrate"]
    return bitrate


def _aspect(pair: list[int] | None) -> Fraction:
    """Sample aspect ratio; what no camera makes is taken for a mistake."""
    ratio = _fraction(pair) or Fraction(1)
    return ratio if Fraction(1, 10) <= ratio <= 10 else Fraction(1)


def _fraction(pair: list[int] | None) -> Fraction | None:
    return Fraction(pair[0], pair[1]) if pair and pair[0] > 0 and pair[1] > 0 else None


def _warnings(raw: Raw, video: VideoFacts) -> list[str]:
    found = []
    if raw["cut"]:
        found.append("the file breaks off before its declared end")
    if raw["duration"] and video.duration and raw["duration"] > 2 * max(video.duration, 1.0):
        found.append(f"declares {raw['duration']:.0f} s, video lasts {video.duration:.1f} s")
    if any(not stream["channels"] for stream in raw["audio"]):
        found.append("an audio stream could not be understood")
    return found
