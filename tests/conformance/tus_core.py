"""tus 1.0.0, the core protocol.

https://tus.io/protocols/resumable-upload, version 1.0.0; sections are named by their headings.
"""

from __future__ import annotations

from functools import partial

from tests.conformance.clause import Level, Unseen, clause, header, must, no_header, refused, status
from tests.conformance.session import VERSION, Tus, film, whole

MUST, SHOULD = Level.MUST, Level.SHOULD
core = partial(clause, protocol="tus", extension="core")

MISSING = (404, 410, 403)
OLD = {"Tus-Resumable": "0.2.2"}
BIT = 1000


# -- OPTIONS ----------------------------------------------------------------------------------------------------------


@core(MUST, "OPTIONS")
def options_tells_the_versions(tus: Tus) -> None:
    """A successful answer to OPTIONS is 204 or 200 and has Tus-Version."""
    header(status(tus.options(), 204, 200), "Tus-Version")


@core(MUST, "Headers, Tus-Version")
def versions_are_a_list(tus: Tus) -> None:
    """Tus-Version is a comma-separated list of the supported versions; ours is among them."""
    versions = [part.strip() for part in header(tus.options(), "Tus-Version").split(",")]
    must(VERSION in versions, f"Tus-Version has no {VERSION}: {versions}")
    must(all(part.count(".") == 2 for part in versions), f"these are not versions: {versions}")


@core(MUST, "OPTIONS")
def options_ignores_the_clients_version(tus: Tus) -> None:
    """The server ignores Tus-Resumable on OPTIONS."""
    status(tus.options({"Tus-Resumable": "0.0.1"}), 204, 200)


@core(MUST, "Headers, Tus-Extension")
def extensions_are_a_list_or_absent(tus: Tus) -> None:
    """Tus-Extension is a comma-separated list, and left out where there are no extensions."""
    value = tus.options().get("Tus-Extension")
    must(value is None or all(part.strip() for part in value.split(",")), f"Tus-Extension is {value!r}")


@core(MUST, "Headers, Tus-Max-Size")
def the_maximum_is_a_whole_number(tus: Tus) -> None:
    """Tus-Max-Size is a non-negative integer."""
    value = tus.options().get("Tus-Max-Size")
    if value is None:
        raise Unseen("no Tus-Max-Size")
    whole(value)


# -- Tus-Resumable ----------------------------------------------------------------------------------------------------


@core(MUST, "Headers, Tus-Resumable", needs=["creation"])
def creations_name_the_version(tus: Tus) -> None:
    """Every answer has Tus-Resumable: that to POST."""
    header(tus.post({"Upload-Length": "5"}), "Tus-Resumable", VERSION)


@core(MUST, "Headers, Tus-Resumable", needs=["creation"])
def heads_name_the_version(tus: Tus) -> None:
    """Every answer has Tus-Resumable: that to HEAD."""
    header(tus.head(tus.create(5)), "Tus-Resumable", VERSION)


@core(MUST, "Headers, Tus-Resumable", needs=["creation"])
def appends_name_the_version(tus: Tus) -> None:
    """Every answer has Tus-Resumable: that to PATCH."""
    header(tus.patch(tus.create(5), 0, b"hello"), "Tus-Resumable", VERSION)


@core(MUST, "Headers, Tus-Resumable", needs=["creation"])
def conflicts_name_the_version(tus: Tus) -> None:
    """Every answer has Tus-Resumable: a refusal for a wrong offset."""
    header(tus.patch(tus.create(5), 3, b"lo"), "Tus-Resumable", VERSION)


@core(MUST, "Headers, Tus-Resumable", needs=["creation"])
def missing_uploads_name_the_version(tus: Tus) -> None:
    """Every answer has Tus-Resumable: that about an upload that is not there."""
    header(tus.head(tus.unknown(tus.create(5))), "Tus-Resumable", VERSION)


@core(MUST, "Headers, Tus-Resumable")
def creation_in_another_version_is_412(tus: Tus) -> None:
    """A version that the server does not support: 412 with Tus-Version, and no upload."""
    answer = status(tus.post({"Upload-Length": "5", **OLD}), 412)
    header(answer, "Tus-Version")
    no_header(answer, "Location")


@core(MUST, "Headers, Tus-Resumable", needs=["creation"])
def head_in_another_version_is_412(tus: Tus) -> None:
    """A version that the server does not support: 412 with Tus-Version on HEAD, and no offset."""
    answer = status(tus.request("HEAD", tus.create(5), OLD), 412)
    header(answer, "Tus-Version")
    no_header(answer, "Upload-Offset")


