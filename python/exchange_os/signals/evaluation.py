"""How good calls were: proper scores, calibration, and what trading on them would have kept.

Deflated Sharpe ratio: Bailey, Lopez de Prado, Journal of Portfolio Management 40 (2014) 5. It asks how likely
the Sharpe ratio is above the best that as many trials would have shown by luck.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from exchange_os.errors import InvalidArgument
from exchange_os.signals.bars import Floats
from exchange_os.signals.logistic import fit, logit

EULER = 0.5772156649015329
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    forecast: float
    """Mean probability of the calls in it."""
    observed: float
    """How often the price rose."""
    calls: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Of calls made out of sample, in order of time."""

    calls: int
    brier: float
    base_rate_brier: float
    """Of always saying the share of rises in the training data: what a forecast must beat."""
    log_loss: float
    base_rate_log_loss: float
    auc: float
    accuracy: float
    reliability: tuple[ReliabilityBin, ...]
    reliability_slope: float | None
    """Of the outcome on the forecast's logit: 1 is calibrated, below it too bold, above it too shy."""
    views: int
    """Calls that were more than `no view`."""
    gross_sharpe: float
    net_sharpe: float
    """A year, after costs on every change of position and funding paid."""
    probabilistic_sharpe: float
    """How likely the net Sharpe ratio is above 0, 0 to 1."""
    deflated_sharpe: float
    trials: int
    """How many variants were tried, counted honestly by whoever tried them."""
    cost_bps_a_side: float

    @property
    def beats_base_rate(self) -> bool:
        """On both proper scores."""
        return self.brier < self.base_rate_brier and self.log_loss < self.base_rate_log_loss

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "beats_base_rate": self.beats_base_rate}


def brier(probabilities: Floats, labels: Floats) -> float:
    """Mean squared error of a probability; 0.25 for always saying a half."""
    return float(np.mean((probabilities - labels) ** 2))


def log_loss(probabilities: Floats, labels: Floats) -> float:
    inside = np.clip(probabilities, 1e-12, 1 - 1e-12)
    return float(-np.mean(labels * np.log(inside) + (1 - labels) * np.log(1 - inside)))


def auc(scores: Floats, labels: Floats) -> float:
    """The chance that a rise was given a higher score than a fall; equal scores count half."""
    ones = int(labels.sum())
    zeros = len(labels) - ones
    if not ones or not zeros:
        raise InvalidArgument("an AUC needs both outcomes")
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    mean_ranks = np.cumsum(counts) - (counts - 1) / 2
    total = float(mean_ranks[inverse][labels == 1].sum())
    return (total - ones * (ones + 1) / 2) / (ones * zeros)


def reliability(probabilities: Floats, labels: Floats, bins: int = 5) -> tuple[ReliabilityBin, ...]:
    """Bins of equally many calls, in order of the forecast."""
    order = np.argsort(probabilities, kind="stable")
    return tuple(
        ReliabilityBin(float(probabilities[part].mean()), float(labels[part].mean()), len(part))
        for part in np.array_split(order, bins)
        if len(part)
    )


def reliability_slope(probabilities: Floats, labels: Floats) -> float | None:
    """None if the forecasts or the outcomes are all the same."""
    scores = logit(probabilities)
    if float(np.ptp(scores)) < 1e-9 or labels.min() == labels.max() or len(labels) < 10:
        return None
    fitted = fit(scores[:, None], labels, l2=1e-6)
    return float(fitted.weights[0] / fitted.scale[0])


def sharpe_deviation(sharpe: float, skewness: float, kurtosis: float, count: int) -> float:
    """Standard error of a Sharpe ratio per period: sqrt((1 - g3 SR + (g4 - 1) / 4 SR^2) / (n - 1))."""
    variance = 1 - skewness * sharpe + (kurtosis - 1) / 4 * sharpe**2
    return math.sqrt(max(variance, 1e-12) / (count - 1))


def probabilistic_sharpe(returns: Floats, above: float = 0.0) -> float:
    """The chance that the true Sharpe ratio per period is above a value, for returns that are not normal."""
    deviation = float(returns.std(ddof=1)) if len(returns) > 2 else 0.0
    if deviation == 0:
        return 0.5
    standard = (returns - returns.mean()) / returns.std()
    sharpe = float(returns.mean()) / deviation
    error = sharpe_deviation(sharpe, float((standard**3).mean()), float((standard**4).mean()), len(returns))
    return _NORMAL.cdf((sharpe - above) / error)


def best_sharpe_by_luck(trials: int, count: int) -> float:
    """Expected maximum of the Sharpe ratios per period of so many trials without skill.

    sqrt(Var) x ((1 - g) Z(1 - 1/N) + g Z(1 - 1/(N e))), g = 0.5772, Var = 1 / (n - 1) without skill.
    """
    if trials < 1 or count < 3:
        raise InvalidArgument(f"trials from 1 and returns from 3, not {trials} and {count}")
    if trials == 1:
        return 0.0
    quantiles = [_NORMAL.inv_cdf(1 - 1 / trials), _NORMAL.inv_cdf(1 - 1 / (trials * math.e))]
    return math.sqrt(1 / (count - 1)) * ((1 - EULER) * quantiles[0] + EULER * quantiles[1])


def deflated_sharpe(returns: Floats, trials: int) -> float:
    """The chance that the Sharpe ratio is above the best of so many lucky trials."""
    return probabilistic_sharpe(returns, best_sharpe_by_luck(trials, len(returns)))


def position_returns(
    positions: Floats, results: Floats, funding: Floats, cost_bps_a_side: float
) -> tuple[Floats, Floats]:
    """Gross and net log returns a call: positions of -1, 0 or 1, costs on a change, funding paid by longs."""
    gross = positions * results
    changes = np.abs(np.diff(np.concatenate([[0.0], positions])))
    return gross, gross - changes * cost_bps_a_side / 10_000 - positions * funding


def annual_sharpe(returns: Floats, periods_a_year: float) -> float:
    deviation = float(returns.std(ddof=1)) if len(returns) > 1 else 0.0
    return float(returns.mean()) / deviation * math.sqrt(periods_a_year) if deviation > 0 else 0.0


def evaluate(
    *,
    probabilities: Floats,
    base_rates: Floats,
    labels: Floats,
    results: Floats,
    funding: Floats,
    positions: Floats,
    periods_a_year: float,
    trials: int,
    cost_bps_a_side: float,
) -> Evaluation:
    """All scores of one series of calls that do not overlap."""
    if len(labels) < 30:
        raise InvalidArgument(f"{len(labels)} calls say nothing; 30 are the least")
    gross, net = position_returns(positions, results, funding, cost_bps_a_side)
    return Evaluation(
        calls=len(labels),
        brier=brier(probabilities, labels),
        base_rate_brier=brier(base_rates, labels),
        log_loss=log_loss(probabilities, labels),
        base_rate_log_loss=log_loss(base_rates, labels),
        auc=auc(probabilities, labels),
        accuracy=float(np.mean((probabilities > 0.5) == (labels == 1))),
        reliability=reliability(probabilities, labels),
        reliability_slope=reliability_slope(probabilities, labels),
        views=int(np.count_nonzero(positions)),
        gross_sharpe=annual_sharpe(gross, periods_a_year),
        net_sharpe=annual_sharpe(net, periods_a_year),
        probabilistic_sharpe=probabilistic_sharpe(net),
        deflated_sharpe=deflated_sharpe(net, trials),
        trials=trials,
        cost_bps_a_side=cost_bps_a_side,
    )
