"""tus 1.0.0: concatenation and concatenation-unfinished."""

from __future__ import annotations

from functools import partial
from urllib.parse import urlsplit

from tests.conformance.clause import Level, clause, header, must, no_header, refused, status
from tests.conformance.session import Tus

MUST, SHOULD, MAY = Level.MUST, Level.SHOULD, Level.MAY
concatenation = partial(clause, protocol="tus", extension="concatenation", needs=["creation"])
unfinished = partial(clause, protocol="tus", extension="concatenation-unfinished", needs=["creation", "concatenation"])

PARTIAL = {"Upload-Concat": "partial"}


def part(tus: Tus, data: bytes) -> str:
    return tus.uploaded(data, PARTIAL)


def joined(tus: Tus, *urls: str) -> str:
    return tus.location(status(tus.final(*urls), 201))


def path(url: str) -> str:
    return urlsplit(url).path


@concatenation(MUST, "Concatenation")
def a_partial_upload_is_created(tus: Tus) -> None:
    """Upload-Concat: partial makes a partial upload."""
    status(tus.post({"Upload-Length": "5", **PARTIAL}), 201)


@concatenation(MUST, "Concatenation")
def a_partial_upload_says_what_it_is(tus: Tus) -> None:
    """HEAD of a partial upload has Upload-Concat: partial."""
    header(tus.head(tus.create(5, PARTIAL)), "Upload-Concat", "partial")


@concatenation(MUST, "Concatenation")
def a_partial_upload_tells_its_offset(tus: Tus) -> None:
    """HEAD of a partial upload has Upload-Offset, before, during and after."""
    url = tus.create(5, PARTIAL)
    header(tus.head(url), "Upload-Offset", "0")
    status(tus.patch(url, 0, b"he"), 204)
    header(tus.head(url), "Upload-Offset", "2")
    status(tus.patch(url, 2, b"llo"), 204)
    header(tus.head(url), "Upload-Offset", "5")


@concatenation(MUST, "Concatenation")
def an_upload_of_its_own_is_no_partial(tus: Tus) -> None:
    """Upload-Concat tells partial and final uploads: others have none."""
    no_header(tus.head(tus.create(5)), "Upload-Concat")


@concatenation(MUST, "Concatenation")
def a_final_upload_is_created(tus: Tus) -> None:
    """Upload-Concat: final with absolute addresses makes the whole."""
    header(status(tus.final(part(tus, b"hello"), part(tus, b" world")), 201), "Location")


@concatenation(MUST, "Concatenation, Upload-Concat")
def addresses_may_be_relative(tus: Tus) -> None:
    """The addresses of the parts may be relative."""
    url = joined(tus, path(part(tus, b"hello")), path(part(tus, b" world")))
    header(tus.head(url), "Upload-Length", "11")


@concatenation(MUST, "Concatenation")
def its_length_is_the_sum(tus: Tus) -> None:
    """The length of the whole is the sum of its parts; offset and length are equal."""
    answer = tus.head(joined(tus, part(tus, b"hello"), part(tus, b" world")))
    header(status(answer, 200, 204), "Upload-Length", "11")
    header(answer, "Upload-Offset", "11")


@concatenation(MUST, "Concatenation")
def the_order_is_that_of_the_list(tus: Tus) -> None:
    """Parts are joined in the order of the list, not in that of their creation."""
    first, second = part(tus, b"world"), part(tus, b"hello ")
    must(tus.content(joined(tus, second, first)) == b"hello world", "what is stored is in another order")


@concatenation(MUST, "Concatenation")
def a_final_upload_says_what_it_is(tus: Tus) -> None:
    """HEAD of a final upload has Upload-Concat as it was given."""
    urls = part(tus, b"hello"), part(tus, b" world")
    header(tus.head(joined(tus, *urls)), "Upload-Concat", f"final;{' '.join(urls)}")


@concatenation(MUST, "Concatenation")
def a_final_upload_takes_no_bytes(tus: Tus) -> None:
    """PATCH of a final upload: 403."""
    url = joined(tus, part(tus, b"hello"), part(tus, b" world"))
    status(tus.patch(url, 11, b"!"), 403)


@concatenation(MUST, "Concatenation")
def a_refused_append_changes_neither_whole_nor_parts(tus: Tus) -> None:
    """After the 403 the whole and its parts are what they were."""
    urls = part(tus, b"hello"), part(tus, b" world")
    url = joined(tus, *urls)
    status(tus.patch(url, 0, b"XXXXX"), 403)
    must(tus.offset(url) == 11, "the whole was changed")
    must(tus.content(url) == b"hello world", "the bytes were changed")


@concatenation(SHOULD, "Concatenation")
def metadata_of_the_whole_is_given_with_it(tus: Tus) -> None:
    """Metadata is given in the request that joins, and HEAD of the whole tells it."""
    answer = tus.final(part(tus, b"hello"), headers={"Upload-Metadata": "filename eC5tcDQ="})
    header(tus.head(tus.location(status(answer, 201))), "Upload-Metadata", "filename eC5tcDQ=")


@concatenation(MUST, "Concatenation")
def metadata_of_the_parts_is_not_that_of_the_whole(tus: Tus) -> None:
    """The parts' metadata does not become that of the whole."""
    url = tus.uploaded(b"hello", {**PARTIAL, "Upload-Metadata": "secret eHl6"})
    value = tus.head(joined(tus, url)).get("Upload-Metadata") or ""
    must("secret" not in value, f"the whole has {value!r}")


@concatenation(MUST, "Concatenation")
def one_part_makes_a_whole(tus: Tus) -> None:
    """A list of one."""
    header(tus.head(joined(tus, part(tus, b"hello"))), "Upload-Length", "5")


