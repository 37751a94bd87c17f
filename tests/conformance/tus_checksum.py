"""tus 1.0.0: checksum and checksum-trailer."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Callable
from functools import partial

from tests.conformance.clause import Level, Unseen, clause, header, must, refused, status
from tests.conformance.session import VERSION, Tus, film
from tests.conformance.wire import Answer, chunked

MUST, MAY = Level.MUST, Level.MAY
checksum = partial(clause, protocol="tus", extension="checksum", needs=["creation"])
trailer = partial(clause, protocol="tus", extension="checksum-trailer", needs=["creation", "checksum"])

HELLO = b"hello world"
MISMATCH = 460
CASTAGNOLI = 0x82F63B78


def crc32c(data: bytes) -> bytes:
    """RFC 9260 appendix A, bit by bit; big-endian."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (CASTAGNOLI if crc & 1 else 0)
    return (crc ^ 0xFFFFFFFF).to_bytes(4, "big")


KNOWN: dict[str, Callable[[bytes], bytes]] = {
    "sha1": lambda data: hashlib.sha1(data).digest(),
    "sha256": lambda data: hashlib.sha256(data).digest(),
    "sha512": lambda data: hashlib.sha512(data).digest(),
    "md5": lambda data: hashlib.md5(data).digest(),
    "crc32": lambda data: zlib.crc32(data).to_bytes(4, "big"),
    "crc32c": crc32c,
}


def named(algorithm: str, data: bytes) -> dict[str, str | None]:
    return {"Upload-Checksum": f"{algorithm} {base64.b64encode(KNOWN[algorithm](data)).decode()}"}


@checksum(MUST, "Checksum")
def options_tells_the_algorithms(tus: Tus) -> None:
    """OPTIONS has Tus-Checksum-Algorithm, a comma-separated list."""
    value = header(tus.options(), "Tus-Checksum-Algorithm")
    must(all(part.strip() for part in value.split(",")), f"Tus-Checksum-Algorithm is {value!r}")


@checksum(MUST, "Checksum")
def sha1_is_supported(tus: Tus) -> None:
    """At least sha1 is supported."""
    must("sha1" in tus.target.algorithms, f"there are only {tus.target.algorithms}")


@checksum(MUST, "Checksum")
def names_are_in_lower_case(tus: Tus) -> None:
    """Names of algorithms are ASCII without upper case."""
    names = tus.target.algorithms
    must(all(name.isascii() and name == name.lower() for name in names), f"they are {names}")


@checksum(MUST, "Checksum")
def the_example_is_accepted(tus: Tus) -> None:
    """The example of the specification: `hello world` with its sha1 is 204."""
    url = tus.create(11)
    given = {"Upload-Checksum": "sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0="}
    header(status(tus.patch(url, 0, HELLO, given), 204), "Upload-Offset", "11")


@checksum(MUST, "Checksum")
def every_announced_algorithm_accepts_what_is_right(tus: Tus) -> None:
    """A right checksum is accepted, in every announced algorithm."""
    for algorithm in _known(tus):
        status(tus.patch(tus.create(11), 0, HELLO, named(algorithm, HELLO)), 204)


@checksum(MUST, "Checksum")
def every_announced_algorithm_discards_what_is_wrong(tus: Tus) -> None:
    """A wrong checksum is not accepted and the chunk discarded, in every announced algorithm."""
    for algorithm in _known(tus):
        url = tus.create(11)
        refused(tus.patch(url, 0, HELLO, named(algorithm, b"other words")))
        must(tus.offset(url) == 0, f"the chunk was kept ({algorithm})")


@checksum(MAY, "Checksum")
def a_mismatch_is_460(tus: Tus) -> None:
    """A wrong checksum: 460."""
    status(tus.patch(tus.create(11), 0, HELLO, named("sha1", b"other words")), MISMATCH)


@checksum(MUST, "Checksum")
def a_mismatch_in_the_middle_keeps_what_was_there(tus: Tus) -> None:
    """A chunk with a wrong checksum is discarded: the offset stays, the same chunk can be sent again."""
    url = tus.create(11)
    status(tus.patch(url, 0, HELLO[:6], named("sha1", HELLO[:6])), 204)
    refused(tus.patch(url, 6, b"WORLD", named("sha1", b"world")))
    must(tus.offset(url) == 6, "the offset is not 6")
    status(tus.patch(url, 6, b"world", named("sha1", b"world")), 204)


@checksum(MUST, "Checksum")
def discarded_bytes_are_not_in_the_upload(tus: Tus) -> None:
    """A chunk with a wrong checksum is discarded: no byte of it is in the upload."""
    url = tus.create(11)
    status(tus.patch(url, 0, HELLO[:6]), 204)
    refused(tus.patch(url, 6, b"WORLD", named("sha1", b"world")))
    status(tus.patch(url, 6, b"world"), 204)
    must(tus.content(url) == HELLO, "what is stored is not what was sent")


@checksum(MUST, "Checksum, Upload-Checksum")
def it_is_that_of_the_request(tus: Tus) -> None:
    """The checksum is that of the request's body, not of the upload."""
    url = tus.create(11)
    status(tus.patch(url, 0, HELLO[:6]), 204)
    header(status(tus.patch(url, 6, HELLO[6:], named("sha1", HELLO[6:])), 204), "Upload-Offset", "11")


