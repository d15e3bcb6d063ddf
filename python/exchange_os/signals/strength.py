"""Relative strength against another coin, and momentum.

The leader comes from the difference of returns, never from their ratio: 0.725 with both falling means that
the numerator leads, with both rising that it trails, and near zero it means nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from exchange_os.signals.bars import Bars, Floats
from exchange_os.signals.origin import Figure, Origin

WINDOWS_H = (1, 24, 168)
BETA_HOURS = 168
MOMENTUM_DAYS = 30


def leader(ours: float, theirs: float, our_name: str, their_name: str) -> str:
    """Who gained more; `neither` on equal returns."""
    difference = ours - theirs
    if difference == 0:
        return "neither"
    return our_name if difference > 0 else their_name


@dataclass(frozen=True, slots=True)
class RelativeStrength:
    price_ratio: float
    """Our price over theirs."""
    differences: dict[int, float]
    """Hours: our log return less theirs, in percent points."""
    leaders: dict[int, str]
    beta: float | None
    alpha: float | None
    """Our last day's return less beta times theirs, in percent points."""
    figures_: tuple[Figure, ...]

    def figures(self) -> list[Figure]:
        return list(self.figures_)


def relative_strength(ours: Bars, theirs: Bars) -> RelativeStrength | None:
    """On the bars that both have, of one length; None if they do not end together."""
    if ours.interval_s != theirs.interval_s or not len(ours) or not len(theirs):
        return None
    common, left, right = np.intersect1d(ours.close_ms, theirs.close_ms, return_indices=True)
    if not len(common) or common[-1] != ours.close_ms[-1]:
        return None
    a, b = np.log(ours.close[left]), np.log(theirs.close[right])
    our_name, their_name = ours.symbol.split("/")[0], theirs.symbol.split("/")[0]
    origin = Origin.merge([ours.origin, theirs.origin])
    differences, leaders, figures = {}, {}, []
    ratio = float(np.exp(a[-1] - b[-1]))
    figures.append(Figure("strength.price_ratio", ratio, f"{our_name}/{their_name}", "close / close", origin))
    for hours in WINDOWS_H:
        back = ours.per(hours)
        if back * ours.interval_s != hours * 3_600 or len(common) <= back:
            continue  # bars too long for this window, or too few
        if common[-1] - common[-1 - back] != hours * 3_600_000:
            continue  # a bar is missing in between
        mine, other = float(a[-1] - a[-1 - back]) * 100, float(b[-1] - b[-1 - back]) * 100
        differences[hours] = mine - other
        leaders[hours] = leader(mine, other, our_name, their_name)
        formula, note = f"log return {mine:.4f} % - {other:.4f} %", f"leader {leaders[hours]}"
        figures.append(
            Figure(f"strength.difference_{hours}h", mine - other, "% points", formula, origin, note)
        )
    beta, alpha = _beta(a, b, ours.per(BETA_HOURS), ours.per(24))
    if beta is not None:
        formula = f"least squares over {BETA_HOURS} h of returns"
        figures.append(Figure("strength.beta", beta, "", formula, origin))
        figures.append(Figure("strength.alpha_24h", alpha, "% points", "our return - beta x theirs", origin))
    return RelativeStrength(ratio, differences, leaders, beta, alpha, tuple(figures))


def _beta(a: Floats, b: Floats, window: int, day: int) -> tuple[float | None, float | None]:
    if len(a) <= window or window < 10:
        return None, None
    ours, theirs = np.diff(a[-window - 1 :]), np.diff(b[-window - 1 :])
    spread = float(np.var(theirs))
    if spread == 0:
        return None, None
    beta = float(np.mean((ours - ours.mean()) * (theirs - theirs.mean()))) / spread
    alpha = float(a[-1] - a[-1 - day] - beta * (b[-1] - b[-1 - day])) * 100
    return beta, alpha


@dataclass(frozen=True, slots=True)
class Momentum:
    last: float
    """Log return of the last bar, in percent."""
    day: float
    z: float | None
    """The last return over the standard deviation of the 30 days before it."""
    softening: bool
    """The last bar goes against the day, or its |z| is less than that of the bar before."""
    figures_: tuple[Figure, ...]

    def figures(self) -> list[Figure]:
        return list(self.figures_)


def momentum(bars: Bars) -> Momentum | None:
    """At the last closed bar; None without a day of bars."""
    day, month = bars.per(24), bars.per(24 * MOMENTUM_DAYS)
    returns = bars.log_returns
    if len(returns) < day + 1:
        return None
    last, over_day = float(returns[-1]) * 100, float(returns[-day:].sum()) * 100
    z, before = _z(returns, month), _z(returns[:-1], month)
    fades = z is not None and before is not None and abs(z) < abs(before)
    softening = np.sign(last) != np.sign(over_day) or fades
    origin, hours = bars.origin, f"{bars.interval_s / 3_600:g}h"
    figures = [
        Figure(f"momentum.return_{hours}", last, "%", "log(close / close before)", origin),
        Figure("momentum.return_24h", over_day, "%", "sum of log returns", origin),
    ]
    if z is not None:
        figures.append(Figure("momentum.z", z, "sigma", f"last / sigma of {MOMENTUM_DAYS} d before", origin))
    return Momentum(last, over_day, z, bool(softening), tuple(figures))


def _z(returns: Floats, window: int) -> float | None:
    before = returns[-window - 1 : -1]
    sigma = float(before.std()) if len(before) >= 30 else 0.0
    return float(returns[-1]) / sigma if sigma > 0 else None
