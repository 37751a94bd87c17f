"""From the raw findings of the probe's child to SourceFacts: which of several claims is believed. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, Literal, cast

from rushes.engine.shortfall import missing_seconds
from rushes.facts import AudioFacts, Mastering, SourceFacts, VideoFacts
from rushes.ffmpeg.colour import MATRICES, PRIMARIES, TRANSFERS, first_specified, hdr_of, is_full_range
from rushes.ffmpeg.language import bcp47
from rushes.ffmpeg.orientation import orientation
from rushes.ffmpeg.provenance import provenance
from rushes.ffmpeg.rates import average_rate, exact_rate, is_variable, lively_rate, median_rate, usual_rate
from rushes.ffmpeg.sniff import Container
from rushes.ffmpeg.tags import clean_tags, personal_kinds

_INTERLACED = (2, 3, 4, 5)  # libavcodec's AV_FIELD_TT, BB, TB, BT
_SLACK = 0.5
"""Seconds by which a declared length may differ from a measured one before it counts as wrong."""
_LONGEST = 400 * 86400.0
_MOST_CUT = 100
"""A file that declares more than so many times what is in it was not cut off: its length is nonsense."""
_INTERLEAVED = 1.0
"""Seconds by which picture and sound may end apart where a file breaks off while both go on."""

Raw = Mapping[str, Any]


def source_facts(raw: Raw, container: Container, size: int, *, personal: bool = False) -> SourceFacts:
    """Facts of a file of `size` bytes that the child read without a refusal. `personal` metadata is kept if asked for."""
    raw = {**raw, "cut": _is_cut(raw)}
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
        declared_duration=round(min(raw["duration"], _LONGEST), 6) if raw["duration"] else None,
        restarts=raw["restarts"],
        provenance=provenance(raw),
        tags=clean_tags(raw["tags"], personal=personal),
        personal=_personal(raw),
        warnings=tuple(_warnings(raw, video)),
        keyframes=tuple(round(time, 6) for time in raw["video"]["keyframes"]),
        indexed=raw.get("indexed", False) and not raw["cut"],
    )


def _is_cut(raw: Raw) -> bool:
    """As its structure says; where that says nothing, by the length that the file declares."""
    if raw["cut"] is not None:
        return bool(raw["cut"])
    last = raw["last"] if raw["complete"] else raw["video"]["tail"]
    return bool(raw["duration"] and last and missing_seconds(raw["duration"], last))


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
        pix_fmt=_pix_fmt(stream),
        bit_depth=picture["bit_depth"],
        fps=exact_rate(_rates(stream, duration, frames), [_fraction(rate) for rate in stream["rates"]]),
        vfr=is_variable(stream["times"], stream["tick"]),
        duration=duration,
        cut_off=_cut_off(stream, raw, duration),
        start=round(_start(stream), 6),
        frames=frames,
        bitrate=_bitrate(stream),
        primaries=PRIMARIES.get(primaries),
        transfer=TRANSFERS.get(transfer),
        matrix=MATRICES.get(matrix),
        full_range=is_full_range(picture["pix_fmt"], picture["range"], stream["range"]),
        hdr=hdr_of(TRANSFERS.get(transfer)),
        hdr_format=_hdr_format(picture, raw, hdr_of(TRANSFERS.get(transfer))),
        dolby_vision=raw["dolby_vision"],
        mastering=_mastering(picture["mastering"]),
        light=tuple(picture["light"]) if picture["light"] else None,
        interlaced=_interlaced(stream),
        field_order=picture.get("order") if _interlaced(stream) else None,
        edits=raw["edits"],
    )


def _pix_fmt(stream: Raw) -> str:
    """As decoded; but the decoder does not know of the second stream in which VP8 and VP9 carry transparency."""
    decoded: str = stream["picture"]["pix_fmt"]
    return "yuva420p" if stream["alpha"] and decoded == "yuv420p" and stream["codec"] in ("vp8", "vp9") else decoded


def _interlaced(stream: Raw) -> bool:
    """As measured; where nothing moved, as the pictures or the stream say."""
    measured: bool | None = stream["picture"].get("woven")
    if measured is not None:
        return measured
    return stream["picture"]["interlaced"] or stream["field_order"] in _INTERLACED


def _hdr_format(picture: Raw, raw: Raw, hdr: str | None) -> Literal["hdr10", "hdr10+", "hlg", "dolby-vision"] | None:
    if picture["dolby_vision"] or raw["dolby_vision"] is not None:
        return "dolby-vision"
    if hdr == "pq":
        return "hdr10+" if picture["hdr10_plus"] else "hdr10"
    return "hlg" if hdr == "hlg" else None


def _mastering(ratios: list[list[int]] | None) -> Mastering | None:
    if ratios is None or any(bottom <= 0 or top < 0 for top, bottom in ratios):
        return None
    values = [round(top / bottom, 6) for top, bottom in ratios]
    pairs = [(values[at], values[at + 1]) for at in range(0, 8, 2)]
    return Mastering(red=pairs[0], green=pairs[1], blue=pairs[2], white=pairs[3], least=values[8], most=values[9])


def _personal(raw: Raw) -> tuple[str, ...]:
    found = set(personal_kinds([*raw["tags"], *raw["names"]]))
    return tuple(sorted(found | {"telemetry"} if raw["telemetry"] else found))


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
        secondary=stream["secondary"],
        empty=raw["complete"] and not stream["packets"],
    )


def _duration(stream: Raw, raw: Raw) -> float | None:
    """Seconds. What was measured over the whole file wins."""
    declared, measured = stream["duration"], stream["measured"]
    indexed, tail = stream.get("index_seconds"), stream.get("tail")
    if raw["complete"]:
        value = measured if measured is not None or raw["cut"] else declared
    elif tail is not None:
        value = tail - _start(stream)
    elif indexed is not None:
        value = declared if declared and abs(declared - indexed) <= indexed * 0.5 + _SLACK else indexed
    else:
        value = declared or raw["duration"] or measured
    return round(min(value, _LONGEST), 6) if value and value > 0 else None


def _cut_off(stream: Raw, raw: Raw, there: float | None) -> float:
    """Seconds of the picture that a file which breaks off declares and does not have. Where the picture does not say how
    long it is, it goes on with the file, unless it had ended before."""
    if not (raw["cut"] and there and (raw["complete"] or stream["tail"])):
        return 0.0
    own_end = _start(stream) + there
    end = raw["end"] if raw["complete"] else own_end
    goes_on = own_end >= end - _INTERLEAVED
    rest = stream["duration"] - there if stream["duration"] else (raw["duration"] or 0.0) - end if goes_on else 0.0
    nonsense = there + rest > there * _MOST_CUT + _SLACK
    return 0.0 if nonsense else max(0.0, round(rest, 6))


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
    """The usual rate; where the rate varies one that shows its pictures, at least the average over all frames, where they were
    counted."""
    times: list[float] = stream["times"]
    if not is_variable(times, stream["tick"]):
        return [usual_rate(times, stream["tick"]), median_rate(times)]
    average = frames / duration if frames and duration and frames > len(times) else average_rate(times)
    return [average and lively_rate(times, average)]


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
    holes = max((stream["holes"] for stream in raw["audio"]), default=0.0)
    if holes:
        found.append(f"the sound has gaps, {holes:.1f} s together")
    if any(not stream["channels"] for stream in raw["audio"]):
        found.append("an audio stream could not be understood")
    return found
