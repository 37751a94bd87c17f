"""A CDN that pulls straight from the bucket: what an object needs is on the object itself."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import httpx
import pytest

from rushes.keys import new_id
from rushes.packaging.pointer import point
from rushes.storage.open import open_store
from rushes.storage.s3 import S3Store
from rushes.storage.store import IMMUTABLE, POINTER
from rushes.storage.types import content_type
from rushes.storage.workspace import Workspace
from tests.services.swift import Swift

ASSET = new_id(1_750_000_000.0, 7)
IMMUTABLES = {
    f"media/{ASSET}/b/1/master.m3u8": "application/vnd.apple.mpegurl",
    f"media/{ASSET}/b/1/manifest.mpd": "application/dash+xml",
    f"media/{ASSET}/b/1/720p.m3u8": "application/vnd.apple.mpegurl",
    f"media/{ASSET}/t/r/1/720p/init.mp4": "video/mp4",
    f"media/{ASSET}/t/r/1/720p/00001.m4s": "video/iso.segment",
    f"media/{ASSET}/t/r/1/captions/00001.vtt": "text/vtt; charset=utf-8",
    f"media/{ASSET}/t/r/1/storyboard/00001.jpg": "image/jpeg",
    f"artifacts/{ASSET}/r/1/poster.jpg": "image/jpeg",
}


@pytest.fixture(scope="module")
def bucket(swift: Swift, tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Store]:
    """A build as the steps store it, and its pointers."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in swift.environment.items():
            patch.setenv(name, value)
        store = open_store(swift.url(swift.shared, f"cdn/{secrets.token_hex(6)}"))
        assert isinstance(store, S3Store)
        _fill(Workspace(store, tmp_path_factory.mktemp("scratch")))
        yield store


def _fill(workspace: Workspace) -> None:
    text = b"#EXTM3U\n# rushes build=1\n720p.m3u8\n"
    workspace.publish_all((key, text, content_type(key)) for key in IMMUTABLES)
    path = workspace.scratch / "a.mp4"
    path.write_bytes(b"film")
    workspace.publish_file(f"artifacts/{ASSET}/r/1/download.mp4", path, "video/mp4")
    point(workspace.store, ASSET, 1)


@pytest.mark.parametrize(
    ("key", "kind", "caching"),
    [
        *((key, kind, IMMUTABLE) for key, kind in IMMUTABLES.items()),
        (f"artifacts/{ASSET}/r/1/download.mp4", "video/mp4", IMMUTABLE),
        (f"media/{ASSET}/master.m3u8", "application/vnd.apple.mpegurl", POINTER),
        (f"media/{ASSET}/manifest.mpd", "application/dash+xml", POINTER),
    ],
)
def test_a_plain_get_brings_type_and_caching(bucket: S3Store, key: str, kind: str, caching: str) -> None:
    answer = httpx.get(bucket.presign(key, 60))
    assert answer.status_code == 200
    assert (answer.headers["content-type"], answer.headers["cache-control"]) == (kind, caching)
    assert answer.headers["etag"]
    part = httpx.get(bucket.presign(key, 60), headers={"Range": "bytes=1-2"})
    assert (part.status_code, part.content) == (206, answer.content[1:3])
    same = httpx.get(bucket.presign(key, 60), headers={"If-None-Match": answer.headers["etag"]})
    assert same.status_code == 304


def test_what_is_not_for_viewers_tells_caches_so(bucket: S3Store) -> None:
    for key in (f"sources/t/{ASSET}/1", f"private/{ASSET}/t/r/1/720p/00001.m4s", f"tombstones/{ASSET}"):
        bucket.put_bytes(key, b"x")
        assert "private" in httpx.get(bucket.presign(key, 60)).headers["cache-control"]
