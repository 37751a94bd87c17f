"""Resumable Uploads for HTTP (draft-ietf-httpbis-resumable-upload): offset retrieval, appends, cancellation.

Sections are those of draft -12 (see `ietf_create`).
"""

from __future__ import annotations

from functools import partial

from rushes.clock import pause
from tests.conformance.clause import ALL, Level, clause, header, must, no_header, refused, status, succeeded
from tests.conformance.ietf_create import DATA, problem
from tests.conformance.session import AWHILE, Ietf, film
from tests.conformance.wire import Broken, chunked

MUST, SHOULD, MAY = Level.MUST, Level.SHOULD, Level.MAY
ietf = partial(clause, protocol="ietf", extension="interop", versions=ALL)
typed = partial(clause, protocol="ietf", extension="interop", versions=(6, 7, 8))
recent = partial(clause, protocol="ietf", extension="interop", versions=(7, 8))
latest = partial(clause, protocol="ietf", extension="interop", versions=(8,))

GONE = (404, 410)
MOVED = (301, 302)


# -- offset retrieval -------------------------------------------------------------------------------------------------


@ietf(MUST, "4.3.2 Offset Retrieval, Server Behavior")
def heads_tell_the_offset(ietf: Ietf) -> None:
    """HEAD has Upload-Offset."""
    header(succeeded(ietf.head(ietf.create(DATA))), "Upload-Offset", str(len(DATA)))


@ietf(MUST, "4.3.2 Offset Retrieval, Server Behavior")
def heads_tell_that_it_is_not_complete(ietf: Ietf) -> None:
    """HEAD has Upload-Complete: ?0 of an upload in progress."""
    must(not ietf.completed(succeeded(ietf.head(ietf.create(DATA)))), "it is complete")


@ietf(SHOULD, "4 Upload Resource; 4.3.2 Offset Retrieval, Server Behavior")
def a_complete_upload_can_be_asked(ietf: Ietf) -> None:
    """The upload stays for a while after its completion; HEAD has Upload-Complete: ?1 and the whole offset."""
    url = ietf.create()
    succeeded(ietf.patch(url, 0, DATA, complete=True))
    answer = succeeded(ietf.head(url))
    must(ietf.completed(answer), "it is not complete")
    header(answer, "Upload-Offset", str(len(DATA)))


@recent(MUST, "4.3.2 Offset Retrieval, Server Behavior")
def heads_tell_a_given_length(ietf: Ietf) -> None:
    """HEAD has Upload-Length where the client has given it."""
    header(ietf.head(ietf.create(DATA[:5], {"Upload-Length": str(len(DATA))})), "Upload-Length", str(len(DATA)))


@recent(MUST, "4.1.3 Length; 4.3.2 Offset Retrieval, Server Behavior")
def a_length_may_come_with_an_append(ietf: Ietf) -> None:
    """HEAD has Upload-Length after an append that gave it."""
    url = ietf.create(DATA[:2])
    succeeded(ietf.patch(url, 2, DATA[2:5], headers={"Upload-Length": str(len(DATA))}))
    header(ietf.head(url), "Upload-Length", str(len(DATA)))


@recent(MUST, "4.1.3 Length")
def an_unknown_length_is_not_told(ietf: Ietf) -> None:
    """HEAD has no Upload-Length while nobody gave one."""
    no_header(succeeded(ietf.head(ietf.create(DATA))), "Upload-Length")


@latest(MUST, "4.3.2 Offset Retrieval, Server Behavior")
def heads_tell_the_limits(ietf: Ietf) -> None:
    """HEAD has Upload-Limit."""
    header(succeeded(ietf.head(ietf.create(DATA))), "Upload-Limit")


@ietf(SHOULD, "4.3.2 Offset Retrieval, Server Behavior")
def heads_are_not_cached(ietf: Ietf) -> None:
    """HEAD has Cache-Control: no-store."""
    value = header(succeeded(ietf.head(ietf.create(DATA))), "Cache-Control")
    must("no-store" in value.lower(), f"Cache-Control is {value!r}")


