"""The steps on real clips of phones, webcams and broadcasts: length, synchrony, and that they are seen upright."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.media


@pytest.mark.parametrize(
    ("name", "matrix", "most"),
    [
        ("real/iphone-portrait-320.MOV", "bt709", 12),
        ("real/feature-phone-144p-amr.3gp", "bt601", 12),
        ("real/derived-odd-641x361-vp9.webm", "bt709", 12),
        ("real/webcam-480p-quote'name.mov", "bt709", 12),
        ("real/flower-540p-fragmented.mp4", "bt709", 12),
        ("real/iphone-sideways-480p.mov", "bt709", 12),
    ],
)
def test_a_real_clip(stage, media, original, name, matrix, most):
    source = media / name
    place = stage(source)
    result = place.encode()
    video = place.facts.video
    # Then all rungs have the same pictures, as long as the source says
    heights = [place.pictures(track) for track in result.tracks]
    assert len({len(frames) for frames in heights}) == 1
    assert result.missing_seconds == 0
    assert result.tracks[0].duration == pytest.approx(video.duration, abs=0.15)
    # And the second of them looks like the source in the middle, upright
    middle = len(heights[0]) // 2
    time, shown = heights[0][middle]
    track = result.tracks[0]
    wanted = original(source, time, track.width, track.height, matrix if video.matrix is None else "auto")
    assert np.abs(shown.astype(int) - wanted).mean() < most
    # And the sound begins at zero and ends with it
    if place.facts.audio:
        start, samples = place.sound(place.audio().tracks[0])
        assert start == pytest.approx(0, abs=0.001)
        assert len(samples) / 48000 == pytest.approx(result.decoded_seconds, abs=0.1)
