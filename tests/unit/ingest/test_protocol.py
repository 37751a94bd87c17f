from __future__ import annotations

import base64

import pytest

from rushes.errors import Refused
from rushes.ingest.checksum import Check
from rushes.ingest.metadata import MAX_HEADER
from rushes.ingest.protocol import (
    ALGORITHMS,
    MAX_PARTS,
    ProtocolError,
    check_singular,
    check_version,
    effective_method,
    expects_continue,
    expires,
    parse_append,
    parse_creation,
    parse_first_append,
)
from rushes.ingest.requests import Append, Creation, NotAppendable, TooLong
from rushes.keys import new_id

STREAM = {"content-type": "application/offset+octet-stream"}
BASE = "https://v.example/app/files"
A, B = new_id(1.0, 1), new_id(1.0, 2)
SHA1 = base64.b64encode(bytes(range(20))).decode()


def creation(**headers: str) -> Creation:
    return parse_creation({name.replace("_", "-"): value for name, value in headers.items()}, [BASE])


def refusal(**headers: str) -> ProtocolError:
    with pytest.raises(ProtocolError) as caught:
        creation(**headers)
    assert caught.value.status == 400
    return caught.value


@pytest.mark.parametrize("version", ["", "0.2.2", "1.0.1", "2.0.0"])
def test_another_version_is_412_and_is_told_ours(version: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        check_version({"tus-resumable": version})
    assert caught.value.status == 412
    assert caught.value.headers == {"Tus-Version": "1.0.0"}


def test_no_version_is_another_version() -> None:
    with pytest.raises(ProtocolError):
        check_version({})
    check_version({"tus-resumable": "1.0.0"})


@pytest.mark.parametrize("method", ["POST", "GET", "PUT", "HEAD", "PATCH"])
def test_the_override_replaces_every_verb(method: str) -> None:
    assert effective_method(method, {"x-http-method-override": "patch"}) == "PATCH"
    assert effective_method(method, {}) == method


@pytest.mark.parametrize(("value", "expected"), [("100-continue", True), ("100-Continue ", True), ("", False)])
def test_a_client_that_waits_to_be_asked_for_its_body(value: str, expected: bool) -> None:
    assert expects_continue({"expect": value}) is expected
    assert not expects_continue({})


@pytest.mark.parametrize("name", ["upload-length", "upload-offset", "upload-concat", "x-http-method-override"])
def test_what_comes_twice_is_refused(name: str) -> None:
    check_singular([name, "accept", "accept"])
    with pytest.raises(ProtocolError) as caught:
        check_singular(["host", name, name])
    assert (caught.value.status, caught.value.code) == (400, "bad_header")


# -- creation ---------------------------------------------------------------------------------------------------------


def test_a_creation() -> None:
    made = creation(upload_length="7", upload_metadata="filename YQ==")
    assert made == Creation(length=7, metadata={"filename": b"a"}, raw_metadata="filename YQ==", body=False)


@pytest.mark.parametrize("length", ["", "-1", "+1", "1.5", "1e3", " ", "0x10", "1_0", "١٢", "9" * 41, "abc", "7, 7"])
def test_lengths_are_non_negative_integers(length: str) -> None:
    assert refusal(upload_length=length).code == "bad_header"


def test_a_missing_length_is_400() -> None:
    assert refusal().code == "bad_header"


def test_a_huge_length_is_a_number_like_others() -> None:
    assert creation(upload_length="9" * 40).length == 10**40 - 1


def test_a_length_may_come_later() -> None:
    assert creation(upload_defer_length="1").length is None


@pytest.mark.parametrize("value", ["", "0", "2", "true", "1.0", "-1", "1,1"])
def test_deferring_a_length_has_one_word(value: str) -> None:
    assert refusal(upload_defer_length=value).code == "bad_header"


def test_a_length_is_given_or_deferred_not_both() -> None:
    assert refusal(upload_defer_length="1", upload_length="7").code == "bad_header"


@pytest.mark.parametrize("announced", [{"content_length": "5"}, {"transfer_encoding": "chunked"}])
def test_creation_with_upload_needs_the_content_type(announced: dict[str, str]) -> None:
    assert creation(upload_length="5", content_type=STREAM["content-type"], **announced).body
    with pytest.raises(ProtocolError) as caught:
        creation(upload_length="5", content_type="video/mp4", **announced)
    assert caught.value.status == 415


def test_the_content_type_does_not_matter_without_a_body() -> None:
    assert not creation(upload_length="5", content_length="0", content_type="text/plain").body


def test_a_creation_may_not_bring_more_than_it_declares() -> None:
    with pytest.raises(TooLong) as caught:
        creation(upload_length="5", content_length="6", **{"content_type": STREAM["content-type"]})
    assert caught.value.status == 413


def test_what_comes_with_a_creation_begins_at_the_beginning() -> None:
    headers = {"content-length": "5", "upload-checksum": f"sha1 {SHA1}"}
    append = parse_first_append(headers)
    assert (append.offset, append.size, append.length) == (0, 5, None)
    assert append.check is not None
    assert append.check.expected() == {"sha1": bytes(range(20))}
    assert parse_first_append({"transfer-encoding": "chunked"}) == Append(0, None)


def test_metadata_is_refused_beyond_its_bounds() -> None:
    with pytest.raises(Refused) as caught:
        creation(upload_length="1", upload_metadata="a" * (MAX_HEADER + 1))
    assert (caught.value.status, caught.value.code) == (431, "metadata_too_large")


# -- concatenation ----------------------------------------------------------------------------------------------------


def test_a_partial_upload_is_one_with_a_length_like_others() -> None:
    made = creation(upload_concat="partial", upload_length="5")
    assert (made.kind, made.length, made.parts, made.raw_concat) == ("part", 5, (), "partial")
    assert creation(upload_concat="partial", upload_defer_length="1").length is None


@pytest.mark.parametrize(
    "address",
    [
        f"{BASE}/{A}",
        f"HTTPS://V.Example/app/files/{A}",
        f"/app/files/{A}",
        A,
        f"./{A}",
        f"../files/{A}",
        f"//v.example/app/files/{A}",
        f"{BASE}/{A}?key=secret",
        f"{BASE}/{A}#x",
    ],
)
def test_parts_are_named_by_absolute_or_relative_addresses(address: str) -> None:
    assert creation(upload_concat=f"final;{address}").parts == (A,)


@pytest.mark.parametrize(
    "address",
    [
        f"https://other.example/app/files/{A}",
        f"http://v.example/app/files/{A}",
        f"https://v.example:8443/app/files/{A}",
        f"https://user@v.example/app/files/{A}",
        f"/files/{A}",
        f"{BASE}/{A}/",
        f"{BASE}/{A}/..",
        f"{BASE}/../files/x/{A}",
        f"{BASE}/{A.upper()}",
        f"{BASE}/%2e%2e/{A}",
        f"{BASE}/..%2f{A}",
        f"{BASE}/",
        BASE,
        "..",
        "/etc/passwd",
        "http://[",
        "file:///x",
        f"javascript:{A}",
        f"{BASE}/{A},{BASE}/{B}",
        f"{BASE}/{A};{BASE}/{B}",
        f"\x01{BASE}/{A}",
        f"{BASE}/{A}\x85{BASE}/{B}",
        f"{BASE}/{A}\r\nSet-Cookie: x",
    ],
)
def test_addresses_of_others_are_refused(address: str) -> None:
    assert refusal(upload_concat=f"final;{address}").code == "bad_concat"


def test_a_final_upload_has_its_parts_in_order_as_often_as_they_are_named() -> None:
    made = creation(upload_concat=f"final;{BASE}/{A} /app/files/{B}?key=x  {A}")
    assert (made.kind, made.length, made.parts) == ("joined", None, (A, B, A))
    assert made.raw_concat == f"final;{BASE}/{A} /app/files/{B} {A}"


def test_several_names_of_the_server_are_its_own() -> None:
    headers = {"upload-concat": f"final;http://10.0.0.1/files/{A} {BASE}/{B}"}
    assert parse_creation(headers, [BASE, "http://10.0.0.1/files"]).parts == (A, B)


@pytest.mark.parametrize(
    "value", ["", "final", "final;", "final; ", "Partial", "partial;", f"partial;{A}", "whole", f"final:{A}"]
)
def test_other_words_are_refused(value: str) -> None:
    assert refusal(upload_concat=value, upload_length="1").code == "bad_concat"


@pytest.mark.parametrize("extra", [{"upload_length": "5"}, {"upload_defer_length": "1"}])
def test_a_final_upload_says_no_length(extra: dict[str, str]) -> None:
    assert refusal(upload_concat=f"final;{BASE}/{A}", **extra).code == "bad_concat"


def test_a_final_upload_brings_no_bytes() -> None:
    with pytest.raises(NotAppendable) as caught:
        creation(upload_concat=f"final;{BASE}/{A}", content_length="5", content_type=STREAM["content-type"])
    assert caught.value.status == 403


def test_a_final_upload_has_so_many_parts_at_most() -> None:
    assert len(creation(upload_concat="final;" + " ".join([A] * MAX_PARTS)).parts) == MAX_PARTS
    assert refusal(upload_concat="final;" + " ".join([A] * (MAX_PARTS + 1))).code == "bad_concat"


# -- appending --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "append"),
    [
        ({"upload-offset": "3", "content-length": "4"}, Append(3, 4)),
        ({"upload-offset": "0"}, Append(0, 0)),
        ({"upload-offset": "3", "transfer-encoding": "chunked"}, Append(3, None)),
        ({"upload-offset": "3", "content-length": "4", "upload-length": "9"}, Append(3, 4, length=9)),
        ({"upload-offset": "3", "upload-defer-length": "1"}, Append(3, 0)),
    ],
)
def test_an_append(headers: dict[str, str], append: Append) -> None:
    assert parse_append({**STREAM, **headers}) == append


