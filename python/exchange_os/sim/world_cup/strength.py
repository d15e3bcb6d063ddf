"""Team strength: prior ratings, match probabilities, and the update after each result.

Formulas
    rating difference   d = R_home - R_away + host bonus (a host nation in its own country)
    expected goals      home = m * exp(b * d / 2), away = m * exp(-b * d / 2), independent Poisson,
                        cut at 9 goals and normalised. m = 1.32 is about half of the 2.6 to 2.7 goals
                        of recent World Cup matches; b = 0.0034 per point makes the expected score
                        P(win) + P(draw) / 2 follow Elo's within 0.07, a little flatter.
    knock-out           drawn after 90 minutes: a third of the expected goals in extra time, then a
                        shoot-out at even odds.
    Elo update          R' = R +- K * G * (W - We), We = 1 / (1 + 10 ** (-d / 400)), G = 1, 1.5,
                        (11 + margin) / 8 for a margin of up to 1, 2, more; W = 1, 0.5, 0, a shoot-out
                        counting as a draw: the World Football Elo Ratings' form. They use K = 60 at a
                        World Cup; K = 40 here moves prices less on one result.

Every value comes from additions, multiplications and divisions of float64 in a fixed order (the
exponential too), which IEEE 754 defines to the last bit: the same inputs give the same bits on any
machine. No BLAS, no libm, no reductions whose order numpy may choose.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .facts import FactsError, Match, TournamentFacts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

RATINGS_PATH = Path(__file__).with_name("ratings.toml")
MAX_GOALS = 9
HOST_COUNTRIES = ("CAN", "MEX", "USA")
_LOG_10 = 2.302585092994046

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class StrengthParameters:
    """Constants of the formulas above. Ratings and bonus in rating points."""

    goals_per_team: float = 1.32
    log_goals_per_point: float = 0.0034
    host_bonus_points: float = 70.0
    extra_time_share: float = 1.0 / 3.0
    elo_k_points: float = 40.0


@dataclass(frozen=True, slots=True)
class MatchProbabilities:
    """Probabilities of one match; they sum to 1. In a knock-out match `draw` is exactly 0 and `home`
    is the probability that the home side goes through."""

    home: float
    draw: float
    away: float


@dataclass(frozen=True, slots=True)
class StrengthModel:
    """Ratings of all teams at one moment. Immutable: `after` returns the next model.

    rating_points: shape (48,), in the order of `facts.teams`; read-only.
    seeding: shape (48,), place of each team by prior rating, 0 best. It stands in for the FIFA ranking
        as the last tie-break of a table and does not change with results.
    """

    facts: TournamentFacts
    rating_points: Floats
    seeding: NDArray[np.int64]
    parameters: StrengthParameters = StrengthParameters()

    @classmethod
    def prior(
        cls,
        facts: TournamentFacts,
        path: Path = RATINGS_PATH,
        parameters: StrengthParameters | None = None,
    ) -> StrengthModel:
        """The model before the first match, from a ratings file."""
        ratings = np.array(load_ratings(facts, path), dtype=np.float64)
        order = np.argsort(-ratings, kind="stable")
        seeding = np.empty(len(order), dtype=np.int64)
        seeding[order] = np.arange(len(order))
        for array in (ratings, seeding):
            array.flags.writeable = False
        return cls(facts, ratings, seeding, parameters or StrengthParameters())

    def difference_points(self, match: Match) -> float:
        """Rating difference home minus away, with the host bonus of the venue."""
        rating, index = self.rating_points, self.facts.team_index
        bonus = self.parameters.host_bonus_points
        hosts = (match.home == match.venue_country) - (match.away == match.venue_country)
        return float(rating[index[match.home]] - rating[index[match.away]]) + bonus * hosts

    def match_probabilities(self, match: Match) -> MatchProbabilities:
        """Home, draw, away for a group match; going through for a knock-out match. Uses the match's
        sides, round and venue, not its result."""
        return self.all_match_probabilities([match])[match.number]

    def all_match_probabilities(self, matches: Sequence[Match]) -> dict[int, MatchProbabilities]:
        """`match_probabilities` of several matches at once, by number."""
        difference = np.array([self.difference_points(match) for match in matches], dtype=np.float64)
        advance = advance_probability(difference, self.parameters).tolist()
        outcomes = outcome_probabilities(*expected_goals(difference, self.parameters))
        rows = zip(matches, advance, *(outcome.tolist() for outcome in outcomes), strict=True)
        return {
            match.number: MatchProbabilities(through, 0.0, 1.0 - through)
            if match.is_knock_out
            else MatchProbabilities(win, draw, loss)
            for match, through, win, draw, loss in rows
        }

    def after(self, match: Match) -> StrengthModel:
        """The model once the match's result is known: both sides move by the same points."""
        home_goals, away_goals = match.goals
        margin = abs(home_goals - away_goals)
        weight = 1.0 if margin < 2 else 1.5 if margin == 2 else (11.0 + margin) / 8.0
        score = 0.5 if margin == 0 else 1.0 if home_goals > away_goals else 0.0
        exponent = np.array([self.difference_points(match) * _LOG_10 / 400.0])
        odds = float(exponential(exponent)[0])
        gain = self.parameters.elo_k_points * weight * (score - odds / (1.0 + odds))
        ratings = self.rating_points.copy()
        ratings[self.facts.team_index[match.home]] += gain
        ratings[self.facts.team_index[match.away]] -= gain
        ratings.flags.writeable = False
        return replace(self, rating_points=ratings)

    def after_all(self, matches: Iterable[Match]) -> StrengthModel:
        """`after` for each match in turn."""
        model = self
        for match in matches:
            model = model.after(match)
        return model

    def perturbed(self, seed: int, spread_points: int) -> StrengthModel:
        """A second opinion: every rating moved by a seeded draw of mean 0, roughly bell-shaped, with a
        standard deviation of about `spread_points`. Gives each market maker its own view."""
        words = np.random.PCG64(seed).random_raw(len(self.rating_points))
        total = np.zeros(len(words), dtype=np.int64)
        for shift in (0, 16, 32, 48):
            total += ((words >> np.uint64(shift)) & np.uint64(0xFFFF)).astype(np.int64)
        # The sum of four uniforms on [0, 65535] has mean 131070 and standard deviation 37836.6.
        ratings = self.rating_points + (total - 131070) * spread_points / 37837.0
        ratings.flags.writeable = False
        return replace(self, rating_points=ratings)


