"""The step `encode` on generated clips: what a viewer would see is compared with what ffmpeg shows of the source."""

from __future__ import annotations

import numpy as np
import pytest

from rushes.errors import StepFailure
from rushes.storage.store import IMMUTABLE

X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "12")
BARS = ("-f", "lavfi", "-i", "testsrc2=size=320x240:rate=30:duration=5")


def difference(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


def test_an_ordinary_clip_becomes_aligned_rungs(stage, make_clip, original):
    source = make_clip("plain.mp4", "-f", "lavfi", "-i", "testsrc2=size=640x360:rate=30000/1001:duration=9", *X264)
    place = stage(source)
    result = place.encode()
    # Then both rungs have all frames, in the same segments of four seconds
    assert [track.name for track in result.tracks] == ["360p", "240p"]
    for track in result.tracks:
        assert (track.timescale, [segment.ticks for segment in track.segments]) == (30000, [120120, 120120, 30030])
        frames = place.pictures(track)
        assert len(frames) == 270
        assert [time for time, _ in frames[:2]] == pytest.approx([0, 1001 / 30000])
        assert all(0 < segment.keyframe_size < segment.size for segment in track.segments)
        assert difference(frames[150][1], original(source, 150 * 1001 / 30000, track.width, track.height)) < 8
    assert (result.missing_seconds, result.decode_errors) == (0.0, 0)
    assert result.decoded_seconds == pytest.approx(9.009)
    assert result.tracks[0].codecs.startswith("avc1.64")


def test_outputs_lie_below_the_attempts_prefix_with_the_headers_a_cdn_needs(stage, make_clip):
    place = stage(make_clip("bars.mp4", *BARS, *X264))
    track = place.encode().tracks[0]
    assert track.prefix == "media/a/t/encode/1/240p/"
    keys = [found.key for found in place.store.list(track.prefix)]
    found = {key.removeprefix(track.prefix): place.store.head(key) for key in keys}
    assert set(found) == {"init.mp4", "00001.m4s", "00002.m4s"}
    assert {info.cache_control for info in found.values()} == {IMMUTABLE}
    assert found["init.mp4"].content_type == "video/mp4"
    assert found["00001.m4s"].content_type == "video/iso.segment"
    assert found["00001.m4s"].size == track.segments[0].size


def test_progress_rises_to_the_end(stage, make_clip):
    place = stage(make_clip("bars.mp4", *BARS, *X264))
    place.encode()
    assert place.progress == sorted(place.progress)
    assert place.progress[-1] == pytest.approx(1.0)


def test_another_crf_needs_no_other_init(stage, make_clip, tmp_path):
    # Given the same source at two qualities, as chunks of one rendition may be encoded
    place = stage(make_clip("bars.mp4", *BARS, *X264))
    one = place.encode().tracks[0]
    other = type(place)(tmp_path / "again", place.source, place.facts)
    codec = other.profile.video.codecs[0].model_copy(update={"crf": 30})
    video = other.profile.video.model_copy(update={"codecs": (codec,)})
    other.profile = other.profile.model_copy(update={"video": video})
    two = other.encode().tracks[0]
    assert place.joined(one)[: one.init_size] == other.joined(two)[: two.init_size]
    assert two.bytes < one.bytes


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotated_clips_come_out_upright(stage, make_clip, original, degrees):
    plain = make_clip("bars.mp4", *BARS, *X264)
    source = make_clip(f"turned{degrees}.mp4", "-display_rotation", str(degrees), "-i", str(plain), "-c", "copy")
    place = stage(source)
    track = place.encode().tracks[0]
    assert (track.width, track.height) == ((320, 240) if degrees == 180 else (240, 320))
    assert track.rotation == 0
    shown = place.pictures(track)[30][1]
    assert difference(shown, original(source, 1.0, track.width, track.height)) < 8


def test_a_mirrored_clip_comes_out_as_seen(stage, make_clip, original):
    plain = make_clip("bars.mp4", *BARS, *X264)
    source = make_clip("mirrored.mp4", "-display_hflip", "-i", str(plain), "-c", "copy")
    place = stage(source)
    track = place.encode().tracks[0]
    assert difference(place.pictures(track)[30][1], original(source, 1.0, track.width, track.height)) < 8


@pytest.mark.parametrize(
    ("size", "sar", "expected"),
    [
        ("641x361", "1/1", (640, 360)),
        ("720x576", "16/11", (1046, 576)),
        ("400x300", "399/400", (398, 300)),
        ("16x16", "1/1", (16, 16)),
        ("1280x16", "1/1", (1280, 16)),
        ("16x640", "1/1", (16, 640)),
    ],
)
def test_odd_shapes(stage, make_clip, size, sar, expected):
    source = make_clip(
        f"{size}-{sar.replace('/', '-')}.mkv",
        *("-f", "lavfi", "-i", f"testsrc2=size={size}:rate=10:duration=1,setsar={sar}:max=1000"),
        *("-c:v", "ffv1"),
    )
    place = stage(source)
    result = place.encode()
    assert (result.tracks[0].width, result.tracks[0].height) == expected
    assert all(len(place.pictures(track)) == 10 for track in result.tracks)


def test_a_varying_rate_becomes_constant_and_keeps_its_length(stage, make_clip, original):
    # Given a clip that lost two of every five frames for its second half
    source = make_clip(
        "vfr.mp4", *BARS, "-vf", "select='lt(n,75)+not(mod(n,5))+not(mod(n,2))'", "-fps_mode", "vfr", *X264
    )
    place = stage(source)
    track = place.encode().tracks[0]
    frames = place.pictures(track)
    # Then every frame lasts equally long and pictures are where they were
    steps = np.diff([time for time, _ in frames])
    assert np.allclose(steps, steps[0], atol=1e-4)
    assert frames[-1][0] + steps[0] == pytest.approx(5.0, abs=0.1)
    late = round(4.0 / steps[0])
    assert difference(frames[late][1], original(source, 4.0, 320, 240)) < 12


def test_fast_clips_are_halved(stage, make_clip):
    source = make_clip("fast.mp4", "-f", "lavfi", "-i", "testsrc2=size=160x120:rate=240:duration=1", *X264)
    place = stage(source)
    track = place.encode().tracks[0]
    assert track.fps == 60
    assert len(place.pictures(track)) == 60


def test_a_picture_that_starts_late_is_preceded_by_its_first_frame(stage, make_clip):
    # Given sound from zero and a picture from 1.5 s on
    source = make_clip(
        "late.mkv",
        *("-f", "lavfi", "-i", "sine=duration=5", "-itsoffset", "1.5", *BARS),
        *("-map", "1:v", "-map", "0:a", *X264, "-c:a", "aac"),
    )
    place = stage(source)
    frames = place.pictures(place.encode().tracks[0])
    assert len(frames) == pytest.approx(6.5 * 30, abs=2)
    assert difference(frames[0][1], frames[40][1]) < 2
    assert difference(frames[0][1], frames[90][1]) > 5


@pytest.mark.parametrize(("transfer", "name"), [("smpte2084", "pq"), ("arib-std-b67", "hlg")])
def test_hdr_becomes_sdr_of_the_same_look(stage, make_clip, original, transfer, name):
    # Given an SDR picture whose white was put at HDR's reference white, as broadcasters do
    sdr = make_clip("sdr.mp4", "-f", "lavfi", "-i", "smptehdbars=size=320x180:rate=10:duration=1", *X264)
    chain = [
        "zscale=tin=709:min=709:pin=709:rin=limited:t=linear:p=709:npl=203",
        "format=gbrpf32le",
        f"zscale=tin=linear:min=gbr:pin=709:p=2020:t={transfer}:m=2020_ncl:r=limited:npl=203",
        "format=yuv420p10le",
    ]
    x265 = f"log-level=none:colorprim=bt2020:transfer={transfer}:colormatrix=bt2020nc:range=limited"
    source = make_clip(
        f"{name}.mp4",
        *("-i", str(sdr), "-vf", ",".join(chain), "-tag:v", "hvc1"),
        *("-c:v", "libx265", "-preset", "ultrafast", "-crf", "8", "-x265-params", x265),
    )
    place = stage(source)
    assert place.facts.video.hdr == name
    shown = place.pictures(place.encode().tracks[0])[5][1]
    # Then it looks as before, except that bright colours are rolled off a little
    wanted = original(sdr, 0.5, 320, 180, "bt709")
    assert difference(shown, wanted) < 25
    assert difference(shown, original(source, 0.5, 320, 180)) > 5


def test_bt601_and_full_range_keep_their_colours(stage, make_clip, original):
    # Given a full-range picture with television's old matrix
    source = make_clip(
        "jpeg.avi", "-f", "lavfi", "-i", "smptehdbars=size=320x180:rate=10:duration=1", "-c:v", "mjpeg", "-q:v", "2",
        "-pix_fmt", "yuvj420p",
    )  # fmt: skip
    place = stage(source)
    shown = place.pictures(place.encode().tracks[0])[5][1]
    assert difference(shown, original(source, 0.5, 320, 180, "bt601")) < 4


def test_interlaced_pictures_lose_their_combs(stage, make_clip):
    source = make_clip(
        "interlaced.ts",
        *("-f", "lavfi", "-i", "testsrc2=size=352x288:rate=50:duration=2,interlace"),
        *("-c:v", "mpeg2video", "-flags", "+ildct+ilme", "-q:v", "2"),
    )
    place = stage(source)
    assert place.facts.video.interlaced
    frames = place.pictures(place.encode().tracks[0])
    assert len(frames) == 50


def test_what_cannot_be_decoded_at_all_is_the_creators_fault(stage, make_clip, tmp_path):
    # Given a clip whose media bytes were overwritten
    plain = make_clip("bars.mp4", *BARS, *X264)
    data = bytearray(plain.read_bytes())
    start = data.index(b"mdat") + 4
    size = int.from_bytes(data[start - 8 : start - 4])
    data[start : start - 8 + size] = np.random.default_rng(1).bytes(size - 8)
    place = stage(plain)
    place.store.put_bytes("sources/t/a/1", bytes(data))
    with pytest.raises(StepFailure) as failure:
        place.encode()
    assert failure.value.code in ("no_decodable_frames", "corrupt")


@pytest.mark.parametrize("policy", ["development", "strict"])
def test_a_cut_file_is_partial_or_refused_as_the_policy_says(stage, make_clip, policy):
    # Given a file with its index first, cut in the middle
    whole = make_clip("faststart.mp4", *BARS, *X264, "-g", "15", "-movflags", "+faststart")
    place = stage(whole, policy)
    place.store.put_bytes("sources/t/a/1", whole.read_bytes()[: whole.stat().st_size // 2])
    if policy == "strict":
        with pytest.raises(StepFailure) as failure:
            place.encode()
        assert failure.value.code == "truncated"
        return
    result = place.encode()
    assert 0.5 < result.missing_seconds < 4.5
    assert result.decode_errors > 0
    assert result.decoded_seconds == pytest.approx(5 - result.missing_seconds, abs=0.01)


@pytest.mark.parametrize("policy", ["development", "strict"])
def test_what_a_cut_file_declares_is_missing_and_its_sound_ends_with_its_picture(
    stage, make_clip, tmp_path_factory, policy
):
    # Given a file whose header declares five seconds, cut where the decoder has nothing to complain about
    sound = ("-f", "lavfi", "-i", "sine=frequency=1000:duration=5")
    whole = make_clip("five.flv", *BARS, *sound, *X264, "-bf", "0", "-c:a", "aac").read_bytes()
    at = 13  # the header, and the size of no tag before the first
    while at < len(whole) * 0.4:
        at += 15 + int.from_bytes(whole[at + 1 : at + 4])
    cut = tmp_path_factory.mktemp("cut") / "cut.flv"
    cut.write_bytes(whole[:at])
    place = stage(cut, policy)
    if policy == "strict":
        with pytest.raises(StepFailure) as failure:
            place.encode()
        assert failure.value.code == "truncated"
        return
    result = place.encode()
    assert result.decode_errors == 0
    assert result.decoded_seconds + result.missing_seconds == pytest.approx(5, abs=0.1)
    assert 2 < result.missing_seconds < 4
    _, samples = place.sound(place.audio().tracks[0])
    assert len(samples) / 48000 == pytest.approx(result.decoded_seconds, abs=0.1)
