"""What `rushes transcode` leaves in the output directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from rushes.keys import build_prefix
from rushes.model import Asset
from rushes.oneshot import export
from rushes.storage.local import LocalStore
from rushes.tracks import Track

ASSET = "0" * 26
OLD, PLAYED = f"media/{ASSET}/t/r/1/source/", f"media/{ASSET}/t/r/2/720p/"


@pytest.mark.parametrize(
    ("published", "kept"),
    [
        (2, {"master.m3u8", "b/2/master.m3u8", "t/r/2/720p/init.mp4", "artifacts/p/1/poster.jpg"}),
        (1, {"b/1/master.m3u8", "t/r/1/source/init.mp4"}),  # the newest was refused: what is public is there too
    ],
)
def test_what_a_build_names_goes_with_it(published: int, kept: set[str], tmp_path: Path) -> None:
    track = Track(name="720p", kind="video", prefix=PLAYED, codecs="avc1.64001f", timescale=30, segments=())
    asset = Asset(id=ASSET, tenant="t", created_at=1.0, build=2, published_build=published, tracks=(track,))
    store = LocalStore(tmp_path / "store")
    builds = [f"{build_prefix(ASSET, number)}master.m3u8" for number in (1, 2)]
    pieces = [f"{prefix}init.mp4" for prefix in (OLD, PLAYED)]
    for key in (f"media/{ASSET}/master.m3u8", *builds, *pieces, f"artifacts/{ASSET}/p/1/poster.jpg"):
        store.put_bytes(key, b"x")
    export(store, asset, tmp_path / "out")
    found = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert kept <= found
    assert published == 1 or kept == found
