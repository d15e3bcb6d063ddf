"""What all models of a market file have in common: strictness, and numbers that are exact."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from exchange_os.bounds import shown


class Strict(BaseModel):
    """No unknown field, no silent conversion, no later change."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=True)


_PLACES_MAX = 60
_DIGITS = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
_DECIMAL = re.compile(_DIGITS)


def _exact(value: object) -> Decimal:
    if isinstance(value, float):
        raise PydanticCustomError(
            "float",
            '{value} is a float and has no exact value; write it as text: "{value}"',
            {"value": value},
        )
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise PydanticCustomError("number", "expected a decimal number as text or a whole number")
    try:
        number = Decimal(value)
    except InvalidOperation:
        number = Decimal("NaN")
    # Decimal takes the digits of every script, and underscores.
    if not number.is_finite() or (isinstance(value, str) and not _DECIMAL.fullmatch(value)):
        raise PydanticCustomError("number", "{value} is no decimal number", {"value": shown(repr(value))})
    # Beyond this no bound of the engine reaches, and exact arithmetic on it could take for ever.
    exponent = int(number.as_tuple().exponent)
    if exponent < -_PLACES_MAX or number.adjusted() >= _PLACES_MAX:
        raise PydanticCustomError(
            "number",
            "{value} has digits more than {most} places from the decimal point, the most is {most}",
            {"value": shown(value), "most": _PLACES_MAX},
        )
    return number


Number = Annotated[
    Decimal,
    BeforeValidator(_exact),
    WithJsonSchema({"anyOf": [{"type": "integer"}, {"type": "string", "pattern": f"^{_DIGITS}$"}]}),
]

Ppm = Annotated[int, Field(ge=-(2**31), lt=2**31)]
"""Parts per million, as far as its field in a record reaches; the engine has the bounds of each."""

Part = Annotated[int, Field(ge=0, le=1_000_000)]
"""A part of a whole, ppm."""

Small = Annotated[int, Field(ge=0, lt=2**16)]
Count = Annotated[int, Field(ge=0, lt=2**32)]
Large = Annotated[int, Field(ge=0)]
"""Counts, accounts and times, as far as their fields in a record reach."""

Text = Annotated[str, Field(min_length=1)]

_SYMBOL = re.compile(r"[!-~]{1,64}")


def _symbol(value: object) -> object:
    if isinstance(value, str) and not _SYMBOL.fullmatch(value):
        raise PydanticCustomError(
            "symbol",
            "{value}: a symbol has 1 to 64 printable ASCII characters without space",
            {"value": shown(repr(value))},
        )
    return value


Symbol = Annotated[
    str, BeforeValidator(_symbol), WithJsonSchema({"type": "string", "pattern": f"^{_SYMBOL.pattern}$"})
]
