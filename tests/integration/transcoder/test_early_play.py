"""What plays before the ladder, and the source as a rung of it: real clips, real encodes, the builds that come of them."""

from __future__ import annotations

import io
from fractions import Fraction
from itertools import accumulate

import av
import numpy as np
import pytest

from rushes.keys import build_prefix
from rushes.model import PackageResult
from rushes.plan import Ladder
from rushes.states import StepKind
from rushes.tracks import Track
from tests.integration.transcoder.steps import Run

X264 = ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-preset", "veryfast")
BARS = ("-f", "lavfi", "-i", "testsrc2=size=640x360:rate=30:duration=13")
TONE = ("-f", "lavfi", "-i", "sine=frequency=1000:duration=13")
TAGS = ("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709")
CLOSED = ("-g", "60", "-flags", "+cgop", "-b:v", "500k", *TAGS)


def pictures(data: bytes) -> list[tuple[float, np.ndarray]]:
    with av.open(io.BytesIO(data)) as container:
        return [(frame.time, frame.to_ndarray(format="gray")) for frame in container.decode(video=0)]


def starts(track: Track) -> list[Fraction]:
    ticks = accumulate((segment.ticks for segment in track.segments), initial=track.start_ticks)
    return [Fraction(at, track.timescale) for at in ticks]


def test_a_first_look_in_one_piece_is_a_build_of_its_own(tmp_path, make_clip):
    # Given a short source that no browser takes as it is, larger than its first look
    bars = ("-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=30:duration=3")
    run = Run(tmp_path, make_clip("short.mkv", *bars, "-c:v", "mpeg4", "-q:v", "5"))
    look = run.plan.look
    assert look is not None
    (chunk,) = look.chunks
    run.encode("first.0", look.ladder, chunk.model_dump(mode="json"), 1, provisional=True)
    about = {"segment": str(look.ladder.grid.segment_seconds), "bandwidth": 900_000}
    built = run.step(
        "package.first", StepKind.PACKAGE, {"phase": "first", "growing": False, **about}, "first.0", build=1
    )
    # Then it plays, to its end
    assert isinstance(built, PackageResult)
    assert [(track.name, track.width, track.height) for track in built.tracks] == [("360p", 640, 360)]
    assert b"ENDLIST" in run.store.read(build_prefix("a", 1) + "360p.m3u8")
    assert run.store.head(build_prefix("a", 1) + "manifest.mpd").size > 0


def test_a_first_look_plays_from_its_first_chunk_and_grows_to_the_end(tmp_path, make_clip):
    # Given a source that no browser takes as it is
    run = Run(tmp_path, make_clip("look.mkv", *BARS, *TONE, *X264, "-g", "45", "-c:a", "libopus", "-ac", "2"))
    look = run.plan.look
    assert look is not None
    assert [chunk.frames for chunk in look.chunks] == [120, 120, None]
    run.sound()
    about = {"segment": str(look.ladder.grid.segment_seconds)}
    # When its first chunk is there
    chunks = [chunk.model_dump(mode="json") for chunk in look.chunks]
    run.encode("first.0", look.ladder, chunks[0], 3, provisional=True)
    begun = run.step(
        "package.first", StepKind.PACKAGE, {"phase": "first", "growing": True, "bandwidth": 900_000, **about},
        "first.0", "audio", build=4,
    )  # fmt: skip
    # Then there is a build without an end, and no manifest for DASH yet
    assert isinstance(begun, PackageResult)
    assert (begun.build, begun.complete) == (4, False)
    assert b"../../g/4/360p.m3u8" in run.store.read(build_prefix("a", 4) + "master.m3u8")
    assert [found.key for found in run.store.list(build_prefix("a", 4))] == [build_prefix("a", 4) + "master.m3u8"]
    grown = run.store.read("media/a/g/4/360p.m3u8")
    assert (grown.count(b"#EXTINF"), b"ENDLIST" in grown) == (2, False)
    # When the others follow
    for number, before in ((1, "package.first"), (2, "package.first.1")):
        run.encode(f"first.{number}", look.ladder, chunks[number], 3, provisional=True)
        last = run.step(
            f"package.first.{number}", StepKind.PACKAGE, {"phase": "grow", "last": number == 2, **about},
            before, f"first.{number}", "audio", build=4 + number,
        )  # fmt: skip
        longer = run.store.read("media/a/g/4/360p.m3u8")
        assert longer.startswith(grown)
        grown = longer
    # Then it is the whole film, every frame once, with all of its sound, and has ended
    assert grown.endswith(b"#EXT-X-ENDLIST\n")
    picture, sound = last.tracks
    shown = pictures(run.joined(picture))
    assert [time for time, _ in shown] == pytest.approx([number / 30 for number in range(390)], abs=0.001)
    assert run.store.read("media/a/g/4/audio.m3u8").count(b"#EXTINF") == len(sound.segments)
    assert last.build == 4


