"""Beyond the text: bad input. What is wrong is refused by 4xx, never 5xx, and nobody else is disturbed. Scored apart."""

from __future__ import annotations

import base64
import time
from functools import partial
from urllib.parse import urlsplit

from tests.conformance.clause import Level, Unseen, clause, header, must, no_header, refused
from tests.conformance.session import VERSION, Tus
from tests.conformance.wire import Broken, Connection, chunked

WISH = Level.WISH
hostile = partial(clause, WISH, protocol="beyond", extension="bad input", needs=["creation"])

SOON = 3.0


def serves_others(tus: Tus, open_ones: list[Connection]) -> None:
    """An upload goes through while these are open. Closes them."""
    try:
        started = time.monotonic()
        tus.uploaded(b"hello")
        must(time.monotonic() - started < SOON, "it took too long")
    finally:
        for connection in open_ones:
            connection.close()


@hostile("tus 1.0.0, Headers, Upload-Length")
def more_than_the_length_is_refused(tus: Tus) -> None:
    """A PATCH with more bytes than are missing is refused, and the offset does not pass the length."""
    url = tus.create(5)
    refused(tus.patch(url, 0, b"hello world"))
    must(tus.offset(url) <= 5, "the offset passed the length")


@hostile("tus 1.0.0, Headers, Upload-Length")
def more_than_the_length_in_chunks_is_refused(tus: Tus) -> None:
    """The same in chunked transfer coding, where nothing announces it."""
    url = tus.create(5)
    fields = {"Tus-Resumable": VERSION, **tus.appending(0), "Transfer-Encoding": "chunked"}
    with tus.connect() as connection:
        connection.ask("PATCH", url, {**tus.target.headers, **fields}, chunked(b"hello", b" world"))
        refused(connection.answer("PATCH"))
    must(tus.offset(url) <= 5, "the offset passed the length")


@hostile("tus 1.0.0, Creation With Upload")
def more_than_the_length_with_the_creation_is_refused(tus: Tus) -> None:
    """A creation that brings more bytes than its length is refused, or takes no more than the length."""
    answer = tus.post({"Upload-Length": "5"}, b"hello world")
    if answer.status == 201:
        must(tus.offset(tus.location(answer)) <= 5, "the offset passed the length")
    else:
        refused(answer)


@hostile("operators")
def absurd_lengths_are_no_server_error(tus: Tus) -> None:
    """Lengths beyond all reason are refused by 4xx or accepted, never 5xx."""
    for value in ("9223372036854775807", "9223372036854775808", "1" + "0" * 40, "9" * 400):
        answer = tus.post({"Upload-Length": value})
        must(answer.status < 500, f"{value[:24]}: answered {answer.status}")


@hostile("operators")
def absurd_offsets_are_refused(tus: Tus) -> None:
    """Offsets beyond all reason are refused by 4xx."""
    url = tus.create(5)
    for value in ("9223372036854775808", "1" + "0" * 40, "9" * 400, "", "0,0", "٠"):
        try:
            refused(tus.patch(url, 0, b"hello", {"Upload-Offset": value.encode().decode("latin-1")}))
        except Broken as error:
            raise Unseen(str(error)) from error
    must(tus.offset(url) == 0, "the bytes were taken")


@hostile("operators")
def large_metadata_is_no_server_error(tus: Tus) -> None:
    """64 kB of metadata is refused by 4xx or kept, never 5xx, and the server goes on."""
    try:
        answer = tus.post({"Upload-Length": "5", "Upload-Metadata": "blob " + "QUJD" * 16_000})
        must(answer.status < 500, f"answered {answer.status}")
    except Broken as error:
        must("no answer" not in str(error), str(error))
    tus.create(5)


@hostile("operators")
def paths_lead_nowhere(tus: Tus) -> None:
    """Tricks with paths in the upload's name find nothing, and nothing but uploads is served."""
    base = tus.target.url.rstrip("/")
    for name in (
        "../../etc/passwd",
        "..%2f..%2f..%2fetc%2fpasswd",
        "%00",
        "a%00b",
        ".",
        "..",
        "x" * 3000,
        "%ff%fe",
        "a/b",
    ):
        answer = tus.request("HEAD", f"{base}/{name}")
        must(answer.status < 500, f"{name[:30]}: answered {answer.status}")
        no_header(answer, "Upload-Offset")


@hostile("RFC 9112 section 6.3")
def two_lengths_smuggle_nothing(tus: Tus) -> None:
    """Content-Length and Transfer-Encoding together: refused, or the connection is closed behind the answer."""
    url = tus.create(5)
    fields = {"Tus-Resumable": VERSION, **tus.appending(0), "Content-Length": "4", "Transfer-Encoding": "chunked"}
    with tus.connect(3.0) as connection:
        smuggled = f"HEAD {urlsplit(url).path} HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\n\r\n".encode()
        connection.ask("PATCH", url, {**tus.target.headers, **fields}, b"0\r\n\r\n" + smuggled)
        answers = _answers(connection)
    must(len(answers) == 1 or answers[0] < 300, f"answered {answers}")
    must(len(answers) == 1, f"a smuggled request was answered: {answers}")


