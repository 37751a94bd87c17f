"""The rules of the IETF's resumable uploads, one interop version after the other."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest

from rushes.errors import RushesError
from rushes.ingest.ietf import (
    PARTIAL,
    VERSIONS,
    Dialect,
    Limits,
    capabilities,
    check_bare,
    is_ietf,
    parse_append,
    parse_creation,
)

EVERY = list(VERSIONS)
LIMITS = Limits(max_size=1000, max_age=60.5)
FILE = {"content-type": "video/mp4", "content-disposition": 'inline; filename="a.mp4"'}


def dialect(version: int) -> Dialect:
    return Dialect(version, agreed=True)


def saying(version: int, *, complete: bool) -> dict[str, str]:
    """What a client of that version sends."""
    if version == 3:
        return {} if complete else {"upload-incomplete": "?1"}
    return {"upload-complete": "?1" if complete else "?0"}


def appending(version: int, *, complete: bool, **headers: str) -> dict[str, str]:
    media_type = {"content-type": PARTIAL} if version >= 6 else {}
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    return {"upload-offset": "10", "content-length": "5", **media_type, **saying(version, complete=complete), **more}


def refused(parse: Any, headers: dict[str, str], version: int) -> tuple[int, str]:
    with pytest.raises(RushesError) as caught:
        parse(headers, dialect(version))
    return caught.value.status, caught.value.code


# -- which protocol, which version ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"upload-draft-interop-version": "8"},
        {"upload-complete": "?1"},
        {"upload-incomplete": "?0"},
        {"content-type": f"{PARTIAL}; a=b"},
    ],
)
def test_a_request_of_this_protocol_is_known_by_its_headers(headers: dict[str, str]):
    assert is_ietf(headers)
    assert not is_ietf({**headers, "tus-resumable": "1.0.0"})


@pytest.mark.parametrize("headers", [{}, {"content-type": "video/mp4"}, {"upload-offset": "0"}])
def test_others_are_not_taken_for_it(headers: dict[str, str]):
    assert not is_ietf(headers)


@pytest.mark.parametrize("version", EVERY)
def test_our_versions_are_agreed_and_echoed(version: int):
    found = Dialect.of({"upload-draft-interop-version": str(version)})
    assert (found.version, found.agreed) == (version, True)
    assert found.echo() == {"Upload-Draft-Interop-Version": str(version)}


@pytest.mark.parametrize("given", [None, "2", "9", "-3", "3.0", "6, 6", "x"])
def test_another_version_or_none_gets_the_latest_rules_and_no_interim_responses(given: str | None):
    found = Dialect.of({"upload-draft-interop-version": given} if given else {})
    assert (found.version, found.agreed, found.echo()) == (8, False, {})


# -- creation ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", EVERY)
def test_a_file_in_one_request_has_the_length_of_its_content(version: int):
    found = parse_creation({**FILE, **saying(version, complete=True), "content-length": "15"}, dialect(version))
    assert (found.creation.length, found.creation.body) == (15, True)
    assert (found.append.offset, found.append.size, found.append.complete) == (0, 15, True)


@pytest.mark.parametrize("version", EVERY)
def test_the_first_part_of_a_file_leaves_the_length_open(version: int):
    found = parse_creation({**FILE, **saying(version, complete=False), "content-length": "15"}, dialect(version))
    assert (found.creation.length, found.append.size, found.append.complete) == (None, 15, False)


def test_upload_length_says_it_early():
    headers = {"upload-complete": "?0", "content-length": "15", "upload-length": "20"}
    assert parse_creation(headers, dialect(8)).creation.length == 20


def test_chunked_content_has_no_size():
    found = parse_creation({"upload-complete": "?1", "transfer-encoding": "chunked"}, dialect(8))
    assert (found.creation.length, found.creation.body, found.append.size) == (None, True, None)
    headers = {"upload-complete": "?1", "transfer-encoding": "chunked", "upload-length": "7"}
    assert parse_creation(headers, dialect(8)).creation.length == 7


def test_a_creation_may_be_empty():
    careful = parse_creation({"upload-complete": "?0", "upload-length": "20"}, dialect(8))
    assert (careful.creation.length, careful.creation.body, careful.append.size) == (20, False, 0)
    empty = parse_creation({"upload-complete": "?1", "content-length": "0"}, dialect(8))
    assert (empty.creation.length, empty.creation.body) == (0, False)


def test_a_size_of_many_digits_is_not_taken_for_none():
    found = parse_creation({"upload-complete": "?1", "content-length": "9" * 20}, dialect(8))
    assert found.creation.length == int("9" * 20)


@pytest.mark.parametrize(("said", "complete"), [("14", "?1"), ("16", "?1"), ("14", "?0")])
def test_two_lengths_that_disagree_are_refused(said: str, complete: str):
    headers = {"upload-complete": complete, "content-length": "15", "upload-length": said}
    assert refused(parse_creation, headers, 8) == (400, "length_mismatch")


@pytest.mark.parametrize("said", ["-1", "abc", "1.5", "1000000000000000", "5, 5"])
def test_an_upload_length_that_is_none_is_ignored(said: str):
    headers = {"upload-complete": "?1", "content-length": "15", "upload-length": said}
    assert parse_creation(headers, dialect(8)).creation.length == 15


@pytest.mark.parametrize("version", [4, 5, 6, 7, 8])
@pytest.mark.parametrize("given", [None, "1", "true", "?2"])
def test_who_does_not_say_whether_this_is_all_is_refused(version: int, given: str | None):
    headers = {"content-length": "15", **({"upload-complete": given} if given else {})}
    assert refused(parse_creation, headers, version) == (400, "bad_header")


def test_interop_3_is_complete_unless_it_says_otherwise():
    for headers, complete in (({}, True), ({"upload-incomplete": "?0"}, True), ({"upload-incomplete": "?1"}, False)):
        assert parse_creation({**headers, "content-length": "1"}, dialect(3)).append.complete is complete


@pytest.mark.parametrize("given", ["1", "true", "?2", ""])
def test_interop_3_too_takes_nothing_but_a_boolean(given: str):
    assert refused(parse_creation, {"upload-incomplete": given, "content-length": "1"}, 3) == (400, "bad_header")
    assert refused(parse_append, {"upload-incomplete": given, "upload-offset": "0"}, 3) == (400, "bad_header")


def test_the_words_of_another_version_do_not_count():
    assert refused(parse_creation, {"upload-incomplete": "?1", "content-length": "1"}, 4) == (400, "bad_header")
    assert parse_creation({"upload-complete": "?0", "content-length": "1"}, dialect(3)).append.complete is True


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"upload-offset": "5"}, 400, "bad_header"),
        ({"content-type": "multipart/form-data; boundary=x"}, 415, "bad_content_type"),
        ({"content-encoding": "gzip"}, 415, "bad_content_encoding"),
        ({"content-digest": "sha-256=abc"}, 400, "digest_invalid_values"),
        ({"content-digest": "nonsense="}, 400, "bad_header"),
        ({"repr-digest": "unixsum=:AAAA:"}, 400, "digest_unsupported_algorithms"),
        ({"upload-metadata": "a b c"}, 400, "bad_metadata"),
    ],
)
def test_bad_creations_are_refused(headers: dict[str, str], status: int, code: str):
    given = {"upload-complete": "?1", "content-length": "1", **headers}
    assert refused(parse_creation, given, 8) == (status, code)


def test_offset_0_and_the_identity_coding_say_nothing_new():
    given = {"upload-complete": "?1", "content-length": "1", "upload-offset": "0", "content-encoding": "identity"}
    assert parse_creation(given, dialect(8)).creation.length == 1


# -- the file's name and type -----------------------------------------------------------------------------------------


def test_name_and_type_become_what_a_tus_client_would_have_sent():
    found = parse_creation({**FILE, "upload-complete": "?1"}, dialect(8)).creation
    assert found.metadata == {"filename": b"a.mp4", "filetype": b"video/mp4"}
    assert found.raw_metadata == f"filename {_base64(b'a.mp4')},filetype {_base64(b'video/mp4')}"


def test_upload_metadata_of_tus_may_be_used_here_too():
    given = {**FILE, "upload-complete": "?1", "upload-metadata": f"title {_base64(b'Holiday')}"}
    assert parse_creation(given, dialect(8)).creation.metadata == {"title": b"Holiday"}


def test_a_file_without_name_and_type_has_no_metadata():
    found = parse_creation({"upload-complete": "?1"}, dialect(8)).creation
    assert (found.metadata, found.raw_metadata) == ({}, "")


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


# -- digests ----------------------------------------------------------------------------------------------------------


def test_the_digest_of_the_content_is_a_check_of_the_append():
    digest = hashlib.sha256(b"hello").digest()
    given = {"upload-complete": "?1", "content-length": "5", "content-digest": f"sha-256=:{_base64(digest)}:"}
    check = parse_creation(given, dialect(8)).append.check
    assert check is not None
    assert (check.algorithms, check.expected()) == (("sha256",), {"sha256": digest})


def test_the_digest_of_the_file_is_kept_for_its_end():
    digest = hashlib.sha512(b"hello").digest()
    given = {"upload-complete": "?1", "content-length": "5", "repr-digest": f"sha-512=:{_base64(digest)}:, other=?1"}
    found = parse_creation(given, dialect(8))
    assert found.creation.digests == {"sha512": digest}
    assert found.append.check is None


def test_a_wish_for_the_digest_of_the_file_is_kept_too():
    given = {"upload-complete": "?0", "want-repr-digest": "sha-256=1"}
    assert parse_creation(given, dialect(8)).creation.digests == {"sha256": b""}


# -- appending --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", EVERY)
def test_the_last_append_says_the_length(version: int):
    found = parse_append(appending(version, complete=True), dialect(version))
    assert (found.offset, found.size, found.length, found.complete) == (10, 5, 15, True)


@pytest.mark.parametrize("version", EVERY)
def test_an_append_on_the_way_does_not(version: int):
    found = parse_append(appending(version, complete=False), dialect(version))
    assert (found.offset, found.size, found.length, found.complete) == (10, 5, None, False)


@pytest.mark.parametrize("version", [4, 5])
def test_interop_4_and_5_complete_nothing_in_silence(version: int):
    assert parse_append({"upload-offset": "10", "content-length": "5"}, dialect(version)).complete is False


@pytest.mark.parametrize("version", [6, 7, 8])
def test_from_interop_6_an_append_has_a_media_type_and_says_whether_it_is_the_last(version: int):
    wrong = appending(version, complete=True, content_type="video/mp4")
    assert refused(parse_append, wrong, version) == (415, "bad_content_type")
    silent = {name: value for name, value in appending(version, complete=True).items() if name != "upload-complete"}
    assert refused(parse_append, silent, version) == (400, "bad_header")


@pytest.mark.parametrize("version", EVERY)
@pytest.mark.parametrize("offset", ["", "-1", "x", "1.0", "0, 0"])
def test_an_append_needs_an_offset(version: int, offset: str):
    given = appending(version, complete=True, upload_offset=offset)
    assert refused(parse_append, given, version) == (400, "bad_header")


@pytest.mark.parametrize(("said", "complete"), [("14", True), ("16", True), ("14", False)])
def test_an_append_whose_lengths_disagree_is_refused(said: str, complete: bool):
    given = appending(8, complete=complete, upload_length=said)
    assert refused(parse_append, given, 8) == (400, "length_mismatch")


def test_an_append_may_say_the_length_before_its_end():
    assert parse_append(appending(8, complete=False, upload_length="20"), dialect(8)).length == 20


def test_an_empty_append_may_end_the_upload():
    found = parse_append(appending(8, complete=True, content_length="0"), dialect(8))
    assert (found.size, found.length, found.complete) == (0, 10, True)


@pytest.mark.parametrize("name", ["upload-offset", "upload-complete", "upload-incomplete"])
def test_head_and_delete_say_nothing_of_the_state_up_to_interop_5(name: str):
    for version in (3, 4, 5):
        with pytest.raises(RushesError) as caught:
            check_bare({name: "?1"}, dialect(version))
        assert caught.value.status == 400
    for version in (6, 7, 8):
        check_bare({name: "?1"}, dialect(version))


# -- answers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", EVERY)
def test_the_announcement_says_where_to_resume(version: int):
    found = dialect(version).announcement("http://a/files/1", LIMITS)
    assert found["Location"] == "http://a/files/1"
    assert found["Upload-Draft-Interop-Version"] == str(version)


@pytest.mark.parametrize("version", EVERY)
def test_progress_has_an_offset_and_never_a_location(version: int):
    assert dialect(version).progress(7) == {"Upload-Draft-Interop-Version": str(version), "Upload-Offset": "7"}


@pytest.mark.parametrize(
    ("version", "limits"),
    [
        (3, None), (4, None), (5, None), (6, "max-size=1000, expires=60"),
        (7, "max-size=1000, max-age=60"), (8, "max-size=1000, max-age=60"),
    ],
)  # fmt: skip
def test_limits_are_told_from_interop_6(version: int, limits: str | None):
    assert dialect(version).limits(LIMITS).get("Upload-Limit") == limits


def test_completeness_has_the_name_of_its_version():
    assert dialect(3).completeness(True) == {"Upload-Incomplete": "?0"}
    assert dialect(3).completeness(False) == {"Upload-Incomplete": "?1"}
    for version in (4, 5, 6, 7, 8):
        assert dialect(version).completeness(True) == {"Upload-Complete": "?1"}
        assert dialect(version).completeness(False) == {"Upload-Complete": "?0"}


@pytest.mark.parametrize(("version", "status"), [(3, 201), (4, 201), (5, 201), (6, 201), (7, 204), (8, 204)])
def test_an_append_on_the_way_is_201_at_first_and_204_since(version: int, status: int):
    assert dialect(version).appended(complete=False) == status
    assert dialect(version).appended(complete=True) == 201


def test_options_tell_media_type_and_limits():
    assert capabilities(LIMITS) == {"Accept-Patch": PARTIAL, "Upload-Limit": "max-size=1000, max-age=60"}
