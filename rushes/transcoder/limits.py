"""What is refused before work is spent on it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from rushes.errors import StepFailure
from rushes.facts import SourceFacts, VideoFacts
from rushes.profiles import Limits

MEDIA_TYPES: dict[str, tuple[str, ...]] = {
    "mp4": ("video/mp4", "video/quicktime", "video/x-m4v", "video/3gpp", "video/3gpp2"),
    "webm": ("video/webm", "video/x-matroska"),
    "mpegts": ("video/mp2t",),
    "mpegps": ("video/mpeg",),
    "avi": ("video/x-msvideo", "video/avi"),
    "flv": ("video/x-flv",),
    "ogg": ("video/ogg", "application/ogg"),
    "asf": ("video/x-ms-asf", "video/x-ms-wmv"),
    "gif": ("image/gif",),
    "mp3": ("audio/mpeg",),
    "wav": ("audio/wav", "audio/x-wav"),
    "flac": ("audio/flac",),
    "aac": ("audio/aac",),
}
"""The media types of each container of ours. Those of one family are one: nobody tells MP4 from QuickTime by its first bytes."""


def check(facts: SourceFacts, limits: Limits) -> None:
    """Raises StepFailure `type_refused`, `dolby_vision_unsupported`, or `over_limit_*` for the first limit that the source
    passes; both figures are in its detail."""
    check_type(facts.container, limits.types)
    _hold("over_limit_bytes", facts.size, limits.bytes)
    _hold("over_limit_streams", facts.streams, limits.streams)
    _hold("over_limit_duration", facts.duration, limits.duration)
    if facts.video is not None:
        _check_video(facts.video, facts.duration, limits)


def check_type(container: str, types: Sequence[str]) -> None:
    """Raises StepFailure `type_refused` unless one of `types` (`video/mp4`, `video/*`) names this container."""
    names = MEDIA_TYPES.get(container, ())
    wanted = [one.strip().lower() for one in types]
    if wanted and not any(fnmatchcase(name, one) for name in names for one in wanted):
        raise StepFailure("type_refused", detail=f"{container} is none of {', '.join(wanted)}")


def frames(video: VideoFacts, duration: float) -> float:
    """How many pictures have to be decoded: the larger of what was counted and what the rate promises."""
    promised = 0.0 if video.vfr and video.frames else float(video.fps) * (video.duration or duration)
    return max(float(video.frames or 0), promised, 1.0)


WITHOUT_BASE = 5
"""The profile of Dolby Vision whose numbers are colours only to a decoder that knows it; others see purple and green."""


def _check_video(video: VideoFacts, duration: float, limits: Limits) -> None:
    if video.dolby_vision == WITHOUT_BASE:
        raise StepFailure("dolby_vision_unsupported", detail=f"profile {video.dolby_vision}")
    _hold("over_limit_pixels", max(video.width, video.height, *video.display_size), limits.side)
    _hold("over_limit_pixels", video.width * video.height, limits.pixels)
    _hold("over_limit_fps", float(video.fps), limits.fps)
    _hold("over_limit_work", video.width * video.height * frames(video, duration), limits.pixel_frames)


def _hold(code: str, value: float, limit: float) -> None:
    if value > limit:
        raise StepFailure(code, detail=f"{value:g} is over the limit of {limit:g}")