def load_ratings(facts: TournamentFacts, path: Path = RATINGS_PATH) -> list[float]:
    """Prior rating points in the order of `facts.teams`; raises `FactsError` naming file and field."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise FactsError(path, "(syntax)", str(error)) from error
    if document.get("format") != 1:
        raise FactsError(path, "format", f"{document.get('format')!r}, expected 1")
    table = document.get("rating_points")
    if not isinstance(table, dict):
        raise FactsError(path, "rating_points", "missing")
    if unknown := sorted(set(table) - set(facts.team_index)):
        raise FactsError(path, f"rating_points.{unknown[0]}", "no such team")
    ratings = []
    for team in facts.teams:
        points = table.get(team.code)
        if isinstance(points, bool) or not isinstance(points, int | float) or not 0 < points < 4000:
            raise FactsError(path, f"rating_points.{team.code}", f"{points!r}, expected points in (0, 4000)")
        ratings.append(float(points))
    return ratings


def exponential(x: Floats) -> Floats:
    """exp(x) from arithmetic alone: the [3/3] Pade approximant at x / 8, to the eighth power.
    Relative error below 1e-4 for |x| <= 8; exponential(x) * exponential(-x) is 1 but for rounding."""
    y = x / 8.0
    square = y * y
    even, odd = 120.0 + 12.0 * square, y * (60.0 + square)
    root = (even + odd) / (even - odd)
    root = root * root
    root = root * root
    return root * root


def expected_goals(difference_points: Floats, parameters: StrengthParameters) -> tuple[Floats, Floats]:
    """Expected goals of both sides in 90 minutes; the shapes of the input. The difference is bounded
    to 800 points, where the stronger side expects about 5 goals."""
    bounded = np.minimum(np.maximum(difference_points, -800.0), 800.0)
    ratio = exponential(bounded * (parameters.log_goals_per_point / 2.0))
    return parameters.goals_per_team * ratio, parameters.goals_per_team / ratio


def goal_probabilities(expected: Floats) -> list[Floats]:
    """Poisson probabilities of 0 to `MAX_GOALS` goals, normalised: p_k ~ expected ** k / k!, which
    needs no exponential. A list over k of arrays shaped like the input."""
    terms = [np.ones_like(expected)]
    for goals in range(1, MAX_GOALS + 1):
        terms.append(terms[-1] * expected / goals)
    total = np.zeros_like(expected)
    for term in terms:
        total = total + term
    return [term / total for term in terms]


def outcome_probabilities(home_goals: Floats, away_goals: Floats) -> tuple[Floats, Floats, Floats]:
    """P(home win), P(draw), P(away win) from the expected goals of both sides; same shapes."""
    home, away = goal_probabilities(home_goals), goal_probabilities(away_goals)
    win, draw, loss = (np.zeros_like(home_goals) for _ in range(3))
    home_below, away_below = np.zeros_like(home_goals), np.zeros_like(home_goals)
    for goals in range(MAX_GOALS + 1):
        win = win + home[goals] * away_below
        draw = draw + home[goals] * away[goals]
        loss = loss + away[goals] * home_below
        home_below = home_below + home[goals]
        away_below = away_below + away[goals]
    return win, draw, loss


def advance_probability(difference_points: Floats, parameters: StrengthParameters) -> Floats:
    """Probability that the home side of a knock-out match goes through; the shape of the input."""
    home, away = expected_goals(difference_points, parameters)
    win, draw, _ = outcome_probabilities(home, away)
    share = parameters.extra_time_share
    extra_win, extra_draw, _ = outcome_probabilities(home * share, away * share)
    return win + draw * (extra_win + extra_draw * 0.5)