@hostile("RFC 9112 section 6.3")
def two_different_lengths_are_refused(tus: Tus) -> None:
    """Two Content-Length fields that differ are refused."""
    url = tus.create(5)
    with tus.connect(3.0) as connection:
        fields = {"Tus-Resumable": VERSION, **tus.appending(0), "Content-Length": "5", "content-length": "2"}
        connection.ask("PATCH", url, {**tus.target.headers, **fields}, b"hello")
        refused(connection.answer("PATCH"))
    must(tus.offset(url) == 0, "bytes were taken")


@hostile("RFC 9112 section 7.1")
def a_broken_chunk_is_no_end(tus: Tus) -> None:
    """A chunk whose size is no number ends the request; nothing after it is taken for content."""
    url = tus.create(100)
    fields = {"Tus-Resumable": VERSION, **tus.appending(0), "Transfer-Encoding": "chunked"}
    with tus.connect(3.0) as connection:
        connection.ask("PATCH", url, {**tus.target.headers, **fields}, b"5\r\nhello\r\nzz\r\nworld\r\n0\r\n\r\n")
        _answers(connection)
    must(tus.offset(url) in (0, 5), f"the offset is {tus.offset(url)}")


@hostile("RFC 9112 section 5.1")
def a_space_before_the_colon_is_refused(tus: Tus) -> None:
    """A field name with a space behind it is refused by 400."""
    with tus.connect(3.0) as connection:
        connection.ask("POST", tus.target.url, {**tus.target.headers, "Tus-Resumable": VERSION, "Upload-Length ": "5"})
        try:
            refused(connection.answer("POST"))
        except Broken as error:
            must("no answer" not in str(error), str(error))


@hostile("slow attackers")
def half_a_request_holds_up_nobody(tus: Tus) -> None:
    """Fifty connections with half a request head each: others are served."""
    open_ones = [tus.connect() for _ in range(50)]
    for connection in open_ones:
        connection.send(b"POST /files HTTP/1.1\r\nHost: x\r\nTus-Res")
    serves_others(tus, open_ones)


@hostile("slow attackers")
def abandoned_uploads_hold_up_nobody(tus: Tus) -> None:
    """Fifty PATCH requests that say nothing more: others are served."""
    open_ones = [tus.half(tus.create(1000), 0, b"x", 1000) for _ in range(50)]
    serves_others(tus, open_ones)


@hostile("scanners")
def other_methods_are_no_server_error(tus: Tus) -> None:
    """Methods that are none of the protocol are refused by 4xx, or served, never 5xx."""
    url = tus.create(5)
    for method in ("GET", "PUT", "TRACE", "PROPFIND", "get"):
        try:
            answer = tus.request(method, url)
        except Broken as error:
            must("no answer" not in str(error), f"{method}: {error}")
            continue
        must(answer.status < 500 or answer.status == 501, f"{method}: answered {answer.status}")


@hostile("scanners")
def odd_overrides_are_no_server_error(tus: Tus) -> None:
    """X-HTTP-Method-Override with nonsense is refused by 4xx."""
    url = tus.create(5)
    for value in ("", "NONSENSE", "__class__", "A" * 5000):
        answer = tus.request("POST", url, {"X-HTTP-Method-Override": value, "Content-Length": "0"})
        must(400 <= answer.status < 500, f"{value[:20]!r}: answered {answer.status}")


@hostile("people with names")
def names_in_any_script_are_accepted(tus: Tus) -> None:
    """A file name with line breaks, quotes, direction marks and emoji is accepted, and told back unchanged."""
    name = 'a\n"b"\\ \u202eפרק\u0000 🎬 ../..\\x.mp4'
    given = f"filename {base64.b64encode(name.encode()).decode()}"
    header(tus.head(tus.create(5, {"Upload-Metadata": given})), "Upload-Metadata", given)


@hostile("operators")
def a_failed_creation_leaves_no_address(tus: Tus) -> None:
    """A refused creation has no Location."""
    for headers in ({"Upload-Length": "-1"}, {"Upload-Length": "5", "Upload-Metadata": "a ?"}, {}):
        answer = tus.post(headers)
        if answer.status >= 400:
            no_header(answer, "Location")


def _answers(connection: Connection) -> list[int]:
    """Statuses of all final answers until the server closes or is silent."""
    found: list[int] = []
    try:
        while True:
            found.append(connection.answer("PATCH" if not found else "HEAD").status)
    except Broken:
        return found
