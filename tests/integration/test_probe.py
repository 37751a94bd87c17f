"""What the probe says of clips that are made here, of files that attack, and of the shared clips."""

from __future__ import annotations

import csv
import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from rushes.engine.job import Job, ToolSettings
from rushes.errors import Blame, StepFailure
from rushes.facts import SourceFacts, SourceRef
from rushes.ffmpeg import probe_child, scan
from rushes.ffmpeg.door import Door
from rushes.ffmpeg.facts import source_facts
from rushes.ffmpeg.probe import probe
from rushes.ffmpeg.sniff import HEAD_BYTES, sniff
from rushes.options import Clip, Options
from rushes.profiles import Limits
from rushes.settings import load_policy, load_profile
from rushes.states import StepKind
from rushes.storage.workspace import Workspace
from rushes.transcoder import checksum, source
from rushes.transcoder.limits import check

TOOLS = ToolSettings()
PICTURE = "testsrc2=size=320x180:rate=30000/1001:duration={seconds}"
H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")


@pytest.fixture(scope="module")
def make(tmp_path_factory) -> Callable[..., Path]:
    """`make(name, *output options, seconds=, sound=, picture=)`: a clip, once per module."""
    folder = tmp_path_factory.mktemp("clips")
    door = Door(ToolSettings(sandbox="off"))

    def clip(name: str, *options: str, seconds: float = 2, sound: bool = True, picture: str = PICTURE) -> Path:
        path: Path = folder / name
        if not path.exists():
            args = ["-f", "lavfi", "-i", picture.format(seconds=seconds)]
            if sound:
                args += ["-f", "lavfi", "-i", f"sine=frequency=440:sample_rate=48000:duration={seconds}"]
            door.run([*args, *options, str(path)], writes=folder)
        return path

    return clip


def facts_of(path: Path) -> Any:
    found = probe(path, TOOLS)
    assert found.video is not None
    return found


def refusal(path: Path, tools: ToolSettings = TOOLS) -> StepFailure:
    with pytest.raises(StepFailure) as caught:
        probe(path, tools)
    return caught.value


@pytest.mark.parametrize(
    ("name", "container", "options"),
    [
        ("a.mp4", "mp4", H264),
        ("fragmented.mp4", "mp4", (*H264, "-movflags", "frag_keyframe+empty_moov")),
        ("a.mov", "mp4", (*H264, "-movflags", "+faststart")),
        ("a.mkv", "webm", H264),
        ("a.webm", "webm", ("-c:v", "libvpx", "-b:v", "300k", "-c:a", "libopus")),
        ("a.ts", "mpegts", (*H264, "-c:a", "aac")),
        ("a.m2ts", "mpegts", (*H264, "-c:a", "aac", "-f", "mpegts", "-mpegts_m2ts_mode", "1")),
        ("a.avi", "avi", ("-c:v", "mpeg4", "-c:a", "libmp3lame")),
        ("a.flv", "flv", (*H264, "-c:a", "aac")),
        ("a.mpg", "mpegps", ("-c:v", "mpeg2video", "-c:a", "mp2", "-b:v", "1M")),
        ("a.wmv", "asf", ("-c:v", "wmv2", "-c:a", "wmav2")),
        ("a.ogv", "ogg", ("-c:v", "libtheora", "-c:a", "libvorbis")),
    ],
)
def test_every_container(make, name: str, container: str, options: tuple[str, ...]) -> None:
    try:
        path = make(name, *options)
    except StepFailure:
        pytest.skip("this ffmpeg cannot write it")
    found = facts_of(path)
    assert found.container == container
    assert (found.video.width, found.video.height) == (320, 180)
    assert found.video.fps == Fraction(30000, 1001)
    assert not found.video.vfr
    assert found.video.duration == pytest.approx(2.0, abs=0.05)
    assert found.duration == pytest.approx(2.0, abs=0.15)
    assert found.video.frames == pytest.approx(60, abs=1)
    assert [track.sample_rate for track in found.audio] == [48000]
    assert found.keyframes


