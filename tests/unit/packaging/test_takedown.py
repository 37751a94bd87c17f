from __future__ import annotations

from rushes.packaging.takedown import remove_losers
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