@concatenation(MUST, "Concatenation")
def many_parts_make_a_whole(tus: Tus) -> None:
    """A list of twenty, of which some are empty."""
    pieces = [b"%d" % number * (number % 3) for number in range(20)]
    url = joined(tus, *(tus.uploaded(piece, PARTIAL) if piece else tus.create(0, PARTIAL) for piece in pieces))
    header(tus.head(url), "Upload-Length", str(len(b"".join(pieces))))
    must(tus.content(url) == b"".join(pieces), "the bytes are not those of the parts")


@concatenation(MAY, "Concatenation")
def a_part_may_be_used_twice(tus: Tus) -> None:
    """A part may be used more than once in a list."""
    url = part(tus, b"hello")
    header(tus.head(joined(tus, url, url)), "Upload-Length", "10")


@concatenation(MAY, "Concatenation")
def a_part_may_make_two_wholes(tus: Tus) -> None:
    """A part may be used in more than one whole."""
    url = part(tus, b"hello")
    joined(tus, url)
    header(tus.head(joined(tus, url, part(tus, b"!"))), "Upload-Length", "6")


@concatenation(MUST, "Concatenation, Upload-Concat")
def other_values_are_refused(tus: Tus) -> None:
    """Upload-Concat is `partial` or `final` with a list: anything else is refused."""
    for value in ("partially", "final", "final;", "whole;/a /b"):
        refused(tus.post({"Upload-Length": "5", "Upload-Concat": value}))


@concatenation(MUST, "Concatenation")
def a_length_on_the_whole_is_refused_or_ignored(tus: Tus) -> None:
    """The length is the sum of the parts, whatever Upload-Length says."""
    answer = tus.final(part(tus, b"hello"), headers={"Upload-Length": "99"})
    if answer.status == 201:
        header(tus.head(tus.location(answer)), "Upload-Length", "5")
    else:
        refused(answer)


@concatenation(MUST, "Concatenation")
def a_missing_part_is_refused(tus: Tus) -> None:
    """The whole is made of the listed uploads: one that is not there is refused."""
    url = part(tus, b"hello")
    refused(tus.final(url, tus.unknown(url)))


@concatenation(MUST, "Concatenation")
def an_upload_of_its_own_is_no_part(tus: Tus) -> None:
    """The whole is made of partial uploads: another one in the list is refused."""
    refused(tus.final(part(tus, b"hello"), tus.uploaded(b" world")))


# -- concatenation-unfinished -----------------------------------------------------------------------------------------


@unfinished(MUST, "Concatenation")
def a_whole_may_be_asked_for_before_its_parts_are_complete(tus: Tus) -> None:
    """The request to join may come while parts are in progress: 201."""
    status(tus.final(part(tus, b"hello"), tus.create(6, PARTIAL)), 201)


@unfinished(SHOULD, "Concatenation")
def an_unfinished_whole_has_no_offset(tus: Tus) -> None:
    """HEAD of a whole that is not joined yet has no Upload-Offset."""
    url = joined(tus, part(tus, b"hello"), tus.create(6, PARTIAL))
    no_header(status(tus.head(url), 200, 204), "Upload-Offset")


@unfinished(MUST, "Concatenation")
def an_unfinished_whole_tells_the_length_that_it_will_have(tus: Tus) -> None:
    """HEAD has Upload-Length where the length of the whole can be calculated."""
    header(tus.head(joined(tus, part(tus, b"hello"), tus.create(6, PARTIAL))), "Upload-Length", "11")


@unfinished(MUST, "Concatenation")
def an_unfinished_whole_says_what_it_is(tus: Tus) -> None:
    """HEAD has Upload-Concat as it was given."""
    urls = part(tus, b"hello"), tus.create(6, PARTIAL)
    header(tus.head(joined(tus, *urls)), "Upload-Concat", f"final;{' '.join(urls)}")


@unfinished(MUST, "Concatenation")
def the_last_byte_of_the_last_part_completes_the_whole(tus: Tus) -> None:
    """Once the parts are complete, offset and length of the whole are set and equal, and the bytes are right."""
    first, second = tus.create(5, PARTIAL), tus.create(6, PARTIAL)
    url = joined(tus, first, second)
    status(tus.patch(second, 0, b" world"), 204)
    status(tus.patch(first, 0, b"hello"), 204)
    answer = tus.head(url)
    header(answer, "Upload-Offset", "11")
    header(answer, "Upload-Length", "11")
    must(tus.content(url) == b"hello world", "the bytes are not those of the parts")


@unfinished(MUST, "Concatenation")
def an_unfinished_whole_takes_no_bytes(tus: Tus) -> None:
    """PATCH of a whole that is not joined yet: 403, and nothing changes."""
    second = tus.create(6, PARTIAL)
    url = joined(tus, part(tus, b"hello"), second)
    status(tus.patch(url, 0, b"hello"), 403)
    must(tus.offset(second) == 0, "a part was changed")


@unfinished(MUST, "Concatenation; Creation, POST b)", needs=["creation", "concatenation", "creation-defer-length"])
def a_part_of_unknown_length_may_be_listed(tus: Tus) -> None:
    """A part whose length is deferred: the whole has no length until it is known, and is complete with it."""
    second = tus.create(None, PARTIAL)
    url = joined(tus, part(tus, b"hello"), second)
    no_header(status(tus.head(url), 200, 204), "Upload-Length")
    status(tus.patch(second, 0, b" world", {"Upload-Length": "6"}), 204)
    answer = tus.head(url)
    header(answer, "Upload-Length", "11")
    header(answer, "Upload-Offset", "11")