@pytest.mark.parametrize("angle", [0, 90, 180, 270])
def test_rotation(make, tmp_path: Path, angle: int) -> None:
    upright = make("a.mp4", *H264)
    turned = tmp_path / "turned.mp4"
    args = ["-display_rotation", str(-angle), "-i", f"file:{upright}", "-c", "copy", str(turned)]
    Door(TOOLS).run(args, reads=[upright], writes=tmp_path)
    assert facts_of(turned).video.rotation == angle
    assert facts_of(turned).video.display_size == ((180, 320) if angle in (90, 270) else (320, 180))


def test_a_mirrored_picture(make, tmp_path: Path) -> None:
    upright = make("a.mp4", *H264)
    mirrored = tmp_path / "mirrored.mp4"
    Door(TOOLS).run(
        ["-display_hflip", "-i", f"file:{upright}", "-c", "copy", str(mirrored)], reads=[upright], writes=tmp_path
    )
    found = facts_of(mirrored).video
    assert (found.rotation, found.flip) == (0, True)


def test_an_anamorphic_odd_ten_bit_full_range_hdr_picture(make) -> None:
    path = make(
        "hdr.mkv", "-c:v", "ffv1", "-pix_fmt", "yuv420p10le", "-color_primaries", "bt2020", "-color_trc", "smpte2084",
        "-colorspace", "bt2020nc", "-color_range", "pc", "-vf", "scale=321:181,setsar=4/3,setparams="
        "color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc:range=full", "-an",
    )  # fmt: skip
    found = facts_of(path).video
    assert (found.width, found.height, found.sar) == (321, 181, Fraction(4, 3))
    assert (found.bit_depth, found.pix_fmt, found.hdr, found.full_range) == (10, "yuv420p10le", "pq", True)
    assert (found.primaries, found.matrix) == ("bt2020", "bt2020nc")


def test_a_variable_rate(make) -> None:
    path = make("vfr.mp4", *H264, "-vf", "select='not(eq(mod(n,3),1))'", "-fps_mode", "vfr", "-an", seconds=6)
    found = facts_of(path).video
    assert found.vfr
    assert float(found.fps) == pytest.approx(20, rel=0.03)


def test_a_phones_rate_that_drops_pictures_now_and_then(make) -> None:
    lost = "select='lt(mod(n,20),14)'"
    path = make("drops.mp4", *H264, "-vf", lost, "-fps_mode", "vfr", "-an", seconds=6)
    found = facts_of(path).video
    assert (found.vfr, found.fps) == (True, Fraction(30000, 1001))
    assert found.frames == pytest.approx(126, abs=2)


def test_interlacing(make) -> None:
    path = make("i.ts", "-c:v", "mpeg2video", "-flags", "+ilme+ildct", "-vf", "interlace", "-an")
    assert facts_of(path).video.interlaced
    assert not facts_of(make("a.ts", *H264, "-c:a", "aac")).video.interlaced


def test_languages_defaults_and_tags(make) -> None:
    path = make(
        "tags.mp4", *H264, "-map", "0", "-map", "1", "-map", "1", "-metadata:s:a:0", "language=eng",
        "-metadata:s:a:1", "language=ger", "-metadata", "title=A\u202etitle", "-metadata", "location=+52+013/",
    )  # fmt: skip
    found = facts_of(path)
    assert [track.language for track in found.audio] == ["en", "de"]
    assert [track.default for track in found.audio] == [True, False]
    assert found.tags["title"] == "Atitle"
    assert not any("52" in value for value in found.tags.values())


def test_keyframes_of_a_closed_gop(make) -> None:
    path = make("gop.mp4", *H264, "-g", "30", "-keyint_min", "30", "-sc_threshold", "0", seconds=4)
    assert facts_of(path).keyframes == pytest.approx([0.0, 1.001, 2.002, 3.003])


def test_sound_without_a_picture(make) -> None:
    assert refusal(make("sound.mp4", "-map", "1", "-c:a", "aac")).code == "no_video_stream"


def test_a_gif_that_moves_is_a_video_and_one_that_does_not_is_a_picture(make) -> None:
    assert facts_of(make("moves.gif", sound=False, picture="testsrc2=size=64x36:rate=10:duration=1")).video.fps == 10
    still = make("still.gif", "-frames:v", "1", sound=False, picture="testsrc2=size=64x36:rate=10:duration=1")
    assert refusal(still).code == "still_image"


