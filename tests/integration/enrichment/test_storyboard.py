"""The storyboard step on real rungs: tiles in their places, cues that lead to them, little work for long clips."""

from __future__ import annotations

import re

import cv2
import numpy as np
import pytest

from rushes.enrichment.sheet import plan
from rushes.enrichment.storyboard import paint, run
from rushes.model import StoryboardResult
from rushes.states import StepKind
from rushes.storage.store import IMMUTABLE

CUE = re.compile(r"(\d\d):(\d\d):(\d\d\.\d{3}) --> .*\n(\S+)#xywh=(\d+),(\d+),(\d+),(\d+)")


def sprite(studio, result: StoryboardResult) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(studio.store.read(result.sprite.key), np.uint8), cv2.IMREAD_GRAYSCALE)


def cues(studio, result: StoryboardResult) -> list[tuple[float, str, tuple[int, ...]]]:
    text = studio.store.read(result.vtt_key).decode()
    assert text.startswith("WEBVTT\n\n")
    return [
        (int(hours) * 3600 + int(minutes) * 60 + float(seconds), name, tuple(int(part) for part in area))
        for hours, minutes, seconds, name, *area in CUE.findall(text)
    ]


def test_each_cue_leads_to_the_picture_of_its_time(studio) -> None:
    # Given a clip whose brightness tells the time: second s has luma 16 + 20 s
    track = studio.rung("color=gray:s=320x180:r=25:d=10.5,geq=lum='16+20*floor(T)':cb=128:cr=128", (320, 180))
    # When its storyboard is made
    result = run(studio.job(StepKind.STORYBOARD, track), studio.workspace())
    # Then the tile that a cue names has the brightness of the cue's time
    found = cues(studio, result)
    picture = sprite(studio, result)
    assert len(found) == result.count == 11
    assert picture.shape == (result.sprite.height, result.sprite.width) == (180, 1600)
    for start, name, (left, top, width, height) in found:
        assert result.sprite.key.endswith("/" + name)
        tile = picture[top : top + height, left : left + width]
        assert tile.shape == (result.tile_height, result.tile_width)
        assert tile.mean() == pytest.approx(20 * int(start) * 255 / 219, abs=4)


def test_a_long_clip_shows_its_keyframes_in_rows(studio) -> None:
    # Given five minutes, in which every 20 seconds are brighter
    track = studio.rung("color=gray:s=64x36:r=5:d=300,geq=lum='16+10*floor(T/20)':cb=128:cr=128", (64, 36), fps=5)
    # When its storyboard is made
    result = run(studio.job(StepKind.STORYBOARD, track), studio.workspace())
    # Then it has few tiles, and they show their time to within a segment
    assert (result.interval, result.count, result.columns) == (5, 60, 10)
    picture = sprite(studio, result)
    for start, _, (left, top, width, height) in cues(studio, result):
        if start % 20 == 5:  # far from a change
            tile = picture[top : top + height, left : left + width]
            assert tile.mean() == pytest.approx(10 * (start // 20) * 255 / 219, abs=4)


def test_sheets_show_the_same_pictures_to_players(studio) -> None:
    # Given half a minute in which second s has luma 16 + 5 s
    track = studio.rung("color=gray:s=320x180:r=25:d=30.4,geq=lum='16+5*floor(T)':cb=128:cr=128", (320, 180))
    # When its storyboard is made
    result = run(studio.job(StepKind.STORYBOARD, track), studio.workspace())
    # Then two sheets of one size lie in the media tree, and the second stands for the rest
    sheets = result.track
    assert sheets is not None
    assert (sheets.kind, sheets.codecs, sheets.tiles) == ("image", "jpeg", (5, 5))
    assert (sheets.width, sheets.height, sheets.tile_ticks) == (160, 90, sheets.timescale)
    assert sheets.prefix == "media/asset/t/recipe/3/storyboard/"
    assert [segment.ticks / sheets.timescale for segment in sheets.segments] == [25, pytest.approx(5.4)]
    # And each tile has the brightness of its second; where there are none it is black
    for number, segment in enumerate(sheets.segments):
        assert studio.store.head(sheets.prefix + segment.name).size == segment.size
        data = studio.store.read(sheets.prefix + segment.name)
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
        assert picture.shape == (450, 800)
        for tile in range(25):
            left, top = tile % 5 * 160, tile // 5 * 90
            shown = picture[top : top + 90, left : left + 160].mean()
            second = number * 25 + tile
            assert shown == pytest.approx(5 * second * 255 / 219 if second < 31 else 0, abs=4)


def test_the_lowest_rung_is_used_and_nothing_grows(studio, monkeypatch: pytest.MonkeyPatch) -> None:
    tracks = [studio.rung("testsrc2=s=640x360:r=25:d=3", size) for size in ((640, 360), (96, 54))]
    names: list[str] = []
    read = studio.store.fetch
    monkeypatch.setattr(studio.store, "fetch", lambda key, *part: (names.append(key), read(key, *part))[1])
    result = run(studio.job(StepKind.STORYBOARD, *tracks), studio.workspace())
    assert names
    assert all("/96x54/" in name for name in names)
    assert (result.tile_width, result.tile_height) == (96, 54)


def test_what_is_stored_has_what_a_cdn_needs(studio) -> None:
    track = studio.rung("testsrc2=s=90x160:r=25:d=2", (90, 160))
    result = run(studio.job(StepKind.STORYBOARD, track), studio.workspace())
    image, text = studio.store.head(result.sprite.key), studio.store.head(result.vtt_key)
    assert (image.content_type, image.cache_control) == ("image/jpeg", IMMUTABLE)
    assert (text.content_type, text.cache_control) == ("text/vtt; charset=utf-8", IMMUTABLE)
    assert image.key.startswith("artifacts/asset/recipe/3/")


def test_one_frame_gives_one_tile(studio) -> None:
    track = studio.rung("testsrc2=s=320x180:r=25:d=0.04", (320, 180))
    result = run(studio.job(StepKind.STORYBOARD, track), studio.workspace())
    assert result.count == 1
    assert sprite(studio, result).shape == (90, 160)


def test_places_without_a_tile_stay_black() -> None:
    sheet = plan(12, (160, 90))
    board = paint(sheet, [np.full((90, 160, 3), 200, np.uint8)] * 12)
    assert board.shape == (180, 1600, 3)
    assert board[90:, :320].mean() == 200
    assert board[90:, 320:].max() == 0
