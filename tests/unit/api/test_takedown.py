from rushes.keys import new_id, pointer_key, tombstone_key
from rushes.packaging.takedown import hide
from rushes.storage.memory import MemoryStore

ID = new_id(1_750_000_000.0, 5)


def test_pointers_go_and_a_tombstone_stays() -> None:
    # Given a published asset and another one
    store = MemoryStore()
    other = new_id(1_750_000_000.0, 6)
    for key in (pointer_key(ID, "master.m3u8"), pointer_key(ID, "manifest.mpd"), pointer_key(other, "master.m3u8")):
        store.put_bytes(key, b"x")
    # When it is hidden, twice
    hide(store, ID)
    hide(store, ID)
    # Then only the other one is still reachable
    assert [info.key for info in store.list("")] == [pointer_key(other, "master.m3u8"), tombstone_key(ID)]


def test_the_tombstone_is_there_before_a_pointer_is_gone() -> None:
    order: list[str] = []

    class Watched(MemoryStore):
        def put_bytes(self, key, data, *headers):  # type: ignore[no-untyped-def]
            order.append(f"put {key}")
            return super().put_bytes(key, data, *headers)

        def delete(self, key: str) -> None:
            order.append(f"delete {key}")
            super().delete(key)

    hide(Watched(), ID)
    assert order[0] == f"put {tombstone_key(ID)}"
    assert order[1:] == [f"delete {pointer_key(ID, name)}" for name in ("master.m3u8", "manifest.mpd")]
