"""Large resting orders that stay: levels of the book far above the median size, in every snapshot of a span.

A book only reaches so far: 200 levels of a busy perpetual are a tenth of a percent. So the reach is told with
the walls; beyond it nothing is known, and no wall there does not mean that there is none.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from exchange_os.errors import InvalidArgument
from exchange_os.signals.market_data import PERPETUAL, MarketData
from exchange_os.signals.origin import Figure, Origin

FACTOR = 5.0
LASTING_MS = 600_000
FRESH_MS_MAX = 120_000


@dataclass(frozen=True, slots=True)
class Wall:
    side: str
    """`bid` or `ask`."""
    price: float
    base_qty: float
    """The least that was there over the span."""
    times_median: float
    """The least of its size over the median size of its side, over the snapshots."""


@dataclass(frozen=True, slots=True)
class Walls:
    bids: tuple[Wall, ...]
    """Nearest to the middle first."""
    asks: tuple[Wall, ...]
    snapshots: int
    reach_percent: float
    """How far from the middle the newest book reaches on the side that reaches less."""
    origin: Origin

    def figures(self) -> list[Figure]:
        note = f"in {self.snapshots} snapshots; the book reaches {self.reach_percent:.2f} %"
        found = []
        for name, walls in (("bid", self.bids), ("ask", self.asks)):
            for wall in walls[:1]:
                formula = f"{wall.base_qty:,.4g} coins, {wall.times_median:.1f} times the median of its side"
                found.append(Figure(f"walls.{name}", wall.price, "", formula, self.origin, note))
        return found


def walls(
    data: MarketData,
    *,
    symbol: str,
    venue: str,
    at_ms: int,
    factor: float = FACTOR,
    lasting_ms: int = LASTING_MS,
) -> Walls | None:
    """Levels of at least `factor` times the median size that were there for `lasting_ms`.

    None if the newest book is stale, or the snapshots do not reach back so far.
    """
    if factor <= 1 or lasting_ms < 0:
        raise InvalidArgument(f"a factor above 1 and a span from 0, not {factor} and {lasting_ms}")
    books = data.books.filter(
        pl.col("symbol") == symbol,
        pl.col("venue") == venue,
        pl.col("market") == PERPETUAL,
        pl.col("received_ms") <= at_ms,
    )
    times = books["venue_ms"].unique().sort().to_list()
    if not times or at_ms - times[-1] > FRESH_MS_MAX:
        return None
    before = [time for time in times if time <= times[-1] - lasting_ms]
    if not before:
        return None
    span = books.filter(pl.col("venue_ms") >= before[-1])
    snapshots = span["venue_ms"].n_unique()
    times_median = pl.col("base_qty") / pl.col("base_qty").median().over("venue_ms", "side")
    found = (
        span.with_columns(times_median.alias("times_median"))
        .filter(pl.col("times_median") >= factor)
        .group_by("side", "price")
        .agg(pl.col("base_qty").min(), pl.col("times_median").min(), pl.col("venue_ms").n_unique())
        .filter(pl.col("venue_ms") == snapshots)
        .sort("price")
    )
    newest = books.filter(pl.col("venue_ms") == times[-1])
    reach = _reach_percent(newest)
    if reach is None:
        return None
    made = [Wall(side, price, qty, times_) for side, price, qty, times_, _ in found.iter_rows()]
    return Walls(
        bids=tuple(wall for wall in reversed(made) if wall.side == "bid"),
        asks=tuple(wall for wall in made if wall.side == "ask"),
        snapshots=snapshots,
        reach_percent=reach,
        origin=Origin.of_row(newest.row(0, named=True)),
    )


def _reach_percent(book: pl.DataFrame) -> float | None:
    """None if a side is empty or the book is crossed."""
    bids, asks = (book.filter(pl.col("side") == side)["price"].to_numpy() for side in ("bid", "ask"))
    if not len(bids) or not len(asks) or bids.max() >= asks.min():
        return None
    middle = float(bids.max() + asks.min()) / 2
    return 100 * min(middle - float(bids.min()), float(asks.max()) - middle) / middle
