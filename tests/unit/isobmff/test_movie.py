from __future__ import annotations

import resource
import time
from collections.abc import Callable
from fractions import Fraction
from struct import pack

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rushes.isobmff.boxes import BoxError, box, full_box
from rushes.isobmff.movie import MAX_TRACKS, MovieTrack, read_movie
from rushes.isobmff.samples import MAX_SAMPLES, Budget
from rushes.isobmff.segmenter import cut

Pictures = Callable[[list[list[int]]], tuple[MovieTrack, bytes]]
Plain = Callable[..., bytes]
GOPS = [[0, 3, 1, 2], [0, 1, 2], [0, 2, 1]]
shared = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def test_a_plain_file_gives_back_its_samples(make_pictures: Pictures, make_plain: Plain) -> None:
    track, payload = make_pictures(GOPS)
    data = make_plain(track, payload)
    (found,) = read_movie(data)
    assert (found.handler, found.timescale, found.codecs, found.width, found.height) == (
        "vide",
        15360,
        "avc1.64001f",
        320,
        180,
    )
    shift = data.index(b"mdat") + 4
    assert found.samples == [sample._replace(position=sample.position + shift) for sample in track.samples]


def test_edit_lists(make_pictures: Pictures, make_plain: Plain) -> None:
    track, payload = make_pictures(GOPS)
    rows = pack(">IiI", 500, -1, 0x10000) + pack(">IiI", 4000, 1024, 0x10000)
    data = make_plain(track, payload, elst=box("edts", full_box("elst", 0, 0, pack(">I", 2), rows)))
    (found,) = read_movie(data)
    assert (found.media_time, found.delay, found.edits) == (1024, Fraction(1, 2), 1)


def test_more_tracks_than_anybody_has_are_refused() -> None:
    moov = box("moov", *[box("trak")] * (MAX_TRACKS + 1), full_box("mvhd", 0, 0, pack(">4I", 0, 0, 1000, 0), bytes(80)))
    with pytest.raises(BoxError, match="1001 tracks"):
        read_movie(moov)


def test_garbage_behind_a_plain_movie_is_ignored(make_pictures: Pictures, make_plain: Plain) -> None:
    data = make_plain(*make_pictures(GOPS))
    assert read_movie(data + b"\xff" * 100) == read_movie(data)


def test_damage_behind_a_fragmented_movie_is_not(make_pictures: Pictures) -> None:
    track, payload = make_pictures(GOPS)
    pieces = cut(track, payload, [0, 4, 7])
    data = pieces.init + b"".join(piece.data for piece in pieces.segments)
    assert len(read_movie(data)[0].samples) == 10
    with pytest.raises(BoxError):
        read_movie(data[:-1])


def test_quicktime_sound_becomes_iso_sound(
    make_mp4a: Callable[..., bytes], make_plain: Plain, make_pictures: Pictures
) -> None:
    pictures, payload = make_pictures([[0, 1, 2]])
    for entry in (make_mp4a(0), make_mp4a(1, wave=True), make_mp4a(2)):
        track = MovieTrack(2, "soun", 48000, entry, "", samples=pictures.samples)
        (found,) = read_movie(make_plain(track, payload))
        assert (found.codecs, found.channels, found.sample_rate) == ("mp4a.40.2", 2, 48000)
        assert found.sample_entry[:8] == pack(">I4s", len(found.sample_entry), b"mp4a")
        assert found.sample_entry[16:18] == b"\0\0"
        assert b"wave" not in found.sample_entry


def test_colour_and_shape_stay_with_the_picture(
    make_avc1: Callable[..., bytes], make_plain: Plain, make_pictures: Pictures
) -> None:
    pictures, payload = make_pictures([[0]])
    nclc = box("colr", b"nclc", pack(">HHH", 1, 1, 1))
    entry = make_avc1(320, 180, nclc, box("pasp", pack(">II", 4, 3)), box("fiel", b"\1\0"))
    (found,) = read_movie(make_plain(MovieTrack(**{**vars(pictures), "sample_entry": entry}), payload))
    assert box("colr", b"nclx", pack(">HHHB", 1, 1, 1, 0)) in found.sample_entry
    assert found.sar == (4, 3)
    assert b"fiel" not in found.sample_entry


