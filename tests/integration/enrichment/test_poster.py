"""The poster step on real rungs: which picture it takes, and that it is the top rung's own."""

from __future__ import annotations

from base64 import b64decode

import cv2
import numpy as np
import pytest

from rushes.enrichment import rendition
from rushes.enrichment.picture import score
from rushes.enrichment.poster import candidate_times, run
from rushes.enrichment.thumbhash import thumbhash
from rushes.errors import StepFailure
from rushes.model import PosterResult
from rushes.states import StepKind
from rushes.storage.store import IMMUTABLE

BLACK_THEN_SCENE = "color=black:s=640x360:r=25:d=5[a];testsrc2=s=640x360:r=25:d=3[b];[a][b]concat=n=2"


def opened(studio, result: PosterResult) -> np.ndarray:
    data = np.frombuffer(studio.store.read(result.poster.key), np.uint8)
    return cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def test_a_black_start_is_not_the_poster(studio) -> None:
    # Given a clip that is black for more than half of its time
    track = studio.rung(BLACK_THEN_SCENE, (640, 360))
    # When its poster is made
    result = run(studio.job(StepKind.POSTER, track), studio.workspace())
    # Then it shows the scene, and says from when it is
    assert score(opened(studio, result)).is_usable
    assert 5 <= result.poster.time < 8


def test_a_blurred_start_is_not_the_poster(studio) -> None:
    track = studio.rung("testsrc2=s=640x360:r=25:d=8", (640, 360), filters="gblur=sigma=8:enable='lt(t,5)'")
    result = run(studio.job(StepKind.POSTER, track), studio.workspace())
    assert result.poster.time >= 5


def test_a_black_clip_still_has_a_poster(studio) -> None:
    track = studio.rung("color=black:s=320x180:r=25:d=3", (320, 180))
    result = run(studio.job(StepKind.POSTER, track), studio.workspace())
    assert score(opened(studio, result)).is_black
    assert result.poster.score == 0


def test_the_poster_has_the_size_of_the_top_rung_and_what_a_cdn_needs(studio) -> None:
    source = "testsrc2=s=1280x720:r=25:d=6"
    tracks = [studio.rung(source, size) for size in ((426, 240), (1280, 720), (640, 360))]
    result = run(studio.job(StepKind.POSTER, *tracks), studio.workspace())
    assert opened(studio, result).shape == (720, 1280, 3)
    assert (result.poster.width, result.poster.height) == (1280, 720)
    told, seen = b64decode(result.poster.thumbhash or ""), b64decode(thumbhash(opened(studio, result)))
    assert len(told) == len(seen)
    assert abs((told[0] & 63) - (seen[0] & 63)) <= 1, "how bright it is; JPEG may change the last bit"
    assert result.poster.key == "artifacts/asset/recipe/3/poster.jpg"
    info = studio.store.head(result.poster.key)
    assert (info.content_type, info.cache_control) == ("image/jpeg", IMMUTABLE)


def test_an_upright_clip_gives_an_upright_poster(studio) -> None:
    track = studio.rung("testsrc2=s=360x640:r=25:d=3", (360, 640))
    assert opened(studio, run(studio.job(StepKind.POSTER, track), studio.workspace())).shape == (640, 360, 3)


def test_one_frame_is_enough(studio) -> None:
    track = studio.rung("testsrc2=s=320x180:r=25:d=0.04", (320, 180))
    assert run(studio.job(StepKind.POSTER, track), studio.workspace()).poster.time == 0


def test_only_a_few_segments_of_a_long_clip_are_read(studio, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a clip of 30 segments
    track = studio.rung("testsrc2=s=320x180:r=5:d=120", (320, 180), fps=5)
    names: list[str] = []
    read = studio.store.fetch
    monkeypatch.setattr(studio.store, "fetch", lambda key, *part: (names.append(key), read(key, *part))[1])
    # When its poster is made
    run(studio.job(StepKind.POSTER, track), studio.workspace())
    # Then only those with candidates in them were fetched
    assert len(track.segments) == 30
    assert 0 < len({name for name in names if name.endswith(".m4s")}) <= 12


def test_without_tracks_the_step_fails_with_a_reason(studio) -> None:
    with pytest.raises(StepFailure) as caught:
        run(studio.job(StepKind.POSTER), studio.workspace())
    assert caught.value.code == "internal"


def test_candidates_keep_off_the_ends() -> None:
    times = candidate_times(10, 110)
    assert len(times) == 12
    assert 12 < times[0] < times[-1] < 108


@pytest.mark.parametrize("keyframes", [False, True])
def test_pictures_are_those_shown_at_their_time(studio, keyframes: bool) -> None:
    # Given a clip whose brightness tells the time: frame n has luma 16 + n
    track = studio.rung("color=gray:s=64x64:r=25:d=8,geq=lum='16+N':cb=128:cr=128", (64, 64))
    times = [0.0, 0.5, 3.98, 4.0, 7.99]
    # When pictures are taken from all over it
    found = rendition.pictures(track, studio.workspace(), times, (64, 64), keyframes=keyframes)
    # Then each is the one of that time, or the start of the nearest segment
    shown = [0, 12, 99, 100, 199] if not keyframes else [0, 0, 100, 100, 100]
    assert [round(time * 25) for time, _ in found] == shown
    for (_, picture), frame in zip(found, shown, strict=True):
        # limited to full range: 219 steps become 255
        assert picture.mean() == pytest.approx(frame * 255 / 219, abs=2.5)


def test_hundreds_of_pictures_are_found_in_one_run(studio) -> None:
    # Given more times than ffmpeg takes in a row in one expression
    track = studio.rung("testsrc2=s=64x36:r=10:d=60", (64, 36), fps=10)
    times = [0.1 * number + 0.05 for number in range(600)]
    found = rendition.pictures(track, studio.workspace(), times, (32, 18))
    assert [round(time, 3) for time, _ in found] == [round(0.1 * number, 3) for number in range(600)]
