"""How long signals take on made-up markets: a report, a screen of all perpetuals, a replay of years."""

from __future__ import annotations

import resource
import time
from pathlib import Path
from statistics import median
from typing import Any

import polars as pl

from exchange_os.signals.divergence import DivergenceSettings, funding_divergence
from exchange_os.signals.made_up import PRICES, made_up
from exchange_os.signals.market_data import DAY_MS, HOUR_MS, MarketData
from exchange_os.signals.rates import FundingKind
from exchange_os.signals.recording import Recorder, Recording
from exchange_os.signals.report import make_report
from exchange_os.signals.screen import screen

VENUES = ("binance", "bybit", "gate", "hyperliquid", "okx")
SYMBOL = "ETH/USDT"
_DAYS = 90
_RUNS = 5
_YEARS = 4
_SCREENED_DAYS = 90


def measure(folder: Path, symbols: int, seed: int) -> dict[str, Any]:
    """Writes recordings into a folder and reads them back; times in seconds, medians of five where warm."""
    told: dict[str, Any] = {"seed": seed, "venues": len(VENUES)}
    told |= _report(seed)
    told |= _screen(folder / "screen", symbols, seed)
    told |= _replay(folder / "replay", seed)
    told["memory_mib_max"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return told


def _timed(work: Any) -> tuple[float, Any]:
    begun = time.perf_counter()
    found = work()
    return time.perf_counter() - begun, found


def _report(seed: int) -> dict[str, Any]:
    """One symbol over all venues with its benchmark, 90 days of hourly rows, every signal."""
    data = made_up(seed, _DAYS, VENUES)
    at_ms = data.last_ms()
    first_s, report = _timed(lambda: make_report(data, symbol=SYMBOL, at_ms=at_ms))
    signals = report.signals
    parts = (
        signals.trades,
        signals.regime,
        signals.strength,
        signals.levels,
        signals.liquidations,
        signals.bias,
    )
    if not all(parts):
        raise AssertionError("the report lacks a signal: its time would say nothing")
    runs = [_timed(lambda: make_report(data, symbol=SYMBOL, at_ms=at_ms))[0] for _ in range(_RUNS)]
    rows = sum(frame.height for _, frame in data.items())
    return {
        "report_rows": rows,
        "report_first_s": round(first_s, 3),
        "report_s": round(median(runs), 3),
        "report_figures": len(report.figures),
    }


def _screen(folder: Path, symbols: int, seed: int) -> dict[str, Any]:
    """All perpetuals on all venues from a recording: read, cleaned, ranked."""
    names = {f"C{place:03d}/USDT": 10.0 * (1 + place) for place in range(symbols)}
    data = made_up(seed, _SCREENED_DAYS, VENUES, names)
    kept_ms = data.last_ms() - DAY_MS
    funding = data.funding.filter((pl.col("kind") == "settled") | (pl.col("venue_ms") > kept_ms))
    prices = data.prices.filter(pl.col("venue_ms") > kept_ms)
    rows = Recorder(folder).append(MarketData(funding=funding, prices=prices))
    read_s, known = _timed(lambda: Recording.open(folder).read())
    runs = [_timed(lambda: screen(known, at_ms=known.last_ms()))[0] for _ in range(_RUNS)]
    ranked = screen(known, at_ms=known.last_ms())
    if len(ranked) != symbols:
        raise AssertionError(f"{symbols} symbols were recorded, {len(ranked)} are ranked")
    return {
        "screen_symbols": symbols,
        "screen_rows": rows,
        "screen_read_s": round(read_s, 3),
        "screen_s": round(median(runs), 3),
    }


def _replay(folder: Path, seed: int) -> dict[str, Any]:
    """Funding of four years, stepped through day by day; at each step what was known then is rated."""
    data = made_up(seed, 365 * _YEARS, ("binance", "hyperliquid"), PRICES)
    settled = data.funding.filter(pl.col("kind") == FundingKind.SETTLED)
    rows = Recorder(folder).append(MarketData(funding=settled))
    recording, settings = Recording.open(folder), DivergenceSettings(kind=FundingKind.SETTLED)

    def rated() -> int:
        last_ms = settled["venue_ms"].max()
        steps = 0
        assert isinstance(last_ms, int)
        for at_ms, known in recording.replay(
            step_ms=DAY_MS, from_ms=last_ms - 365 * _YEARS * DAY_MS + HOUR_MS, to_ms=last_ms
        ):
            for symbol in PRICES:
                funding_divergence(known, symbol=symbol, at_ms=at_ms, settings=settings)
            steps += 1
        return steps

    elapsed_s, steps = _timed(rated)
    return {"replay_rows": rows, "replay_steps": steps, "replay_s": round(elapsed_s, 2)}
