"""`rushes transcode` as a user runs it: exit codes, what it writes, and that ffmpeg reads all of it without a word."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rushes.ffmpeg.binary import find_binary


def rushes(*arguments: str | Path, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RUSHES_")}
    environment |= {f"RUSHES_{name.upper()}": value for name, value in {"profile": "fast", **settings}.items()}
    command = [sys.executable, "-m", "rushes.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=240)


def ffmpeg(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(find_binary()), "-v", "error", "-nostdin", *map(str, arguments)], capture_output=True, text=True
    )


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine seconds with sound, stored on its side with a rotation flag, as phones do."""
    folder = tmp_path_factory.mktemp("clip")
    flat, turned = folder / "flat.mp4", folder / "turned.mp4"
    picture, tone = "testsrc2=size=854x480:rate=30:duration=9", "sine=frequency=440:duration=9"
    made = ffmpeg(
        "-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", tone, "-pix_fmt", "yuv420p", "-c:a", "aac", "-g", "60", flat
    )
    assert made.returncode == 0, made.stderr
    assert ffmpeg("-display_rotation", "90", "-i", flat, "-c", "copy", turned).returncode == 0
    return turned


def test_a_clip_becomes_a_stream_that_ffmpeg_reads_without_a_message(clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = rushes("transcode", clip, "-o", out, "--json")
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout.splitlines()[-1])
    assert record == json.loads((out / "asset.json").read_text())
    assert (record["state"], record["publication"]) == ("ready", "published")
    assert [rung["width"] < rung["height"] for rung in record["renditions"]] == [True] * len(record["renditions"])
    # All renditions at once: ffmpeg drops an HLS variant that is not mapped in mid-fragment, and its parser then complains.
    for name in ("master.m3u8", "manifest.mpd"):
        read = ffmpeg("-i", out / name, "-map", "0:v", "-map", "0:a", "-f", "null", "-")
        assert (read.returncode, read.stderr) == (0, "")
    assert (out / record["playback"]["poster"]).read_bytes()[:3] == b"\xff\xd8\xff"
    assert (out / record["playback"]["storyboard"]).read_text().startswith("WEBVTT")


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("empty.mp4", b"", "empty_file"),
        ("notes.mp4", b"These are my notes, and no film at all.\n" * 200, "not_media"),
        ("list.mp4", b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "playlist_refused"),
        ("concat.mp4", b"ffconcat version 1.0\nfile /etc/passwd\n", "playlist_refused"),
        ("photo.mp4", b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(2000), "still_image"),
    ],
)
def test_what_is_no_video_is_refused_with_exit_2_and_a_sentence(
    name: str, content: bytes, code: str, tmp_path: Path
) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    done = rushes("transcode", file, "-o", tmp_path / "out", "--json")
    assert done.returncode == 2
    reason = json.loads(done.stdout.splitlines()[-1])["reason"]
    assert reason["code"] == code
    assert reason["message"] in done.stderr.replace("\n", " ")
    assert not (tmp_path / "out" / "master.m3u8").exists()
    assert "Traceback" not in done.stderr


def test_strict_holds_what_nobody_looked_at_and_exits_3(clip: Path, tmp_path: Path) -> None:
    policy = tmp_path / "mine.toml"
    policy.write_text('name = "mine"\nversion = 1\npublish_when = "labelled"\nrequire_coverage = ["violence"]\n')
    done = rushes("transcode", clip, "-o", tmp_path / "out", "--policy", policy, "--json", speech_draft="false")
    assert done.returncode == 3
    record = json.loads(done.stdout.splitlines()[-1])
    assert (record["state"], record["publication"]) == ("ready", "held")
    assert record["verdict"]["rules"][0] == "coverage:violence"
    assert record["playback"]["hls"] is None
    assert not (tmp_path / "out" / "master.m3u8").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("transcode",), "Missing argument"),
        (("transcode", "/nonexistent.mp4", "-o", "out"), "There is no file"),
        (("nonsense",), "nonsense"),
        (("push", "x.mp4", "--wait", "sometime"), "--wait is one of"),
    ],
)
def test_a_wrong_command_line_exits_64_with_a_sentence(arguments: tuple[str, ...], sentence: str) -> None:
    done = rushes(*arguments)
    assert done.returncode == 64
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_profile_is_a_sentence(clip: Path, tmp_path: Path) -> None:
    done = rushes("transcode", clip, "-o", tmp_path / "out", "--profile", "nope")
    assert done.returncode == 64
    assert "balanced" in done.stderr


def test_no_stack_is_open_to_others_without_keys(tmp_path: Path) -> None:
    done = rushes("up", "--host", "0.0.0.0", "--data", tmp_path / "data")
    assert done.returncode == 64
    assert "RUSHES_AUTH=keys" in done.stderr


def test_two_stacks_do_not_share_a_directory(tmp_path: Path) -> None:
    from rushes.embedded import locked

    with locked(tmp_path / "data"):
        done = rushes("up", "--data", tmp_path / "data")
    assert done.returncode == 64
    assert "Another rushes is running" in done.stderr


def test_doctor_says_what_is_there(tmp_path: Path) -> None:
    done = rushes("doctor", "--data", tmp_path / "data", "--json")
    checks = {check["name"]: check for check in json.loads(done.stdout)}
    assert done.returncode == (0 if all(check["ok"] for check in checks.values()) else 1)
    assert any("sandbox" in name for name in checks)