@core(MUST, "Headers, Tus-Resumable", needs=["creation"])
def append_in_another_version_is_not_processed(tus: Tus) -> None:
    """A version that the server does not support: 412 with Tus-Version on PATCH, and no byte is taken."""
    url = tus.create(5)
    header(status(tus.patch(url, 0, b"hello", OLD), 412), "Tus-Version")
    must(tus.offset(url) == 0, "the bytes were taken")


@core(MUST, "Headers, Tus-Resumable", needs=["creation", "termination"])
def termination_in_another_version_is_not_processed(tus: Tus) -> None:
    """A version that the server does not support: 412 on DELETE, and the upload stays."""
    url = tus.create(5)
    status(tus.request("DELETE", url, OLD), 412)
    status(tus.head(url), 200, 204)


# -- HEAD -------------------------------------------------------------------------------------------------------------


@core(MUST, "HEAD", needs=["creation"])
def a_new_upload_has_offset_0(tus: Tus) -> None:
    """HEAD has Upload-Offset even if it is 0."""
    header(status(tus.head(tus.create(5)), 200, 204), "Upload-Offset", "0")


@core(MUST, "HEAD", needs=["creation"])
def the_offset_is_where_the_bytes_end(tus: Tus) -> None:
    """HEAD has Upload-Offset in the middle of an upload."""
    url = tus.create(5)
    status(tus.patch(url, 0, b"hel"), 204)
    header(tus.head(url), "Upload-Offset", "3")


@core(MUST, "HEAD", needs=["creation"])
def a_complete_upload_has_its_offset(tus: Tus) -> None:
    """HEAD has Upload-Offset even if the upload is complete."""
    header(status(tus.head(tus.uploaded(b"hello")), 200, 204), "Upload-Offset", "5")


@core(MUST, "HEAD", needs=["creation"])
def a_known_length_is_told(tus: Tus) -> None:
    """HEAD has Upload-Length where the size is known."""
    header(tus.head(tus.create(5)), "Upload-Length", "5")


@core(MUST, "HEAD", needs=["creation"])
def a_complete_upload_tells_its_length(tus: Tus) -> None:
    """HEAD has Upload-Length where the size is known, also when the upload is complete."""
    header(tus.head(tus.uploaded(b"hello")), "Upload-Length", "5")


@core(MUST, "HEAD", needs=["creation"])
def heads_are_not_cached(tus: Tus) -> None:
    """HEAD has Cache-Control: no-store."""
    value = header(tus.head(tus.create(5)), "Cache-Control")
    must("no-store" in [part.strip().lower() for part in value.split(",")], f"Cache-Control is {value!r}")


@core(SHOULD, "HEAD", needs=["creation"])
def head_of_a_missing_upload(tus: Tus) -> None:
    """An upload that is not there: 404, 410 or 403 on HEAD."""
    status(tus.head(tus.unknown(tus.create(5))), *MISSING)


@core(SHOULD, "HEAD", needs=["creation"])
def a_missing_upload_has_no_offset(tus: Tus) -> None:
    """An upload that is not there: no Upload-Offset on HEAD."""
    no_header(tus.head(tus.unknown(tus.create(5))), "Upload-Offset")


# -- PATCH ------------------------------------------------------------------------------------------------------------


@core(MUST, "PATCH", needs=["creation"])
def an_append_is_204(tus: Tus) -> None:
    """A successful PATCH is 204."""
    status(tus.patch(tus.create(5), 0, b"hello"), 204)


@core(MUST, "PATCH", needs=["creation"])
def an_append_tells_the_new_offset(tus: Tus) -> None:
    """The answer to PATCH has the new offset: the old one and the bytes that were taken."""
    url = tus.create(5)
    header(tus.patch(url, 0, b"he"), "Upload-Offset", "2")
    header(tus.patch(url, 2, b"llo"), "Upload-Offset", "5")


@core(SHOULD, "PATCH", needs=["creation"])
def appends_go_to_any_upload(tus: Tus) -> None:
    """PATCH is accepted at the given offset of any upload: many small ones make the whole."""
    data = bytes(range(97, 107))
    url = tus.create(len(data))
    for at in range(len(data)):
        status(tus.patch(url, at, data[at : at + 1]), 204)
    must(tus.offset(url) == len(data), "the offset is not the length")


@core(MUST, "PATCH", needs=["creation"])
def the_bytes_are_those_that_were_sent(tus: Tus) -> None:
    """The bytes of each PATCH are applied at its offset."""
    data = bytes(range(256)) * 40
    url = tus.create(len(data))
    for at in range(0, len(data), BIT):
        status(tus.patch(url, at, data[at : at + BIT]), 204)
    must(tus.content(url) == data, "what is stored is not what was sent")


@core(MUST, "PATCH", needs=["creation"])
def an_append_of_nothing_changes_nothing(tus: Tus) -> None:
    """A PATCH without bytes at the right offset succeeds, and the offset stays."""
    url = tus.create(5)
    status(tus.patch(url, 0, b"he"), 204)
    header(status(tus.patch(url, 2, b""), 204), "Upload-Offset", "2")


