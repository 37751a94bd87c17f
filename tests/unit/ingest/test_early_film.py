"""How much is kept of uploads on their way."""

from __future__ import annotations

from rushes.catalog.records import Upload
from rushes.ingest.early_film import Film, Films
from rushes.ingest.early_look import FIRST
from rushes.ingest.hold import Hold
from rushes.profiles import Limits


def film(name: str) -> Film:
    upload = Upload(id=name, asset="a", tenant="t", length=10**6, created_at=0.0, expires_at=9.0)
    return Film(upload, Limits())


def test_a_film_wants_its_head_first() -> None:
    assert (film("a").head.missing, film("a").tail.missing) == (FIRST, 0)


def test_all_together_keep_no_more_than_the_budget() -> None:
    films = Films(budget=100)
    first, second = films.add(film("a")), films.add(film("b"))
    first.holds.add(Hold.__new__(Hold))
    assert films.keep(first, first.head, bytes(60))
    assert not films.keep(second, second.head, bytes(60))
    assert (films.kept, len(second.head.data)) == (60, 0)


def test_films_that_nobody_sends_give_way_the_oldest_first() -> None:
    films = Films(budget=100)
    oldest, newer, newest = (films.add(film(name)) for name in "abc")
    assert films.keep(oldest, oldest.head, bytes(50))
    assert films.keep(newer, newer.head, bytes(50))
    assert films.keep(newest, newest.head, bytes(50))
    assert (films.get("a"), films.get("b"), films.kept) == (None, newer, 100)


def test_there_are_no_more_films_than_the_most() -> None:
    films = Films(most=2)
    for name in "abc":
        films.add(film(name))
    assert [films.get(name) is not None for name in "abc"] == [False, True, True]


def test_what_is_cut_or_forgotten_is_room_again() -> None:
    films = Films(budget=100)
    one = films.add(film("a"))
    assert films.keep(one, one.head, bytes(80))
    films.cut(one.head, 30)
    assert films.kept == 30
    films.cut(one.head, 90)
    assert (films.kept, len(one.head.data)) == (30, 30)
    films.forget(one)
    assert (films.kept, one.head.want, films.get("a")) == (0, 0, one)


def test_the_same_upload_has_one_film() -> None:
    films = Films()
    assert films.add(film("a")) is films.add(film("a"))
