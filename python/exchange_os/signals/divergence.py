"""Funding divergence between venues: who pays most and least an hour, and how unusual that is.

Rated by the trailing percentile of the same spread, never by a constant, and only after the gates: fresh,
one kind, consistent with the premium, enough open interest, positive after costs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
import polars as pl

from exchange_os.signals.carry import Costs, expected_funding
from exchange_os.signals.market_data import DAY_MS, HOUR_MS, MarketData
from exchange_os.signals.origin import Figure, Origin
from exchange_os.signals.quotes import FRESH_MS_MAX, VenueFunding, venue_funding
from exchange_os.signals.rates import BasisPoints, FundingKind, PerHour

WINDOW_H = 8
MINUTE_MS = 60_000
SAME = 1e-12
"""Rates an hour nearer than this are the same rate: venues print eight digits per interval."""


class Rating(StrEnum):
    """By percentile: below the 75th normal, to the 95th elevated, to the 99th high, above it extreme."""

    NORMAL = "normal"
    ELEVATED = "elevated"
    HIGH = "high"
    EXTREME = "extreme"
    QUARANTINED = "quarantined"
    """A rate conflicts with its premium and no second source confirms it: nothing is said of the spread."""
    UNKNOWN = "unknown"
    """Too few venues, or too little history to compare with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DivergenceSettings:
    kind: FundingKind = FundingKind.ESTIMATED
    fresh_ms_max: int = FRESH_MS_MAX
    window_days: int = 90
    samples_min: int = 90
    holding_h: float = 168.0
    costs: Costs = Costs()  # noqa: RUF009 -- frozen
    notional_min: float = 0.0
    """Open interest times price that each leg needs, in quote currency; 0: not asked."""


@dataclass(frozen=True, slots=True)
class Gate:
    name: str
    passed: bool | None
    """None: there is no data to tell; it counts as not passed."""
    why: str


@dataclass(frozen=True, slots=True)
class FundingDivergence:
    """Long the venue that pays least an hour, short the one that pays most."""

    symbol: str
    at_ms: int
    kind: FundingKind
    quotes: tuple[VenueFunding, ...]
    rating: Rating
    long_venue: str | None
    short_venue: str | None
    spread: PerHour | None
    percentile: float | None
    """Share of trailing 8 h windows whose spread was smaller, 0 to 1."""
    samples: int
    net: BasisPoints | None
    """Over the holding time, after four fills, with the spread decaying as it did in the window."""
    half_life_h: float | None
    gates: tuple[Gate, ...]

    @property
    def actionable(self) -> bool:
        return self.rating in {Rating.HIGH, Rating.EXTREME} and all(gate.passed for gate in self.gates)

    def figures(self) -> list[Figure]:
        found = [figure for quote in self.quotes for figure in quote.figures()]
        if self.spread is None:
            return found
        legs = [quote for quote in self.quotes if quote.venue in {self.long_venue, self.short_venue}]
        origin = Origin.merge(quote.origin for quote in legs)
        formula = f"max - min of rate / interval; short {self.short_venue}, long {self.long_venue}"
        trusted = self.rating is not Rating.QUARANTINED

        def add(name: str, value: float | str, unit: str, formula: str, note: str = "") -> None:
            found.append(Figure(f"divergence.{name}", value, unit, formula, origin, note, trusted))

        add("spread", self.spread.over(8).value, "bps per 8 h", formula)
        add("spread_per_year", self.spread.per_year().value, "% a year", formula)
        if self.percentile is not None:
            counted = f"{self.samples} windows of 8 h"
            add(
                "percentile",
                100 * self.percentile,
                "%",
                "share of trailing windows with a smaller spread",
                counted,
            )
        if self.net is not None:
            decays = f"spread decaying, half-life {self.half_life_h:.0f} h, less four fills"
            add("net", self.net.value, "bps of notional", decays)
        found.append(Figure("divergence.rating", str(self.rating), "", "percentile and guard", origin))
        return found


