"""Objects on their way to a disk that is nearly full."""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path

import pytest

from rushes.storage import parcels
from rushes.storage.bucket import Bucket
from rushes.storage.parcels import BLOCK, receive
from rushes.storage.store import ObjectInfo

DATA = bytes(range(256)) * (BLOCK // 256) + b"the end"


def fetch(target: Path) -> None:
    info = ObjectInfo("a", len(DATA), '"etag"', "video/mp4", "private", 0.0)
    receive(Bucket("unused"), info, io.BytesIO(DATA), target)


def test_a_disk_that_takes_a_block_in_pieces_gets_it_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.pwrite
    monkeypatch.setattr(parcels.os, "pwrite", lambda file, data, at: write(file, data[:100_000], at))
    fetch(tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == DATA


def test_a_disk_that_gets_full_is_not_taken_for_a_store_that_breaks_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.pwrite

    def nearly_full(file: int, data: bytes, at: int) -> int:
        if at:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, data[:100_000], at)

    monkeypatch.setattr(parcels.os, "pwrite", nearly_full)
    with pytest.raises(OSError, match="No space") as caught:
        fetch(tmp_path / "a")
    assert caught.value.errno == errno.ENOSPC
