"""The funding that each venue quotes now, with its freshness and the guard's verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from exchange_os.signals.basis import Basis, latest_basis
from exchange_os.signals.guard import GuardVerdict, check_funding
from exchange_os.signals.market_data import MarketData
from exchange_os.signals.origin import Figure, Origin
from exchange_os.signals.rates import BasisPoints, FundingKind, FundingRate

FRESH_MS_MAX = 120_000
CONFIRMED_WITHIN = 0.1
"""A second source confirms a rate that it gives within 10 %."""


@dataclass(frozen=True, slots=True)
class VenueFunding:
    """One venue's newest rate of one kind."""

    venue: str
    rate: FundingRate
    origin: Origin
    next_funding_ms: int | None
    fresh_ms_max: int
    fresh: bool
    basis: Basis | None
    guard: GuardVerdict | None
    """None: there was neither a basis nor the venue's own premium to compare with."""
    confirmed_by: str | None
    """Another source that gives the same rate."""

    @property
    def trusted(self) -> bool:
        """Fresh, and either consistent with its premium or confirmed by a second source.

        Without a basis to check it a rate is trusted, and the report says that it was not checked.
        """
        consistent = self.guard is None or self.guard.passed or self.confirmed_by is not None
        return self.fresh and consistent

    def figures(self) -> list[Figure]:
        name = f"funding.{self.venue}"
        kind, hours = self.rate.kind, f"{self.rate.interval_h:g}"
        note = ""
        if not self.fresh:
            note = "stale"
        elif self.guard is None:
            note = "not checked: no basis"
        elif not self.guard.passed:
            note = f"{self.guard.reason}: {self.guard.gap.value:.1f} bps from what the basis allows"
            note += f"; confirmed by {self.confirmed_by}" if self.confirmed_by else "; quarantined"
        return [
            Figure(
                f"{name}.rate",
                self.rate.percent.value,
                f"% per {hours} h",
                str(kind),
                self.origin,
                note,
                self.trusted,
            ),
            Figure(
                f"{name}.per_year",
                self.rate.per_year().value,
                "% a year",
                f"rate x 8760 h / {hours} h, simple",
                self.origin,
                note,
                self.trusted,
            ),
        ]


def venue_funding(
    data: MarketData,
    *,
    symbol: str,
    at_ms: int,
    kind: FundingKind,
    fresh_ms_max: int = FRESH_MS_MAX,
) -> list[VenueFunding]:
    """The newest rate of this kind on every venue, in order of venue.

    A settled rate stays fresh for its interval and `fresh_ms_max` on top: until the next one must be there.
    """
    known = data.funding.filter(
        pl.col("symbol") == symbol,
        pl.col("kind") == kind.value,
        pl.col("received_ms") <= at_ms,
        pl.col("venue_ms") <= at_ms,
        pl.col("interval_s") > 0,
        pl.col("rate").is_finite(),
    ).sort("venue", "source", "venue_ms", maintain_order=True)
    newest = known.unique(["venue", "source"], keep="last", maintain_order=True)
    found = []
    for venue in newest["venue"].unique(maintain_order=True).to_list():
        sources = newest.filter(pl.col("venue") == venue).sort("venue_ms", "source").rows(named=True)
        found.append(_one(data, sources, symbol, at_ms, kind, fresh_ms_max))
    return found


def kind_at(data: MarketData, symbol: str, at_ms: int) -> FundingKind:
    """Running estimates if a venue has a fresh one, else what was settled: never both at once."""
    quotes = venue_funding(data, symbol=symbol, at_ms=at_ms, kind=FundingKind.ESTIMATED)
    return FundingKind.ESTIMATED if any(quote.fresh for quote in quotes) else FundingKind.SETTLED


def _one(
    data: MarketData,
    sources: list[dict[str, Any]],
    symbol: str,
    at_ms: int,
    kind: FundingKind,
    fresh_ms_max: int,
) -> VenueFunding:
    row = sources[-1]
    rate = FundingRate(fraction=row["rate"], interval_s=row["interval_s"], kind=kind)
    allowed_ms = fresh_ms_max + (row["interval_s"] * 1_000 if kind is FundingKind.SETTLED else 0)
    basis = latest_basis(data, row["venue"], symbol, at_ms, allowed_ms)
    measured = basis.bps if basis is not None else None
    if measured is None and row["premium"] is not None:
        measured = BasisPoints.of_fraction(row["premium"])  # the venue's own mean premium
    guard = None
    if measured is not None:
        guard = check_funding(rate, measured, cap=row["cap"], floor=row["floor"])
    return VenueFunding(
        venue=row["venue"],
        rate=rate,
        origin=Origin.of_row(row),
        next_funding_ms=row["next_funding_ms"],
        fresh_ms_max=allowed_ms,
        fresh=at_ms - row["venue_ms"] <= allowed_ms,
        basis=basis,
        guard=guard,
        confirmed_by=_confirmed_by(rate, sources[:-1], at_ms - allowed_ms),
    )


def _confirmed_by(rate: FundingRate, others: list[dict[str, Any]], since_ms: int) -> str | None:
    """The first other source, fresh, whose rate an hour is within 10 %."""
    for row in others:
        theirs = row["rate"] / row["interval_s"]
        ours = rate.fraction / rate.interval_s
        if row["venue_ms"] >= since_ms and abs(theirs - ours) <= CONFIRMED_WITHIN * abs(ours):
            return str(row["source"])
    return None
