from fractions import Fraction
from typing import Any

import pytest

from rushes.api.records import previews
from rushes.api.views import asset_json, asset_view, private_playback, source_view, step_json, under
from rushes.facts import AudioFacts, SourceFacts, SourceRef, VideoFacts
from rushes.keys import new_id
from rushes.model import Asset, Cue, ImageArtifact, Segment, StepView, StoryboardResult, Track, TranscriptResult
from rushes.noun import Reason
from rushes.states import AssetState, Pool, Publication, StepKind, StepState

ID = new_id(1_750_000_000.0, 5)
IMAGE = ImageArtifact(key=f"artifacts/{ID}/p/1/poster.jpg", width=640, height=360)
VIDEO = VideoFacts(
    index=0, codec="hevc", width=1920, height=1080, rotation=90, fps=Fraction(30000, 1001), hdr="hlg", bit_depth=10
)
AUDIO = (
    AudioFacts(index=1, codec="opus", channels=1, sample_rate=48000),
    AudioFacts(index=2, codec="aac", channels=2, sample_rate=44100, default=True),
)
FACTS = SourceFacts(container="mp4", demuxer="mov", size=5000, duration=8.0, video=VIDEO, audio=AUDIO)
STORYBOARD = StoryboardResult(
    sprite=IMAGE,
    vtt_key=f"artifacts/{ID}/s/1/storyboard.vtt",
    tile_width=160,
    tile_height=90,
    columns=5,
    count=4,
    interval=2.0,
)
TRANSCRIPT = TranscriptResult(
    language="de",
    engine="faster-whisper/small",
    trusted=True,
    cues=(Cue(start=0, end=1, text="Hallo"),),
    vtt_key=f"artifacts/{ID}/w/1/t.vtt",
    json_key=f"artifacts/{ID}/w/1/t.json",
)


def video(name: str = "720p", sizes: tuple[int, ...] = (1000, 3000)) -> Track:
    segments = tuple(Segment(name=f"{n:05}.m4s", ticks=4 * 30000, size=size) for n, size in enumerate(sizes, 1))
    return Track(
        name=name, kind="video", prefix=f"media/{ID}/t/r/1/{name}/", codecs="avc1.64001f", timescale=30000,
        segments=segments, width=1280, height=720, fps=Fraction(30000, 1001),
    )  # fmt: skip


def published(**changes: Any) -> Asset:
    sound = {"kind": "audio", "codecs": "mp4a.40.2", "channels": 2, "default": True, "language": "de"}
    asset = Asset(
        id=ID,
        tenant="default",
        title="T",
        created_at=1_750_000_000.25,
        ready_at=1_750_000_060.0,
        state=AssetState.READY,
        publication=Publication.PUBLISHED,
        build=3,
        published_build=3,
        source=SourceRef(key="sources/x", size=5000, filename="IMG_1.MOV", sha256="ab"),
        facts=FACTS,
        tracks=(video(), video("audio").model_copy(update=sound)),
        poster=IMAGE,
        storyboard=STORYBOARD,
        transcript=TRANSCRIPT,
    )
    return asset.model_copy(update=changes)


def as_json(asset: Asset, **options: Any) -> dict[str, Any]:
    return asset_json(asset, [], {"cpu_seconds": 1.5}, **{"base": "https://v.example", **options})


def test_a_published_asset_has_public_addresses() -> None:
    got = as_json(published())
    assert got["playback"] == {
        "hls": f"https://v.example/media/{ID}/master.m3u8",
        "dash": f"https://v.example/media/{ID}/manifest.mpd",
        "poster": f"https://v.example/artifacts/{ID}/p/1/poster.jpg",
        "storyboard": f"https://v.example/artifacts/{ID}/s/1/storyboard.vtt",
        "preview": None,
        "private": None,
    }
    assert got["tracks"][0]["url"] == f"https://v.example/media/{ID}/b/3/720p.m3u8"
    assert got["transcript"]["url"] == f"https://v.example/artifacts/{ID}/w/1/t.vtt"


