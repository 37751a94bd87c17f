"""What every object store must do, over every store there is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rushes.storage.local import LocalStore
from rushes.storage.memory import MemoryStore
from rushes.storage.store import (
    IMMUTABLE,
    POINTER,
    PRIVATE,
    Adopt,
    ConditionalPut,
    Headers,
    ObjectExists,
    ObjectMissing,
    ObjectStore,
    StoreError,
)

Store = LocalStore | MemoryStore
HLS = Headers("application/vnd.apple.mpegurl", POINTER)


@pytest.fixture(params=["local", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    yield LocalStore(tmp_path / "objects") if request.param == "local" else MemoryStore()


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    path = tmp_path / "scratch"
    path.mkdir()
    return path


def test_store_has_the_protocols(store: Store):
    assert isinstance(store, ObjectStore)
    assert isinstance(store, ConditionalPut)


@pytest.mark.parametrize("size", [0, 1, 16_384, 16_385, 3_000_000])
def test_bytes_come_back_whole(store: Store, size: int, scratch: Path):
    data = bytes(index % 251 for index in range(size))
    info = store.put_bytes("media/a/t/r/1/00001.m4s", data, Headers("video/iso.segment", IMMUTABLE))
    assert info == store.head("media/a/t/r/1/00001.m4s")
    assert (info.size, info.content_type, info.cache_control) == (size, "video/iso.segment", IMMUTABLE)
    assert store.read(info.key) == data
    assert store.localize(info.key, scratch).read_bytes() == data
    with store.open(info.key, size // 2) as stream:
        assert stream.read() == data[size // 2 :]
    with store.open(info.key, size + 10) as stream:
        assert stream.read() == b""


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
        for ask in (store.head, store.read, store.open, lambda name: store.localize(name, scratch)):
            with pytest.raises(ObjectMissing):
                ask(key)
        store.delete(key)
    assert [info.key for info in store.list("")] == ["a/b/c"]


def test_a_key_cannot_lie_below_an_object(store: Store):
    store.put_bytes("a/b", b"1")
    for key in ("a", "a/b/c", "a/b/c/d"):
        with pytest.raises(StoreError, match="cannot lie below"):
            store.put_bytes(key, b"2")
    assert [info.key for info in store.list("")] == ["a/b"]


def test_delete_frees_the_name_for_a_deeper_key(store: Store):
    store.put_bytes("a/b/c", b"1")
    store.delete("a/b/c")
    store.delete("a/b/c")
    store.put_bytes("a", b"2")
    assert [info.key for info in store.list("")] == ["a"]


def test_etag_is_strong_and_changes_with_the_bytes(store: Store):
    for size in (10, 40_000):
        tags = set()
        for number in range(200):  # quicker than a file system's clock ticks
            tags.add(store.put_bytes("k", bytes([number]) * size).etag)
        assert len(tags) == 200
        assert all(tag.startswith('"') and tag.endswith('"') for tag in tags)
        assert store.head("k").etag in tags


def test_etag_survives_being_asked_again(store: Store):
    for size in (0, 10, 40_000):
        put = store.put_bytes("k", bytes(size))
        assert store.head("k") == put == next(store.list("k"))


def test_put_if_creates_only_where_nothing_is(store: Store):
    info = store.put_if("a/p", b"1", HLS, etag=None)
    with pytest.raises(ObjectExists):
        store.put_if("a/p", b"2", HLS, etag=None)
    assert store.put_if("a/p", b"3", HLS, etag=info.etag).etag != info.etag
    with pytest.raises(ObjectExists):
        store.put_if("a/p", b"4", HLS, etag=info.etag)
    store.delete("a/p")
    with pytest.raises(ObjectExists):
        store.put_if("a/p", b"5", HLS, etag=info.etag)
    assert list(store.list("")) == []


def test_put_if_races_have_one_winner_each_round(store: Store):
    # Given eight threads that each add 25 to a counter by compare and swap
    store.put_bytes("counter", b"0", HLS)

    def add() -> None:
        for _ in range(25):
            while True:
                info = store.head("counter")
                value = store.read("counter")
                if store.head("counter").etag != info.etag:
                    continue
                try:
                    store.put_if("counter", str(int(value) + 1).encode(), HLS, etag=info.etag)
                    break
                except ObjectExists:
                    continue

    # When all are done
    run_together([add] * 8)
    # Then no addition was lost
    assert store.read("counter") == b"200"


def test_one_creator_wins(store: Store):
    won: list[int] = []

    def create(number: int) -> None:
        try:
            store.put_if("a/b/once", str(number).encode(), HLS, etag=None)
            won.append(number)
        except ObjectExists:
            pass

    run_together([lambda number=number: create(number) for number in range(16)])
    assert len(won) == 1
    assert store.read("a/b/once") == str(won[0]).encode()


def test_readers_see_whole_versions_with_their_own_headers(store: Store):
    # Given two versions that differ in bytes and in headers
    versions = {b"a" * 50_000: Headers("text/a", IMMUTABLE), b"b" * 9: Headers("text/b", PRIVATE)}
    store.put_bytes("k/v", b"b" * 9, versions[b"b" * 9])
    stop = threading.Event()

    def write() -> None:
        for _ in range(60):
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
        for _ in range(60):
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
    for number in range(50):
        store.put_bytes(f"d/{number:02d}", b"")
    seen = []
    for info in store.list("d/"):
        store.delete(info.key)
        seen.append(info.key)
    assert len(seen) == 50
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


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=st.text(alphabet=st.sampled_from("ab./\\\x00\n~%ä😀 -"), max_size=30) | st.text(max_size=300))
def test_any_key_is_refused_or_kept(store: Store, key: str):
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


def test_adopt_is_a_power_of_file_stores(store: Store):
    assert isinstance(store, Adopt) is isinstance(store, LocalStore)


def run_together(tasks: list[Callable[[], None]]) -> None:
    """Run all at the same time; what any of them raises is raised here."""
    gate = threading.Barrier(len(tasks))

    def start(task: Callable[[], None]) -> None:
        gate.wait(30)
        task()

    with ThreadPoolExecutor(len(tasks)) as pool:
        for done in [pool.submit(start, task) for task in tasks]:
            done.result(60)
