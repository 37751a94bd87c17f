"""The conformance suite finds what it is meant to find: it is held before a server that agrees to everything."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.conformance.clause import Level
from tests.conformance.score import Outcome, Verdict, cell, every_clause, failures, judge, table, wishes
from tests.conformance.session import Target

EXTENSIONS = frozenset({
    "creation", "creation-with-upload", "creation-defer-length", "expiration", "checksum", "checksum-trailer",
    "termination", "concatenation", "concatenation-unfinished",
})  # fmt: skip


class Agreeing(BaseHTTPRequestHandler):
    """201, a place, an offset: the same to whatever is asked, and the body is never looked at."""

    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        self.send_response(201)
        for name, value in (("Location", "/files/one"), ("Upload-Offset", "7"), ("Content-Length", "0")):
            self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True

    do_GET = do_POST = do_PUT = do_PATCH = do_HEAD = do_DELETE = do_OPTIONS = answer

    def log_message(self, *_: object) -> None:
        """Silence."""


@pytest.fixture(scope="module")
def verdicts() -> Iterator[list[Verdict]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Agreeing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}/files"
    target = Target(
        url,
        extensions=EXTENSIONS,
        algorithms=("sha1",),
        max_size=1000,
        interop=(3, 8),
        read=lambda at: b"",
        patience=0.5,
    )
    with ThreadPoolExecutor(8) as pool:  # they mostly wait, and this server remembers nothing
        yield list(pool.map(partial(judge, target=target), every_clause()))
    server.shutdown()
    server.server_close()


def test_hardly_a_clause_is_kept_by_saying_yes(verdicts: list[Verdict]) -> None:
    judged = [each for each in verdicts if each.outcome is not Outcome.ABSENT and each.clause.level is Level.MUST]
    kept = [each for each in judged if each.outcome is Outcome.PASSED]
    assert len(judged) > 150
    assert len(kept) < len(judged) / 6, [each.clause.key for each in kept]


def test_a_failure_says_what_was_asked_and_answered(verdicts: list[Verdict]) -> None:
    failed = {each.clause.name: each for each in verdicts if each.outcome is Outcome.FAILED}
    found = failed["over_the_maximum_is_413"]
    assert found.why == "answered 201, not 413"
    assert "> POST /files HTTP/1.1" in found.exchange
    assert "> Upload-Length: 1001" in found.exchange
    assert "< 201" in found.exchange


def test_tables_count_what_was_judged(verdicts: list[Verdict]) -> None:
    termination = [each for each in verdicts if each.clause.extension == "termination"]
    assert cell(termination, Level.MUST) == "0/4"
    assert cell([each for each in verdicts if each.clause.extension == "interop 5"]) == "-"
    text = table({"yes": verdicts, "again": verdicts})
    assert "| tus termination | 0/4 | " in text
    assert "| **all** |" in wishes({"yes": verdicts})
    assert "- MUST tus termination: a_new_upload_is_terminated (Termination, DELETE)" in failures(verdicts)
