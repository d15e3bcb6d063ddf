"""Ranging or trending, with hysteresis; volatility by trailing percentile.

ADX is Wilder's (New Concepts in Technical Trading Systems, 1978). Above 25 a market trends, below 20 it
ranges, in between it stays what it was. Variance ratio and efficiency ratio are printed beside it as second
votes: on hourly ETH all of them are close to a random walk, so a label is a description and no forecast.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from exchange_os.signals.bars import Bars, Floats, true_range, wilder
from exchange_os.signals.origin import Figure

TREND_ABOVE, RANGE_BELOW = 25.0, 20.0
ADX_LENGTH = 14
YEAR_DAYS = 365


class RegimeName(StrEnum):
    RANGING = "ranging"
    TRENDING = "trending"
    UNKNOWN = "unknown"


class VolatilityClass(StrEnum):
    """By percentile of the trailing window: below 33 low, below 67 medium, below 90 high, else extreme."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    EXTREME = "extreme"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Regime:
    name: RegimeName
    up: bool | None
    """Whether +DI is above -DI; only says something while the market trends."""
    adx: float | None
    since_bars: int
    variance_ratio: float | None
    efficiency_ratio: float | None
    figures_: tuple[Figure, ...]

    def figures(self) -> list[Figure]:
        return list(self.figures_)


@dataclass(frozen=True, slots=True)
class Volatility:
    realised: float | None
    """Percent a year, from the last 24 h of bars."""
    percentile: float | None
    name: VolatilityClass
    figures_: tuple[Figure, ...]

    def figures(self) -> list[Figure]:
        return list(self.figures_)


def directional_index(bars: Bars, length: int = ADX_LENGTH) -> tuple[Floats, Floats, Floats]:
    """ADX, +DI and -DI of every bar but the first, NaN while they warm up.

    +DM = rise of the high where it exceeds the fall of the low and 0, -DM the reverse; DI = 100 x smoothed DM
    / smoothed true range; DX = 100 x |+DI - -DI| / (+DI + -DI); ADX = Wilder's average of DX.
    """
    up, down = np.diff(bars.high), -np.diff(bars.low)
    plus = np.where((up > down) & (up > 0), up, 0.0)
    minus = np.where((down > up) & (down > 0), down, 0.0)
    smooth_range = wilder(true_range(bars), length)
    with np.errstate(divide="ignore", invalid="ignore"):
        plus_di = 100 * wilder(plus, length) / smooth_range
        minus_di = 100 * wilder(minus, length) / smooth_range
        total = plus_di + minus_di
        dx = np.where(total > 0, 100 * np.abs(plus_di - minus_di) / total, 0.0)
    warm = ~np.isnan(smooth_range)
    flat = warm & ~(smooth_range > 0)
    plus_di[flat] = minus_di[flat] = dx[flat] = 0.0
    adx = np.full(len(dx), np.nan)
    adx[length - 1 :] = wilder(dx[length - 1 :], length)
    return adx, plus_di, minus_di


def with_hysteresis(adx: Floats) -> list[RegimeName]:
    """One name a bar: a change needs the far bound, so a value between the bounds changes nothing."""
    names, current = [], RegimeName.UNKNOWN
    for value in adx.tolist():
        if value > TREND_ABOVE:
            current = RegimeName.TRENDING
        elif value < RANGE_BELOW:
            current = RegimeName.RANGING
        names.append(current)
    return names


def variance_ratio(log_returns: Floats, step: int) -> float | None:
    """Variance of overlapping sums of `step` returns over `step` variances of one (Lo, MacKinlay 1988).

    1 for a random walk, above it for a trend, below it for reversal; None with too few returns.
    """
    if len(log_returns) < 3 * step or step < 2:
        return None
    mean = log_returns.mean()
    single = float(np.mean((log_returns - mean) ** 2))
    sums = np.convolve(log_returns, np.ones(step), mode="valid")
    return float(np.mean((sums - step * mean) ** 2)) / (step * single) if single > 0 else None