@checksum(MUST, "Checksum")
def a_large_mismatch_is_discarded_whole(tus: Tus) -> None:
    """A chunk with a wrong checksum is discarded whole, however large: 3 MiB."""
    data = film(3 * 2**20)
    url = tus.create(len(data))
    refused(tus.patch(url, 0, data, named("sha1", b"x")))
    must(tus.offset(url) == 0, "some of it was kept")


@checksum(MAY, "Checksum")
def an_unknown_algorithm_is_400(tus: Tus) -> None:
    """An algorithm that is not supported: 400."""
    status(tus.patch(tus.create(11), 0, HELLO, {"Upload-Checksum": "rot13 aGVsbG8="}), 400)


@checksum(MUST, "Checksum")
def an_unknown_algorithm_discards_the_chunk(tus: Tus) -> None:
    """An algorithm that is not supported: the chunk is discarded."""
    url = tus.create(11)
    refused(tus.patch(url, 0, HELLO, {"Upload-Checksum": "rot13 aGVsbG8="}))
    must(tus.offset(url) == 0, "the chunk was kept")


@checksum(MUST, "Checksum, Upload-Checksum")
def a_malformed_checksum_discards_the_chunk(tus: Tus) -> None:
    """Upload-Checksum is a name, a space and base64: anything else is refused, and nothing taken."""
    url = tus.create(11)
    for value in ("sha1", "sha1 ???", "sha1 Kq5sNclPz7QV2", "sha1Kq5sNclPz7QV2+lfQIuc6R7oRu0="):
        refused(tus.patch(url, 0, HELLO, {"Upload-Checksum": value}))
    must(tus.offset(url) == 0, "the chunk was kept")


@checksum(MUST, "Checksum; RFC 9112 section 7.1")
def a_chunked_body_is_checked_too(tus: Tus) -> None:
    """The checksum of a body in chunked transfer coding is that of its content."""
    url = tus.create(11)
    status(_chunked(tus, url, named("sha1", HELLO), {}), 204)
    other = tus.create(11)
    refused(_chunked(tus, other, named("sha1", b"x"), {}))
    must(tus.offset(other) == 0, "the chunk was kept")


def _known(tus: Tus) -> list[str]:
    names = [name for name in tus.target.algorithms if name in KNOWN]
    if not names:
        raise Unseen("no announced algorithm is known here")
    return names


# -- checksum-trailer -------------------------------------------------------------------------------------------------


def _chunked(tus: Tus, url: str, headers: dict[str, str | None], trailers: dict[str, str]) -> Answer:
    fields = {"Tus-Resumable": VERSION, **tus.appending(0), "Transfer-Encoding": "chunked", **headers}
    with tus.connect() as connection:
        connection.ask("PATCH", url, {**tus.target.headers, **fields}, chunked(HELLO[:6], HELLO[6:], trailers=trailers))
        return connection.answer("PATCH")


def _trailing(tus: Tus, url: str, value: str | None) -> Answer:
    return _chunked(tus, url, {"Trailer": "Upload-Checksum"}, {"Upload-Checksum": str(value)})


@trailer(MUST, "Checksum")
def a_right_trailer_is_accepted(tus: Tus) -> None:
    """The checksum may come as a trailer that the field Trailer announces: 204."""
    answer = _trailing(tus, tus.create(11), named("sha1", HELLO)["Upload-Checksum"])
    header(status(answer, 204), "Upload-Offset", "11")


@trailer(MUST, "Checksum")
def a_wrong_trailer_discards_the_chunk(tus: Tus) -> None:
    """A wrong checksum in the trailer: the chunk is discarded."""
    url = tus.create(11)
    refused(_trailing(tus, url, named("sha1", b"x")["Upload-Checksum"]))
    must(tus.offset(url) == 0, "the chunk was kept")


@trailer(MAY, "Checksum")
def a_wrong_trailer_is_460(tus: Tus) -> None:
    """A wrong checksum in the trailer: 460."""
    status(_trailing(tus, tus.create(11), named("sha1", b"x")["Upload-Checksum"]), MISMATCH)


@trailer(MUST, "Checksum")
def an_unknown_algorithm_in_a_trailer_discards_the_chunk(tus: Tus) -> None:
    """An algorithm that is not supported, in the trailer: the chunk is discarded."""
    url = tus.create(11)
    refused(_trailing(tus, url, "rot13 aGVsbG8="))
    must(tus.offset(url) == 0, "the chunk was kept")


@trailer(MUST, "Checksum")
def every_algorithm_works_in_a_trailer(tus: Tus) -> None:
    """Every announced algorithm works as a trailer."""
    for algorithm in _known(tus):
        status(_trailing(tus, tus.create(11), named(algorithm, HELLO)["Upload-Checksum"]), 204)
        refused(_trailing(tus, tus.create(11), named(algorithm, b"x")["Upload-Checksum"]))


@trailer(MUST, "Checksum")
def a_chunk_can_be_sent_again_after_a_wrong_trailer(tus: Tus) -> None:
    """After a wrong trailer the offset stays, and the same chunk can be sent again."""
    url = tus.create(11)
    refused(_trailing(tus, url, named("sha1", b"x")["Upload-Checksum"]))
    header(status(tus.patch(url, 0, HELLO), 204), "Upload-Offset", "11")
