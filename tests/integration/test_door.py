"""The door with the real ffmpeg: what goes through, what is stopped, and that nothing stays behind."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import psutil
import pytest

from rushes.clock import SystemClock
from rushes.engine.job import Limits, ToolSettings
from rushes.errors import Blame, StepFailure
from rushes.ffmpeg.argv import input_args
from rushes.ffmpeg.confinement import Confinement, Mode
from rushes.ffmpeg.door import Door
from rushes.ffmpeg.frames import read_frames, read_pcm
from rushes.ffmpeg.meter import metered
from rushes.ffmpeg.process import Process
from rushes.ffmpeg.sandbox import confine, minimal_environment, works
from rushes.ffmpeg.version import version
from tests.services.children import descendants, name_of

SOURCE = ("-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration={seconds}")
SOUND = ("-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100:duration={seconds}")
ENDLESS = ("-re", "-f", "lavfi", "-i", "testsrc2=size=64x64:rate=25", "-f", "null", "-")
BUSY = ENDLESS[1:]


@pytest.fixture(params=[Mode.BWRAP, Mode.LANDLOCK, Mode.RLIMITS, Mode.OFF])
def door(request) -> Door:
    if not works(request.param):
        pytest.skip(f"{request.param} does not work on this machine")
    return Door(ToolSettings(sandbox=request.param.value))


@pytest.fixture
def plain() -> Door:
    return Door(ToolSettings())


def source(seconds: float) -> list[str]:
    return [part.format(seconds=seconds) for part in SOURCE]


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    """Three seconds of picture and sound; the first second is red, the others are blue."""
    path: Path = tmp_path_factory.mktemp("door") / "it's a clip.mp4"
    colours = ["-f", "lavfi", "-i", "color=red:size=160x90:rate=25:duration=1"]
    colours += ["-f", "lavfi", "-i", "color=blue:size=160x90:rate=25:duration=2"]
    sound = [part.format(seconds=3) for part in SOUND]
    joined = ["-filter_complex", "[0][1]concat=n=2[v]", "-map", "[v]", "-map", "2:a", "-c:v", "libx264", "-c:a", "aac"]
    Door(ToolSettings(sandbox="off")).run([*colours, *sound, *joined, str(path)], writes=path.parent)
    return path


def until(true: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while not true():
        assert time.monotonic() < deadline, "it did not come about"
        pause.wait(0.01)


def failure_of(act: Callable[[], object]) -> StepFailure:
    with pytest.raises(StepFailure) as caught:
        act()
    assert descendants(zombies=True) == []
    return caught.value


def test_an_encode_reads_one_file_and_fills_one_directory(door: Door, clip: Path, tmp_path: Path) -> None:
    told: list[float] = []
    out = tmp_path / "out.mp4"
    args = [*input_args(clip, "mov"), "-vf", "scale=64:36", "-c:v", "libx264", "-an", str(out)]
    finished = door.run(args, reads=[clip], writes=tmp_path, duration=3.0, progress=told.append)
    assert finished.returncode == 0
    assert finished.frames == 75
    assert finished.out_seconds == pytest.approx(3.0, abs=0.1)
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1.0, abs=0.05)
    assert finished.cpu_seconds > 0
    assert finished.peak_memory > 10_000_000
    assert out.stat().st_size > 0
    assert descendants(zombies=True) == []


def test_standard_output_is_given_in_order(door: Door) -> None:
    data = bytearray()
    args = [*source(1), "-pix_fmt", "gray", "-f", "rawvideo", "pipe:1"]
    finished = door.run(args, stdout=data.extend)
    assert len(data) == 320 * 180 * 25
    assert finished.frames == 25


def test_a_failure_is_classified_and_can_be_replayed(door: Door, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"\0\0\0\x10ftypisom\0\0\0\0" + bytes(100))
    failure = failure_of(lambda: door.run([*input_args(broken, "mov"), "-f", "null", "-"], reads=[broken]))
    assert (failure.code, failure.blame) == ("moov_missing", Blame.PERMANENT)
    assert failure.detail.startswith(str(door.binary))
    assert str(broken) in failure.detail
    assert str(broken) not in failure.message


def test_a_failure_may_be_looked_at_instead(plain: Door) -> None:
    finished = plain.run(["-i", "file:/nowhere", "-f", "null", "-"], check=False)
    assert finished.returncode != 0
    assert "No such file" in finished.stderr


def test_a_demuxer_that_was_not_named_is_not_used(door: Door, clip: Path, tmp_path: Path) -> None:
    """The sibling trick: a script that names another file, renamed to look like a video."""
    script = tmp_path / "upload.mp4"
    script.write_text(f"ffconcat version 1.0\nfile '{clip}'\n")
    for demuxer in ("mov", "matroska", "mpegts", "mp3"):
        failure = failure_of(
            lambda name=demuxer: door.run([*input_args(script, name), "-f", "null", "-"], reads=[script, clip])
        )
        assert failure.code in ("moov_missing", "corrupt", "tool_failed", "no_video_stream", "no_decodable_frames")


def test_wall_clock(door: Door) -> None:
    started = time.monotonic()
    failure = failure_of(lambda: door.run(ENDLESS, limits=Limits(wall=0.5)))
    assert (failure.code, failure.blame) == ("over_limit_time", Blame.RESOURCE)
    assert time.monotonic() - started < 5


def test_computing_time(door: Door) -> None:
    failure = failure_of(lambda: door.run(BUSY, limits=Limits(cpu=0.3)))
    assert (failure.code, failure.blame) == ("over_limit_cpu", Blame.PERMANENT)
    assert descendants(zombies=True) == []


def test_processes(door: Door) -> None:
    failure = failure_of(lambda: door.run(ENDLESS, limits=Limits(processes=0)))
    assert (failure.code, failure.blame) == ("over_limit_processes", Blame.PERMANENT)
    assert descendants(zombies=True) == []


def test_memory(door: Door) -> None:
    """Five hundred 4K pictures held back by a filter: about 6 GB if nobody looked."""
    args = ["-f", "lavfi", "-i", "testsrc2=size=3840x2160:rate=25:duration=20", "-vf", "reverse", "-f", "null", "-"]
    failure = failure_of(lambda: door.run(args, limits=Limits(memory=300_000_000)))
    assert (failure.code, failure.blame) == ("over_limit_memory", Blame.PERMANENT)
    held = int(failure.detail.split(" bytes held")[0].split()[-1])
    assert 300_000_000 < held < 900_000_000


def test_a_stopped_tool_is_stalled(door: Door) -> None:
    """What a hung machine looks like: the process is there and does nothing."""

    def freeze() -> None:
        until(lambda: any(name_of(member).startswith("ffmpeg") for member in descendants()))
        for member in descendants():
            with contextlib.suppress(psutil.NoSuchProcess):
                member.send_signal(signal.SIGSTOP)

    thread = threading.Thread(target=freeze)
    thread.start()
    failure = failure_of(lambda: door.run(ENDLESS, limits=Limits(stall=1.0)))
    thread.join()
    assert (failure.code, failure.blame) == ("stalled", Blame.TRANSIENT)


def test_killed_from_outside_is_tried_again(door: Door) -> None:
    def kill() -> None:
        until(lambda: any(name_of(member).startswith("ffmpeg") for member in descendants()))
        for member in descendants():
            if name_of(member).startswith("ffmpeg"):
                with contextlib.suppress(psutil.NoSuchProcess):
                    member.kill()

    thread = threading.Thread(target=kill)
    thread.start()
    failure = failure_of(lambda: door.run(ENDLESS))
    thread.join()
    assert (failure.code, failure.blame) == ("tool_killed", Blame.RESOURCE)


class Cancelled(BaseException):
    pass


def test_any_exception_on_the_way_ends_the_tool(door: Door) -> None:
    def stop(fraction: float) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        door.run([*source(600), "-f", "null", "-"], duration=600.0, progress=stop)
    assert descendants(zombies=True) == []


def test_a_stream_that_is_left_early_ends_the_tool(door: Door) -> None:
    stream = door.stream([*source(600), "-pix_fmt", "gray", "-f", "rawvideo", "pipe:1"])
    assert next(stream)
    assert descendants()
    stream.close()
    assert descendants(zombies=True) == []


def test_a_slow_reader_is_no_stall(plain: Door) -> None:
    pause = threading.Event()
    chunks = 0

    def slowly(chunk: bytes) -> None:
        nonlocal chunks
        chunks += 1
        pause.wait(0.6 if chunks <= 2 else 0)

    args = [*source(4), "-pix_fmt", "rgb24", "-f", "rawvideo", "pipe:1"]
    assert plain.run(args, limits=Limits(stall=0.5), stdout=slowly).frames == 100


def test_what_a_tool_leaves_in_the_background_goes_with_it() -> None:
    """A tool that forks and exits at once, in the mode that does least about it."""
    fork = "import os,time\nif os.fork() == 0: time.sleep(60)\nprint('x', flush=True)"
    command = confine(Mode.OFF, Confinement(reads=()), [sys.executable, "-I", "-S", "-c", fork])
    with Process(command, minimal_environment(Mode.OFF)) as process:
        assert process.wait(10)
        group = process.pid
        assert members(group)
    until(lambda: not members(group))


def members(group: int) -> list[int]:
    """Living processes of a process group."""
    found = []
    for process in psutil.process_iter(["status"]):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.getpgid(process.pid) == group and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
    return found


def test_descriptors_are_given_back(plain: Door) -> None:
    plain.run(["-version"])
    gc.collect()  # what other tests have left is not closed in between
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        plain.run(["-version"])
        with pytest.raises(StepFailure):
            plain.run(["-i", "file:/nowhere", "-f", "null", "-"])
    assert len(os.listdir("/proc/self/fd")) == before


def test_messages_without_end_do_not_fill_the_memory(plain: Door) -> None:
    finished = plain.run([*source(40), "-loglevel", "info", "-vf", "showinfo", "-f", "null", "-"])
    assert len(finished.stderr) < 70_000
    assert finished.stderr.startswith("[...]")


def test_a_module_of_ours_in_the_sandbox(door: Door, clip: Path) -> None:
    answer = door.run_python("rushes.ffmpeg.probe_child", [str(clip), "mov"], reads=[clip])
    assert answer.startswith(b"{")
    failure = failure_of(lambda: door.run_python("rushes.ffmpeg.probe_child", ["/nowhere", "mov"]))
    assert "FileNotFoundError" in failure.detail


def test_frames_at_a_rate(door: Door, clip: Path) -> None:
    frames = list(read_frames(door, clip, "mov", fps=Fraction(2), width=32, height=18))
    assert [time for time, _ in frames] == [0.0, 0.5, 1.0, 1.5, 2.0, 2.5]
    assert frames[0][1].shape == (18, 32, 3)
    assert frames[0][1].dtype == np.uint8
    assert [int(picture[9, 16].argmax()) for _, picture in frames] == [0, 0, 2, 2, 2, 2]  # red, then blue


def test_frames_at_times(plain: Door, clip: Path) -> None:
    frames = list(read_frames(plain, clip, "mov", times=[0.2, 2.5, 99.0], width=32, height=18, filters="hflip"))
    assert [time for time, _ in frames] == [0.2, 2.5]
    assert [int(picture[9, 16].argmax()) for _, picture in frames] == [0, 2]


def test_frames_need_a_size_and_a_choice(plain: Door, clip: Path) -> None:
    with pytest.raises(ValueError, match="size"):
        next(read_frames(plain, clip, "mov", fps=Fraction(1), width=0, height=18))
    with pytest.raises(ValueError, match="either"):
        next(read_frames(plain, clip, "mov", width=32, height=18))


def test_sound_as_numbers(door: Door, clip: Path) -> None:
    sound = read_pcm(door, clip, "mov", stream=1)
    assert sound.dtype == np.int16
    assert len(sound) == pytest.approx(3 * 16000, abs=1500)
    crossings = np.count_nonzero(np.diff(np.signbit(sound[8000:24000])))
    assert crossings == pytest.approx(2 * 440, abs=20)


def test_the_version_is_one_word(plain: Door) -> None:
    assert " " not in version(plain.tools)
    assert any(char.isdigit() for char in version(plain.tools))


def test_an_ffmpeg_that_is_not_there_is_a_sentence() -> None:
    with pytest.raises(StepFailure, match="There is no ffmpeg at") as caught:
        Door(ToolSettings(ffmpeg="/nowhere/ffmpeg"))
    assert caught.value.blame is Blame.TRANSIENT


def test_what_was_run_is_told_to_who_asks(plain: Door, clip: Path) -> None:
    began = SystemClock().now()
    with metered(runs=True) as meter:
        plain.run([*source(1), "-c:v", "mpeg4", "-f", "null", "-"])
        plain.run([*input_args(clip, "matroska"), "-f", "null", "-"], reads=[clip], check=False)
        failure_of(lambda: plain.run(ENDLESS, limits=Limits(wall=0.3)))
        with contextlib.closing(plain.stream([*source(60), "-f", "rawvideo", "-"])) as pictures:
            next(pictures)
    assert meter.runs is not None
    whole, wrong, late, left = meter.runs
    assert (whole.verb, whole.exit, whole.error, whole.frames, whole.runs) == ("mpeg4", 0, "", 25, 1)
    assert whole.seconds > 0
    assert began - 1 < whole.began <= wrong.began + 1
    assert (wrong.verb, wrong.error) == ("null", "")
    assert wrong.exit
    assert late.exit in (-signal.SIGKILL, 128 + signal.SIGKILL)  # bubblewrap says it as a shell does
    assert late.error == "over_limit_time"
    assert (left.verb, left.exit, left.error) == ("rawvideo", None, "")  # who had seen enough
    assert sum(run.cpu_seconds for run in meter.runs) == pytest.approx(meter.cpu_seconds, abs=0.1)
    assert str(clip.parent) not in str(meter.runs)
