"""Between numbers as people write them and the integers of the engine: exact or refused, never rounded."""

from __future__ import annotations

import decimal
import operator
from decimal import Decimal
from fractions import Fraction
from typing import TypeAlias

from exchange_os.bounds import shown
from exchange_os.errors import FloatRefused, Inexact, InvalidArgument, OutOfRange

Number: TypeAlias = Decimal | int | str
"""What a price, a quantity or an amount may be given as. Never a float."""

# Wide enough for every 128-bit number at 18 decimals; whatever would round is an error all the same.
EXACT = decimal.Context(prec=100, traps=[decimal.Inexact, decimal.InvalidOperation, decimal.Overflow])
_DIGITS_MAX = 60


_EXACT_TYPES = frozenset({Decimal, int, str})
_KNOWN_MAX = 4_096


class Scale:
    """Whole units against steps of one size: prices and ticks, quantities and lots, amounts and atoms."""

    __slots__ = ("_denominator", "_known", "_numerator", "noun", "step", "step_name")

    def __init__(self, step: Decimal, noun: str, step_name: str) -> None:
        self.step = step
        self.noun = noun
        self.step_name = step_name
        self._numerator, self._denominator = step.as_integer_ratio()
        self._known: dict[Number, int] = {}  # the same few prices come again and again

    def count(self, value: Number) -> int:
        """`value` in steps."""
        if value.__class__ not in _EXACT_TYPES:  # a bool or a float would equal a known int
            return self.count(self._plain(value))
        try:
            steps = self._known.get(value)
        except TypeError:  # a signalling NaN has no hash
            raise InvalidArgument(f"the {self.noun} is {value}, which is no number") from None
        if steps is None:
            steps = self._count(self._text(value) if isinstance(value, str) else value)
            if len(self._known) >= _KNOWN_MAX:
                self._known.clear()
            self._known[value] = steps
        return steps

    def _count(self, value: Decimal | int) -> int:
        if isinstance(value, Decimal) and not -_DIGITS_MAX < value.adjusted() < _DIGITS_MAX:
            return self._extreme(value)
        try:
            numerator, denominator = value.as_integer_ratio()
        except (ValueError, OverflowError):
            raise InvalidArgument(f"the {self.noun} is {value}, which is no number") from None
        steps, rest = divmod(numerator * self._denominator, denominator * self._numerator)
        if rest:
            self._refuse(value)
        return steps

    def value(self, count: int) -> Decimal:
        """`count` steps in whole units, with the decimals of the step."""
        step = self.step
        if step == 1:
            return Decimal(count)
        return EXACT.multiply(Decimal(count), step)

    def _plain(self, value: object) -> Decimal | int:
        """As an int or a Decimal, if it is one in another dress."""
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, Decimal):
            return Decimal(value)
        if isinstance(value, float) or type(value).__name__ in {
            "float16",
            "float32",
            "float64",
            "longdouble",
        }:
            raise FloatRefused(
                f"the {self.noun} is the float {value!r}, which has no exact decimal value; "
                f'give Decimal("{value}"), the text "{value}" or an int'
            )
        if isinstance(value, bool):
            raise InvalidArgument(f"the {self.noun} is {value!r}, expected a Decimal, an int or a text")
        try:
            return operator.index(value)  # type: ignore[arg-type]
        except TypeError:
            pass
        raise InvalidArgument(
            f"the {self.noun} is a {type(value).__name__}, expected a Decimal, an int or a text"
        ) from None

    def _text(self, value: str) -> Decimal:
        try:
            number = Decimal(value)
        except decimal.InvalidOperation:
            number = Decimal("NaN")
        if not number.is_finite() or "_" in value or not value.isascii():
            raise InvalidArgument(f"the {self.noun} is {shown(repr(value))}, which is no decimal number")
        return number

    def _extreme(self, value: Decimal) -> int:
        """Exponents so far out that the exact integer would be a burden."""
        if value.is_zero():
            return 0
        if not value.is_finite():
            raise InvalidArgument(f"the {self.noun} is {value}, which is no number")
        if value.adjusted() > 0:
            raise OutOfRange(f"the {self.noun} is {shown(value)}, far beyond every limit")
        self._refuse(value)
        raise AssertionError

    def _refuse(self, value: object) -> None:
        step = f"{self.step_name} {self.step:f}"
        raise Inexact(f"the {self.noun} {shown(value)} is finer than the {step}; it is never rounded")


def plain_text(number: Fraction | Decimal | int) -> str:
    """A number as people write it: no exponent, no trailing zeros; a fraction where no decimal is exact."""
    fraction = Fraction(number)
    digits, rest = 0, fraction.denominator
    while rest % 10 == 0 or rest % 2 == 0 or rest % 5 == 0:
        rest //= 10 if rest % 10 == 0 else 2 if rest % 2 == 0 else 5
        digits += 1
    if rest != 1:
        return f"{fraction.numerator}/{fraction.denominator}"
    steps = str(abs(fraction.numerator) * 10**digits // fraction.denominator).rjust(digits + 1, "0")
    whole, part = steps[: len(steps) - digits], steps[len(steps) - digits :]
    return f"{'-' if fraction < 0 else ''}{whole}{'.' if part else ''}{part}"
