"""The IETF's resumable uploads on real connections: in the order in which `URLSession` asks, by hand, and by curl.

An upload task of iOS sends the whole file with `Upload-Complete: ?1` (iOS 17: `Upload-Incomplete: ?0`), remembers the
Location of the 104, and after a break asks by HEAD and goes on by PATCH from the offset that it is told.
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
import select
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.integration.ingest.conftest import TUS, Server, wait_for
from tests.integration.ingest.limited import Limited
from tests.integration.ingest.wire import Answer, Wire, chunk

PARTIAL = "application/partial-upload"
PROBLEM = "https://iana.org/assignments/http-problem-types#"
VERSIONS = (3, 4, 5, 6, 7, 8)
FILE = {"Content-Type": "video/mp4", "Content-Disposition": 'inline; filename="sea lion.mp4"'}


def interop(version: int) -> dict[str, str]:
    return {"Upload-Draft-Interop-Version": str(version)}


def saying(version: int, *, complete: bool) -> dict[str, str]:
    if version == 3:
        return {"Upload-Incomplete": "?0" if complete else "?1"}
    return {"Upload-Complete": "?1" if complete else "?0"}


def is_complete(answer: Answer) -> bool:
    found = answer.headers.get("upload-complete") or {"?0": "?1", "?1": "?0"}[answer.headers["upload-incomplete"]]
    return found == "?1"


def noise(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


class Phone:
    """A client of one version. Every request has a connection of its own, unless it is left open."""

    def __init__(self, server: Server | Limited, version: int = 8, *, place: str = "/files", **headers: str) -> None:
        self.server, self.version, self.headers = server, version, {**interop(version), **headers}
        self.place = place
        """Where it creates."""
        self.sent = 0
        """Bytes of bodies."""

    def ask(self, method: str, url: str, body: bytes = b"", **headers: str) -> Answer:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        with Wire(self.server.url) as wire:
            wire.request(method, url, {**self.headers, "Content-Length": str(len(body)), **given}, body)
            return wire.final(bodiless=method == "HEAD")[0]

    def begin(self, size: int, body: bytes = b"", *, complete: bool = True, **headers: str) -> tuple[Wire, str]:
        """The creation, with as much of its content as is given, and the Location of its 104."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        wire = Wire(self.server.url)
        all_headers = {**self.headers, **FILE, "Content-Length": str(size), **saying(self.version, complete=complete)}
        wire.request("POST", self.place, {**all_headers, **given}, body)
        self.sent += len(body)
        first = wire.answer()
        assert first.status == 104, first
        return wire, first.headers["location"]

    def create(self, body: bytes = b"", *, complete: bool = False, **headers: str) -> tuple[Answer, str]:
        """A creation to its end."""
        wire, url = self.begin(len(body), body, complete=complete, **headers)
        with wire:
            return wire.final()[0], url

    def head(self, url: str) -> Answer:
        return self.ask("HEAD", url)

    def patch(self, url: str, offset: int, body: bytes = b"", *, complete: bool = True, **headers: str) -> Answer:
        wire = self.start_patch(url, offset, len(body), body, complete=complete, **headers)
        with wire:
            return wire.final()[0]

    def start_patch(
        self, url: str, offset: int, size: int, body: bytes = b"", *, complete: bool = True, **headers: str
    ) -> Wire:
        media_type = {"Content-Type": PARTIAL} if self.version >= 6 else {}
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        wire = Wire(self.server.url)
        state = {"Upload-Offset": str(offset), **saying(self.version, complete=complete)}
        wire.request("PATCH", url, {**self.headers, "Content-Length": str(size), **media_type, **state, **given}, body)
        self.sent += len(body)
        return wire


@pytest.fixture
def phone(shared_server: Server) -> Phone:
    return Phone(shared_server)


def problem(answer: Answer) -> dict[str, object]:
    assert answer.headers["content-type"] == "application/problem+json"
    found: dict[str, object] = json.loads(answer.body)
    assert found["status"] == answer.status
    return found


def stores(server: Server, url: str, size: int) -> Callable[[], bool]:
    return lambda: server.stored(url) == size


