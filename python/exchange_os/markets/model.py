"""What all models of a market file have in common: strictness, and numbers that are exact."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, WithJsonSchema
from pydantic_core import PydanticCustomError

from exchange_os.bounds import shown


class Strict(BaseModel):
    """No unknown field, no silent conversion, no later change."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=True)


_PLACES_MAX = 60


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
    # Decimal takes the digits of every script.
    if not number.is_finite() or (isinstance(value, str) and not value.isascii()):
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
    WithJsonSchema(
        {"anyOf": [{"type": "integer"}, {"type": "string", "pattern": r"^[+-]?(\d+\.?\d*|\.\d+)$"}]}
    ),
]
