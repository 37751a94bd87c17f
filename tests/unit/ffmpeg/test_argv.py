"""Command lines as data."""

from __future__ import annotations

from pathlib import Path

import pytest

from rushes.ffmpeg.argv import command_line, demuxer_options, input_args, with_progress


def test_an_input_is_one_file_and_one_demuxer() -> None:
    assert input_args(Path("/in/v.mp4"), "mov") == [
        "-protocol_whitelist", "file,pipe", "-format_whitelist", "mov", "-probesize", "5000000", "-f", "mov",
        "-i", "file:/in/v.mp4",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["-i.mp4", "concat:a|b", "http:x.mp4", "pipe:0", "%05d.mp4", "a'b\"c.mp4"])
def test_no_name_of_a_file_is_read_as_an_option_or_a_protocol(name: str) -> None:
    last = input_args(Path("/in") / name, "mov")[-1]
    assert last == f"file:/in/{name}"


def test_a_relative_path_is_made_absolute() -> None:
    assert input_args(Path("v.mp4"), "mov")[-1].startswith("file:/")


def test_pyav_gets_the_same_whitelist() -> None:
    assert demuxer_options("mov") | {"max_streams": ""} == {
        "protocol_whitelist": "file,pipe", "format_whitelist": "mov", "max_streams": "",
        "probesize": "5000000",
    }  # fmt: skip


def test_progress_goes_to_a_descriptor_of_its_own_and_stdin_is_closed() -> None:
    args = with_progress(["-i", "x"], 7)
    assert args[-2:] == ["-i", "x"]
    assert args[args.index("-progress") + 1] == "pipe:7"
    assert "-nostdin" in args


def test_the_command_line_can_be_pasted() -> None:
    assert command_line(Path("/bin/ffmpeg"), ["-i", "a b'c"]) == "/bin/ffmpeg -i 'a b'\"'\"'c'"
