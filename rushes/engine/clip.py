"""A clip's place in its source: frames of the normalised picture, counted from time zero. Pure.

Everything that plans is given the source as long as the clip (`shown`), so a clip has a grid, chunks and costs of its own;
only what reads the source has to know where in it the clip lies (`in_source`, `clip_start`).
"""

from __future__ import annotations

import math
from fractions import Fraction

from rushes.errors import StepFailure
from rushes.facts import AudioFacts, SourceFacts
from rushes.options import Clip, Options
from rushes.plan import Chunk


def span(clip: Clip | None, fps: Fraction) -> tuple[int, int | None]:
    """First frame and number of frames; None: to the end. A frame belongs to the clip if its time does: `n / fps` in
    [start, end), to within a thousandth of a frame, so that seconds with few decimals name the frame that they mean."""
    if clip is None:
        return 0, None
    first = _frame_at(clip.start, fps)
    return first, None if clip.end is None else max(1, _frame_at(clip.end, fps) - first)


def _frame_at(seconds: float, fps: Fraction) -> int:
    """The first frame that is shown at this time or after it."""
    exact = Fraction(seconds).limit_denominator(1_000_000) * fps
    return -int((-(exact - Fraction(1, 1000))) // 1)


def clip_start(options: Options, fps: Fraction) -> Fraction:
    """Seconds of the source at which the clip's first frame is shown."""
    return span(options.clip, fps)[0] / fps


def in_source(chunk: Chunk, clip: Clip | None, fps: Fraction) -> Chunk:
    """A chunk of the clip as frames of the source's normalised picture."""
    first, frames = span(clip, fps)
    if frames is None:
        return chunk.model_copy(update={"first": first + chunk.first})
    left = max(0, frames - chunk.first)
    return chunk.model_copy(
        update={"first": first + chunk.first, "frames": left if chunk.frames is None else min(chunk.frames, left)}
    )


def shown(facts: SourceFacts, options: Options) -> SourceFacts:
    """The facts of what is delivered: of a clip, its own length, beginning at time zero with picture and sound together.

    Raises StepFailure `clip_outside` where the source ends before the clip starts.
    """
    clip = options.clip
    if clip is None:
        return facts
    whole = _whole_seconds(facts)
    seconds = min(whole, clip.end if clip.end is not None else whole) - clip.start
    if seconds <= 0:
        raise StepFailure(
            "clip_outside", detail=f"the source lasts {whole:.3f} s, the clip starts at {clip.start:.3f} s"
        )
    share = seconds / whole
    video = facts.video and facts.video.model_copy(
        update={
            "start": 0.0,
            "duration": seconds,
            "cut_off": min(facts.video.cut_off, max(0.0, (clip.end or math.inf) - whole)),
            "frames": None if facts.video.frames is None else max(1, round(facts.video.frames * share)),
        }
    )
    return facts.model_copy(
        update={
            "duration": seconds,
            "size": max(1, round(facts.size * share)),
            "video": video,
            "audio": tuple(_cut(stream, seconds) for stream in facts.audio),
            "keyframes": tuple(time - clip.start for time in facts.keyframes if 0 <= time - clip.start < seconds),
        }
    )


def check_holds(options: Options, facts: SourceFacts, fps: Fraction) -> None:
    """Raises StepFailure `clip_outside` where no frame of the source is shown from the clip's start on."""
    frames = max(1, round(_whole_seconds(facts) * fps))
    first = span(options.clip, fps)[0]
    if first >= frames:
        last = float((frames - 1) / fps)
        raise StepFailure("clip_outside", detail=f"the last of {frames} frames is shown at {last:.3f} s")


def _cut(stream: AudioFacts, seconds: float) -> AudioFacts:
    return stream.model_copy(update={"start": 0.0, "duration": seconds})


def _whole_seconds(facts: SourceFacts) -> float:
    """Of the picture, from the source's time zero, which is the earliest start of a stream."""
    video = facts.video
    if video is None or not video.duration:
        return facts.duration
    zero = min([video.start, *(stream.start for stream in facts.audio)])
    return video.start - zero + video.duration
