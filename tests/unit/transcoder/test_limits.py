"""What is over a profile's limits."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from rushes.errors import Blame, StepFailure
from rushes.facts import SourceFacts, VideoFacts
from rushes.profiles import Limits
from rushes.transcoder.limits import check, frames

LIMITS = Limits(bytes=1000, duration=60.0, side=2000, pixels=1_000_000, pixel_frames=1e9, streams=4, fps=120.0)


def facts(size: int = 500, duration: float = 10.0, streams: int = 2, **video: Any) -> SourceFacts:
    picture = VideoFacts(**{"index": 0, "codec": "h264", "width": 640, "height": 360, "fps": Fraction(25), **video})
    return SourceFacts(
        container="mp4", demuxer="mov", size=size, duration=duration, streams=streams, video=picture
    )  # fmt: skip


def test_a_source_at_its_limits_is_taken() -> None:
    check(facts(size=1000, duration=60.0, streams=4, width=1250, height=800, fps=Fraction(16)), LIMITS)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"size": 1001}, "over_limit_bytes"),
        ({"duration": 60.1}, "over_limit_duration"),
        ({"streams": 5}, "over_limit_streams"),
        ({"width": 2001, "height": 2}, "over_limit_pixels"),
        ({"width": 1100, "height": 1000}, "over_limit_pixels"),
        ({"width": 1000, "height": 16, "sar": Fraction(10)}, "over_limit_pixels"),
        ({"fps": Fraction(121)}, "over_limit_fps"),
        ({"fps": Fraction(120), "duration": 50.0}, "over_limit_work"),
        ({"frames": 100_000}, "over_limit_work"),
    ],
)
def test_refusals(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(StepFailure) as caught:
        check(facts(**changes), LIMITS)
    assert caught.value.code == code
    assert caught.value.blame is Blame.PERMANENT
    assert "limit" in caught.value.detail


def test_dolby_vision_without_a_base_is_refused_and_other_is_not() -> None:
    with pytest.raises(StepFailure) as caught:
        check(facts(dolby_vision=5), LIMITS)
    assert caught.value.code == "dolby_vision_unsupported"
    check(facts(dolby_vision=8, hdr="hlg", hdr_format="dolby-vision"), LIMITS)


def test_a_slideshow_is_counted_by_its_frames() -> None:
    video = facts(vfr=True, frames=60, fps=Fraction(30)).video
    assert video is not None
    assert frames(video, 3600.0) == 60


def test_a_declared_rate_counts_where_few_frames_were_seen() -> None:
    video = facts(frames=1, fps=Fraction(50)).video
    assert video is not None
    assert frames(video, 10.0) == 500
