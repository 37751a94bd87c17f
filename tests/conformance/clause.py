"""One clause of a specification: what it says, where, how binding it is, and how to see from outside that it is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from types import ModuleType
from typing import Any

from tests.conformance.wire import Answer


class Level(StrEnum):
    """How binding a clause is (RFC 2119). WISH: not in any specification, but clients rely on it."""

    MUST = "MUST"
    SHOULD = "SHOULD"
    MAY = "MAY"
    WISH = "WISH"


class Violated(Exception):
    """The server does not do what the clause says."""


class Unseen(Exception):
    """This server gives no occasion to see it: a limit that it does not have, a time too far away."""


@dataclass(frozen=True)
class Clause:
    """`check` takes a session of its protocol and raises Violated or Unseen."""

    name: str
    says: str
    source: str
    level: Level
    protocol: str
    """`tus`, `ietf` or `beyond`"""
    extension: str
    """The row of the score: a name of `Tus-Extension`, `core`, `http`, an interop version, or a topic."""
    check: Callable[[Any], None]
    needs: tuple[str, ...] = ()
    """Extensions that the check uses besides its own."""
    versions: tuple[int, ...] = ()
    """Of the IETF protocol: the interop versions that have the clause."""

    @property
    def key(self) -> str:
        return f"{self.protocol}/{self.extension}/{self.name}"


Check = Callable[[Any], None]
ALL = (3, 4, 5, 6, 7, 8)


def clause(
    level: Level,
    source: str,
    protocol: str,
    extension: str,
    *,
    needs: Iterable[str] = (),
    versions: tuple[int, ...] = (),
) -> Callable[[Check], Clause]:
    """Make a clause of a function: its name and its docstring are the clause's name and sentence."""

    def made(check: Check) -> Clause:
        says = " ".join((check.__doc__ or "").split())
        return Clause(check.__name__, says, source, level, protocol, extension, check, tuple(needs), versions)

    return made


def clauses_in(*modules: ModuleType) -> list[Clause]:
    """All clauses of these modules in the order of their text; those of the IETF protocol once for each version."""
    found = [value for module in modules for value in vars(module).values() if isinstance(value, Clause)]
    return [one for each in found for one in expanded(each)]


def expanded(one: Clause) -> list[Clause]:
    if not one.versions:
        return [one]
    return [replace(one, extension=f"interop {version}", versions=(version,)) for version in one.versions]


# -- what checks say of answers ---------------------------------------------------------------------------------------


def must(condition: object, sentence: str) -> None:
    if not condition:
        raise Violated(sentence)


def status(answer: Answer, *allowed: int) -> Answer:
    must(answer.status in allowed, f"answered {answer.status}, not {' or '.join(map(str, allowed))}")
    return answer


def refused(answer: Answer) -> Answer:
    must(400 <= answer.status < 500, f"answered {answer.status}, which is no refusal (4xx)")
    return answer


def succeeded(answer: Answer) -> Answer:
    must(200 <= answer.status < 300, f"answered {answer.status}, not 2xx")
    return answer


def header(answer: Answer, name: str, *allowed: str) -> str:
    """The field's value: any where none is given."""
    value = answer.get(name)
    if value is None:
        raise Violated(f"{name} is missing")
    must(not allowed or value in allowed, f"{name} is {value!r}, not {' or '.join(map(repr, allowed))}")
    return value


def no_header(answer: Answer, name: str) -> None:
    must(answer.get(name) is None, f"{name} is there: {answer.get(name)!r}")
