"""Frame-accurate cuts: the pictures of a source are the same ones whether it is read whole or in stretches."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from rushes.engine.job import ToolSettings
from rushes.facts import SourceFacts
from rushes.ffmpeg.argv import input_args
from rushes.ffmpeg.door import Door
from rushes.ffmpeg.probe import probe
from rushes.plan import Chunk, Ladder
from rushes.settings import load_profile
from rushes.transcoder.command import preroll_args
from rushes.transcoder.decoding import Decoding, read_decoding
from rushes.transcoder.filters import filter_graph
from rushes.transcoder.inputs import Input
from rushes.transcoder.ladder import plan
from rushes.transcoder.stretch import STATS_FORMAT, Shown, Stretch
from tests.conftest import MEDIA
from tests.integration.transcoder.conftest import FFMPEG

SIZE = "192x108"
X264 = ("-c:v", "libx264", "-preset", "veryfast", "-crf", "30")
TEST = ("-f", "lavfi", "-i", f"testsrc2=size={SIZE}:rate=30:duration=8")
TONE = ("-f", "lavfi", "-i", "sine=duration=8")
VARYING = ("-vf", "select='lt(mod(n,90),40)+not(mod(n,7))',setpts='PTS+if(gt(N,60),45000/1000/TB/1000*mod(N,3),0)'")
PAUSES = ("-vf", "select='lt(mod(n,80),6)'", "-fps_mode", "vfr")
OPEN = ("-x264-params", "open-gop=1:keyint=45:min-keyint=45:bframes=5:b-pyramid=normal:scenecut=0")
SHORT_GROUPS = ("-g", "30")

CLIPS: dict[str, tuple[str, ...]] = {
    "plain.mp4": (*TEST, *X264, *SHORT_GROUPS),
    "one-group.mp4": (*TEST, *X264, "-g", "999"),
    "open-groups.mp4": (*TEST, *X264, *OPEN),
    "open-groups.mkv": (*TEST, *X264, *OPEN),
    "ntsc.mov": (*TEST[:3], f"testsrc2=size={SIZE}:rate=30000/1001:duration=8", *X264, *SHORT_GROUPS),
    "varying.mp4": (*TEST, *VARYING, "-fps_mode", "vfr", *X264, *SHORT_GROUPS),
    "varying.mkv": (*TEST, *VARYING, "-fps_mode", "vfr", *X264, *SHORT_GROUPS),
    "pauses.mp4": (*TEST, *PAUSES, *X264, "-bf", "4", "-g", "9"),
    "pauses.mkv": (*TEST, *PAUSES, *X264, "-bf", "4", "-g", "9"),
    "late.mp4": (*TONE, "-itsoffset", "2.5", *TEST, "-map", "1:v", "-map", "0:a", *X264, *SHORT_GROUPS, "-c:a", "aac"),
    "fast.mp4": ("-f", "lavfi", "-i", f"testsrc2=size={SIZE}:rate=120:duration=5", *X264, "-g", "60"),
    "slow.mp4": ("-f", "lavfi", "-i", f"testsrc2=size={SIZE}:rate=8:duration=12", *X264, "-g", "16"),
    "open-hevc.mp4": (
        *(*TEST, "-c:v", "libx265", "-preset", "ultrafast", "-tag:v", "hvc1"),
        *("-x265-params", "open-gop=1:keyint=40:min-keyint=40:bframes=4:log-level=none"),
    ),
    "altref.webm": (
        *(*TEST, "-c:v", "libvpx-vp9", "-b:v", "100k", "-g", "50", "-deadline", "realtime"),
        *("-cpu-used", "5", "-auto-alt-ref", "1", "-lag-in-frames", "16"),
    ),
    "interlaced.mp4": (
        *("-f", "lavfi", "-i", f"testsrc2=size={SIZE}:rate=50:duration=8", "-vf", "interlace,setfield=tff"),
        *(*X264, "-flags", "+ildct+ilme", "-x264-params", "tff=1", "-g", "25"),
    ),
}
"""Name -> how it is made."""


@dataclass(frozen=True)
class Read:
    pictures: list[str]
    shown: Shown
    decoding: Decoding


@dataclass(frozen=True)
class Reader:
    """The normalised picture in the size of the lowest rung, as checksums of its frames."""

    path: Path
    facts: SourceFacts
    ladder: Ladder
    folder: Path

    @classmethod
    def of(cls, path: Path, folder: Path) -> Reader:
        facts = probe(path, ToolSettings())
        ladder = plan(facts, load_profile("fast")).ladders[0]
        return cls(path, facts, ladder.model_copy(update={"rungs": ladder.rungs[-1:]}), folder)

    def stretch(self, first: int, frames: int | None) -> Stretch:
        chunk = Chunk(number=int(first > 0), first=first, frames=frames)
        return Stretch.of(chunk, chunk, self.ladder, self.facts)

    def read(self, stretch: Stretch) -> Read:
        sums, stats, video = self.folder / "sums", self.folder / "stats", self.facts.video
        assert video
        command = [FFMPEG, "-nostdin", "-y", "-loglevel", "level+verbose", "-noautorotate", "-reinit_filter", "0"]
        command += [*stretch.input_options(), *input_args(self.path, self.facts.demuxer)]
        command += ["-filter_complex", filter_graph(video, self.ladder, stretch), "-map", "[v0]"]
        command += ["-fps_mode", "passthrough", "-stats_enc_pre", str(stats), "-stats_enc_pre_fmt", STATS_FORMAT]
        done = subprocess.run(
            [*command, "-f", "framemd5", str(sums)], check=True, capture_output=True, text=True, timeout=120
        )
        lines = [line.split(",") for line in sums.read_text().splitlines() if not line.startswith("#")]
        assert [int(line[2]) for line in lines] == list(range(len(lines)))
        decoding = read_decoding(done.stderr, video.index)
        assert decoding
        return Read([line[5].strip() for line in lines], Shown.read(stats.read_text()), decoding)

    def cuts_equal_the_whole(self, *firsts: int) -> None:
        whole = self.read(self.stretch(0, None)).pictures
        for first, after in zip(firsts, [*firsts[1:], None], strict=True):
            stretch = self.stretch(first, None if after is None else after - first)
            found = self.read(stretch)
            assert not found.shown.begins_late(stretch)
            assert len(found.shown.times) == len(found.pictures)
            assert found.pictures == whole[first:after], f"frames {first} to {after} of {self.path.name}"


@pytest.mark.parametrize("name", CLIPS)
def test_stretches_have_the_pictures_of_the_whole(make_clip, tmp_path, name):
    reader = Reader.of(make_clip(f"cut-{name}", *CLIPS[name]), tmp_path)
    frames = round((reader.facts.video.start + (reader.facts.video.duration or 8)) * reader.ladder.grid.fps)
    reader.cuts_equal_the_whole(0, frames // 3, frames // 2 + 1, frames - 17)


def test_a_source_that_begins_in_the_middle_of_a_group(make_clip, tmp_path):
    # Given what recorders and cutting tools leave: an edit list that hides the first pictures
    whole = make_clip("cut-plain.mp4", *CLIPS["plain.mp4"])
    reader = Reader.of(make_clip("cut-edited.mp4", "-ss", "1.37", "-i", str(whole), "-c", "copy"), tmp_path)
    reader.cuts_equal_the_whole(0, 61, 120, 170)


def test_a_source_with_times_before_zero(make_clip, tmp_path):
    # Given a file whose first pictures are at -0.5 s, and no edit list
    whole = make_clip("cut-plain.mkv", *TEST, *X264, *SHORT_GROUPS)
    shifted = (
        "-itsoffset",
        "-0.5",
        "-i",
        str(whole),
        "-c",
        "copy",
        "-avoid_negative_ts",
        "disabled",
        "-use_editlist",
        "0",
    )
    reader = Reader.of(make_clip("cut-negative.mov", *shifted), tmp_path)
    reader.cuts_equal_the_whole(0, 75, 140)


def test_a_source_whose_pictures_change_their_size(make_clip, tmp_path):
    small = make_clip("cut-small.mkv", *TEST, *X264, *SHORT_GROUPS)
    large = make_clip("cut-large.mkv", *TEST[:3], TEST[3].replace(SIZE, "256x144"), *X264, *SHORT_GROUPS)
    listed = tmp_path / "list.txt"
    listed.write_text(f"file '{small}'\nfile '{large}'\n")
    joined = make_clip("cut-changing.mkv", "-f", "concat", "-safe", "0", "-i", str(listed), "-c", "copy")
    reader = Reader.of(joined, tmp_path)
    reader.cuts_equal_the_whole(0, 120, 290, 400)


def test_what_cannot_be_sought_is_read_from_its_beginning(make_clip, tmp_path):
    reader = Reader.of(make_clip("cut-stream.ts", *TEST, *X264, *SHORT_GROUPS), tmp_path)
    assert reader.stretch(120, 60).seek is None
    reader.cuts_equal_the_whole(0, 120, 200)


def test_a_key_picture_that_comes_too_late_is_noticed(make_clip, tmp_path):
    # Given a stretch that is sought far behind where it begins
    reader = Reader.of(make_clip("cut-plain.mp4", *CLIPS["plain.mp4"]), tmp_path)
    good = reader.stretch(100, 30)
    bad = Stretch(good.grid, good.first, good.frames, seek=good.begins + 2)
    found = reader.read(bad)
    assert found.shown.begins_late(bad)
    assert len(found.pictures) == 30


def test_a_stretch_behind_the_end_has_no_pictures(make_clip, tmp_path):
    reader = Reader.of(make_clip("cut-plain.mp4", *CLIPS["plain.mp4"]), tmp_path)
    assert reader.read(reader.stretch(900, 60)).pictures == []


def test_complaints_about_an_open_group_are_not_about_the_stretch(make_clip, tmp_path):
    # Given a source of open groups, at one of which decoding begins for the stretch
    source = make_clip("cut-open-groups.mp4", *CLIPS["open-groups.mp4"])
    reader = Reader.of(source, tmp_path)
    stretch = reader.stretch(150, 30)
    whole, found = reader.read(reader.stretch(0, None)), reader.read(stretch)
    assert whole.decoding.errors == 0
    before = Door(ToolSettings()).run(preroll_args(Input(source, reader.facts), stretch), reads=[source], check=False)
    complaints = read_decoding(before.stderr, reader.facts.video.index)
    assert complaints and complaints.errors >= found.decoding.errors


@pytest.mark.parametrize("name", [path.name for path in sorted((MEDIA / "real").glob("*.m*"))])
def test_the_shared_clips_that_may_be_cut(tmp_path, name):
    reader = Reader.of(MEDIA / "real" / name, tmp_path)
    frames = round((reader.facts.video.duration or reader.facts.duration) * reader.ladder.grid.fps)
    if not reader.facts.indexed or not 60 <= frames <= 700:
        pytest.skip("it has no index, or is very short or long")
    reader.cuts_equal_the_whole(0, frames // 2, frames - 20)
