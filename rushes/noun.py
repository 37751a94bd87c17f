"""What every noun of the product is: immutable, strict about its fields, JSON in and out.

Stored nouns may have been written by a newer release, while both run: fields that this one does not know are then kept, and
written back with the rest (docs/decisions/0034). What callers send is never read that way.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Annotated, Any, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import to_json

Rate = Annotated[
    Fraction,
    BeforeValidator(lambda value: Fraction(value) if not isinstance(value, Fraction) else value),
    PlainSerializer(lambda value: f"{value.numerator}/{value.denominator}", return_type=str),
    WithJsonSchema({"type": "string", "examples": ["30000/1001"]}),
]
"""An exact ratio (frames per second, sample aspect), `30000/1001` in JSON."""


class Noun(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Reason(Noun):
    code: str
    message: str


N = TypeVar("N", bound=Noun)
T = TypeVar("T")


def stored(model: type[N], text: str | bytes) -> N:
    """A noun as the catalog has it. Raises ValueError for what cannot be this noun even with fields that are not known."""
    try:
        return model.model_validate_json(text)
    except ValidationError:
        return model.model_validate_json(text, extra="allow")


def stored_as(adapter: TypeAdapter[T], text: str | bytes) -> T:
    """The same of one of several nouns."""
    try:
        return adapter.validate_json(text)
    except ValidationError:
        return adapter.validate_json(text, extra="allow")


def stored_row(model: type[N], values: Mapping[str, Any]) -> N:
    """The same of a noun whose fields are columns."""
    try:
        return model.model_validate(values)
    except ValidationError:
        return model.model_validate(values, extra="allow")


def to_store(noun: Noun) -> str:
    """JSON of a noun, with the fields that a newer release had given it."""
    if not _has_unknown(noun):  # that is the case but during an update
        return noun.model_dump_json()
    return to_json(_with_unknown(noun, noun.model_dump(mode="json"))).decode()


def _has_unknown(noun: Noun) -> bool:
    """Whether it, or a part of it that was taken from another record, was read with what is not known. A noun that is read so
    marks all that is in it."""
    parts = (part for value in vars(noun).values() for part in (value if isinstance(value, tuple) else (value,)))
    return any(isinstance(one, BaseModel) and one.__pydantic_extra__ is not None for one in (noun, *parts))


def _with_unknown(value: Any, dumped: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    """`dumped` is the JSON form of `value`, and lacks what its nouns do not know."""
    match value:
        case BaseModel():
            known = {name: _with_unknown(getattr(value, name), one) for name, one in dumped.items()}
            return {**known, **(value.__pydantic_extra__ or {})}
        case tuple() | list():
            return [_with_unknown(one, its) for one, its in zip(value, dumped, strict=True)]
        case Mapping():
            return {
                **dumped,
                **{name: _with_unknown(one, dumped[name]) for name, one in value.items() if name in dumped},
            }
        case _:
            return dumped
