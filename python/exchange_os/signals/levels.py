"""Support and resistance zones, with how often they held and how often levels drawn at random would have.

Candidates are confirmed swing pivots and the bounds of the volume profile, merged into zones. A zone's record
is that of the candidate known first, from when it was known: what joined later did so because it bounced. The
comparison with artificial levels is Osler's test (Support for
Resistance, Federal Reserve Bank of New York, 2000): a level that does not beat it says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from exchange_os.signals.bars import Bars, Floats, average_true_range
from exchange_os.signals.origin import Figure

PIVOT_BARS = 3
PROFILE_BINS = 100
ZONES_MAX = 6
RANDOM_LEVELS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelSettings:
    pivot_bars: int = PIVOT_BARS
    """A pivot is the extreme of so many bars on each side; it is known so many bars later."""
    merge_atr: float = 0.25
    """Candidates nearer than this times the average true range are one zone."""
    horizon_bars: int = 6
    """How long after a touch the market has to bounce or break."""
    move_atr: float = 1.0
    """How far it must go for either."""
    seed: int = 1
    """Of the random levels."""


@dataclass(frozen=True, slots=True)
class Zone:
    low: float
    high: float
    known_from: int
    """The bar at which its first candidate was confirmed."""
    touches: int
    bounces: int
    breaks: int
    first_touch_ms: int | None
    last_touch_ms: int | None
    volume_share: float
    """Of all volume, traded inside."""
    round_number: bool
    """Holds a multiple of the largest power of ten below a hundredth of the price, times five."""
    score: float

    @property
    def middle(self) -> float:
        return (self.low + self.high) / 2

    @property
    def bounce_rate(self) -> float | None:
        """Of the touches that were decided."""
        decided = self.bounces + self.breaks
        return self.bounces / decided if decided else None


@dataclass(frozen=True, slots=True)
class Levels:
    price: float
    supports: tuple[Zone, ...]
    """Nearest first."""
    resistances: tuple[Zone, ...]
    bounce_rate: float | None
    """Of all zones together."""
    random_bounce_rate: float | None
    """Of levels of the same width at random prices within the same range, over the same bars."""
    decided: int
    random_decided: int
    seed: int
    figures_: tuple[Figure, ...]

    @property
    def better_than_random(self) -> bool:
        """Beyond two standard errors of the difference."""
        if self.bounce_rate is None or self.random_bounce_rate is None:
            return False
        p, n = self.random_bounce_rate, self.decided
        error = float(np.sqrt(max(p * (1 - p), 1e-9) * (1 / n + 1 / self.random_decided)))
        return self.bounce_rate - p > 2 * error

    def figures(self) -> list[Figure]:
        return list(self.figures_)


def pivots(bars: Bars, width: int) -> list[tuple[float, int]]:
    """Price and bar of confirmation of each swing high and low: the strict extreme of `width` bars a side.

    The pivot itself lies `width` bars before its confirmation.
    """
    size = 2 * width + 1
    if len(bars) < size:
        return []
    found = []
    for values, sign in ((bars.high, 1.0), (bars.low, -1.0)):
        windows = np.lib.stride_tricks.sliding_window_view(sign * values, size)
        middle = windows[:, width]
        others = np.delete(windows, width, axis=1).max(axis=1)
        found += [(float(values[i + width]), int(i + 2 * width)) for i in np.flatnonzero(middle > others)]
    return sorted(found, key=lambda pivot: (pivot[1], pivot[0]))


def volume_profile(bars: Bars, bins: int = PROFILE_BINS) -> tuple[Floats, Floats]:
    """Middles of price bins and the volume in each; a bar's volume is spread evenly over its range."""
    edges = np.linspace(float(bars.low.min()), float(bars.high.max()), bins + 1)
    width = float(edges[1] - edges[0])
    volume = np.zeros(bins)
    if width <= 0:
        return edges[:1], np.array([float(bars.base_volume.sum())])
    for low, high, traded in zip(bars.low, bars.high, bars.base_volume, strict=True):
        first = min(int((low - edges[0]) / width), bins - 1)
        last = min(int((high - edges[0]) / width), bins - 1)
        volume[first : last + 1] += traded / (last - first + 1)
    return (edges[:-1] + edges[1:]) / 2, volume