@pytest.mark.parametrize("content_type", ["", "application/octet-stream", "application/offset+octet-streams"])
def test_an_append_of_another_type_is_415(content_type: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        parse_append({"content-type": content_type, "upload-offset": "0"})
    assert caught.value.status == 415


def test_parameters_and_case_of_the_type_do_not_matter() -> None:
    append = parse_append({"content-type": "Application/Offset+Octet-Stream; charset=x", "upload-offset": "7"})
    assert append.offset == 7


@pytest.mark.parametrize(
    "headers",
    [
        {"upload-offset": ""},
        {"upload-offset": "-1"},
        {"upload-offset": "ten"},
        {"upload-offset": "1", "upload-length": "-1"},
        {"upload-offset": "1", "upload-length": "x"},
        {"upload-offset": "1", "upload-defer-length": "0"},
        {"upload-offset": "1", "content-length": "1e3"},
    ],
)
def test_an_append_with_improper_numbers_is_400(headers: dict[str, str]) -> None:
    with pytest.raises(ProtocolError) as caught:
        parse_append({**STREAM, **headers})
    assert (caught.value.status, caught.value.code) == (400, "bad_header")


def test_expiry_is_an_http_date() -> None:
    assert expires(1_750_000_000) == "Sun, 15 Jun 2025 15:06:40 GMT"


# -- checksums --------------------------------------------------------------------------------------------------------


def check_of(trailers: list[tuple[bytes, bytes]] | None = None, **headers: str) -> Check | None:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return parse_append(
        {**STREAM, "upload-offset": "0", **given}, (lambda: trailers) if trailers is not None else None
    ).check


@pytest.mark.parametrize(("algorithm", "size"), [("sha1", 20), ("sha256", 32), ("md5", 16), ("crc32c", 4)])
def test_a_checksum_of_each_algorithm(algorithm: str, size: int) -> None:
    check = check_of(upload_checksum=f"{algorithm} {base64.b64encode(bytes(size)).decode()}")
    assert check is not None
    assert check.expected() == {algorithm: bytes(size)}


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (f"SHA1 {SHA1}", "checksum_unsupported"),
        (f"sha512 {SHA1}", "checksum_unsupported"),
        (f"crc32 {SHA1}", "checksum_unsupported"),
        ("", "checksum_unsupported"),
        (SHA1, "checksum_unsupported"),
        ("sha1", "bad_header"),
        ("sha1 ", "bad_header"),
        ("sha1 !!!!", "bad_header"),
        ("sha1 YWJj", "bad_header"),
        (f"md5 {SHA1}", "bad_header"),
        (f"sha1 {SHA1} {SHA1}", "bad_header"),
    ],
)
def test_a_checksum_that_cannot_be_read_is_400(value: str, code: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        check_of(upload_checksum=value)
    assert (caught.value.status, caught.value.code) == (400, code)


def test_a_checksum_may_come_behind_the_body() -> None:
    trailers: list[tuple[bytes, bytes]] = []
    check = check_of(trailers, trailer="X-Other, Upload-Checksum", transfer_encoding="chunked")
    # Given a body whose checksum may be of any kind / When it has come
    assert check is not None
    assert check.algorithms == ALGORITHMS
    trailers.append((b"upload-checksum", f"sha1 {SHA1}".encode()))
    # Then it is known which
    assert check.expected() == {"sha1": bytes(range(20))}


@pytest.mark.parametrize(
    ("trailers", "code"),
    [
        ([], "checksum_missing"),
        ([(b"x-other", b"sha1 x")], "checksum_missing"),
        ([(b"upload-checksum", b"sha1 \xff")], "bad_header"),
        ([(b"upload-checksum", b"crc64 YQ==")], "checksum_unsupported"),
    ],
)
def test_a_trailer_that_is_announced_and_wrong_is_400(trailers: list[tuple[bytes, bytes]], code: str) -> None:
    check = check_of(trailers, trailer="upload-checksum")
    assert check is not None
    with pytest.raises(ProtocolError) as caught:
        check.expected()
    assert (caught.value.status, caught.value.code) == (400, code)


def test_a_trailer_is_refused_where_no_server_can_read_it() -> None:
    with pytest.raises(ProtocolError) as caught:
        check_of(trailer="Upload-Checksum")
    assert caught.value.code == "trailers_unsupported"


def test_without_a_checksum_there_is_nothing_to_check() -> None:
    assert check_of() is None
    assert check_of([], trailer="X-Other") is None
