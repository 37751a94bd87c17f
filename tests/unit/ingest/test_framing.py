"""Which requests are refused unread, and what a second parser is told."""

from __future__ import annotations

import json

import pytest

from rushes.ingest.framing import MALFORMED, answer_of, bare_head, fault_of

HOST = (b"host", b"x")


@pytest.mark.parametrize(
    "value", [b"x", b"x:80", b"", b"x:", b"192.0.2.1:8000", b"[2001:db8::1]:80", b"my_app", b" x "]
)
def test_a_host_may_be_a_name_or_an_address_with_a_port(value: bytes):
    assert fault_of("GET", "1.1", [(b"host", value)]) is None


@pytest.mark.parametrize("value", [b"x/y", b"x y", b"a@b", b"<x>", b"x:8a", b"x, y:1:2", b"[::1", b"caf\xe9", b"x\ny"])
def test_a_host_is_nothing_else(value: bytes):
    fault = fault_of("GET", "1.1", [(b"host", value)])
    assert fault is not None
    assert (fault.status, fault.code) == (400, "bad_host")


def test_only_http_1_0_may_leave_out_the_host():
    assert fault_of("GET", "1.0", []) is None
    assert fault_of("GET", "1.1", []) == fault_of("GET", "1.0", [HOST, HOST]) is not None


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ([], None),
        ([b"chunked"], None),
        ([b" CHUNKED "], None),
        ([b"gzip, chunked"], 501),
        ([b"gzip", b"chunked"], 501),
        ([b"chunked", b"chunked"], 501),
        ([b"chunked;a=b"], 501),
        ([b""], 501),
    ],
)
def test_the_one_transfer_coding_is_chunked(values: list[bytes], status: int | None):
    fault = fault_of("POST", "1.1", [HOST, *((b"transfer-encoding", value) for value in values)])
    assert (fault and fault.status) == status


def test_a_tunnel_is_refused():
    fault = fault_of("CONNECT", "1.1", [HOST])
    assert fault is not None
    assert fault.status == 501


def test_a_bare_head_has_what_frames_a_body_and_no_upgrade():
    headers = [HOST, (b"upgrade", b"h2c"), (b"connection", b"upgrade"), (b"content-length", b"5")]
    assert bare_head("1.1", headers) == b"POST / HTTP/1.1\r\ncontent-length: 5\r\n\r\n"
    assert bare_head("1.0", [HOST]) == b"POST / HTTP/1.0\r\n\r\n"


def test_an_answer_is_a_whole_problem():
    head, _, body = answer_of(MALFORMED, [(b"date", b"today")]).partition(b"\r\n\r\n")
    assert head.split(b"\r\n")[:2] == [b"HTTP/1.1 400 Bad Request", b"date: today"]
    assert b"content-length: %d" % len(body) in head.split(b"\r\n")
    assert json.loads(body) == {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "detail": MALFORMED.detail,
        "code": "request_malformed",
    }
