"""Which bytes of a body are looked at, and how often."""

from __future__ import annotations

import hashlib

from rushes.ingest.checksum import Check
from rushes.ingest.early import LONGEST_WAIT, WATCHED, waits
from rushes.ingest.early_bytes import Look
from rushes.ingest.early_film import EXACT, MOST_LOOKS, Film, Kept
from rushes.ingest.early_watch import Piece, Watch
from rushes.ingest.requests import Append
from tests.unit.ingest.test_early_film import film

DATA = bytes(range(256)) * 8


class Looker:
    """Asks each time for `more` bytes than it has seen."""

    def __init__(self, more: int, *, check: Check | None = None) -> None:
        self.end, self.more = Kept(8), more
        self.seen: list[bytes] = []
        self.watch = Watch(self.end, Append(0, None, check=check), self._keep, self._look_at)

    def _keep(self, content: Piece) -> bool:
        self.end.data += content
        return True

    def _look_at(self, fresh: Piece) -> None:
        self.seen.append(bytes(self.end.data) + bytes(fresh))
        self.end.want = len(self.seen[-1]) + self.more if self.more else 0


def test_a_piece_is_looked_at_once_however_little_more_is_wanted() -> None:
    looker = Looker(more=1)
    assert [looker.watch.see(DATA[at : at + 512]) for at in range(0, 2048, 512)] == [True] * 4
    assert looker.seen == [DATA[:512], DATA[:1024], DATA[:1536], DATA]


def test_a_look_waits_until_all_that_is_wanted_is_there() -> None:
    looker = Looker(more=1000)
    for at in range(0, 2048, 256):
        looker.watch.see(DATA[at : at + 256])
    assert [len(seen) for seen in looker.seen] == [256, 1280]
    assert DATA.startswith(looker.end.data)


def test_nothing_is_kept_after_a_look_that_wants_no_more() -> None:
    looker = Looker(more=0)
    assert not looker.watch.see(DATA)
    assert (len(looker.seen), looker.end.data) == (1, b"")


def test_a_body_with_a_checksum_is_looked_at_when_it_is_known_to_be_right() -> None:
    looker = Looker(more=0, check=Check("sha256", hashlib.sha256(DATA).digest()))
    looker.watch.see(DATA[:100])
    looker.watch.see(DATA[100:])
    assert looker.seen == []
    looker.watch.close()
    assert looker.seen == [DATA]


def test_a_film_gets_what_it_asks_for_at_first_then_at_least_twice_what_there_is() -> None:
    wanted = _asked_for(film("a"), 8192)
    assert wanted[:EXACT] == [8192 + 16 * (number + 1) for number in range(EXACT)]
    assert all(after >= 2 * before for before, after in zip(wanted[EXACT - 1 :], wanted[EXACT:-1], strict=False))
    assert wanted[-1] == 0
    assert len(wanted) <= MOST_LOOKS


def _asked_for(one: Film, seen: int) -> list[int]:
    """By a film that wants sixteen bytes more after each look."""
    asked = []
    for _ in range(100):
        one.looks += 1
        more = one.wants(Look(wants=seen + 16), seen)
        asked.append(one.head.want)
        if not more:
            break
        seen = one.head.want
    return asked


def test_the_early_probe_is_asked_for_ever_more_rarely() -> None:
    found = list(waits())
    assert found[:4] == [0.25, 0.5, 1.0, 2.0]
    assert max(found) == LONGEST_WAIT
    assert WATCHED <= sum(found) <= WATCHED + LONGEST_WAIT