def eight_hour_rates(funding: pl.DataFrame, symbol: str) -> pl.DataFrame:
    """Settled rates as one figure a venue and 8 h window, so that 1, 4 and 8 h venues compare.

    Columns: `end_ms`, `venue`, `per_hour`, `known_ms` (when the last of it was received). A window that a
    venue did not fill completely is left out.
    """
    minute = (pl.col("venue_ms") + MINUTE_MS // 2) // MINUTE_MS * MINUTE_MS  # settlements come some ms late
    step = WINDOW_H * HOUR_MS
    end = ((minute + step - 1) // step * step).alias("end_ms")
    return (
        funding.filter(pl.col("symbol") == symbol, pl.col("kind") == FundingKind.SETTLED.value)
        .unique(["venue", "venue_ms"], keep="last", maintain_order=True)
        .group_by(end, "venue")
        .agg(pl.col("rate").sum(), pl.col("interval_s").sum(), pl.col("received_ms").max().alias("known_ms"))
        .filter(pl.col("interval_s") == WINDOW_H * 3_600)
        .select("end_ms", "venue", (pl.col("rate") / WINDOW_H).alias("per_hour"), "known_ms")
        .sort("end_ms", "venue")
    )


def spread_history(funding: pl.DataFrame, symbol: str, venues: list[str]) -> pl.DataFrame:
    """Max - min over these venues in each 8 h window that all of them have: `end_ms`, `spread` per hour."""
    return _spreads(eight_hour_rates(funding, symbol), venues)


def _spreads(rates: pl.DataFrame, venues: list[str]) -> pl.DataFrame:
    return (
        rates.filter(pl.col("venue").is_in(venues))
        .group_by("end_ms")
        .agg((pl.col("per_hour").max() - pl.col("per_hour").min()).alias("spread"), pl.len())
        .filter(pl.col("len") == len(set(venues)))
        .select("end_ms", "spread")
        .sort("end_ms")
    )


def rate_percentile(percentile: float) -> Rating:
    for bound, rating in ((0.75, Rating.NORMAL), (0.95, Rating.ELEVATED), (0.99, Rating.HIGH)):
        if percentile < bound:
            return rating
    return Rating.EXTREME


def funding_divergence(
    data: MarketData, *, symbol: str, at_ms: int, settings: DivergenceSettings | None = None
) -> FundingDivergence:
    """The divergence of one symbol over all venues whose rate is fresh."""
    settings = settings or DivergenceSettings()
    data = _within_window(data, symbol, at_ms, settings)
    quotes = venue_funding(
        data, symbol=symbol, at_ms=at_ms, kind=settings.kind, fresh_ms_max=settings.fresh_ms_max
    )
    fresh = sorted((quote for quote in quotes if quote.fresh), key=lambda quote: quote.rate.per_hour().value)
    gates = [
        Gate("two_fresh_venues", len(fresh) >= 2, f"{len(fresh)} of {len(quotes)} venues are fresh"),
    ]
    if len(fresh) < 2:
        nothing = (None, None, None, None, 0, None, None)
        return FundingDivergence(
            symbol, at_ms, settings.kind, tuple(quotes), Rating.UNKNOWN, *nothing, tuple(gates)
        )
    low, high = fresh[0], fresh[-1]
    spread = high.rate.spread_to(low.rate)
    rates = eight_hour_rates(data.funding, symbol)
    history = _spreads(rates, [quote.venue for quote in fresh])
    history = history.filter(pl.col("end_ms") <= at_ms - WINDOW_H * HOUR_MS)  # not the present itself
    enough = history.height >= settings.samples_min
    smaller = (history["spread"] < spread.value - SAME).to_numpy()
    percentile = float(smaller.mean()) if enough else None
    half_life_h = _half_life_h(rates, high.venue, low.venue, settings.samples_min)
    earned = expected_funding(spread, PerHour(0.0), settings.holding_h, half_life_h)
    net = earned - settings.costs.four_fills()
    gates += [_guard_gate(low, high), _interest_gate(data, symbol, at_ms, low, high, settings)]
    why = f"{net.value:.2f} bps over {settings.holding_h:g} h after four fills"
    gates.append(Gate("net_of_costs", net.value > 0, why))
    rating = Rating.UNKNOWN if percentile is None else rate_percentile(percentile)
    if not (low.trusted and high.trusted):
        rating = Rating.QUARANTINED
    return FundingDivergence(
        symbol, at_ms, settings.kind, tuple(quotes), rating, low.venue, high.venue, spread, percentile,
        history.height, net, half_life_h, tuple(gates),
    )  # fmt: skip


def _guard_gate(low: VenueFunding, high: VenueFunding) -> Gate:
    conflicts = [quote for quote in (low, high) if not quote.trusted]
    if conflicts:
        told = ", ".join(f"{quote.venue} {quote.guard.reason}" for quote in conflicts if quote.guard)
        return Gate("guard", False, told)
    unchecked = [quote.venue for quote in (low, high) if quote.guard is None]
    if unchecked:
        return Gate("guard", None, f"no basis to check {', '.join(unchecked)} with")
    return Gate("guard", True, "both rates agree with their premium")


def _interest_gate(
    data: MarketData,
    symbol: str,
    at_ms: int,
    low: VenueFunding,
    high: VenueFunding,
    settings: DivergenceSettings,
) -> Gate:
    if settings.notional_min <= 0:
        return Gate("open_interest", True, "no floor was asked for")
    small = []
    for quote in (low, high):
        rows = data.open_interest.filter(
            pl.col("venue") == quote.venue, pl.col("symbol") == symbol, pl.col("received_ms") <= at_ms
        ).sort("venue_ms")
        if rows.is_empty() or quote.basis is None:
            return Gate("open_interest", None, f"{quote.venue} does not tell its open interest")
        if rows["base_qty"][-1] * quote.basis.perpetual < settings.notional_min:
            small.append(quote.venue)
    return Gate("open_interest", not small, f"below the floor: {', '.join(small)}" if small else "enough")


def _within_window(data: MarketData, symbol: str, at_ms: int, settings: DivergenceSettings) -> MarketData:
    """What was known of the symbol, its funding no older than the trailing window."""
    since_ms = at_ms - settings.window_days * DAY_MS
    recent = data.funding.filter(
        pl.col("symbol") == symbol, pl.col("received_ms") <= at_ms, pl.col("venue_ms") > since_ms
    )
    return replace(data, funding=recent)


def _half_life_h(rates: pl.DataFrame, high: str, low: str, samples_min: int) -> float:
    """From the lag-1 autocorrelation a of the signed difference of the two venues: ln 2 / -ln a windows.

    One window at least; without history a week.
    """
    of = {venue: rates.filter(pl.col("venue") == venue) for venue in (high, low)}
    joined = of[high].join(of[low], on="end_ms", maintain_order="left")
    if joined.height < samples_min:
        return 168.0
    difference: Any = (joined["per_hour"] - joined["per_hour_right"]).to_numpy()
    if np.ptp(difference[1:]) == 0 or np.ptp(difference[:-1]) == 0:
        return 168.0
    correlation = float(np.corrcoef(difference[:-1], difference[1:])[0, 1])
    if correlation <= 0:
        return float(WINDOW_H)
    if correlation >= 1:
        return 168.0
    return max(float(WINDOW_H), math.log(2) / -math.log(correlation) * WINDOW_H)
