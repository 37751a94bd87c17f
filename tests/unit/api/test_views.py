from fractions import Fraction
from typing import Any

import pytest

from rushes.api.records import previews
from rushes.api.views import (
    asset_json,
    asset_view,
    cpu_by_kind,
    encode_view,
    private_playback,
    source_view,
    step_json,
    under,
)
from rushes.facts import AudioFacts, SourceFacts, SourceRef, VideoFacts
from rushes.keys import new_id
from rushes.model import (
    AnalysisResult,
    Asset,
    Cue,
    DownloadResult,
    Encode,
    ImageArtifact,
    StepView,
    StoryboardResult,
    TranscriptResult,
)
from rushes.noun import Reason
from rushes.options import Clip, Options, Watermark
from rushes.plan import Grid, Ladder, Plan, Receipt, Rung
from rushes.states import AssetState, Pool, Publication, StepKind, StepState
from rushes.tracks import Protection, Segment, Track

ID = new_id(1_750_000_000.0, 5)
IMAGE = ImageArtifact(
    key=f"artifacts/{ID}/p/1/poster.jpg", width=640, height=360, thumbhash="1QcSHQRnh493V4dIh4eXh1h4kJUI"
)
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
        "clearkey": None,
        "mp4": None,
        "poster": f"https://v.example/artifacts/{ID}/p/1/poster.jpg",
        "thumbhash": "1QcSHQRnh493V4dIh4eXh1h4kJUI",
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
        "bitrate": 4000, "peak_bitrate": 6000, "segments": 2, "vmaf": None, "hdr": None,
    }  # fmt: skip


def test_the_storyboards_sheets_are_a_track() -> None:
    sheets = video("storyboard").model_copy(update={"kind": "image", "codecs": "jpeg", "tiles": (5, 5)})
    (track,) = as_json(published(tracks=(sheets,)))["tracks"]
    assert (track["type"], track["kind"], track["codec"]) == ("image", "storyboard", "jpeg")
    assert track["url"] == f"https://v.example/media/{ID}/b/3/storyboard.m3u8"


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
    assert private_playback(published(options=Options(playback="signed")), link, 0) is not None
    assert private_playback(published(state=AssetState.INGESTED, publication=Publication.PRIVATE), link, 0) is None


def test_a_first_look_that_grows_has_no_dash_manifest() -> None:
    assert as_json(published(growing=3))["playback"]["dash"] is None
    assert as_json(published(growing=3))["playback"]["hls"] is not None
    assert as_json(published(growing=3, build=4, published_build=3))["playback"]["dash"] is None
    assert as_json(published(growing=2))["playback"]["dash"] is not None
    looked_at = private_playback(published(publication=Publication.HELD, growing=3), under(""), 0)
    assert looked_at is not None
    assert looked_at.dash is None


def test_steps() -> None:
    step = StepView(
        id="s", key="encode.0", kind=StepKind.ENCODE, pool=Pool.VIDEO, state=StepState.RUNNING, required=True,
        progress=1 / 3, attempts=2, started_at=1_750_000_000.0,
    )  # fmt: skip
    assert step_json(step).model_dump(mode="json") == {
        "key": "encode.0", "kind": "encode", "pool": "video", "state": "running", "required": True,
        "progress": 0.3333, "attempts": 2, "started_at": "2025-06-15T15:06:40.000Z", "finished_at": None, "reason": None,
        "cpu_seconds": 0.0, "avoided_cpu_seconds": 0.0,
    }  # fmt: skip


