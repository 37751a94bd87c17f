"""A real encode is cut, packaged, and read back by ffmpeg through HLS and DASH, frame by frame."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from pathlib import Path

import imageio_ffmpeg
import pytest

from rushes.engine.job import Job
from rushes.enrichment import storyboard
from rushes.facts import SourceRef
from rushes.isobmff.movie import MovieTrack, read_movie
from rushes.isobmff.segmenter import CutTrack, closed_starts, cut, starts_at
from rushes.keys import output_prefix
from rushes.model import (
    Cue,
    PackageResult,
    PublishResult,
    TracksResult,
    TranscriptResult,
    Verdict,
    VerdictResult,
)
from rushes.packaging import package, publish
from rushes.settings import load_policy, load_profile
from rushes.states import Action, StepKind
from rushes.storage.local import LocalStore
from rushes.storage.workspace import Workspace
from rushes.tracks import Segment, Track

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
ASSET = "0" * 26
RATE = Fraction(30000, 1001)
FRAMES, GOP = 150, 30
SIZES = {"360p": (640, 360), "180p": (320, 180)}


@dataclass(frozen=True)
class Clip:
    """An encoded file of two rungs with B-frames, and one AAC track."""

    movies: dict[str, tuple[MovieTrack, bytes]]


def ffmpeg(*args: str) -> str:
    done = subprocess.run([FFMPEG, "-nostdin", "-v", "error", *args], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    folder = tmp_path_factory.mktemp("clip")
    duration = str(float(FRAMES / RATE))
    fragmented = ["-movflags", "frag_keyframe+delay_moov+default_base_moof"]
    sound = ["-f", "lavfi", "-i", f"sine=440:r=48000:d={duration}", "-ac", "2", "-c:a", "aac", *fragmented]
    ffmpeg(*sound, str(folder / "audio.mp4"))
    x264 = ["-c:v", "libx264", "-preset", "veryfast", "-threads", "2", "-bf", "3", "-pix_fmt", "yuv420p"]
    grid = ["-g", str(GOP), "-keyint_min", str(GOP), "-sc_threshold", "0", "-video_track_timescale", "30000"]
    for name, (width, height) in SIZES.items():
        source = f"testsrc2=s={width}x{height}:r=30000/1001"
        ffmpeg(
            "-f",
            "lavfi",
            "-i",
            source,
            "-frames:v",
            str(FRAMES),
            *x264,
            *grid,
            *fragmented,
            str(folder / f"{name}.mp4"),
        )
    movies = {}
    for path in folder.iterdir():
        data = path.read_bytes()
        movies[path.stem] = (read_movie(data)[0], data)
    return Clip(movies)


def deliver(store: LocalStore, name: str, pieces: CutTrack, prefix: str, **more: object) -> Track:
    segments = []
    store.put_bytes(f"{prefix}init.mp4", pieces.init)
    for number, piece in enumerate(pieces.segments, 1):
        store.put_bytes(f"{prefix}{number:05d}.m4s", piece.data)
        segments.append(
            Segment(
                name=f"{number:05d}.m4s", ticks=piece.ticks, size=len(piece.data), keyframe_size=piece.keyframe_size
            )
        )
    video = pieces.width > 0
    shape = {"width": pieces.width, "height": pieces.height, "fps": RATE} if video else {}
    if not video:
        shape = {"channels": pieces.channels, "sample_rate": pieces.sample_rate}
    return Track(
        name=name,
        kind="video" if video else "audio",
        prefix=prefix,
        init_size=len(pieces.init),
        codecs=pieces.codecs,
        timescale=pieces.timescale,
        segments=tuple(segments),
        **shape,
        **more,
    )


def video_track(store: LocalStore, clip: Clip, name: str, frames: slice = slice(None), fence: int = 1) -> Track:
    movie, data = clip.movies[name]
    starts = [start for start in range(0, FRAMES, 2 * GOP)][frames]
    first, last = (
        starts[0],
        ([*range(0, FRAMES, 2 * GOP), FRAMES])[len(range(0, FRAMES, 2 * GOP)[frames]) + starts[0] // (2 * GOP)],
    )
    part = MovieTrack(**{**vars(movie), "samples": movie.samples[first:last]})
    pieces = cut(part, data, [start - first for start in starts], first_ticks=first * 1001)
    return deliver(store, name, pieces, f"{output_prefix(ASSET, f'r{fence}', fence)}{name}/", start_ticks=first * 1001)


def audio_track(store: LocalStore, clip: Clip) -> Track:
    movie, data = clip.movies["audio"]
    times = [Fraction(frame) / RATE for frame in range(0, FRAMES, 2 * GOP)]
    prefix = f"{output_prefix(ASSET, 'a', 1)}audio/"
    return deliver(store, "audio", cut(movie, data, starts_at(movie, times)), prefix, language="en", default=True)


def job(kind: StepKind, build: int, **more: object) -> Job:
    return Job(
        step_id="s",
        key=str(kind),
        kind=kind,
        asset=ASSET,
        tenant="t",
        fence=7,
        recipe="pkg",
        source=SourceRef(key="sources/t/x/1", size=1),
        profile=load_profile("fast"),
        policy=load_policy("development"),
        build=build,
        **more,
    )


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "objects")


def packaged(
    store: LocalStore, tmp_path: Path, inputs: dict[str, object], layout: str = "segments", phase: str = "ready"
) -> PackageResult:
    work = job(StepKind.PACKAGE, 1 if phase == "ready" else 2, params={"phase": phase}, inputs=inputs)
    outputs = work.profile.outputs.model_copy(update={"layout": layout})
    work = work.model_copy(update={"profile": work.profile.model_copy(update={"outputs": outputs})})
    result = package.run(work, Workspace(store, tmp_path))
    assert isinstance(result, PackageResult)
    return result


def frames_of(manifest: Path, *maps: str) -> dict[int, list[int]]:
    """Presentation times in ticks of each mapped stream, by ffmpeg. Fails if ffmpeg says anything at all."""
    selected = [part for stream in maps for part in ("-map", stream)]
    listing = ffmpeg(
        "-copyts",
        "-i",
        str(manifest),
        *selected,
        "-f",
        "framemd5",
        "-enc_time_base",
        "1:90000",
        "-fps_mode",
        "passthrough",
        "-",
    )
    found: dict[int, list[int]] = {}
    for line in listing.splitlines():
        if not line.startswith("#"):
            stream, _, pts = line.split(",")[:3]
            found.setdefault(int(stream), []).append(int(pts))
    return found


def expected_pts() -> list[int]:
    return [frame * 3003 for frame in range(FRAMES)]


@pytest.mark.parametrize("layout", ["segments", "single"])
def test_ffmpeg_reads_every_rendition_exactly(layout: str, clip: Clip, store: LocalStore, tmp_path: Path) -> None:
    # Given a published build of two renditions and sound, and one more with captions and a storyboard
    encoded = TracksResult(tracks=tuple(video_track(store, clip, name) for name in SIZES))
    sound = TracksResult(tracks=(audio_track(store, clip),))
    ready = packaged(store, tmp_path, {"encode.0": encoded, "audio": sound}, layout)
    board = storyboard.run(job(StepKind.STORYBOARD, 1, inputs={"package.ready": ready}), Workspace(store, tmp_path))
    words = TranscriptResult(
        language="en", engine="e", trusted=True, cues=(Cue(start=1, end=2, text="a"),), vtt_key="v", json_key="j"
    )
    inputs = {"package.ready": ready, "storyboard": board, "transcript": words}
    enriched = packaged(store, tmp_path, inputs, layout, "enriched")
    assert [track.kind for track in enriched.tracks] == ["video", "video", "audio", "text", "image"]
    verdict = VerdictResult(verdict=Verdict(action=Action.PUBLISH, policy="p@1", rules=()))
    published = publish.run(
        job(StepKind.PUBLISH, 2, params={"phase": "enriched"}, inputs={"package.enriched": enriched, "v": verdict}),
        Workspace(store, tmp_path),
    )
    assert published == PublishResult(build=2)
    # When ffmpeg reads either of them, or what the pointer says
    for place in ("b/1/", "b/2/", ""):
        for name in ("master.m3u8", "manifest.mpd"):
            found = frames_of(store.root / "media" / ASSET / f"{place}{name}", "0:v:0", "0:v:1", "0:a:0")
            # Then every picture is there at its exact time, and sound begins with it
            assert found[0] == found[1] == expected_pts(), f"{place}{name}"
            assert abs(found[2][0]) <= 0.02 * 90000


def test_ffmpeg_reads_the_sheets_as_pictures(clip: Clip, store: LocalStore, tmp_path: Path) -> None:
    base = packaged(store, tmp_path, {"encode.0": TracksResult(tracks=(video_track(store, clip, "180p"),))}, "single")
    board = storyboard.run(job(StepKind.STORYBOARD, 1, inputs={"package.ready": base}), Workspace(store, tmp_path))
    assert board.track is not None
    sheet = store.root / (board.track.prefix + board.track.segments[0].name)
    columns, rows = board.track.tiles or (0, 0)
    size = f"{columns * (board.track.width or 0)}x{rows * (board.track.height or 0)}"
    shown = subprocess.run([FFMPEG, "-i", str(sheet), "-f", "null", "-"], capture_output=True, text=True)
    assert size in shown.stderr
    assert (size, board.track.duration) == ("800x180", pytest.approx(5.005))


def test_durations_and_cuts_are_exact(clip: Clip, store: LocalStore) -> None:
    tracks = [video_track(store, clip, name) for name in SIZES]
    for track in tracks:
        assert [segment.ticks for segment in track.segments] == [60060, 60060, 30030]
        assert track.codecs.startswith("avc1.64")
        assert all(0 < segment.keyframe_size < segment.size for segment in track.segments)
    sound = audio_track(store, clip)
    ends = [Fraction(ticks, sound.timescale) for ticks in accumulate(segment.ticks for segment in sound.segments)]
    # Sound is cut at the first frame at or after each cut of the picture; its timeline holds 1024 samples of priming.
    for end, cut_at in zip(ends[:-1], (Fraction(60060, 30000), Fraction(120120, 30000)), strict=True):
        assert 0 <= end - Fraction(1024, 48000) - cut_at < Fraction(1024, 48000)


def test_each_keyframe_range_decodes_to_one_picture(clip: Clip, store: LocalStore, tmp_path: Path) -> None:
    track = video_track(store, clip, "180p")
    init = store.read(f"{track.prefix}init.mp4")
    for segment in track.segments:
        piece = store.read(track.prefix + segment.name)[: segment.keyframe_size]
        path = tmp_path / "one.mp4"
        path.write_bytes(init + piece)
        found = subprocess.run(
            [FFMPEG, "-v", "quiet", "-i", str(path), "-f", "framemd5", "-"], capture_output=True, text=True
        )
        assert sum(not line.startswith("#") for line in found.stdout.splitlines()) == 1


def test_two_chunks_become_one_track(clip: Clip, store: LocalStore, tmp_path: Path) -> None:
    # Given the same encode delivered as two chunks below different prefixes
    first = video_track(store, clip, "180p", slice(0, 2), fence=1)
    second = video_track(store, clip, "180p", slice(2, 3), fence=2)
    assert second.start_ticks == 120120
    # When they are packaged, in whatever order the inputs come
    result = packaged(
        store,
        tmp_path,
        {"encode.1": TracksResult(tracks=(second,)), "encode.0": TracksResult(tracks=(first,))},
    )
    # Then ffmpeg reads one gapless track by both manifests
    assert len(result.tracks) == 1
    place = store.root / "media" / ASSET / "b" / "1"
    assert frames_of(place / "master.m3u8", "0:v:0")[0] == expected_pts()
    assert frames_of(place / "manifest.mpd", "0:v:0")[0] == expected_pts()


@pytest.mark.parametrize("kinds", ["video", "audio"])
def test_single_kind_assets(kinds: str, clip: Clip, store: LocalStore, tmp_path: Path) -> None:
    track = video_track(store, clip, "180p") if kinds == "video" else audio_track(store, clip)
    packaged(store, tmp_path, {"encode.0": TracksResult(tracks=(track,))})
    for name in ("master.m3u8", "manifest.mpd"):
        found = frames_of(store.root / "media" / ASSET / "b" / "1" / name, f"0:{kinds[0]}:0")
        assert len(found[0]) > 100


def test_captions_become_a_further_build(clip: Clip, store: LocalStore, tmp_path: Path) -> None:
    base = packaged(store, tmp_path, {"encode.0": TracksResult(tracks=(video_track(store, clip, "180p"),))})
    cues = (Cue(start=0.5, end=3.0, text="a <b> & c"), Cue(start=4.5, end=9.0, text="late"))
    transcript = TranscriptResult(language="en", engine="e", trusted=True, cues=cues, vtt_key="v", json_key="j")
    inputs = {"package.ready": base, "transcript": transcript}
    result = package.run(
        job(StepKind.PACKAGE, 2, params={"phase": "enriched"}, inputs=inputs), Workspace(store, tmp_path)
    )
    assert isinstance(result, PackageResult)
    assert result.build == 2
    place = store.root / "media" / ASSET / "b" / "2"
    # ffmpeg finds both cues through HLS, once each; pictures are untouched
    subtitles = ffmpeg("-i", str(place / "captions-en.m3u8"), "-f", "webvtt", "-")
    assert "00:00.500 --> 00:03.000\na <b> & c\n\n" in subtitles
    assert "00:04.500 --> 00:05.005\nlate\n" in subtitles
    assert "TIMESTAMP" not in subtitles
    assert frames_of(place / "master.m3u8", "0:v:0")[0] == expected_pts()
    assert frames_of(place / "manifest.mpd", "0:v:0")[0] == expected_pts()


def test_plain_and_fragmented_files_give_the_same_samples(tmp_path: Path) -> None:
    base = [
        "-f",
        "lavfi",
        "-i",
        "testsrc2=s=160x90:r=25",
        "-frames:v",
        "50",
        "-c:v",
        "libx264",
        "-bf",
        "2",
        "-g",
        "25",
        "-x264-params",
        "open-gop=0",
    ]
    pictures = []
    for name, flags in {
        "plain": "faststart",
        "frag": "frag_keyframe+delay_moov",
        "signed": "frag_keyframe+empty_moov+negative_cts_offsets",
    }.items():
        ffmpeg(*base, "-threads", "1", "-movflags", flags, str(tmp_path / f"{name}.mp4"))
        data = (tmp_path / f"{name}.mp4").read_bytes()
        (track,) = read_movie(data)
        assert closed_starts(track) == [0, 25]
        zero = track.first_pts
        pictures.append(
            [
                (sample.pts - zero, sample.duration, data[sample.position :][: sample.size], sample.sync)
                for sample in track.samples
            ]
        )
    assert pictures[0] == pictures[1] == pictures[2]
