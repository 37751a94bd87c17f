"""`/media/{asset}/jit/...`: playlists that also name what is not made yet, and its segments, which are made when they are asked
for. In front of our own origin only."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from fastapi import Response

from rushes.api.demand import Plays
from rushes.catalog.catalog import Catalog
from rushes.catalog.on_request import Offer
from rushes.errors import RushesError
from rushes.keys import media_prefix
from rushes.packaging.on_request import FOLDER, master, playlist, segment_at, start_of, to_be_made
from rushes.storage.store import POINTER, ObjectMissing
from rushes.storage.types import content_type
from rushes.tracks import Track
from rushes.transcoder.predicted import codecs_of

PREFIX = f"{FOLDER}/"
POLL = 0.15
"""Seconds between looks at a step that somebody waits for."""
MOST_WAITS = 32
"""Chunks that a process hastens and looks for at a time: each goes before everybody's uploads, and whoever asks is a stranger."""
AGAIN = {"Retry-After": "2", "Cache-Control": "no-store"}
"""Said with NotYet."""
_PLAYLIST = re.compile(r"jit/([a-z0-9-]+)\.m3u8")
_PART = re.compile(r"jit/([a-z0-9-]+)/(?:(init)\.mp4|([1-9][0-9]{0,5})\.m4s)")


class NotYet(RushesError):
    """It is being made, and takes longer than anybody should wait for an answer."""

    status = 503


@dataclass
class _Wait:
    task: asyncio.Task[Track | None]
    people: int = 0


@dataclass
class OnRequest:
    """Of one process. However many wait for a chunk, one looks whether it is there."""

    catalog: Catalog
    plays: Plays
    patience: float
    """Seconds."""
    _waits: dict[tuple[str, str, str], _Wait] = field(default_factory=dict)

    async def answer(self, asset: str, path: str) -> Response:
        """`path` below the asset's media. Raises ObjectMissing, NotFound, NotYet."""
        if path == f"{PREFIX}master.m3u8":
            self.plays.notice(asset, "origin")
            return await asyncio.to_thread(self._master, asset)
        if found := _PLAYLIST.fullmatch(path):
            return await asyncio.to_thread(self._playlist, asset, found[1])
        if found := _PART.fullmatch(path):
            return await self._part(asset, found[1], int(found[3] or 0))
        raise ObjectMissing("there is no such object")

    def _master(self, asset: str) -> Response:
        offer, lazy = self._offered(asset)
        if not lazy:  # then it is the pointer, whatever that says
            return _elsewhere("../master.m3u8")
        return _text(master(offer.asset.tracks, lazy, offer.asset.build))

    def _playlist(self, asset: str, rung: str) -> Response:
        offer, lazy = self._offered(asset)
        track = next((track for track in lazy if track.name == rung), None)
        if track is not None:
            return _text(playlist(track, offer.asset.tracks))
        if any(track.name == rung for track in offer.asset.tracks):
            return _elsewhere(f"../b/{offer.asset.build}/{rung}.m3u8")
        raise ObjectMissing("there is no such rung")

    def _offered(self, asset: str) -> tuple[Offer, list[Track]]:
        """What is protected is not made on request: here nobody encrypts."""
        offer = self.catalog.offer(asset)
        tracks = offer.asset.tracks
        if any(track.protection for track in tracks):
            return offer, []
        fps = next((track.fps for track in tracks if track.kind == "video" and track.fps), None)
        predicted = {rung.name: codecs_of(rung, fps) for rung in offer.rungs} if fps else {}
        known = {name: found for name, found in predicted.items() if found} | offer.codecs
        return offer, to_be_made(offer.rungs, tracks, known)

    async def _part(self, asset: str, rung: str, number: int) -> Response:
        """A segment, or with number 0 the init segment: where it lies, once it is there."""
        offer = await asyncio.to_thread(self.catalog.offer, asset)
        tracks = offer.asset.tracks
        start = start_of(tracks, max(1, number)) if offer.asset.state.has_build else None
        if start is None or any(track.protection for track in tracks):
            raise ObjectMissing("there is no such segment")
        track = None if number else await asyncio.to_thread(self.catalog.lazy_init, offer.asset, rung)
        if track is None:
            key = await asyncio.to_thread(self._step, offer, rung, start)
            track = await self._made(asset, key, rung) if key else _there(tracks, rung)
        name = _name(track, start if number else None) if track else None
        if track is None or name is None:
            raise ObjectMissing("there is no such segment")
        return _elsewhere("../../" + (track.prefix + name).removeprefix(media_prefix(asset)))

    def _step(self, offer: Offer, rung: str, start: Fraction) -> str | None:
        """The step that makes what begins there; that somebody asks for it is a demand. None for what is made otherwise."""
        chunks = self.catalog.lazy_chunks(offer.asset, rung)
        if chunks is None and any(one.name == rung for one in offer.rungs):
            chunks = self.catalog.lazy_chunks(self.catalog.demand(offer.asset.id, "segment"), rung)
            if chunks is None:
                raise NotYet("not_made_yet", "This is made as soon as another encode of the video has ended.")
        return chunks.at(start) if chunks else None

    async def _made(self, asset: str, key: str, rung: str) -> Track | None:
        """Waits for a step, but not for ever. None where it will not come. Raises NotYet."""
        name = (asset, key, rung)
        wait = self._waits.get(name)
        if wait is None:
            if len(self._waits) >= MOST_WAITS:
                raise NotYet("not_made_yet", "Much is being made just now. Ask again in a moment.")
            wait = self._waits[name] = _Wait(asyncio.create_task(self._watch(asset, key, rung)))
        wait.people += 1
        try:
            await asyncio.wait({wait.task}, timeout=self.patience)
        finally:
            wait.people -= 1
            if not wait.people:
                self._waits.pop(name, None)
                wait.task.cancel()
        if not wait.task.done() or wait.task.cancelled():
            raise NotYet("not_made_yet", "This is being made. Ask again in a moment.")
        return wait.task.result()

    async def _watch(self, asset: str, key: str, rung: str) -> Track | None:
        found = await asyncio.to_thread(self.catalog.lazy_progress, asset, key, rung)
        if not found.is_over:
            await asyncio.to_thread(self.catalog.hasten, asset, key)
        while not found.is_over:
            await asyncio.sleep(POLL)
            found = await asyncio.to_thread(self.catalog.lazy_progress, asset, key, rung)
        return found.track


def _there(tracks: Sequence[Track], rung: str) -> Track | None:
    """A rung that the build has, in a file for each segment."""
    found = next((track for track in tracks if track.name == rung and track.kind == "video"), None)
    return found if found and all(segment.offset is None for segment in found.segments) else None


def _name(track: Track, start: Fraction | None) -> str | None:
    """Of the file with what begins there, or of the init segment."""
    if start is None:
        return track.init
    segment = segment_at(track, start)
    return segment.name if segment else None


def _text(text: str) -> Response:
    return Response(text, media_type=content_type("a.m3u8"), headers={"Cache-Control": POINTER})


def _elsewhere(place: str) -> Response:
    """Relative, so that a token in front of the path stays. Where it leads never changes; that it leads there may."""
    return Response(status_code=307, headers={"Location": place, "Cache-Control": POINTER})
