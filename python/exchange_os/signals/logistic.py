"""L2 logistic regression by Newton's method, and its calibration."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from exchange_os.errors import InvalidArgument
from exchange_os.signals.bars import Floats

STEPS_MAX = 100
LOGIT_MAX = 30.0


def sigmoid(values: Floats) -> Floats:
    return 1.0 / (1.0 + np.exp(-np.clip(values, -LOGIT_MAX, LOGIT_MAX)))


def logit(probabilities: Floats) -> Floats:
    inside = np.clip(probabilities, 1e-9, 1 - 1e-9)
    return np.log(inside / (1 - inside))


@dataclass(frozen=True)
class Logistic:
    """Weights of standardised features, and how they were standardised."""

    mean: Floats
    scale: Floats
    weights: Floats
    intercept: float

    def score(self, features: Floats) -> Floats:
        """The logit of the probability of 1, a row each."""
        scores: Floats = (features - self.mean) / self.scale @ self.weights + self.intercept
        return scores

    def probability(self, features: Floats) -> Floats:
        return sigmoid(self.score(features))


def fit(features: Floats, labels: Floats, l2: float) -> Logistic:
    """Minimises -log likelihood + l2 / 2 x |weights|^2; the intercept is not penalised.

    A feature that does not vary gets no weight. Refuses what cannot be fitted: too few rows, one class only,
    numbers that are not finite, `l2` not above 0 (without it separable data has no minimum).
    """
    rows, count = features.shape
    if rows != len(labels) or rows < count + 2:
        raise InvalidArgument(f"{rows} rows with {len(labels)} labels cannot fit {count} features")
    if not l2 > 0 or not np.isfinite(features).all() or not np.isin(labels, (0.0, 1.0)).all():
        raise InvalidArgument("finite features, labels of 0 and 1, and an l2 above 0 are needed")
    if labels.min() == labels.max():
        raise InvalidArgument("all labels are the same: there is nothing to tell apart")
    mean, scale = features.mean(axis=0), features.std(axis=0)
    varies = scale > 1e-12 * np.maximum(1.0, np.abs(mean))
    scale = np.where(varies, scale, 1.0)
    standard = np.where(varies, (features - mean) / scale, 0.0)
    design = np.column_stack([standard, np.ones(rows)])
    penalty = np.append(np.full(count, l2), 0.0)
    solution = np.zeros(count + 1)
    for _ in range(STEPS_MAX):
        chance = sigmoid(design @ solution)
        gradient = design.T @ (chance - labels) + penalty * solution
        curvature = (design * (chance * (1 - chance))[:, None]).T @ design + np.diag(penalty)
        step = np.linalg.solve(curvature + 1e-12 * np.eye(count + 1), gradient)
        longest = float(np.abs(step).max())
        solution = solution - step * min(1.0, 5.0 / longest if longest > 0 else 1.0)
        if longest < 1e-10:
            break
    return Logistic(mean, scale, solution[:-1], float(solution[-1]))


@dataclass(frozen=True, slots=True)
class Calibration:
    """Platt's sigmoid: probability = sigmoid(slope x score + intercept). A slope of 0: scores say nothing."""

    slope: float
    intercept: float

    def probability(self, scores: Floats) -> Floats:
        return sigmoid(self.slope * scores + self.intercept)


def calibrate(scores: Floats, labels: Floats) -> Calibration:
    """Fitted on calls that the model was not fitted on.

    A score that points the wrong way there is worth nothing, not its reverse: the base rate is what is left.
    """
    ones = float(labels.sum())
    base = (ones + 1) / (len(labels) + 2)
    flat = Calibration(0.0, math.log(base / (1 - base)))
    if len(labels) < 10 or labels.min() == labels.max() or float(np.ptp(scores)) == 0:
        return flat
    fitted = fit(scores[:, None], labels, l2=1.0)
    slope = float(fitted.weights[0] / fitted.scale[0])
    if slope <= 0:
        return flat
    return Calibration(slope, fitted.intercept - slope * float(fitted.mean[0]))
