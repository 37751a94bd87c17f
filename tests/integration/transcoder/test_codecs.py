"""Every codec really encoded: the same bytes twice, cut and switched on one grid, described as what it is."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Callable
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
import pytest

from rushes.model import TracksResult
from rushes.plan import Chunk, Ladder
from rushes.profiles import CodecTarget, Profile, RungTarget
from rushes.settings import load_profile
from rushes.states import StepKind
from rushes.tracks import Track
from rushes.transcoder.ladder import plan

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
CODECS = (
    CodecTarget(codec="h264", preset="veryfast", crf=26),
    CodecTarget(codec="hevc", preset="ultrafast", crf=28),
    CodecTarget(codec="av1", preset="12", crf=40),
    CodecTarget(codec="hevc", preset="ultrafast", crf=28, hdr=True),
    CodecTarget(codec="av1", preset="12", crf=40, hdr=True),
)


@pytest.fixture(scope="module")
def profile() -> Profile:
    """Every codec in one size, with caps that bite: that is where encoders stop giving the same bytes."""
    fast = load_profile("fast")
    rungs = (RungTarget(short_side=180, max_bitrate=120_000),)
    video = fast.video.model_copy(update={"codecs": CODECS, "rungs": rungs, "gop_seconds": 1.0, "segment_gops": 1})
    return fast.model_copy(update={"video": video})


@pytest.fixture
def clip(make_clip: Callable[..., Path]) -> Path:
    picture = "testsrc2=size=320x180:rate=25:duration=4,noise=alls=20:allf=t"
    return make_clip("busy.mp4", "-f", "lavfi", "-i", picture, "-c:v", "libx264", "-preset", "ultrafast", "-crf", "18")


@pytest.fixture
def hdr_clip(make_clip: Callable[..., Path]) -> Path:
    """PQ in 10 bits: a ramp from black to about 1,000 nits, moving."""
    tags = "range=limited:color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc"
    picture = f"gradients=size=320x180:rate=25:duration=2:speed=0.02,format=yuv420p10le,setparams={tags}"
    return make_clip(
        "pq.mp4", "-f", "lavfi", "-i", picture, "-c:v", "libx265", "-preset", "ultrafast", "-crf", "10",
        "-x265-params", "log-level=error", "-tag:v", "hvc1",
    )  # fmt: skip


@pytest.fixture
def encoded(stage, tmp_path: Path, profile: Profile):
    """A chunk of a clip in the ladder of one codec, by a stage of its own."""
    made: list[object] = []

    def encode(clip: Path, name: str, chunk: Chunk | None = None, chunks: int = 1):
        found = stage(clip)
        found.root = tmp_path / str(len(made))
        found.root.mkdir()
        found.__post_init__()
        made.append(found)
        found.profile = profile
        ladder = next(one for one in plan(found.facts, profile).ladders if one.name == name)
        params = {"chunk": (chunk or Chunk()).model_dump(mode="json"), "chunks": chunks}
        result = found.run(StepKind.ENCODE, ladder=ladder.model_dump(mode="json"), **params)
        assert isinstance(result, TracksResult)
        return found, result.tracks[0], ladder

    return encode


@pytest.mark.parametrize("name", ["h264", "hevc", "av1"])
def test_the_same_recipe_gives_the_same_bytes(encoded, clip: Path, name: str) -> None:
    (first, track, ladder), (second, again, _) = encoded(clip, name), encoded(clip, name)
    assert first.joined(track) == second.joined(again)
    # And the cap was at work; AV1 would take nine times as much without
    assert 0.5 < track.bytes * 8 / track.duration / ladder.rungs[0].max_bitrate < 3


@pytest.mark.parametrize(("name", "codecs"), [("h264", "avc1.64"), ("hevc", "hvc1.1.6.L"), ("av1", "av01.0.")])
def test_what_is_written_is_what_is_said(encoded, clip: Path, name: str, codecs: str) -> None:
    found, track, ladder = encoded(clip, name)
    assert track.codecs.startswith(codecs)
    # Every segment begins with a key picture exactly on the grid, and can be played alone
    assert [segment.ticks for segment in track.segments] == [ladder.grid.segment_frames * ladder.grid.frame_ticks] * 4
    init = found.store.read(track.prefix + track.init)
    for number, segment in enumerate(track.segments):
        alone = init + found.store.read(track.prefix + segment.name)
        with av.open(io.BytesIO(alone)) as container:
            times = [frame.time for frame in container.decode(video=0)]
        assert len(times) == ladder.grid.segment_frames
        assert times[0] == pytest.approx(number, abs=0.001)


@pytest.mark.parametrize("name", ["h264", "hevc", "av1"])
def test_chunks_share_an_init_segment(encoded, clip: Path, name: str) -> None:
    (one, first, _), (two, second, _) = (
        encoded(clip, name, Chunk(number=0, first=0, frames=50), 2),
        encoded(clip, name, Chunk(number=1, first=50), 2),
    )
    assert one.store.read(first.prefix + first.init) == two.store.read(second.prefix + second.init)
    assert (first.codecs, first.ticks) == (second.codecs, second.start_ticks)


def looked_at(found, track: Track) -> tuple[dict[str, object], np.ndarray]:
    """What a decoder finds out about the track's colours, and its first picture's luma in 10 bits."""
    with av.open(io.BytesIO(found.joined(track))) as container:
        frame = next(container.decode(video=0))
        context = container.streams.video[0].codec_context
        tags = {
            "format": frame.format.name, "primaries": int(context.color_primaries), "transfer": int(context.color_trc),
            "matrix": int(context.colorspace), "range": int(context.color_range),
        }  # fmt: skip
        return tags, frame.reformat(format="yuv420p10le").to_ndarray()[:180, :320]


def luma(clip: Path) -> np.ndarray:
    """The first picture of a 10-bit source as coded."""
    command = [FFMPEG, "-nostdin", "-loglevel", "error", "-i", str(clip), "-frames:v", "1", "-f", "rawvideo", "-"]
    raw = subprocess.run(command, check=True, capture_output=True, timeout=60).stdout
    return np.frombuffer(raw, np.uint16)[: 320 * 180].reshape(180, 320)


@pytest.mark.parametrize(("name", "codecs"), [("hevc-hdr", "hvc1.2.4.L"), ("av1-hdr", "av01.0.00M.10")])
def test_hdr_rungs_keep_the_range(encoded, hdr_clip: Path, name: str, codecs: str) -> None:
    found, track, _ = encoded(hdr_clip, name)
    tags, picture = looked_at(found, track)
    assert (track.hdr, track.codecs.startswith(codecs), track.name) == ("pq", True, f"180p-{name}")
    # ITU-T H.273: BT.2020, PQ, BT.2020 non-constant luminance; limited range
    assert tags == {"format": "yuv420p10le", "primaries": 9, "transfer": 16, "matrix": 9, "range": 1}
    assert abs(picture.astype(int) - luma(hdr_clip).astype(int)).mean() < 8  # of 1023


def test_sdr_rungs_of_hdr_sources_stay_sdr(encoded, hdr_clip: Path) -> None:
    found, track, _ = encoded(hdr_clip, "h264")
    tags, _ = looked_at(found, track)
    assert track.hdr is None
    assert tags == {"format": "yuv420p", "primaries": 1, "transfer": 1, "matrix": 1, "range": 1}


def test_sdr_sources_get_no_hdr_rungs(stage, clip: Path, profile: Profile) -> None:
    ladders: tuple[Ladder, ...] = plan(stage(clip).facts, profile).ladders
    assert [ladder.name for ladder in ladders] == ["h264", "hevc", "av1"]
