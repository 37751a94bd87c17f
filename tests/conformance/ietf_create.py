"""Resumable Uploads for HTTP (draft-ietf-httpbis-resumable-upload): creation, interim responses.

Sections are those of draft -12, interop version 8, where nothing else is said; older drafts only where they differ:
interop version 3 is draft -01, 4 is -02, 5 is -03, 6 is -04 and -05, 7 is -06 to -08, 8 is -09 and later.
"""

from __future__ import annotations

from functools import partial

from rushes.clock import pause
from tests.conformance.clause import ALL, Level, Unseen, clause, header, must, no_header, refused, status, succeeded
from tests.conformance.ietf_limits import limits
from tests.conformance.session import Ietf, film
from tests.conformance.wire import Answer, Broken, chunked

MUST, SHOULD, MAY = Level.MUST, Level.SHOULD, Level.MAY
ietf = partial(clause, protocol="ietf", extension="interop", versions=ALL)
latest = partial(clause, protocol="ietf", extension="interop", versions=(8,))

DATA = b"hello world"
PROBLEM = "https://iana.org/assignments/http-problem-types#"
SLICE, SLICE_EVERY = 2**18, 0.25
"""Bytes, and seconds, of an append that takes its time."""
ELSEWHERE = 99
"""An interop version that no draft has."""


# -- creation ---------------------------------------------------------------------------------------------------------


@ietf(MUST, "4.2.2 Upload Creation, Server Behavior")
def an_unfinished_creation_tells_the_address(ietf: Ietf) -> None:
    """Upload-Complete: ?0 with content that was processed: 2xx with Location."""
    header(succeeded(ietf.post(False, DATA)), "Location")


@ietf(SHOULD, "4.2.2 Upload Creation, Server Behavior")
def an_unfinished_creation_is_201(ietf: Ietf) -> None:
    """201 is recommended for it."""
    status(ietf.post(False, DATA), 201)


@ietf(MUST, "4.2.1 Upload Creation, Client Behavior")
def an_upload_may_begin_with_nothing(ietf: Ietf) -> None:
    """Empty content with Upload-Complete: ?0 is valid: it gives the address."""
    must(ietf.offset(ietf.create()) == 0, "the offset is not 0")


@ietf(MUST, "4.2.2 Upload Creation, Server Behavior")
def an_upload_may_be_one_request(ietf: Ietf) -> None:
    """Upload-Complete: ?1 with the whole content: the request is processed as any other, 2xx."""
    succeeded(ietf.post(True, DATA))


@ietf(MUST, "4.2.1 Upload Creation, Client Behavior")
def an_upload_may_be_empty(ietf: Ietf) -> None:
    """Upload-Complete: ?1 without content is an empty representation."""
    succeeded(ietf.post(True, b""))


@ietf(MUST, "9 Transfer Codings")
def a_creation_may_be_chunked(ietf: Ietf) -> None:
    """The offset does not count the transfer coding; the length need not be known."""
    fields = {**ietf.version, **ietf.complete(False), "Transfer-Encoding": "chunked"}
    with ietf.connect() as connection:
        connection.ask("POST", ietf.target.url, {**ietf.target.headers, **fields}, chunked(DATA[:5], DATA[5:]))
        url = ietf.location(succeeded(connection.answer("POST")))
    must(ietf.offset(url) == len(DATA), "the offset is not that of the content")


@ietf(MAY, "4.2.1 Upload Creation, Client Behavior")
def put_may_create_too(ietf: Ietf) -> None:
    """Any method that allows content may start an upload: PUT."""
    fields = {**ietf.complete(False)}
    header(succeeded(ietf.request("PUT", ietf.target.url, fields, DATA)), "Location")


@ietf(MUST, "4.1.2 Completeness")
def another_value_of_completeness_is_ignored(ietf: Ietf) -> None:
    """The field is a boolean; with any other value it is ignored, and the request starts no resumable upload."""
    name = next(iter(ietf.complete(True)))
    answer = ietf.request("POST", ietf.target.url, {name: "yes"}, DATA)
    must(not answer.told(104), "a 104 came")


@ietf(MUST, "4.1.3 Length")
def two_lengths_in_one_request_agree(ietf: Ietf) -> None:
    """Upload-Length and the length of a whole content differ: refused."""
    refused(ietf.post(True, DATA, {"Upload-Length": str(len(DATA) + 1)}))


@latest(MAY, "4.1.3 Length; 7.3 Inconsistent Length")
def two_lengths_that_differ_have_their_problem_type(ietf: Ietf) -> None:
    """The refusal may be of the type inconsistent-upload-length, then with 400."""
    answer = refused(ietf.post(True, DATA, {"Upload-Length": str(len(DATA) + 1)}))
    problem(answer, "inconsistent-upload-length")
    status(answer, 400)


@ietf(MUST, "4.2.2 Upload Creation, Server Behavior")
def a_cut_creation_is_not_complete(ietf: Ietf) -> None:
    """The client closes in the middle of its creation: the upload is not complete."""
    url, _ = _cut(ietf)
    must(not ietf.completed(succeeded(ietf.head(url))), "it is complete")


@ietf(SHOULD, "4.2.2 Upload Creation, Server Behavior")
def a_cut_creation_keeps_its_bytes(ietf: Ietf) -> None:
    """The client closes in the middle of its creation: as much as possible is kept."""
    url, sent = _cut(ietf)
    ietf.reaches(url, sent)


@ietf(MUST, "4.3.2 Offset Retrieval, Server Behavior")
def a_cut_creation_can_be_completed(ietf: Ietf) -> None:
    """The upload goes on from the offset that HEAD tells, to the end."""
    url, _ = _cut(ietf)
    at = ietf.offset(url)
    must(ietf.completed(succeeded(ietf.patch(url, at, film(100_000)[at:], complete=True))), "it is not complete")