def efficiency_ratio(close: Floats, length: int) -> float | None:
    """|change over the window| / sum of |changes| (Kaufman): 1 straight, 0 back where it began."""
    if len(close) <= length:
        return None
    window = close[-length - 1 :]
    path = float(np.abs(np.diff(window)).sum())
    return abs(float(window[-1] - window[0])) / path if path > 0 else None


def regime(bars: Bars, *, vote_bars: int = 24) -> Regime:
    """The regime at the last bar."""
    if len(bars) < 2 * ADX_LENGTH + 1:
        note = f"{len(bars)} bars, {2 * ADX_LENGTH + 1} are needed"
        unknown = [Figure("regime.name", "unknown", "", "ADX", bars.origin, note)] if len(bars) else []
        return Regime(RegimeName.UNKNOWN, None, None, 0, None, None, tuple(unknown))
    adx, plus, minus = directional_index(bars)
    names = with_hysteresis(adx)
    name = names[-1]
    since = next((i for i, other in enumerate(reversed(names)) if other is not name), len(names))
    ratio, efficiency = variance_ratio(bars.log_returns, 4), efficiency_ratio(bars.close, vote_bars)
    up = bool(plus[-1] > minus[-1])
    origin, unit = bars.origin, ""
    figures = (
        Figure(
            "regime.name", str(name), unit, "ADX above 25 trends, below 20 ranges, else as before", origin
        ),
        Figure("regime.adx", float(adx[-1]), unit, "ADX(14), Wilder", origin, f"for {since} bars"),
        Figure("regime.variance_ratio", ratio, unit, "Var of 4-bar returns / 4 Var, Lo-MacKinlay", origin),
        Figure("regime.efficiency_ratio", efficiency, unit, f"Kaufman, {vote_bars} bars", origin),
    )
    return Regime(name, up, float(adx[-1]), since, ratio, efficiency, figures)


def realised_volatility(bars: Bars) -> Floats:
    """Percent a year at each bar: sqrt(365 x sum of r^2 over the last 24 h) x 100; NaN before a full day."""
    day = bars.per(24)
    squares = bars.log_returns**2
    out = np.full(len(bars), np.nan)
    if len(squares) >= day:
        sums = np.convolve(squares, np.ones(day), mode="valid")
        out[day:] = 100 * np.sqrt(YEAR_DAYS * np.maximum(sums, 0.0))
    return out


def volatility(bars: Bars, *, window_days: int = 90, share_min: float = 0.5) -> Volatility:
    """Class of the last day's volatility within the trailing window; unknown with less than half of it."""
    series = realised_volatility(bars)
    window = bars.per(24 * window_days)
    known = series[-window - 1 : -1]
    known = known[~np.isnan(known)]
    if not len(series) or np.isnan(series[-1]):
        return Volatility(None, None, VolatilityClass.UNKNOWN, ())
    now = float(series[-1])
    percentile = float(np.mean(known < now)) if len(known) >= share_min * window else None
    name = _class_of(percentile)
    formula = "sqrt(365 x sum of squared log returns over 24 h)"
    origin = bars.origin
    figures = [Figure("volatility.realised", now, "% a year", formula, origin)]
    if percentile is not None:
        note = f"{len(known)} bars, {window_days} days"
        figures.append(
            Figure("volatility.percentile", 100 * percentile, "%", "share of the window below", origin, note)
        )
    figures.append(Figure("volatility.class", str(name), "", "percentile: 33, 67, 90", origin))
    return Volatility(now, percentile, name, tuple(figures))


def _class_of(percentile: float | None) -> VolatilityClass:
    if percentile is None:
        return VolatilityClass.UNKNOWN
    bounds = ((0.33, VolatilityClass.LOW), (0.67, VolatilityClass.MEDIUM), (0.90, VolatilityClass.HIGH))
    return next((name for bound, name in bounds if percentile < bound), VolatilityClass.EXTREME)
