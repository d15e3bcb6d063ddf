"""Where positions would be liquidated: an estimate from open interest, or exact where positions are known.

Open interest that grows creates a long and a short of the same size, at the prices of that bar, spread over
assumed leverages; that falls takes from all in proportion; a bar that trades through a level takes it away.
Sizes are relative: a recorded study found that such a map adds nothing to a forecast, so no bias reads it. It
says its coverage and its band, and that it is an estimate. Reference shape: public open-interest heat maps,
which book growth on one side only; every contract has both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from exchange_os.errors import InvalidArgument
from exchange_os.signals.bars import Bars, Floats
from exchange_os.signals.liquidation_price import Tier, isolated
from exchange_os.signals.market_data import HOUR_MS, MarketData
from exchange_os.signals.origin import Figure, Origin

MODEL = "oi-growth-1"
LEVERAGES: tuple[tuple[float, float], ...] = ((5, 0.15), (10, 0.30), (25, 0.25), (50, 0.20), (100, 0.10))
"""Leverage and its assumed share of what is opened."""
TYPICAL_NOTIONAL = 10_000.0
BIN = 0.001
"""Width of a level: a tenth of a percent of the price."""


@dataclass(frozen=True)
class LiquidationMap:
    """Coins that would be liquidated at each level, longs below the price and shorts above it."""

    price: float
    levels: Floats
    """The middle of each level, rising."""
    long_qty: Floats
    short_qty: Floats
    open_interest: float
    model: str
    """`oi-growth-1`, or `exact` where the positions are known."""
    band_percent: float
    origin: Origin
    tiers: str = ""
    """Whose maintenance tiers the estimate reads."""

    @property
    def long_coverage(self) -> float:
        """The part of the open longs that the map places, 0 to 1."""
        return float(self.long_qty.sum()) / self.open_interest

    @property
    def short_coverage(self) -> float:
        return float(self.short_qty.sum()) / self.open_interest

    def in_band(self) -> tuple[float, float]:
        """Longs and shorts within the band around the price, in quote currency."""
        near = np.abs(self.levels / self.price - 1) <= self.band_percent / 100
        longs = float((self.long_qty * self.levels)[near].sum())
        return longs, float((self.short_qty * self.levels)[near].sum())

    def figures(self) -> list[Figure]:
        longs, shorts = self.in_band()
        total = longs + shorts
        note = (
            "exact"
            if self.model == "exact"
            else f"estimate, model {self.model}{self.tiers}; sizes are relative"
        )
        formula = f"levels within {self.band_percent:g} % of {self.price:,.2f}"
        found = [
            Figure("liquidation.longs", longs / 1e6, "M quote", formula, self.origin, note),
            Figure("liquidation.shorts", shorts / 1e6, "M quote", formula, self.origin, note),
            Figure(
                "liquidation.coverage",
                100 * min(self.long_coverage, self.short_coverage),
                "% of open interest",
                "placed / one side's open interest",
                self.origin,
            ),
        ]
        if total > 0:
            skew = (longs - shorts) / total
            found.append(Figure("liquidation.skew", skew, "", "(longs - shorts) / both", self.origin, note))
        return found


def skew(longs: float, shorts: float) -> float:
    """(L - S) / (L + S): above 0 more longs than shorts would be liquidated."""
    if longs < 0 or shorts < 0 or longs + shorts == 0:
        raise InvalidArgument(f"two amounts from 0, not both 0: {longs} and {shorts}")
    return (longs - shorts) / (longs + shorts)


class _Levels:
    """Quantities by level of the logarithm of the price, one array a side."""

    def __init__(self, low: float, high: float) -> None:
        self.first = math.floor(math.log(low) / BIN) - 1
        size = math.ceil(math.log(high) / BIN) + 2 - self.first
        self.prices = np.exp((np.arange(size) + self.first + 0.5) * BIN)
        self.long, self.short = np.zeros(size), np.zeros(size)

    def add(self, side: Floats, price: float, qty: float) -> None:
        side[math.floor(math.log(price) / BIN) - self.first] += qty

    def consume(self, low: float, high: float) -> None:
        """What a bar touches is gone: longs from its low up, shorts from its high down."""
        self.long[math.floor(math.log(low) / BIN) - self.first :] = 0.0
        self.short[: math.floor(math.log(high) / BIN) - self.first + 1] = 0.0

    def scale(self, factor: float) -> None:
        self.long *= factor
        self.short *= factor


def liquidation_map(
    bars: Bars,
    open_interest: pl.DataFrame,
    *,
    tiers: Sequence[Tier],
    leverages: Sequence[tuple[float, float]] = LEVERAGES,
    half_life_days: float = 14.0,
    band_percent: float = 10.0,
    tiers_told: str = "",
) -> LiquidationMap | None:
    """The estimate at the last bar.

    `open_interest` has the columns `venue_ms` and `base_qty` (one side, in coins: in money its growth would
    contain the price's). A bar takes the newest observation up to its close, if there is one since the bar
    before. None without two observations.
    """
    _check(leverages, half_life_days)
    interest = _interest_at(bars, open_interest)
    if int(np.isfinite(interest).sum()) < 2:
        return None
    shifts = [(share, *_shifts(leverage, tiers)) for leverage, share in leverages]
    spread = [ratio for _, low, high in shifts for ratio in (low, high)]
    levels = _Levels(float(bars.low.min()) * min(spread), float(bars.high.max()) * max(spread))
    kept = 0.5 ** (bars.interval_s / 86_400 / half_life_days)
    before = math.nan
    for place in range(len(bars)):
        levels.consume(float(bars.low[place]), float(bars.high[place]))
        levels.scale(kept)
        now = float(interest[place])
        if math.isnan(now):
            continue
        if now > before:
            entry = float(bars.high[place] + bars.low[place] + bars.close[place]) / 3
            _open(levels, shifts, entry, float(bars.close[place]), now - before)
        elif now < before:
            levels.scale(now / before)
        before = now
    used = (levels.long > 0) | (levels.short > 0)
    return LiquidationMap(
        price=float(bars.close[-1]),
        levels=levels.prices[used],
        long_qty=levels.long[used],
        short_qty=levels.short[used],
        open_interest=before,
        model=MODEL,
        band_percent=band_percent,
        origin=bars.origin,
        tiers=tiers_told,
    )


def _shifts(leverage: float, tiers: Sequence[Tier]) -> tuple[float, float]:
    """Liquidation price over entry price, of a long and of a short."""
    long, short = (
        isolated(side=side, entry=1.0, leverage=leverage, notional=TYPICAL_NOTIONAL, tiers=tiers)
        for side in (1, -1)
    )
    return long, short


def _check(leverages: Sequence[tuple[float, float]], half_life_days: float) -> None:
    shares = sum(share for _, share in leverages)
    if not math.isclose(shares, 1.0, abs_tol=1e-9) or any(share < 0 for _, share in leverages):
        raise InvalidArgument(f"the shares of the leverages are from 0 and add up to 1, not {shares}")
    if not half_life_days > 0:
        raise InvalidArgument(f"a half-life is above 0, not {half_life_days}")


def _open(
    levels: _Levels, shifts: Sequence[tuple[float, float, float]], entry: float, close: float, qty: float
) -> None:
    """Both sides of what was opened; what the bar itself would have liquidated by its close is not booked."""
    here = math.floor(math.log(close) / BIN)
    for share, low, high in shifts:
        if math.floor(math.log(entry * low) / BIN) < here:
            levels.add(levels.long, entry * low, share * qty)
        if math.floor(math.log(entry * high) / BIN) > here:
            levels.add(levels.short, entry * high, share * qty)


def _interest_at(bars: Bars, open_interest: pl.DataFrame) -> Floats:
    """One side's open interest at the close of each bar, NaN where none was observed since the bar before."""
    rows = open_interest.filter(pl.col("venue_ms") <= int(bars.close_ms[-1]) if len(bars) else pl.lit(False))
    times, values = (rows.sort("venue_ms")[name].to_numpy() for name in ("venue_ms", "base_qty"))
    place = np.searchsorted(times, bars.close_ms, side="right") - 1
    out = np.full(len(bars), np.nan)
    some = place >= 0
    since = bars.close_ms[some] - times[place[some]]
    fresh = since < bars.interval_s * 1_000
    out[np.flatnonzero(some)[fresh]] = values[place[some]][fresh]
    return out


def exact_liquidation_map(
    positions: pl.DataFrame, *, price: float, origin: Origin, band_percent: float = 10.0
) -> LiquidationMap:
    """From all positions: columns `position` (long or short), `base_qty`, `liquidation_price` (null: never).

    Refuses sides that do not add up: every contract has a long and a short.
    """
    longs, shorts = (positions.filter(pl.col("position") == side) for side in ("long", "short"))
    open_interest = float(longs["base_qty"].sum())
    if not math.isclose(open_interest, float(shorts["base_qty"].sum()), rel_tol=1e-9) or open_interest <= 0:
        raise InvalidArgument("the longs and the shorts of a market are equal and above 0")
    placed = positions.filter(pl.col("liquidation_price").is_not_null()).sort("liquidation_price")
    levels = placed.group_by("liquidation_price", maintain_order=True).agg(
        pl.col("base_qty").filter(pl.col("position") == "long").sum().alias("long"),
        pl.col("base_qty").filter(pl.col("position") == "short").sum().alias("short"),
    )
    return LiquidationMap(
        price=price,
        levels=levels["liquidation_price"].to_numpy(),
        long_qty=levels["long"].to_numpy(),
        short_qty=levels["short"].to_numpy(),
        open_interest=open_interest,
        model="exact",
        band_percent=band_percent,
        origin=origin,
    )


def known_liquidation_map(
    data: MarketData, *, symbol: str, venue: str, at_ms: int, price: float
) -> LiquidationMap | None:
    """The exact map of a venue that tells its positions; None where it told none within an hour."""
    told = data.positions.filter(
        pl.col("symbol") == symbol,
        pl.col("venue") == venue,
        pl.col("received_ms").is_between(at_ms - HOUR_MS, at_ms),
    )
    newest = told.filter(pl.col("venue_ms") == pl.col("venue_ms").max())
    if newest.is_empty():
        return None
    return exact_liquidation_map(newest, price=price, origin=Origin.of_row(newest.row(0, named=True)))


def open_interest_of(data: MarketData, *, symbol: str, venue: str, at_ms: int) -> pl.DataFrame:
    """The observations of one venue that were known at a time."""
    return data.open_interest.filter(
        pl.col("symbol") == symbol,
        pl.col("venue") == venue,
        pl.col("received_ms") <= at_ms,
    ).sort("venue_ms")
