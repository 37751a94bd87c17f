"""Beyond the text: what no specification demands, and clients, users and operators rely on. Scored apart.

The sources are the behaviour of clients (tus-js-client, Uppy, tuspy, TUSKit, tus-java-client) and RFCs of HTTP.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from urllib.parse import urlsplit

from rushes.clock import pause
from tests.conformance.clause import Level, Unseen, clause, header, must, refused, status
from tests.conformance.session import AWHILE, VERSION, Tus, film

WISH = Level.WISH
network = partial(clause, WISH, protocol="beyond", extension="broken networks", needs=["creation"])
rivals = partial(clause, WISH, protocol="beyond", extension="rival requests", needs=["creation"])
clients = partial(clause, WISH, protocol="beyond", extension="what clients expect", needs=["creation"])

GONE = (404, 410)
QUICKLY = 0.5
"""Seconds within which a client that is back has to hear the offset."""
SOON = 3.0
MIB = 2**20


# -- broken networks --------------------------------------------------------------------------------------------------


@network("every mobile client")
def a_stalled_append_gives_way(tus: Tus) -> None:
    """A PATCH stalls on a half-open connection: HEAD on another one is answered within 3 s."""
    url = tus.create(100_000)
    with tus.half(url, 0, film(100_000)[:60_000], 100_000):
        pause(AWHILE)
        started = time.monotonic()
        status(tus.head(url), 200, 204)
        must(time.monotonic() - started < SOON, f"it took {time.monotonic() - started:.1f} s")


@network("every mobile client")
def a_stalled_append_gives_way_at_once(tus: Tus) -> None:
    """The same, within half a second: once in five times at least, for this machine has other things to do too."""
    took = [_seconds_to_hear(tus)]
    while took[-1] >= QUICKLY and len(took) < 5:
        took.append(_seconds_to_hear(tus))
    must(took[-1] < QUICKLY, f"it took {min(took):.1f} s")


def _seconds_to_hear(tus: Tus) -> float:
    """Of a HEAD while a PATCH has stalled."""
    url = tus.create(100_000)
    with tus.half(url, 0, film(100_000)[:60_000], 100_000):
        pause(AWHILE)
        started = time.monotonic()
        status(tus.head(url), 200, 204)
        return time.monotonic() - started


@network("every mobile client")
def a_stalled_append_keeps_its_bytes(tus: Tus) -> None:
    """Every byte of the stalled PATCH that arrived is in the offset."""
    url = tus.create(100_000)
    with tus.half(url, 0, film(100_000)[:60_000], 100_000):
        pause(AWHILE)
        tus.reaches(url, 60_000)


@network("every mobile client")
def a_stalled_upload_goes_on(tus: Tus) -> None:
    """The upload goes on at the offset that HEAD told while the old connection is still open; the bytes are right."""
    data = film(100_000, os.urandom(1000))
    url = tus.create(len(data))
    with tus.half(url, 0, data[:60_000], len(data)):
        pause(AWHILE)
        at = tus.offset(url)
        status(tus.patch(url, at, data[at:]), 204)
    must(tus.content(url) == data, "what is stored is not what was sent")


@network("tus-java-client, Uppy")
def a_late_byte_of_the_old_request_does_no_harm(tus: Tus) -> None:
    """Bytes that the old connection delivers after the client has gone on elsewhere change nothing."""
    data = film(100_000, os.urandom(1000))
    url = tus.create(len(data))
    with tus.half(url, 0, data[:60_000], len(data)) as old:
        pause(AWHILE)
        at = tus.offset(url)
        old.send(b"X" * 20_000)
        status(tus.patch(url, at, data[at:]), 204)
        old.send(b"X" * 20_000)
    must(tus.content(url) == data, "what is stored is not what was sent")


@network("phones that change their network")
def a_reset_loses_nothing(tus: Tus) -> None:
    """A TCP reset in the middle of a PATCH: the upload goes on at an offset that is at most what was sent, and is right."""
    data = film(100_000, os.urandom(1000))
    url = tus.create(len(data))
    tus.half(url, 0, data[:60_000], len(data)).reset()
    at = tus.offset(url)
    must(0 <= at <= 60_000, f"the offset is {at}")
    status(tus.patch(url, at, data[at:]), 204)
    must(tus.content(url) == data, "what is stored is not what was sent")


@network("every mobile client")
def a_cut_append_keeps_every_byte(tus: Tus) -> None:
    """The client closes in the middle of a PATCH: all of the 60,000 bytes that it sent are kept."""
    url = tus.create(100_000)
    tus.half(url, 0, film(100_000)[:60_000], 100_000).leave()
    tus.reaches(url, 60_000)


@network("tus-java-client")
def a_cut_chunked_append_keeps_its_bytes(tus: Tus) -> None:
    """A PATCH in chunked transfer coding is cut: the chunks that arrived are kept."""
    url = tus.create(100_000)
    fields = {"Tus-Resumable": VERSION, **tus.appending(0), "Transfer-Encoding": "chunked"}
    with tus.connect() as connection:
        connection.ask("PATCH", url, {**tus.target.headers, **fields}, b"ea60\r\n" + film(60_000) + b"\r\n")
        connection.leave()
    tus.reaches(url, 60_000)


# -- rival requests ---------------------------------------------------------------------------------------------------


@rivals("tus-js-client: retries 409 and 423, gives up on other 4xx")
def of_two_appends_at_one_offset_one_wins(tus: Tus) -> None:
    """Two PATCH requests at one offset at once: exactly one is 204, the other 409 or 423."""
    url = tus.create(4 * MIB)
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda letter: tus.patch(url, 0, film(4 * MIB, letter)).status, (b"a", b"b")))
    must(sorted(answers)[0] == 204 and sorted(answers)[1] in (409, 423), f"they were answered {answers}")


@rivals("whoever plays the file")
def rival_appends_do_not_mix(tus: Tus) -> None:
    """Four PATCH requests at one offset at once: the stored bytes are those of one of them."""
    url = tus.create(2 * MIB)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda letter: tus.patch(url, 0, film(2 * MIB, letter)), (b"a", b"b", b"c", b"d")))
    must([a.status for a in answers].count(204) == 1, f"they were answered {[a.status for a in answers]}")
    must(len(set(tus.content(url)[32:])) == 1, "the bytes of several are mixed")


@rivals("tus-java-client: retries 423 and 5xx only; operators alarm on 5xx")
def rivalry_is_no_server_error(tus: Tus) -> None:
    """A PATCH beside one that is under way is never answered by 5xx."""
    url = tus.create(100_000)
    with tus.half(url, 0, film(100_000)[:50_000], 100_000):
        pause(AWHILE)
        answer = tus.patch(url, 0, film(100_000))
        must(answer.status < 500, f"answered {answer.status}")


@rivals("tus-js-client: abort(true)")
def a_termination_beside_an_append(tus: Tus) -> None:
    """DELETE while a PATCH is under way: 204, and the upload is gone."""
    if "termination" not in tus.target.extensions:
        raise Unseen("no termination")
    url = tus.create(100_000)
    with tus.half(url, 0, film(100_000)[:50_000], 100_000):
        pause(AWHILE)
        status(tus.delete(url), 204)
        status(tus.head(url), *GONE)


@rivals("impatient clients")
def many_heads_at_once(tus: Tus) -> None:
    """Twenty HEAD requests at once are all answered, and alike."""
    url = tus.create(5)
    status(tus.patch(url, 0, b"he"), 204)
    with ThreadPoolExecutor(20) as pool:
        offsets = set(pool.map(lambda _: tus.offset(url), range(20)))
    must(offsets == {2}, f"the offsets are {offsets}")


# -- what clients expect ----------------------------------------------------------------------------------------------


@clients("tus-java-client, TUSKit: start anew on 404 only")
def a_missing_upload_is_404(tus: Tus) -> None:
    """HEAD of an upload that is not there is 404."""
    status(tus.head(tus.unknown(tus.create(5))), 404)


@clients("TUSKit")
def head_is_200(tus: Tus) -> None:
    """HEAD is 200."""
    status(tus.head(tus.create(5)), 200)


@clients("tus-js-client, Uppy in a browser (CORS)")
def a_page_may_read_the_answers(tus: Tus) -> None:
    """Access-Control-Expose-Headers names what clients in a browser have to read."""
    answer = tus.request("POST", tus.target.url, {"Upload-Length": "5", "Origin": "https://app.example"}, b"")
    header(answer, "Access-Control-Allow-Origin")
    names = {name.strip().lower() for name in header(answer, "Access-Control-Expose-Headers").split(",")}
    wanted = {"location", "upload-offset", "upload-length", "tus-resumable", "upload-metadata"}
    must("*" in names or wanted <= names, f"missing: {sorted(wanted - names)}")


@clients("tus-js-client, Uppy in a browser (CORS)")
def a_page_may_ask(tus: Tus) -> None:
    """A preflight allows the methods and header fields of the protocol."""
    fields = "tus-resumable,upload-offset,upload-length,upload-metadata,upload-concat,upload-defer-length,content-type"
    asked = {"Origin": "https://app.example", "Access-Control-Request-Method": "PATCH"}
    answer = tus.ask("OPTIONS", tus.create(5), {**asked, "Access-Control-Request-Headers": fields})
    status(answer, 200, 204)
    methods = {name.strip() for name in header(answer, "Access-Control-Allow-Methods").split(",")}
    must({"POST", "HEAD", "PATCH", "DELETE"} <= methods or "*" in methods, f"methods: {sorted(methods)}")
    allowed = {name.strip().lower() for name in header(answer, "Access-Control-Allow-Headers").split(",")}
    must("*" in allowed or set(fields.split(",")) <= allowed, f"missing: {sorted(set(fields.split(',')) - allowed)}")


@clients("Uppy, tus-js-client: an upload without metadata")
def empty_metadata_is_accepted(tus: Tus) -> None:
    """An empty Upload-Metadata field is accepted."""
    status(tus.post({"Upload-Length": "5", "Upload-Metadata": ""}), 201)


@clients("tuspy, tus-java-client: endpoints are written both ways")
def the_endpoint_may_end_in_a_slash(tus: Tus) -> None:
    """The creation address works with and without a slash at its end, without a redirect that would lose the body."""
    other = tus.target.url.rstrip("/") if tus.target.url.endswith("/") else tus.target.url + "/"
    status(tus.request("POST", other, {"Upload-Length": "5"}, b""), 201)


@clients("TUSKit, tus-js-client")
def a_conflict_tells_nothing_wrong(tus: Tus) -> None:
    """A 409 that has Upload-Offset has the true one."""
    url = tus.create(5)
    status(tus.patch(url, 0, b"he"), 204)
    value = status(tus.patch(url, 0, b"hello"), 409).get("Upload-Offset")
    must(value in (None, "2"), f"it says {value!r}")


@clients("creators who read an error")
def a_refusal_says_why(tus: Tus) -> None:
    """A refusal has a body that says what is wrong."""
    must(tus.patch(tus.create(5), 3, b"lo").body.strip(), "the body is empty")


@clients("every client: the answer to the last PATCH may be lost")
def a_lost_last_answer_can_be_asked_for(tus: Tus) -> None:
    """After the last byte the upload stays: HEAD tells that it is complete."""
    must(tus.offset(tus.uploaded(b"hello")) == 5, "the offset is not 5")


@clients("every client: the upload's address is its key")
def addresses_cannot_be_guessed(tus: Tus) -> None:
    """Two uploads have addresses with at least 64 bits that differ in no countable way."""
    names = [urlsplit(tus.create(5)).path.rsplit("/", 1)[1] for _ in range(2)]
    must(names[0] != names[1] and len(names[0]) >= 16, f"they are {names}")
    must(sum(a != b for a, b in zip(*names, strict=False)) >= 6, f"they differ too little: {names}")


@clients("tus 1.0.0, Creation With Upload: the rules of PATCH apply")
def a_checksum_of_a_creation_is_looked_at(tus: Tus) -> None:
    """Bytes that come with a creation and a wrong checksum are not kept."""
    if not {"checksum", "creation-with-upload"} <= tus.target.extensions:
        raise Unseen("no checksum, or no creation-with-upload")
    answer = tus.post({"Upload-Length": "5", "Upload-Checksum": "sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0="}, b"hello")
    if answer.status == 201:
        must(tus.offset(tus.location(answer)) == 0, "the bytes were kept")
    else:
        refused(answer)


@clients("tuspy, curl")
def a_client_need_not_name_itself(tus: Tus) -> None:
    """A request without User-Agent and Accept is served."""
    status(tus.post({"Upload-Length": "5"}), 201)