def value_area(volume: Floats, share: float = 0.7) -> tuple[int, int, int]:
    """Bins of the low, the point of control and the high of the value area: 70 % of the volume."""
    top = int(np.argmax(volume))
    low = high = top
    inside, wanted = float(volume[top]), share * float(volume.sum())
    while inside < wanted and (low > 0 or high < len(volume) - 1):
        below = float(volume[low - 1]) if low > 0 else -1.0
        above = float(volume[high + 1]) if high < len(volume) - 1 else -1.0
        if above >= below:
            high += 1
            inside += above
        else:
            low -= 1
            inside += below
    return low, top, high


def merge(candidates: list[tuple[float, int]], distance: float) -> list[list[tuple[float, int]]]:
    """Groups of candidates in order of price, each at most twice `distance` wide."""
    groups: list[list[tuple[float, int]]] = []
    for candidate in sorted(candidates):
        last = groups[-1] if groups else []
        if last and candidate[0] - last[-1][0] <= distance and candidate[0] - last[0][0] <= 2 * distance:
            last.append(candidate)
        else:
            groups.append([candidate])
    return groups


def outcomes(
    bars: Bars, low: float, high: float, from_bar: int, move: float, horizon: int
) -> list[tuple[int, int]]:
    """Touches of a zone from a bar on: the bar, and 1 for a bounce, -1 for a break, 0 for neither.

    A touch is a bar that reaches into the zone after one that closed outside it; a bounce closes `move` away
    on the side it came from within the horizon, a break on the other side. The next touch counts when this
    one is decided. Undecided touches at the end of the bars are 0.
    """
    touching = (bars.low[1:] <= high) & (bars.high[1:] >= low)
    outside = (bars.close[:-1] > high) | (bars.close[:-1] < low)
    found, free = [], from_bar
    for place in (np.flatnonzero(touching & outside) + 1).tolist():
        if place <= from_bar or place < free:
            continue
        from_above = bool(bars.close[place - 1] > high)
        result, end = 0, min(place + horizon, len(bars))
        free = end
        for later in range(place, end):
            close = float(bars.close[later])
            up, down = close > high + move, close < low - move
            if up or down:
                result, free = (1 if up is from_above else -1), later + 1
                break
        found.append((place, result))
    return found


def levels(bars: Bars, settings: LevelSettings | None = None) -> Levels | None:
    """Zones around the price at the last bar; None with too few bars to have an average range."""
    settings = settings or LevelSettings()
    range_ = average_true_range(bars)
    if range_ is None or range_ <= 0:
        return None
    prices, volume = volume_profile(bars)
    candidates = pivots(bars, settings.pivot_bars)
    if len(volume) > 2:
        low, top, high = value_area(volume)
        candidates += [(float(prices[place]), len(bars) - 1) for place in sorted({low, top, high})]
    zones = [
        _zone(bars, group, range_, prices, volume, settings)
        for group in merge(candidates, settings.merge_atr * range_)
    ]
    price = float(bars.close[-1])
    best = sorted(zones, key=lambda zone: -zone.score)
    supports = sorted((zone for zone in best if zone.high < price), key=lambda zone: -zone.high)
    resistances = sorted((zone for zone in best if zone.low > price), key=lambda zone: zone.low)
    kept = {id(zone) for zone in best[: 2 * ZONES_MAX]}
    supports = [zone for zone in supports if id(zone) in kept][:ZONES_MAX]
    resistances = [zone for zone in resistances if id(zone) in kept][:ZONES_MAX]
    ours = [(zone.bounces, zone.breaks) for zone in zones]
    theirs = _random(bars, zones, range_, settings)
    rate, decided = _rate(ours)
    random_rate, random_decided = _rate(theirs)
    result = Levels(
        price,
        tuple(supports),
        tuple(resistances),
        rate,
        random_rate,
        decided,
        random_decided,
        settings.seed,
        (),
    )
    return _with_figures(result, bars)


