"""What the wiring of the processes decides by itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rushes.server import media_origins
from rushes.settings import Settings
from rushes.storage.local import LocalStore


class Bucket(LocalStore):
    def presign(self, key: str, seconds: int) -> str:
        return f"https://bucket.s3.example:9000/{key}?X-Amz-Expires={seconds}"


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("serve", ("https://video.example",)),
        ("redirect", ("https://video.example", "https://bucket.s3.example:9000")),
    ],
)
def test_pages_may_load_media_from_where_the_origin_sends_them(tmp_path: Path, origin, expected) -> None:
    settings = Settings(data=tmp_path, public_url="https://video.example/", origin=origin)
    assert media_origins(settings, Bucket(tmp_path)) == expected


def test_a_store_without_addresses_of_its_own_adds_none(tmp_path: Path) -> None:
    assert media_origins(Settings(data=tmp_path, origin="redirect"), LocalStore(tmp_path)) == ()


ENDED = """
import asyncio, os, signal
from rushes.server import _end_in_time

async def work():
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, print)

asyncio.run(_end_in_time(work()))
os.kill(os.getpid(), signal.SIGTERM)
os.kill(os.getpid(), signal.SIGINT)
"""


def test_a_worker_that_has_ended_its_work_is_not_killed_by_a_second_word() -> None:
    ended = subprocess.run([sys.executable, "-c", ENDED], capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, "")