# -- as iOS does it ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_an_upload_task_survives_cuts_and_sends_nothing_twice(shared_server: Server, version: int):
    data, phone, cuts = noise(300_000, version), Phone(shared_server, version), random.Random(version)
    first = cuts.randrange(1, 200_000)
    wire, url = phone.begin(len(data), data[:first])
    wire.close()
    wait_for(stores(shared_server, url, first), "what was sent before the cut")

    found = phone.head(url)
    assert (found.status, found.offset, is_complete(found)) == (204, first, False)
    assert found.headers["cache-control"] == "no-store"
    assert found.headers["upload-length"] == str(len(data))
    second = first + cuts.randrange(1, 90_000)
    wire = phone.start_patch(url, first, len(data) - first, data[first:second])
    wire.close()
    wait_for(stores(shared_server, url, second), "what was sent before the second cut")

    assert phone.head(url).offset == second
    last = phone.patch(url, second, data[second:])
    assert (last.status, last.offset, is_complete(last)) == (201, len(data), True)
    assert phone.sent == len(data)
    assert shared_server.source_sha(last.headers["rushes-asset"]) == hashlib.sha256(data).hexdigest()
    assert is_complete(phone.head(url))
    assert phone.head(url).headers["rushes-asset"] == last.headers["rushes-asset"]


@pytest.mark.parametrize("version", VERSIONS)
def test_an_upload_that_is_not_cut_takes_one_request(shared_server: Server, version: int):
    data, phone = noise(1000), Phone(shared_server, version)
    wire, url = phone.begin(len(data))
    with wire:
        wire.send(data)  # only after the 104
        last = wire.answer()
    assert (last.status, last.headers["location"], last.offset, is_complete(last)) == (201, url, len(data), True)
    assert last.headers["upload-draft-interop-version"] == str(version)
    asset = shared_server.asset(last.headers["rushes-asset"])
    assert (asset["title"], asset["metadata"]["filetype"]) == ("sea lion.mp4", "video/mp4")


@pytest.mark.parametrize(("version", "limit"), [(3, None), (5, None), (6, "expires"), (7, "max-age"), (8, "max-age")])
def test_the_104_has_its_version_and_the_limits_of_it(shared_server: Server, version: int, limit: str | None):
    with Wire(shared_server.url) as wire:
        wire.request("POST", "/files", {**interop(version), **saying(version, complete=True), "Content-Length": "1"})
        first = wire.answer()
    assert (first.status, first.headers["upload-draft-interop-version"]) == (104, str(version))
    limits = dict(item.split("=") for item in first.headers.get("upload-limit", "").split(", ") if item)
    assert set(limits) == ({"max-size", limit} if limit else set())


def test_a_continue_is_sent_to_who_expects_it_after_the_104(phone: Phone):
    wire, _ = phone.begin(5, Expect="100-continue")
    with wire:
        assert wire.answer().status == 100
        wire.send(b"hello")
        assert wire.answer().status == 201


@pytest.mark.parametrize("headers", [{}, interop(2), interop(9), {"Upload-Draft-Interop-Version": "x"}])
def test_who_does_not_name_our_version_gets_no_interim_response(shared_server: Server, headers: dict[str, str]):
    with Wire(shared_server.url) as wire:
        wire.request("POST", "/files", {**headers, "Upload-Complete": "?0", "Content-Length": "5"}, b"hello")
        final, interim = wire.final()
    assert (final.status, interim, final.offset, is_complete(final)) == (201, [], 5, False)
    assert "upload-draft-interop-version" not in final.headers
    ours = Phone(shared_server)
    assert ours.patch(final.headers["location"], 5, b"!").status == 201


def test_behind_a_proxy_that_cannot_pass_them_on_there_are_no_interim_responses(start_server: Callable[..., Server]):
    server = start_server(settings={"interim_responses": False})
    with Wire(server.url) as wire:
        wire.request(
            "POST", "/files", {**interop(3), **FILE, "Upload-Incomplete": "?0", "Content-Length": "5"}, b"hello"
        )
        final, interim = wire.final()
    assert (final.status, interim, final.headers["upload-incomplete"]) == (201, [], "?0")
    assert final.headers["upload-draft-interop-version"] == "3"


