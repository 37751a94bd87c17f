"""What a server does before the last byte of an upload is there: on files, and on S3."""

from __future__ import annotations

import base64
import hashlib
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from rushes.engine.early import EARLY_PROBE
from tests.integration.ingest.conftest import PATCH, TUS, Server, wait_for
from tests.unit.ingest import movies

TEXT = b"These are my notes, and no film at all.\n" * 5000
LONG = movies.movie(movies.longer(movies.PICTURE, 5 * 3600.0))
BIG = 50_000_000


def asset_of(server: Server, url: str) -> dict[str, Any]:
    return server.asset(server.head(url).headers["rushes-asset"])


def steps(server: Server) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(server.data / "rushes.db")) as database:
        return database.execute("SELECT key, state FROM steps ORDER BY key").fetchall()


@pytest.mark.parametrize(
    ("data", "length", "status", "code"),
    [
        (TEXT, BIG, 415, "not_media"),
        (b"\xff\xd8\xff" + os.urandom(100_000), BIG, 415, "still_image"),
        (b"#EXTM3U\n" + TEXT, BIG, 415, "playlist_refused"),
        (LONG, len(LONG), 413, "over_limit_duration"),
    ],
    ids=["text", "picture", "playlist", "too long"],
)
def test_a_hopeless_upload_is_refused_while_it_is_sent(
    shared_server: Server, data: bytes, length: int, status: int, code: str
) -> None:
    url = shared_server.create(length)
    asset = shared_server.head(url).headers["rushes-asset"]
    # When a request announces more than it ever sends, so that nothing ends it but its own bytes
    connection = shared_server.half_a_patch(url, 0, data[:300_000], length)
    answer = b""
    while f'"code":"{code}"'.encode() not in answer:
        more = connection.recv(65536)
        assert more, answer
        answer += more
    connection.close()
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    # Then the upload is over, its asset failed for that reason, and nothing is kept of it
    assert shared_server.head(url).status_code == 404
    failed = shared_server.asset(asset)
    assert (failed["state"], failed["reason"]["code"]) == ("failed", code)
    assert shared_server.stored(url) == -1


def test_a_hopeless_creation_with_its_bytes_is_refused(shared_server: Server) -> None:
    headers = {**TUS, "Content-Type": PATCH["Content-Type"], "Upload-Length": str(len(TEXT))}
    answer = httpx.post(f"{shared_server.url}/files", headers=headers, content=TEXT)
    assert (answer.status_code, answer.json()["code"]) == (415, "not_media")


def test_nothing_is_refused_early_where_that_is_set(start_server: Callable[..., Server]) -> None:
    server = start_server(settings={"refuse_early": False})
    url = server.create(len(TEXT))
    assert server.patch(url, 0, TEXT).status_code == 204
    assert asset_of(server, url)["state"] == "ingested"


@pytest.mark.parametrize("first", [60_000, 200_000], ids=["in two looks", "at once"])
def test_what_it_is_can_be_seen_before_it_is_there(shared_server: Server, first: int) -> None:
    data = movies.movie(movies.PICTURE, movies.SOUND)
    url = shared_server.create(len(data))
    shared_server.patch(url, 0, data[:first])
    shared_server.patch(url, first, data[first:200_000])
    early = wait_for(lambda: asset_of(shared_server, url)["early"], "what is known early")
    assert (early["video_codec"], early["audio_codec"], early["width"], early["duration"]) == ("h264", "aac", 320, 4.0)
    assert asset_of(shared_server, url)["state"] == "uploading"
    assert shared_server.patch(url, 200_000, data[200_000:]).status_code == 204
    assert asset_of(shared_server, url)["state"] == "ingested"


def test_the_probe_is_planned_with_the_bytes_that_it_needs(server: Server) -> None:
    data = movies.movie(movies.PICTURE, movies.SOUND)
    url = server.create(len(data))
    asset = server.head(url).headers["rushes-asset"]
    server.patch(url, 0, data[:300_000])
    wait_for(lambda: (EARLY_PROBE, "ready") in steps(server), "the early probe")
    shown = server.data / "objects" / "early" / asset
    assert data.startswith(shown.read_bytes())
    # When the last byte comes before any worker looked at it, it is not needed any more
    server.patch(url, 300_000, data[300_000:])
    assert steps(server) == [("checksum", "ready"), ("probe", "ready"), (EARLY_PROBE, "skipped"), ("remux", "ready")]


