"""What every object store must do, over every store there is."""

from __future__ import annotations

import errno
import os
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rushes.storage import bulk
from rushes.storage.bucket import StoreLacks
from rushes.storage.local import LocalStore
from rushes.storage.memory import MemoryStore
from rushes.storage.open import open_store
from rushes.storage.s3 import S3Store
from rushes.storage.store import (
    IMMUTABLE,
    POINTER,
    PRIVATE,
    Adopt,
    BulkDelete,
    BulkPut,
    ConditionalPut,
    Headers,
    Listed,
    ObjectExists,
    ObjectInfo,
    ObjectMissing,
    ObjectStore,
    Presign,
    ServerCopy,
    StoreError,
    delete_all,
)

Store = LocalStore | MemoryStore | S3Store
HLS = Headers("application/vnd.apple.mpegurl", POINTER)


class Open:
    """Opens an empty store of a kind; those in buckets keep to a prefix of their own."""

    def __init__(self, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._request, self._tmp_path, self._monkeypatch = request, tmp_path, monkeypatch

    def __call__(self, kind: str) -> Store:
        if kind == "memory":
            return MemoryStore()
        if kind == "local":
            return LocalStore(self._tmp_path / "objects")
        service = self._request.getfixturevalue(kind)
        for name, value in service.environment.items():
            self._monkeypatch.setenv(name, value)
        store = open_store(service.url(service.shared, f"tests/{secrets.token_hex(6)}"))
        assert isinstance(store, S3Store)
        return store


@pytest.fixture
def open_kind(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Open:
    return Open(request, tmp_path, monkeypatch)


@pytest.fixture(params=["local", "memory", "swift", "moto"])
def store(request: pytest.FixtureRequest, open_kind: Open) -> Store:
    return open_kind(request.param)


@pytest.fixture(params=["local", "memory", "moto"])
def swapping(request: pytest.FixtureRequest, open_kind: Open) -> Store:
    """A store with conditional puts."""
    return open_kind(request.param)


@pytest.fixture(params=["local", "memory"])
def near(request: pytest.FixtureRequest, open_kind: Open) -> Store:
    """A store that is not behind a network."""
    return open_kind(request.param)


def fewer(store: Store, number: int, remote: int) -> int:
    """Rounds of a test: a request to a server takes milliseconds."""
    return remote if isinstance(store, S3Store) else number


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    path = tmp_path / "scratch"
    path.mkdir()
    return path


def test_store_has_the_protocols(store: Store):
    assert isinstance(store, ObjectStore)
    assert isinstance(store, ConditionalPut)
    assert isinstance(store, ServerCopy)
    assert isinstance(store, Adopt) is isinstance(store, BulkPut) is isinstance(store, LocalStore)
    assert isinstance(store, Presign) is isinstance(store, BulkDelete) is isinstance(store, S3Store)


@pytest.mark.parametrize("count", [0, 1, 3, 30])
def test_several_new_objects_come_at_once(tmp_path: Path, count: int):
    store = LocalStore(tmp_path / "objects")
    objects = [(f"sources/t/{number}/1", os.urandom(number * 700)) for number in range(count)]
    assert store.put_new(objects) == [None] * count
    assert [(key, store.read(key)) for key, _ in objects] == objects
    assert {store.head(key).cache_control for key, _ in objects} <= {PRIVATE}
    assert {found.key for found in store.list("")} == {key for key, _ in objects}
    assert drafts(store) == []


def test_of_several_new_objects_one_that_fails_does_not_harm_the_others(tmp_path: Path):
    store = LocalStore(tmp_path / "objects")
    store.put_bytes("taken", b"an object")
    first, wrong, last = store.put_new([("a/1", b"first"), ("taken/below/1", b"wrong"), ("b/1", b"last")])
    assert first is last is None
    assert isinstance(wrong, StoreError)
    assert (store.read("a/1"), store.read("b/1"), store.read("taken")) == (b"first", b"last", b"an object")
    assert drafts(store) == []


def test_several_new_objects_on_a_full_disk_are_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    store = LocalStore(tmp_path / "objects")
    whole = os.write

    def write(descriptor: int, data: bytes) -> int:
        if bytes(data[:4]) == b"full":
            raise OSError(errno.ENOSPC, "no space")
        return whole(descriptor, data)

    monkeypatch.setattr(os, "write", write)
    full, well = store.put_new([("a/1", b"full"), ("b/1", b"well")])
    assert isinstance(full, StoreError)
    assert well is None
    assert [found.key for found in store.list("")] == ["b/1"]
    assert drafts(store) == []


def test_new_objects_whose_place_is_not_durable_did_not_go_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    store = LocalStore(tmp_path / "objects")
    store.put_bytes("sources/t/0/1", b"so that the directory is there")

    def fails(directory: Path) -> None:
        if directory.name == "t":
            raise OSError(errno.EIO, "input/output error")

    monkeypatch.setattr(bulk, "sync_directory", fails)
    assert all(
        isinstance(error, StoreError) for error in store.put_new([("sources/t/1/1", b"a"), ("sources/t/2/1", b"b")])
    )


def drafts(store: LocalStore) -> list[Path]:
    """What is left of writing."""
    return [*(store.root / ".rushes" / "tmp").iterdir()]


@pytest.mark.parametrize("size", [0, 1, 16_384, 16_385, 3_000_000])
def test_bytes_come_back_whole(store: Store, size: int, scratch: Path):
    data = bytes(index % 251 for index in range(size))
    info = store.put_bytes("media/a/t/r/1/00001.m4s", data, Headers("video/iso.segment", IMMUTABLE))
    assert undated(info) == undated(store.head("media/a/t/r/1/00001.m4s"))
    assert (info.size, info.content_type, info.cache_control) == (size, "video/iso.segment", IMMUTABLE)
    assert store.read(info.key) == data
    assert store.localize(info.key, scratch).read_bytes() == data
    with store.open(info.key, size // 2) as stream:
        assert stream.read() == data[size // 2 :]
    with store.open(info.key, size + 10) as stream:
        assert stream.read() == b""


@pytest.mark.parametrize(
    ("start", "stop"), [(0, None), (0, 4), (3, 7), (3, None), (9, 10), (10, 12), (50, None), (4, 900)]
)
def test_fetch_gives_bytes_and_what_is_known_of_them(store: Store, start: int, stop: int | None):
    store.put_bytes("a/b.m4s", b"0123456789", Headers("video/iso.segment", IMMUTABLE))
    fetched = store.fetch("a/b.m4s", start, stop)
    with fetched.stream as stream:
        got = stream.read() if stop is None else stream.read(max(0, stop - start))
    assert got == b"0123456789"[start:stop]
    assert fetched.info == store.head("a/b.m4s")


def test_a_copy_has_the_bytes_and_headers_of_its_own(store: Store):
    store.put_bytes("a/from.m4s", b"bytes", HLS)
    info = store.copy("a/from.m4s", "b/to.m4s", Headers("video/iso.segment", IMMUTABLE))
    assert info == store.head("b/to.m4s")
    assert (info.content_type, info.cache_control) == ("video/iso.segment", IMMUTABLE)
    assert store.read("b/to.m4s") == b"bytes"
    with pytest.raises(ObjectMissing):
        store.copy("a/nothing", "b/to")
    assert store.read("a/from.m4s") == b"bytes"


@pytest.mark.parametrize("headers", [HLS, Headers("image/jpeg", IMMUTABLE), Headers("text/plain", PRIVATE), Headers()])
@pytest.mark.parametrize("key", ["media/a/master.m3u8", "media/a/t/r/1/init.mp4", "sources/t/a/1", "x"])
def test_headers_belong_to_the_version(store: Store, key: str, headers: Headers):
    store.put_bytes(key, b"old", HLS)
    store.put_bytes(key, b"new", headers)
    info = store.head(key)
    assert Headers(info.content_type, info.cache_control) == headers
    # When it is deleted and put again without headers, nothing of the old version shows through.
    store.delete(key)
    store.put_bytes(key, b"new")
    info = store.head(key)
    assert Headers(info.content_type, info.cache_control) == Headers()


def test_put_file_takes_the_bytes_of_a_file(store: Store, scratch: Path):
    path = scratch / "out.m4s"
    path.write_bytes(b"segment")
    assert store.put_file("a/b.m4s", path).size == 7
    assert store.read("a/b.m4s") == b"segment"


@pytest.mark.parametrize("kind", ["link", "directory", "absent"])
def test_put_file_refuses_what_is_no_file_of_ours(store: Store, scratch: Path, kind: str):
    path, secret = scratch / "out.m4s", scratch / "secret"
    secret.write_bytes(b"root:x:0")
    if kind == "link":
        path.symlink_to(secret)
    if kind == "directory":
        path.mkdir()
    with pytest.raises(StoreError):
        store.put_file("a/b.m4s", path)
    assert list(store.list("")) == []
    assert secret.read_bytes() == b"root:x:0"


def test_missing_object(store: Store, scratch: Path):
    store.put_bytes("a/b/c", b"")
    for key in ("nothing", "a", "a/b", "a/b/c/d"):
        for ask in (store.head, store.read, store.open, store.fetch, lambda name: store.localize(name, scratch)):
            with pytest.raises(ObjectMissing):
                ask(key)
        store.delete(key)
    assert [info.key for info in store.list("")] == ["a/b/c"]


def test_a_key_below_an_object_is_refused_or_an_object_like_any_other(store: Store):
    store.put_bytes("a/b", b"1")
    for key in ("a", "a/b/c", "a/b/c/d"):
        if isinstance(store, S3Store):
            store.put_bytes(key, key.encode())
            assert store.read(key) == key.encode()
        else:
            with pytest.raises(StoreError, match="cannot lie below"):
                store.put_bytes(key, b"2")
    assert store.read("a/b") == b"1"


def test_delete_frees_the_name_for_a_deeper_key(store: Store):
    store.put_bytes("a/b/c", b"1")
    store.delete("a/b/c")
    store.delete("a/b/c")
    store.put_bytes("a", b"2")
    assert [info.key for info in store.list("")] == ["a"]


def test_etag_is_strong_and_changes_with_the_bytes(store: Store):
    for size in (10, 40_000):
        tags, rounds = set(), fewer(store, 200, 5)
        for number in range(rounds):  # quicker than a file system's clock ticks
            tags.add(store.put_bytes("k", bytes([number]) * size).etag)
        assert len(tags) == rounds
        assert all(tag.startswith('"') and tag.endswith('"') for tag in tags)
        assert store.head("k").etag in tags


def test_etag_survives_being_asked_again(store: Store):
    for size in (0, 10, 40_000):
        put = store.put_bytes("k", bytes(size))
        head = store.head("k")
        assert undated(head) == undated(put) == undated(store.head("k"))
        listed = next(store.list("k"))
        assert listed == Listed("k", size, listed.modified)
        assert abs(listed.modified - head.modified) <= 1


def test_put_if_creates_only_where_nothing_is(swapping: Store):
    assert swapping.conditional
    info = swapping.put_if("a/p", b"1", HLS, etag=None)
    with pytest.raises(ObjectExists):
        swapping.put_if("a/p", b"2", HLS, etag=None)
    assert swapping.put_if("a/p", b"3", HLS, etag=info.etag).etag != info.etag
    with pytest.raises(ObjectExists):
        swapping.put_if("a/p", b"4", HLS, etag=info.etag)
    swapping.delete("a/p")
    with pytest.raises(ObjectExists):
        swapping.put_if("a/p", b"5", HLS, etag=info.etag)
    assert list(swapping.list("")) == []


def test_put_if_races_have_one_winner_each_round(swapping: Store):
    # Given threads that each add to a counter by compare and swap
    swapping.put_bytes("counter", b"0", HLS)
    threads, rounds = (4, 5) if isinstance(swapping, S3Store) else (8, 25)

    def add() -> None:
        for _ in range(rounds):
            while True:
                info = swapping.head("counter")
                value = swapping.read("counter")
                if swapping.head("counter").etag != info.etag:
                    continue
                try:
                    swapping.put_if("counter", str(int(value) + 1).encode(), HLS, etag=info.etag)
                    break
                except ObjectExists:
                    continue

    # When all are done
    run_together([add] * threads)
    # Then no addition was lost
    assert int(swapping.read("counter")) == threads * rounds


def test_one_creator_wins(swapping: Store):
    won: list[int] = []

    def create(number: int) -> None:
        try:
            swapping.put_if("a/b/once", str(number).encode(), HLS, etag=None)
            won.append(number)
        except ObjectExists:
            pass

    run_together([lambda number=number: create(number) for number in range(16)])
    assert len(won) == 1
    assert swapping.read("a/b/once") == str(won[0]).encode()


def test_a_server_without_conditional_puts_is_found_out(open_kind: Open):
    """Swift refuses If-Match, and its If-None-Match lets several win that come together."""
    store = open_kind("swift")
    assert not store.conditional
    for etag in (None, '"x"'):
        with pytest.raises(StoreLacks):
            store.put_if("a", b"1", HLS, etag=etag)
    assert list(store.list("")) == []


def test_readers_see_whole_versions_with_their_own_headers(store: Store):
    # Given two versions that differ in bytes and in headers
    versions = {b"a" * 50_000: Headers("text/a", IMMUTABLE), b"b" * 9: Headers("text/b", PRIVATE)}
    store.put_bytes("k/v", b"b" * 9, versions[b"b" * 9])
    stop = threading.Event()

    def write() -> None:
        for _ in range(fewer(store, 60, 5)):
            for data, headers in versions.items():
                store.put_bytes("k/v", data, headers)
        stop.set()

    def read() -> None:
        while not stop.is_set():
            assert store.read("k/v") in versions
            info = store.head("k/v")
            wanted = "text/a" if info.size == 50_000 else "text/b"
            assert info.content_type == wanted

    run_together([write, read, read])


def test_deletes_beside_puts_lose_nothing(store: Store):
    """Pruning of empty directories races with their making."""

    def churn(name: str) -> None:
        for _ in range(fewer(store, 60, 4)):
            store.put_bytes(f"deep/er/{name}", name.encode())
            assert store.read(f"deep/er/{name}") == name.encode()
            store.delete(f"deep/er/{name}")

    run_together([lambda name=name: churn(name) for name in ("a", "b", "c", "d")])
    assert list(store.list("")) == []


def test_list_is_sorted_by_whole_key_and_by_any_prefix(store: Store):
    keys = ["a", "b/c", "b.c", "b-c", "b0", "b/ä/x", "b/c-d", "B/z", "media/1/b/2/x", "media/10/x", "é"]
    for key in keys:
        store.put_bytes(key, key.encode())
    assert [info.key for info in store.list("")] == sorted(keys)
    for prefix in ("b", "b/", "b/c", "media/1", "media/1/", "nothing", "nothing/", "b/c/", "a/"):
        assert [info.key for info in store.list(prefix)] == sorted(key for key in keys if key.startswith(prefix))


def test_list_streams_and_stands_deletes(store: Store):
    count = fewer(store, 50, 8)
    for number in range(count):
        store.put_bytes(f"d/{number:02d}", b"")
    seen = []
    for info in store.list("d/"):
        store.delete(info.key)
        seen.append(info.key)
    assert len(seen) == count
    assert list(store.list("d/")) == []


def test_many_go_at_once(store: Store):
    for key in ("d/ä b+c&d", "d/1", "d/2", "e/1"):
        store.put_bytes(key, b"")
    delete_all(store, ["d/ä b+c&d", "d/1", "d/2", "d/nothing"])
    delete_all(store, [])
    assert [found.key for found in store.list("")] == ["e/1"]


def test_more_than_a_page(open_kind: Open):
    store = open_kind("moto")
    keys = [f"d/{number:04d}" for number in range(1100)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: store.put_bytes(key, b""), keys))
    assert [found.key for found in store.list("d/")] == keys
    delete_all(store, iter(keys))
    assert list(store.list("d/")) == []


HOSTILE = ["", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "../a", "a/..", "./a", "a/./b", "a\\b", "a\x00b", "a\nb",
           "\x7f", "x" * 256, "a/" + "y" * 1030, "\ud800", ".rushes/locks/00", ".rushes"]  # fmt: skip


@pytest.mark.parametrize("key", HOSTILE)
def test_bad_keys_are_refused_everywhere(store: Store, key: str, scratch: Path):
    (scratch / "f").write_bytes(b"")
    for ask in (
        lambda: store.put_bytes(key, b""),
        lambda: store.put_if(key, b"", HLS, etag=None),
        lambda: store.put_file(key, scratch / "f"),
        lambda: store.head(key),
        lambda: store.read(key),
        lambda: store.open(key),
        lambda: store.delete(key),
        lambda: store.localize(key, scratch),
    ):
        with pytest.raises(ValueError, match="cannot be a key"):
            ask()


@pytest.mark.parametrize("prefix", ["/", "..", "../", "a/../", "a//", ".rushes/", "\x00"])
def test_bad_prefixes_are_refused(store: Store, prefix: str):
    with pytest.raises(ValueError, match="cannot be a key"):
        list(store.list(prefix))


KEYS = st.text(alphabet=st.sampled_from("ab./\\\x00\n~%ä😀 -+&"), max_size=30) | st.text(max_size=300)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=KEYS)
def test_any_key_is_refused_or_kept(near: Store, key: str):
    refused_or_kept(near, key)


@pytest.mark.parametrize("kind", ["swift", "moto"])
def test_any_key_is_refused_or_kept_behind_a_network(open_kind: Open, kind: str):
    store = open_kind(kind)

    @settings(max_examples=25, deadline=None)
    @given(key=KEYS.filter(lambda key: key.isprintable()))
    def check(key: str) -> None:
        refused_or_kept(store, key)

    check()


def refused_or_kept(store: Store, key: str) -> None:
    """Whatever the key, it is a ValueError or an object that is found again and lies inside the store."""
    try:
        store.put_bytes(key, key.encode())
    except ValueError:
        return
    try:
        assert store.read(key) == key.encode()
        assert key in [info.key for info in store.list("")]
        if isinstance(store, LocalStore):
            assert (store.root / key).resolve().is_relative_to(store.root.resolve())
    finally:
        store.delete(key)
    assert list(store.list("")) == []


def test_negative_start_is_refused(store: Store):
    store.put_bytes("a", b"1")
    with pytest.raises(ValueError, match="negative"):
        store.open("a", -1)


def undated(info: ObjectInfo) -> ObjectInfo:
    """Without the time: what a put gives may have another clock's."""
    return replace(info, modified=0.0)


def run_together(tasks: list[Callable[[], None]]) -> None:
    """Run all at the same time; what any of them raises is raised here."""
    gate = threading.Barrier(len(tasks))

    def start(task: Callable[[], None]) -> None:
        gate.wait(30)
        task()

    with ThreadPoolExecutor(len(tasks)) as pool:
        for done in [pool.submit(start, task) for task in tasks]:
            done.result(60)
