"""What every noun of the product is: immutable, strict about its fields, JSON in and out."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, WithJsonSchema

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
