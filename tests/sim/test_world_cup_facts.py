"""The World Cup facts: consistent in themselves, explained by the rules, equal to their source."""

from __future__ import annotations

import importlib.util
import json
import os
from itertools import accumulate, combinations, pairwise
from pathlib import Path
from typing import Any

import pytest

from exchange_os.sim.world_cup.bracket import (
    GROUP_LETTERS,
    allocate_third_places,
    knock_out_slots,
    published_allocation,
    third_place_slots,
)
from exchange_os.sim.world_cup.facts import FACTS_PATH, FactsError, Match, Round, TournamentFacts, load_facts
from exchange_os.sim.world_cup.standings import group_tiers, standing, third_place_tiers

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def facts() -> TournamentFacts:
    return load_facts()


def test_size_of_the_tournament(facts: TournamentFacts) -> None:
    counts = {stage: sum(match.round is stage for match in facts.matches) for stage in Round}
    assert list(counts.values()) == [72, 16, 8, 4, 2, 1, 1]
    assert "".join(group.name for group in facts.groups) == GROUP_LETTERS
    assert facts.champion == "ESP"


def test_each_pair_of_a_group_meets_once_and_each_team_once_a_matchday(facts: TournamentFacts) -> None:
    for group in facts.groups:
        matches = facts.group_matches(group.name)
        met = sorted(tuple(sorted((match.home, match.away))) for match in matches)
        assert met == sorted(tuple(sorted(pair)) for pair in combinations(group.teams, 2))
        for day in (1, 2, 3):
            sides = [code for m in matches if m.matchday == day for code in (m.home, m.away)]
            assert sorted(sides) == sorted(group.teams)


def test_rounds_follow_each_other(facts: TournamentFacts) -> None:
    stages = [[m for m in facts.matches if m.round is stage] for stage in Round]
    for earlier, later in pairwise(stages):
        assert max(m.final_whistle_utc for m in earlier) < min(m.kick_off_utc for m in later)
    kick_offs = [match.kick_off_utc for match in facts.group_stage]
    assert kick_offs == sorted(kick_offs)
    assert kick_offs[0].isoformat() == "2026-06-11T19:00:00+00:00"
    for group in facts.groups:
        last = [m.kick_off_utc for m in facts.group_matches(group.name) if m.matchday == 3]
        assert last[0] == last[1]


def test_winners_and_losers_feed_the_bracket(facts: TournamentFacts) -> None:
    for match in facts.matches[72:]:
        for slot, code in zip(knock_out_slots(match), (match.home, match.away), strict=True):
            if slot[0] in "WL":
                feeder = facts.match_number(int(slot[1:]))
                assert code == (feeder.winner if slot[0] == "W" else feeder.loser), match.number


def test_group_tables_explain_who_advanced(facts: TournamentFacts) -> None:
    tiers = {group.name: group_tiers(group.teams, facts.group_matches(group.name)) for group in facts.groups}
    thirds = []
    for group, ranked in tiers.items():
        assert [len(tier) for tier in ranked] == [1, 1, 1, 1], f"group {group} needs conduct scores"
        thirds.append(standing(ranked[2][0], facts.group_matches(group)))
    best = third_place_tiers(thirds)
    assert 8 in accumulate(len(tier) for tier in best), "the cut after eight needs conduct scores"
    advanced_thirds = [code for tier in best for code in tier][:8]
    seen_thirds = []
    for match in facts.matches[72:88]:
        for slot, code in zip(knock_out_slots(match), (match.home, match.away), strict=True):
            group = next(team.group for team in facts.teams if team.code == code)
            assert group in slot[1:]
            assert (code,) == tiers[group][int(slot[0]) - 1]
            seen_thirds += [code] if slot[0] == "3" else []
    assert sorted(seen_thirds) == sorted(advanced_thirds)


def test_head_to_head_comes_before_goal_difference() -> None:
    """Two level on points: the winner of their match leads, whatever the goal difference."""
    scores = {"AB": (1, 0), "AC": (0, 1), "AD": (1, 0), "BC": (5, 0), "BD": (5, 0), "CD": (0, 0)}
    matches = [_hypothetical(number, pair, goals) for number, (pair, goals) in enumerate(scores.items(), 1)]
    assert group_tiers("ABCD", matches) == (("A",), ("B",), ("C",), ("D",))


def test_a_tie_of_three_is_reopened_for_the_two_still_level() -> None:
    """A, B, C beat each other once; C has fewer goals among the three, so A and B are compared again
    on their own match, which B won, though A leads on everything over the group."""
    scores = {"AB": (0, 1), "AC": (2, 1), "BC": (1, 2), "AD": (9, 0), "BD": (1, 0), "CD": (1, 0)}
    matches = [_hypothetical(number, pair, goals) for number, (pair, goals) in enumerate(scores.items(), 1)]
    assert [row.order for row in (standing(code, matches[:3]) for code in "ABC")] == [
        (3, 0, 2),
        (3, 0, 2),
        (3, 0, 3),
    ]
    assert group_tiers("ABCD", matches) == (("C",), ("B",), ("A",), ("D",))


