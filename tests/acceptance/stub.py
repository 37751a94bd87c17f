"""A made-up server behind the real pages: assets are dictionaries that a test writes, uploads go to memory."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse
from starlette.requests import ClientDisconnect

from rushes.web import pages

PUBLIC = {"Access-Control-Allow-Origin": "*"}
"""As the origin says it: every web site may play."""
TUS = {"Tus-Resumable": "1.0.0"}
TYPES = {".m3u8": "application/vnd.apple.mpegurl", ".m4s": "video/iso.segment", ".vtt": "text/vtt"}
ASSET = "01jabcdefghjkmnpqrstvwxyz0"
STEPS = (
    "probe",
    "checksum",
    "encode",
    "audio",
    "package",
    "verdict",
    "publish",
    "poster",
    "storyboard",
    "transcript",
    "labels",
)


def asset(identity: str = ASSET, **changes: Any) -> dict[str, Any]:
    """An asset as the API gives it: published, with everything, unless changed."""
    made: dict[str, Any] = {
        "id": identity, "tenant": "default", "title": "Harbour at dawn", "metadata": {}, "state": "ready",
        "publication": "published", "reason": None, "created_at": "2026-01-02T03:04:05Z", "published_at": "2026-01-02T03:04:15Z",
        "duration": 6.0, "source": {"filename": "harbour.mp4", "size": 4_200_000, "display_width": 640, "display_height": 360},
        "playback": playback(), "build": 2, "notes": [],
        "renditions": [
            {"name": "360p", "codec": "avc1.42c01e", "width": 640, "height": 360, "fps": 25.0, "bitrate": 800_000},
            {"name": "180p", "codec": "avc1.42c00d", "width": 320, "height": 180, "fps": 29.97, "bitrate": 200_000},
        ],
        "labels": [{"name": "boat", "parents": ["vehicle"], "score": 0.91, "start": 3.0, "end": 4.5, "detector": "d"}],
        "coverage": [{"detector": "nudenet", "state": "not_evaluated", "reason": "not installed", "frames": 0}],
        "verdict": {"action": "publish", "policy": "development@1", "rules": ["default"]},
        "transcript": {"language": "en", "engine": "small", "trusted": True, "cues": 2, "url": "/stream/captions.vtt"},
        "steps": [step(kind, "done") for kind in STEPS],
    }  # fmt: skip
    return made | changes


def playback(name: str = "master.m3u8") -> dict[str, Any]:
    return {
        "hls": f"/stream/{name}", "dash": "/stream/manifest.mpd",
        "poster": "/stream/poster.jpg", "thumbhash": "3/cJNJqAh4eAh4d4iIeAcAj4dw==",
        "storyboard": "/stream/storyboard.vtt", "private": None,
    }  # fmt: skip


NOTHING: dict[str, Any] = {"hls": None, "dash": None, "poster": None, "storyboard": None, "private": None}


def step(kind: str, state: str, progress: float = 0.0, **more: Any) -> dict[str, Any]:
    return {
        "key": f"{kind}.0",
        "kind": kind,
        "state": state,
        "progress": progress,
        "attempts": 1,
        "reason": None,
    } | more


class Stub:
    """`assets` by id; `key` is the API key wanted, if any; `slow` makes uploads last, a piece each 0.1 s."""

    def __init__(self, stream: Path) -> None:
        self.url = ""
        self.stream = stream
        self.assets: dict[str, dict[str, Any]] = {}
        self.fleet: dict[str, Any] = {"pools": [], "workers": []}
        self.key: str | None = None
        self.uploads: dict[str, bytearray] = {}
        self.lengths: dict[str, int] = {}
        self.holders: dict[str, Request] = {}
        self.created: list[dict[str, str]] = []
        self.events: list[tuple[str, Any]] = []
        self.slow = False
        self.plays: list[str] = []
        self.blog = ""
        """The page at `/blog`: by another name of this machine, it is another web site's."""
        self.refuse_uploads: tuple[int, dict[str, str]] | None = None
        self.closed = False
        self.tree: Path | None = None
        """Objects that are served below `/tree/`, as they are at that moment."""

    def put(self, **changes: Any) -> dict[str, Any]:
        made = asset(**changes)
        self.assets[made["id"]] = made
        return made

    def tell(self, event: str, data: Any) -> None:
        """Send one event to everybody who follows."""
        if event == "asset":
            self.assets[data["id"]] = data
        self.events.append((event, data))

    def close(self) -> None:
        self.closed = True

    def app(self) -> FastAPI:
        app = FastAPI(docs_url=None)
        app.add_api_route("/v1/assets", self._list)
        app.add_api_route("/v1/assets/{identity}", self._show)
        app.add_api_route("/v1/assets/{identity}/events", self._follow)
        app.add_api_route("/v1/playback/{identity}", self._describe)
        app.add_api_route("/blog", self._blog)
        app.add_api_route("/plays/{identity}", self._count, methods=["POST"])
        app.add_api_route("/v1/fleet", self._fleet)
        app.add_api_route("/files", self._create, methods=["POST"])
        app.add_api_route("/files/{identity}", self._upload, methods=["HEAD", "PATCH", "DELETE"])
        app.add_api_route("/media/{identity}/{name}", self._media, methods=["GET", "HEAD"])
        app.add_api_route("/stream/{name}", self._file, methods=["GET", "HEAD"])
        app.add_api_route("/tree/{key:path}", self._object, methods=["GET", "HEAD"])
        app.include_router(pages.router())
        return app

    def _refusal(self, request: Request) -> Response | None:
        if self.key is None or request.headers.get("authorization") == f"Bearer {self.key}":
            return None
        return JSONResponse({"code": "unauthorized", "detail": "no key"}, 401, media_type="application/problem+json")

    async def _list(self, request: Request, after: str = "", limit: int = 20) -> Response:
        items = sorted(self.assets.values(), key=lambda one: one["id"], reverse=True)
        items = [one for one in items if not after or one["id"] < after]
        following = items[limit - 1]["id"] if len(items) > limit else None
        return self._refusal(request) or JSONResponse({"items": items[:limit], "next": following})

    async def _show(self, request: Request, identity: str) -> Response:
        if refusal := self._refusal(request):
            return refusal
        if identity not in self.assets:
            problem = {"code": "asset_not_found", "title": "Not Found", "detail": "There is no asset of this id."}
            return JSONResponse(problem, 404, media_type="application/problem+json")
        return JSONResponse(self.assets[identity])

    async def _describe(self, identity: str) -> Response:
        """What the public may know: no key is asked for."""
        found = self.assets.get(identity, {})
        if found.get("publication") != "published":
            return JSONResponse({"code": "not_found", "detail": "no"}, 404, media_type="application/problem+json")
        known = {name: found["playback"].get(name) for name in ("hls", "dash", "poster", "thumbhash", "storyboard")}
        size = {"width": found["source"]["display_width"], "height": found["source"]["display_height"]}
        rest = {"asset": identity, "title": found["title"], "build": found["build"], "captions": []}
        return JSONResponse(known | size | rest, headers=PUBLIC)

    async def _blog(self) -> Response:
        return Response(f"<!doctype html>{self.blog}", media_type="text/html")

    async def _count(self, identity: str) -> Response:
        self.plays.append(identity)
        return Response(status_code=204)

    async def _follow(self, request: Request, identity: str) -> Response:
        return self._refusal(request) or StreamingResponse(self._stream(identity), media_type="text/event-stream")

    async def _stream(self, identity: str) -> AsyncIterator[str]:
        if identity in self.assets:
            yield _message("asset", self.assets[identity])
        seen = 0
        while not self.closed:
            for event, data in self.events[seen:]:
                seen += 1
                if event == "cut":
                    return
                yield _message(event, data)
                if event == "end":
                    return
            await asyncio.sleep(0.02)

    async def _fleet(self, request: Request) -> Response:
        return self._refusal(request) or JSONResponse(self.fleet)

    async def _create(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        if self.refuse_uploads:
            status, problem = self.refuse_uploads
            return JSONResponse(problem, status, TUS, media_type="application/problem+json")
        identity = f"up{len(self.created)}"
        pairs = [pair.partition(" ") for pair in request.headers["upload-metadata"].split(",")]
        metadata = {name: base64.b64decode(value).decode() for name, _, value in pairs}
        self.created.append(metadata)
        self.uploads[identity] = bytearray()
        self.lengths[identity] = int(request.headers["upload-length"])
        return Response(status_code=201, headers={**TUS, "Location": f"/files/{identity}", "Rushes-Asset": ASSET})

    async def _upload(self, request: Request, identity: str) -> Response:
        if identity not in self.uploads:
            raise HTTPException(404)
        stored = self.uploads[identity]
        self.holders[identity] = request  # whoever comes last has the upload; a request that was cut may still be read
        if request.method == "DELETE":
            del self.uploads[identity]
            return Response(status_code=204, headers=TUS)
        if request.method == "PATCH" and int(request.headers["upload-offset"]) != len(stored):
            return Response(status_code=409, headers=TUS)
        if request.method == "PATCH":
            await self._receive(request, identity)
        headers = {**TUS, "Upload-Offset": str(len(stored)), "Upload-Length": str(self.lengths[identity])}
        return Response(
            status_code=200 if request.method == "HEAD" else 204, headers=headers | {"Cache-Control": "no-store"}
        )

    async def _receive(self, request: Request, identity: str) -> None:
        with suppress(ClientDisconnect):
            async for piece in request.stream():
                if self.holders[identity] is not request:
                    return
                self.uploads[identity] += piece
                if self.slow:
                    await asyncio.sleep(0.1)

    async def _media(self, identity: str, name: str) -> Response:
        if self.assets.get(identity, {}).get("publication") != "published":
            raise HTTPException(404)
        return self._file_response(name)

    async def _object(self, key: str) -> Response:
        path = self.tree / key if self.tree else None
        if path is None or not path.is_file():
            raise HTTPException(404)
        return Response(path.read_bytes(), media_type=TYPES.get(path.suffix), headers={"Cache-Control": "no-cache"})

    async def _file(self, name: str) -> Response:
        return self._file_response(name)

    def _file_response(self, name: str) -> Response:
        path = self.stream / Path(name).name
        if not path.is_file():
            raise HTTPException(404)
        return FileResponse(path, media_type=TYPES.get(path.suffix), headers=PUBLIC)


def _message(event: str, data: Any) -> str:
    return f"event: {event}\ndata: {json.dumps(data)}\n\n"