def test_progress_is_told_without_location_and_what_was_told_is_kept(server: Server):
    phone, piece = Phone(server), noise(256 * 1024)
    wire, url = phone.begin(2**40 // 1000, piece)

    def is_told() -> bool:
        """Send on until something comes back."""
        wire.send(piece)
        return bool(select.select([wire.socket], [], [], 0)[0])

    wait_for(is_told, "progress")
    told = wire.answer()
    server.kill()
    wire.close()
    server.start()
    assert (told.status, set(told.headers)) == (104, {"upload-draft-interop-version", "upload-offset"})
    assert phone.head(url).offset >= told.offset > 0


# -- two requests at once ---------------------------------------------------------------------------------------------


def test_a_newer_request_ends_an_older_one_that_hangs(shared_server: Server, phone: Phone):
    data = noise(200_000)
    old, url = phone.begin(len(data), data[:50_000])
    with old:
        at = phone.head(url).offset
        assert at <= 50_000
        ended, _ = old.final()
        assert (ended.status, ended.headers["connection"], is_complete(ended)) == (503, "close", False)
        assert old.is_closed()
    with phone.start_patch(url, at, len(data) - at, data[at:60_000], Expect="100-continue") as second:
        assert second.answer().status == 100, "it has not begun to receive"
        assert phone.patch(url, len(data)).status == 409, "the offset cannot be the end"
        assert second.final()[0].status == 503
    at = phone.head(url).offset
    last = phone.patch(url, at, data[at:])
    assert (last.status, is_complete(last)) == (201, True)
    assert shared_server.source_sha(last.headers["rushes-asset"]) == hashlib.sha256(data).hexdigest()


def test_a_cancellation_ends_the_request_that_runs(shared_server: Server, phone: Phone):
    old, url = phone.begin(100_000, noise(1000))
    with old:
        assert phone.ask("DELETE", url).status == 204
        assert old.final()[0].status >= 400
    assert phone.head(url).status == 404
    assert phone.patch(url, 1000, b"more").status == 404


# -- a series of parts, and lengths -----------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_a_file_may_come_in_parts_without_a_length(shared_server: Server, version: int):
    phone = Phone(shared_server, version)
    created, url = phone.create()
    assert (created.status, created.offset, is_complete(created)) == (201, 0, False)
    assert created.headers["location"] == url
    middle = phone.patch(url, 0, b"hello ", complete=False)
    assert (middle.status, middle.offset, is_complete(middle)) == (204 if version > 6 else 201, 6, False)
    assert "upload-length" not in phone.head(url).headers
    last = phone.patch(url, 6, b"world")
    assert (last.status, last.offset, is_complete(last)) == (201, 11, True)
    assert phone.head(url).headers["upload-length"] == "11"
    digest = hashlib.sha256(b"hello world").hexdigest()
    assert shared_server.source_sha(last.headers["rushes-asset"]) == digest


def test_only_the_client_says_when_an_upload_is_complete(phone: Phone):
    created, url = phone.create(b"hello", Upload_Length="5")
    assert (created.status, is_complete(created)) == (201, False)
    found = phone.head(url)
    assert (found.offset, found.headers["upload-length"], is_complete(found)) == (5, "5", False)
    last = phone.patch(url, 5)
    assert (last.status, is_complete(last)) == (201, True)


def test_a_stream_of_unknown_length_is_complete_when_it_ends(shared_server: Server, phone: Phone):
    chunked = {**phone.headers, **FILE, "Upload-Complete": "?1", "Transfer-Encoding": "chunked"}
    with Wire(shared_server.url) as wire:
        wire.request("POST", "/files", chunked, chunk(b"hello "))
        assert wire.answer().status == 104
        wire.send(chunk(b"world") + b"0\r\n\r\n")
        last, _ = wire.final()
    assert (last.status, last.offset, is_complete(last)) == (201, 11, True)


def test_a_stream_that_breaks_off_is_not_complete(shared_server: Server, phone: Phone):
    chunked = {**phone.headers, **FILE, "Upload-Complete": "?1", "Transfer-Encoding": "chunked"}
    with Wire(shared_server.url) as wire:
        wire.request("POST", "/files", chunked, chunk(b"hello "))
        url = wire.answer().headers["location"]
    wait_for(stores(shared_server, url, 6), "the first chunk")
    found = phone.head(url)
    assert (found.offset, is_complete(found)) == (6, False)
    assert phone.patch(url, 6, b"world").status == 201


def test_an_empty_file_is_complete_at_once(phone: Phone):
    created, _ = phone.create(complete=True)
    assert (created.status, created.offset, is_complete(created)) == (201, 0, True)


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_other_methods_create_too(phone: Phone, method: str):
    created = phone.ask(method, "/files", b"hello", Upload_Complete="?1")
    assert (created.status, is_complete(created)) == (201, True)


# -- between the protocols --------------------------------------------------------------------------------------------


def test_an_upload_of_tus_goes_on_by_this_protocol(shared_server: Server, phone: Phone):
    url = shared_server.create(10)
    assert shared_server.patch(url, 0, b"hello").status_code == 204
    found = phone.head(url)
    assert (found.offset, found.headers["upload-length"], is_complete(found)) == (5, "10", False)
    last = phone.patch(url, 5, b"world")
    assert (last.status, is_complete(last)) == (201, True)
    assert shared_server.offset(url) == 10


def test_an_upload_of_this_protocol_goes_on_by_tus(shared_server: Server, phone: Phone):
    _, url = phone.create(b"hello", Upload_Length="10")
    head = shared_server.head(url)
    assert (head.headers["upload-offset"], head.headers["upload-length"]) == ("5", "10")
    name = base64.b64encode(b"sea lion.mp4").decode()
    assert f"filename {name}" in head.headers["upload-metadata"]
    assert shared_server.patch(url, 5, b"world").status_code == 204
    assert is_complete(phone.head(url))


# -- problems ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_a_wrong_offset_is_told_the_right_one(shared_server: Server, version: int):
    phone = Phone(shared_server, version)
    _, url = phone.create(b"hello")
    refused = phone.patch(url, 3, b"world")
    assert (refused.status, refused.offset, is_complete(refused)) == (409, 5, False)
    found = problem(refused)
    assert found["type"] == f"{PROBLEM}mismatching-upload-offset"
    assert (found["expected-offset"], found["provided-offset"], found["code"]) == (5, 3, "offset_mismatch")
    assert phone.patch(url, 5, b"world").status == 201


def test_lengths_that_disagree_are_a_problem_of_their_own(phone: Phone):
    wrong = phone.ask("POST", "/files", b"hello", Upload_Complete="?1", Upload_Length="6")
    assert (wrong.status, problem(wrong)["type"]) == (400, f"{PROBLEM}inconsistent-upload-length")
    _, url = phone.create(b"hello", Upload_Length="10")
    for body, headers in ((b"wor", {}), (b"world!", {}), (b"wor", {"Upload_Length": "8"})):
        refused = phone.patch(url, 5, body, **headers)
        assert (refused.status, problem(refused)["type"]) == (400, f"{PROBLEM}inconsistent-upload-length")
        assert not is_complete(refused)
    assert phone.patch(url, 5, b"world").status == 201


def test_a_complete_upload_takes_nothing_more(phone: Phone):
    _, url = phone.create(b"hello", complete=True)
    again = phone.patch(url, 5)
    assert (again.status, problem(again)["type"]) == (400, f"{PROBLEM}completed-upload")
    more = phone.patch(url, 5, b"!")
    assert (more.status, problem(more)["type"]) == (400, f"{PROBLEM}inconsistent-upload-length")
    assert phone.patch(url, 0, b"hello").status == 409
    assert (phone.head(url).offset, phone.ask("DELETE", url).status) == (5, 204)
    assert phone.head(url).status == 404


@pytest.mark.parametrize(("version", "status"), [(6, 204), (7, 404), (8, 404)])
def test_a_stream_that_outgrows_its_length_is_refused_and_given_up_since_interop_7(
    shared_server: Server, version: int, status: int
):
    phone = Phone(shared_server, version)
    _, url = phone.create(b"hello", Upload_Length="10")
    state = {"Content-Type": PARTIAL, "Upload-Offset": "5", "Upload-Complete": "?1", "Transfer-Encoding": "chunked"}
    with Wire(shared_server.url) as wire:
        wire.request("PATCH", url, {**phone.headers, **state}, chunk(b"far too long") + b"0\r\n\r\n")
        refused, _ = wire.final()
    assert (refused.status, problem(refused)["type"]) == (400, f"{PROBLEM}inconsistent-upload-length")
    assert phone.head(url).status == status


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Content_Type": "video/mp4"}, 415, "bad_content_type"),
        ({"Upload_Offset": "-5"}, 400, "bad_header"),
        ({"Upload_Offset": "abc"}, 400, "bad_header"),
        ({"Upload_Complete": "yes"}, 400, "bad_header"),
        ({"Content_Encoding": "gzip"}, 415, "bad_content_encoding"),
        ({"X_Test_Tenant": "somebody"}, 404, "upload_not_found"),
    ],
)
def test_bad_appends_change_nothing(phone: Phone, headers: dict[str, str], status: int, code: str):
    _, url = phone.create(b"hello")
    refused = phone.patch(url, 5, b"world", **headers)
    assert (refused.status, problem(refused)["code"]) == (status, code)
    assert refused.headers.get("accept-patch") == (PARTIAL if code == "bad_content_type" else None)
    assert phone.head(url).offset == 5


