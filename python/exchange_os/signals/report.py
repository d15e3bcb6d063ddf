"""All signals of one symbol at one time: figures, sentences, problems; as text and as JSON of the same."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import polars as pl

from exchange_os.errors import InvalidArgument
from exchange_os.signals.bars import Bars, bars_of
from exchange_os.signals.bias import Bias, bias, settings_for
from exchange_os.signals.carry import BasisTrade, Costs, basis_trade
from exchange_os.signals.cleaning import Problem, clean
from exchange_os.signals.clock import next_funding
from exchange_os.signals.context import MarketContext, market_context
from exchange_os.signals.divergence import DivergenceSettings, FundingDivergence, Rating, funding_divergence
from exchange_os.signals.levels import Levels, levels
from exchange_os.signals.liquidation_map import (
    LiquidationMap,
    known_liquidation_map,
    liquidation_map,
    open_interest_of,
)
from exchange_os.signals.liquidation_price import Tier, recorded_tiers
from exchange_os.signals.market_data import DAY_MS, HOUR_MS, PERPETUAL, MarketData
from exchange_os.signals.origin import Figure
from exchange_os.signals.quotes import kind_at
from exchange_os.signals.regime import Regime, Volatility, regime, volatility
from exchange_os.signals.strength import Momentum, RelativeStrength, momentum, relative_strength
from exchange_os.signals.walls import Walls, walls
from exchange_os.signals.words import Sentence, sentences

NEAREST_LEVELS = 2
SECOND_VOTES = frozenset(
    {"regime.variance_ratio", "regime.efficiency_ratio", "strength.beta", "strength.alpha_24h"}
)
"""Not on the page; in the JSON, and with `everything`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSettings:
    venue: str | None = None
    """Whose bars are read; None: the venue with the most."""
    interval_s: int | None = None
    """Length of those bars; None: the shortest there are."""
    benchmark: str = "BTC/USDT"
    levels_days: int = 90
    costs: Costs = field(default_factory=Costs)
    tiers: tuple[Tier, ...] = (Tier(0.0, 0.005, 0.0),)
    """Maintenance tiers that the liquidation map assumes where the venue's are not recorded."""
    with_bias: bool = True


@dataclass(frozen=True)
class Signals:
    """The typed results; None where there was nothing to compute from."""

    divergence: FundingDivergence
    trades: tuple[BasisTrade, ...] = ()
    bars: Bars | None = None
    regime: Regime | None = None
    volatility: Volatility | None = None
    momentum: Momentum | None = None
    strength: RelativeStrength | None = None
    levels: Levels | None = None
    walls: Walls | None = None
    liquidations: LiquidationMap | None = None
    context: MarketContext | None = None
    bias: Bias | None = None


@dataclass(frozen=True)
class Report:
    symbol: str
    at_ms: int
    signals: Signals
    figures: tuple[Figure, ...]
    sentences: tuple[Sentence, ...]
    problems: tuple[Problem, ...]
    silent: tuple[str, ...]
    """Venues that have spoken of this symbol and say nothing fresh."""

    def as_json(self) -> dict[str, Any]:
        judged = self.signals.bias.evaluation if self.signals.bias else None
        return {
            "symbol": self.symbol,
            "at_ms": self.at_ms,
            "at": _time(self.at_ms),
            "figures": [figure.as_json(self.at_ms) for figure in self.figures],
            "sentences": [
                {"text": said.text, "rule": said.rule, "figures": list(said.figures)}
                for said in self.sentences
            ],
            "gates": [
                {"name": gate.name, "passed": gate.passed, "why": gate.why}
                for gate in self.signals.divergence.gates
            ],
            "problems": [str(problem) for problem in self.problems],
            "silent": list(self.silent),
            "evaluation": judged.as_json() if judged else None,
        }

    def text(self, *, everything: bool = False) -> str:
        """One page: figures with value, age, venue and note; then the sentences, then the problems.

        Without `everything` it leaves out the farther levels, second votes and all basis trades but the best.
        """
        lines = [f"{self.symbol} at {_time(self.at_ms)}"]
        shown = [
            (
                figure.id,
                figure.text(),
                _age(figure.origin.age_ms(self.at_ms)),
                figure.origin.venue,
                figure.note,
            )
            for figure in self.figures
            if everything or self._on_the_page(figure.id)
        ]
        widths = [max((len(row[place]) for row in shown), default=0) for place in range(4)]
        section = ""
        for row in shown:
            head = row[0].partition(".")[0]
            if head != section:
                lines += ["", head]
                section = head
            cells = [cell.ljust(width) for cell, width in zip(row[:4], widths, strict=True)]
            lines.append(("  " + "  ".join([*cells, row[4]])).rstrip())
        lines += ["", "what follows", *(f"  {said.text}" for said in self.sentences)]
        if self.silent:
            lines += ["", f"silent: {', '.join(self.silent)}"]
        if self.problems:
            lines += ["", "problems", *(f"  {problem}" for problem in self.problems)]
        return "\n".join(lines)

    def _on_the_page(self, id_: str) -> bool:
        section, _, name = id_.partition(".")
        if section == "carry":
            return name.partition(".")[0] == self._best_trade()
        if section == "levels" and name[-1].isdigit():
            return int(name[-1]) <= NEAREST_LEVELS
        return id_ not in SECOND_VOTES

    def _best_trade(self) -> str | None:
        """The venue whose basis trade keeps most over any horizon."""
        kept = {trade.venue: max(c.net.value for c in trade.horizons) for trade in self.signals.trades}
        return max(kept, key=lambda venue: (kept[venue], venue)) if kept else None


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1_000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _age(age_ms: int) -> str:
    for unit, size in (("d", DAY_MS), ("h", HOUR_MS), ("min", 60_000), ("s", 1_000)):
        if age_ms >= 2 * size:
            return f"{age_ms // size} {unit}"
    return f"{age_ms} ms"


