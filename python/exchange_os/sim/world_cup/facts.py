"""The facts of the 2026 World Cup: 48 teams, 12 groups, 104 matches, read from `facts.toml`.

`load_facts()` returns one immutable `TournamentFacts`. A file that cannot be right is refused with a
`FactsError` that names the file and the field, e.g. `facts.toml: match[73].winner: ...`.
"""

from __future__ import annotations

import tomllib
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StrictInt, ValidationError

if TYPE_CHECKING:
    from collections.abc import Mapping

FACTS_PATH = Path(__file__).with_name("facts.toml")
REGULAR_DURATION = timedelta(hours=2)
EXTENDED_DURATION = timedelta(hours=2, minutes=45)
DRAW = "DRAW"

GoalCount = Annotated[StrictInt, Field(ge=0, le=99)]
Goals = tuple[GoalCount, GoalCount]
"""Goals of the home and the away side."""


class FactsError(ValueError):
    """A facts file that cannot be right: which file, which field, why."""

    def __init__(self, file: Path, field: str, reason: str) -> None:
        super().__init__(f"{file.name}: {field}: {reason}")
        self.file, self.field, self.reason = file, field, reason


class Round(StrEnum):
    """The seven stages, in the order they are played."""

    GROUP = "group"
    ROUND_OF_32 = "round_of_32"
    ROUND_OF_16 = "round_of_16"
    QUARTER_FINAL = "quarter_final"
    SEMI_FINAL = "semi_final"
    THIRD_PLACE = "third_place"
    FINAL = "final"


