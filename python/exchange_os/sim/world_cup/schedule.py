"""The tournament clock: questions and the ordered events that open, move and settle them.

Times are integer nanoseconds since 1970-01-01T00:00:00Z. Three families of questions:

    champion          48 outcomes, team codes; settled at the final whistle of the final
    group_winner.A    4 outcomes, team codes; settled when the group's last match is over
    match.001         home code, DRAW, away code in group matches; home and away code afterwards;
                      settled at the match's final whistle

The champion and group-winner questions open `lead` before the first kick-off. A match question opens
`lead` before its own kick-off, or when both its sides are known if that is later.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import TYPE_CHECKING

from .bracket import knock_out_slots, match_feeders
from .facts import DRAW, Round

if TYPE_CHECKING:
    from .facts import Match, TournamentFacts

CHAMPION = "champion"
DEFAULT_LEAD = timedelta(days=7)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class EventKind(IntEnum):
    """What happens; events of the same nanosecond happen in this order."""

    FINAL_WHISTLE = 0
    GROUP_FINISHED = 1
    CHAMPION_DECIDED = 2
    QUESTION_OPENS = 3
    KICK_OFF = 4


@dataclass(frozen=True, slots=True)
class Question:
    """A question the exchange lists: its outcomes, its life, and the outcome the facts give it."""

    key: str
    title: str
    outcomes: tuple[str, ...]
    opens_at_ns: int
    resolves_at_ns: int
    resolution: str
    match_number: int | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One moment of the tournament. `question` is the key of the question it concerns; `outcome` is
    set where the event settles that question (final whistle, group finished, champion decided)."""

    at_ns: int
    kind: EventKind
    question: str
    match_number: int | None = None
    outcome: str | None = None


def nanoseconds(moment: datetime) -> int:
    """Nanoseconds since the epoch of an aware datetime, exactly."""
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000


def match_key(number: int) -> str:
    return f"match.{number:03d}"


def group_key(group: str) -> str:
    return f"group_winner.{group}"


def group_winner(group: str, facts: TournamentFacts) -> str:
    """Code of the team that took the group winner's slot of the round of 32."""
    for match in facts.matches:
        if match.round is Round.ROUND_OF_32:
            for slot, code in zip(knock_out_slots(match), (match.home, match.away), strict=True):
                if slot == f"1{group}":
                    return code
    raise ValueError(f"no slot for the winner of group {group}")


def questions(facts: TournamentFacts, lead: timedelta = DEFAULT_LEAD) -> tuple[Question, ...]:
    """All 117 questions: the champion, the groups, the matches in number order."""
    names = {team.code: team.name for team in facts.teams}
    start_ns = nanoseconds(min(match.kick_off_utc for match in facts.matches) - lead)
    champion = Question(
        key=CHAMPION,
        title=f"{facts.tournament}: champion",
        outcomes=tuple(names),
        opens_at_ns=start_ns,
        resolves_at_ns=nanoseconds(facts.matches[-1].final_whistle_utc),
        resolution=facts.champion,
    )
    groups = [
        Question(
            key=group_key(group.name),
            title=f"{facts.tournament}: winner of group {group.name}",
            outcomes=group.teams,
            opens_at_ns=start_ns,
            resolves_at_ns=max(nanoseconds(m.final_whistle_utc) for m in facts.group_matches(group.name)),
            resolution=group_winner(group.name, facts),
        )
        for group in facts.groups
    ]
    return champion, *groups, *(_match_question(match, names, facts, lead) for match in facts.matches)


def _match_question(match: Match, names: dict[str, str], facts: TournamentFacts, lead: timedelta) -> Question:
    feeders = (facts.match_number(number) for number in match_feeders(match, facts))
    opens_utc = max([match.kick_off_utc - lead, *(feeder.final_whistle_utc for feeder in feeders)])
    return Question(
        key=match_key(match.number),
        title=f"{facts.tournament}, match {match.number}: {names[match.home]} v {names[match.away]}",
        outcomes=(match.home, match.away) if match.is_knock_out else (match.home, DRAW, match.away),
        opens_at_ns=nanoseconds(opens_utc),
        resolves_at_ns=nanoseconds(match.final_whistle_utc),
        resolution=match.outcome,
        match_number=match.number,
    )


def events(facts: TournamentFacts, lead: timedelta = DEFAULT_LEAD) -> tuple[Event, ...]:
    """The whole tournament in order: 117 openings, 104 kick-offs, 117 settlements."""
    kinds = {CHAMPION: EventKind.CHAMPION_DECIDED}
    listed: list[Event] = []
    for question in questions(facts, lead):
        number = question.match_number
        listed.append(Event(question.opens_at_ns, EventKind.QUESTION_OPENS, question.key, number))
        if number is not None:
            kick_off_ns = nanoseconds(facts.match_number(number).kick_off_utc)
            listed.append(Event(kick_off_ns, EventKind.KICK_OFF, question.key, number))
            kind = EventKind.FINAL_WHISTLE
        else:
            kind = kinds.get(question.key, EventKind.GROUP_FINISHED)
        listed.append(Event(question.resolves_at_ns, kind, question.key, number, question.resolution))
    return tuple(sorted(listed, key=lambda event: (event.at_ns, event.kind, event.question)))