def make_report(
    data: MarketData, *, symbol: str, at_ms: int, settings: ReportSettings | None = None
) -> Report:
    """Refuses a symbol of which nothing was known at that time."""
    settings = settings or ReportSettings()
    known, problems = clean(data.of_symbol(symbol, settings.benchmark), at_ms)
    ours = known.of_symbol(symbol)
    if all(frame.is_empty() for _, frame in ours.items()):
        raise InvalidArgument(f"nothing is known of {symbol} at {_time(at_ms)}")
    kind = kind_at(ours, symbol, at_ms)
    divergence = funding_divergence(
        ours, symbol=symbol, at_ms=at_ms, settings=DivergenceSettings(kind=kind, costs=settings.costs)
    )
    trades = [
        basis_trade(quote, at_ms=at_ms, costs=settings.costs) for quote in divergence.quotes if quote.fresh
    ]
    signals = _with_bars(
        known, symbol, at_ms, settings, divergence, tuple(trade for trade in trades if trade)
    )
    figures = tuple(_figures(signals, at_ms))
    fresh = {quote.venue for quote in divergence.quotes if quote.fresh}
    said = set(data.funding.filter(pl.col("symbol") == symbol)["venue"].unique().to_list()) - {None}
    return Report(
        symbol=symbol,
        at_ms=at_ms,
        signals=signals,
        figures=figures,
        sentences=tuple(sentences(signals, figures)),
        problems=tuple(problem for problem in problems if problem.symbol == symbol),
        silent=tuple(sorted(said - fresh)),
    )


def _with_bars(
    data: MarketData,
    symbol: str,
    at_ms: int,
    settings: ReportSettings,
    divergence: FundingDivergence,
    trades: tuple[BasisTrade, ...],
) -> Signals:
    chosen = _bars(data, symbol, at_ms, settings)
    if chosen is None:
        return Signals(divergence, trades)
    venue, seconds = chosen.venue, chosen.interval_s
    other = bars_of(data, symbol=settings.benchmark, at_ms=at_ms, venue=venue, interval_s=seconds)
    recent = chosen.tail(chosen.per(24 * settings.levels_days))
    seen = open_interest_of(data, symbol=symbol, venue=venue, at_ms=at_ms)
    told = recorded_tiers(data, symbol=symbol, venue=venue, at_ms=at_ms)
    whose = f", tiers of {venue}" if told else ", assumed tiers"
    view, how = None, settings_for(seconds) if settings.with_bias else None
    if how is not None:
        conflict = _distrusted(divergence)
        view = bias(data, symbol=symbol, venue=venue, at_ms=at_ms, settings=how, distrusted=conflict)
    return Signals(
        divergence=divergence,
        trades=trades,
        bars=chosen,
        regime=regime(chosen),
        volatility=volatility(chosen),
        momentum=momentum(chosen),
        strength=None if symbol == settings.benchmark else relative_strength(chosen, other),
        levels=levels(recent),
        walls=walls(data, symbol=symbol, venue=venue, at_ms=at_ms),
        liquidations=known_liquidation_map(
            data, symbol=symbol, venue=venue, at_ms=at_ms, price=float(recent.close[-1])
        )
        or liquidation_map(recent, seen, tiers=told or settings.tiers, tiers_told=whose),
        context=market_context(data, symbol=symbol, venue=venue, at_ms=at_ms),
        bias=view,
    )


def _distrusted(divergence: FundingDivergence) -> str | None:
    if divergence.rating is Rating.QUARANTINED:
        return "a funding rate is quarantined"
    return None


def _bars(data: MarketData, symbol: str, at_ms: int, settings: ReportSettings) -> Bars | None:
    candles = data.candles.filter(
        pl.col("symbol") == symbol, pl.col("market") == PERPETUAL, pl.col("received_ms") <= at_ms
    )
    if settings.venue is not None:
        candles = candles.filter(pl.col("venue") == settings.venue)
    if settings.interval_s is not None:
        candles = candles.filter(pl.col("interval_s") == settings.interval_s)
    if candles.is_empty():
        return None
    counts = (
        candles.group_by("interval_s", "venue")
        .len()
        .sort("interval_s", "len", "venue", descending=[False, True, False])
    )
    seconds, venue = counts.row(0)[:2]
    return bars_of(data, symbol=symbol, at_ms=at_ms, venue=venue, interval_s=seconds)


def _figures(signals: Signals, at_ms: int) -> Iterable[Figure]:
    yield from signals.divergence.figures()
    for quote in signals.divergence.quotes:
        if quote.fresh:
            hours = (next_funding(quote, at_ms) - at_ms) / HOUR_MS
            told = (
                "told by the venue"
                if quote.next_funding_ms and quote.next_funding_ms > at_ms
                else "grid in UTC"
            )
            yield Figure(f"clock.{quote.venue}", hours, "h to funding", told, quote.origin)
    for trade in signals.trades:
        yield from trade.figures()
    parts = (
        signals.regime,
        signals.volatility,
        signals.momentum,
        signals.strength,
        signals.levels,
        signals.walls,
        signals.liquidations,
        signals.context,
        signals.bias,
    )
    for part in parts:
        if part is not None:
            yield from part.figures()
