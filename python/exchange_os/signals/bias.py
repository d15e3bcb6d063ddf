"""A direction with a probability that means what it says, or no view.

The model is refitted as time goes on and judged only on calls that it made before their outcome was known. It
has no view when it has not beaten the base rate there, when its probability is near a half, or when its
inputs are not to be trusted. Nothing here claims a profit: the evaluation is printed beside every call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from exchange_os.errors import InvalidArgument
from exchange_os.signals.bars import Floats
from exchange_os.signals.evaluation import Evaluation, evaluate
from exchange_os.signals.features import FEATURES, feature_table
from exchange_os.signals.logistic import Calibration, Logistic, calibrate, fit
from exchange_os.signals.market_data import MarketData
from exchange_os.signals.origin import Figure, Origin

YEAR_S = 365 * 86_400
HORIZON_S = 28_800
SOURCE = "walk-forward on closed bars"


@dataclass(frozen=True, slots=True, kw_only=True)
class BiasSettings:
    interval_s: int = 28_800
    horizon_bars: int = 1
    train_min: int = 400
    """Resolved rows before the first call."""
    refit_every: int = 90
    embargo_bars: int = 1
    """Rows left out between training and a call, on top of those whose result was not known yet."""
    folds: int = 5
    """Blocks of the training rows; the sigmoid is fitted on scores of blocks that the weights did not see."""
    l2: float = 10.0
    view_from: float = 0.55
    """The least probability that is a view."""
    cost_bps_a_side: float = 5.0
    trials: int = 2
    """How many variants were tried, this one included; whoever tries must count. The other one fitted the
    sigmoid on the newest fifth of the training rows, and was too bold."""


def settings_for(interval_s: int) -> BiasSettings | None:
    """For bars of this length, the same horizon of 8 h; None if bars do not make it up.

    With bars shorter than the horizon results overlap, so the embargo grows with it; the judge takes only
    calls that do not overlap.
    """
    if interval_s <= 0 or HORIZON_S % interval_s:
        return None
    bars = HORIZON_S // interval_s
    return BiasSettings(
        interval_s=interval_s,
        horizon_bars=bars,
        embargo_bars=bars,
        train_min=400 * bars,
        refit_every=90 * bars,
    )


@dataclass(frozen=True)
class Model:
    logistic: Logistic
    calibration: Calibration
    base_rate: float

    def probability(self, features: Floats) -> Floats:
        return self.calibration.probability(self.logistic.score(features))


@dataclass(frozen=True, slots=True)
class Bias:
    direction: str
    """`long`, `short` or `no view`."""
    probability: float | None
    """Of the direction, 0.5 to 1; None without a view."""
    strength: float | None
    """2 p - 1: 0 knows nothing, 1 is certain."""
    probability_up: float | None
    """What the model said, view or not."""
    horizon_h: float
    reasons: tuple[str, ...]
    """Why there is no view."""
    evaluation: Evaluation | None
    origin: Origin

    def figures(self) -> list[Figure]:
        origin, horizon = self.origin, f"over {self.horizon_h:g} h"
        why = "; ".join(self.reasons)
        found = [Figure("bias.direction", self.direction, "", f"L2 logistic, {horizon}", origin, why)]
        if self.probability is not None and self.strength is not None:
            found.append(Figure("bias.probability", 100 * self.probability, "%", "calibrated", origin))
            found.append(Figure("bias.strength", self.strength, "", "2 p - 1", origin))
        if self.evaluation is not None:
            judged = self.evaluation
            note = f"{judged.calls} calls out of sample"
            found += [
                Figure("bias.brier", judged.brier, "", "mean (p - outcome)^2", origin, note),
                Figure(
                    "bias.base_rate_brier", judged.base_rate_brier, "", "always the base rate", origin, note
                ),
                Figure(
                    "bias.reliability_slope", judged.reliability_slope, "", "1 is calibrated", origin, note
                ),
                Figure(
                    "bias.net_sharpe", judged.net_sharpe, "a year", "after costs and funding", origin, note
                ),
                Figure(
                    "bias.deflated_sharpe",
                    judged.deflated_sharpe,
                    "",
                    f"chance above luck, {judged.trials} trials",
                    origin,
                    note,
                ),
            ]
        return found


def train(table: pl.DataFrame, settings: BiasSettings) -> Model:
    """On resolved rows in order of time.

    The sigmoid is fitted on cross-fitted scores: each block is scored by weights of the other blocks, without
    the rows whose results reach into it.
    """
    features, labels = table.select(FEATURES).to_numpy(), table["label"].to_numpy()
    purge = settings.horizon_bars - 1 + settings.embargo_bars
    scores = np.zeros(len(labels))
    places = np.arange(len(labels))
    for block in np.array_split(places, settings.folds):
        away = (places < block[0] - purge) | (places > block[-1] + purge)
        scores[block] = fit(features[away], labels[away], settings.l2).score(features[block])
    model = fit(features, labels, settings.l2)
    return Model(model, calibrate(scores, labels), float(labels.mean()))


def walk_forward(table: pl.DataFrame, settings: BiasSettings | None = None) -> pl.DataFrame:
    """Calls out of sample: `at_ms`, `probability_up`, `base_rate`, `position`, `label`, `result`, `paid`.

    A model is fitted on rows whose result was known at the call, less the embargo, and used for the next
    `refit_every` rows. The last calls may have no result yet: their label is null.
    """
    settings = settings or BiasSettings()
    if settings.horizon_bars < 1 or settings.embargo_bars < 0 or settings.refit_every < 1:
        raise InvalidArgument("a horizon and a refit from 1 bar, an embargo from 0")
    embargo_ms = settings.embargo_bars * settings.interval_s * 1_000
    parts = []
    place = settings.train_min
    while place < table.height:
        at_ms = int(table["at_ms"][place])
        known = table.filter(pl.col("resolved_ms") <= at_ms - embargo_ms, pl.col("label").is_not_null())
        if known.height < settings.train_min or known["label"].n_unique() < 2:
            place += 1
            continue
        model = train(known, settings)
        block = table[place : place + settings.refit_every]
        chance = model.probability(block.select(FEATURES).to_numpy())
        parts.append(
            block.select("at_ms", "label", "result", "paid").with_columns(
                pl.Series("probability_up", chance),
                pl.lit(model.base_rate).alias("base_rate"),
                pl.Series("position", _positions(chance, settings.view_from)),
            )
        )
        place += settings.refit_every
    return pl.concat(parts) if parts else _no_calls()


def _no_calls() -> pl.DataFrame:
    names = ("label", "result", "paid", "probability_up", "base_rate", "position")
    return pl.DataFrame(schema={"at_ms": pl.Int64, **dict.fromkeys(names, pl.Float64)})


def _positions(chance: Floats, view_from: float) -> Floats:
    return np.where(chance >= view_from, 1.0, np.where(chance <= 1 - view_from, -1.0, 0.0))


def judge(calls: pl.DataFrame, settings: BiasSettings) -> Evaluation | None:
    """Of resolved calls that do not overlap; None with fewer than 30."""
    resolved = calls.filter(pl.col("label").is_not_null())[:: settings.horizon_bars]
    if resolved.height < 30 or resolved["label"].n_unique() < 2:
        return None
    columns: dict[str, Any] = {name: resolved[name].to_numpy() for name in resolved.columns}
    return evaluate(
        probabilities=columns["probability_up"],
        base_rates=columns["base_rate"],
        labels=columns["label"],
        results=columns["result"],
        funding=columns["paid"],
        positions=columns["position"],
        periods_a_year=YEAR_S / (settings.interval_s * settings.horizon_bars),
        trials=settings.trials,
        cost_bps_a_side=settings.cost_bps_a_side,
    )


def bias(
    data: MarketData,
    *,
    symbol: str,
    venue: str,
    at_ms: int,
    settings: BiasSettings | None = None,
    distrusted: str | None = None,
) -> Bias:
    """The view at a time. `distrusted` says which input is in conflict: then there is none."""
    settings = settings or BiasSettings()
    table = feature_table(
        data.as_of(at_ms),
        symbol=symbol,
        venue=venue,
        interval_s=settings.interval_s,
        horizon_bars=settings.horizon_bars,
    )
    horizon_h = settings.horizon_bars * settings.interval_s / 3_600
    calls = walk_forward(table, settings) if table.height else _no_calls()
    if not calls.height:
        reason = f"{table.height} usable bars, more than {settings.train_min} are needed"
        newest_ms = int(table["at_ms"][-1]) if table.height else at_ms
        origin = Origin(venue, SOURCE, newest_ms, at_ms)
        return Bias("no view", None, None, None, horizon_h, (reason,), None, origin)
    evaluation = judge(calls, settings)
    last_ms, chance = int(calls["at_ms"][-1]), float(calls["probability_up"][-1])
    reasons = []
    if at_ms - last_ms > settings.interval_s * 1_000:
        reasons.append(f"the newest bar closed {(at_ms - last_ms) / 3_600_000:.1f} h ago")
    if evaluation is None or not evaluation.beats_base_rate:
        reasons.append("out of sample it has not beaten the base rate")
    if max(chance, 1 - chance) < settings.view_from:
        reasons.append(f"{max(chance, 1 - chance):.3f} is near a half; a view is from {settings.view_from}")
    if distrusted:
        reasons.append(distrusted)
    origin = Origin(venue, SOURCE, last_ms, at_ms)
    if reasons:
        return Bias("no view", None, None, chance, horizon_h, tuple(reasons), evaluation, origin)
    direction = "long" if chance > 0.5 else "short"
    probability = max(chance, 1 - chance)
    return Bias(direction, probability, 2 * probability - 1, chance, horizon_h, (), evaluation, origin)