def test_a_look_ends_where_a_chunk_is_missing(tmp_path, make_clip):
    run = Run(tmp_path, make_clip("look.mkv", *BARS, *TONE, *X264, "-g", "45", "-c:a", "libopus", "-ac", "2"))
    look, about = run.plan.look, {"segment": "2"}
    assert look is not None
    run.encode("first.0", look.ladder, look.chunks[0].model_dump(mode="json"), 3, provisional=True)
    params = {"phase": "first", "growing": True, "bandwidth": 900_000, **about}
    run.step("package.first", StepKind.PACKAGE, params, "first.0")
    ended = run.step("package.first.1", StepKind.PACKAGE, {"phase": "grow", "last": False, **about}, "package.first")
    assert run.store.read("media/a/g/1/360p.m3u8").endswith(b"#EXT-X-ENDLIST\n")
    assert isinstance(ended, PackageResult)


def test_a_look_that_was_given_up_ends_where_it_is(tmp_path, make_clip):
    # Given a look of two chunks, of which the second was listed by an attempt that could not say so
    run = Run(tmp_path, make_clip("look.mkv", *BARS, *TONE, *X264, "-g", "45", "-c:a", "libopus", "-ac", "2"))
    look, about = run.plan.look, {"segment": "2"}
    assert look is not None
    run.sound()
    chunks = [chunk.model_dump(mode="json") for chunk in look.chunks]
    for number in (0, 1):
        run.encode(f"first.{number}", look.ladder, chunks[number], 3, provisional=True)
    params = {"phase": "first", "growing": True, "bandwidth": 900_000, **about}
    begun = run.step("package.first", StepKind.PACKAGE, params, "first.0", "audio")
    grow = {"phase": "grow", "last": False, **about}
    run.step("package.first.1", StepKind.PACKAGE, grow, "package.first", "first.1", "audio")
    playlists = [f"media/a/g/1/{name}.m3u8" for name in ("360p", "audio")]
    before = [run.store.read(key) for key in playlists]
    # When its end comes, again and again
    for time in ("once", "again"):
        ended = run.step(f"package.first.end-{time}", StepKind.PACKAGE, {"phase": "end"}, "package.first")
        assert isinstance(ended, PackageResult)
        assert isinstance(begun, PackageResult)
        assert (ended.build, ended.complete, ended.growing) == (begun.build, False, True)
    # Then the playlists have one, and nothing else has changed
    assert [run.store.read(key) for key in playlists] == [text + b"#EXT-X-ENDLIST\n" for text in before]
    # And nobody who was held up takes it away
    run.step("package.first.1-late", StepKind.PACKAGE, {**grow, "last": True}, "package.first", "first.1", "audio")
    assert [run.store.read(key).count(b"ENDLIST") for key in playlists] == [1, 1]


