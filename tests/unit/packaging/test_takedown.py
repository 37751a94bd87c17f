from __future__ import annotations

from rushes.packaging.takedown import remove_losers, takedown
from rushes.storage.memory import MemoryStore


def test_outputs_of_lost_attempts_go_and_everything_else_stays() -> None:
    store = MemoryStore()
    keys = ["media/a/t/r1/1/720p/00001.m4s", "media/a/t/r1/2/720p/00001.m4s", "artifacts/a/r2/1/poster.jpg"]
    keys += ["artifacts/a/r2/3/poster.jpg", "media/a/b/1/master.m3u8", "media/a/master.m3u8", "media/b/t/r1/1/init.mp4"]
    for key in keys:
        store.put_bytes(key, b"x")
    assert remove_losers(store, "a", ["media/a/t/r1/2/", "artifacts/a/r2/3/"]) == 2
    left = {info.key for info in store.list("")}
    assert left == set(keys) - {"media/a/t/r1/1/720p/00001.m4s", "artifacts/a/r2/1/poster.jpg"}


def test_the_private_tree_is_tidied_up_like_the_public_one_and_no_cache_hears_of_it() -> None:
    store = MemoryStore()
    keys = ["private/a/t/r1/1/720p/00001.m4s", "private/a/t/r1/2/720p/00001.m4s", "private/b/t/r1/1/720p/00001.m4s"]
    for key in keys:
        store.put_bytes(key, b"x")
    assert remove_losers(store, "a", ["private/a/t/r1/2/"]) == 1
    assert not any("private" in path for path in takedown(store, "a"))
    assert [info.key for info in store.list("private/")] == keys[2:]
