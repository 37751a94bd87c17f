"""What the first bytes of an upload say, and that only what is certain refuses."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rushes.facts import EarlyFacts
from rushes.ingest import early_mp4
from rushes.ingest.early_bytes import MOST, Look, View
from rushes.ingest.early_look import FIRST, SMALLEST, Hopeless, look
from rushes.profiles import Limits
from tests.unit.ingest import movies

LIMITS = Limits()
MOVIE = movies.movie(movies.PICTURE, movies.SOUND)
LAST = movies.movie(movies.PICTURE, movies.SOUND, last=True)
TEXT = b"These are my notes, and no film at all.\n" * 3000
ENDLESS = Limits(duration=1e9)


def looked(data: bytes, limits: Limits = LIMITS, *, length: int | None = -1, tail: int = 0) -> Look:
    """As bytes come: each look is given as many as the one before asked for."""
    length = len(data) if length == -1 else length
    found = Look(wants=min(FIRST, len(data)))
    while found.wants and found.wants <= len(data):
        found = look(View(data[: found.wants], data[len(data) - tail :] if tail else b"", length), limits)
    return found


def refused(data: bytes, limits: Limits = LIMITS, *, tail: int = 0) -> tuple[str, int]:
    with pytest.raises(Hopeless) as caught:
        looked(data, limits, tail=tail)
    return caught.value.code, caught.value.status


def test_a_movie_with_its_index_in_front_says_what_it_is() -> None:
    assert looked(MOVIE).facts == EarlyFacts(
        container="mp4", duration=4.0, width=320, height=180, video_codec="h264", audio_codec="aac"
    )


def test_a_movie_with_its_index_at_the_end_says_so_once_its_end_is_there() -> None:
    without = looked(LAST)
    assert (without.facts, without.wants_tail, without.head) == (EarlyFacts(container="mp4"), True, 0)
    with_tail = looked(LAST, tail=20_000)
    assert with_tail.facts == looked(MOVIE).facts
    assert with_tail.head > 0


def test_a_tail_in_which_the_index_does_not_lie_whole_says_nothing() -> None:
    assert looked(LAST, tail=200) == Look(EarlyFacts(container="mp4"))


def test_the_probe_may_run_ahead_once_the_first_pictures_are_there() -> None:
    """Thirty-two of 4096 bytes, behind the index."""
    start = MOVIE.index(b"mdat") + 4
    found = looked(MOVIE)
    assert found == Look(found.facts, head=start + 32 * movies.SAMPLE)
    assert look(View(MOVIE[: found.head - 1], b"", len(MOVIE)), LIMITS).wants == found.head


@pytest.mark.parametrize(
    "data",
    [
        movies.movie(fragmented=True),
        movies.movie(movies.Kind(entry=movies.PICTURE.entry.replace(b"avc1", b"vp09"))),
        MOVIE + bytes(100),  # what comes behind the samples may be anything
        MOVIE + movies.movie(),
    ],
    ids=["in fragments", "a codec of which every sample counts", "junk at the end", "more boxes at the end"],
)
def test_the_probe_waits_for_the_last_byte_where_it_needs_more(data: bytes) -> None:
    found = looked(data)
    assert found.facts is not None
    assert found.head == 0


def test_without_a_length_nothing_runs_ahead() -> None:
    found = looked(MOVIE, length=None)
    assert (found.facts, found.head, found.is_final) == (looked(MOVIE).facts, 0, True)


def test_a_box_before_the_index_is_waited_for_unless_it_is_too_long() -> None:
    filled = movies.movie(filler=300_000)
    assert look(View(filled[:SMALLEST], b"", len(filled)), LIMITS).wants > 300_000
    assert looked(filled).facts == replace_sound(looked(MOVIE).facts)
    too_long = movies.FTYP + (MOST + 100).to_bytes(4) + b"free" + bytes(SMALLEST)
    assert look(View(too_long, b"", MOST * 2), LIMITS) == Look(EarlyFacts(container="mp4"))


def replace_sound(facts: EarlyFacts | None) -> EarlyFacts:
    assert facts is not None
    return facts.model_copy(update={"audio_codec": None})


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (TEXT, ("not_media", 415)),
        (b"<!DOCTYPE html>\n<html><body>\n" + TEXT, ("not_media", 415)),
        (b"%PDF-1.7\n" + random.Random(1).randbytes(SMALLEST), ("not_media", 415)),
        (b"PK\3\4" + random.Random(2).randbytes(SMALLEST), ("not_media", 415)),
        (b"\xff\xd8\xff" + bytes(SMALLEST), ("still_image", 415)),
        (b"\x89PNG\r\n\x1a\n" + bytes(SMALLEST), ("still_image", 415)),
        (b"#EXTM3U\n" + TEXT, ("playlist_refused", 415)),
        (b"<?xml version='1.0'?><!-- a film --><MPD>" + TEXT, ("playlist_refused", 415)),
        (movies.movie(movies.SOUND), ("no_video_stream", 415)),
        (movies.movie(movies.SOUND, movies.TIMECODE), ("no_video_stream", 415)),
        (b"fLaC\0\0\0\x22" + bytes(SMALLEST), ("no_video_stream", 415)),
        (movies.movie(movies.UNKNOWN_CODEC, movies.SOUND), ("codec_unsupported", 415)),
        (movies.movie(movies.PROTECTED), ("encrypted", 422)),
        (movies.movie(movies.longer(movies.PICTURE, 5 * 3600)), ("over_limit_duration", 413)),
    ],
)
def test_what_is_certainly_no_video_of_ours_is_refused(data: bytes, reason: tuple[str, int]) -> None:
    assert refused(data) == reason


def test_an_index_at_the_end_refuses_as_well() -> None:
    assert refused(movies.movie(movies.SOUND, last=True), tail=20_000) == ("no_video_stream", 415)


@pytest.mark.parametrize(
    "data",
    [
        random.Random(3).randbytes(2 * SMALLEST),
        bytes(2 * SMALLEST),
        b"x" * 2 * SMALLEST,
    ],
    ids=["random", "zeros", "one letter"],
)
def test_what_is_nothing_that_we_know_is_left_to_the_probe(data: bytes) -> None:
    assert looked(data) == Look()


@pytest.mark.parametrize("length", [len(TEXT), None])
def test_a_refusal_waits_for_all_that_the_probe_itself_looks_at(length: int | None) -> None:
    assert look(View(b"", b"", length), LIMITS) == Look(wants=FIRST)
    assert look(View(TEXT[:FIRST], b"", length), LIMITS) == Look(wants=SMALLEST)
    assert look(View(TEXT[: SMALLEST - 1], b"", length), LIMITS) == Look(wants=SMALLEST)


def test_movies_are_known_by_their_very_first_bytes() -> None:
    assert look(View(LAST[:FIRST], b"", len(LAST)), LIMITS) == Look(EarlyFacts(container="mp4"), wants_tail=True)
    assert look(View(MOVIE[:FIRST], b"", len(MOVIE)), LIMITS).facts == looked(MOVIE).facts


def test_nothing_is_kept_of_what_is_nothing_that_we_know() -> None:
    assert look(View(random.Random(5).randbytes(FIRST), b"", 10**6), LIMITS) == Look()


LONG = movies.longer(movies.PICTURE, 100)


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (replace(LONG, declared=10), "its header says less"),
        (replace(LONG, edited=10), "its edit list shows less"),
        (replace(LONG, seconds=10, declared=100), "there are samples for less"),
    ],
)
def test_a_length_refuses_only_where_all_clocks_agree(kind: movies.Kind, why: str) -> None:
    limits = Limits(duration=50)
    assert refused(movies.movie(LONG), limits) == ("over_limit_duration", 413)
    assert looked(movies.movie(kind, movies.SOUND), limits).facts is not None, why


def test_samples_without_bytes_or_beyond_the_end_do_not_count_as_length() -> None:
    limits = Limits(duration=50)
    long = movies.movie(LONG, movies.SOUND)
    where = long.index(b"stco") + 12
    assert looked(long[:where] + (2**31).to_bytes(4) + long[where + 4 :], limits).facts is not None
    assert looked(movies.movie(replace(LONG, sample=0), movies.SOUND), limits).facts is not None


def test_a_second_picture_within_the_limit_saves_the_upload() -> None:
    """Which of the two is the main one the probe decides."""
    assert looked(movies.movie(LONG, movies.PICTURE), Limits(duration=50)).facts is not None


def test_kinds_of_files_may_be_limited() -> None:
    assert refused(MOVIE, Limits(types=("video/webm",))) == ("type_refused", 415)
    assert looked(MOVIE, Limits(types=("video/webm", "video/*"))).facts is not None
    assert looked(MOVIE, Limits(types=("Video/QuickTime",))).facts is not None


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_movies_never_raise_anything_else(data: st.DataObject) -> None:
    whole = bytearray(data.draw(st.sampled_from((MOVIE, LAST, movies.movie(fragmented=True)))))
    for _ in range(data.draw(st.integers(1, 20))):
        where = data.draw(st.integers(0, min(len(whole), 3000) - 1))
        whole[where if data.draw(st.booleans()) else -1 - where] = data.draw(st.integers(0, 255))
    head, tail = data.draw(st.integers(SMALLEST, len(whole))), data.draw(st.integers(0, 30_000))
    try:
        found = look(View(bytes(whole[:head]), bytes(whole[len(whole) - tail :]) if tail else b"", len(whole)), LIMITS)
    except Hopeless as refusal:
        assert refusal.status in (413, 415, 422)
    else:
        assert 0 <= found.wants <= MOST
        assert found.head <= head


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=2000), st.sampled_from((b"", b"\x1aE\xdf\xa3", movies.FTYP, b"\0\0\0\x08moov", b"<", b"ID3")))
def test_any_bytes_are_looked_at_in_peace(content: bytes, start: bytes) -> None:
    data = start + content + bytes(max(0, SMALLEST - len(content)))
    try:
        assert look(View(data, b"", None), LIMITS).wants <= MOST
    except Hopeless as refusal:
        assert refusal.message


def test_the_index_is_not_summed_up_before_it_is_known_what_follows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many boxes follow it one after the other."""
    summed: list[int] = []
    summarize = early_mp4.summarize
    monkeypatch.setattr(early_mp4, "summarize", lambda *given: summed.append(1) or summarize(*given))
    index, samples = MOVIE[: MOVIE.index(b"mdat") - 4], MOVIE[MOVIE.index(b"mdat") - 4 :]
    data = index + ((10_000).to_bytes(4) + b"free" + bytes(9992)) * 20 + samples
    assert looked(data).facts == looked(MOVIE).facts
    assert len(summed) <= 4  # two for each of these two
