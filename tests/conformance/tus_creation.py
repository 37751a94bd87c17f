"""tus 1.0.0: creation, creation-with-upload, creation-defer-length."""

from __future__ import annotations

import base64
from functools import partial

from tests.conformance.clause import Level, Unseen, clause, header, must, no_header, refused, status
from tests.conformance.session import STREAM, VERSION, Tus
from tests.conformance.wire import Answer, chunked

MUST, SHOULD = Level.MUST, Level.SHOULD
creation = partial(clause, protocol="tus", extension="creation")
with_upload = partial(clause, protocol="tus", extension="creation-with-upload", needs=["creation"])
defer = partial(clause, protocol="tus", extension="creation-defer-length", needs=["creation"])


def pairs(**values: bytes) -> str:
    return ",".join(f"{key} {base64.b64encode(value).decode()}" for key, value in values.items())


# -- creation ---------------------------------------------------------------------------------------------------------


@creation(MUST, "Creation, POST")
def a_creation_is_201(tus: Tus) -> None:
    """A successful creation is 201."""
    status(tus.post({"Upload-Length": "5"}), 201)


@creation(MUST, "Creation, POST")
def a_creation_tells_the_address(tus: Tus) -> None:
    """Location is the address of the upload, absolute or relative: HEAD finds it there."""
    status(tus.head(tus.create(5)), 200, 204)


@creation(MUST, "Creation, POST")
def a_creation_needs_a_length(tus: Tus) -> None:
    """A creation has Upload-Length or Upload-Defer-Length; without both it is refused."""
    refused(tus.post({}))


@creation(MUST, "Headers, Upload-Length")
def a_negative_length_is_refused(tus: Tus) -> None:
    """Upload-Length is a non-negative integer: -1 is refused."""
    refused(tus.post({"Upload-Length": "-1"}))


@creation(MUST, "Headers, Upload-Length")
def a_length_of_letters_is_refused(tus: Tus) -> None:
    """Upload-Length is a non-negative integer: letters are refused."""
    refused(tus.post({"Upload-Length": "many"}))


@creation(MUST, "Headers, Upload-Length")
def a_broken_length_is_refused(tus: Tus) -> None:
    """Upload-Length is a non-negative integer: 5.5, 0x5 and 1e3 are refused."""
    for value in ("5.5", "0x5", "1e3"):
        refused(tus.post({"Upload-Length": value}))


@creation(MUST, "Headers, Upload-Length; HEAD")
def an_upload_of_nothing_is_possible(tus: Tus) -> None:
    """A length of 0 is legal; HEAD tells length and offset 0."""
    answer = status(tus.head(tus.create(0)), 200, 204)
    header(answer, "Upload-Length", "0")
    header(answer, "Upload-Offset", "0")


@creation(MUST, "Creation, POST")
def over_the_maximum_is_413(tus: Tus) -> None:
    """A length over Tus-Max-Size: 413."""
    if tus.target.max_size is None:
        raise Unseen("no Tus-Max-Size")
    no_header(status(tus.post({"Upload-Length": str(tus.target.max_size + 1)}), 413), "Location")


@creation(MUST, "Creation, POST")
def metadata_is_told_as_it_was_given(tus: Tus) -> None:
    """HEAD has Upload-Metadata as the client gave it."""
    given = pairs(filename=b"a b.mp4", filetype=b"video/mp4")
    header(tus.head(tus.create(5, {"Upload-Metadata": given})), "Upload-Metadata", given)


@creation(MUST, "Creation, Upload-Metadata")
def metadata_may_be_a_key_alone(tus: Tus) -> None:
    """A value may be empty, and the space before it left out."""
    url = tus.create(5, {"Upload-Metadata": "is_confidential"})
    header(tus.head(url), "Upload-Metadata", "is_confidential", "is_confidential ")


@creation(MUST, "Creation, Upload-Metadata")
def metadata_may_mix_keys_with_and_without_values(tus: Tus) -> None:
    """Keys alone and pairs stand beside each other, as in the example of the specification."""
    given = f"{pairs(filename=b'x.pdf')},is_confidential"
    value = header(tus.head(tus.create(5, {"Upload-Metadata": given})), "Upload-Metadata")
    must([part.strip() for part in value.split(",")] == given.split(","), f"Upload-Metadata is {value!r}")


@creation(MUST, "Creation, Upload-Metadata")
def metadata_values_are_any_bytes(tus: Tus) -> None:
    """Values are base64 of anything: text in any language, line breaks, zeros."""
    given = pairs(filename="日本 Ärger\n.mp4".encode(), blob=bytes(range(256)))
    header(tus.head(tus.create(5, {"Upload-Metadata": given})), "Upload-Metadata", given)


