"""Several codecs and ranges in one build: what HLS, DASH and the lint make of them."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable

import pytest

from rushes.engine.job import Job
from rushes.model import PackageResult, Skipped, TracksResult
from rushes.packaging.build import BuildError, build_documents
from rushes.packaging.chunks import joined_in_time
from rushes.packaging.dash import manifest
from rushes.packaging.hls import multivariant, scores
from rushes.packaging.package import run
from rushes.packaging.soundness import problems, variant_problems
from rushes.storage.workspace import Workspace
from rushes.tracks import Track

Make = Callable[..., Track]
MakeJob = Callable[..., Job]
NS = {"d": "urn:mpeg:dash:schema:mpd:2011"}


def attributes(playlist: str, tag: str) -> list[dict[str, str]]:
    lines = [line.split(":", 1)[1] for line in playlist.splitlines() if line.startswith(f"#EXT-X-{tag}:")]
    return [dict(re.findall(r'([A-Z0-9-]+)=("[^"]*"|[^,]*)', line)) for line in lines]


@pytest.fixture
def pictures(make_video: Make) -> list[Track]:
    """Two sizes in H.264 and AV1, one in HEVC with PQ."""
    small = {"width": 640, "height": 360, "sizes": (200_000, 210_000, 40_000)}
    av1 = {"codecs": "av01.0.05M.08"}
    return [
        make_video(),
        make_video("360p", **small),
        make_video("720p-av1", sizes=(250_000, 300_000, 50_000), **av1),
        make_video("360p-av1", **{**small, **av1, "sizes": (90_000, 100_000, 20_000)}),
        make_video("720p-hevc-hdr", codecs="hvc1.2.4.L93.90", hdr="pq"),
    ]


@pytest.fixture
def sounds(make_audio: Make) -> list[Track]:
    return [make_audio(default=True), make_audio("audio-opus", codecs="opus", default=True)]


def test_the_better_codec_has_the_higher_score(pictures: list[Track]) -> None:
    # Given that the rate says nothing across codecs: sizes first, then range, then codec
    assert scores(pictures) == {"360p": 1, "360p-av1": 2, "720p": 3, "720p-av1": 4, "720p-hevc-hdr": 5}
    assert scores(pictures[:2]) == {}


def test_every_picture_is_offered_with_every_codec_of_sound(pictures: list[Track], sounds: list[Track]) -> None:
    text = multivariant([*pictures, *sounds], 1)
    variants = attributes(text, "STREAM-INF")
    assert len(variants) == 10
    said = {(variant["CODECS"], variant["AUDIO"]) for variant in variants}
    assert ('"av01.0.05M.08,opus"', '"audio-opus"') in said
    assert ('"av01.0.05M.08,mp4a.40.2"', '"audio"') in said
    assert ('"avc1.64001f,mp4a.40.2"', '"audio"') in said
    # Then each group has one sound of its own codec, and the playlist is in order
    groups = {(media["GROUP-ID"], media["URI"]) for media in attributes(text, "MEDIA")}
    assert groups == {('"audio"', '"audio.m3u8"'), ('"audio-opus"', '"audio-opus.m3u8"')}
    assert variant_problems(text) == []
    # And the first variant is one that everything plays, with AAC
    assert (variants[0]["CODECS"], variants[0]["VIDEO-RANGE"]) == ('"avc1.64001f,mp4a.40.2"', "SDR")


def test_ranges_are_said(pictures: list[Track]) -> None:
    text = multivariant(pictures, 1)
    for tag in ("STREAM-INF", "I-FRAME-STREAM-INF"):
        hdr = [one for one in attributes(text, tag) if one["VIDEO-RANGE"] == "PQ"]
        assert [one["CODECS"] for one in hdr] == ['"hvc1.2.4.L93.90"']
        assert len(attributes(text, tag)) == 5
        assert all("SCORE" in one for one in attributes(text, tag))


def test_sound_alone_is_a_variant_where_it_is_asked_for(pictures: list[Track], sounds: list[Track]) -> None:
    tracks = [pictures[0], sounds[0]]
    plain, more = multivariant(tracks, 1), multivariant(tracks, 1, audio_only=True)
    assert more.startswith(plain.split("#EXT-X-I-FRAME")[0])
    alone = attributes(more, "STREAM-INF")[-1]
    assert (alone["CODECS"], alone["AUDIO"]) == ('"mp4a.40.2"', '"audio"')
    assert not {"RESOLUTION", "VIDEO-RANGE", "FRAME-RATE"} & set(alone)
    assert {one["CLOSED-CAPTIONS"] for one in attributes(more, "STREAM-INF")} == {"NONE"}
    assert more.splitlines()[more.splitlines().index(plain.splitlines()[-1]) - 1] == "audio.m3u8"
    # And with scores, it has the least
    mixed = attributes(multivariant([*pictures, *sounds], 1, audio_only=True), "STREAM-INF")
    assert min(float(variant["SCORE"]) for variant in mixed) == float(mixed[-1]["SCORE"]) > 0


def test_dash_has_a_set_for_each_codec_and_range(pictures: list[Track], sounds: list[Track]) -> None:
    root = ET.fromstring(manifest([*pictures, *sounds], lambda key: key, 1))
    sets = root.findall(".//d:AdaptationSet", NS)
    names = [[found.get("id") for found in group.findall("d:Representation", NS)] for group in sets]
    assert names == [["720p", "360p"], ["720p-av1", "360p-av1"], ["720p-hevc-hdr"], ["audio"], ["audio-opus"]]
    # Then a player may change between the codecs of one range
    switching = ".//d:SupplementalProperty[@schemeIdUri='urn:mpeg:dash:adaptation-set-switching:2016']"
    assert [getattr(group.find(switching, NS), "attrib", {}).get("value") for group in sets] == [
        "2",
        "1",
        None,
        None,
        None,
    ]
    # And it is told what it has to know for HDR, and which codec is the better one
    told = sets[2].findall("d:EssentialProperty", NS)
    assert [(found.get("schemeIdUri", "").rpartition(":")[2], found.get("value")) for found in told] == [
        ("ColourPrimaries", "9"),
        ("TransferCharacteristics", "16"),
        ("MatrixCoefficients", "9"),
    ]
    assert not root.findall(".//d:AdaptationSet[@id='1']/d:EssentialProperty", NS)
    assert [group.get("selectionPriority") for group in sets] == ["2", "4", "1", "2", "3"]
    assert [group.find("d:Role", NS).get("value") for group in sets] == ["main"] * 5


def test_one_codec_needs_no_priorities(make_video: Make, make_audio: Make) -> None:
    text = manifest([make_video(), make_audio()], lambda key: key, 1)
    assert "selectionPriority" not in text
    assert "SupplementalProperty" not in text


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"codecs": "hev1.1.6.L93.90"}, "tagged hvc1"),
        ({"codecs": "avc1.64001f", "hdr": "pq"}, "HDR needs 10 bits"),
        ({"codecs": "hvc1.1.6.L93.90", "hdr": "hlg"}, "HDR needs 10 bits"),
        ({"codecs": "av01.0.05M.08", "hdr": "hlg"}, "HDR needs 10 bits"),
        ({"codecs": "hvc1.2.4.L93.90", "hdr": "pq"}, "nothing for screens without it"),
    ],
)
def test_lint_of_pictures(make_video: Make, fields: dict[str, str], sentence: str) -> None:
    assert any(sentence in found for found in problems([make_video(**fields)], {}))


def test_lint_of_sound(make_audio: Make) -> None:
    assert any("Opus counts" in found for found in problems([make_audio(codecs="opus", sample_rate=44100)], {}))
    assert problems([make_audio(codecs="opus")], {}) == []


def test_lint_of_the_multivariant_playlist(pictures: list[Track], sounds: list[Track]) -> None:
    text = multivariant([*pictures, *sounds], 1)
    assert variant_problems("#EXTM3U\n") == ["The multivariant playlist has no variants."]
    assert variant_problems(text.replace('GROUP-ID="audio-opus"', 'GROUP-ID="other"')) != []
    assert variant_problems(text.replace("SCORE=5.0,", "", 1)) == ["Some variants have a score and some have none."]
    assert variant_problems(re.sub(r"CODECS=\"avc1[^\"]*\",", "", text, count=1)) != []
    with pytest.raises(BuildError, match="nothing for screens"):
        build_documents("a" * 26, 1, [pictures[-1]])


def piece(track: Track, number: int, first: int) -> Track:
    return track.model_copy(
        update={
            "prefix": f"media/{'0' * 26}/t/r{number}/1/{track.name}/",
            "segments": track.segments[number : number + 1],
            "start_ticks": first,
        }
    )


def chunked(track: Track) -> list[TracksResult]:
    """Each segment encoded by a step of its own."""
    starts = [sum(segment.ticks for segment in track.segments[:number]) for number in range(len(track.segments))]
    return [TracksResult(tracks=(piece(track, number, first),)) for number, first in enumerate(starts)]


@pytest.fixture
def build(make_job: MakeJob, workspace: Workspace, pictures: list[Track], sounds: list[Track]):
    def package(inputs: dict[str, object]) -> PackageResult | Skipped:
        for result in inputs.values():
            if isinstance(result, TracksResult):
                for track in result.tracks:
                    workspace.store.put_bytes(track.prefix + "init.mp4", track.name.encode())
        return run(make_job(build=5, params={"phase": "codecs"}, inputs=inputs), workspace)

    return package


def ready(build: int, *tracks: Track) -> PackageResult:
    return PackageResult(build=build, tracks=tracks, complete=True, bytes=1)


def test_codecs_are_added_to_the_newest_build(
    build, pictures: list[Track], sounds: list[Track], make_video: Make
) -> None:
    h264, av1 = pictures[0], pictures[2]
    captions = make_video("captions-en", kind="text", init=None, codecs="wvtt", language="en")
    steps = {f"encode.av1.{number}": result for number, result in enumerate(chunked(av1))}
    inputs = {"package.enriched": ready(4, h264, sounds[0], captions), "package.ready": ready(3, h264, sounds[0])}
    result = build({**dict(reversed(steps.items())), **inputs})
    # Then the chunks are in their order, whatever order they came in, and everything that was there still is
    assert [track.name for track in result.tracks] == ["720p", "720p-av1", "audio", "captions-en"]
    assert (result.build, result.complete) == (5, True)
    assert [segment.size for segment in result.tracks[1].segments] == [segment.size for segment in av1.segments]


def test_captions_and_storyboard_stay(build, pictures: list[Track], make_video: Make, make_board: Make) -> None:
    captions = make_video("captions-en", kind="text", init=None, codecs="wvtt", language="en")
    base = ready(4, pictures[0], captions, make_board())
    result = build({"package.enriched": base, "encode.av1.0": TracksResult(tracks=(pictures[2],))})
    assert [track.name for track in result.tracks] == ["720p", "720p-av1", "captions-en", "storyboard"]


def test_a_codec_that_is_not_whole_is_left_out(build, pictures: list[Track]) -> None:
    h264, av1, hevc = pictures[0], pictures[2], pictures[4]
    whole = {"package.ready": ready(3, h264), "encode.hevc-hdr.0": TracksResult(tracks=(hevc,))}
    for missing in range(3):
        steps = {f"encode.av1.{number}": one for number, one in enumerate(chunked(av1)) if number != missing}
        result = build({**whole, **steps})
        assert [track.name for track in result.tracks] == ["720p", "720p-hevc-hdr"]


def test_two_codecs_of_a_source_that_ends_a_little_early_miss_nothing(build, pictures: list[Track]) -> None:
    # Given a source whose last frames are not there, which is within what is tolerated
    def steps(name: str, track: Track) -> dict[str, TracksResult]:
        given = [(part.tracks[0].duration, part.tracks[0].duration) for part in chunked(track)]
        given[-1] = (given[-1][0], given[-1][0] + 0.1)
        return {
            f"encode.{name}.{number}": part.model_copy(update={"decoded_seconds": got, "expected_seconds": wanted})
            for number, (part, (got, wanted)) in enumerate(zip(chunked(track), given, strict=True))
        }

    result = build(
        {"package.ready": ready(3, pictures[0]), **steps("av1", pictures[2]), **steps("hevc-hdr", pictures[4])}
    )
    assert len(result.tracks) == 3
    assert result.missing_seconds == 0


def test_without_a_whole_codec_or_a_build_there_is_nothing_to_do(build, pictures: list[Track]) -> None:
    h264, av1 = pictures[0], pictures[2]
    assert build({"package.ready": ready(3, h264)}).reason.code == "no_codecs"
    assert build({"package.ready": ready(3, h264), "encode.av1.0": chunked(av1)[0]}).reason.code == "no_codecs"
    assert build({"encode.av1.0": TracksResult(tracks=(av1,))}).reason.code == "no_build"


def test_pieces_with_a_gap_are_no_track(make_video: Make) -> None:
    parts = [track for result in chunked(make_video()) for track in result.tracks]
    assert [track.ticks for track in joined_in_time(parts[::-1])] == [make_video().ticks]
    assert joined_in_time([parts[0], parts[2]]) == []
