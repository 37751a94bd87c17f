"""What only a store behind a network has to stand: wrong keys, broken connections, lost answers, big objects."""

from __future__ import annotations

import hashlib
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from rushes.storage.bucket import Bucket, StoreRefused
from rushes.storage.open import open_store
from rushes.storage.s3 import S3Store
from rushes.storage.signing import Hashed
from rushes.storage.store import IMMUTABLE, POINTER, Headers, ObjectExists, ObjectMissing, StoreError
from tests.services import faulty as faults
from tests.services.faulty import Proxy, faulty
from tests.services.moto import Moto
from tests.services.swift import Swift

HLS = Headers("application/vnd.apple.mpegurl", POINTER)
MEBI = 2**20


@pytest.fixture
def proxy(s3: Swift) -> Iterator[Proxy]:
    with faulty(s3.port) as proxy:
        yield proxy


@pytest.fixture
def prefix() -> str:
    return f"s3/{secrets.token_hex(6)}"


@pytest.fixture
def sound(s3: Swift, prefix: str) -> S3Store:
    """The store without faults between."""
    return as_s3(s3.url(s3.shared, prefix))


@pytest.fixture
def store(s3: Swift, prefix: str, proxy: Proxy) -> S3Store:
    """The same store behind the proxy."""
    return as_s3(f"s3://{s3.shared}/{prefix}?endpoint_url=http://127.0.0.1:{proxy.port}&timeout=1&attempts=3")


@pytest.fixture
def impatient(s3: Swift, prefix: str, proxy: Proxy) -> S3Store:
    """The same, where nothing is expected to go well."""
    return as_s3(f"s3://{s3.shared}/{prefix}?endpoint_url=http://127.0.0.1:{proxy.port}&timeout=0.2&attempts=2")


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    path = tmp_path / "scratch"
    path.mkdir()
    return path


def as_s3(url: str) -> S3Store:
    store = open_store(url)
    assert isinstance(store, S3Store)
    return store


