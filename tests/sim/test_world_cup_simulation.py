"""Tournament forecasts: distributions, elimination, reproducibility, agreement with the plain rules."""

from __future__ import annotations

import hashlib
import random
import time
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest

from exchange_os.sim.world_cup import (
    Forecast,
    StrengthModel,
    TournamentFacts,
    TournamentSimulator,
    load_facts,
)
from exchange_os.sim.world_cup.bracket import match_feeders
from exchange_os.sim.world_cup.standings import group_tiers, standing, third_place_tiers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exchange_os.sim.world_cup import Match, MatchProbabilities

RUNS = 2_000


@cache
def world() -> tuple[TournamentFacts, StrengthModel, TournamentSimulator]:
    facts = load_facts()
    return facts, StrengthModel.prior(facts), TournamentSimulator(facts, runs=RUNS, seed=2026)


def in_playing_order(facts: TournamentFacts) -> list[Match]:
    return sorted(facts.matches, key=lambda match: (match.final_whistle_utc, match.number))


@cache
def replay() -> tuple[Forecast, ...]:
    """The forecast before the tournament and after each of its 104 matches."""
    facts, model, simulator = world()
    forecasts, over = [simulator.forecast(model, [])], []
    for match in in_playing_order(facts):
        model = model.after(match)
        over.append(match)
        forecasts.append(simulator.forecast(model, over))
    return tuple(forecasts)


def test_counts_are_distributions_after_every_match() -> None:
    for forecast in replay():
        assert forecast.champion_counts.sum() == RUNS
        assert forecast.champion.sum() == pytest.approx(1, abs=1e-12)
        assert (forecast.group_winner_counts.sum(axis=1) == RUNS).all()
        for p in forecast.match_probabilities.values():
            assert p.home + p.draw + p.away == pytest.approx(1, abs=1e-12)


def test_the_eliminated_have_exactly_nothing() -> None:
    facts, _, _ = world()
    out: set[str] = set()
    reached = {code for match in facts.matches[72:] for code in (match.home, match.away)}
    for position, match in enumerate(in_playing_order(facts), start=1):
        if match.is_knock_out and match.number != 103 and match.loser is not None:
            out.add(match.loser)
        if position == 72:
            out |= {team.code for team in facts.teams} - reached
        counts = replay()[position].champion_counts
        assert all(counts[facts.team_index[code]] == 0 for code in out), match.number
    assert len(out) == 47
    assert replay()[-1].champion[facts.team_index["ESP"]] == 1.0


def test_a_finished_group_is_certain() -> None:
    facts, _, _ = world()
    forecast = replay()[72]
    winners = [
        group.teams[int(row.argmax())] for group, row in zip(facts.groups, forecast.group_winner, strict=True)
    ]
    assert (forecast.group_winner.max(axis=1) == 1.0).all()
    assert winners == ["MEX", "SUI", "BRA", "USA", "GER", "NED", "BEL", "ESP", "FRA", "ARG", "COL", "ENG"]


def test_matches_become_known_when_their_feeders_are_over() -> None:
    facts, _, _ = world()
    over: set[int] = set()
    for position, match in enumerate([None, *in_playing_order(facts)]):
        over |= {match.number} if match else set()
        known = {m.number for m in facts.matches if m.number not in over and match_feeders(m, facts) <= over}
        assert replay()[position].match_probabilities.keys() == known


def test_known_sides_are_the_real_ones() -> None:
    """After the group stage the rules and the published allocation give the real round of 32."""
    facts, model, simulator = world()
    after_groups = model.after_all(in_playing_order(facts)[:72])
    forecast = simulator.forecast(after_groups, facts.group_stage)
    for match in facts.matches[72:88]:
        assert forecast.match_probabilities[match.number] == after_groups.match_probabilities(match)


def test_same_seed_same_bits_other_seed_other_draws() -> None:
    facts, model, simulator = world()
    twin = TournamentSimulator(facts, runs=RUNS, seed=2026).forecast(model, [])
    other = TournamentSimulator(facts, runs=RUNS, seed=2027).forecast(model, [])
    assert np.array_equal(twin.champion_counts, simulator.forecast(model, []).champion_counts)
    assert np.array_equal(twin.group_winner_counts, replay()[0].group_winner_counts)
    assert not np.array_equal(twin.champion_counts, other.champion_counts)
    assert np.abs(twin.champion - other.champion).max() < 0.06


def test_golden_counts() -> None:
    """The same counts on every machine: arithmetic and draws are fixed to the last bit. A change of
    ratings, formulas or draw order changes this value, and nothing else may."""
    digest = hashlib.sha256()
    for forecast in replay():
        digest.update(forecast.champion_counts.astype("<i8").tobytes())
        digest.update(forecast.group_winner_counts.astype("<i8").tobytes())
    assert digest.hexdigest()[:16] == "a7a579b90eed9dc9"


def test_order_of_results_does_not_matter() -> None:
    facts, model, simulator = world()
    over = list(facts.matches[:90])
    forward = simulator.forecast(model, over).champion_counts
    assert np.array_equal(forward, simulator.forecast(model, over[::-1]).champion_counts)


