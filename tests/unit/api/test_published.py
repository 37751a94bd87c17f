import pytest

from rushes.api.published import BELIEVED, Published
from rushes.clock import ManualClock
from rushes.keys import new_id, pointer_key
from rushes.storage.memory import MemoryStore
from rushes.storage.store import POINTER, Headers, ObjectMissing

NOW = 1_750_000_000.0
ASSET = new_id(NOW, 1)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def store(clock: ManualClock) -> MemoryStore:
    return MemoryStore(clock)


def point(store: MemoryStore, text: str) -> None:
    key = pointer_key(ASSET, "master.m3u8")
    store.put_bytes(key, text.encode(), Headers("application/vnd.apple.mpegurl", POINTER))


@pytest.mark.parametrize("asset", ["", "..", "../../sources", "x", ASSET.upper(), f"{ASSET}/x", "\x00", new_id(NOW, 2)])
def test_what_is_no_public_asset(store: MemoryStore, clock: ManualClock, asset: str) -> None:
    published = Published(store, clock)
    with pytest.raises(ObjectMissing):
        published.look(asset)
    assert published.known(asset) is None


def test_what_was_seen_is_believed_for_a_second(store: MemoryStore, clock: ManualClock) -> None:
    published = Published(store, clock)
    point(store, "#EXTM3U\n# rushes build=1\n")
    assert not published.look(ASSET).signed
    point(store, "#EXTM3U\n# rushes build=2 playback=signed\n")
    known = published.known(ASSET)
    assert known is not None
    assert not known.signed
    clock.advance(BELIEVED)
    assert published.known(ASSET) is None
    assert published.look(ASSET).signed
    store.delete(pointer_key(ASSET, "master.m3u8"))
    assert published.look(ASSET).signed
    published.forget(ASSET)
    with pytest.raises(ObjectMissing):
        published.look(ASSET)


def test_only_the_pointers_first_lines_are_believed(store: MemoryStore, clock: ManualClock) -> None:
    point(store, "#EXTM3U\n" + "x" * 3000 + "\n# rushes build=1 playback=signed\n")
    assert not Published(store, clock).look(ASSET).signed
