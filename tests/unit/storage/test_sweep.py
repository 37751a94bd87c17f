"""What is ended of multipart uploads in a bucket that may hold more than ours."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from rushes.clock import ManualClock
from rushes.keys import artifact_prefix, is_output, output_prefix, private_prefix
from rushes.storage.s3 import S3Store
from rushes.storage.store import ObjectMissing

ASSET, RECIPE = "00000000z8g0907r5y6ayt29t3", "0123456789abcdef0123"
DAY = 86_400.0


class Bucket:
    """Uploads under way, by key and when they began; objects that are there."""

    def __init__(self, begun: dict[str, float], there: set[str]) -> None:
        self.begun, self.there, self.ended = begun, there, list[str]()

    def uploads(self, prefix: str) -> list[dict[str, Any]]:
        return [
            {"Key": key, "UploadId": key, "Initiated": datetime.fromtimestamp(at, UTC)}
            for key, at in self.begun.items()
            if key.startswith(prefix)
        ]

    def head(self, key: str) -> dict[str, Any]:
        if key not in self.there:
            raise ObjectMissing(key)
        return {}

    def abort(self, key: str, upload: str) -> None:
        self.ended.append(upload)


def test_only_what_attempts_of_ours_began_long_ago_and_never_ended() -> None:
    old = f"{output_prefix(ASSET, RECIPE, 1)}v/1.m4s"
    ours = [old, f"{private_prefix(ASSET, RECIPE, 2)}v.mp4", f"{artifact_prefix(ASSET, RECIPE, 3)}chunk.mkv"]
    young, whole = f"{output_prefix(ASSET, RECIPE, 4)}v/1.m4s", f"{output_prefix(ASSET, RECIPE, 5)}v/1.m4s"
    others = ["media/holiday.mov", "media/2026/t/x", "private/backup.tar", "artifacts/build-17/app.zip"]
    bucket = Bucket({**dict.fromkeys((*ours, whole, *others), 0.0), young: DAY}, {whole})
    store = S3Store(bucket, ManualClock(2 * DAY - 1))  # type: ignore[arg-type] # it answers the same calls
    assert store.sweep() == len(ours)
    assert bucket.ended == ours


@pytest.mark.parametrize("key", [f"media/{ASSET}/master.m3u8", f"sources/t/{ASSET}/1", f"early/{ASSET}", "media/", ""])
def test_what_no_attempt_writes_is_no_output(key: str) -> None:
    assert not is_output(key)