def test_a_better_rating_never_hurts_much_and_a_win_helps() -> None:
    facts, model, simulator = world()
    opening = facts.match_number(1)
    won = simulator.forecast(model.after(opening), [opening])
    lost_result = opening.model_copy(update={"goals_90": (0, 2), "winner": opening.away})
    lost = simulator.forecast(model.after(lost_result), [lost_result])
    mexico = facts.team_index["MEX"]
    assert won.champion[mexico] > lost.champion[mexico]
    assert won.group_winner[0, 0] > replay()[0].group_winner[0, 0] > lost.group_winner[0, 0]


def test_sampled_matches_agree_with_their_probabilities() -> None:
    """Colombia v Portugal left to play decides group K: the sampled group winners follow its odds."""
    facts, model, simulator = world()
    over = [match for match in facts.group_stage if match.number != 69]
    forecast = simulator.forecast(model, over)
    match = facts.match_number(69)
    group = ord(match.group or "A") - ord("A")
    implied = np.zeros(4)
    p = model.match_probabilities(match)
    for goals, probability in (((1, 0), p.home), ((0, 0), p.draw), ((0, 1), p.away)):
        final = match.model_copy(update={"goals_90": goals})
        members = [m if m.number != match.number else final for m in facts.group_matches(match.group or "A")]
        leader = group_tiers(facts.groups[group].teams, members)[0][0]
        implied[facts.groups[group].teams.index(leader)] += probability
    assert 0.1 < implied.max() < 0.9
    assert np.abs(forecast.group_winner[group] - implied).max() < 4 * np.sqrt(0.25 / RUNS)


def random_group_stages(count: int) -> Iterator[list[Match]]:
    """Low scores, so that ties of two, three and four teams are frequent."""
    facts, _, _ = world()
    source = random.Random(20260611)
    for _ in range(count):
        yield [
            match.model_copy(update={"goals_90": (source.choice((0, 0, 1, 2)), source.choice((0, 0, 1, 2)))})
            for match in facts.group_stage
        ]


def test_vectorised_tables_agree_with_the_plain_rules() -> None:
    """720 random groups: every place, and the eight thirds, with prior rating as the last tie-break."""
    facts, model, _ = world()
    simulator = TournamentSimulator(facts, runs=1)
    seed = {code: int(model.seeding[index]) for code, index in facts.team_index.items()}
    ties = 0
    for stage in random_group_stages(60):
        over = {match.number: match for match in stage}
        places, totals = simulator._rank_groups(*simulator._group_results(model, over), model.seeding)
        thirds = []
        for row, group in enumerate(facts.groups):
            matches = [match for match in stage if match.group == group.name]
            tiers = group_tiers(group.teams, matches)
            ties += len(tiers) < 4
            expected = [code for tier in tiers for code in sorted(tier, key=seed.__getitem__)]
            assert [group.teams[place] for place in places[:, row, 0]] == expected
            thirds.append(standing(expected[2], matches))
        best = [code for t in third_place_tiers(thirds) for code in sorted(t, key=seed.__getitem__)][:8]
        slots = simulator._first_slots(places, totals, model.seeding)
        placed = {facts.teams[int(teams[0])].code for slot, teams in slots.items() if slot[0] == "3"}
        assert placed == set(best)
    assert ties > 30


def brier(p: MatchProbabilities, match: Match) -> float:
    outcomes = ((p.home, match.home), (p.draw, "DRAW"), (p.away, match.away))
    return sum((probability - (match.outcome == outcome)) ** 2 for probability, outcome in outcomes)


def test_forecasts_beat_knowing_nothing() -> None:
    """Mean Brier score of each match's last forecast before it: below the uniform 2/3 and 1/2."""
    facts, _, _ = world()
    group: list[float] = []
    knock_out: list[float] = []
    for position, match in enumerate(in_playing_order(facts)):
        score = brier(replay()[position].match_probabilities[match.number], match)
        (knock_out if match.is_knock_out else group).append(score)
    assert 0.4 < sum(group) / 72 < 0.6
    assert 0.2 < sum(knock_out) / 32 < 0.48


def test_prior_favourites_are_plausible() -> None:
    facts, _, _ = world()
    prior = replay()[0]
    order = [facts.teams[index].code for index in np.argsort(-prior.champion, kind="stable")]
    assert set(order[:4]) == {"ESP", "ARG", "FRA", "ENG"}
    assert 0.1 < prior.champion.max() < 0.25


def test_ten_thousand_runs_are_quick() -> None:
    """Tens of milliseconds on a desk machine; the bound is loose so that a busy one passes."""
    facts, model, _ = world()
    simulator = TournamentSimulator(facts, runs=10_000)
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        simulator.forecast(model, [])
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 1.0


def test_runs_must_be_positive() -> None:
    with pytest.raises(ValueError, match="runs: 0"):
        TournamentSimulator(world()[0], runs=0)
