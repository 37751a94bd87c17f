"""Builders of facts, with the defaults of an ordinary phone clip."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import pytest

from rushes.facts import AudioFacts, SourceFacts, VideoFacts
from rushes.profiles import Profile
from rushes.settings import load_profile


@pytest.fixture(scope="session")
def profile() -> Profile:
    return load_profile("fast")


@pytest.fixture(scope="session")
def make_facts() -> Callable[..., SourceFacts]:
    def build(
        *, audio: tuple[AudioFacts, ...] = (), duration: float = 20.0, demuxer: str = "mov", **video
    ) -> SourceFacts:
        fields = {
            "index": 0,
            "codec": "h264",
            "profile": "High",
            "width": 1920,
            "height": 1080,
            "fps": Fraction(30),
            "duration": duration,
            "bitrate": 17_000_000,
        }
        return SourceFacts(
            container="mp4",
            demuxer=demuxer,
            size=40_000_000,
            duration=duration,
            video=VideoFacts(**{**fields, **video}),
            audio=audio,
        )

    return build