@pytest.mark.parametrize("head_first", [False, True], ids=["tail first", "both at once"])
def test_an_index_at_the_end_is_seen_where_the_tail_comes_early(shared_server: Server, head_first: bool) -> None:
    data = movies.movie(movies.PICTURE, movies.SOUND, last=True)
    cut = len(data) - 50_000
    # Given an upload that is joined from two parts, created before they are sent
    parts = [_part(shared_server, cut), _part(shared_server, len(data) - cut)]
    whole = httpx.post(f"{shared_server.url}/files", headers={**TUS, "Upload-Concat": f"final;{' '.join(parts)}"})
    assert whole.status_code == 201, whole.text
    asset = whole.headers["rushes-asset"]
    # When the last part and the beginning of the first one come, in whichever order
    first, last = (parts[0], data[:200_000]), (parts[1], data[cut:])
    for url, piece in (first, last) if head_first else (last, first):
        assert shared_server.patch(url, 0, piece).status_code == 204
    wait_for(lambda: shared_server.asset(asset)["early"], "what is known early")
    early = shared_server.asset(asset)["early"]
    assert (early["video_codec"], early["duration"]) == ("h264", 4.0)
    assert shared_server.patch(parts[0], 200_000, data[200_000:cut]).status_code == 204
    wait_for(lambda: shared_server.asset(asset)["state"] == "ingested", "the joined upload")
    assert shared_server.source_sha(asset) == hashlib.sha256(data).hexdigest()


def test_a_hopeless_tail_ends_the_joined_upload_and_its_parts(shared_server: Server) -> None:
    data = movies.movie(movies.Kind("soun", movies.SOUND.entry, seconds=30.0), last=True)
    cut = len(data) - 50_000
    parts = [_part(shared_server, cut), _part(shared_server, len(data) - cut)]
    whole = httpx.post(f"{shared_server.url}/files", headers={**TUS, "Upload-Concat": f"final;{' '.join(parts)}"})
    assert shared_server.patch(parts[1], 0, data[cut:]).status_code == 204
    answer = shared_server.patch(parts[0], 0, data[:200_000])
    assert (answer.status_code, answer.json()["code"]) == (415, "no_video_stream")
    assert shared_server.asset(whole.headers["rushes-asset"])["reason"]["code"] == "no_video_stream"
    assert [shared_server.head(part).status_code for part in parts] == [404, 404]
    assert [shared_server.stored(part) for part in parts] == [-1, -1]


def _part(server: Server, length: int) -> str:
    headers = {**TUS, "Upload-Concat": "partial", "Upload-Length": str(length)}
    return str(httpx.post(f"{server.url}/files", headers=headers).headers["location"])


def test_bytes_with_a_wrong_checksum_say_nothing(shared_server: Server) -> None:
    url = shared_server.create(BIG)
    wrong = base64.b64encode(hashlib.sha1(b"other").digest()).decode()
    answer = shared_server.patch(url, 0, TEXT, **{"Upload-Checksum": f"sha1 {wrong}"})
    assert answer.status_code == 460
    assert shared_server.offset(url) == 0
    # And right ones speak as others do, once they are known to be right
    right = base64.b64encode(hashlib.sha1(TEXT).digest()).decode()
    answer = shared_server.patch(url, 0, TEXT, **{"Upload-Checksum": f"sha1 {right}"})
    assert (answer.status_code, answer.json()["code"]) == (415, "not_media")


def test_a_kill_between_forgets_the_head_start_and_nothing_else(server: Server) -> None:
    data = movies.movie(movies.PICTURE, movies.SOUND)
    url = server.create(len(data))
    server.patch(url, 0, data[:60_000])
    server.kill()
    server.start()
    assert server.offset(url) == 60_000
    assert server.patch(url, 60_000, data[60_000:]).status_code == 204
    asset = asset_of(server, url)
    assert (asset["state"], asset["early"]) == ("ingested", None)
    assert server.source_sha(asset["id"]) == hashlib.sha256(data).hexdigest()


def test_what_an_early_probe_left_is_swept(server: Server, tmp_path: Path) -> None:
    left = server.data / "objects" / "early" / "0123456789abcdefghjkmnpqrs"
    left.parent.mkdir(parents=True, exist_ok=True)
    left.write_bytes(b"x")
    fresh = left.with_name("1123456789abcdefghjkmnpqrs")
    fresh.write_bytes(b"x")
    os.utime(left, (1.0, 1.0))
    server.kill()
    server.start()
    assert (left.exists(), fresh.exists()) == (False, True)