def test_the_index_is_lost(make, tmp_path: Path) -> None:
    whole = make("a.mp4", *H264).read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole[: len(whole) * 6 // 10])
    failure = refusal(cut)
    assert (failure.code, failure.blame) == ("moov_missing", Blame.PERMANENT)


def test_a_file_cut_behind_its_index(make, tmp_path: Path) -> None:
    whole = make("first.mp4", *H264, "-movflags", "+faststart").read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole[: len(whole) * 8 // 10])
    found = facts_of(cut)
    assert found.duration == pytest.approx(1.6, abs=0.1)
    assert found.video.duration + found.video.cut_off == pytest.approx(2.0, abs=0.05)
    assert any("breaks off" in warning for warning in found.warnings)
    nearly_nothing = tmp_path / "nothing.mp4"
    nearly_nothing.write_bytes(whole[: whole.index(b"mdat") + 40])
    assert refusal(nearly_nothing).code == "truncated"


@pytest.mark.parametrize(
    ("name", "options", "share"),
    [
        ("a.mkv", H264, 0.4),
        ("a.webm", ("-c:v", "libvpx", "-b:v", "300k", "-c:a", "libopus"), 0.4),
        ("a.flv", (*H264, "-c:a", "aac"), 0.2),
        ("one-fragment.mp4", (*H264, "-movflags", "frag_keyframe+empty_moov"), 0.5),
    ],
)
def test_a_file_that_was_cut_says_how_much_is_missing(make, tmp_path: Path, name, options, share) -> None:
    whole = make(name, *options)
    cut = tmp_path / name
    cut.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * share)])
    found = facts_of(cut)
    assert found.video.duration < 1.6
    assert found.video.duration + found.video.cut_off == pytest.approx(2.0, abs=0.1)
    assert any("breaks off" in warning for warning in found.warnings)
    assert facts_of(whole).video.cut_off == 0


def test_an_flv_cut_between_two_tags(make, tmp_path: Path) -> None:
    whole = make("a.flv", *H264, "-c:a", "aac").read_bytes()
    at = 13  # the header, and the size of no tag before the first
    while at < len(whole) * 0.5:
        at += 15 + int.from_bytes(whole[at + 1 : at + 4])
    cut = tmp_path / "cut.flv"
    cut.write_bytes(whole[:at])
    assert facts_of(cut).video.cut_off > 0.5


def test_a_damaged_transport_stream_goes_on_behind_the_damage(make, tmp_path: Path) -> None:
    options = ("-c:v", "mpeg2video", "-b:v", "3M", "-c:a", "mp2")
    whole = bytearray(make("thick.ts", *options, seconds=3).read_bytes())
    start, length = len(whole) * 4 // 10, max(150_000, len(whole) // 10)
    whole[start : start + length] = bytes(length)
    damaged = tmp_path / "damaged.ts"
    damaged.write_bytes(whole)
    found = facts_of(damaged)
    assert found.video.duration == pytest.approx(3.0, abs=0.1)
    assert found.audio[0].duration == pytest.approx(3.0, abs=0.1)
    assert found.video.fps == Fraction(30000, 1001)
    assert any("the sound has gaps" in warning for warning in found.warnings)


