"""What a cache in front of us is told when something is taken away: requests as data. Pure.

`nginx` has no purge in its open-source form: each path is fetched anew past the cache, and what we answer then takes the
place of what was kept (docker/nginx/nginx.conf). `varnish` forgets a whole asset by one BAN (docker/varnish/default.vcl).
`http` is what the settings describe; it suits the interfaces of Fastly, Cloudflare and others (docs/delivery.md).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rushes.engine.job import PurgeSettings
from rushes.keys import media_prefix, pointer_key

POINTERS = ("master.m3u8", "manifest.mpd")
TEXTS = (".m3u8", ".mpd", ".vtt")
"""What an edge keeps in two forms, plain and gzipped."""
DOORS = ("", "/signed/purge")
"""nginx keeps what it gave out under tokens apart from what is for everybody; there, this is the name of no token."""
BATCH = 30
"""Paths in one request where they are listed in its body: Cloudflare's limit for most plans."""


@dataclass(frozen=True)
class PurgeRequest:
    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""


def pointers(asset: str) -> tuple[str, ...]:
    return tuple(f"/{pointer_key(asset, name)}" for name in POINTERS)


def summary(asset: str) -> tuple[str, ...]:
    """What has to leave every cache, in the form that most of them take: the pointers, then all below the two prefixes."""
    return (*pointers(asset), f"/{media_prefix(asset)}*", f"/artifacts/{asset}/*")


def requests(purge: PurgeSettings, asset: str, paths: Sequence[str]) -> Iterator[PurgeRequest]:
    """All that has to be sent so that no cache has any of `paths` of the asset, which begin with `/`."""
    match purge.kind:
        case "nginx":
            yield from (_refresh(edge + door + path, coding, purge.secret) for edge in purge.urls
                        for path in paths for door in DOORS for coding in _codings(path))  # fmt: skip
        case "varnish":
            headers = {"X-Purge-Key": purge.secret, "X-Purge-Asset": asset}
            yield from (PurgeRequest("BAN", f"{edge}/", headers) for edge in purge.urls)
        case "http":
            yield from (_described(purge, url, asset, some) for url in purge.urls for some in _shares(purge, paths))


def _codings(path: str) -> tuple[str, ...]:
    return ("gzip", "identity") if path.endswith(TEXTS) else ("identity",)


def _refresh(url: str, coding: str, secret: str) -> PurgeRequest:
    """HEAD, which nginx turns into a GET to the origin: no body has to come to us."""
    return PurgeRequest("HEAD", url, {"X-Purge-Key": secret, "Accept-Encoding": coding})


def _shares(purge: PurgeSettings, paths: Sequence[str]) -> list[Sequence[str]]:
    """The paths of each request: one, several, or all where the asset's name is enough."""
    template = purge.text
    if "{path}" in template or "{url}" in template:
        return [[path] for path in paths]
    if "{paths}" in template or "{urls}" in template:
        return [paths[at : at + BATCH] for at in range(0, len(paths), BATCH)]
    return [paths]


def _described(purge: PurgeSettings, url: str, asset: str, paths: Sequence[str]) -> PurgeRequest:
    values = {
        "{asset}": asset, "{secret}": purge.secret,
        "{path}": paths[0] if paths else "", "{url}": purge.public_url + paths[0] if paths else "",
        "{paths}": json.dumps(list(paths)), "{urls}": json.dumps([purge.public_url + path for path in paths]),
    }  # fmt: skip
    headers = {name: _filled(value, values) for name, value in purge.headers.items()}
    return PurgeRequest(purge.method, _filled(url, values), headers, _filled(purge.body, values))


def _filled(template: str, values: Mapping[str, str]) -> str:
    """Only the known places: braces of JSON stay as they are."""
    for place, value in values.items():
        template = template.replace(place, value)
    return template


def complaint(purge: PurgeSettings, request: PurgeRequest, status: int, cache: str) -> str:
    """What is wrong with an answer; empty where it says that the cache has forgotten. `cache`: its X-Cache header."""
    if purge.kind == "nginx":
        if cache in ("BYPASS", "MISS") and status < 500:
            return ""
        return f"{request.url} was answered {status} {cache or 'by no cache of ours'}, not fetched anew: is the secret right?"
    gone = status in (404, 410) and "{path}" in purge.text  # to some, what they do not have is an error
    return (
        "" if 200 <= status < 300 or gone else f"{request.method} {request.url.partition('?')[0]} was answered {status}"
    )