def bytes_of(size: int) -> bytes:
    return (hashlib.sha256(str(size).encode()).digest() * (size // 32 + 1))[:size]


# -- what killed writers leave ----------------------------------------------------------------------------------------


def test_what_killed_writers_left_is_ended_once_it_is_old_and_nothing_else(
    s3: Swift, prefix: str, sound: S3Store
) -> None:
    # Given writers that died in the middle, a client that sends its source, and a big object
    bucket = Bucket.parse(s3.url(s3.shared, prefix))
    for key in ("media/a/t/r/1/v/1.m4s", "artifacts/a/r/1/x", "private/a/t/r/1/y", "sources/t/a/1", "parts/t/u"):
        upload = bucket.start(key)
        bucket.upload_part(key, upload, 1, bytes_of(5 * MEBI))
    sound.put_bytes("media/a/t/r/2/v/1.m4s", b"whole")
    bucket.start("media/a/t/r/2/v/1.m4s")  # Swift's object may be made of the parts that are listed: it stays
    # When it is too young
    assert sound.sweep() == 0
    # And when it is old
    assert sound.sweep(older_than=-60.0) == 3
    assert sound.sweep(older_than=-60.0) == 0
    left = {
        found["Key"]
        for tree in ("media/", "artifacts/", "private/", "sources/", "parts/")
        for found in bucket.uploads(tree)
    }
    assert left == {"media/a/t/r/2/v/1.m4s", "sources/t/a/1", "parts/t/u"}
    assert sound.read("media/a/t/r/2/v/1.m4s") == b"whole"


# -- who may do what ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "value"), [("AWS_SECRET_ACCESS_KEY", "wrong"), ("AWS_ACCESS_KEY_ID", "who:ever")])
def test_wrong_keys(sound: S3Store, s3: Swift, prefix: str, monkeypatch: pytest.MonkeyPatch, name: str, value: str):
    sound.put_bytes("a", b"1")
    monkeypatch.setenv(name, value)
    stranger = as_s3(s3.url(s3.shared, prefix))
    for ask in (stranger.head, stranger.read, stranger.delete, lambda key: stranger.put_bytes(key, b"2")):
        with pytest.raises(StoreRefused) as refused:
            ask("a")
        assert s3.secret_key not in str(refused.value)
    with pytest.raises(StoreRefused):
        list(stranger.list(""))
    with pytest.raises(StoreRefused):
        stranger.delete_many(["a"])
    assert sound.read("a") == b"1"


def test_a_part_is_what_was_hashed_or_is_refused(s3: Swift, prefix: str):
    bucket = Bucket.parse(s3.url(s3.shared, prefix))
    body = Hashed()
    for _ in range(2):
        body.hash(bytes_of(1000), len(body))
        body.extend(bytes_of(1000))
    upload = bucket.start("whole")
    part = bucket.upload_part("whole", upload, 1, body)
    body[7] ^= 1
    with pytest.raises(StoreError, match="UploadPart was answered with"):
        bucket.upload_part("whole", upload, 2, body)
    bucket.complete("whole", upload, [part])
    assert bucket.read("whole") == 2 * bytes_of(1000)


def test_no_keys_at_all(s3: Swift, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in s3.environment:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    with pytest.raises(StoreRefused, match="set AWS_ACCESS_KEY_ID"):
        as_s3(s3.url(s3.shared)).head("a")


def test_a_missing_bucket_is_not_a_missing_object(s3: Swift):
    store = as_s3(s3.url("no-such-bucket"))
    for ask in (store.head, store.read, lambda key: store.put_bytes(key, b"")):
        with pytest.raises(StoreRefused):
            ask("a")


def test_nobody_listens(s3: Swift, proxy: Proxy):
    store = as_s3("s3://bucket/x?endpoint_url=http://127.0.0.1:9&attempts=1")
    with pytest.raises(StoreError, match="did not answer"):
        store.head("a")


def test_presigned_addresses(sound: S3Store):
    sound.put_bytes("media/a/t/r/1/00001.m4s", b"segment", Headers("video/iso.segment", IMMUTABLE))
    sound.put_bytes("media/a/t/r/1/00002.m4s", b"another", Headers("video/iso.segment", IMMUTABLE))
    address = sound.presign("media/a/t/r/1/00001.m4s", 60)
    got = httpx.get(address)
    assert (got.status_code, got.content) == (200, b"segment")
    assert (got.headers["content-type"], got.headers["cache-control"]) == ("video/iso.segment", IMMUTABLE)
    assert httpx.get(address, headers={"Range": "bytes=0-2"}).content == b"seg"
    for forged in (
        address.replace("00001.m4s", "00002.m4s"),
        address.replace("X-Amz-Expires=60", "X-Amz-Expires=6000"),
        address[:-4] + "0000",
    ):
        assert httpx.get(forged).status_code == 403
    for method in ("HEAD", "PUT", "DELETE"):
        assert httpx.request(method, address).status_code == 403
    assert sound.read("media/a/t/r/1/00001.m4s") == b"segment"


def test_an_address_ends(sound: S3Store, monkeypatch: pytest.MonkeyPatch):
    import datetime

    import botocore.auth

    sound.put_bytes("a", b"1")
    fresh = sound.presign("a", 5)
    # Given an address of an hour ago, for 5 s
    past = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_, **__: past.replace(tzinfo=None))
    old = sound.presign("a", 5)
    assert httpx.get(fresh).status_code == 200
    assert httpx.get(old).status_code == 403


# -- conditional puts ---------------------------------------------------------------------------------------------------


@pytest.fixture
def swapping(moto: Moto, prefix: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[S3Store, Proxy]]:
    """A server that obeys conditions, behind a proxy."""
    for name, value in moto.environment.items():
        monkeypatch.setenv(name, value)
    with faulty(moto.port) as proxy:
        address = f"http://127.0.0.1:{proxy.port}&timeout=1&attempts=2"
        store = as_s3(f"s3://{moto.shared}/{prefix}?endpoint_url={address}")
        assert store.conditional
        yield store, proxy


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("first", [True, False])
def test_a_lost_answer_is_not_taken_for_somebody_else(swapping: tuple[S3Store, Proxy], first: bool, times: int):
    store, proxy = swapping
    etag = None if first else store.put_bytes("p", b"0", HLS).etag
    # Given that the put is done, but its answer is lost, so that it is tried again
    proxy.fault = faults.Silence(times=times, method="PUT")
    info = store.put_if("p", b"1", HLS, etag=etag)
    assert proxy.fault.hits == times
    assert store.head("p").etag == info.etag
    assert store.read("p") == b"1"
    # When another one has put the very same bytes, it is another one nevertheless
    with pytest.raises(ObjectExists):
        store.put_if("p", b"1", HLS, etag=etag)


def test_a_condition_that_fails_behind_a_lost_answer(swapping: tuple[S3Store, Proxy]):
    store, proxy = swapping
    store.put_bytes("p", b"theirs", HLS)
    proxy.fault = faults.Silence(times=1, method="PUT")
    with pytest.raises(ObjectExists):
        store.put_if("p", b"ours", HLS, etag=None)
    assert store.read("p") == b"theirs"


def test_the_address_may_say_what_the_server_can(s3: Swift, moto: Moto, monkeypatch: pytest.MonkeyPatch):
    assert as_s3(s3.url(s3.shared) + "&conditional=yes").conditional
    for name, value in moto.environment.items():
        monkeypatch.setenv(name, value)
    assert not as_s3(moto.url(moto.shared) + "&conditional=no").conditional


def test_the_question_leaves_nothing_behind(s3: Swift, moto: Moto, prefix: str, monkeypatch: pytest.MonkeyPatch):
    for service in (s3, moto):
        for name, value in service.environment.items():
            monkeypatch.setenv(name, value)
        store = as_s3(service.url(service.shared, prefix))
        assert store.conditional is (service is moto)
        assert list(Bucket.parse(service.url(service.shared, prefix)).list("")) == []


def test_a_failing_server_is_not_one_without_conditions(swapping: tuple[S3Store, Proxy], moto: Moto, prefix: str):
    _, proxy = swapping
    store = as_s3(f"s3://{moto.shared}/{prefix}?endpoint_url=http://127.0.0.1:{proxy.port}&attempts=1")
    proxy.fault = faults.Answer(status=503)
    with pytest.raises(StoreError):
        store.put_if("p", b"1", HLS, etag=None)
    proxy.fault = None
    assert store.put_if("p", b"1", HLS, etag=None)


# -- faults ------------------------------------------------------------------------------------------------------------

PASSING = [
    faults.Answer(times=1, status=500),
    faults.Answer(times=1, status=503),
    faults.Reset(times=1, after=10),
    faults.BlackHole(times=1),
    faults.Silence(times=1),
    faults.Silence(times=1, reset=False),
    faults.Delay(times=1, seconds=0.2),
]
LASTING = [faults.Answer(status=500), faults.Answer(status=503), faults.Reset(after=10), faults.BlackHole()]


def again(fault: faults.Fault) -> faults.Fault:
    """A fresh one: a fault counts its hits."""
    return type(fault)(**{**vars(fault), "hits": 0})


@pytest.mark.parametrize("fault", PASSING, ids=repr)
def test_what_passes_is_healed(store: S3Store, sound: S3Store, proxy: Proxy, scratch: Path, fault: faults.Fault):
    (scratch / "f").write_bytes(bytes_of(100_000))

    def put() -> None:
        store.put_bytes("k", b"new", HLS)
        assert sound.read("k") == b"new"

    def put_file() -> None:
        store.put_file("f", scratch / "f", HLS)
        assert sound.read("f") == bytes_of(100_000)

    asks: list[Callable[[], object]] = [put, put_file, lambda: store.head("k"), lambda: list(store.list(""))]
    asks += [lambda: store.copy("k", "c"), lambda: store.delete_many(["c"]), lambda: store.delete("k")]
    waiting = isinstance(fault, faults.BlackHole) or fault == faults.Silence(times=1, reset=False)
    for ask in asks[: 2 if waiting else None]:
        proxy.fault = again(fault)
        ask()
        assert proxy.fault.hits == 1
    assert [found.key for found in sound.list("")] == (["f", "k"] if waiting else ["f"])


@pytest.mark.parametrize("fault", LASTING, ids=repr)
def test_what_lasts_is_a_store_error_and_changes_nothing(
    impatient: S3Store, sound: S3Store, proxy: Proxy, scratch: Path, fault: faults.Fault
):
    (scratch / "f").write_bytes(bytes_of(100_000))
    sound.put_bytes("k", b"old", HLS)
    proxy.fault = again(fault)
    for ask in (
        lambda: impatient.put_bytes("k", bytes_of(1000)),
        lambda: impatient.put_file("k", scratch / "f"),
        lambda: impatient.read("k"),
        lambda: impatient.head("k"),
        lambda: list(impatient.list("")),
        lambda: impatient.localize("k", scratch),
    ):
        with pytest.raises(StoreError) as raised:
            ask()
        assert not isinstance(raised.value, ObjectMissing | ObjectExists | StoreRefused)
    assert sound.read("k") == b"old"
    assert [found.key for found in sound.list("")] == ["k"]
    assert [path.name for path in scratch.iterdir()] == ["f"]


READS: dict[str, Callable[[S3Store, Path], bytes]] = {
    "read": lambda store, scratch: store.read("k"),
    "localize": lambda store, scratch: store.localize("k", scratch).read_bytes(),
    "open": lambda store, scratch: store.open("k", 1).read(),
}


@pytest.mark.parametrize("how", READS)
@pytest.mark.parametrize("after", [0, 1, 1_000_000])
def test_a_reading_goes_on_where_it_broke_off(
    store: S3Store, sound: S3Store, proxy: Proxy, scratch: Path, how: str, after: int
):
    data = bytes_of(2_500_000)
    sound.put_bytes("k", data)
    proxy.fault = faults.Truncate(times=2, method="GET", after=after)
    assert READS[how](store, scratch) == data[how == "open" :]
    assert proxy.fault.hits == 2


@pytest.mark.parametrize("how", READS)
def test_a_reading_that_cannot_go_on_is_an_error_and_never_short(
    store: S3Store, sound: S3Store, proxy: Proxy, scratch: Path, how: str
):
    sound.put_bytes("k", bytes_of(2_500_000))
    proxy.fault = faults.Truncate(method="GET", after=0)
    with pytest.raises(StoreError, match="k: the object store"):
        READS[how](store, scratch)
    assert list(scratch.iterdir()) == []


def test_a_slow_drip_is_no_failure(store: S3Store, sound: S3Store, proxy: Proxy):
    """Each connection brings something before it breaks: that is progress."""
    sound.put_bytes("k", bytes_of(600_000))
    proxy.fault = faults.Truncate(method="GET", after=100_000)
    assert store.read("k") == bytes_of(600_000)


def test_another_version_is_never_mixed_in(store: S3Store, sound: S3Store, proxy: Proxy):
    sound.put_bytes("k", bytes_of(2_000_000))
    proxy.fault = faults.Truncate(times=1, method="GET", after=700_000)
    with store.open("k") as stream:
        assert stream.read(600_000) == bytes_of(2_000_000)[:600_000]
        sound.put_bytes("k", bytes(2_000_000))
        with pytest.raises(StoreError, match="replaced"):
            stream.read()


def test_a_stream_that_is_left_gives_its_connection_up(store: S3Store, sound: S3Store):
    sound.put_bytes("k", bytes_of(2_000_000))
    for _ in range(40):  # more than there are connections
        with store.open("k") as stream:
            assert stream.read(10) == bytes_of(2_000_000)[:10]
    assert store.head("k").size == 2_000_000


# -- big objects -------------------------------------------------------------------------------------------------------


@pytest.fixture
def big(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that is stored in three parts."""
    monkeypatch.setattr("rushes.storage.s3.SINGLE", 1 * MEBI)
    path = scratch / "big"
    path.write_bytes(bytes_of(18 * MEBI))
    return path


def under_way(s3: Swift, prefix: str) -> list[str]:
    return [found["Key"] for found in Bucket.parse(s3.url(s3.shared, prefix)).uploads("")]


def test_parts_become_one_object(sound: S3Store, s3: Swift, prefix: str, big: Path, scratch: Path):
    info = sound.put_file("big", big, Headers("video/mp4", IMMUTABLE))
    assert info == sound.head("big")
    assert (info.size, info.content_type, info.cache_control) == (18 * MEBI, "video/mp4", IMMUTABLE)
    assert sound.localize("big", scratch).read_bytes() == bytes_of(18 * MEBI)
    assert under_way(s3, prefix) == []


@pytest.mark.parametrize(
    "fault", [faults.Answer(times=1), faults.Reset(times=1, after=2 * MEBI), faults.Silence(times=1)], ids=repr
)
@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_a_fault_among_the_parts_is_healed(
    store: S3Store, sound: S3Store, proxy: Proxy, big: Path, fault: faults.Fault, method: str
):
    proxy.fault = again(fault)
    proxy.fault.method = method
    store.put_file("big", big)
    assert proxy.fault.hits == 1
    assert sound.read("big") == bytes_of(18 * MEBI)


def test_an_upload_that_fails_is_not_seen_and_not_left(
    store: S3Store, sound: S3Store, s3: Swift, prefix: str, proxy: Proxy, big: Path
):
    proxy.fault = faults.Reset(method="PUT", after=2 * MEBI)
    with pytest.raises(StoreError):
        store.put_file("big", big)
    with pytest.raises(ObjectMissing):
        sound.head("big")
    assert under_way(s3, prefix) == []


def test_a_file_that_shrinks_meanwhile(sound: S3Store, s3: Swift, prefix: str, big: Path):
    upload_part = Bucket.upload_part

    def shrinking(self: Bucket, *arguments: object, **options: object) -> object:
        with big.open("r+b") as file:
            file.truncate(9 * MEBI)
        return upload_part(self, *arguments, **options)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Bucket, "upload_part", shrinking)
        patch.setattr("rushes.storage.parcels.AT_ONCE", 1)
        with pytest.raises(StoreError, match="changed while"):
            sound.put_file("big", big)
    assert under_way(s3, prefix) == []


CLIENT = """
import hashlib, sys
from pathlib import Path
from rushes.storage.open import open_store

store, source, scratch = open_store(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
store.put_bytes("warm", b"1")
store.localize("warm", scratch)

def peak():  # not getrusage, which begins with what the parent had
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024

before = peak()
store.put_file("big", source)
sent = peak()
copy = store.localize("big", scratch)
with source.open("rb") as one, copy.open("rb") as other:
    assert hashlib.file_digest(one, "sha256").digest() == hashlib.file_digest(other, "sha256").digest()
print(before, sent - before, peak() - before)
"""


def test_memory_stays_bounded(s3: Swift, prefix: str, tmp_path: Path, scratch: Path):
    """300 MB up and down; measured in a process of its own, above what it has after its first small request."""
    source = tmp_path / "source"
    with source.open("wb") as file:
        for number in range(300):
            file.write(bytes_of(MEBI - 1) + bytes([number % 256]))
    command = [sys.executable, "-c", CLIENT, s3.url(s3.shared, prefix), str(source), str(scratch)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    _, sent, both = map(int, done.stdout.split())
    assert 0 < sent < 100, done.stdout
    assert both < 100, done.stdout
    as_s3(s3.url(s3.shared, prefix)).delete("big")
