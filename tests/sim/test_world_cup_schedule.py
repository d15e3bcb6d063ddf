"""The tournament clock: order, life of each question, settlement by the facts."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from exchange_os.sim.world_cup import (
    DRAW,
    Event,
    EventKind,
    Question,
    TournamentFacts,
    events,
    load_facts,
    nanoseconds,
    questions,
)

HOUR_NS = 3_600 * 10**9


@pytest.fixture(scope="module")
def facts() -> TournamentFacts:
    return load_facts()


@pytest.fixture(scope="module")
def by_key(facts: TournamentFacts) -> dict[str, Question]:
    return {question.key: question for question in questions(facts)}


@pytest.fixture(scope="module")
def clock(facts: TournamentFacts) -> tuple[Event, ...]:
    return events(facts)


def test_questions_and_outcomes(facts: TournamentFacts, by_key: dict[str, Question]) -> None:
    assert len(by_key) == 1 + 12 + 104
    assert len(by_key["champion"].outcomes) == 48
    assert by_key["group_winner.A"].outcomes == ("MEX", "RSA", "KOR", "CZE")
    assert by_key["match.001"].outcomes == ("MEX", DRAW, "RSA")
    assert by_key["match.104"].outcomes == ("ESP", "ARG")
    for question in by_key.values():
        assert question.resolution in question.outcomes
        assert len(set(question.outcomes)) == len(question.outcomes)
        assert question.opens_at_ns < question.resolves_at_ns
    assert by_key["champion"].resolution == "ESP"
    assert by_key["group_winner.K"].resolution == "COL"
    assert by_key["match.003"].resolution == DRAW


def test_events_are_ordered_and_complete(clock: tuple[Event, ...]) -> None:
    keys = [(event.at_ns, event.kind) for event in clock]
    assert keys == sorted(keys)
    counts = Counter(event.kind for event in clock)
    assert counts == {
        EventKind.QUESTION_OPENS: 117,
        EventKind.KICK_OFF: 104,
        EventKind.FINAL_WHISTLE: 104,
        EventKind.GROUP_FINISHED: 12,
        EventKind.CHAMPION_DECIDED: 1,
    }
    assert clock[-1].kind is EventKind.CHAMPION_DECIDED
    assert clock[-1].outcome == "ESP"


def test_each_match_opens_kicks_off_and_ends(clock: tuple[Event, ...]) -> None:
    for number in range(1, 105):
        own = [event for event in clock if event.match_number == number]
        assert [event.kind for event in own] == [
            EventKind.QUESTION_OPENS,
            EventKind.KICK_OFF,
            EventKind.FINAL_WHISTLE,
        ]
        assert own[0].at_ns < own[1].at_ns < own[2].at_ns
        assert own[2].outcome is not None


def test_no_question_names_a_side_before_it_is_known(
    facts: TournamentFacts, by_key: dict[str, Question]
) -> None:
    last_group_whistle = max(nanoseconds(match.final_whistle_utc) for match in facts.group_stage)
    assert by_key["match.074"].opens_at_ns == last_group_whistle  # needs all the third-placed teams
    assert by_key["match.104"].opens_at_ns == nanoseconds(facts.match_number(102).final_whistle_utc)
    for match in facts.matches[88:]:
        feeders = [facts.match_number(int((slot or "")[1:])) for slot in (match.home_slot, match.away_slot)]
        known = max(nanoseconds(feeder.final_whistle_utc) for feeder in feeders)
        assert by_key[f"match.{match.number:03d}"].opens_at_ns >= known


def test_lead_sets_the_openings(facts: TournamentFacts) -> None:
    first, *_ = events(facts, lead=timedelta(hours=3))
    kick_off = nanoseconds(facts.match_number(1).kick_off_utc)
    assert kick_off - first.at_ns == 3 * HOUR_NS
    assert first.question == "champion"


def test_nanoseconds_are_exact() -> None:
    assert nanoseconds(datetime(1970, 1, 1, tzinfo=UTC)) == 0
    assert nanoseconds(datetime(2026, 6, 11, 19, tzinfo=UTC)) == 1_781_204_400_000_000_000
