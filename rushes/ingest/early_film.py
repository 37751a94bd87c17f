"""What a process keeps of uploads on their way, so that they can be looked at: little of each, and little of all."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from rushes.catalog.records import Upload
from rushes.ingest.early_bytes import MOST, Look, View
from rushes.ingest.early_look import FIRST, Hopeless
from rushes.ingest.hold import Hold
from rushes.profiles import Limits

BUDGET = 16 * 2**20
"""Bytes of all uploads together: of a thousand slow ones 16 KiB each."""
MOST_FILMS = 4000
MOST_LOOKS = 12
"""At one film: it has said by then what it is, or is made not to say it."""
EXACT = 4
"""Looks after which a film gets as much as it asks for; later ones at least double what there is."""


@dataclass
class Kept:
    """One end of a file, from that end's first byte on."""

    want: int
    """How long it has to become to be of use; 0: nothing is wanted."""
    data: bytearray = field(default_factory=bytearray)

    @property
    def missing(self) -> int:
        return max(0, self.want - len(self.data))


@dataclass(eq=False)
class Film:
    """An upload that is to become an asset."""

    upload: Upload
    limits: Limits
    head: Kept = field(default_factory=lambda: Kept(FIRST))
    tail: Kept = field(default_factory=lambda: Kept(0))
    tail_part: str = ""
    """The id of the upload that is the tail of this one."""
    refusal: Hopeless | None = None
    holds: set[Hold] = field(default_factory=set)
    """Requests that send bytes of it now."""
    task: asyncio.Task[None] | None = None
    looks: int = 0

    def view(self, end: Kept, fresh: bytes | memoryview = b"") -> View:
        """What there is of it, with what has just come of one end."""
        head, tail = (b"".join((kept.data, fresh if kept is end else b"")) for kept in (self.head, self.tail))
        return View(head, tail[: self.tail.want] if len(tail) >= self.tail.want else b"", self.upload.length)

    def wants(self, found: Look, seen: int) -> bool:
        """After a look at `seen` bytes of the head: whether another one, at more, may tell more."""
        more = found.wants if self.looks <= EXACT else max(found.wants, min(MOST, 2 * seen))
        self.head.want = more if found.wants > seen and self.looks < MOST_LOOKS else 0
        return self.head.want > 0


class Films:
    """By the id of their upload, those that were asked for last at the end."""

    def __init__(self, budget: int = BUDGET, most: int = MOST_FILMS) -> None:
        self._films: dict[str, Film] = {}
        self._budget, self._most = budget, most
        self._kept = 0

    @property
    def kept(self) -> int:
        """Bytes."""
        return self._kept

    def get(self, upload: str) -> Film | None:
        film = self._films.pop(upload, None)
        if film is not None:
            self._films[upload] = film
        return film

    def add(self, film: Film) -> Film:
        """Gives the one that is there already, if so."""
        there = self.get(film.upload.id)
        if there is not None:
            return there
        if len(self._films) >= self._most:
            self._drop_idle()
        self._films[film.upload.id] = film
        return film

    def keep(self, film: Film, end: Kept, content: bytes | memoryview) -> bool:
        """Add to what is kept of one end of the film; films that nobody sends now give way. False: there is no room."""
        while self._kept + len(content) > self._budget:
            if not self._drop_idle(film):
                return False
        end.data += content
        self._kept += len(content)
        return True

    def cut(self, end: Kept, size: int) -> None:
        """Keep no more than the first `size` bytes of an end."""
        self._kept -= max(0, len(end.data) - size)
        del end.data[size:]

    def forget(self, film: Film) -> None:
        """Its bytes are of no more use."""
        for end in (film.head, film.tail):
            self.cut(end, 0)
            end.want = 0

    def drop(self, film: Film) -> None:
        """It is over."""
        self.forget(film)
        self._films.pop(film.upload.id, None)
        if film.task is not None and film.task is not asyncio.current_task():
            film.task.cancel()

    def _drop_idle(self, spare: Film | None = None) -> bool:
        """The oldest that nobody sends now."""
        idle = next((film for film in self._films.values() if not film.holds and film is not spare), None)
        if idle is not None:
            self.drop(idle)
        return idle is not None
