"""The layout of one file per track: the bytes, and how HLS and DASH lead to them."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest

from rushes.engine.job import Job
from rushes.errors import StepFailure
from rushes.isobmff.segment_index import segment_index
from rushes.model import PackageResult, TracksResult
from rushes.packaging.dash import manifest
from rushes.packaging.package import run
from rushes.packaging.playlist import iframe_playlist, media_playlist
from rushes.packaging.single import in_single_files, laid_out
from rushes.storage.rendition import assemble
from rushes.storage.store import ObjectMissing
from rushes.storage.workspace import Workspace
from rushes.tracks import Protection, Segment, Track

Make = Callable[..., Track]
MakeJob = Callable[..., Job]
NS = {"d": "urn:mpeg:dash:schema:mpd:2011"}
PLACE = "media/00000000000000000000000000/t/pkg/7/720p/"


def href(key: str) -> str:
    return f"X/{key}"


@pytest.fixture
def one_file(make_video: Make) -> Track:
    return laid_out(make_video(), 700, bytes(68))


def test_media_playlist_whole(one_file: Track) -> None:
    assert media_playlist(one_file, href, 4).splitlines() == [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        "#EXT-X-TARGETDURATION:4",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        '#EXT-X-MAP:URI="X/media/00000000000000000000000000/t/r/1/720p/track.mp4",BYTERANGE="700@0"',
        "#EXTINF:4.004000,",
        "#EXT-X-BYTERANGE:500000@768",
        "X/media/00000000000000000000000000/t/r/1/720p/track.mp4",
        "#EXTINF:4.004000,",
        "#EXT-X-BYTERANGE:600000@500768",
        "X/media/00000000000000000000000000/t/r/1/720p/track.mp4",
        "#EXTINF:1.001000,",
        "#EXT-X-BYTERANGE:100000@1100768",
        "X/media/00000000000000000000000000/t/r/1/720p/track.mp4",
        "#EXT-X-ENDLIST",
    ]


def test_key_pictures_are_found_in_the_file(one_file: Track) -> None:
    lines = [line for line in iframe_playlist(one_file, href, 4).splitlines() if "BYTERANGE:" in line]
    assert lines == [
        "#EXT-X-BYTERANGE:50000@768",
        "#EXT-X-BYTERANGE:60000@500768",
        "#EXT-X-BYTERANGE:10000@1100768",
    ]


def test_dash_points_at_the_index(one_file: Track, make_board: Make) -> None:
    root = ET.fromstring(manifest([one_file, make_board()], href, 1))
    assert root.get("profiles", "").split(",") == [
        "urn:mpeg:dash:profile:isoff-on-demand:2011",
        "urn:mpeg:dash:profile:isoff-live:2011",
        "urn:mpeg:dash:profile:cmaf:2019",
    ]
    group, _ = root.findall(".//d:AdaptationSet", NS)
    assert (group.get("profiles"), group.get("subsegmentAlignment"), group.get("subsegmentStartsWithSAP")) == (
        "urn:mpeg:dash:profile:isoff-on-demand:2011",
        "true",
        "1",
    )
    (track,) = group.findall("d:Representation", NS)
    address, base = track
    assert address.text == "X/media/00000000000000000000000000/t/r/1/720p/track.mp4"
    assert base.attrib == {"timescale": "30000", "indexRange": "700-767"}
    assert base[0].attrib == {"range": "0-699"}


@pytest.fixture
def encoded(make_video: Make, workspace: Workspace) -> Track:
    """Three small segments in the store."""
    track = make_video(sizes=(5, 6, 1), init_size=4)
    workspace.store.put_bytes(track.prefix + "init.mp4", b"init")
    for segment, data in zip(track.segments, (b"first", b"second", b"3"), strict=True):
        workspace.store.put_bytes(track.prefix + segment.name, data)
    return track


@pytest.fixture
def package(make_job: MakeJob, workspace: Workspace) -> Callable[..., PackageResult]:
    def make(phase: str, layout: str = "single", **inputs: object) -> PackageResult:
        job = make_job(params={"phase": phase}, inputs={key.replace("_", "."): one for key, one in inputs.items()})
        outputs = job.profile.outputs.model_copy(update={"layout": layout})
        job = job.model_copy(update={"profile": job.profile.model_copy(update={"outputs": outputs})})
        result = run(job, workspace)
        assert isinstance(result, PackageResult)
        return result

    return make


def test_the_step_stores_one_file_of_the_very_bytes(package, encoded: Track, workspace: Workspace) -> None:
    result = package("ready", encode_0=TracksResult(tracks=(encoded,)))
    (track,) = result.tracks
    index = segment_index(30000, 0, [(5, 120120), (6, 120120), (1, 30030)])
    assert track == laid_out(encoded, 4, index).model_copy(update={"prefix": PLACE})
    assert workspace.store.read(PLACE + "track.mp4") == b"init" + index + b"firstsecond3"
    assert workspace.store.head(PLACE + "track.mp4").content_type == "video/mp4"
    assert track.bytes == 4 + len(index) + 12
    assert not list(workspace.scratch.iterdir()), "one track at a time on the local disk"
    build = "media/00000000000000000000000000/b/1/"
    assert b"\n../../t/pkg/7/720p/track.mp4\n" in workspace.store.read(build + "720p.m3u8")


def test_segments_stay_where_the_profile_says_so_and_in_a_first_look(package, encoded: Track) -> None:
    assert package("ready", "segments", encode_0=TracksResult(tracks=(encoded,))).tracks == (encoded,)
    first = TracksResult(tracks=(encoded,), provisional=True)
    assert package("first", encode_0=first).tracks == (encoded,)


def test_what_is_in_one_file_already_is_not_stored_again(package, encoded: Track, workspace: Workspace) -> None:
    base = package("ready", encode_0=TracksResult(tracks=(encoded,)))
    more = encoded.model_copy(update={"name": "360p", "width": 640, "height": 360})
    result = package("codecs", package_ready=base, encode_lazy=TracksResult(tracks=(more,)))
    assert result.tracks[0] == base.tracks[0]
    assert [track.in_one_file for track in result.tracks] == [True, True]


def test_segments_that_are_encrypted_whole_stay_apart(make_job: MakeJob, encoded: Track, workspace: Workspace) -> None:
    sealed = {scheme: Protection(scheme=scheme, kid="0" * 32, iv="0" * 32) for scheme in ("aes-128", "cbcs")}
    tracks = [encoded.model_copy(update={"name": name, "protection": one}) for name, one in sealed.items()]
    assert [track.in_one_file for track in in_single_files(tracks, make_job(), workspace)] == [False, True]


def test_a_segment_of_another_length_fails_the_step(package, encoded: Track, workspace: Workspace) -> None:
    workspace.store.put_bytes(encoded.prefix + "00002.m4s", b"short")
    with pytest.raises(StepFailure) as caught:
        package("ready", encode_0=TracksResult(tracks=(encoded,)))
    assert "00002.m4s has 5 bytes" in caught.value.detail
    workspace.store.delete(encoded.prefix + "00002.m4s")
    with pytest.raises(ObjectMissing):
        package("ready", encode_0=TracksResult(tracks=(encoded,)))


@pytest.mark.parametrize(
    ("part", "expected"),
    [((0, None), b"initfirstsecond3"), ((1, 1), b"initsecond"), ((2, 9), b"init3")],
)
def test_parts_of_it_are_read_without_the_rest(
    part: tuple[int, int | None], expected: bytes, package, encoded: Track, workspace: Workspace, tmp_path: Path
) -> None:
    (track,) = package("ready", encode_0=TracksResult(tracks=(encoded,))).tracks
    assert assemble(track, workspace.store, tmp_path, *part).read_bytes() == expected
    # and neither does a choice of segments that do not follow each other
    chosen = track.model_copy(update={"segments": (track.segments[0], track.segments[2])})
    assert assemble(chosen, workspace.store, tmp_path).read_bytes() == b"initfirst3"


def test_a_track_in_pieces_has_no_ranges(make_video: Make) -> None:
    assert "BYTERANGE" not in media_playlist(make_video(), href, 4)
    assert Segment(name="00001.m4s", ticks=1, size=1).offset is None
