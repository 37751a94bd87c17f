"""Rules for what a server says (RFC 9110, RFC 9111, Fetch): what a CDN engineer checks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from rushes.packaging.lint.numbers import whole
from rushes.packaging.lint.rule import INFO, MUST, SHOULD, Fault, rule
from rushes.packaging.lint.stream import Answer, Stream

Over = Callable[[Stream], list[Answer]]
_HLS = ("application/vnd.apple.mpegurl", "audio/mpegurl", "application/x-mpegurl")
_DASH = ("application/dash+xml",)
_MEDIA = ("video/mp4", "audio/mp4", "application/mp4", "video/iso.segment", "video/mp2t", "image/jpeg", "text/vtt")
_TEXT = ("text/vtt",)
_DAY = 86_400
_BRIEF = 60
_WORTH = 1024
"""Bytes from which compression pays."""


def got(*kinds: str) -> Over:
    """Plain GETs of these kinds that succeeded."""
    return lambda stream: [
        one for one in stream.answers if one.what == "get" and one.kind in kinds and one.status == 200
    ]


def asked(*what: str) -> Over:
    return lambda stream: [one for one in stream.answers if one.what in what]


def _type(answer: Answer) -> str:
    return answer.headers.get("content-type", "").split(";")[0].strip().lower()


def _age(answer: Answer) -> int | None:
    found = re.search(r"max-age\s*=\s*\"?(\d{1,12})", answer.headers.get("cache-control", "").lower())
    return int(found[1]) if found else None


@rule("http.status", MUST, "RFC 9110 15.6", lambda stream: stream.answers)
def status(answer: Answer, _: Stream) -> Iterator[Fault]:
    """No answer is an error of the server."""
    if answer.status >= 500 or not answer.status:
        yield Fault(answer.uri, f"{answer.what}: {answer.status or 'no answer'}", "no 5xx")


@rule("http.manifest-type", SHOULD, "RFC 8216bis 4; ISO/IEC 23009-1 C.1", got("manifest", "playlist"))
def manifest_type(answer: Answer, _: Stream) -> Iterator[Fault]:
    """Manifests have their media type."""
    wanted = _DASH if ".mpd" in answer.uri.split("?")[0] else _HLS
    if _type(answer) not in wanted:
        yield Fault(answer.uri, _type(answer) or "none", wanted[0])


@rule("http.segment-type", SHOULD, "RFC 8216bis 4; RFC 4337", got("segment"))
def segment_type(answer: Answer, _: Stream) -> Iterator[Fault]:
    """Segments have a media type of theirs."""
    if _type(answer) not in _MEDIA:
        yield Fault(answer.uri, _type(answer) or "none", "video/mp4, audio/mp4 or another media type")


@rule("http.text-type", SHOULD, "WebVTT 6.1, text/vtt", got("text"))
def text_type(answer: Answer, _: Stream) -> Iterator[Fault]:
    """Captions are text/vtt."""
    if _type(answer) not in _TEXT:
        yield Fault(answer.uri, _type(answer) or "none", "text/vtt")


@rule("http.segment-cache", SHOULD, "RFC 9111 5.2.2.1, max-age; RFC 8246, immutable", got("segment", "text"))
def segment_cache(answer: Answer, _: Stream) -> Iterator[Fault]:
    """What never changes may be kept for long, by everybody."""
    said, age = answer.headers.get("cache-control", ""), _age(answer)
    if age is None or age < _DAY or re.search(r"no-store|no-cache|private", said):
        yield Fault(answer.uri, said or "no Cache-Control", "public, max-age=31536000, immutable")


@rule("http.immutable", INFO, "RFC 8246", got("segment"))
def immutable(answer: Answer, _: Stream) -> Iterator[Fault]:
    """Segments are said to be immutable, so that nobody asks again."""
    if "immutable" not in answer.headers.get("cache-control", ""):
        yield Fault(answer.uri, answer.headers.get("cache-control", "no Cache-Control"), "immutable")


@rule("http.manifest-cache", SHOULD, "RFC 9111 5.2.2.1", got("manifest", "playlist"))
def manifest_cache(answer: Answer, _: Stream) -> Iterator[Fault]:
    """Manifests say for how long they may be kept."""
    if _age(answer) is None and not re.search(r"no-cache|no-store", answer.headers.get("cache-control", "")):
        yield Fault(answer.uri, answer.headers.get("cache-control", "no Cache-Control"), "max-age")


@rule("http.etag", SHOULD, "RFC 9110 8.8.3", got("manifest", "playlist"))
def etag(answer: Answer, _: Stream) -> Iterator[Fault]:
    """Manifests have a strong ETag."""
    said = answer.headers.get("etag", "")
    if not said or (said.startswith("W/") and "content-encoding" not in answer.headers):
        yield Fault(answer.uri, said or "none", "a strong ETag")


@rule("http.not-modified", SHOULD, "RFC 9110 13.1.2, 15.4.5", asked("again"))
def not_modified(answer: Answer, _: Stream) -> Iterator[Fault]:
    """Who has it already is told so: 304."""
    if answer.status != 304:
        yield Fault(answer.uri, str(answer.status), "304")


@rule("http.head", MUST, "RFC 9110 9.1, 9.3.2", asked("head"))
def head(answer: Answer, stream: Stream) -> Iterator[Fault]:
    """HEAD answers as GET does, without the body."""
    same = next((one for one in stream.answers if one.what == "get" and one.uri == answer.uri), None)
    if same and answer.status != same.status:
        yield Fault(answer.uri, str(answer.status), str(same.status))
    mine, theirs = (one.headers.get("content-length") if one else None for one in (answer, same))
    if same and mine and theirs and mine != theirs and "content-encoding" not in same.headers:
        yield Fault(answer.uri, f"Content-Length {mine}", theirs)


@rule("http.length", SHOULD, "RFC 9110 8.6", got("segment"))
def length(answer: Answer, _: Stream) -> Iterator[Fault]:
    """Segments say how long they are."""
    if whole(answer.headers.get("content-length")) is None:
        yield Fault(answer.uri, "none", "Content-Length")


@rule("http.range", SHOULD, "RFC 9110 14.2, 15.3.7", asked("range"))
def ranges(answer: Answer, _: Stream) -> Iterator[Fault]:
    """A part of a segment can be had: 206 with Content-Range, and no more than was asked for."""
    said = answer.headers.get("content-range", "")
    if answer.status != 206 or not said.lower().startswith("bytes 0-1/") or answer.length != 2:
        yield Fault(
            answer.uri, f"{answer.status}, {said or 'no Content-Range'}, {answer.length} bytes", "206, bytes 0-1/..."
        )


@rule("http.range-needed", MUST, "RFC 8216bis 4.4.4.2; ISO/IEC 23009-1 6.2.3", asked("range"))
def ranges_needed(answer: Answer, stream: Stream) -> Iterator[Fault]:
    """Where a manifest names byte ranges, the server serves them."""
    named = any(piece.ref.length is not None for one in stream.media for piece in one.pieces) or bool(stream.indexes)
    if named and answer.status != 206:
        yield Fault(answer.uri, str(answer.status), "206")


@rule("http.range-beyond", SHOULD, "RFC 9110 14.1.1, 15.5.17", asked("beyond"))
def beyond(answer: Answer, _: Stream) -> Iterator[Fault]:
    """A range behind the end is 416, with the length."""
    if answer.status != 416:
        yield Fault(answer.uri, str(answer.status), "416")
    elif not answer.headers.get("content-range", "").lower().startswith("bytes */"):
        yield Fault(answer.uri, answer.headers.get("content-range", "no Content-Range"), "bytes */length")


@rule("http.cors", SHOULD, "Fetch 3.2, Access-Control-Allow-Origin", got("manifest", "playlist", "segment", "text"))
def cors(answer: Answer, _: Stream) -> Iterator[Fault]:
    """Pages of other origins may play it."""
    if not answer.headers.get("access-control-allow-origin"):
        yield Fault(answer.uri, "no Access-Control-Allow-Origin", "* or the page's origin")


@rule("http.cors-vary", SHOULD, "Fetch 3.2.5; RFC 9111 4.1", got("manifest", "playlist", "segment", "text"))
def cors_vary(answer: Answer, _: Stream) -> Iterator[Fault]:
    """Who answers each origin differently says so to caches: Vary: Origin."""
    said = answer.headers.get("access-control-allow-origin", "*")
    if said != "*" and "origin" not in answer.headers.get("vary", "").lower():
        yield Fault(answer.uri, f"{said} without Vary: Origin", "Vary: Origin")


@rule("http.preflight", SHOULD, "Fetch 4.8, CORS preflight", asked("preflight"))
def preflight(answer: Answer, _: Stream) -> Iterator[Fault]:
    """OPTIONS allows GET with Range, and says for how long."""
    allowed = answer.headers.get("access-control-allow-headers", "").lower()
    if answer.status not in (200, 204) or not answer.headers.get("access-control-allow-origin"):
        yield Fault(answer.uri, f"{answer.status}", "204 with Access-Control-Allow-Origin")
    elif "range" not in allowed and "*" not in allowed:
        yield Fault(answer.uri, allowed or "no Access-Control-Allow-Headers", "Range among them")
    elif not answer.headers.get("access-control-max-age"):
        yield Fault(answer.uri, "no Access-Control-Max-Age", "so that players do not ask each time")


@rule("http.exposed", SHOULD, "Fetch 3.2, Access-Control-Expose-Headers", got("segment"))
def exposed(answer: Answer, _: Stream) -> Iterator[Fault]:
    """Pages may read Content-Length and Content-Range, which players reckon with."""
    said = answer.headers.get("access-control-expose-headers", "").lower()
    if "*" not in said and not ("content-length" in said and "content-range" in said):
        yield Fault(answer.uri, said or "no Access-Control-Expose-Headers", "Content-Length, Content-Range")


@rule("http.compression", SHOULD, "RFC 9110 8.4, 12.5.3", asked("compressed"))
def compression(answer: Answer, stream: Stream) -> Iterator[Fault]:
    """Long manifests come compressed to those who can, and caches are told: Vary: Accept-Encoding."""
    plain = next((one for one in stream.answers if one.what == "get" and one.uri == answer.uri), None)
    if "content-encoding" not in answer.headers:
        if plain and plain.length >= _WORTH:
            yield Fault(answer.uri, f"{plain.length} bytes, not compressed", "Content-Encoding")
    elif "accept-encoding" not in answer.headers.get("vary", "").lower():
        yield Fault(answer.uri, answer.headers.get("vary", "no Vary"), "Vary: Accept-Encoding")


@rule("http.plain-media", SHOULD, "RFC 9110 14.1: ranges count the bytes that are sent", got("segment"))
def plain_media(answer: Answer, _: Stream) -> Iterator[Fault]:
    """Segments are not compressed once more."""
    if "content-encoding" in answer.headers:
        yield Fault(answer.uri, answer.headers["content-encoding"], "none")


@rule("http.cookies", SHOULD, "RFC 9111 3.5, RFC 6265 3: shared caches and cookies", lambda stream: stream.answers)
def cookies(answer: Answer, _: Stream) -> Iterator[Fault]:
    """No cookie is set: caches do not share what sets one."""
    if "set-cookie" in answer.headers:
        yield Fault(answer.uri, f"{answer.what}: Set-Cookie", "none")


@rule("http.missing", MUST, "RFC 9110 15.5.5", asked("missing"))
def missing(answer: Answer, _: Stream) -> Iterator[Fault]:
    """What is not there is 404, 403 or 410, never a page that says so with 200."""
    if answer.status not in (403, 404, 410):
        yield Fault(answer.uri, str(answer.status), "404")


@rule(
    "http.negative-cache",
    SHOULD,
    "RFC 9111 4.2.2: 404 is kept by heuristics unless it says for how long",
    asked("missing"),
)
def negative_cache(answer: Answer, _: Stream) -> Iterator[Fault]:
    """That something is not there is kept for a short time only: it may come."""
    said, age = answer.headers.get("cache-control", ""), _age(answer)
    if (age is None and not re.search(r"no-store|no-cache", said)) or (age or 0) > _BRIEF:
        yield Fault(answer.uri, said or "no Cache-Control", f"max-age of {_BRIEF} or less")


RULES = (
    status, manifest_type, segment_type, text_type, segment_cache, immutable, manifest_cache, etag, not_modified, head, length,
    ranges, ranges_needed, beyond, cors, cors_vary, preflight, exposed, compression, plain_media, cookies, missing,
    negative_cache,
)  # fmt: skip