def _rate(counts: list[tuple[int, int]]) -> tuple[float | None, int]:
    bounced, broken = (sum(count[side] for count in counts) for side in (0, 1))
    decided = bounced + broken
    return (bounced / decided if decided else None), decided


def _zone(
    bars: Bars,
    group: list[tuple[float, int]],
    range_: float,
    prices: Floats,
    volume: Floats,
    settings: LevelSettings,
) -> Zone:
    half = settings.merge_atr * range_ / 2
    middle = (group[0][0] + group[-1][0]) / 2
    low, high = min(group[0][0], middle - half), max(group[-1][0], middle + half)
    first, known_from = min(group, key=lambda candidate: (candidate[1], candidate[0]))
    move = settings.move_atr * range_
    touched = outcomes(bars, first - half, first + half, known_from, move, settings.horizon_bars)
    times: npt.NDArray[np.int64] = bars.close_ms[[place for place, _ in touched]]
    bounces, breaks = (sum(result == word for _, result in touched) for word in (1, -1))
    inside = (prices >= low) & (prices <= high)
    total = float(volume.sum())
    share = float(volume[inside].sum()) / total if total > 0 else 0.0
    age = (len(bars) - 1 - (touched[-1][0] if touched else known_from)) / len(bars)
    held = (bounces + 1) / (bounces + breaks + 2)  # Laplace: one touch proves nothing
    return Zone(
        low=low,
        high=high,
        known_from=known_from,
        touches=len(touched),
        bounces=bounces,
        breaks=breaks,
        first_touch_ms=int(times[0]) if len(times) else None,
        last_touch_ms=int(times[-1]) if len(times) else None,
        volume_share=share,
        round_number=_holds_round_number(low, high),
        score=(len(group) + len(touched)) * held * (1 - 0.5 * age) * (1 + share),
    )


def _holds_round_number(low: float, high: float) -> bool:
    step = 5 * 10.0 ** np.floor(np.log10(high / 100))
    return bool(np.floor(high / step) * step >= low)


def _random(bars: Bars, zones: list[Zone], range_: float, settings: LevelSettings) -> list[tuple[int, int]]:
    """Levels at random prices within the range of the bars, of the zones' mean width, each known from the bar
    at which one of the zones was."""
    if not zones:
        return []
    draws = np.random.default_rng(settings.seed)
    half = float(np.mean([zone.high - zone.low for zone in zones])) / 2
    found = []
    for middle in draws.uniform(float(bars.low.min()), float(bars.high.max()), RANDOM_LEVELS).tolist():
        known_from = zones[int(draws.integers(len(zones)))].known_from
        touched = outcomes(
            bars, middle - half, middle + half, known_from, settings.move_atr * range_, settings.horizon_bars
        )
        found.append((sum(r == 1 for _, r in touched), sum(r == -1 for _, r in touched)))
    return found


def _with_figures(found: Levels, bars: Bars) -> Levels:
    origin, figures = bars.origin, []
    for side, zones in (("support", found.supports), ("resistance", found.resistances)):
        for place, zone in enumerate(zones, 1):
            note = f"zone {zone.low:,.2f} to {zone.high:,.2f}, {zone.touches} touches"
            if zone.bounce_rate is not None:
                note += f", held {zone.bounces} of {zone.bounces + zone.breaks}"
            formula = "merged pivots and volume peaks"
            figures.append(Figure(f"levels.{side}_{place}", zone.middle, "", formula, origin, note))
    for name, rate, decided in (
        ("bounce_rate", found.bounce_rate, found.decided),
        ("random_bounce_rate", found.random_bounce_rate, found.random_decided),
    ):
        if rate is not None:
            formula = "bounces / decided touches" + (f", seed {found.seed}" if "random" in name else "")
            figures.append(Figure(f"levels.{name}", 100 * rate, "%", formula, origin, f"{decided} touches"))
    values = {name: getattr(found, name) for name in Levels.__dataclass_fields__ if name != "figures_"}
    return Levels(**values, figures_=tuple(figures))