@ietf(SHOULD, "4.3.2 Offset Retrieval, Server Behavior")
def heads_are_not_redirected(ietf: Ietf) -> None:
    """HEAD is not answered by 301 or 302, neither of an upload nor of one that is not there."""
    url = ietf.create()
    for address in (url, ietf.unknown(url)):
        must(ietf.head(address).status not in MOVED, "it is")


@ietf(SHOULD, "4.1.1 Offset")
def a_missing_upload_is_refused(ietf: Ietf) -> None:
    """An upload that is not there: HEAD is refused, without an offset."""
    no_header(refused(ietf.head(ietf.unknown(ietf.create()))), "Upload-Offset")


# -- append -----------------------------------------------------------------------------------------------------------


@ietf(MUST, "4.4.2 Upload Append, Server Behavior")
def an_append_succeeds(ietf: Ietf) -> None:
    """An append with Upload-Complete: ?0 that was processed: 2xx."""
    succeeded(ietf.patch(ietf.create(DATA[:5]), 5, DATA[5:]))


@typed(MUST, "4.4.2 Upload Append, Server Behavior")
def an_append_says_that_more_may_come(ietf: Ietf) -> None:
    """The answer to it has Upload-Complete: ?0."""
    answer = succeeded(ietf.patch(ietf.create(DATA[:5]), 5, DATA[5:]))
    must(not ietf.completed(answer), "it says that the upload is complete")


@typed(MUST, "4.4.2 Upload Append, Server Behavior")
def the_last_append_says_that_it_is_complete(ietf: Ietf) -> None:
    """The answer to an append that completes the upload has Upload-Complete: ?1."""
    answer = ietf.patch(ietf.create(DATA[:5]), 5, DATA[5:], complete=True)
    must(ietf.completed(succeeded(answer)), "it says that the upload is not complete")


@ietf(MUST, "4.4.1 Upload Append, Client Behavior; 4.1.2 Completeness")
def an_append_of_nothing_completes(ietf: Ietf) -> None:
    """An append without content completes the upload, when all bytes are there."""
    url = ietf.create(DATA)
    succeeded(ietf.patch(url, len(DATA), b"", complete=True))
    must(ietf.completed(succeeded(ietf.head(url))), "it is not complete")


@ietf(MUST, "4.1.3 Length")
def a_full_offset_does_not_complete(ietf: Ietf) -> None:
    """Offset and length do not decide: all bytes are there, and the upload is not complete until the client says so."""
    url = ietf.create(DATA, {"Upload-Length": str(len(DATA))})
    answer = succeeded(ietf.head(url))
    header(answer, "Upload-Offset", str(len(DATA)))
    must(not ietf.completed(answer), "it is complete")


@ietf(MUST, "4.4 Upload Append; 4.1.1 Offset")
def many_appends_make_the_whole(ietf: Ietf) -> None:
    """Bytes are appended in their order, and the whole is what was sent."""
    data = bytes(range(256)) * 40
    url = ietf.create(data[:1000])
    for at in range(1000, len(data), 1000):
        piece = data[at : at + 1000]
        succeeded(ietf.patch(url, at, piece, complete=at + len(piece) == len(data)))
    must(ietf.offset(url) == len(data), "the offset is not the length")
    must(ietf.content(url) == data, "what is stored is not what was sent")


@ietf(MUST, "9 Transfer Codings")
def an_append_may_be_chunked(ietf: Ietf) -> None:
    """The transfer coding does not count."""
    url = ietf.create()
    fields = {**ietf.version, **ietf.appending(0, True), "Transfer-Encoding": "chunked"}
    with ietf.connect() as connection:
        connection.ask("PATCH", url, {**ietf.target.headers, **fields}, chunked(DATA[:4], DATA[4:]))
        succeeded(connection.answer("PATCH"))
    must(ietf.offset(url) == len(DATA), "the offset is not the length")


@typed(SHOULD, "4.4.1 Upload Append, Client Behavior; RFC 5789 section 2.2")
def an_append_of_another_type_is_415(ietf: Ietf) -> None:
    """A patch document of another type than application/partial-upload: 415, nothing appended."""
    url = ietf.create()
    status(ietf.patch(url, 0, DATA, headers={"Content-Type": "application/json"}), 415)
    must(ietf.offset(url) == 0, "the content was appended")


