"""`rushes push` against a real server: cut, killed, refused, resumed."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

MIB = 2**20


class Pusher:
    def __init__(self, state: Path) -> None:
        self.environment = {**os.environ, "XDG_STATE_HOME": str(state), "COLUMNS": "200"}

    def start(
        self, server: Any, *files: Path, wait: str = "uploaded", chunk: int = 8 * MIB, parallel: int = 1
    ) -> subprocess.Popen[str]:
        script = Path(__file__).with_name("pusher.py")
        arguments = [sys.executable, str(script), server.url, wait, str(chunk), str(parallel), *map(str, files)]
        return subprocess.Popen(
            arguments, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def run(self, server: Any, *files: Path, **options: Any) -> tuple[int, list[dict[str, Any]], str]:
        process = self.start(server, *files, **options)
        output, errors = process.communicate(timeout=60)
        return process.returncode, [json.loads(line) for line in output.splitlines()], errors


@pytest.fixture
def pusher(tmp_path: Path) -> Pusher:
    return Pusher(tmp_path / "state")


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip [1] é.mp4"
    path.write_bytes(os.urandom(24 * MIB + 77))
    return path


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def assets(server: Any) -> int:
    with sqlite3.connect(server.data / "rushes.db") as connection:
        count = connection.execute("SELECT count(*) FROM assets").fetchone()[0]
    connection.close()
    return int(count)


def stored(server: Any) -> int:
    return sum(path.stat().st_size for path in (server.data / "uploads").iterdir())


def test_a_push(server, pusher: Pusher, clip: Path, tmp_path: Path) -> None:
    code, (record,), errors = pusher.run(server, clip)
    assert code == 0, errors
    assert server.source_sha(record["id"]) == sha(clip)
    assert record["title"] == clip.name
    assert record["id"] in errors
    # Then nothing is remembered: pushing it again is a new upload
    assert list((tmp_path / "state" / "rushes" / "uploads").iterdir()) == []


def test_several_files_and_the_worst_code(server, pusher: Pusher, clip: Path, tmp_path: Path) -> None:
    code, records, errors = pusher.run(server, clip, tmp_path / "missing.mp4", clip)
    assert code == 2
    assert len(records) == 2
    assert "missing.mp4" in errors


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_push_that_was_ended_goes_on_when_run_again(server, pusher: Pusher, clip: Path, how: signal.Signals) -> None:
    # Given a push that is ended in the middle
    process = pusher.start(server, clip, chunk=MIB // 64)  # so many requests that it is met half-way on any machine
    while stored(server) < 2 * MIB:
        assert process.poll() is None, process.communicate()
    process.send_signal(how)
    _, errors = process.communicate(timeout=20)
    before = stored(server)
    assert 2 * MIB <= before < clip.stat().st_size
    if how is signal.SIGINT:
        assert process.returncode == 130
        assert "run the same command again" in errors
    # When it is run again
    code, (record,), errors = pusher.run(server, clip)
    # Then it completes the same upload
    assert code == 0, errors
    assert assets(server) == 1
    assert server.source_sha(record["id"]) == sha(clip)


def test_a_push_killed_after_its_last_byte_does_not_upload_again(server, pusher: Pusher, clip: Path) -> None:
    # Given a push that waits for a state which never comes
    process = pusher.start(server, clip, wait="ready")
    while assets(server) == 0 or stored(server) or not list((server.data / "objects").rglob("sources/*/*/1")):
        assert process.poll() is None
    process.kill()
    process.communicate()
    # When it is run again for less
    code, _, errors = pusher.run(server, clip)
    assert code == 0, errors
    assert assets(server) == 1


def test_a_changed_file_starts_a_new_upload(server, pusher: Pusher, clip: Path) -> None:
    process = pusher.start(server, clip, chunk=MIB // 64)  # so many requests that it is met half-way on any machine
    while stored(server) < MIB:
        assert process.poll() is None
    process.kill()
    process.communicate()
    clip.write_bytes(os.urandom(clip.stat().st_size))
    code, (record,), errors = pusher.run(server, clip)
    assert code == 0, errors
    assert assets(server) == 2
    assert server.source_sha(record["id"]) == sha(clip)


@pytest.mark.parametrize("options", [{}, {"parallel": 3}], ids=["whole", "in-parts"])
def test_a_push_lives_through_a_kill_of_the_server(server, pusher: Pusher, clip: Path, options: dict[str, int]) -> None:
    process = pusher.start(server, clip, chunk=MIB // 64, **options)  # so many requests that it is met half-way
    while stored(server) < 3 * MIB:
        assert process.poll() is None
    server.kill()
    server.start()
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert server.source_sha(json.loads(output)["id"]) == sha(clip)
    assert assets(server) == 1


def test_an_upload_that_is_gone_at_the_server_starts_anew(server, pusher: Pusher, clip: Path) -> None:
    process = pusher.start(server, clip, chunk=MIB // 64)  # so many requests that it is met half-way on any machine
    while stored(server) < MIB:
        assert process.poll() is None
    process.kill()
    process.communicate()
    with sqlite3.connect(server.data / "rushes.db") as connection:
        connection.execute("UPDATE uploads SET state = 'terminated'")
    connection.close()
    code, (record,), errors = pusher.run(server, clip)
    assert code == 0, errors
    assert server.source_sha(record["id"]) == sha(clip)


def test_a_file_over_the_limit_is_a_refused_input(start_server, pusher: Pusher, clip: Path) -> None:
    server = start_server(settings={"upload_max_bytes": 1000})
    code, records, errors = pusher.run(server, clip)
    assert (code, records) == (2, [])
    assert "the limit is 1000" in errors


def test_an_empty_file_is_uploaded_and_left_to_the_probe(server, pusher: Pusher, tmp_path: Path) -> None:
    empty = tmp_path / "empty.mp4"
    empty.touch()
    code, (record,), errors = pusher.run(server, empty)
    assert code == 0, errors
    assert record["source"]["size"] == 0


def test_a_file_in_parts(server, pusher: Pusher, clip: Path) -> None:
    code, (record,), errors = pusher.run(server, clip, parallel=4, chunk=MIB)
    assert code == 0, errors
    assert server.source_sha(record["id"]) == sha(clip)
    assert record["title"] == clip.name
    assert assets(server) == 1


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_parts_that_were_ended_go_on_when_run_again(server, pusher: Pusher, clip: Path, how: signal.Signals) -> None:
    process = pusher.start(server, clip, chunk=MIB // 64, parallel=3)
    while stored(server) < 2 * MIB:
        assert process.poll() is None, process.communicate()
    process.send_signal(how)
    process.communicate(timeout=20)
    before = stored(server)
    assert 2 * MIB <= before < clip.stat().st_size
    code, (record,), errors = pusher.run(server, clip, parallel=3)
    assert code == 0, errors
    assert assets(server) == 1
    assert server.source_sha(record["id"]) == sha(clip)


def test_parts_that_are_gone_at_the_server_start_anew(server, pusher: Pusher, clip: Path) -> None:
    process = pusher.start(server, clip, chunk=MIB // 64, parallel=2)
    while stored(server) < MIB:
        assert process.poll() is None
    process.kill()
    process.communicate()
    server.kill()
    with sqlite3.connect(server.data / "rushes.db") as connection:
        connection.execute("UPDATE uploads SET state = 'terminated'")
    connection.close()
    server.start()
    code, (record,), errors = pusher.run(server, clip, parallel=2)
    assert code == 0, errors
    assert server.source_sha(record["id"]) == sha(clip)


def test_a_directory_stands_for_the_videos_in_it(server, pusher: Pusher, clip: Path, tmp_path: Path) -> None:
    folder = tmp_path / "holidays"
    (folder / "day 2").mkdir(parents=True)
    (folder / "a.MP4").write_bytes(clip.read_bytes()[:1000])
    (folder / "day 2" / "b.mov").write_bytes(clip.read_bytes()[:2000])
    (folder / "notes.txt").write_text("no video")
    (folder / ".hidden.mp4").write_bytes(b"no")
    code, records, errors = pusher.run(server, folder)
    assert code == 0, errors
    assert [record["title"] for record in records] == ["a.MP4", "b.mov"]
    assert "2 of 2" in errors


def test_an_empty_directory_is_told(server, pusher: Pusher, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    code, records, errors = pusher.run(server, tmp_path / "none")
    assert (code, records) == (2, [])
    assert "no video" in errors
