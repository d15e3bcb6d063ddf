"""One idea: signals need nothing but polars frames, and say what was known at a time, not what came later."""

import numpy as np
import polars as pl

from exchange_os.signals.bars import bars_of
from exchange_os.signals.levels import levels
from exchange_os.signals.market_data import MarketData
from exchange_os.signals.regime import regime, volatility

HOUR_MS = 3_600_000
draws = np.random.default_rng(7)
close = 2_000 * np.exp(np.cumsum(draws.normal(0, 0.006, 24 * 100)))
opened = np.concatenate([close[:1], close[:-1]])
closed_ms = 1_764_547_200_000 + HOUR_MS * np.arange(1, len(close) + 1)

data = MarketData(
    candles=pl.DataFrame(
        {
            "venue": "mine",
            "symbol": "ETH/USDT",
            "venue_ms": closed_ms,
            "received_ms": closed_ms,
            "source": "made up, seed 7",
            "market": "perpetual",
            "interval_s": 3_600,
            "open": opened,
            "high": np.maximum(opened, close) * 1.001,
            "low": np.minimum(opened, close) * 0.999,
            "close": close,
            "base_volume": 1.0,
        }
    )
)
at_ms = int(closed_ms[-200])
bars = bars_of(data, symbol="ETH/USDT", at_ms=at_ms, venue="mine", interval_s=3_600)
assert len(bars) == len(close) - 199

found = levels(bars)
assert found is not None
for result in (regime(bars), volatility(bars), found):
    for figure in result.figures():
        print(f"{figure.id:28} {figure.text():16} {figure.note}")

# It is a random walk: its levels must not claim to be better than random ones.
print("levels better than random:", found.better_than_random)
assert not found.better_than_random
assert (
    levels(bars_of(data.as_of(at_ms), symbol="ETH/USDT", at_ms=at_ms, venue="mine", interval_s=3_600))
    == found
)