@ietf(MUST, "4.4.2 Upload Append, Server Behavior")
def a_wrong_offset_is_409(ietf: Ietf) -> None:
    """Another offset than the current one: 409."""
    url = ietf.create(DATA)
    for offset in (0, len(DATA) + 3):
        status(ietf.patch(url, offset, DATA), 409)


@ietf(MUST, "4.4.2 Upload Append, Server Behavior")
def a_409_tells_the_right_offset(ietf: Ietf) -> None:
    """The 409 has the right offset in Upload-Offset."""
    answer = status(ietf.patch(ietf.create(DATA), 3, DATA), 409)
    header(answer, "Upload-Offset", str(len(DATA)))


@ietf(MUST, "4.4.2 Upload Append, Server Behavior")
def a_409_changes_nothing(ietf: Ietf) -> None:
    """What came with a wrong offset is not appended."""
    url = ietf.create(DATA)
    status(ietf.patch(url, 3, DATA), 409)
    must(ietf.offset(url) == len(DATA), "the offset has changed")


@typed(SHOULD, "7.1 Mismatching Offset")
def a_409_has_its_problem_type(ietf: Ietf) -> None:
    """The 409 is of the type mismatching-upload-offset, with expected-offset and provided-offset."""
    members = problem(status(ietf.patch(ietf.create(DATA), 3, DATA), 409), "mismatching-upload-offset")
    must((members.get("expected-offset"), members.get("provided-offset")) == (len(DATA), 3), f"it says {members}")


@ietf(MUST, "4.4.1 Upload Append, Client Behavior")
def an_append_has_an_offset(ietf: Ietf) -> None:
    """An append without Upload-Offset, or with one that is no integer and thus ignored, is refused."""
    url = ietf.create(DATA)
    for value in (None, "eleven", '"11"', "-1"):
        refused(ietf.patch(url, 0, DATA, headers={"Upload-Offset": value}))
    must(ietf.offset(url) == len(DATA), "the offset has changed")


@typed(MUST, "4.4.2 Upload Append, Server Behavior")
def a_complete_upload_takes_no_content(ietf: Ietf) -> None:
    """An append with content to a complete upload is refused, and nothing changes."""
    url = ietf.create()
    succeeded(ietf.patch(url, 0, DATA, complete=True))
    refused(ietf.patch(url, len(DATA), DATA))
    refused(ietf.patch(url, len(DATA), DATA, complete=True))
    must(ietf.offset(url) == len(DATA), "the offset has changed")


@typed(MUST, "4.4.2 Upload Append, Server Behavior")
def a_complete_upload_takes_nothing_at_all(ietf: Ietf) -> None:
    """An append without content to a complete upload is refused too."""
    url = ietf.create()
    succeeded(ietf.patch(url, 0, DATA, complete=True))
    refused(ietf.patch(url, len(DATA), b"", complete=True))


@ietf(MUST, "4.4.2 Upload Append, Server Behavior")
def the_offset_never_passes_the_length(ietf: Ietf) -> None:
    """Where the length is known, more is refused: announced, or in chunks that announce nothing."""
    url = ietf.create(DATA[:5], {"Upload-Length": "8"})
    refused(ietf.patch(url, 5, DATA[5:]))
    other = ietf.create(DATA[:5], {"Upload-Length": "8"})
    fields = {**ietf.version, **ietf.appending(5, False), "Transfer-Encoding": "chunked"}
    with ietf.connect() as connection:
        connection.ask("PATCH", other, {**ietf.target.headers, **fields}, chunked(DATA[5:7], DATA[7:]))
        refused(connection.answer("PATCH"))
    for address in (url, other):
        answer = ietf.head(address)
        must(answer.status in (400, *GONE) or int(header(answer, "Upload-Offset")) <= 8, "the offset passed it")


@recent(MUST, "4.1.3 Length")
def the_length_stays_what_it_is(ietf: Ietf) -> None:
    """Lengths of several requests agree: an append with another Upload-Length is refused."""
    url = ietf.create(DATA[:5], {"Upload-Length": "11"})
    refused(ietf.patch(url, 5, DATA[5:7], headers={"Upload-Length": "12"}))


