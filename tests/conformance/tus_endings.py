"""tus 1.0.0: expiration, termination."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from functools import partial

from rushes.clock import SystemClock, pause
from tests.conformance.clause import Level, Unseen, Violated, clause, header, must, no_header, status
from tests.conformance.session import VERSION, Tus

MUST, SHOULD = Level.MUST, Level.SHOULD
expiration = partial(clause, protocol="tus", extension="expiration", needs=["creation"])
termination = partial(clause, protocol="tus", extension="termination", needs=["creation"])

GONE = (404, 410)
SOON = 10.0
"""Seconds that a check waits for an upload to expire."""


# -- expiration -------------------------------------------------------------------------------------------------------


@expiration(MUST, "Expiration, Upload-Expires")
def appends_tell_when_it_expires(tus: Tus) -> None:
    """Every answer to a PATCH of an unfinished upload has Upload-Expires."""
    url = tus.create(5)
    header(status(tus.patch(url, 0, b"h"), 204), "Upload-Expires")
    header(status(tus.patch(url, 1, b"e"), 204), "Upload-Expires")


@expiration(MUST, "Expiration, Upload-Expires; RFC 7231 section 7.1.1.1")
def the_time_is_an_http_date(tus: Tus) -> None:
    """Upload-Expires is a date as HTTP writes it, in GMT."""
    value = header(status(tus.patch(tus.create(5), 0, b"h"), 204), "Upload-Expires")
    must(value.endswith(" GMT") and value[3:5] == ", ", f"Upload-Expires is {value!r}")
    _time(value)


@expiration(MUST, "Expiration, Upload-Expires")
def the_time_is_to_come(tus: Tus) -> None:
    """Upload-Expires is the time after which the upload expires: not one that has passed."""
    value = header(status(tus.patch(tus.create(5), 0, b"h"), 204), "Upload-Expires")
    must(_time(value) >= SystemClock().now() - 2, f"Upload-Expires is {value!r}, which has passed")


@expiration(MUST, "Expiration, Upload-Expires")
def a_creation_tells_when_it_expires(tus: Tus) -> None:
    """Where the time is known at the creation, the answer to POST has it: HEAD does not know more right after it."""
    answer = status(tus.post({"Upload-Length": "5"}), 201)
    if answer.get("Upload-Expires") is None:
        no_header(tus.head(tus.location(answer)), "Upload-Expires")


@expiration(SHOULD, "Expiration, Upload-Expires")
def an_expired_upload_is_gone(tus: Tus) -> None:
    """An upload that has expired and been removed: 404 or 410."""
    answer = status(tus.post({"Upload-Length": "5"}), 201)
    left = _time(header(answer, "Upload-Expires")) - SystemClock().now()
    if left > SOON:
        raise Unseen(f"uploads expire in {left:.0f} s; nobody waits for that")
    pause(max(left, 0) + 1.5)
    status(tus.patch(tus.location(answer), 0, b"hello"), *GONE)
    status(tus.head(tus.location(answer)), *GONE)


def _time(value: str) -> float:
    try:
        return parsedate_to_datetime(value).timestamp()
    except ValueError as error:
        raise Violated(f"{value!r} is no date of HTTP") from error


# -- termination ------------------------------------------------------------------------------------------------------


@termination(MUST, "Termination, DELETE")
def an_unfinished_upload_is_terminated(tus: Tus) -> None:
    """DELETE of an unfinished upload is 204."""
    url = tus.create(5)
    status(tus.patch(url, 0, b"he"), 204)
    status(tus.delete(url), 204)


@termination(MUST, "Termination, DELETE")
def a_new_upload_is_terminated(tus: Tus) -> None:
    """DELETE of an upload without a byte is 204."""
    status(tus.delete(tus.create(5)), 204)


@termination(MUST, "Termination; DELETE")
def a_complete_upload_is_terminated(tus: Tus) -> None:
    """Completed uploads can be terminated too: DELETE is 204."""
    status(tus.delete(tus.uploaded(b"hello")), 204)


@termination(SHOULD, "Termination, DELETE")
def head_after_it_finds_nothing(tus: Tus) -> None:
    """After a DELETE: HEAD is 404 or 410."""
    url = tus.create(5)
    status(tus.delete(url), 204)
    status(tus.head(url), *GONE)


@termination(SHOULD, "Termination, DELETE")
def append_after_it_finds_nothing(tus: Tus) -> None:
    """After a DELETE: PATCH is 404 or 410."""
    url = tus.create(5)
    status(tus.delete(url), 204)
    status(tus.patch(url, 0, b"hello"), *GONE)


@termination(SHOULD, "Termination, DELETE")
def delete_after_it_finds_nothing(tus: Tus) -> None:
    """After a DELETE: DELETE is 404 or 410."""
    url = tus.create(5)
    status(tus.delete(url), 204)
    status(tus.delete(url), *GONE)


@termination(MUST, "Termination, DELETE; Headers, Tus-Resumable")
def terminations_name_the_version(tus: Tus) -> None:
    """Every answer has Tus-Resumable: that to DELETE."""
    header(tus.delete(tus.create(5)), "Tus-Resumable", VERSION)
