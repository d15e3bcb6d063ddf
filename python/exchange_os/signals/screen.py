"""All perpetuals at one time, ranked by divergence and by net carry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from exchange_os.signals.carry import basis_trade
from exchange_os.signals.cleaning import clean
from exchange_os.signals.divergence import DivergenceSettings, Rating, funding_divergence
from exchange_os.signals.market_data import TABLES, MarketData, empty
from exchange_os.signals.quotes import kind_at


@dataclass(frozen=True, slots=True)
class Screened:
    """One symbol; None where it could not be computed."""

    symbol: str
    rating: Rating
    long_venue: str | None
    short_venue: str | None
    spread_per_year: float | None
    """Percent, simple."""
    percentile: float | None
    net_bps: float | None
    """Of the divergence over its holding time, after four fills."""
    carry_venue: str | None
    carry_net_bps: float | None
    """The best basis trade over seven days, after four fills."""
    actionable: bool

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def split_by_symbol(data: MarketData) -> dict[str, MarketData]:
    """The same rows, a symbol each; one pass over the tables."""
    parts: dict[str, dict[str, pl.DataFrame]] = {}
    for table, frame in data.items():
        for (symbol,), part in frame.partition_by("symbol", as_dict=True, maintain_order=True).items():
            parts.setdefault(str(symbol), {})[table] = part
    return {
        symbol: MarketData(**{table: tables.get(table, empty(table)) for table in TABLES})
        for symbol, tables in sorted(parts.items())
    }


def screen(data: MarketData, *, at_ms: int, settings: DivergenceSettings | None = None) -> list[Screened]:
    """Every symbol that has funding. Widest trusted spread first, quarantined and unrated symbols last.

    Without settings each symbol is compared by running estimates where a venue has a fresh one, else by what
    was settled.
    """
    known, _ = clean(data, at_ms)
    found = [
        _one(part, symbol, at_ms, settings)
        for symbol, part in split_by_symbol(known).items()
        if not part.funding.is_empty()
    ]
    last = {Rating.QUARANTINED, Rating.UNKNOWN}
    return sorted(found, key=lambda row: (row.rating in last, -(row.spread_per_year or 0.0), row.symbol))


def _one(data: MarketData, symbol: str, at_ms: int, given: DivergenceSettings | None) -> Screened:
    settings = given or DivergenceSettings(kind=kind_at(data, symbol, at_ms))
    divergence = funding_divergence(data, symbol=symbol, at_ms=at_ms, settings=settings)
    best: tuple[float, str] | None = None
    for quote in divergence.quotes:
        if not quote.trusted:
            continue
        trade = basis_trade(quote, at_ms=at_ms, costs=settings.costs)
        if trade is not None:
            week = next(carry.net.value for carry in trade.horizons if carry.label == "7d")
            best = max(best or (week, quote.venue), (week, quote.venue))
    return Screened(
        symbol=symbol,
        rating=divergence.rating,
        long_venue=divergence.long_venue,
        short_venue=divergence.short_venue,
        spread_per_year=None if divergence.spread is None else divergence.spread.per_year().value,
        percentile=divergence.percentile,
        net_bps=None if divergence.net is None else divergence.net.value,
        carry_venue=best[1] if best else None,
        carry_net_bps=best[0] if best else None,
        actionable=divergence.actionable,
    )
