"""The moments at which the demonstration acts: openings, kick-offs, moments in play, whistles, and a grid."""

from __future__ import annotations

from dataclasses import dataclass

from .price_paths import HOUR_NS
from .world_cup import Event, EventKind, TournamentFacts, events, nanoseconds

_MINUTE_NS = HOUR_NS // 60


@dataclass(frozen=True, slots=True)
class Step:
    """One moment: what happens then, which questions open, which matches are how many minutes old."""

    at_ns: int
    events: tuple[Event, ...]
    opens: tuple[str, ...]
    in_play: tuple[tuple[int, int], ...]
    is_grid: bool

    @property
    def is_news(self) -> bool:
        """Something was decided, or opened."""
        return bool(self.opens) or any(event.outcome is not None for event in self.events)


def tournament_steps(
    facts: TournamentFacts, grid_hours: int, in_play_minutes: tuple[int, ...]
) -> tuple[Step, ...]:
    """All moments in order, from the opening of the first questions to the last final whistle.

    `in_play_minutes` after each kick-off, less than 120, the half-time break included, there is one too.
    """
    happening: dict[int, list[Event]] = {}
    for event in events(facts):
        happening.setdefault(event.at_ns, []).append(event)
    in_play: dict[int, list[tuple[int, int]]] = {}
    for match in facts.matches:
        for minutes in in_play_minutes:
            at_ns = nanoseconds(match.kick_off_utc) + minutes * _MINUTE_NS
            in_play.setdefault(at_ns, []).append((match.number, minutes))
    first, last = min(happening), max(happening)
    grid = set(range(first, last, grid_hours * HOUR_NS))
    return tuple(
        Step(
            at_ns=at_ns,
            events=tuple(happening.get(at_ns, ())),
            opens=tuple(e.question for e in happening.get(at_ns, ()) if e.kind is EventKind.QUESTION_OPENS),
            in_play=tuple(sorted(in_play.get(at_ns, ()))),
            is_grid=at_ns in grid,
        )
        for at_ns in sorted(grid | set(happening) | set(in_play))
    )