class _Fact(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Team(_Fact):
    """A team: its three-letter code, its name in English, its group."""

    code: str = Field(pattern=r"^[A-Z]{3}$")
    name: str
    group: str = Field(pattern=r"^[A-L]$")


class Group(_Fact):
    """A group and its four team codes in draw order."""

    name: str = Field(pattern=r"^[A-L]$")
    teams: tuple[str, str, str, str]


class Match(_Fact):
    """One match as it was played. Goals are [home, away]; `goals_120` counts from kick-off too."""

    number: StrictInt = Field(ge=1, le=104)
    round: Round
    group: str | None = Field(default=None, pattern=r"^[A-L]$")
    matchday: StrictInt | None = Field(default=None, ge=1, le=3)
    kick_off_utc: AwareDatetime
    home: str
    away: str
    home_slot: str | None = Field(default=None, pattern=r"^([12][A-L]|3[A-L]{5}|[WL]\d+)$")
    away_slot: str | None = Field(default=None, pattern=r"^([12][A-L]|3[A-L]{5}|[WL]\d+)$")
    goals_90: Goals
    goals_120: Goals | None = None
    penalties: Goals | None = None
    winner: str | None = None
    venue_city: str
    venue_country: Literal["CAN", "MEX", "USA"]

    @property
    def is_knock_out(self) -> bool:
        return self.round is not Round.GROUP

    @property
    def goals(self) -> Goals:
        """The score after the last goal that counts: extra time included, shoot-out not."""
        return self.goals_90 if self.goals_120 is None else self.goals_120

    @property
    def outcome(self) -> str:
        """Code of the winner, or `DRAW`."""
        return DRAW if self.winner is None else self.winner

    @property
    def loser(self) -> str | None:
        if self.winner is None:
            return None
        return self.away if self.winner == self.home else self.home

    @property
    def final_whistle_utc(self) -> datetime:
        """Kick-off plus 2 h, or plus 2 h 45 min where extra time was played."""
        return self.kick_off_utc + (REGULAR_DURATION if self.goals_120 is None else EXTENDED_DURATION)


class TournamentFacts(_Fact):
    """The whole tournament. Teams, groups and matches keep the order of the file."""

    format: Literal[1]
    tournament: str
    teams: tuple[Team, ...] = Field(alias="team", min_length=48, max_length=48)
    groups: tuple[Group, ...] = Field(alias="group", min_length=12, max_length=12)
    matches: tuple[Match, ...] = Field(alias="match", min_length=104, max_length=104)

    @cached_property
    def team_index(self) -> Mapping[str, int]:
        """Position of each team code in `teams`; the index of every per-team array in this package."""
        return {team.code: index for index, team in enumerate(self.teams)}

    def match_number(self, number: int) -> Match:
        """The match of that number, 1 to 104."""
        return self.matches[number - 1]

    def group_matches(self, group: str) -> tuple[Match, ...]:
        """The six matches of a group in number order."""
        return tuple(match for match in self.matches if match.group == group)

    @property
    def group_stage(self) -> tuple[Match, ...]:
        return tuple(match for match in self.matches if not match.is_knock_out)

    @property
    def champion(self) -> str:
        return self.matches[-1].outcome

    def played_by(self, moment_utc: datetime) -> tuple[Match, ...]:
        """Matches whose final whistle is at or before the moment, in order of that whistle."""
        played = [match for match in self.matches if match.final_whistle_utc <= moment_utc]
        return tuple(sorted(played, key=lambda match: (match.final_whistle_utc, match.number)))


def load_facts(path: Path = FACTS_PATH) -> TournamentFacts:
    """Read and check a facts file; raises `FactsError` naming the file and the field."""
    try:
        with path.open("rb") as stream:
            document: dict[str, Any] = tomllib.load(stream)
    except tomllib.TOMLDecodeError as error:
        raise FactsError(path, "(syntax)", str(error)) from error
    try:
        facts = TournamentFacts.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        raise FactsError(path, _field_name(first["loc"]), first["msg"]) from error
    _check_teams(path, facts)
    for position, match in enumerate(facts.matches):
        _check_match(path, f"match[{position}]", match, position, facts)
    return facts


def _field_name(location: tuple[int | str, ...]) -> str:
    """Pydantic's location as a path: ("match", 3, "goals_90", 1) is `match[3].goals_90[1]`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return text.removeprefix(".") or "(document)"


def _check_teams(path: Path, facts: TournamentFacts) -> None:
    if len(facts.team_index) != len(facts.teams):
        raise FactsError(path, "team", "a code appears twice")
    for position, group in enumerate(facts.groups):
        members = tuple(team.code for team in facts.teams if team.group == group.name)
        if members != group.teams:
            reason = f"{group.teams}, but the team list says {members}"
            raise FactsError(path, f"group[{position}].teams", reason)


def _check_match(path: Path, field: str, match: Match, position: int, facts: TournamentFacts) -> None:
    if match.number != position + 1:
        raise FactsError(path, f"{field}.number", f"{match.number}, expected {position + 1}")
    for side, code in (("home", match.home), ("away", match.away)):
        if code not in facts.team_index:
            raise FactsError(path, f"{field}.{side}", f"no team {code}")
    if match.is_knock_out != (match.group is None) or match.is_knock_out != (match.matchday is None):
        raise FactsError(path, f"{field}.group", "a group match has a group and a matchday, others neither")
    if match.is_knock_out != (match.home_slot is not None and match.away_slot is not None):
        raise FactsError(path, f"{field}.home_slot", "a knock-out match has two slots, others none")
    if match.goals_120 is not None and (not match.is_knock_out or match.goals_90[0] != match.goals_90[1]):
        raise FactsError(path, f"{field}.goals_120", "extra time follows a drawn knock-out match")
    if match.penalties is not None and (match.goals_120 is None or match.goals[0] != match.goals[1]):
        raise FactsError(path, f"{field}.penalties", "a shoot-out follows a drawn extra time")
    home_goals, away_goals = match.goals if match.penalties is None else match.penalties
    expected = None if home_goals == away_goals else match.home if home_goals > away_goals else match.away
    if match.winner != expected:
        raise FactsError(path, f"{field}.winner", f"{match.winner}, but the score says {expected}")
    if match.is_knock_out and match.winner is None:
        raise FactsError(path, f"{field}.winner", "a knock-out match has a winner")