def test_options_are_shown_without_where_the_picture_lies() -> None:
    mark = Watermark(name="logo", key="watermarks/t/logo/ab.png", width=60, height=30, position="top", size=0.2)
    got = as_json(published(options=Options(clip=Clip(start=1.5), watermark=mark)))
    assert got["options"] == {
        "clip": {"start": 1.5, "end": None},
        "watermark": {"name": "logo", "position": "top", "size": 0.2, "opacity": 1.0, "margin": 0.03},
        "playback": "public",
    }
    assert "watermarks/" not in str(got)


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([StepState.WAITING], "waiting"),
        ([StepState.READY], "waiting"),
        ([StepState.DONE, StepState.WAITING], "running"),
        ([StepState.DONE, StepState.RUNNING], "running"),
        ([StepState.DONE, StepState.SKIPPED], "done"),
        ([StepState.DONE, StepState.FAILED, StepState.CANCELLED], "failed"),
        ([StepState.DONE, StepState.CANCELLED], "cancelled"),
    ],
)
def test_an_encodes_state_is_that_of_its_steps(states: list[StepState], expected: str) -> None:
    def step(key: str, state: StepState, *, required: bool = True) -> StepView:
        return StepView(
            id=key, key=key, kind=StepKind.ENCODE, pool=Pool.VIDEO, state=state, required=required, progress=0,
            attempts=0,
        )  # fmt: skip

    steps = [step(f"encode.{number}~2", state) for number, state in enumerate(states)]
    others = [step("encode.0", StepState.FAILED), step("encode.0~3", StepState.RUNNING)]
    others.append(step("analyze~2", StepState.FAILED, required=False))  # nothing is missing without it
    encode = Encode(number=2, profile="quality@1", requested_at=1_750_000_000.0)
    assert encode_view(encode, [*steps, *others]).state == expected


def test_quality_and_its_reasons_come_from_the_analysis() -> None:
    ladder = Ladder(
        rungs=(Rung(name="720p", width=1280, height=720, crf=24, max_bitrate=1, buffer_bits=1),),
        grid=Grid(fps=Fraction(30), gop_frames=60, segment_frames=120),
    )
    receipt = Receipt(rung="720p", predicted_vmaf=93.456, predicted_bitrate=1000, why="At the target.")
    analysis = AnalysisResult(plan=Plan(ladders=(ladder,)), receipts=(receipt,), features={"grain": 0.5})
    got = as_json(published(analysis=analysis))
    assert got["renditions"][0]["vmaf"] == 93.46
    seen = published(analysis=analysis, tracks=(video().model_copy(update={"vmaf": 92.111}),))
    assert as_json(seen)["renditions"][0]["vmaf"] == 92.11
    assert got["analysis"]["features"] == {"grain": 0.5}
    assert got["analysis"]["receipts"][0]["why"] == "At the target."
    assert as_json(published())["analysis"] is None


def test_cost_is_told_by_kind() -> None:
    steps = [
        StepView(
            id=str(number), key=f"encode.{number}", kind=StepKind.ENCODE, pool=Pool.VIDEO, state=StepState.DONE,
            required=True, progress=1, attempts=1, cpu_seconds=1.5, avoided_cpu_seconds=7,
        )
        for number in range(2)
    ]  # fmt: skip
    assert cpu_by_kind(steps) == {"encode": 3.0}
    assert step_json(steps[0]).avoided_cpu_seconds == 7


def test_the_file_to_download_is_public_with_its_asset() -> None:
    file = DownloadResult(key=f"artifacts/{ID}/d/1/video.mp4", size=9, width=2, height=2, tracks=("720p",))
    assert as_json(published(download=file))["playback"]["mp4"] == f"https://v.example/artifacts/{ID}/d/1/video.mp4"
    assert as_json(published(download=file, publication=Publication.HELD))["playback"]["mp4"] is None


@pytest.mark.parametrize("scheme", ["cbcs", "aes-128"])
def test_of_protected_media_it_says_where_keys_are(scheme: Any) -> None:
    said = Protection(scheme=scheme, kid="0" * 32, iv="0" * 32)
    sealed = tuple(track.model_copy(update={"protection": said}) for track in published().tracks)
    assert sealed
    playback = as_json(published(tracks=sealed))["playback"]
    assert playback["clearkey"] == f"https://v.example/keys/{ID}/clearkey"
    assert (playback["dash"] is not None) == (scheme == "cbcs")
