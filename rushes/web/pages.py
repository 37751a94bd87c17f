"""The pages that people look at: `/`, `/watch/{asset}`, `/embed/{asset}`, `/ops`, and the bundled files they load.

They are built by `python -m rushes.web.build`. A page knows nothing of an asset: its script asks the API. Only the head of a
published video's pages says what it is, for those that read no script.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from importlib.resources.abc import Traversable
from urllib.parse import urlsplit

from fastapi import APIRouter, Request, Response

from rushes.keys import is_id
from rushes.web.head import Card, with_card

STATIC = "/assets-static"
TYPES = {
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "svg": "image/svg+xml",
    "txt": "text/plain; charset=utf-8",
}
SUFFIXES = {"br": ".br", "gzip": ".gz", "identity": ""}
"""Content codings that the build writes beside each file, the best first (RFC 9110 section 8.4.1)."""
_NAME = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.(js|css|svg|txt)", re.ASCII)
_IMMUTABLE = "public, max-age=31536000, immutable"
_CHECKED = "no-cache"
_BUNDLED = {
    "Cache-Control": _IMMUTABLE,
    "X-Content-Type-Options": "nosniff",
    "Access-Control-Allow-Origin": "*",  # a frame in a sandbox has no origin, so our own script is a stranger's to it
}
_UNBUILT = (
    "<!doctype html><html lang=en><meta charset=utf-8><title>rushes</title>"
    "<p>The pages are not built yet. Run <code>python -m rushes.web.build</code> and load this page again."
    " The API works without them: see <a href=/docs>/docs</a>.</p>"
)


@dataclass(frozen=True)
class Built:
    """One file of the build in the coding that was chosen."""

    content: bytes
    coding: str
    media_type: str

    @property
    def etag(self) -> str:
        return f'"{hashlib.sha256(self.content).hexdigest()[:20]}"'


def dist() -> Traversable:
    """Where the build lies: inside the package, in a checkout as in a wheel."""
    return files("rushes.web") / "dist"


CardOf = Callable[[Request, str], Card | None]
"""What is known of a published asset; blocks. None for every other."""


def _no_card(request: Request, asset: str) -> Card | None:
    return None


def policy(origins: Sequence[str] = (), ancestors: str = "'self'") -> str:
    """The Content-Security-Policy of every page (W3C CSP Level 3): own scripts only, and no markup from strings.

    `origins` are those that media may come from besides our own, such as a CDN; `ancestors` the pages that may show this
    one in a frame. `blob:` is what Media Source Extensions give a video element, `data:` an empty text track of hls.js.
    """
    media = " ".join(["'self'", *origins])
    directives = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": f"{media} data: blob:",
        "media-src": f"{media} blob: data:",
        "connect-src": media,
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": ancestors,
        "require-trusted-types-for": "'script'",
    }
    return "; ".join(f"{name} {value}" for name, value in directives.items())


def origin_of(public_url: str) -> tuple[str, ...]:
    """The origin of `RUSHES_PUBLIC_URL`; pages opened by another name must be able to load media from there."""
    parts = urlsplit(public_url)
    return (f"{parts.scheme}://{parts.netloc}",) if parts.scheme in ("http", "https") and parts.netloc else ()


def coding_for(accepted: str) -> str:
    """The best coding that Accept-Encoding allows (RFC 9110 section 12.5.3; weights other than 0 count as equal)."""
    allowed = {}
    for item in accepted.lower().split(","):
        name, _, weight = item.partition(";")
        allowed[name.strip()] = not re.fullmatch(r"\s*q\s*=\s*0(\.0*)?\s*", weight)
    return next((coding for coding in SUFFIXES if allowed.get(coding)), "identity")


def find(folder: Traversable, name: str, coding: str) -> Built | None:
    """A built file, as it is where the wanted coding was not written. None where the build has no such file."""
    for choice in dict.fromkeys((coding, "identity")):
        file = folder / (name + SUFFIXES[choice])
        if file.is_file():
            return Built(file.read_bytes(), choice, TYPES[name.rpartition(".")[2]])
    return None


def router(origins: Sequence[str] = (), card_of: CardOf = _no_card) -> APIRouter:
    """Routes of all pages. `origins`: see `policy`; `card_of`: what the head of a video's pages says."""
    pages = APIRouter(include_in_schema=False)
    headers = {
        "Content-Security-Policy": policy(origins),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "SAMEORIGIN",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cache-Control": _CHECKED,
    }
    framed = {
        "Content-Security-Policy": policy(origins, "*"),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "Cache-Control": _CHECKED,
    }

    async def page(request: Request, name: str, status: int = 200) -> Response:
        return await _page(request, name, headers, status)

    async def of_asset(request: Request, asset: str, name: str, given: dict[str, str]) -> Response:
        if not is_id(asset):
            return await _page(request, "missing.html", given, 404)
        return await _page(request, name, given, card=await asyncio.to_thread(card_of, request, asset))

    @pages.api_route("/", methods=["GET", "HEAD"])
    async def upload(request: Request) -> Response:
        return await page(request, "index.html")

    @pages.api_route("/watch/{asset}", methods=["GET", "HEAD"])
    async def watch(request: Request, asset: str) -> Response:
        return await of_asset(request, asset, "watch.html", headers)

    @pages.api_route("/embed/{asset}", methods=["GET", "HEAD"])
    async def embed(request: Request, asset: str) -> Response:
        """For frames on any web site: it holds no key, sets no cookie, and reads only what is public."""
        return await of_asset(request, asset, "embed.html", framed)

    @pages.api_route("/ops", methods=["GET", "HEAD"])
    async def ops(request: Request) -> Response:
        return await page(request, "ops.html")

    pages.add_api_route(STATIC + "/{name}", _static, methods=["GET", "HEAD"])
    return pages


async def _page(
    request: Request, name: str, headers: dict[str, str], status: int = 200, card: Card | None = None
) -> Response:
    """A built page; with a card in its head it is another text, which is not compressed: it is small."""
    coding = "identity" if card else coding_for(request.headers.get("accept-encoding", ""))
    found = await asyncio.to_thread(find, dist(), name, coding)
    if found is None:
        return Response(_UNBUILT, 503, headers | {"Retry-After": "30"}, TYPES["html"])
    if card:
        found = replace(found, content=with_card(found.content.decode(), card).encode())
    return _answer(request, found, headers, status)


async def _static(request: Request, name: str) -> Response:
    """A bundled file. Its name holds the hash of its content, so it never changes."""
    coding = coding_for(request.headers.get("accept-encoding", ""))
    found = await asyncio.to_thread(find, dist() / "static", name, coding) if _NAME.fullmatch(name) else None
    if found is None:
        return Response("There is no such file.", 404, {"Cache-Control": _CHECKED}, "text/plain")
    return _answer(request, found, _BUNDLED, 200)


def _answer(request: Request, file: Built, headers: dict[str, str], status: int) -> Response:
    """The file, or 304 where the client has it (RFC 9110 section 13.1.2). Starlette leaves out the body for HEAD."""
    given = headers | {"ETag": file.etag, "Vary": "Accept-Encoding"}
    if status == 200 and file.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=given)
    if file.coding != "identity":
        given["Content-Encoding"] = file.coding
    return Response(file.content, status, given, file.media_type)