def test_a_file_that_is_too_large_is_told_the_limit(phone: Phone):
    with Wire(phone.server.url) as wire:
        headers = {**phone.headers, "Upload-Complete": "?1", "Content-Length": "99999999999999"}
        wire.request("POST", "/files", headers)
        refused, interim = wire.final()
    assert (refused.status, problem(refused)["code"], interim) == (413, "over_limit_bytes", [])
    assert refused.headers["upload-limit"].startswith("max-size=20000000000")


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/files", 405, "POST, PUT, PATCH, OPTIONS"),
        ("DELETE", "/files", 405, "POST, PUT, PATCH, OPTIONS"),
        ("POST", "/files/0123456789abcdefghjkmnpqrs", 405, "HEAD, PATCH, DELETE, OPTIONS"),
        ("HEAD", "/files/0123456789abcdefghjkmnpqrs", 404, None),
        ("HEAD", "/files/%2e%2e%2fsecret", 404, None),
    ],
)
def test_what_is_not_there_and_what_is_not_possible(
    phone: Phone, method: str, path: str, status: int, allow: str | None
):
    refused = phone.ask(method, path)
    assert (refused.status, refused.headers.get("allow")) == (status, allow)


def test_state_headers_have_no_place_on_head_and_delete_up_to_interop_5(shared_server: Server):
    old, new = Phone(shared_server, 5), Phone(shared_server, 6)
    _, url = new.create(b"hello")
    for method in ("HEAD", "DELETE"):
        assert old.ask(method, url, Upload_Complete="?0").status == 400
    assert new.ask("HEAD", url, Upload_Complete="?0").status == 204