def _cut(ietf: Ietf) -> tuple[str, int]:
    """Address and bytes of a creation that its client cut after the 104."""
    with ietf.begin(100_000) as connection:
        try:
            announced = connection.answer("POST", final=False)
        except Broken as error:
            raise Unseen("no 104 came before the content") from error
        if announced.status != 104:
            raise Unseen("no 104 came before the content")
        connection.send(film(100_000)[:60_000])
        connection.leave()
    return ietf.location(announced), 60_000


# -- 104 --------------------------------------------------------------------------------------------------------------


def _announced(ietf: Ietf) -> Answer:
    """The first 104 of a creation."""
    told = succeeded(ietf.post(False, DATA)).told(104)
    if not told:
        raise Unseen("no 104 came")
    return told[0]


@ietf(SHOULD, "4.2.2 Upload Creation, Server Behavior")
def a_creation_is_announced_by_104(ietf: Ietf) -> None:
    """A server that creates an upload says so in an interim response 104."""
    must(ietf.post(False, DATA).told(104), "no 104 came")


@ietf(SHOULD, "4.2.2 Upload Creation, Server Behavior")
def the_104_comes_before_the_content(ietf: Ietf) -> None:
    """The 104 comes at once: the client can resume even if it is cut before the first byte of the answer."""
    with ietf.begin(1000) as connection:
        status(connection.answer("POST", final=False), 104)


@ietf(MUST, "4.2.2 Upload Creation, Server Behavior")
def a_104_of_a_creation_tells_the_address(ietf: Ietf) -> None:
    """A 104 that announces an upload has Location."""
    header(_announced(ietf), "Location")


@ietf(MUST, "Appendix B, Draft Version Identification")
def a_104_names_the_interop_version(ietf: Ietf) -> None:
    """A 104 has Upload-Draft-Interop-Version, with the client's version."""
    header(_announced(ietf), "Upload-Draft-Interop-Version", str(ietf.interop))


@ietf(MUST, "Appendix B, Draft Version Identification")
def no_104_without_a_version(ietf: Ietf) -> None:
    """A request without Upload-Draft-Interop-Version gets no 104."""
    answer = ietf.post(False, DATA, {"Upload-Draft-Interop-Version": None})
    must(not answer.told(104), "a 104 came")


@ietf(MUST, "Appendix B, Draft Version Identification")
def no_104_for_another_version(ietf: Ietf) -> None:
    """A request with a version that the server does not have gets no 104."""
    answer = ietf.post(False, DATA, {"Upload-Draft-Interop-Version": str(ELSEWHERE)})
    must(not answer.told(104), "a 104 came")


@ietf(MUST, "4.2.2 Upload Creation, Server Behavior")
def the_address_is_the_same_in_all_answers(ietf: Ietf) -> None:
    """Location is identical in the 104 and the final answer."""
    answer = succeeded(ietf.post(False, DATA))
    places = {told.get("Location") for told in answer.told(104) if told.get("Location")} | {answer.get("Location")}
    must(len(places) == 1, f"there are {places}")


@latest(MUST, "4.2.2 Upload Creation, Server Behavior")
def a_104_of_a_creation_tells_the_limits(ietf: Ietf) -> None:
    """A 104 that announces an upload has Upload-Limit if there are limits, as HEAD tells them."""
    url = ietf.create()
    if ietf.head(url).get("Upload-Limit") is None:
        raise Unseen("there are no limits")
    limits(header(_announced(ietf), "Upload-Limit"))


@latest(MUST, "5 Status Code 104")
def a_104_does_not_replace_100(ietf: Ietf) -> None:
    """A client that waits for 100 gets it, whether a 104 came or not."""
    with ietf.begin(len(DATA), headers={"Expect": "100-continue"}) as connection:
        first = connection.answer("POST", final=False)
        if first.status == 104:
            first = connection.answer("POST", final=False)
        status(first, 100)
        connection.send(DATA)
        succeeded(connection.answer("POST"))


def _slowly(ietf: Ietf, slices: int) -> list[Answer]:
    """All 104 of an append that takes its time."""
    data, url = film(slices * SLICE), ietf.create()
    with ietf.half(url, 0, b"", len(data)) as connection:
        for at in range(0, len(data), SLICE):
            connection.send(data[at : at + SLICE])
            pause(SLICE_EVERY)
        return succeeded(connection.answer("PATCH")).told(104)


@ietf(MUST, "4.4.2 Upload Append, Server Behavior")
def a_104_of_an_append_has_no_address(ietf: Ietf) -> None:
    """A 104 during an append tells Upload-Offset, and never Location."""
    told = _slowly(ietf, 6)
    if not told:
        raise Unseen("no 104 came during an append of 1.5 s")
    for each in told:
        no_header(each, "Location")
        header(each, "Upload-Offset")


@latest(SHOULD, "4.4.2 Upload Append, Server Behavior")
def a_long_append_tells_its_progress(ietf: Ietf) -> None:
    """While content is processed, 104 with Upload-Offset tells how far: an append that takes three seconds."""
    told = _slowly(ietf, 12)
    must(told, "no 104 came")
    offsets = [int(header(each, "Upload-Offset")) for each in told]
    must(offsets == sorted(offsets) and offsets[-1] <= 12 * SLICE, f"the offsets are {offsets}")


def problem(answer: Answer, name: str) -> dict[str, object]:
    """The problem's members (RFC 9457). Raises Violated where it is of another type."""
    header(answer, "Content-Type", "application/problem+json")
    members: dict[str, object] = answer.json()
    must(members.get("type") == PROBLEM + name, f"its type is {members.get('type')!r}")
    return members