@pytest.mark.parametrize("publication", [Publication.PRIVATE, Publication.HELD, Publication.BLOCKED])
def test_an_asset_that_is_not_public_has_no_public_address_anywhere(publication: Publication) -> None:
    got = as_json(published(publication=publication))
    assert "https://" not in str(got)
    assert got["playback"]["hls"] is got["playback"]["poster"] is got["transcript"]["url"] is None
    # But what is known of it is there all the same
    assert got["renditions"][0]["name"] == "720p"
    assert got["transcript"]["cues"] == 1


def test_addresses_of_the_directory_that_transcode_writes() -> None:
    got = as_json(published(), base="", local=True)
    assert got["playback"]["hls"] == "master.m3u8"
    assert got["playback"]["poster"] == "artifacts/p/1/poster.jpg"
    assert got["tracks"][1]["url"] == "b/3/audio.m3u8"


def test_times_are_rfc_3339_and_missing_ones_null() -> None:
    got = as_json(published())
    assert got["created_at"] == "2025-06-15T15:06:40.250Z"
    assert got["playable_at"] is None


def test_renditions_have_measured_rates() -> None:
    (rendition,) = as_json(published())["renditions"]
    assert rendition == {
        "name": "720p", "codec": "avc1.64001f", "width": 1280, "height": 720, "fps": 29.97,
        "bitrate": 4000, "peak_bitrate": 6000, "segments": 2,
    }  # fmt: skip


def test_tracks_say_what_they_are() -> None:
    kinds = [
        (track["type"], track["kind"], track["language"], track["channels"]) for track in as_json(published())["tracks"]
    ]
    assert kinds == [("video", "main", None, None), ("audio", "main", "de", 2)]


def test_the_source_is_told_as_coded_and_as_seen() -> None:
    source = source_view(SourceRef(key="k", size=5000, filename="IMG_1.MOV", sha256="ab"), FACTS)
    assert (source.width, source.height, source.rotation) == (1920, 1080, 90)
    assert (source.display_width, source.display_height) == (1080, 1920)
    assert (source.fps, source.video_codec, source.hdr, source.sha256) == (29.97, "hevc", "hlg", "ab")
    # The default stream speaks for the audio, not the first
    assert (source.audio_codec, source.audio_channels) == ("aac", 2)


def test_before_the_probe_little_is_known() -> None:
    source = source_view(SourceRef(key="k", size=5000, filename="a.mp4"), None)
    assert (source.filename, source.size, source.width, source.duration) == ("a.mp4", 5000, None, None)


def test_where_the_source_lies_stays_our_own() -> None:
    assert "sources/" not in str(as_json(published()))


def test_a_failure_has_its_reason() -> None:
    failed = published(state=AssetState.FAILED, reason=Reason(code="not_media", message="No."))
    assert as_json(failed)["reason"] == {"code": "not_media", "message": "No."}


def test_the_private_preview_is_there_while_it_plays_but_is_not_public() -> None:
    link = previews("https://v.example", "TOKEN", ID)
    held = published(publication=Publication.HELD)
    private = private_playback(held, link, 1_750_003_600)
    assert private is not None
    assert private.hls == "https://v.example/preview/TOKEN/b/3/master.m3u8"
    assert private.poster == "https://v.example/preview/TOKEN/artifacts/p/1/poster.jpg"
    assert private.expires == "2025-06-15T16:06:40.000Z"
    assert asset_view(held, [], {}, under(""), private).playback.private == private
    assert private_playback(published(), link, 0) is None
    assert private_playback(published(state=AssetState.INGESTED, publication=Publication.PRIVATE), link, 0) is None


def test_steps() -> None:
    step = StepView(
        id="s", key="encode.0", kind=StepKind.ENCODE, pool=Pool.VIDEO, state=StepState.RUNNING, required=True,
        progress=1 / 3, attempts=2, started_at=1_750_000_000.0,
    )  # fmt: skip
    assert step_json(step).model_dump(mode="json") == {
        "key": "encode.0", "kind": "encode", "pool": "video", "state": "running", "required": True,
        "progress": 0.3333, "attempts": 2, "started_at": "2025-06-15T15:06:40.000Z", "finished_at": None, "reason": None,
        "cpu_seconds": 0.0,
    }  # fmt: skip
