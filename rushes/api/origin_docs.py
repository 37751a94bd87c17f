"""What OpenAPI says of the origin, which answers before the application's routes. Pure."""

from __future__ import annotations

from typing import Any

_SUMMARIES = {
    "/media/{asset}/{path}": "Playlists and segments",
    "/artifacts/{asset}/{path}": "Poster, storyboard, transcript",
    "/signed/{token}/media/{asset}/{path}": "The same of a signed asset, under a token",
    "/signed/{token}/artifacts/{asset}/{path}": "The same of a signed asset, under a token",
    "/preview/{token}/{path}": "The same, private, for the owner",
}
_ANSWERS = {
    "200": "The object", "206": "Part of it, or several parts (`multipart/byteranges`)", "304": "Not changed",
    "307": "It is elsewhere (`RUSHES_ORIGIN=redirect`; a preview's pointer)",
    "403": "The asset is signed, and the token is not good",
    "404": "There is nothing here, or it is not public", "416": "No byte is in the range",
}  # fmt: skip


def described(spec: dict[str, Any]) -> dict[str, Any]:
    """An OpenAPI document with the origin's paths. Doing it again changes nothing."""
    spec["paths"] |= {path: _item(path, summary) for path, summary in _SUMMARIES.items()}
    return spec


def _item(path: str, summary: str) -> dict[str, Any]:
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    parameters = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]
    answers = {status: {"description": text} for status, text in _ANSWERS.items()}
    return {"get": {"tags": ["origin"], "summary": summary, "parameters": parameters, "responses": answers}}
