"""tus 1.0.0: methods in disguise, and what HTTP/1.1 asks of whoever speaks it (section "Abstract" of the protocol)."""

from __future__ import annotations

from functools import partial

from tests.conformance.clause import Level, clause, header, must, status, succeeded
from tests.conformance.session import STREAM, VERSION, Tus
from tests.conformance.wire import chunked

MUST, SHOULD = Level.MUST, Level.SHOULD
core = partial(clause, protocol="tus", extension="core")
http = partial(clause, protocol="tus", extension="http")

GONE = (404, 410)


# -- X-HTTP-Method-Override -------------------------------------------------------------------------------------------


@core(MUST, "Headers, X-HTTP-Method-Override", needs=["creation"])
def post_may_mean_patch(tus: Tus) -> None:
    """X-HTTP-Method-Override is the method: POST that means PATCH appends."""
    url = tus.create(5)
    status(tus.request("POST", url, {**tus.appending(0), "X-HTTP-Method-Override": "PATCH"}, b"hello"), 204)
    must(tus.offset(url) == 5, "the bytes were not taken")


@core(MUST, "Headers, X-HTTP-Method-Override", needs=["creation"])
def put_may_mean_patch(tus: Tus) -> None:
    """X-HTTP-Method-Override is the method: PUT that means PATCH appends."""
    url = tus.create(5)
    status(tus.request("PUT", url, {**tus.appending(0), "X-HTTP-Method-Override": "PATCH"}, b"hello"), 204)


@core(MUST, "Headers, X-HTTP-Method-Override", needs=["creation"])
def patch_may_mean_head(tus: Tus) -> None:
    """The actual method is ignored: PATCH that means HEAD tells the offset and takes nothing."""
    url = tus.create(5)
    answer = tus.request("PATCH", url, {**tus.appending(0), "X-HTTP-Method-Override": "HEAD", "Content-Length": "0"})
    header(status(answer, 200, 204), "Upload-Length", "5")
    must(tus.offset(url) == 0, "bytes were taken")


@core(MUST, "Headers, X-HTTP-Method-Override", needs=["creation", "termination"])
def post_may_mean_delete(tus: Tus) -> None:
    """X-HTTP-Method-Override is the method: POST that means DELETE terminates."""
    url = tus.create(5)
    status(tus.request("POST", url, {"X-HTTP-Method-Override": "DELETE", "Content-Length": "0"}), 204)
    status(tus.head(url), *GONE)


@core(MUST, "Headers, X-HTTP-Method-Override")
def post_may_mean_options(tus: Tus) -> None:
    """X-HTTP-Method-Override is the method: POST that means OPTIONS tells the versions."""
    answer = tus.request("POST", tus.target.url, {"X-HTTP-Method-Override": "OPTIONS", "Content-Length": "0"})
    header(status(answer, 204, 200), "Tus-Version")


@core(MUST, "Headers, X-HTTP-Method-Override", needs=["creation"])
def put_may_mean_post(tus: Tus) -> None:
    """X-HTTP-Method-Override is the method: PUT that means POST creates."""
    answer = tus.request("PUT", tus.target.url, {"X-HTTP-Method-Override": "POST", "Upload-Length": "5"}, b"")
    header(status(answer, 201), "Location")


# -- HTTP/1.1 ---------------------------------------------------------------------------------------------------------


@http(MUST, "RFC 9112 section 7.1 (tus: Abstract)", needs=["creation"])
def chunked_transfer_coding_is_understood(tus: Tus) -> None:
    """A recipient can decode the chunked transfer coding: PATCH without Content-Length."""
    url = tus.create(10)
    fields = {**tus.appending(0), "Transfer-Encoding": "chunked"}
    with tus.connect() as connection:
        all_fields = {**tus.target.headers, "Tus-Resumable": VERSION, **fields}
        connection.ask("PATCH", url, all_fields, chunked(b"hello", b"again"))
        header(status(connection.answer("PATCH"), 204), "Upload-Offset", "10")


