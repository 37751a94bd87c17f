from __future__ import annotations

import os
from pathlib import Path

import pytest

from rushes.ingest.memo import FORGET_AFTER, HEAD, Memo, Memos, fingerprint, state_directory

SERVER = "http://server"
NOW = 1_750_000_000.0


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"x" * (HEAD + 10))
    return path


def test_the_same_file_has_the_same_fingerprint(clip: Path, tmp_path: Path) -> None:
    (tmp_path / "link.mp4").symlink_to(clip)
    assert fingerprint(clip, SERVER) == fingerprint(tmp_path / "link.mp4", f"{SERVER}/")


def test_a_changed_file_has_another(clip: Path) -> None:
    before = fingerprint(clip, SERVER)
    times = clip.stat()
    # Given a change at the start that keeps size and time
    with clip.open("r+b") as stream:
        stream.write(b"y")
    os.utime(clip, ns=(times.st_atime_ns, times.st_mtime_ns))
    changed = fingerprint(clip, SERVER)
    assert changed != before
    # And a new time, and a new size
    os.utime(clip, ns=(times.st_atime_ns, times.st_mtime_ns + 1))
    touched = fingerprint(clip, SERVER)
    assert touched != changed
    with clip.open("ab") as stream:
        stream.write(b"z")
    os.utime(clip, ns=(times.st_atime_ns, times.st_mtime_ns + 1))
    assert fingerprint(clip, SERVER) != touched
    # And another server
    assert fingerprint(clip, "http://other") != fingerprint(clip, SERVER)


def test_memos_are_kept_for_the_user_alone(tmp_path: Path) -> None:
    memos = Memos(tmp_path / "state")
    assert memos.find("a") is None
    memos.keep("a", Memo("http://server/files/1", "asset"), NOW)
    assert memos.find("a") == Memo("http://server/files/1", "asset")
    (path,) = (tmp_path / "state" / "uploads").iterdir()
    assert path.stat().st_mode & 0o077 == 0
    memos.forget("a")
    memos.forget("a")
    assert memos.find("a") is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"other": 1}', "null"])
def test_a_broken_memo_is_no_memo(tmp_path: Path, content: str) -> None:
    memos = Memos(tmp_path)
    memos.keep("a", Memo("u"), NOW)
    (tmp_path / "uploads" / "a.json").write_text(content)
    assert memos.find("a") is None


def test_old_memos_are_forgotten(tmp_path: Path) -> None:
    memos = Memos(tmp_path)
    memos.keep("old", Memo("u"), NOW)
    os.utime(tmp_path / "uploads" / "old.json", (NOW, NOW))
    memos.keep("new", Memo("u"), NOW + FORGET_AFTER + 1)
    assert memos.find("old") is None
    assert memos.find("new") is not None


def test_the_state_directory() -> None:
    assert state_directory({"XDG_STATE_HOME": "/state"}) == Path("/state/rushes")
    for environment in ({}, {"XDG_STATE_HOME": ""}, {"XDG_STATE_HOME": "relative"}):
        assert state_directory(environment) == Path.home() / ".local" / "state" / "rushes"
