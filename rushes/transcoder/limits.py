"""What is refused before work is spent on it. Pure."""

from __future__ import annotations

from rushes.errors import StepFailure
from rushes.facts import SourceFacts, VideoFacts
from rushes.profiles import Limits


def check(facts: SourceFacts, limits: Limits) -> None:
    """Raises StepFailure `over_limit_*` for the first limit that the source passes; both figures are in its detail."""
    _hold("over_limit_bytes", facts.size, limits.bytes)
    _hold("over_limit_streams", facts.streams, limits.streams)
    _hold("over_limit_duration", facts.duration, limits.duration)
    if facts.video is not None:
        _check_video(facts.video, facts.duration, limits)


def frames(video: VideoFacts, duration: float) -> float:
    """How many pictures have to be decoded: the larger of what was counted and what the rate promises."""
    promised = 0.0 if video.vfr and video.frames else float(video.fps) * (video.duration or duration)
    return max(float(video.frames or 0), promised, 1.0)


def _check_video(video: VideoFacts, duration: float, limits: Limits) -> None:
    _hold("over_limit_pixels", max(video.width, video.height, *video.display_size), limits.side)
    _hold("over_limit_pixels", video.width * video.height, limits.pixels)
    _hold("over_limit_fps", float(video.fps), limits.fps)
    _hold("over_limit_work", video.width * video.height * frames(video, duration), limits.pixel_frames)


def _hold(code: str, value: float, limit: float) -> None:
    if value > limit:
        raise StepFailure(code, detail=f"{value:g} is over the limit of {limit:g}")