def test_what_only_cards_could_separate_stays_one_tier() -> None:
    matches = [_hypothetical(n, "".join(pair), (1, 1)) for n, pair in enumerate(combinations("ABCD", 2), 1)]
    assert group_tiers("ABCD", matches) == (("A", "B", "C", "D"),)


def test_every_set_of_eight_thirds_has_a_place(facts: TournamentFacts) -> None:
    slots = third_place_slots(facts)
    for chosen in combinations(GROUP_LETTERS, 8):
        row = allocate_third_places(frozenset(chosen), slots)
        assert row is not None
        assert sorted(row) == list(chosen)
        assert all(group in slot[1:] for group, slot in zip(row, slots, strict=True))
    assert list(published_allocation(facts).values()) == [("D", "F", "E", "K", "B", "I", "J", "L")]


def test_durations(facts: TournamentFacts) -> None:
    hours = {m.number: (m.final_whistle_utc - m.kick_off_utc).total_seconds() / 3600 for m in facts.matches}
    assert hours[1] == 2.0
    assert hours[73] == 2.0
    assert hours[74] == hours[104] == 2.75


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("goals_90 = [2, 0], winner = \"MEX\"", "goals_90 = [2, 2], winner = \"MEX\"", "match[0].winner"),
        ("goals_90 = [2, 0]", "goals_90 = [2, \"0\"]", "match[0].goals_90[1]"),
        ("number = 2,", "number = 3,", "match[1].number"),
        ("2026-06-11T19:00:00Z", "2026-06-11T19:00:00", "match[0].kick_off_utc"),
        ("home = \"MEX\"", "home = \"QQQ\"", "match[0].home"),
        ("home_slot = \"2A\", ", "", "match[72].home_slot"),
        ("penalties = [3, 4]", "penalties = [4, 4]", "match[73].winner"),
        ("format = 1", "format = 2", "format"),
        ("format = 1", "format = ", "(syntax)"),
        ("teams = [\"MEX\", \"RSA\"", "teams = [\"RSA\", \"MEX\"", "group[0].teams"),
        ("code = \"RSA\"", "colour = \"RSA\"", "team[1].code"),
    ],
)  # fmt: skip
def test_errors_name_the_file_and_the_field(tmp_path: Path, old: str, new: str, field: str) -> None:
    text = FACTS_PATH.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "broken.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(FactsError) as caught:
        load_facts(path)
    assert caught.value.field == field
    assert str(caught.value).startswith(f"broken.toml: {field}: ")


def test_facts_equal_their_source(facts: TournamentFacts) -> None:
    folder = _source_folder()
    assert _tool().facts_toml(folder) == FACTS_PATH.read_text(encoding="utf-8")

    source = json.loads((folder / "worldcup.json").read_text(encoding="utf-8"))["matches"]
    names = {team.code: team.name for team in facts.teams}
    ours = {(names[m.home], names[m.away], m.is_knock_out): m for m in facts.matches}
    assert len(source) == len(ours) == 104
    for theirs in source:
        match = ours[theirs["team1"], theirs["team2"], "group" not in theirs]
        score = {"ft": match.goals_90, "et": match.goals_120, "p": match.penalties}
        played = {stage: tuple(goals) for stage, goals in theirs["score"].items() if stage != "ht"}
        assert {stage: goals for stage, goals in score.items() if goals is not None} == played
        offset_hours = int(theirs["time"].partition("UTC")[2])
        local = match.kick_off_utc.timestamp() + offset_hours * 3600
        clock = f"{int(local) % 86400 // 3600:02d}:{int(local) % 3600 // 60:02d}"
        assert theirs["time"].startswith(clock)
        assert theirs.get("num", match.number) == match.number


def _source_folder() -> Path:
    shared = Path(os.environ.get("XOS_SHARED_DATA") or REPOSITORY.parent / "shared" / "data")
    folder = shared / "world_cup_2026"
    if not folder.is_dir():
        pytest.skip(f"no openfootball source at {folder}; set XOS_SHARED_DATA to compare facts.toml with it")
    return folder


def _tool() -> Any:
    spec = importlib.util.spec_from_file_location(
        "make_world_cup_facts", REPOSITORY / "tools" / "make_world_cup_facts.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _hypothetical(number: int, pair: str, goals: tuple[int, int]) -> Match:
    """A group match of two teams named by one letter each, with only what a table reads."""
    home, away = tuple(pair)
    return (
        load_facts().match_number(number).model_copy(update={"home": home, "away": away, "goals_90": goals})
    )
