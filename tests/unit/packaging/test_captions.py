from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import pytest

from rushes.isobmff.boxes import children, iter_boxes, need
from rushes.model import Cue, TranscriptResult
from rushes.packaging.captions import build_captions, mp4_form, wanted
from rushes.packaging.webvtt import segments
from rushes.packaging.wvtt import wvtt_init, wvtt_segments
from rushes.tracks import Track

Make = Callable[..., Track]


def transcript(*cues: Cue, trusted: bool = True) -> TranscriptResult:
    return TranscriptResult(language="en", engine="e", trusted=trusted, cues=cues, vtt_key="v", json_key="j")


CUE = Cue(start=3.5, end=5.0, text="Hello")


@pytest.mark.parametrize(
    ("rule", "trusted", "expected"),
    [("trusted", True, True), ("trusted", False, False), ("always", False, True), ("never", True, False)],
)
def test_the_profile_decides(rule: str, trusted: bool, expected: bool) -> None:
    assert wanted(transcript(CUE, trusted=trusted), rule) is expected


def test_no_cues_no_captions() -> None:
    assert not wanted(transcript(), "always")


def test_a_cue_over_a_cut_is_in_both_segments_with_full_times() -> None:
    first, second, third = segments([CUE], [Fraction(0), Fraction(4), Fraction(8), Fraction(9)])
    line = "00:00:03.500 --> 00:00:05.000\nHello"
    assert first == f"WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n\n{line}\n\n"
    assert line in second
    assert third == "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n\n"


def test_text_cannot_break_out() -> None:
    cue = Cue(start=0, end=1, text="a\n\n00:00:00.000 --> 00:00:09.000\n<b>&")
    (text,) = segments([cue], [Fraction(0), Fraction(1)])
    assert text.count("-->") == 1
    assert "&lt;b&gt;&amp;" in text


def test_the_track_lies_on_the_grid(make_video: Make) -> None:
    grid = make_video()
    captions = build_captions(
        transcript(CUE, Cue(start=8.5, end=30, text="late"), Cue(start=20, end=21, text="gone")), grid, "p/"
    )
    track = captions.track
    assert [segment.ticks for segment in track.segments] == [segment.ticks for segment in grid.segments]
    assert (track.name, track.prefix, track.init, track.language) == ("captions-en", "p/captions-en/", None, "en")
    assert b"00:00:08.500 --> 00:00:09.009\nlate" in captions.files["00003.vtt"]
    assert all(b"gone" not in data for data in captions.files.values())
    assert [segment.size for segment in track.segments] == [len(captions.files[s.name]) for s in track.segments]


def test_every_file_that_dash_names_is_there(make_video: Make) -> None:
    captions = build_captions(transcript(CUE), make_video(), "p/")
    named = mp4_form(captions.track)
    assert {named.init, *(segment.name for segment in named.segments)} <= captions.files.keys()


def samples_of(segment: bytes) -> tuple[int, list[tuple[int, bytes]]]:
    """tfdt, and (duration, bytes) of each sample."""
    boxes = {found.kind: found for found in iter_boxes(segment, 0, len(segment))}
    traf = need(segment, boxes["moof"], "traf")
    tfdt, trun = need(segment, traf, "tfdt"), need(segment, traf, "trun")
    start = int.from_bytes(segment[tfdt.body + 4 : tfdt.end])
    flags = int.from_bytes(segment[trun.body + 1 : trun.body + 4])
    words = [int.from_bytes(segment[at : at + 4]) for at in range(trun.body + 4, trun.end, 4)]
    rows = words[3:]
    tfhd = need(segment, traf, "tfhd")
    durations = rows[::2] if flags & 0x100 else [int.from_bytes(segment[tfhd.body + 8 : tfhd.body + 12])] * words[0]
    sizes = rows[1::2] if flags & 0x100 else rows
    found, at = [], boxes["mdat"].body
    for duration, size in zip(durations, sizes, strict=True):
        found.append((duration, segment[at : at + size]))
        at += size
    return start, found


def test_mp4_captions_fill_each_segment_without_gaps() -> None:
    # Given cues that overlap and one that spans a cut
    cues = [Cue(start=1, end=3, text="one"), Cue(start=2, end=5, text="two")]
    first, second, third = wvtt_segments(cues, [0, 4000, 8000, 9000], 1000)
    # Then samples change where a cue comes or goes, and empty time is said to be empty
    start, found = samples_of(first)
    assert start == 0
    assert [duration for duration, _ in found] == [1000, 1000, 1000, 1000]
    assert [sorted(word for word in (b"one", b"two") if word in content) for _, content in found] == [
        [],
        [b"one"],
        [b"one", b"two"],
        [b"two"],
    ]
    assert found[0][1] == b"\0\0\0\x08vtte"
    start, found = samples_of(second)
    assert (start, [duration for duration, _ in found]) == (4000, [1000, 3000])
    assert samples_of(third) == (8000, [(1000, b"\0\0\0\x08vtte")])


def test_mp4_captions_init_says_wvtt() -> None:
    init = wvtt_init(30000)
    moov = next(found for found in iter_boxes(init, 0, len(init)) if found.kind == "moov")
    minf = need(init, moov, "trak/mdia/minf")
    assert [child.kind for child in children(init, minf)] == ["nmhd", "dinf", "stbl"]
    assert b"wvtt" in init[minf.start : minf.end]
    assert b"text" in init
