"""Conditional tournament simulation: the rest of the tournament, many times, given the results so far.

Each run draws every unplayed group match as a scoreline, ranks the groups by the 2026 rules (see
`standings`, whose plain version the tests compare with this one), allocates the eight best third-placed
teams (see `bracket`) and plays the bracket to the champion. All runs are done at once with numpy.

A scoreline or a knock-out result is one 16-bit draw against integer thresholds, and the draws of a
(match, run) never change during the life of a `TournamentSimulator`: common random numbers. So two
forecasts differ because ratings or results differ, not by fresh sampling noise, and a team's
probability moves smoothly as its rating does. Draws are PCG64's raw words, whose stream numpy keeps
stable across versions and machines.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .bracket import knock_out_slots, match_feeders, third_place_allocation, third_place_slots
from .strength import (
    HOST_COUNTRIES,
    MAX_GOALS,
    Floats,
    MatchProbabilities,
    StrengthModel,
    advance_probability,
    expected_goals,
    goal_probabilities,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .facts import Match, TournamentFacts

GROUPS, TEAMS_PER_GROUP, GROUP_MATCHES, MATCHES = 12, 4, 72, 104
PAIRS = ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))
DRAW_LEVELS = 1 << 16

# A team's result as one integer, so that adding integers adds all three and comparing them compares
# points, then goal difference, then goals: at most 9 points, 27 goals either way.
POINT, DIFFERENCE, OFFSET, RESULT_LEVELS = 1 << 14, 1 << 7, 1 << 13, 1 << 18

Ints = NDArray[np.int32]
Teams = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Forecast:
    """What the runs say. Counts divided by `runs` are probabilities; the standard error of p is
    sqrt(p * (1 - p) / runs).

    champion_counts: shape (48,), order of `facts.teams`; sums to `runs`. An eliminated team has 0.
    group_winner_counts: shape (12, 4), groups and teams in draw order; each row sums to `runs`.
    match_probabilities: by number, every unplayed match whose two sides are known; not sampled.
    """

    runs: int
    champion_counts: NDArray[np.int64]
    group_winner_counts: NDArray[np.int64]
    match_probabilities: Mapping[int, MatchProbabilities]

    @property
    def champion(self) -> Floats:
        """Probability of winning the tournament, shape (48,)."""
        return self.champion_counts / np.float64(self.runs)

    @property
    def group_winner(self) -> Floats:
        """Probability of winning the group, shape (12, 4)."""
        return self.group_winner_counts / np.float64(self.runs)


class TournamentSimulator:
    """Holds what does not change between forecasts: structure, third-place table, random draws.

    Memory is about 2 * 104 * runs bytes. `seed` fixes every draw.
    """

    def __init__(self, facts: TournamentFacts, runs: int = 10_000, seed: int = 2026) -> None:
        if runs < 1:
            raise ValueError(f"runs: {runs}, expected at least 1")
        self.facts, self.runs = facts, runs
        self._draws = _raw_draws(seed, MATCHES, runs)
        self._group_teams = np.array([[facts.team_index[code] for code in g.teams] for g in facts.groups])
        self._allocation = third_place_allocation(facts)
        self._third_slots = third_place_slots(facts)
        self._feeders = {match.number: match_feeders(match, facts) for match in facts.matches}
        self._codes_by_margin, self._results = _scorelines()

    def forecast(self, model: StrengthModel, results: Iterable[Match]) -> Forecast:
        """Simulate what the given results leave open, at the model's ratings.

        `results` are matches already over, in any order, read for their sides and score; the caller
        passes the model updated by the same results (`StrengthModel.after`)."""
        over = {match.number: match for match in results}
        places, totals = self._rank_groups(*self._group_results(model, over), model.seeding)
        slots = self._first_slots(places, totals, model.seeding)
        sides = self._play_bracket(model, over, slots)
        return Forecast(
            runs=self.runs,
            champion_counts=np.bincount(slots["W104"], minlength=len(self.facts.teams)),
            group_winner_counts=np.stack([np.bincount(row, minlength=TEAMS_PER_GROUP) for row in places[0]]),
            match_probabilities=self._known_matches(model, over, sides),
        )

    def _group_results(self, model: StrengthModel, over: Mapping[int, Match]) -> tuple[Ints, Ints]:
        """Packed results of the first and the second team of each pair, each of shape (6, 12, runs)."""
        first = np.empty((len(PAIRS), GROUPS, self.runs), dtype=np.int32)
        second = np.empty_like(first)
        matches = self.facts.group_stage
        unplayed = [match for match in matches if match.number not in over]
        row_of = {match.number: row for row, match in enumerate(unplayed)}
        lines = _scoreline_tables(model, unplayed, self._codes_by_margin)
        for match in matches:
            group = ord(match.group or "A") - ord("A")
            teams = self.facts.groups[group].teams
            home, away = teams.index(match.home), teams.index(match.away)
            pair = PAIRS.index((min(home, away), max(home, away)))
            home_results, away_results = (first, second) if home < away else (second, first)
            if match.number in over:
                home_goals, away_goals = over[match.number].goals_90
                home_results[pair, group] = _packed_result(home_goals, away_goals)
                away_results[pair, group] = _packed_result(away_goals, home_goals)
            else:
                codes = lines[row_of[match.number]][self._draws[match.number - 1]]
                home_results[pair, group] = self._results[0][codes]
                away_results[pair, group] = self._results[1][codes]
        return first, second

    def _rank_groups(self, first: Ints, second: Ints, seeding: NDArray[np.int64]) -> tuple[Teams, Ints]:
        """Draw position (0 to 3) of the team in each place, and its packed total over the group; both
        of shape (4, 12, runs), best place first. Rules and their order: see `standings`."""
        totals = np.full((TEAMS_PER_GROUP, GROUPS, self.runs), OFFSET, dtype=np.int32)
        for pair, (one, two) in enumerate(PAIRS):
            totals[one] += first[pair]
            totals[two] += second[pair]
        worse_than = _count_better(totals >> 14)
        for _ in range(TEAMS_PER_GROUP - 1):  # criteria (a) to (c), again while they separate some
            between = np.full_like(totals, OFFSET)
            for pair, (one, two) in enumerate(PAIRS):
                level = worse_than[one] == worse_than[two]
                between[one] += first[pair] * level
                between[two] += second[pair] * level
            worse_than = _count_better(between - worse_than * RESULT_LEVELS)
        seeds = np.argsort(np.argsort(seeding[self._group_teams], axis=1), axis=1).T.astype(np.int32)
        overall = (totals & (POINT - 1)) * TEAMS_PER_GROUP - seeds[:, :, None]
        place = _count_better(overall - worse_than * (POINT * TEAMS_PER_GROUP * 2))
        teams = np.zeros(totals.shape, dtype=np.intp)
        ordered = np.zeros_like(totals)
        for rank in range(TEAMS_PER_GROUP):
            for team in range(TEAMS_PER_GROUP):
                here = place[team] == rank
                teams[rank] += here * np.intp(team)
                ordered[rank] += here * totals[team]
        return teams, ordered

    def _first_slots(self, places: Teams, totals: Ints, seeding: NDArray[np.int64]) -> dict[str, Teams]:
        """Teams (index in `facts.teams`, shape (runs,)) of every slot of the round of 32."""
        rows = np.arange(GROUPS)[:, None]
        winners, runners_up, thirds = (self._group_teams[rows, places[rank]] for rank in range(3))
        slots: dict[str, Teams] = {}
        for row, group in enumerate(self.facts.groups):
            slots["1" + group.name], slots["2" + group.name] = winners[row], runners_up[row]
        key = totals[2] * len(self.facts.teams) - seeding[thirds].astype(np.int32)
        better = np.zeros((GROUPS, self.runs), dtype=np.int8)
        for one in range(GROUPS):
            for two in range(one + 1, GROUPS):
                ahead = key[one] > key[two]
                better[two] += ahead
                better[one] += ~ahead
        mask = np.zeros(self.runs, dtype=np.intp)
        for row in range(GROUPS):
            mask |= (better[row] < len(self._third_slots)).astype(np.intp) << row
        runs = np.arange(self.runs)
        for column, slot in enumerate(self._third_slots):
            slots[slot] = thirds[self._allocation[mask, column], runs]
        return slots

    def _play_bracket(
        self, model: StrengthModel, over: Mapping[int, Match], slots: dict[str, Teams]
    ) -> dict[int, tuple[Teams, Teams]]:
        """Play matches 73 to 104, adding `W` and `L` slots; returns the sides of each match."""
        thresholds = _advance_thresholds(model)
        index, sides = self.facts.team_index, {}
        for match in self.facts.matches[GROUP_MATCHES:]:
            home, away = (slots[slot] for slot in knock_out_slots(match))
            sides[match.number] = home, away
            result = over.get(match.number)
            if result is not None:
                winner = np.full(self.runs, index[result.outcome], dtype=np.intp)
                loser = np.full(self.runs, index[result.loser or ""], dtype=np.intp)
            else:
                venue = thresholds[HOST_COUNTRIES.index(match.venue_country)]
                home_wins = self._draws[match.number - 1] < venue[home * len(index) + away]
                winner, loser = np.where(home_wins, home, away), np.where(home_wins, away, home)
            slots[f"W{match.number}"], slots[f"L{match.number}"] = winner, loser
        return sides

    def _known_matches(
        self, model: StrengthModel, over: Mapping[int, Match], sides: Mapping[int, tuple[Teams, Teams]]
    ) -> dict[int, MatchProbabilities]:
        """Probabilities of the unplayed matches all of whose feeding matches are over."""
        known: list[Match] = []
        for match in self.facts.matches:
            if match.number in over or not self._feeders[match.number] <= over.keys():
                continue
            if match.is_knock_out:
                home, away = (self.facts.teams[int(side[0])].code for side in sides[match.number])
                known.append(match.model_copy(update={"home": home, "away": away}))
            else:
                known.append(match)
        return model.all_match_probabilities(known)


def _raw_draws(seed: int, rows: int, columns: int) -> NDArray[np.uint16]:
    """Seeded 16-bit draws of shape (rows, columns): the four quarters of each 64-bit word, low first."""
    words = np.random.PCG64(seed).random_raw((rows * columns + 3) // 4)
    quarters = [(words >> np.uint64(shift)) & np.uint64(0xFFFF) for shift in (0, 16, 32, 48)]
    return np.stack(quarters, axis=1).astype(np.uint16).ravel()[: rows * columns].reshape(rows, columns)


def _packed_result(own: int, other: int) -> int:
    points = 3 if own > other else 1 if own == other else 0
    return points * POINT + (own - other) * DIFFERENCE + own


def _scorelines() -> tuple[list[tuple[int, int]], tuple[Ints, Ints]]:
    """All scorelines up to `MAX_GOALS` each, best for the home side first, and the packed result of
    each for the home and for the away side. In this order a draw maps monotonically to the margin."""
    goals = range(MAX_GOALS + 1)
    lines = sorted(((h, a) for h in goals for a in goals), key=lambda line: (line[1] - line[0], line))
    home = np.array([_packed_result(h, a) for h, a in lines], dtype=np.int32)
    away = np.array([_packed_result(a, h) for h, a in lines], dtype=np.int32)
    return lines, (home, away)


def _scoreline_tables(
    model: StrengthModel, matches: list[Match], lines: list[tuple[int, int]]
) -> NDArray[np.uint8]:
    """For each match, the scoreline (position in `lines`) of each of the 65,536 draws: (matches, 65536)."""
    difference = np.array([model.difference_points(match) for match in matches], dtype=np.float64)
    home, away = (goal_probabilities(goals) for goals in expected_goals(difference, model.parameters))
    bounds = np.zeros((len(matches), len(lines) + 1), dtype=np.int64)
    reached = np.zeros(len(matches))
    for column, (home_goals, away_goals) in enumerate(lines, start=1):
        reached = reached + home[home_goals] * away[away_goals]
        bounds[:, column] = np.floor(reached * DRAW_LEVELS + 0.5)
    bounds[:, -1] = DRAW_LEVELS
    positions = np.tile(np.arange(len(lines), dtype=np.uint8), len(matches))
    widths = np.diff(bounds, axis=1).ravel()
    return np.repeat(positions, widths).reshape(len(matches), DRAW_LEVELS)


def _advance_thresholds(model: StrengthModel) -> NDArray[np.int32]:
    """Draws below the threshold let the home side through. Shape (3 host countries, 48 * 48)."""
    index, bonus = model.facts.team_index, model.parameters.host_bonus_points
    hosts = np.zeros((len(HOST_COUNTRIES), len(index)))
    for row, country in enumerate(HOST_COUNTRIES):
        hosts[row, index[country]] = bonus
    rating = model.rating_points + hosts
    probability = advance_probability(rating[:, :, None] - rating[:, None, :], model.parameters)
    levels = np.floor(probability * DRAW_LEVELS + 0.5).astype(np.int32)
    return np.clip(levels, 1, DRAW_LEVELS - 1).reshape(len(HOST_COUNTRIES), -1)


def _count_better(key: Ints) -> Ints:
    """For each of the four teams, how many have a larger key. Shape (4, ...) in and out."""
    better = np.zeros_like(key)
    for one, two in PAIRS:
        better[one] += key[two] > key[one]
        better[two] += key[one] > key[two]
    return better
