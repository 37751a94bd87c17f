from __future__ import annotations

import pytest

from rushes.ingest.protocol import (
    Append,
    Creation,
    ProtocolError,
    check_append,
    check_version,
    effective_method,
    expires,
    parse_append,
    parse_creation,
)

STREAM = {"content-type": "application/offset+octet-stream"}
LIMIT = 1000


def creation(**headers: str) -> Creation:
    return parse_creation({name.replace("_", "-"): value for name, value in headers.items()}, LIMIT)


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


def test_a_creation() -> None:
    made = creation(upload_length="7", upload_metadata="filename YQ==")
    assert made == Creation(length=7, metadata={"filename": b"a"}, raw_metadata="filename YQ==", body=False)


@pytest.mark.parametrize("length", ["", "-1", "+1", "1.5", "1e3", " ", "0x10", "1_0", "١٢", "9" * 41, "abc"])
def test_lengths_are_non_negative_integers(length: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        creation(upload_length=length)
    assert caught.value.status == 400


def test_a_missing_length_is_400() -> None:
    with pytest.raises(ProtocolError) as caught:
        creation()
    assert caught.value.status == 400


@pytest.mark.parametrize(("length", "status"), [("1000", 0), ("1001", 413), ("9" * 30, 413)])
def test_the_largest_size(length: str, status: int) -> None:
    if not status:
        assert creation(upload_length=length).length == LIMIT
        return
    with pytest.raises(ProtocolError) as caught:
        creation(upload_length=length)
    assert (caught.value.status, caught.value.code) == (status, "over_limit_bytes")


@pytest.mark.parametrize("headers", [{"upload_defer_length": "1"}, {"upload_concat": "partial", "upload_length": "5"}])
def test_extensions_that_are_not_offered_are_refused_not_ignored(headers: dict[str, str]) -> None:
    with pytest.raises(ProtocolError) as caught:
        creation(**headers)
    assert (caught.value.status, caught.value.code) == (400, "extension_unsupported")


@pytest.mark.parametrize("announced", [{"content_length": "5"}, {"transfer_encoding": "chunked"}])
def test_creation_with_upload_needs_the_content_type(announced: dict[str, str]) -> None:
    assert creation(upload_length="5", content_type=STREAM["content-type"], **announced).body
    with pytest.raises(ProtocolError) as caught:
        creation(upload_length="5", content_type="video/mp4", **announced)
    assert caught.value.status == 415


def test_the_content_type_does_not_matter_without_a_body() -> None:
    assert not creation(upload_length="5", content_length="0", content_type="text/plain").body


def test_a_creation_may_not_bring_more_than_it_declares() -> None:
    with pytest.raises(ProtocolError) as caught:
        creation(upload_length="5", content_length="6", **{"content_type": STREAM["content-type"]})
    assert caught.value.status == 413


@pytest.mark.parametrize(
    ("headers", "append"),
    [
        ({"upload-offset": "3", "content-length": "4"}, Append(3, 4)),
        ({"upload-offset": "0"}, Append(0, 0)),
        ({"upload-offset": "3", "transfer-encoding": "chunked"}, Append(3, None)),
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


@pytest.mark.parametrize("offset", ["", "-1", "ten"])
def test_an_append_without_a_proper_offset_is_400(offset: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        parse_append({**STREAM, "upload-offset": offset})
    assert caught.value.status == 400


@pytest.mark.parametrize("offset", [0, 4, 6, 99])
def test_a_wrong_offset_is_409_and_is_told_the_right_one(offset: int) -> None:
    with pytest.raises(ProtocolError) as caught:
        check_append(Append(offset, 1), offset=5, length=10)
    assert caught.value.status == 409
    assert caught.value.headers == {"Upload-Offset": "5"}


@pytest.mark.parametrize(("size", "fits"), [(5, True), (None, True), (0, True), (6, False)])
def test_an_append_may_not_announce_more_than_is_left(size: int | None, fits: bool) -> None:
    if fits:
        check_append(Append(5, size), offset=5, length=10)
        return
    with pytest.raises(ProtocolError) as caught:
        check_append(Append(5, size), offset=5, length=10)
    assert caught.value.status == 413


def test_expiry_is_an_http_date() -> None:
    assert expires(1_750_000_000) == "Sun, 15 Jun 2025 15:06:40 GMT"
