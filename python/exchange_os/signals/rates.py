"""Numbers that know their unit: mixing two of them is a type error, not a wrong figure.

A funding rate is quoted per interval, and intervals differ between venues and change with time. So a
`FundingRate` cannot be made without its interval and without saying whether it was settled, is estimated or
predicted. What it becomes, per hour or per year, is a type of its own, and so are percent and basis points.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Self

from exchange_os.errors import InvalidArgument

HOUR_S = 3_600
HOURS_A_YEAR = 8_760
"""365 days: what venues and data vendors annualise with. A leap year changes the figure by 0.3 %."""


class MixedUnits(TypeError):
    """Two numbers of different units were added, subtracted or compared."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with a unit. Adds to, and compares with, its own kind only; scales by a plain number."""

    value: float
    unit: ClassVar[str] = ""

    def __post_init__(self) -> None:
        given: object = self.value  # the annotation is a promise, not a check
        if isinstance(given, bool) or not isinstance(given, int | float):
            raise MixedUnits(f"{type(self).__name__} needs a plain number, not {type(given).__name__}")
        if not math.isfinite(self.value):
            raise InvalidArgument(f"{type(self).__name__} needs a finite number, not {self.value}")

    def _same(self, other: object) -> float:
        if type(other) is not type(self):
            raise MixedUnits(f"{type(self).__name__} with {type(other).__name__}: convert one of them first")
        assert isinstance(other, Quantity)
        return other.value

    def __add__(self, other: Self) -> Self:
        return type(self)(self.value + self._same(other))

    def __sub__(self, other: Self) -> Self:
        return type(self)(self.value - self._same(other))

    def __lt__(self, other: Self) -> bool:
        return self.value < self._same(other)

    def __le__(self, other: Self) -> bool:
        return self.value <= self._same(other)

    def __neg__(self) -> Self:
        return type(self)(-self.value)

    def __abs__(self) -> Self:
        return type(self)(abs(self.value))

    def __mul__(self, factor: float) -> Self:
        given: object = factor
        if isinstance(given, Quantity):
            raise MixedUnits(f"{type(self).__name__} times {type(given).__name__} has no meaning here")
        return type(self)(self.value * factor)

    __rmul__ = __mul__

    def __str__(self) -> str:
        return f"{self.value:,.4f} {self.unit}"


class Percent(Quantity):
    """A share of something, in percent, with no time in it."""

    __slots__ = ()
    unit = "%"

    @classmethod
    def of_fraction(cls, fraction: float) -> Percent:
        return cls(fraction * 100)

    @property
    def fraction(self) -> float:
        return self.value / 100

    def to_bps(self) -> BasisPoints:
        return BasisPoints(self.value * 100)


class BasisPoints(Quantity):
    """A share of a price or a notional, in hundredths of a percent, with no time in it: a basis, a fee."""

    __slots__ = ()
    unit = "bps"

    @classmethod
    def of_fraction(cls, fraction: float) -> BasisPoints:
        return cls(fraction * 10_000)

    @property
    def fraction(self) -> float:
        return self.value / 10_000

    def to_percent(self) -> Percent:
        return Percent(self.value / 100)


class PerHour(Quantity):
    """A fraction of the notional an hour: what rates of different intervals are compared in."""

    __slots__ = ()
    unit = "per hour"

    def per_year(self) -> PerYear:
        return PerYear(self.value * HOURS_A_YEAR * 100)

    def over(self, hours: float) -> BasisPoints:
        """What adds up in so many hours, without compounding."""
        return BasisPoints.of_fraction(self.value * hours)


class PerYear(Quantity):
    """Percent a year, simple: no interest on interest. A basis in bps never adds to it."""

    __slots__ = ()
    unit = "% a year"

    @property
    def bps_a_year(self) -> float:
        """The same number in basis points a year, for display: 415.33 % a year is 41,533 bps a year."""
        return self.value * 100


class CompoundedPerYear(Quantity):
    """Percent a year with interest on interest (APY). A type of its own: it never adds to a simple rate."""

    __slots__ = ()
    unit = "% a year, compounded"


class FundingKind(StrEnum):
    """What a funding rate is. Rates of different kinds are never compared."""

    SETTLED = "settled"
    """Was paid."""
    ESTIMATED = "estimated"
    """The venue's running figure for the interval that is going on; it moves until it settles."""
    PREDICTED = "predicted"
    """Somebody's forecast of a later interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FundingRate:
    """A fraction of the notional per interval; positive: longs pay shorts."""

    fraction: float
    interval_s: int
    kind: FundingKind

    def __post_init__(self) -> None:
        if not math.isfinite(self.fraction):
            raise InvalidArgument(f"a funding rate needs a finite number, not {self.fraction}")
        interval: object = self.interval_s
        kind: object = self.kind
        if isinstance(interval, bool) or not isinstance(interval, int) or interval <= 0:
            raise InvalidArgument(f"a funding interval needs whole seconds above 0, not {interval!r}")
        if not isinstance(kind, FundingKind):
            raise InvalidArgument(f"a funding rate is settled, estimated or predicted, not {kind!r}")

    @property
    def interval_h(self) -> float:
        return self.interval_s / HOUR_S

    @property
    def percent(self) -> Percent:
        """Percent per interval."""
        return Percent.of_fraction(self.fraction)

    @property
    def bps(self) -> BasisPoints:
        """Basis points of the notional per interval."""
        return BasisPoints.of_fraction(self.fraction)

    def per_hour(self) -> PerHour:
        return PerHour(self.fraction / self.interval_h)

    def per_year(self) -> PerYear:
        """r * 8760 / h, in percent: the simple annual rate that venues print."""
        return self.per_hour().per_year()

    def compounded(self) -> CompoundedPerYear:
        """(1 + r) ** (8760 / h) - 1, in percent: every payment put back in."""
        if self.fraction <= -1:
            raise InvalidArgument(f"a rate of {self.fraction} an interval leaves nothing to compound")
        exponent = HOURS_A_YEAR / self.interval_h
        return CompoundedPerYear((math.exp(exponent * math.log1p(self.fraction)) - 1) * 100)

    def scaled_to(self, interval_s: int) -> FundingRate:
        """The same rate an hour, told per another interval."""
        return FundingRate(
            fraction=self.fraction * interval_s / self.interval_s, interval_s=interval_s, kind=self.kind
        )

    def spread_to(self, other: FundingRate) -> PerHour:
        """How much more this rate pays an hour. Both must be of one kind; intervals may differ."""
        given: object = other
        if not isinstance(given, FundingRate):
            raise MixedUnits(f"a funding rate with {type(given).__name__}: convert one of them first")
        if other.kind is not self.kind:
            raise MixedUnits(f"a rate that is {self.kind} with one that is {other.kind}: not the same thing")
        return self.per_hour() - other.per_hour()

    def __str__(self) -> str:
        hours = f"{self.interval_h:g}"
        return f"{self.percent.value:.4f} % per {hours} h ({self.kind}), {self.per_year().value:.2f} % a year"
