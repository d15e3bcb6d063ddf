"""The strength model: formulas, symmetry, updates, ratings file."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange_os.sim.world_cup import (
    FactsError,
    StrengthModel,
    StrengthParameters,
    TournamentFacts,
    load_facts,
)
from exchange_os.sim.world_cup.strength import (
    RATINGS_PATH,
    advance_probability,
    expected_goals,
    exponential,
    outcome_probabilities,
)

if TYPE_CHECKING:
    from pathlib import Path

PARAMETERS = StrengthParameters()
differences = st.floats(min_value=-1500, max_value=1500, allow_nan=False)


@pytest.fixture(scope="module")
def facts() -> TournamentFacts:
    return load_facts()


@pytest.fixture(scope="module")
def prior(facts: TournamentFacts) -> StrengthModel:
    return StrengthModel.prior(facts)


@given(st.floats(min_value=-8, max_value=8))
def test_exponential_is_the_exponential(x: float) -> None:
    assert float(exponential(np.array([x]))[0]) == pytest.approx(math.exp(x), rel=1e-4)


@given(differences)
def test_probabilities_are_a_distribution_and_symmetric(points: float) -> None:
    there, back = np.array([points]), np.array([-points])
    win, draw, loss = (float(p[0]) for p in outcome_probabilities(*expected_goals(there, PARAMETERS)))
    assert min(win, draw, loss) > 0
    assert win + draw + loss == pytest.approx(1, abs=1e-12)
    mirrored = [float(p[0]) for p in outcome_probabilities(*expected_goals(back, PARAMETERS))]
    assert mirrored == pytest.approx([loss, draw, win], abs=1e-9)
    both = float((advance_probability(there, PARAMETERS) + advance_probability(back, PARAMETERS))[0])
    assert both == pytest.approx(1, abs=1e-9)


def test_the_stronger_the_likelier() -> None:
    points = np.arange(-800.0, 801.0, 20.0)
    win, _, loss = outcome_probabilities(*expected_goals(points, PARAMETERS))
    assert (np.diff(win) > 0).all()
    assert (np.diff(loss) < 0).all()
    assert (np.diff(advance_probability(points, PARAMETERS)) > 0).all()


def test_expected_score_follows_elo() -> None:
    points = np.arange(-600.0, 601.0, 50.0)
    win, draw, _ = outcome_probabilities(*expected_goals(points, PARAMETERS))
    elo = np.array([1 / (1 + 10 ** (-d / 400)) for d in points])
    assert np.abs(win + draw / 2 - elo).max() < 0.07


def test_an_even_match() -> None:
    win, draw, _ = outcome_probabilities(*expected_goals(np.zeros(1), PARAMETERS))
    assert 0.24 < float(draw[0]) < 0.29
    assert float(advance_probability(np.zeros(1), PARAMETERS)[0]) == pytest.approx(0.5, abs=1e-12)
    assert float(win[0]) == pytest.approx((1 - float(draw[0])) / 2, abs=1e-12)


def test_every_match_has_probabilities(facts: TournamentFacts, prior: StrengthModel) -> None:
    for match in facts.matches:
        p = prior.match_probabilities(match)
        assert p.home + p.draw + p.away == pytest.approx(1, abs=1e-12)
        assert (p.draw == 0) is match.is_knock_out


def test_a_host_at_home_is_stronger(facts: TournamentFacts, prior: StrengthModel) -> None:
    opening = facts.match_number(1)
    elsewhere = opening.model_copy(update={"venue_country": "CAN"})
    bonus = prior.difference_points(opening) - prior.difference_points(elsewhere)
    assert bonus == PARAMETERS.host_bonus_points


def test_update_moves_both_sides_by_the_same_points(facts: TournamentFacts, prior: StrengthModel) -> None:
    index = facts.team_index
    for match in facts.matches:
        change = prior.after(match).rating_points - prior.rating_points
        assert set(np.flatnonzero(change)) <= {index[match.home], index[match.away]}
        assert change[index[match.home]] == pytest.approx(-change[index[match.away]], abs=1e-9)
        goals = match.goals[0] - match.goals[1]
        assert goals == 0 or np.sign(change[index[match.home]]) == np.sign(goals)
    assert prior.after_all(facts.matches).rating_points.sum() == pytest.approx(prior.rating_points.sum())


def test_update_by_hand(facts: TournamentFacts, prior: StrengthModel) -> None:
    """Final: Spain 1, Argentina 0 after extra time; one goal, so G = 1."""
    final, index = facts.match_number(104), facts.team_index
    difference = prior.rating_points[index["ESP"]] - prior.rating_points[index["ARG"]]
    gain = 40 * (1 - 1 / (1 + 10 ** (-difference / 400)))
    after = prior.after(final).rating_points[index["ESP"]]
    assert after - prior.rating_points[index["ESP"]] == pytest.approx(gain, rel=1e-4)


def test_a_shoot_out_counts_as_a_draw(facts: TournamentFacts, prior: StrengthModel) -> None:
    match, index = facts.match_number(74), facts.team_index  # Germany, the favourite, 1-1, out on penalties
    drawn = match.model_copy(update={"winner": match.home, "penalties": (4, 3)})
    assert np.array_equal(prior.after(match).rating_points, prior.after(drawn).rating_points)
    assert prior.after(match).rating_points[index["GER"]] < prior.rating_points[index["GER"]]


def test_perturbed_is_seeded_and_as_wide_as_asked(prior: StrengthModel) -> None:
    assert np.array_equal(prior.perturbed(7, 40).rating_points, prior.perturbed(7, 40).rating_points)
    moves = np.stack([prior.perturbed(seed, 40).rating_points - prior.rating_points for seed in range(200)])
    assert abs(moves.mean()) < 2
    assert 38 < moves.std() < 42


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("ESP = 2120", "ESP = true", "rating_points.ESP"),
        ("ESP = 2120\n", "", "rating_points.ESP"),
        ("ESP = 2120", "ESP = 2120\nXYZ = 1", "rating_points.XYZ"),
        ("format = 1", "format = 9", "format"),
    ],
)
def test_rating_errors_name_the_field(
    facts: TournamentFacts, tmp_path: Path, old: str, new: str, field: str
) -> None:
    text = RATINGS_PATH.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "broken.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(FactsError, match=f"broken.toml: {field}: "):
        StrengthModel.prior(facts, path)
