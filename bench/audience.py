"""A simulated audience: players of HLS in one process, over raw sockets, in time that runs faster than the clock.

Each opens the pointer, a rendition and the sound, fetches segments in their order as it would play them, changes to another
rendition now and then, and begins anew at the end, as the next viewer would.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

TIMEOUT = 20.0
"""Seconds for one answer."""
AHEAD = 3
"""Segments that are fetched as fast as they come at the start of a view."""
HEADERS = "User-Agent: audience\r\nAccept-Encoding: {coding}\r\n"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def hit(self) -> bool:
        return self.headers.get("x-cache", "") == "HIT"


class Connection:
    """One kept connection of HTTP/1.1; opened again where the other side closed it."""

    def __init__(self, base: str) -> None:
        address = urlsplit(base)
        self._host, self._port = address.hostname or "", address.port or 80
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def get(self, path: str, **headers: str) -> Answer:
        """Raises OSError, EOFError, ValueError or TimeoutError where no whole answer came."""
        async with asyncio.timeout(TIMEOUT):
            fresh = self._writer is None or self._writer.is_closing()
            try:
                return await self._exchange(path, headers)
            except (ConnectionError, EOFError):
                self.close()
                if fresh:
                    raise
                return await self._exchange(path, headers)  # a kept connection may be closed at any time

    async def _exchange(self, path: str, headers: dict[str, str]) -> Answer:
        if self._writer is None or self._reader is None:
            self._reader, self._writer = await asyncio.open_connection(self._host, self._port, limit=1 << 20)
        more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        self._writer.write(f"GET {path} HTTP/1.1\r\nHost: {self._host}\r\n{more}\r\n".encode())
        return await _read(self._reader)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None


async def _read(reader: asyncio.StreamReader) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    status = int(head[0].split(" ")[1])
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return Answer(status, headers, b"".join([chunk async for chunk in _chunks(reader)]))
    size = 0 if status in (204, 304) else int(headers["content-length"])
    return Answer(status, headers, await reader.readexactly(size))


async def _chunks(reader: asyncio.StreamReader):
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        yield await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readuntil(b"\r\n")


@dataclass
class Tally:
    """What an audience saw."""

    requests: int = 0
    hits: int = 0
    bytes: int = 0
    views: int = 0
    errors: list[str] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    """Requests that went to the origin, by kind of object."""

    @property
    def ratio(self) -> float:
        return self.hits / max(1, self.requests)

    def note(self, path: str, answer: Answer) -> None:
        self.requests += 1
        self.hits += answer.hit
        self.bytes += len(answer.body)
        if not answer.hit:
            self.asked[f"{kind_of(path)} {answer.headers.get('x-cache', '-')}"] += 1


def kind_of(path: str) -> str:
    if "/b/" in path or "/g/" in path:
        return "playlist"
    return "pointer" if path.endswith(("m3u8", "mpd")) else "segment"


@dataclass(frozen=True)
class Playlist:
    """Of media. Times in seconds of the film."""

    init: str
    segments: tuple[tuple[str, float], ...]
    ended: bool


def media_playlist(text: str, path: str) -> Playlist:
    init = re.search(r'#EXT-X-MAP:URI="([^"]+)"', text)
    found = re.findall(r"#EXTINF:([\d.]+),[^\n]*\n(?:#[^\n]*\n)*([^#\n]+)", text)
    segments = tuple((urljoin(path, uri), float(seconds)) for seconds, uri in found)
    return Playlist(urljoin(path, init[1]) if init else "", segments, "#EXT-X-ENDLIST" in text)


def renditions(text: str, path: str) -> tuple[list[str], list[str]]:
    """Addresses of the variants and of the sounds in a multivariant playlist."""
    variants = re.findall(r"#EXT-X-STREAM-INF:[^\n]*\n([^#\n]+)", text)
    sounds = re.findall(r'#EXT-X-MEDIA:[^\n]*TYPE=AUDIO[^\n]*URI="([^"]+)"', text)
    return [urljoin(path, uri) for uri in variants], [urljoin(path, uri) for uri in dict.fromkeys(sounds)]


class Player:
    """One seat of the audience. `speed`: seconds of film in a second."""

    def __init__(self, base: str, master: str, number: int, tally: Tally, speed: float) -> None:
        self._connection = Connection(base)
        self._master, self._tally, self._speed = master, tally, speed
        self._chance = random.Random(number)
        self._coding = self._chance.choice(("gzip", "gzip, deflate, br", "identity"))
        self._number = number

    async def play(self, until: asyncio.Event) -> None:
        """View after view until the event; the first begins within the length of a few segments."""
        await asyncio.sleep(self._chance.random() * 10 / self._speed)
        while not until.is_set():
            try:
                await self._view(until)
                self._tally.views += 1
            except (OSError, EOFError, ValueError, TimeoutError) as error:
                self._tally.errors.append(f"{type(error).__name__}: {error}"[:200])
                await asyncio.sleep(4 / self._speed)
        self._connection.close()

    async def _get(self, path: str) -> bytes:
        """Raises ValueError for anything but a whole answer of 200."""
        cmcd = f"?CMCD=bl%3D{self._chance.randrange(100) * 100}%2Csid%3D%22{self._number}%22"
        answer = await self._connection.get(path + cmcd, Accept_Encoding=self._coding)
        self._tally.note(path, answer)
        if answer.status != 200:
            raise ValueError(f"{path} was answered {answer.status}")
        if answer.headers.get("content-encoding") == "gzip":
            import gzip

            return gzip.decompress(answer.body)
        return answer.body

    async def _view(self, until: asyncio.Event) -> None:
        variants, sounds = renditions((await self._get(self._master)).decode(), self._master)
        if not variants:
            raise ValueError("the pointer names no variant")
        chosen, heard = self._chance.choice(variants), self._chance.choice(sounds) if sounds else ""
        seen, at = {chosen: await self._playlist(chosen)}, 0
        sound = await self._playlist(heard) if heard else None
        while not until.is_set():
            playlist = seen[chosen]
            if at >= len(playlist.segments):
                if playlist.ended:
                    return
                await asyncio.sleep(2 / self._speed)
                seen[chosen] = await self._playlist(chosen, again=True)
                sound = await self._playlist(heard, again=True) if heard else None
                continue
            uri, seconds = playlist.segments[at]
            await self._get(uri)
            if sound and at < len(sound.segments):
                await self._get(sound.segments[at][0])
            at += 1
            if self._chance.random() < 0.2:
                chosen = self._chance.choice(variants)
                if chosen not in seen:
                    seen[chosen] = await self._playlist(chosen)
            if at > AHEAD:
                await asyncio.sleep(seconds / self._speed * (0.8 + 0.4 * self._chance.random()))

    async def _playlist(self, path: str, *, again: bool = False) -> Playlist:
        playlist = media_playlist((await self._get(path)).decode(), path)
        if playlist.init and not again:
            await self._get(playlist.init)
        return playlist


class Audience:
    """`async with`: they play inside, and have all left behind it."""

    def __init__(self, base: str, master: str, players: int, speed: float = 8.0) -> None:
        self.tally, self._over = Tally(), asyncio.Event()
        self._players = [Player(base, master, number, self.tally, speed) for number in range(players)]
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Audience:
        self._tasks = [asyncio.create_task(player.play(self._over)) for player in self._players]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._over.set()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
