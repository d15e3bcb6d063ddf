"""Group tables by the 2026 rules, slowly and plainly: the reference for the vectorised simulation.

Order of the 2026 regulations (article 13), which is not that of earlier World Cups: after points,
the matches between the tied teams come before goal difference over the whole group.

1. points in all group matches;
2. among the teams level on points, in the matches between them: (a) points, (b) goal difference,
   (c) goals scored; where that separates some of them, (a) to (c) again for those still level;
3. (d) goal difference and (e) goals scored in all group matches;
4. (f) conduct score (cards), (g) FIFA ranking. The facts hold neither, so these functions stop at
   (e) and return the teams they cannot separate as one tier.

The third-placed teams of the twelve groups are compared by points, (d), (e), then (f), (g).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from .facts import Match

Tiers = tuple[tuple[str, ...], ...]
"""Teams best first; teams that the facts cannot separate share a tier, in input order."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A team's row over some matches: three points a win, one a draw."""

    code: str
    played: int
    points: int
    goal_difference: int
    goals_for: int

    @property
    def order(self) -> tuple[int, int, int]:
        return self.points, self.goal_difference, self.goals_for


def standing(code: str, matches: Iterable[Match]) -> Standing:
    """The row of one team over those of the matches it played."""
    played = points = difference = scored = 0
    for match in matches:
        if code not in (match.home, match.away):
            continue
        own, other = match.goals_90 if code == match.home else match.goals_90[::-1]
        played += 1
        points += 3 if own > other else 1 if own == other else 0
        difference += own - other
        scored += own
    return Standing(code, played, points, difference, scored)


def group_tiers(codes: Sequence[str], matches: Sequence[Match]) -> Tiers:
    """Rank a group's teams by points, (a) to (e); see the module for the rules."""

    def all_matches(code: str) -> tuple[int, int, int]:
        return standing(code, matches).order

    tiers: list[tuple[str, ...]] = []
    for level_on_points in _split(codes, lambda code: all_matches(code)[:1]):
        for level in _between_themselves(level_on_points, matches):
            tiers += _split(level, all_matches)
    return tuple(tiers)


def third_place_tiers(standings: Sequence[Standing]) -> Tiers:
    """Rank third-placed teams across groups by points, goal difference, goals."""
    rows = {row.code: row for row in standings}
    return _split([row.code for row in standings], lambda code: rows[code].order)


def _between_themselves(codes: tuple[str, ...], matches: Sequence[Match]) -> Tiers:
    """Criteria (a) to (c), again and again for as long as they separate some of the teams."""
    if len(codes) == 1:
        return (codes,)
    between = [match for match in matches if match.home in codes and match.away in codes]
    tiers = _split(codes, lambda code: standing(code, between).order)
    if len(tiers) == 1:
        return tiers
    return tuple(finer for tier in tiers for finer in _between_themselves(tier, matches))


def _split(codes: Sequence[str], key: Callable[[str], tuple[int, ...]]) -> Tiers:
    keys = {code: key(code) for code in codes}
    return tuple(
        tuple(code for code in codes if keys[code] == value)
        for value in sorted(set(keys.values()), reverse=True)
    )
