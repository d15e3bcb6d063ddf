"""What a position that earns funding keeps: expected funding over a horizon, convergence, four fills.

    carry_bps(H) = sum of expected funding + entry basis - expected exit basis - costs      (short perpetual)

Funding is not expected to stay where it is: it decays towards its mean with a half-life (an AR(1) process).
A trade is called actionable only when its net carry is above zero at a horizon, which is the no-arbitrage
bound with trading costs (He, Manela, Ross, von Wachter: Fundamentals of Perpetual Futures, arXiv 2212.06888).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from exchange_os.errors import InvalidArgument
from exchange_os.signals.basis import Basis
from exchange_os.signals.clock import next_funding
from exchange_os.signals.market_data import HOUR_MS
from exchange_os.signals.origin import Figure, Origin
from exchange_os.signals.quotes import VenueFunding
from exchange_os.signals.rates import BasisPoints, FundingRate, PerHour, PerYear

HORIZON_DAYS = (7, 30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Of a two-legged trade, in bps of one leg's notional."""

    fee_per_fill: BasisPoints = BasisPoints(5.0)  # noqa: RUF009 -- frozen
    slippage_per_fill: BasisPoints = BasisPoints(1.0)  # noqa: RUF009 -- frozen
    borrow: PerYear = PerYear(0.0)  # noqa: RUF009 -- frozen
    """Of what is sold short on spot; only a short spot leg pays it."""

    def four_fills(self) -> BasisPoints:
        """Two legs, in and out."""
        return 4 * (self.fee_per_fill + self.slippage_per_fill)


def expected_funding(now: PerHour, mean: PerHour, hours: float, half_life_h: float) -> BasisPoints:
    """The sum over the next hours of a rate that decays from now to its mean with this half-life.

    mean * H + (now - mean) * (1 - exp(-k H)) / k with k = ln 2 / half-life; an infinite half-life keeps the
    rate as it is.
    """
    if hours < 0 or not half_life_h > 0:
        raise InvalidArgument(f"hours from 0, a half-life above 0, not {hours} and {half_life_h}")
    decay = math.log(2) / half_life_h
    effective_h = hours if decay == 0 else -math.expm1(-decay * hours) / decay
    return mean.over(hours) + (now - mean).over(effective_h)


def breakeven_intervals(rate: FundingRate, costs: BasisPoints, entry_basis: BasisPoints) -> float | None:
    """Payments until costs are earned back, for the side that receives; None: it never is.

    The receiver of a positive rate is short the perpetual and gains the entry basis when it converges to 0;
    of a negative one it is long and loses it.
    """
    if rate.fraction == 0:
        return None
    side = 1.0 if rate.fraction > 0 else -1.0
    owed = costs - side * entry_basis
    return max(owed.value, 0.0) / abs(rate.bps.value)


@dataclass(frozen=True, slots=True)
class Carry:
    """Over one horizon, in bps of one leg's notional."""

    label: str
    hours: float
    funding: BasisPoints
    convergence: BasisPoints
    costs: BasisPoints
    net: BasisPoints
    net_per_year: PerYear


@dataclass(frozen=True, slots=True)
class BasisTrade:
    """Long spot and short perpetual where funding is positive, the other way round where it is negative."""

    venue: str
    short_perpetual: bool
    basis: Basis
    rate: FundingRate
    rate_origin: Origin
    horizons: tuple[Carry, ...]
    breakeven_intervals: float | None
    breakeven_days: float | None
    trusted: bool
    """As the rate."""
    actionable: bool

    def figures(self) -> list[Figure]:
        origin = Origin.merge([self.basis.origin, self.rate_origin])
        name = f"carry.{self.venue}"
        found = [self.basis.figure(f"{name}.basis")]

        def add(
            what: str, value: float | None, unit: str, formula: str, made_of: Origin, note: str = ""
        ) -> None:
            found.append(Figure(f"{name}.{what}", value, unit, formula, made_of, note, self.trusted))

        simple = f"rate x 8760 h / {self.rate.interval_h:g} h, simple"
        add("funding_per_year", self.rate.per_year().value, "% a year", simple, self.rate_origin)
        for carry in self.horizons:
            formula = f"funding {carry.funding.value:.2f} + convergence {carry.convergence.value:.2f}"
            formula += f" - costs {carry.costs.value:.2f} bps"
            add(f"net_{carry.label}", carry.net.value, "bps of notional", formula, origin)
        note = "" if self.breakeven_intervals is not None else "costs are never earned back at this rate"
        formula = "(four fills - convergence) / |rate|, at a rate that stays"
        add("breakeven", self.breakeven_intervals, "payments", formula, origin, note)
        return found


def basis_trade(
    funding: VenueFunding,
    *,
    at_ms: int,
    costs: Costs | None = None,
    half_life_h: float = 72.0,
    mean: PerHour | None = None,
) -> BasisTrade | None:
    """The trade on one venue; None if there is no basis as fresh as the rate.

    The exit basis is expected at 0: a perpetual returns to its index.
    """
    costs = costs or Costs()
    basis = funding.basis
    if basis is None:
        return None
    rate, short = funding.rate, funding.rate.fraction >= 0
    side = 1.0 if short else -1.0
    to_next_h = (next_funding(funding, at_ms) - at_ms) / HOUR_MS
    horizons = []
    for label, hours in (("next", to_next_h), *((f"{days}d", 24.0 * days) for days in HORIZON_DAYS)):
        if label == "next":
            earned = rate.bps  # one payment, at the rate that stands
        else:
            earned = expected_funding(rate.per_hour(), mean or PerHour(0.0), hours, half_life_h)
        borrow = BasisPoints(0.0) if short else BasisPoints(costs.borrow.bps_a_year * hours / 8_760)
        paid = costs.four_fills() + borrow
        convergence = side * basis.bps
        net = side * earned + convergence - paid
        per_year = PerYear(net.value / 100 * 8_760 / hours) if hours > 0 else PerYear(0.0)
        horizons.append(Carry(label, hours, side * earned, convergence, paid, net, per_year))
    needed = breakeven_intervals(rate, costs.four_fills(), basis.bps)
    return BasisTrade(
        venue=funding.venue,
        short_perpetual=short,
        basis=basis,
        rate=rate,
        rate_origin=funding.origin,
        horizons=tuple(horizons),
        breakeven_intervals=needed,
        breakeven_days=None if needed is None else needed * rate.interval_h / 24,
        trusted=funding.trusted,
        actionable=funding.trusted and any(carry.net.value > 0 for carry in horizons),
    )