def test_a_missing_pixel_shape_is_written_as_square(make_plain: Plain, make_pictures: Pictures) -> None:
    (found,) = read_movie(make_plain(*make_pictures([[0]])))
    assert box("pasp", pack(">II", 1, 1)) in found.sample_entry


@pytest.mark.parametrize("data", [b"", b"\0" * 64, b"plain text, no movie at all", box("ftyp", b"isom"), box("moov")])
def test_what_is_no_movie_is_a_box_error(data: bytes) -> None:
    with pytest.raises(BoxError):
        read_movie(data)


def _spoiled(data: bytes, kind: bytes, field: int, value: int) -> bytes:
    at = data.index(kind) + 4 + field
    return data[:at] + pack(">I", value) + data[at + 4 :]


@pytest.mark.parametrize("kind", [b"stts", b"ctts", b"stss", b"stsc", b"co64", b"stsd"])
@pytest.mark.parametrize("count", [2**32 - 1, 2**31, 1_000_000])
def test_counts_that_lie(kind: bytes, count: int, make_pictures: Pictures, make_plain: Plain) -> None:
    data = _spoiled(make_plain(*make_pictures(GOPS)), kind, 4, count)
    if kind == b"stsd":
        read_movie(data)  # only the first description is looked at, so the number is not believed either
        return
    with pytest.raises(BoxError):
        read_movie(data)


def test_four_billion_samples_of_one_size(make_pictures: Pictures, make_plain: Plain) -> None:
    data = make_plain(*make_pictures(GOPS))
    data = _spoiled(_spoiled(data, b"stsz", 4, 1), b"stsz", 8, 2**32 - 1)
    before = time.process_time()
    with pytest.raises(BoxError, match="4294967295 samples claimed"):
        read_movie(data)
    assert time.process_time() - before < 1


def test_four_billion_samples_in_a_fragment(make_pictures: Pictures) -> None:
    track, payload = make_pictures(GOPS)
    pieces = cut(track, payload, [0])
    data = _spoiled(pieces.init + pieces.segments[0].data, b"trun", 4, 2**32 - 1)
    with pytest.raises(BoxError, match="samples claimed"):
        read_movie(data)


def test_samples_outside_the_file(make_pictures: Pictures, make_plain: Plain) -> None:
    data = _spoiled(make_plain(*make_pictures(GOPS)), b"co64", 8 + 4, 2**31)
    with pytest.raises(BoxError, match="outside the file"):
        read_movie(data)


def test_the_budget_is_bounded_by_the_file_and_by_us() -> None:
    assert Budget.of(100).left == 100
    assert Budget.of(10**12).left == MAX_SAMPLES


@shared
@given(st.data())
def test_mutated_files_are_read_or_refused(make_pictures: Pictures, make_plain: Plain, data: st.DataObject) -> None:
    # Given a good file, plain or fragmented
    track, payload = make_pictures(GOPS)
    pieces = cut(track, payload, [0, 4])
    good = data.draw(st.sampled_from([make_plain(track, payload), pieces.init + pieces.segments[0].data]))
    # When some of its bytes change, or its end is lost
    spoiled = bytearray(good[: data.draw(st.integers(0, len(good)))] if data.draw(st.booleans()) else good)
    for _ in range(data.draw(st.integers(0, 6))):
        if spoiled:
            spoiled[data.draw(st.integers(0, len(spoiled) - 1))] = data.draw(st.sampled_from([0, 1, 2, 127, 128, 255]))
    # Then it is read, and cut, or refused with a BoxError; nothing else happens
    try:
        for found in read_movie(bytes(spoiled)):
            assert len(found.samples) <= len(spoiled)
            list(cut(found, bytes(spoiled), [0]).segments)
    except BoxError:
        pass


def test_hostile_files_cost_no_memory(make_pictures: Pictures, make_plain: Plain) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for kind in (b"stsz", b"stts", b"ctts", b"co64"):
        with pytest.raises(BoxError):
            read_movie(_spoiled(make_plain(*make_pictures(GOPS)), kind, 4 if kind != b"stsz" else 8, 2**32 - 1))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000