@creation(SHOULD, "Creation, Upload-Metadata")
def metadata_smuggles_no_header(tus: Tus) -> None:
    """Values are validated or sanitised before they become header values: a line break in one makes no header."""
    answer = tus.post(
        {"Upload-Length": "5", "Upload-Metadata": pairs(filename=b"x\r\nSmuggled: yes", filetype=b"a\r\n\r\nb")}
    )
    no_header(answer, "Smuggled")
    if answer.status == 201:
        no_header(tus.head(tus.location(answer)), "Smuggled")


@creation(MUST, "Creation, Upload-Metadata")
def metadata_with_a_key_twice_is_refused(tus: Tus) -> None:
    """All keys are unique: a key that comes twice is refused."""
    refused(tus.post({"Upload-Length": "5", "Upload-Metadata": "name YQ==,name Yg=="}))


@creation(MUST, "Creation, Upload-Metadata")
def metadata_that_is_not_base64_is_refused(tus: Tus) -> None:
    """Values are base64: anything else is refused."""
    refused(tus.post({"Upload-Length": "5", "Upload-Metadata": "name !!not base64!!"}))


@creation(MUST, "Creation, Upload-Defer-Length")
def a_known_length_is_not_deferred(tus: Tus) -> None:
    """Where the length is not deferred, HEAD has no Upload-Defer-Length."""
    no_header(tus.head(tus.create(5)), "Upload-Defer-Length")


@creation(MUST, "Creation")
def creation_is_announced(tus: Tus) -> None:
    """A server that creates uploads has `creation` in Tus-Extension."""
    must("creation" in tus.target.extensions, "Tus-Extension has no `creation`")


# -- creation-with-upload ---------------------------------------------------------------------------------------------


def _with(tus: Tus, length: int, data: bytes, **more: str | None) -> Answer:
    named = {name.replace("_", "-"): value for name, value in more.items()}
    return tus.post({"Upload-Length": str(length), **named}, data)


@with_upload(MUST, "Creation With Upload")
def it_needs_creation(tus: Tus) -> None:
    """The extension is not offered without `creation`."""
    must("creation" in tus.target.extensions, "Tus-Extension has no `creation`")


@with_upload(MUST, "Creation With Upload")
def the_whole_upload_may_come_with_the_creation(tus: Tus) -> None:
    """The body may be all of the upload: 201 with the offset after it."""
    header(status(_with(tus, 5, b"hello"), 201), "Upload-Offset", "5")


@with_upload(MUST, "Creation With Upload")
def a_first_piece_may_come_with_the_creation(tus: Tus) -> None:
    """The body may be a piece of the upload: the offset is where it ends, and HEAD agrees."""
    answer = status(_with(tus, 100, b"hello"), 201)
    header(answer, "Upload-Offset", "5")
    header(tus.head(tus.location(answer)), "Upload-Offset", "5")


@with_upload(MUST, "Creation With Upload")
def the_rest_is_appended(tus: Tus) -> None:
    """What the creation did not bring is appended by PATCH, and the bytes are right."""
    url = tus.location(status(_with(tus, 10, b"hello"), 201))
    status(tus.patch(url, 5, b"world"), 204)
    must(tus.content(url) == b"helloworld", "what is stored is not what was sent")


@with_upload(SHOULD, "Creation With Upload; PATCH")
def its_content_type_is_that_of_patch(tus: Tus) -> None:
    """The rules of PATCH apply: another Content-Type is 415."""
    status(_with(tus, 5, b"hello", Content_Type="video/mp4"), 415)


@with_upload(SHOULD, "Creation With Upload; RFC 9112 section 7.1")
def its_body_may_be_chunked(tus: Tus) -> None:
    """As many bytes as possible are accepted, in chunked transfer coding too."""
    fields = {"Tus-Resumable": VERSION, "Upload-Length": "10", "Content-Type": STREAM, "Transfer-Encoding": "chunked"}
    with tus.connect() as connection:
        connection.ask("POST", tus.target.url, {**tus.target.headers, **fields}, chunked(b"hello", b"again"))
        header(status(connection.answer("POST"), 201), "Upload-Offset", "10")


@with_upload(MUST, "Creation With Upload; RFC 9110 section 10.1.1")
def its_client_may_wait_for_100(tus: Tus) -> None:
    """Expect: 100-continue: the server tells the client to go on."""
    fields = {"Tus-Resumable": VERSION, "Upload-Length": "5", "Content-Type": STREAM, "Content-Length": "5"}
    with tus.connect() as connection:
        connection.ask("POST", tus.target.url, {**tus.target.headers, **fields, "Expect": "100-continue"})
        status(connection.answer("POST", final=False), 100)
        connection.send(b"hello")
        header(status(connection.answer("POST"), 201), "Upload-Offset", "5")


