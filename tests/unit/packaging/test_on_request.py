from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import pytest

from rushes.engine.job import Job
from rushes.model import PackageResult, TracksResult
from rushes.packaging.on_request import master, playlist, segment_at, start_of, to_be_made
from rushes.packaging.package import run
from rushes.packaging.soundness import variant_problems
from rushes.plan import Rung
from rushes.storage.workspace import Workspace
from rushes.tracks import Track

Make = Callable[..., Track]
ASSET = "0" * 26


def rung(name: str = "1080p", **more: object) -> Rung:
    fields = {"name": name, "width": 1920, "height": 1080, "crf": 23, "max_bitrate": 5_000_000, "buffer_bits": 9}
    return Rung.model_validate(fields | more)


@pytest.fixture
def tracks(make_video: Make, make_audio: Make) -> list[Track]:
    return [make_video(), make_audio(default=True)]


def test_a_stand_in_is_cut_as_the_build_and_as_large_as_its_cap(tracks: list[Track]) -> None:
    known = {"1080p": "avc1.640028", "1080p-av1": "av01.0.08M.08"}  # the other codec is not worth waiting for
    rungs = [rung(), rung("1080p-hevc-hdr", codec="hevc"), rung("1080p-av1", codec="av1")]
    [found] = to_be_made(rungs, tracks, known)
    assert (found.name, found.width, found.fps, found.codecs) == ("1080p", 1920, tracks[0].fps, "avc1.640028")
    assert [part.ticks for part in found.segments] == [part.ticks for part in tracks[0].segments]
    assert [part.name for part in found.segments] == ["1.m4s", "2.m4s", "3.m4s"]
    assert found.segments[0].size == int(5_000_000 * 120120 / 30000 / 8)
    assert to_be_made([rung()], tracks[1:], {"1080p": "avc1.640028"}) == []


def test_the_master_leads_to_the_build_and_to_what_is_made_for_it(tracks: list[Track]) -> None:
    text = master(tracks, to_be_made([rung()], tracks, {"1080p": "avc1.640028"}), 7)
    lines = text.splitlines()
    assert [line for line in lines if not line.startswith("#")] == ["../b/7/720p.m3u8", "1080p.m3u8"]
    assert 'URI="../b/7/audio.m3u8"' in text and 'URI="../b/7/720p-iframes.m3u8"' in text
    assert 'CODECS="avc1.640028,mp4a.40.2"' in text and "RESOLUTION=1920x1080" in text
    assert "1080p-iframes" not in text  # nobody knows where its key pictures will end
    assert variant_problems(text) == []


def test_its_playlist(tracks: list[Track]) -> None:
    [lazy] = to_be_made([rung()], tracks, {"1080p": "avc1.640028"})
    lines = playlist(lazy, tracks).splitlines()
    assert '#EXT-X-MAP:URI="1080p/init.mp4"' in lines
    assert [line for line in lines if not line.startswith("#")] == ["1080p/1.m4s", "1080p/2.m4s", "1080p/3.m4s"]
    assert [line for line in lines if line.startswith("#EXTINF")] == [
        "#EXTINF:4.004000,",
        "#EXTINF:4.004000,",
        "#EXTINF:1.001000,",
    ]


def test_where_segments_begin(tracks: list[Track]) -> None:
    starts = [start_of(tracks, number) for number in range(5)]
    assert starts == [None, 0, Fraction(4004, 1000), Fraction(8008, 1000), None]
    assert start_of(tracks[1:], 1) is None
    # And the same place in a chunk that begins behind the start
    later = tracks[0].model_copy(update={"segments": tracks[0].segments[1:], "start_ticks": 120120})
    assert segment_at(later, Fraction(8008, 1000)) == tracks[0].segments[2]
    assert segment_at(later, Fraction(0)) is None


def test_what_was_missing_stands_in_its_place_in_the_new_build(
    make_job: Callable[..., Job], workspace: Workspace, make_video: Make, make_audio: Make
) -> None:
    small = make_video("360p", sizes=(90_000, 90_000, 9_000), width=640, height=360)
    av1 = make_video("360p-av1", sizes=(50_000, 50_000, 5_000), width=640, height=360, codecs="av01.0.04M.08")
    large, lost = make_video(), make_video("1080p", sizes=(9, 9))
    for track in (large, lost):
        workspace.store.put_bytes(track.prefix + "init.mp4", b"init")
    missing = (rung(), rung("720p"), rung("720p-av1"))
    base = PackageResult(build=3, tracks=(small, av1, make_audio()), complete=True, bytes=1, lazy=missing)
    inputs = {
        "package.ready": base.model_copy(update={"build": 2}),
        "package.codecs": base,
        "encode.lazy.h264.0": TracksResult(tracks=(large, lost)),
    }
    result = run(make_job(build=5, params={"phase": "lazy"}, inputs=inputs), workspace)
    assert isinstance(result, PackageResult)
    # The codec that everything plays first, the largest first; what is not whole is still missing
    assert [track.name for track in result.tracks] == ["720p", "360p", "360p-av1", "audio"]
    assert [one.name for one in result.lazy] == ["1080p", "720p-av1"]
    assert workspace.store.read(f"media/{ASSET}/b/5/master.m3u8")


def test_a_build_says_what_it_lacks(make_job: Callable[..., Job], workspace: Workspace, make_video: Make) -> None:
    params = {"phase": "ready", "lazy": [rung().model_dump(mode="json")]}
    result = run(make_job(params=params, inputs={"encode.0": TracksResult(tracks=(make_video(),))}), workspace)
    assert isinstance(result, PackageResult)
    assert result.lazy == (rung(),)