def test_options_tell_what_is_possible_by_either_protocol(shared_server: Server):
    for headers in ({}, interop(8)):
        found = httpx.options(f"{shared_server.url}/files", headers=headers)
        assert found.headers["accept-patch"] == PARTIAL
        assert found.headers["upload-limit"].startswith("max-size=20000000000, max-age=")
        assert found.headers["tus-version"] == TUS["Tus-Resumable"]


# -- one-time addresses -----------------------------------------------------------------------------------------------


def test_an_upload_by_a_one_time_address_is_resumed_without_any_key(tmp_path: Path):
    with Limited(tmp_path / "data").running() as house:
        phone = Phone(house, place=house.address(count=1, max_bytes=1000)["url"])
        wire, url = phone.begin(10, b"hello")
        wire.close()
        wait_for(lambda: phone.head(url).offset == 5, "what was sent before the cut")
        # A creation that is sent once more, because its 104 was lost, leads to the same upload
        again, same = phone.begin(10, b"helloworld")
        with again:
            refused, _ = again.final()
        assert (same, refused.status, problem(refused)["code"]) == (url, 503, "upload_begun")
        assert phone.head(url.partition("?")[0]).status == 401
        last = phone.patch(url, 5, b"world")
        assert (last.status, is_complete(last)) == (201, True)


def test_the_limit_of_a_one_time_address_is_told(tmp_path: Path):
    with Limited(tmp_path / "data").running() as house:
        phone = Phone(house, place=house.address(max_bytes=1000)["url"])
        refused = phone.ask("POST", phone.place, b"x" * 1001, Upload_Complete="?1")
        assert (refused.status, problem(refused)["code"]) == (413, "over_limit_bytes")
        assert refused.headers["upload-limit"].startswith("max-size=1000, ")
        wire, _ = phone.begin(1000)
        wire.close()


# -- digests ----------------------------------------------------------------------------------------------------------