@ietf(MUST, "4.1.3 Length")
def a_completion_before_the_length_is_refused(ietf: Ietf) -> None:
    """Lengths of several requests agree: an append that completes the upload short of Upload-Length is refused."""
    url = ietf.create(DATA[:5], {"Upload-Length": "11"})
    refused(ietf.patch(url, 5, DATA[5:7], complete=True))
    answer = ietf.head(url)
    must(answer.status in (400, *GONE) or not ietf.completed(answer), "it is complete")


@latest(MAY, "7.3 Inconsistent Length")
def another_length_has_its_problem_type(ietf: Ietf) -> None:
    """The refusal may be of the type inconsistent-upload-length."""
    url = ietf.create(DATA[:5], {"Upload-Length": "11"})
    problem(refused(ietf.patch(url, 5, DATA[5:7], headers={"Upload-Length": "12"})), "inconsistent-upload-length")


@ietf(SHOULD, "4.4.2 Upload Append, Server Behavior")
def a_cut_append_keeps_its_bytes(ietf: Ietf) -> None:
    """The client closes in the middle of an append: as much as possible is kept, from its beginning."""
    url = ietf.create(DATA)
    ietf.half(url, len(DATA), film(100_000)[:60_000], 100_000).leave()
    ietf.reaches(url, len(DATA) + 60_000)


@ietf(MUST, "4.4.2 Upload Append, Server Behavior")
def a_cut_append_is_not_complete(ietf: Ietf) -> None:
    """The client closes in the middle of an append that was to complete: the upload is not complete."""
    url = ietf.create(DATA)
    ietf.half(url, len(DATA), film(100_000)[:60_000], 100_000).leave()
    must(not ietf.completed(succeeded(ietf.head(url))), "it is complete")


# -- concurrency and cancellation -------------------------------------------------------------------------------------


@ietf(MUST, "4.6 Concurrency")
def an_offset_that_is_told_is_accepted(ietf: Ietf) -> None:
    """Another append is under way and silent: the offset of HEAD is accepted by the next append."""
    url = ietf.create()
    with ietf.half(url, 0, film(100_000)[:60_000], 100_000):
        pause(AWHILE)
        at = ietf.offset(url)
        succeeded(ietf.patch(url, at, film(100_000)[at:], complete=True))
    must(ietf.offset(url) == 100_000, "the offset is not the length")


@ietf(SHOULD, "4.6 Concurrency")
def a_newer_request_ends_the_older(ietf: Ietf) -> None:
    """The older append ends when the client is back: its connection is closed, or it is answered."""
    url = ietf.create()
    with ietf.half(url, 0, film(100_000)[:60_000], 100_000) as older:
        pause(AWHILE)
        ietf.offset(url)
        try:
            older.answer("PATCH")
        except Broken as error:
            must("no answer" not in str(error), "the older request goes on")


@ietf(SHOULD, "4.5.2 Upload Cancellation, Server Behavior")
def a_cancelled_upload_is_gone(ietf: Ietf) -> None:
    """DELETE succeeds; HEAD and PATCH find nothing afterwards."""
    url = ietf.create(DATA)
    succeeded(ietf.request("DELETE", url))
    status(ietf.head(url), *GONE)
    status(ietf.patch(url, len(DATA), DATA), *GONE)


@ietf(MUST, "4.5.2 Upload Cancellation, Server Behavior (drafts -01 to -08; since -09 any 2xx)")
def a_cancellation_is_204(ietf: Ietf) -> None:
    """DELETE is answered by 204."""
    status(ietf.request("DELETE", ietf.create(DATA)), 204)


@ietf(SHOULD, "4.5.2 Upload Cancellation, Server Behavior")
def a_cancellation_ends_what_is_under_way(ietf: Ietf) -> None:
    """DELETE ends an append that is under way, and the upload is gone."""
    url = ietf.create()
    with ietf.half(url, 0, film(100_000)[:60_000], 100_000) as older:
        pause(AWHILE)
        succeeded(ietf.request("DELETE", url))
        status(ietf.head(url), *GONE)
        try:
            older.answer("PATCH")
        except Broken as error:
            must("no answer" not in str(error), "the append goes on")
