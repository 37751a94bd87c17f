"""The step `encode` in chunks: joined, they are what the whole would be."""

from __future__ import annotations

import numpy as np
import pytest

from rushes.engine.shortfall import contiguous, missing_of
from rushes.errors import StepFailure
from rushes.model import TracksResult
from rushes.options import Clip, Options
from rushes.packaging.chunks import join_chunks

X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "20", "-g", "30")
TWO_RUNGS = ("-f", "lavfi", "-i", "testsrc2=size=640x360:rate=30:duration=8.2")
MOVING = ("-f", "lavfi", "-i", "testsrc2=size=256x144:rate=30:duration=13.1")
STILL = ("-f", "lavfi", "-i", "color=gray:size=256x144:rate=30:duration=13.1")
FIRSTS = (0, 120, 240, 360)
"""Three chunks of a segment each, and the rest."""


def joined(results: list[TracksResult]):
    return join_chunks(result.tracks for result in contiguous(results))


def inits(place, results: list[TracksResult], name: str) -> list[bytes]:
    tracks = [track for result in results for track in result.tracks if track.name == name]
    return [place.store.read(track.prefix + track.init) for track in tracks]


def test_chunks_are_joined_to_the_frame(stage, make_clip):
    place = stage(make_clip("chunks-rungs.mp4", *TWO_RUNGS, *X264))
    results = place.encode_chunks(*FIRSTS[:2])
    whole = place.encode()
    for track, expected in zip(joined(results), whole.tracks, strict=True):
        # Then the track has the segments and the times of the whole one
        assert [segment.ticks for segment in track.segments] == [segment.ticks for segment in expected.segments]
        assert (track.start_ticks, track.ticks, track.codecs) == (0, expected.ticks, expected.codecs)
        times = [time for time, _ in place.pictures(track)]
        assert times == [time for time, _ in place.pictures(expected)]
        assert len(times) == 246
        # And one init for all
        assert len(set(inits(place, results, track.name))) == 1
    assert [result.tracks[0].start_ticks for result in results] == [0, 120_000]
    assert sum(result.decoded_seconds for result in results) == pytest.approx(whole.decoded_seconds)
    assert (missing_of(results), sum(result.decode_errors for result in results)) == (0.0, 0)


def test_a_chunk_in_which_nothing_moves_needs_no_other_init(stage, make_clip):
    # Given a picture that stands still, is seen out of order only where it moves, and ends after one frame of a chunk
    both = ("-filter_complex", "[0][1]concat=n=2,trim=end_frame=481", "-frames:v", "481")
    place = stage(make_clip("chunks-still.mp4", *STILL, *MOVING, *both, *X264))
    results = place.encode_chunks(*FIRSTS, 480)
    assert len(set(inits(place, results, "144p"))) == 1
    times = [time for time, _ in place.pictures(joined(results)[0])]
    assert len(times) == 481
    assert times == pytest.approx([number / 30 for number in range(481)], abs=1e-4)


def test_the_same_chunk_gives_the_same_bytes(stage, make_clip, tmp_path):
    place = stage(make_clip("chunks-moving.mp4", *MOVING, *X264))
    first = place.encode_chunks(*FIRSTS)[2].tracks[0]
    again = type(place)(tmp_path / "again", place.source, place.facts)
    second = again.encode_chunks(*FIRSTS)[2].tracks[0]
    assert place.joined(first) == again.joined(second)


def test_a_source_that_ends_before_it_says_so_leaves_later_chunks_empty(stage, make_clip):
    # Given facts that promise 20 s of a source of 13.1
    place = stage(make_clip("chunks-moving.mp4", *MOVING, *X264))
    video = place.facts.video.model_copy(update={"duration": 20.0})
    place.facts = place.facts.model_copy(update={"video": video, "duration": 20.0})
    results = place.encode_chunks(*FIRSTS, 480, 540)
    assert [round(result.decoded_seconds * 30) for result in results] == [120, 120, 120, 33, 0, 0]
    assert [len(result.tracks) for result in results[-2:]] == [0, 0]
    assert joined(results)[0].duration == pytest.approx(13.1)
    assert missing_of(results) == pytest.approx(6.9)


def test_a_source_that_goes_on_for_longer_loses_nothing(stage, make_clip):
    place = stage(make_clip("chunks-moving.mp4", *MOVING, *X264))
    video = place.facts.video.model_copy(update={"duration": 9.0})
    place.facts = place.facts.model_copy(update={"video": video})
    results = place.encode_chunks(0, 120)
    assert joined(results)[0].duration == pytest.approx(13.1)
    assert missing_of(results) == 0


