"""Which sources are delivered as they are, before any encode: the "standard input" of the field. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from rushes.facts import AudioFacts, SourceFacts, VideoFacts

PROFILES = frozenset({"baseline", "constrained baseline", "main", "high"})
"""High 10, 4:2:2 and 4:4:4 are not for browsers. Old phones say plain Baseline and use none of what it adds."""
PIXELS = frozenset({"yuv420p", "yuvj420p"})
LONG_SIDE, SHORT_SIDE = 1920, 1088
MAX_FPS = 60.5
MAX_BITRATE = 20_000_000
MAX_KEYFRAME_GAP = 10.5
"""x264 puts 250 frames between key pictures unless told otherwise: 10.4 s at 24 frames a second."""
MAX_OFFSET = 0.1
"""Seconds by which picture and sound may start apart, or beyond time zero."""


def not_standard(facts: SourceFacts) -> str | None:
    """Why a source cannot take the fast lane, as a short phrase; None if it can.

    What the probe cannot see (open GOPs, the true spacing of all keyframes) the remux step checks itself.
    """
    if facts.video is None:
        return "there is no video"
    if facts.container != "mp4":
        return f"the container is {facts.container}"
    reasons = (
        _coding(facts.video),
        _picture(facts.video),
        _rate(facts),
        _keyframes(facts.keyframes, facts.video.duration or facts.duration),
        _sound(facts.audio),
        _start(facts.video, facts.audio),
    )
    return next((reason for reason in reasons if reason), None)


def _coding(video: VideoFacts) -> str | None:
    if video.codec != "h264":
        return f"the video codec is {video.codec}"
    if (video.profile or "").lower() not in PROFILES:
        return f"the H.264 profile is {video.profile or 'unknown'}"
    if video.pix_fmt not in PIXELS or video.bit_depth != 8:
        return f"the pixel format is {video.pix_fmt}"
    return None


def _picture(video: VideoFacts) -> str | None:
    if video.hdr:
        return "the picture is HDR"
    if video.interlaced:
        return "the picture is interlaced"
    if video.sar != 1:
        return "the pixels are not square"
    if video.flip:
        return "the picture is mirrored"
    if max(video.width, video.height) > LONG_SIDE or min(video.width, video.height) > SHORT_SIDE:
        return f"the picture is {video.width}x{video.height}"
    return None


def _rate(facts: SourceFacts) -> str | None:
    if facts.video is not None and facts.video.fps > MAX_FPS:
        return "the frame rate is above 60"
    spent = facts.bitrate or (facts.size * 8 / facts.duration if facts.duration > 0 else 0)
    return "the bit rate is above 20 Mbit/s" if spent > MAX_BITRATE else None


def _keyframes(times: Sequence[float], duration: float) -> str | None:
    """The probe lists the first keyframes only, so the gap to the end counts only where there is a single one."""
    gaps = [after - before for before, after in pairwise(times)]
    if len(times) == 1:
        gaps = [duration - times[0]]
    return "keyframes are more than 10.5 s apart" if max(gaps, default=0.0) > MAX_KEYFRAME_GAP else None


def _sound(audio: Sequence[AudioFacts]) -> str | None:
    if not audio:
        return None
    if audio[0].codec != "aac" or (audio[0].profile or "LC").upper() not in {"LC", "AAC-LC"}:
        return f"the audio codec is {audio[0].codec} {audio[0].profile or ''}".rstrip()
    if audio[0].channels > 2:
        return f"the sound has {audio[0].channels} channels"
    return None


def _start(video: VideoFacts, audio: Sequence[AudioFacts]) -> str | None:
    starts = [video.start, *(stream.start for stream in audio[:1])]
    return "picture and sound do not start together" if max(starts) - min(starts) > MAX_OFFSET else None