def test_a_good_source_is_the_top_rung_and_all_others_are_cut_where_it_is(tmp_path, make_clip):
    # Given a source with key pictures at times of its own
    keys = ("-force_key_frames", "0,2.5,4.5,7,10")
    source = make_clip("good.mp4", *BARS, *TONE, *X264, *keys, *CLOSED, "-g", "300", "-c:a", "aac", "-ac", "2")
    run = Run(tmp_path, source)
    assert run.plan.reuse
    assert run.plan.top is not None and run.plan.top.name == "360p"
    assert run.plan.grid.starts == (0, 75, 135, 210, 300)
    # When the other rungs are encoded, and the source is cut
    run.reused()
    built = run.done["package.ready"]
    # Then it is one set: the same times to the tick, and sound that is cut there too
    assert isinstance(built, PackageResult)
    video = {track.name: track for track in built.tracks if track.kind == "video"}
    assert set(video) == {"360p", "240p"}
    assert starts(video["360p"]) == starts(video["240p"]) == [0, 2.5, 4.5, 7, 10, 13]
    assert video["360p"].timescale == video["240p"].timescale
    sound = next(track for track in built.tracks if track.kind == "audio")
    assert [float(at) for at in starts(sound)][:5] == pytest.approx([0, 2.5, 4.5, 7, 10], abs=0.05)
    for name in ("master.m3u8", "manifest.mpd"):
        assert run.store.head(build_prefix("a", 1) + name).size > 0
    # Then the top rung is the source, picture for picture
    track = video["360p"]
    shown, wanted = pictures(run.joined(track)), pictures(source.read_bytes())
    assert len(shown) == len(wanted) == 390
    assert all(np.array_equal(one, other) for (_, one), (_, other) in zip(shown, wanted, strict=True))


def test_a_source_whose_pictures_do_not_add_up_is_encoded_after_all(tmp_path, make_clip):
    run = Run(tmp_path, make_clip("closed.mp4", *BARS, *X264, *CLOSED))
    assert run.plan.reuse
    assert run.plan.top is not None
    made = run.encode("encode.0", run.plan.ladders[0], run.plan.chunks[0].model_dump(mode="json"), 1)
    run.done["encode.0"] = made.model_copy(update={"decode_errors": 3})
    top = Ladder(rungs=(run.plan.top,), grid=run.plan.grid)
    (track,) = run.encode("encode.reuse", top, {"number": 0, "first": 0}, 1, "encode.0", reuse=True).tracks
    assert starts(track) == starts(made.tracks[0])
    shown, source = pictures(run.joined(track)), pictures(run.source.read_bytes())
    assert len(shown) == len(source)
    assert not np.array_equal(shown[100][1], source[100][1])  # an encode is like it, but not the same
    assert np.abs(shown[100][1].astype(int) - source[100][1]).mean() < 3


def test_a_source_pasted_together_from_two_encodes_is_encoded(tmp_path, make_clip):
    # Given parameter sets that change on the way, of which the index knows the first ones only
    four = ("-f", "lavfi", "-i", "testsrc2=size=640x360:rate=30:duration=4", *X264, *CLOSED)
    parts = [
        make_clip("main.ts", *four, "-profile:v", "main"),
        make_clip("high.ts", *four, "-profile:v", "high", "-output_ts_offset", "4.066667"),
    ]
    joined = tmp_path / "joined.ts"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    run = Run(tmp_path, make_clip("pasted.mp4", "-i", str(joined), "-c", "copy"))
    assert run.plan.reuse
    assert run.plan.top is not None
    run.encode("encode.0", run.plan.ladders[0], run.plan.chunks[0].model_dump(mode="json"), 1)
    top = Ladder(rungs=(run.plan.top,), grid=run.plan.grid)
    (track,) = run.encode("encode.reuse", top, {"number": 0, "first": 0}, 1, "encode.0", reuse=True).tracks
    # Then it is one stream of ours, from the first picture to the last
    assert track.codecs.startswith("avc1.64")
    assert len(pictures(run.joined(track))) == 240
