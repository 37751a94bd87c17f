"""Rules and what they find. Pure."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar

from rushes.packaging.lint.stream import Stream

logger = logging.getLogger(__name__)

MOST_FINDINGS = 20
"""Of one rule; the rest is only counted."""
_LONGEST = 200


class Severity(StrEnum):
    MUST = "must"
    SHOULD = "should"
    INFO = "info"


MUST, SHOULD, INFO = Severity


@dataclass(frozen=True)
class Fault:
    """What a rule found: where, what is there, and what was to be there."""

    where: str
    measured: str
    expected: str


Subject = TypeVar("Subject")
Check = Callable[[Any, Stream], Iterable[Fault]]


@dataclass(frozen=True)
class Rule(Generic[Subject]):
    """`identifier` is stable: it stands in certificates. `over` gives what is looked at, `check` what is wrong with one."""

    identifier: str
    severity: Severity
    clause: str
    says: str
    over: Callable[[Stream], Iterable[Subject]]
    check: Callable[[Subject, Stream], Iterable[Fault]]


@dataclass(frozen=True)
class Outcome:
    """What became of one rule: how many things it looked at, and what it found, up to `MOST_FINDINGS`."""

    rule: Rule[Any]
    looked_at: int
    faults: tuple[Fault, ...]
    count: int
    broken: bool = False
    """It could not judge something, by a mistake of ours."""

    @property
    def failed(self) -> bool:
        return self.count > 0


def rule(
    identifier: str, severity: Severity, clause: str, over: Callable[[Stream], Iterable[Subject]]
) -> Callable[[Callable[[Subject, Stream], Iterable[Fault]]], Rule[Subject]]:
    """Makes a rule of a function; its docstring says in one sentence what has to be."""

    def made(check: Callable[[Subject, Stream], Iterable[Fault]]) -> Rule[Subject]:
        return Rule(identifier, severity, clause, (check.__doc__ or "").strip(), over, check)

    return made


def applied(one: Rule[Any], stream: Stream) -> Outcome:
    """The rule over all of a stream. Whatever is in the stream, a rule says a sentence and does not break: what cannot be
    reckoned with (a number out of range) is a fault of the stream."""
    faults: list[Fault] = []
    looked_at = count = 0
    broken = False
    for fault in _faults(one, stream):
        if fault is None:
            looked_at += 1
        elif isinstance(fault, Exception):
            broken = True
        else:
            count += 1
            faults += [_short(fault)] if len(faults) < MOST_FINDINGS else []
    return Outcome(one, looked_at, tuple(faults), count, broken)


def _faults(one: Rule[Any], stream: Stream) -> Iterator[Fault | Exception | None]:
    """None for each thing that is looked at, before what is wrong with it; the exception where the rule itself is wrong."""
    try:
        for subject in one.over(stream):
            yield None
            try:
                yield from one.check(subject, stream)
            except (ArithmeticError, ValueError) as error:
                yield Fault(str(getattr(subject, "where", "")), f"not to be reckoned with ({error})", "usable numbers")
    except (LookupError, TypeError, AttributeError) as error:  # no asset has to suffer from it, but it is told
        logger.exception("lint rule %s broke", one.identifier)
        yield error


def _short(fault: Fault) -> Fault:
    return Fault(*(_cut(text) for text in (fault.where, fault.measured, fault.expected)))


def _cut(text: str) -> str:
    plain = "".join(char if char.isprintable() else "?" for char in text)
    return plain if len(plain) <= _LONGEST else plain[: _LONGEST - 1] + "…"