@http(MUST, "RFC 9112 section 7.1.1 (tus: Abstract)", needs=["creation"])
def chunk_extensions_are_ignored(tus: Tus) -> None:
    """A recipient ignores chunk extensions that it does not know; none of them becomes content."""
    url = tus.create(5)
    fields = {**tus.target.headers, "Tus-Resumable": VERSION, **tus.appending(0), "Transfer-Encoding": "chunked"}
    with tus.connect() as connection:
        connection.ask("PATCH", url, fields, b"5;name=value\r\nhello\r\n0\r\n\r\n")
        header(status(connection.answer("PATCH"), 204), "Upload-Offset", "5")


@http(MUST, "RFC 9110 section 10.1.1 (tus: Abstract)", needs=["creation"])
def a_waiting_client_is_told_to_go_on(tus: Tus) -> None:
    """Expect: 100-continue on PATCH is answered by 100, or by the final status."""
    url = tus.create(5)
    fields = {**tus.appending(0), "Content-Length": "5", "Expect": "100-continue"}
    with tus.connect() as connection:
        connection.ask("PATCH", url, {**tus.target.headers, "Tus-Resumable": VERSION, **fields})
        status(connection.answer("PATCH", final=False), 100)
        connection.send(b"hello")
        status(connection.answer("PATCH"), 204)


@http(SHOULD, "RFC 9110 section 10.1.1 (tus: Abstract)", needs=["creation"])
def a_waiting_client_is_refused_before_it_sends(tus: Tus) -> None:
    """Expect: 100-continue of a PATCH at a wrong offset: the 409 comes without the body."""
    url = tus.create(5)
    fields = {**tus.appending(3), "Content-Length": "2", "Expect": "100-continue"}
    with tus.connect(3.0) as connection:
        connection.ask("PATCH", url, {**tus.target.headers, "Tus-Resumable": VERSION, **fields})
        status(connection.answer("PATCH", final=False), 409)


@http(MUST, "RFC 9112 section 9.3.2 (tus: Abstract)", needs=["creation"])
def pipelined_requests_are_answered_in_order(tus: Tus) -> None:
    """Requests that come without waiting are answered in their order."""
    first, second = tus.create(5), tus.create(7)
    with tus.connect() as connection:
        for url in (first, second, first):
            connection.ask("HEAD", url, {**tus.target.headers, "Tus-Resumable": VERSION})
        lengths = [connection.answer("HEAD").get("Upload-Length") for _ in range(3)]
    must(lengths == ["5", "7", "5"], f"the lengths came as {lengths}")


@http(MUST, "RFC 9112 section 9.3 (tus: Abstract)", needs=["creation"])
def a_connection_stays_in_step(tus: Tus) -> None:
    """After a PATCH the same connection serves the next request, or is closed by an announced Connection: close."""
    url = tus.create(5)
    with tus.connect() as connection:
        for at, data in ((0, b"he"), (2, b"llo")):
            fields = {"Tus-Resumable": VERSION, **tus.appending(at), "Content-Length": str(len(data))}
            connection.ask("PATCH", url, {**tus.target.headers, **fields}, data)
            answer = succeeded(connection.answer("PATCH"))
            if (answer.get("Connection") or "").lower() == "close":
                return
    must(tus.offset(url) == 5, "the offset is not 5")


@http(MUST, "RFC 9110 section 5.1 (tus: Abstract)", needs=["creation"])
def field_names_ignore_case(tus: Tus) -> None:
    """Names of header fields are case-insensitive."""
    url = tus.create(5)
    fields = {"tus-RESUMABLE": VERSION, "CONTENT-type": STREAM, "upload-OFFSET": "0", "content-LENGTH": "5"}
    status(tus.ask("PATCH", url, {**tus.target.headers, **fields}, b"hello"), 204)