def test_damage_is_counted_by_the_chunk_that_it_belongs_to(stage, make_clip, tmp_path):
    # Given a source of which 0.3 s in the third chunk are overwritten
    good = make_clip("chunks-moving.mp4", *MOVING, *X264)
    data = bytearray(good.read_bytes())
    at = round(len(data) * 9.5 / 13.1)
    data[at : at + len(data) // 40] = b"\x55" * (len(data) // 40)
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(data)
    place = stage(bad)
    assert place.facts.indexed
    results = place.encode_chunks(*FIRSTS)
    assert [result.decode_errors > 0 for result in results] == [False, False, True, False]
    # Then all frames are there all the same: the decoder covers what it can, and the last good one is held
    assert len(place.pictures(joined(results)[0])) == 393
    # And as much is missing as where it is read in one piece
    whole = place.encode()
    assert missing_of(results) == pytest.approx(whole.missing_seconds, abs=0.1)


def test_pictures_that_are_gone_are_missed(stage, make_clip, tmp_path):
    # Given a source of which two seconds are overwritten, and nothing is left to conceal the hole with
    good = make_clip("chunks-keys.mp4", *MOVING, "-c:v", "mjpeg", "-q:v", "5")
    data = bytearray(good.read_bytes())
    start, end = round(len(data) * 5 / 13.1), round(len(data) * 7 / 13.1)
    data[start:end] = bytes(end - start)
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(data)
    place = stage(bad)
    results, whole = place.encode_chunks(*FIRSTS), place.encode()
    assert whole.missing_seconds == pytest.approx(1.8, abs=0.4)
    assert missing_of(results) == pytest.approx(whole.missing_seconds, abs=0.1)
    assert joined(results)[0].duration == pytest.approx(13.1)


def test_open_groups_are_not_damage(stage, make_clip):
    source = make_clip(
        "chunks-open.mp4", *MOVING, *X264[:-2], "-bf", "4", "-x264-params", "open-gop=1:keyint=40:min-keyint=40"
    )
    results = stage(source).encode_chunks(*FIRSTS)
    assert [result.decode_errors for result in results] == [0, 0, 0, 0]


@pytest.mark.parametrize("name", ["chunks-moving.mp4", "chunks-stream.ts"])
def test_a_clip_is_cut_into_chunks_of_its_own(stage, make_clip, original, name):
    # Given three to nine seconds of a source, which can be sought in or not
    place = stage(make_clip(name, *MOVING, *X264))
    place.options = Options(clip=Clip(start=3.0, end=9.0))
    results = place.encode_chunks(0, 120)
    track = joined(results)[0]
    frames = place.pictures(track)
    assert [round(result.decoded_seconds * 30) for result in results] == [120, 60]
    assert (missing_of(results), track.start_ticks, len(frames)) == (0, 0, 180)
    for number in (0, 119, 120, 179):
        shown = original(place.source, 3 + number / 30, track.width, track.height)
        assert np.abs(frames[number][1].astype(int) - shown.astype(int)).mean() < 12


def test_a_first_look_reports_no_damage(stage, make_clip):
    place = stage(make_clip("chunks-moving.mp4", *MOVING, *X264))
    rungs = place.ladder.model_copy(update={"rungs": place.ladder.rungs[-1:]}).model_dump(mode="json")
    chunk = {"number": 1, "first": 120, "frames": 60}
    result = place.run("encode", "look", chunk=chunk, chunks=3, ladder=rungs, provisional=True)
    assert (result.provisional, result.expected_seconds, result.decoded_seconds) == (True, None, 2.0)


def test_an_unreadable_source_stays_unreadable(stage, make_clip, tmp_path):
    # Given a source whose pictures are all overwritten after it was probed
    good = make_clip("chunks-moving.mp4", *MOVING, *X264)
    place = stage(good)
    data = bytearray(good.read_bytes())
    start, end = data.index(b"mdat") + 4, data.index(b"moov") - 4
    data[start:end] = b"\x55" * (end - start)
    place.store.put_bytes("sources/t/a/1", bytes(data))
    with pytest.raises(StepFailure) as failure:
        place.encode_chunks(*FIRSTS)
    assert failure.value.code in ("no_decodable_frames", "corrupt")