def digest(data: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"


def test_content_with_another_digest_is_discarded(phone: Phone):
    created, url = phone.create(b"hello", Content_Digest=digest(b"hello"))
    assert created.offset == 5
    refused = phone.patch(url, 5, b"wOrld", complete=False, Content_Digest=digest(b"world"))
    assert (refused.status, problem(refused)["type"]) == (400, f"{PROBLEM}digest-mismatching-values")
    assert problem(refused)["mismatching-digests"] == [
        {"algorithm": "sha-256", "provided-digest": digest(b"world")[8:], "header": "Content-Digest"}
    ]
    assert phone.head(url).offset == 5
    assert phone.patch(url, 5, b"world", Content_Digest=digest(b"world")).status == 201


def test_a_digest_that_we_cannot_check_is_not_passed_over(phone: Phone):
    refused = phone.ask("POST", "/files", b"hello", Upload_Complete="?1", Content_Digest="adler=:AAAAAA==:")
    assert problem(refused)["type"] == f"{PROBLEM}digest-unsupported-algorithms"
    assert (refused.status, refused.headers["want-content-digest"]) == (400, "sha-256=10, sha-512=9")


def test_a_file_is_compared_with_its_digest_when_it_is_complete(shared_server: Server, phone: Phone):
    _, url = phone.create(b"hello ", Repr_Digest=digest(b"hello world"))
    assert phone.patch(url, 6, b"world").status == 201
    _, url = phone.create(b"hello ", Repr_Digest=digest(b"hello world"))
    asset = phone.head(url).headers["rushes-asset"]
    refused = phone.patch(url, 6, b"wOrld")
    found = problem(refused)
    assert (refused.status, found["type"], is_complete(refused)) == (400, f"{PROBLEM}digest-mismatching-values", True)
    assert phone.head(url).status == 404
    failed = shared_server.asset(asset)
    assert (failed["state"], failed["reason"]["code"], failed["source"]) == ("failed", "digest_mismatch", None)
    assert shared_server.stored(url) == -1


def test_who_wants_the_digest_of_the_file_is_told_when_it_is_complete(phone: Phone):
    created, _ = phone.create(b"hello", complete=True, Want_Repr_Digest="sha-256=1, md5=9")
    assert created.headers["repr-digest"] == digest(b"hello")
    created, url = phone.create(b"hello ", Want_Repr_Digest="sha-256=1")
    assert "repr-digest" not in created.headers
    assert phone.patch(url, 6, b"world").headers["repr-digest"] == digest(b"hello world")
    _, url = phone.create(b"hello ")
    assert phone.patch(url, 6, b"world", Want_Repr_Digest="sha-256=1").headers["repr-digest"] == digest(b"hello world")


# -- curl -------------------------------------------------------------------------------------------------------------


def curl(*arguments: str) -> str:
    return subprocess.run(
        ["curl", "-sS", "-i", "-m", "20", *arguments], capture_output=True, check=True
    ).stdout.decode()


def test_curl_uploads_looks_and_goes_on(shared_server: Server, tmp_path: Path):
    data = noise(500_000)
    (tmp_path / "first").write_bytes(data[:200_000])
    (tmp_path / "rest").write_bytes(data[200_000:])
    version, url = ["-H", "Upload-Draft-Interop-Version: 8"], f"{shared_server.url}/files"
    first = ["-H", "Upload-Complete: ?0", "-H", "Content-Type: video/mp4", "-H", f"Upload-Length: {len(data)}"]
    created = curl(*version, *first, "--data-binary", f"@{tmp_path / 'first'}", url)
    assert created.startswith("HTTP/1.1 104 Upload Resumption Supported\r\n")
    place = next(line.split(" ", 1)[1] for line in created.splitlines() if line.lower().startswith("location:"))
    assert "upload-offset: 200000\r\n" in curl(*version, "--head", place).lower()
    more = ["-H", f"Content-Type: {PARTIAL}", "-H", "Upload-Offset: 200000", "-H", "Upload-Complete: ?1"]
    ended = curl(*version, *more, "-X", "PATCH", "-T", str(tmp_path / "rest"), place).lower()
    assert "upload-complete: ?1\r\n" in ended
    asset = next(line.split(" ")[1] for line in ended.splitlines() if line.startswith("rushes-asset:"))
    assert shared_server.source_sha(asset) == hashlib.sha256(data).hexdigest()