@core(SHOULD, "PATCH", needs=["creation"])
def another_content_type_is_415(tus: Tus) -> None:
    """Another Content-Type than that of the protocol: 415."""
    status(tus.patch(tus.create(5), 0, b"hello", {"Content-Type": "video/mp4"}), 415)


@core(SHOULD, "PATCH", needs=["creation"])
def no_content_type_is_415(tus: Tus) -> None:
    """No Content-Type at all: 415."""
    status(tus.patch(tus.create(5), 0, b"hello", {"Content-Type": None}), 415)


@core(MUST, "PATCH", needs=["creation"])
def bytes_of_another_content_type_are_not_taken(tus: Tus) -> None:
    """All PATCH requests use the content type of the protocol; what comes with another one is not taken."""
    url = tus.create(5)
    refused(tus.patch(url, 0, b"hello", {"Content-Type": "application/octet-stream"}))
    must(tus.offset(url) == 0, "the bytes were taken")


@core(MUST, "PATCH", needs=["creation"])
def an_offset_beyond_is_409(tus: Tus) -> None:
    """An offset beyond the current one: 409, nothing changed."""
    url = tus.create(5)
    status(tus.patch(url, 0, b"h"), 204)
    status(tus.patch(url, 3, b"lo"), 409)
    must(tus.offset(url) == 1, "the upload was changed")


@core(MUST, "PATCH", needs=["creation"])
def an_offset_before_is_409(tus: Tus) -> None:
    """An offset before the current one: 409, nothing changed."""
    url = tus.create(5)
    status(tus.patch(url, 0, b"hel"), 204)
    status(tus.patch(url, 0, b"hello"), 409)
    must(tus.offset(url) == 3, "the upload was changed")


@core(MUST, "PATCH", needs=["creation"])
def a_refused_append_leaves_the_bytes(tus: Tus) -> None:
    """After a 409 the bytes are those from before, and the right PATCH completes them."""
    url = tus.create(5)
    status(tus.patch(url, 0, b"hel"), 204)
    status(tus.patch(url, 0, b"XXXXX"), 409)
    status(tus.patch(url, 3, b"lo"), 204)
    must(tus.content(url) == b"hello", "what is stored is not what was sent")


@core(MUST, "Headers, Upload-Offset", needs=["creation"])
def a_negative_offset_is_refused(tus: Tus) -> None:
    """Upload-Offset is a non-negative integer: -1 is refused."""
    url = tus.create(5)
    refused(tus.patch(url, 0, b"hello", {"Upload-Offset": "-1"}))
    must(tus.offset(url) == 0, "the bytes were taken")


@core(MUST, "Headers, Upload-Offset", needs=["creation"])
def an_offset_of_letters_is_refused(tus: Tus) -> None:
    """Upload-Offset is a non-negative integer: `zero` and `0x0` are refused."""
    url = tus.create(5)
    for value in ("zero", "0x0"):
        refused(tus.patch(url, 0, b"hello", {"Upload-Offset": value}))
    must(tus.offset(url) == 0, "the bytes were taken")


@core(MUST, "PATCH", needs=["creation"])
def no_offset_is_refused(tus: Tus) -> None:
    """The value of Upload-Offset equals the current offset: a PATCH without it is refused."""
    url = tus.create(5)
    refused(tus.patch(url, 0, b"hello", {"Upload-Offset": None}))
    must(tus.offset(url) == 0, "the bytes were taken")


@core(SHOULD, "PATCH", needs=["creation"])
def append_to_a_missing_upload_is_404(tus: Tus) -> None:
    """PATCH of an upload that is not there: 404."""
    status(tus.patch(tus.unknown(tus.create(5)), 0, b"hello"), 404)


@core(SHOULD, "PATCH", needs=["creation"])
def what_arrived_before_a_cut_is_kept(tus: Tus) -> None:
    """As much as possible of what was received is stored: of 5 MiB before the client closes, at least 4."""
    data = film(6 * 2**20)
    url = tus.create(len(data))
    tus.half(url, 0, data[: 5 * 2**20], len(data)).leave()
    tus.reaches(url, 4 * 2**20, 5 * 2**20)


@core(SHOULD, "PATCH", needs=["creation"])
def what_arrived_before_a_cut_can_be_completed(tus: Tus) -> None:
    """After a cut the upload goes on from the offset that HEAD tells."""
    data = film(100_000, bytes(range(250)))
    url = tus.create(len(data))
    tus.half(url, 0, data[:60_000], len(data)).leave()
    at = tus.offset(url)
    header(status(tus.patch(url, at, data[at:]), 204), "Upload-Offset", str(len(data)))
