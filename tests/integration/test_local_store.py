"""The file store against the real file system: crashes, other processes, a full disk, files of other systems."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rushes.storage.durable import Draft, opened
from rushes.storage.local import LocalStore
from rushes.storage.store import IMMUTABLE, Headers, StoreError
from rushes.storage.version import version_of

WRITER = """
import sys
from pathlib import Path
from rushes.storage.local import LocalStore
from rushes.storage.store import Headers
store = LocalStore(Path(sys.argv[1]))
number = 0
while True:
    number += 1
    data = str(number % 10).encode() * 300_000
    store.put_bytes("a/b/object", data, Headers(f"text/v{number % 10}"))
    if number == 1:
        print("started", flush=True)
"""

COUNTER = """
import sys
from pathlib import Path
from rushes.storage.local import LocalStore
from rushes.storage.store import Headers, ObjectExists
store = LocalStore(Path(sys.argv[1]))
for _ in range(40):
    while True:
        info, value = store.head("n"), store.read("n")
        if store.head("n").etag != info.etag:
            continue
        try:
            store.put_if("n", str(int(value) + 1).encode(), Headers(), etag=info.etag)
            break
        except ObjectExists:
            continue
"""


def test_a_killed_writer_leaves_the_old_or_the_new_object(tmp_path: Path):
    store = LocalStore(tmp_path)
    for _ in range(12):
        # Given a process that overwrites one object again and again
        with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"started\n"
            # When it is killed somewhere in the middle (reading moves the moment about)
            store.read("a/b/object")
            writer.send_signal(signal.SIGKILL)
        # Then the object is whole, its headers are those of its bytes, and nothing else is listed
        data = store.read("a/b/object")
        assert data == data[:1] * 300_000
        assert store.head("a/b/object").content_type == f"text/v{data[:1].decode()}"
        assert [info.key for info in store.list("")] == ["a/b/object"]
    # And what the dead left behind goes away once it is old, not before
    left = list((tmp_path / ".rushes" / "tmp").iterdir())
    assert store.sweep() == 0
    for path in left:
        os.utime(path, (0, 0))
    assert store.sweep() == len(left)
    assert list((tmp_path / ".rushes" / "tmp").iterdir()) == []


def test_processes_do_not_lose_each_others_conditional_puts(tmp_path: Path):
    store = LocalStore(tmp_path)
    store.put_bytes("n", b"0")
    processes = [subprocess.Popen([sys.executable, "-c", COUNTER, str(tmp_path)]) for _ in range(3)]
    assert [process.wait(120) for process in processes] == [0, 0, 0]
    assert store.read("n") == b"120"


def test_a_full_disk_is_said_clearly_and_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    store = LocalStore(tmp_path)
    store.put_bytes("a/b", b"old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="disk that holds the objects is full"):
        store.put_bytes("a/b", b"new")
    monkeypatch.undo()
    assert store.read("a/b") == b"old"
    assert list((tmp_path / ".rushes" / "tmp").iterdir()) == []


def test_a_device_is_not_a_file_to_store(tmp_path: Path):
    with pytest.raises(StoreError, match="only a regular file"):
        LocalStore(tmp_path).put_file("a", Path("/dev/zero"))


def test_adopt_moves_the_file_itself(tmp_path: Path):
    store = LocalStore(tmp_path / "objects")
    path = tmp_path / "upload"
    path.write_bytes(b"x" * 100_000)
    inode = path.stat().st_ino
    info = store.adopt("sources/t/a/1", path, Headers())
    assert not path.exists()
    assert (tmp_path / "objects" / "sources/t/a/1").stat().st_ino == inode
    assert store.head("sources/t/a/1") == info


def test_put_file_moves_ours_and_copies_a_file_with_a_second_name(tmp_path: Path):
    store = LocalStore(tmp_path / "objects")
    mine, shared, second = tmp_path / "mine", tmp_path / "shared", tmp_path / "second"
    mine.write_bytes(b"mine")
    shared.write_bytes(b"shared")
    second.hardlink_to(shared)
    store.put_file("mine", mine)
    store.put_file("shared", shared)
    assert not mine.exists()
    # Then writing through the second name does not reach the object
    second.write_bytes(b"broken")
    assert store.read("shared") == b"shared"


def test_put_file_copies_over_file_systems_and_adopt_refuses(tmp_path: Path):
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system")
    store = LocalStore(tmp_path / "objects")
    path = other / f"rushes-test-{os.getpid()}"
    path.write_bytes(b"far")
    try:
        with pytest.raises(StoreError, match="another file system"):
            store.adopt("adopted", path)
        assert path.read_bytes() == b"far"
        store.put_file("copied", path)
    finally:
        path.unlink(missing_ok=True)
    assert [info.key for info in store.list("")] == ["copied"]


def test_localize_gives_the_object_itself(tmp_path: Path):
    store = LocalStore(tmp_path / "objects")
    store.put_bytes("a/b.m4s", b"1")
    assert store.localize("a/b.m4s", tmp_path) == tmp_path / "objects" / "a" / "b.m4s"


def test_the_tree_can_be_served_as_it_is(tmp_path: Path):
    """Objects are plain files; what the layout implies needs no record beside them."""
    store = LocalStore(tmp_path)
    store.put_bytes("media/a/t/r/1/00001.m4s", b"s", Headers("video/iso.segment", IMMUTABLE))
    store.put_bytes("sources/t/a/1", b"s")
    files = [path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("*")) if path.is_file()]
    assert [name for name in files if not name.startswith(".rushes/locks/")] == [
        "media/a/t/r/1/00001.m4s",
        "sources/t/a/1",
    ]


def test_delete_prunes_empty_directories_but_not_the_root(tmp_path: Path):
    store = LocalStore(tmp_path)
    store.put_bytes("a/b/c/d", b"")
    store.put_bytes("a/e", b"")
    store.delete("a/b/c/d")
    assert not (tmp_path / "a" / "b").exists()
    store.delete("a/e")
    assert not (tmp_path / "a").exists()
    assert tmp_path.is_dir()


def test_no_headers_of_old_versions_are_left(tmp_path: Path):
    store = LocalStore(tmp_path)
    kept = tmp_path / ".rushes" / "headers"
    for number in range(3):
        store.put_bytes("a/b", b"1", Headers(f"text/{number}"))
        assert len([path for path in kept.rglob("*") if path.is_file()]) == 1
    store.delete("a/b")
    assert [path for path in kept.rglob("*") if path.is_file()] == []


def test_versions_differ_even_where_inode_size_and_time_are_equal(tmp_path: Path):
    """What a file system with a slow clock, or one that uses an inode again at once, would give."""
    path = tmp_path / "file"
    path.write_bytes(b"x" * 100)
    versions = set()
    for _ in range(50):
        os.utime(path, ns=(10**18, 10**18))
        with opened(path) as file:
            versions.add(version_of(Draft.of_file(path, file).status))
    assert len(versions) > 45