@with_upload(SHOULD, "Creation With Upload")
def its_client_is_refused_before_it_sends(tus: Tus) -> None:
    """Expect: 100-continue gives early feedback: what is too large is refused before the body."""
    if tus.target.max_size is None:
        raise Unseen("no Tus-Max-Size")
    length = str(tus.target.max_size + 1)
    fields = {"Tus-Resumable": VERSION, "Upload-Length": length, "Content-Type": STREAM, "Content-Length": length}
    with tus.connect(3.0) as connection:
        connection.ask("POST", tus.target.url, {**tus.target.headers, **fields, "Expect": "100-continue"})
        status(connection.answer("POST", final=False), 413)


@with_upload(MUST, "Creation With Upload; Creation, POST")
def a_creation_without_bytes_stays_possible(tus: Tus) -> None:
    """The body is optional."""
    must(tus.offset(tus.create(5)) == 0, "the offset is not 0")


# -- creation-defer-length --------------------------------------------------------------------------------------------


@defer(MUST, "Creation, POST b)")
def a_length_may_come_later(tus: Tus) -> None:
    """Upload-Defer-Length: 1 instead of a length: 201."""
    status(tus.post({"Upload-Defer-Length": "1"}), 201)


@defer(MUST, "Creation, POST b)")
def heads_say_that_the_length_is_missing(tus: Tus) -> None:
    """HEAD has Upload-Defer-Length: 1 while the length is not known."""
    header(tus.head(tus.create(None)), "Upload-Defer-Length", "1")


@defer(MUST, "Creation, POST b); HEAD")
def an_unknown_length_is_not_told(tus: Tus) -> None:
    """Upload-Length is the size of the upload: HEAD has none while there is none."""
    no_header(tus.head(tus.create(None)), "Upload-Length")


@defer(SHOULD, "Creation, POST b)")
def other_values_are_400(tus: Tus) -> None:
    """Any other value of Upload-Defer-Length: 400."""
    for value in ("0", "2", "true"):
        status(tus.post({"Upload-Defer-Length": value}), 400)


@defer(MUST, "Creation, POST b); PATCH")
def bytes_may_come_before_the_length(tus: Tus) -> None:
    """PATCH works while the length is not known, and HEAD still says so."""
    url = tus.create(None)
    header(status(tus.patch(url, 0, b"hel"), 204), "Upload-Offset", "3")
    header(tus.head(url), "Upload-Defer-Length", "1")


@defer(MUST, "Creation, POST b)")
def the_length_comes_with_an_append(tus: Tus) -> None:
    """Upload-Length on a PATCH sets the length; HEAD tells it."""
    url = tus.create(None)
    status(tus.patch(url, 0, b"hel", {"Upload-Length": "5"}), 204)
    header(tus.head(url), "Upload-Length", "5")


@defer(MUST, "Creation, Upload-Defer-Length")
def a_length_that_came_is_no_longer_deferred(tus: Tus) -> None:
    """Once the length is there, HEAD has no Upload-Defer-Length."""
    url = tus.create(None)
    status(tus.patch(url, 0, b"hel", {"Upload-Length": "5"}), 204)
    no_header(tus.head(url), "Upload-Defer-Length")


@defer(MUST, "Creation, POST b)")
def a_length_stays_what_it_is(tus: Tus) -> None:
    """Once set, the length is not changed: a PATCH with another one changes nothing."""
    url = tus.create(None)
    status(tus.patch(url, 0, b"hel", {"Upload-Length": "5"}), 204)
    tus.patch(url, 3, b"", {"Upload-Length": "9"})
    header(tus.head(url), "Upload-Length", "5")


@defer(MUST, "Creation, POST b)")
def a_length_given_at_first_stays_too(tus: Tus) -> None:
    """Once set, the length is not changed: also that of a creation."""
    url = tus.create(5)
    tus.patch(url, 0, b"hel", {"Upload-Length": "9"})
    header(tus.head(url), "Upload-Length", "5")


@defer(MUST, "Creation, POST b)")
def the_last_append_may_bring_the_length(tus: Tus) -> None:
    """The PATCH of the last bytes brings the length, and the upload is complete."""
    url = tus.create(None)
    status(tus.patch(url, 0, b"hel"), 204)
    header(status(tus.patch(url, 3, b"lo", {"Upload-Length": "5"}), 204), "Upload-Offset", "5")
    must(tus.content(url) == b"hello", "what is stored is not what was sent")


@defer(MUST, "Creation, POST b)")
def an_append_of_nothing_may_bring_the_length(tus: Tus) -> None:
    """All bytes are there before the length: a PATCH without bytes brings it."""
    url = tus.create(None)
    status(tus.patch(url, 0, b"hello"), 204)
    header(status(tus.patch(url, 5, b"", {"Upload-Length": "5"}), 204), "Upload-Offset", "5")
    header(tus.head(url), "Upload-Length", "5")