def test_media_data_of_noise(make, tmp_path: Path) -> None:
    whole = bytearray(make("first.mp4", *H264, "-movflags", "+faststart").read_bytes())
    start = whole.index(b"mdat") + 4
    whole[start:] = bytes((n * 193 + n // 7) % 251 for n in range(len(whole) - start))
    noise = tmp_path / "noise.mp4"
    noise.write_bytes(whole)
    assert refusal(noise).code == "no_decodable_frames"


def test_a_protected_file(make, tmp_path: Path) -> None:
    protected = tmp_path / "drm.mp4"
    options = ["-encryption_scheme", "cenc-aes-ctr", "-encryption_key", "00" * 16, "-encryption_kid", "11" * 16]
    Door(TOOLS).run(
        ["-i", f"file:{make('a.mp4', *H264)}", "-c", "copy", *options, str(protected)],
        reads=[make("a.mp4", *H264)], writes=tmp_path,
    )  # fmt: skip
    assert refusal(protected).code == "encrypted"


def test_a_container_that_lies_about_size_and_length(make, tmp_path: Path) -> None:
    data = bytearray(make("a.mp4", *H264).read_bytes())
    entry = data.index(b"avc1", data.index(b"stsd")) + 4 + 24
    data[entry : entry + 4] = struct.pack(">HH", 65535, 65535)
    for kind, offset in ((b"mvhd", 20), (b"mdhd", 20)):
        at = data.index(kind) + offset
        data[at : at + 4] = struct.pack(">I", 0x7FFFFFFF)
    liar = tmp_path / "liar.mp4"
    liar.write_bytes(data)
    found = facts_of(liar)
    assert (found.video.width, found.video.height) == (320, 180)
    assert found.duration == pytest.approx(2.0, abs=0.1)


# -- The steps --------------------------------------------------------------------------------------------------------


class OneFile:
    """A store with one source in it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def localize(self, key: str, scratch: Path) -> Path:
        return self.path


def job(path: Path, size: int | None = None, limits: Limits | None = None) -> Job:
    profile = load_profile("fast")
    return Job(
        step_id="s", key="probe", kind=StepKind.PROBE, asset="a", tenant="t", fence=1, recipe="r",
        source=SourceRef(key="sources/t/a/1", size=path.stat().st_size if size is None else size),
        profile=profile.model_copy(update={"limits": limits or profile.limits}), policy=load_policy("development"),
    )  # fmt: skip


def test_the_probe_step(make, tmp_path: Path) -> None:
    path = make("a.mp4", *H264)
    told: list[float] = []
    workspace = Workspace(OneFile(path), tmp_path, progress=told.append)  # type: ignore[arg-type]  # one method is asked
    assert source.run(job(path), workspace).facts == probe(path, TOOLS)
    assert told == [1.0]
    with pytest.raises(StepFailure, match="over_limit_duration"):
        source.run(job(path, limits=Limits(duration=1.0)), workspace)


def test_a_clip_that_holds_no_frame(make, tmp_path: Path) -> None:
    path = make("a.mp4", *H264)
    workspace = Workspace(OneFile(path), tmp_path)  # type: ignore[arg-type]  # one method is asked
    for start, holds in ((1.95, True), (1.99, False)):
        asked = job(path).model_copy(update={"options": Options(clip=Clip(start=start))})
        if holds:
            assert source.run(asked, workspace)
            continue
        with pytest.raises(StepFailure, match="clip_outside"):
            source.run(asked, workspace)


def test_the_checksum_step(tmp_path: Path) -> None:
    path = tmp_path / "v"
    path.write_bytes(b"abc" * 3_000_000)
    told: list[float] = []
    workspace = Workspace(OneFile(path), tmp_path, progress=told.append)  # type: ignore[arg-type]  # one method is asked
    result = checksum.run(job(path), workspace)
    assert result.sha256 == "a889aaea4dd43c3ef1b6f125177026b6445c8374d9cd585dd0c52bb020bb8cc5"
    assert told[-1] == 1.0
    assert len(told) == 3
    with pytest.raises(StepFailure) as caught:
        checksum.run(job(path, size=5), workspace)
    assert caught.value.blame is Blame.TRANSIENT


# -- The shared clips -------------------------------------------------------------------------------------------------

REFUSED = {
    "archive.zip.mp4": "not_media", "audio-only.mp4": "no_video_stream", "concat-script.mp4": "playlist_refused",
    "cover-art.mp3": "no_video_stream", "dash-manifest.mp4": "playlist_refused", "document.pdf": "not_media",
    "drm-clearkey-cenc.mp4": "encrypted", "empty.mp4": "empty_file", "garbage-prefix-64k.mp4": "not_media",
    "hls-concat-exfil.m3u8": "playlist_refused", "hls-file-etc-passwd.mp4": "playlist_refused",
    "hls-key-file.mp4": "playlist_refused", "jpeg-renamed.mp4": "still_image",
    "mdat-all-random.mp4": "no_decodable_frames", "moov-renamed.mp4": "moov_missing", "one-byte.mp4": "not_media",
    "page.html.mp4": "not_media", "sparse-3000h-gap.mkv": "over_limit_duration", "text-renamed.mp4": "not_media",
    "trunc-10pct-moovfirst.mp4": "truncated",
    "trunc-90pct-moovlast.mp4": "moov_missing", "vector.svg": "still_image", "vvc-unsupported.mp4": "codec_unsupported",
}  # fmt: skip


def outcome(path: Path) -> SourceFacts | str:
    try:
        facts = probe(path, TOOLS)
        check(facts, Limits())
    except StepFailure as failure:
        assert failure.blame is Blame.PERMANENT, failure.detail
        return failure.code
    return facts


@pytest.mark.media
def test_every_shared_clip_ends_as_its_manifest_expects(media: Path) -> None:
    wrong = []
    with (media / "MANIFEST.tsv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["path"].startswith(("real/", "hard/"))]
    for row in rows:
        path = media / row["path"]
        if path.suffix == ".md":
            continue
        found = outcome(path)
        expected = REFUSED.get(path.name)
        code = found if isinstance(found, str) else None
        if code != expected:
            wrong.append(f"{path.name}: {code or 'taken'}, expected {expected or 'taken'}: {row['expected_outcome']}")
    assert wrong == []
    assert len(rows) > 80


@pytest.mark.media
@pytest.mark.parametrize(
    ("name", "width", "height", "rotation", "duration", "hdr"),
    [
        ("real/iphone-hlg10-1080p-editlist-rot90.mp4", 1920, 1080, 90, 2.57, "hlg"),
        ("real/phone-hdr10-1080p-sdr-container.mp4", 1920, 1080, 0, 1.02, "pq"),
        ("real/derived-androidlike-1080x1920-rot-speech.mp4", 1920, 1080, 90, 9.66, None),
        ("real/nasa-2video-2audio-2subs.mp4", 480, 270, 0, 13.05, None),
        ("hard/empty-second-video-track.mp4", 1080, 720, 0, 1.06, None),
        ("hard/dims-declared-65535.mp4", 320, 180, 0, 4.0, None),
        ("hard/rotation-45deg.mp4", 320, 180, 0, 4.0, None),
        ("hard/stts-4billion-samples.mp4", 320, 180, 0, 4.0, None),
        ("hard/pts-wrap.ts", 320, 180, 0, 4.04, None),
        ("hard/resolution-change.ts", 320, 180, 0, 8.04, None),
        ("hard/slideshow-1frame-per-minute-1h.mp4", 320, 180, 0, 3600.0, None),
        ("hard/video-4s-audio-60s.mp4", 320, 180, 0, 60.0, None),
        ("real/derived-speech-480p.flv", 640, 480, 0, 6.05, None),
    ],
)
def test_facts_of_hard_clips(
    media: Path, name: str, width: int, height: int, rotation: int, duration: float, hdr: str | None
) -> None:
    found = facts_of(media / name)
    video = found.video
    assert (video.width, video.height, video.rotation, video.hdr) == (width, height, rotation, hdr)
    assert found.duration == pytest.approx(duration, abs=0.06)


@pytest.mark.media
def test_hostile_metadata_is_tamed(media: Path) -> None:
    tags = facts_of(media / "hard/metadata-hostile-200kB.mp4").tags
    assert tags
    assert all(len(value.encode()) <= 1024 and value.isprintable() for value in tags.values())


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("long.mp4", H264),
        ("long.mkv", H264),
        ("long.ts", (*H264, "-c:a", "aac")),
        ("long.flv", (*H264, "-c:a", "aac")),
        ("long-fragmented.mp4", (*H264, "-movflags", "frag_keyframe+empty_moov")),
    ],
)
def test_a_large_file_is_not_read_whole(make, monkeypatch, name: str, options: tuple[str, ...]) -> None:
    """Two minutes, of which only the first is read: the rest is known from the index, or from the end."""
    path = make(name, *options, "-g", "60", seconds=120)
    monkeypatch.setattr(scan, "_FULL_BYTES", 0)
    with path.open("rb") as file:
        container = sniff(file.read(HEAD_BYTES), path.stat().st_size)
    found = source_facts(probe_child.probe(path, container.demuxer), container, path.stat().st_size)
    assert found.video is not None
    assert found.video.fps == Fraction(30000, 1001)
    assert found.video.duration == pytest.approx(120.0, abs=0.1)
    assert found.duration == pytest.approx(120.0, abs=0.2)
    # ffmpeg's empty_moov shifts all but the first fragment by the sound's priming, 21 ms
    assert found.keyframes[:2] == pytest.approx([found.video.start, found.video.start + 2.002], abs=0.03)
    assert len(found.keyframes) >= 30
