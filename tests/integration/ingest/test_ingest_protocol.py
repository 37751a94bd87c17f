"""What a tus 1.0.0 checker looks at, against a real server."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable
from email.utils import parsedate_to_datetime

import httpx
import pytest

TUS = {"Tus-Resumable": "1.0.0"}
STREAM = {"Content-Type": "application/offset+octet-stream"}
NOBODY = "0123456789abcdefghjkmnpqrs"


@pytest.fixture(scope="module")
def server(shared_server):
    """Nothing here breaks it, so one is enough."""
    return shared_server


def problem_of(answer: httpx.Response) -> dict[str, object]:
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["tus-resumable"] == "1.0.0"
    assert answer.headers["access-control-allow-origin"] == "*"
    body = answer.json()
    assert body["status"] == answer.status_code
    assert body["detail"]
    return body


def metadata(**pairs: str) -> str:
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in pairs.items())


def test_options_needs_no_version_and_tells_everything(server) -> None:
    answer = httpx.options(f"{server.url}/files", headers={"Tus-Resumable": "0.0.1"})
    assert answer.status_code == 204
    assert answer.headers["tus-version"] == "1.0.0"
    assert answer.headers["tus-max-size"] == "20000000000"
    assert set(answer.headers["tus-extension"].split(",")) == {
        "creation", "creation-with-upload", "creation-defer-length", "termination", "expiration", "checksum",
        "checksum-trailer", "concatenation", "concatenation-unfinished",
    }  # fmt: skip
    assert answer.headers["tus-checksum-algorithm"] == "sha1,sha256,md5,crc32c"


def test_a_page_of_another_origin_may_upload(server) -> None:
    answer = httpx.options(
        f"{server.url}/files/{NOBODY}",
        headers={
            "Origin": "https://app.example",
            "Access-Control-Request-Method": "PATCH",
            "Access-Control-Request-Headers": "tus-resumable,upload-offset,content-type,authorization",
        },
    )
    assert answer.headers["access-control-allow-origin"] == "*"
    assert {"POST", "HEAD", "PATCH", "DELETE"} <= set(answer.headers["access-control-allow-methods"].split(", "))
    allowed = answer.headers["access-control-allow-headers"].lower()
    assert all(name in allowed for name in ("tus-resumable", "upload-offset", "upload-metadata", "authorization"))
    exposed = httpx.options(f"{server.url}/files").headers["access-control-expose-headers"].lower()
    assert all(name in exposed for name in ("location", "upload-offset", "rushes-asset"))


def test_an_upload_from_creation_to_source(server) -> None:
    data = os.urandom(300_000)
    # Given a creation with metadata
    raw = metadata(filename="a b.mp4", title="Meine Reise", empty="", evil="x\u202ey")
    created = httpx.post(f"{server.url}/files", headers={**TUS, "Upload-Length": "300000", "Upload-Metadata": raw})
    assert created.status_code == 201
    url = created.headers["location"]
    assert url.startswith(f"{server.url}/files/")
    assert parsedate_to_datetime(created.headers["upload-expires"])
    # Then the asset is there at once
    asset = server.asset(created.headers["rushes-asset"])
    assert (asset["state"], asset["title"]) == ("uploading", "Meine Reise")
    assert asset["metadata"] == {"filename": "a b.mp4", "title": "Meine Reise", "empty": "", "evil": "xy"}
    # And HEAD tells offset, length and the metadata as they were sent
    head = server.head(url)
    assert (head.status_code, head.headers["upload-offset"], head.headers["upload-length"]) == (200, "0", "300000")
    assert (head.headers["upload-metadata"], head.headers["cache-control"]) == (raw, "no-store")
    # When the bytes come in two parts
    first = server.patch(url, 0, data[:100_000])
    assert (first.status_code, first.headers["upload-offset"]) == (204, "100000")
    assert "upload-expires" in first.headers
    last = server.patch(url, 100_000, data[100_000:])
    assert (last.status_code, last.headers["upload-offset"]) == (204, "300000")
    # Then they are the asset's source, and HEAD goes on answering
    asset = server.asset(asset["id"])
    assert (asset["state"], asset["source"]["filename"]) == ("ingested", "a b.mp4")
    assert server.source_sha(asset["id"]) == hashlib.sha256(data).hexdigest()
    assert server.offset(url) == 300_000
    assert server.stored(url) == -1


def test_creation_with_upload(server) -> None:
    answer = httpx.post(
        f"{server.url}/files/", content=b"abc", headers={**TUS, **STREAM, "Upload-Length": "5", "Upload-Metadata": ""}
    )
    assert (answer.status_code, answer.headers["upload-offset"]) == (201, "3")
    assert server.patch(answer.headers["location"], 3, b"de").status_code == 204
    assert server.source_sha(answer.headers["rushes-asset"]) == hashlib.sha256(b"abcde").hexdigest()


def test_everything_in_the_creation(server) -> None:
    answer = httpx.post(f"{server.url}/files", content=b"abcde", headers={**TUS, **STREAM, "Upload-Length": "5"})
    assert (answer.status_code, answer.headers["upload-offset"]) == (201, "5")
    assert server.asset(answer.headers["rushes-asset"])["state"] == "ingested"


def test_an_upload_of_nothing_is_complete_at_once(server) -> None:
    answer = httpx.post(f"{server.url}/files", headers={**TUS, "Upload-Length": "0"})
    assert (answer.status_code, answer.headers["upload-offset"]) == (201, "0")
    assert server.asset(answer.headers["rushes-asset"])["source"]["size"] == 0
    assert server.offset(answer.headers["location"]) == 0


def test_chunked_transfer_encoding(server) -> None:
    url = server.create(6)
    answer = httpx.patch(url, content=iter([b"abc", b"def"]), headers={**TUS, **STREAM, "Upload-Offset": "0"})
    assert (answer.status_code, answer.headers["upload-offset"]) == (204, "6")


def test_a_chunked_body_longer_than_declared_changes_nothing(server) -> None:
    url = server.create(6)
    server.patch(url, 0, b"ab")
    answer = httpx.patch(url, content=iter([b"cdef", b"gh"]), headers={**TUS, **STREAM, "Upload-Offset": "2"})
    assert (answer.status_code, problem_of(answer)["code"]) == (413, "upload_too_long")
    assert server.offset(url) == 2


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Upload-Offset": "1"}, 409, "offset_mismatch"),
        ({"Upload-Offset": "-1"}, 400, "bad_header"),
        ({"Upload-Offset": "0", "Content-Type": "video/mp4"}, 415, "bad_content_type"),
        ({"Upload-Offset": "0", "Tus-Resumable": "0.2.2"}, 412, "tus_version_unsupported"),
        ({}, 400, "bad_header"),
    ],
)
def test_a_wrong_append_is_refused_and_changes_nothing(server, headers, status, code) -> None:
    url = server.create(4)
    answer = httpx.patch(url, content=b"abcd", headers={**TUS, **STREAM, **headers})
    assert (answer.status_code, problem_of(answer)["code"]) == (status, code)
    assert server.offset(url) == 0
    assert server.patch(url, 0, b"abcd").status_code == 204


def test_the_announced_size_is_checked_before_a_byte_is_taken(server) -> None:
    url = server.create(4)
    assert server.patch(url, 0, b"abcde").status_code == 413
    assert server.offset(url) == 0


def test_too_large_a_file_is_refused_at_its_creation(start_server) -> None:
    server = start_server(settings={"upload_max_bytes": 1000})
    answer = httpx.post(f"{server.url}/files", headers={**TUS, "Upload-Length": "1001"})
    assert (answer.status_code, problem_of(answer)["code"]) == (413, "over_limit_bytes")
    assert answer.headers["tus-max-size"] == "1000"


def test_a_disk_with_too_little_room_refuses_new_uploads(start_server) -> None:
    server = start_server(settings={"upload_max_bytes": 2**60})
    answer = httpx.post(f"{server.url}/files", headers={**TUS, "Upload-Length": str(2**59)})
    assert (answer.status_code, problem_of(answer)["code"]) == (507, "insufficient_storage")


def test_a_disk_that_fills_up_meanwhile_keeps_the_offset_true(start_server) -> None:
    server = start_server(reserve=2**60)
    url = server.create(1000)
    answer = server.patch(url, 0, b"x" * 1000)
    assert (answer.status_code, problem_of(answer)["code"]) == (507, "insufficient_storage")
    assert server.offset(url) == server.stored(url) == 0


def test_unknown_uploads_are_404(server) -> None:
    for name in (NOBODY, "short", "%2e%2e%5crushes.db", NOBODY.upper()):
        url = f"{server.url}/files/{name}"
        head = server.head(url)
        assert head.status_code == 404
        assert "upload-offset" not in head.headers
        assert problem_of(server.patch(url, 0, b"a"))["code"] == "upload_not_found"
        assert httpx.delete(url, headers=TUS).status_code == 404


def test_another_tenants_upload_is_not_there(server) -> None:
    url = server.create(4)
    other = {**TUS, "X-Test-Tenant": "other"}
    assert httpx.head(url, headers=other).status_code == 404
    assert server.patch(url, 0, b"abcd", **{"X-Test-Tenant": "other"}).status_code == 404
    assert httpx.delete(url, headers=other).status_code == 404
    assert server.offset(url) == 0


def test_a_terminated_upload_is_gone_with_its_bytes(server) -> None:
    url = server.create(4)
    server.patch(url, 0, b"ab")
    assert httpx.delete(url, headers=TUS).status_code == 204
    assert server.head(url).status_code == 404
    assert server.patch(url, 2, b"cd").status_code == 404
    assert httpx.delete(url, headers=TUS).status_code == 404
    assert server.stored(url) == -1


def test_of_a_finished_upload_that_is_terminated_the_asset_stays(server) -> None:
    url = server.create(2)
    asset = server.patch(url, 0, b"ab").headers["rushes-asset"]
    assert httpx.delete(url, headers=TUS).status_code == 204
    assert server.head(url).status_code == 404
    assert server.patch(url, 2, b"").status_code == 404
    assert httpx.delete(url, headers=TUS).status_code == 404
    assert server.asset(asset)["state"] == "ingested"
    assert server.source_sha(asset) == hashlib.sha256(b"ab").hexdigest()


@pytest.mark.parametrize("verb", ["POST", "GET", "PUT"])
def test_the_override_works_on_every_verb(server, verb: str) -> None:
    url = server.create(4)
    override = {**TUS, **STREAM, "Upload-Offset": "0", "X-HTTP-Method-Override": "PATCH"}
    assert httpx.request(verb, url, content=b"ab", headers=override).status_code == 204
    assert server.offset(url) == 2
    ended = httpx.request(verb, url, headers={**TUS, "X-HTTP-Method-Override": "DELETE"})
    assert ended.status_code == 204
    assert server.head(url).status_code == 404


def test_other_methods_are_405_and_told_which_there_are(server) -> None:
    answer = httpx.get(server.create(1), headers=TUS)
    assert (answer.status_code, problem_of(answer)["code"]) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "OPTIONS, HEAD, PATCH, DELETE"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"X-Forwarded-Proto": "https", "X-Forwarded-Host": "video.example"}, "https://video.example/files/"),
        ({"X-Forwarded-Host": "video.example:8443, inner"}, "http://video.example:8443/files/"),
        ({"X-Forwarded-Host": "evil/path?x"}, None),
        ({"Host": "video.example"}, "http://video.example/files/"),
    ],
)
def test_location_is_what_the_outside_calls_us(server, headers, expected) -> None:
    answer = httpx.post(f"{server.url}/files", headers={**TUS, "Upload-Length": "1", **headers})
    assert answer.headers["location"].startswith(expected or f"{server.url}/files/")


def test_a_configured_address_wins(start_server: Callable) -> None:
    server = start_server(settings={"public_url": "https://v.example/app/"})
    answer = httpx.post(f"{server.url}/files", headers={**TUS, "Upload-Length": "1", "X-Forwarded-Host": "other"})
    assert answer.headers["location"].startswith("https://v.example/app/files/")


def test_a_connection_is_kept_after_a_refusal(server) -> None:
    with httpx.Client() as client:
        url = server.create(4)
        wrong = client.patch(url, content=b"x" * 3, headers={**TUS, **STREAM, "Upload-Offset": "1"})
        right = client.patch(url, content=b"abcd", headers={**TUS, **STREAM, "Upload-Offset": "0"})
    assert (wrong.status_code, right.status_code) == (409, 204)
