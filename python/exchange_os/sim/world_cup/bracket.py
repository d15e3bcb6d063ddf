"""The knock-out bracket: what a slot means, when it is known, and where third-placed teams go.

Eight of the twelve third-placed teams reach the round of 32. Each of eight group winners meets one,
from five allowed groups (slot `3ABCDF` and so on). The regulations print the allocation for all 495
sets of eight groups; this module keeps the one row the facts show, and for every other set takes the
first allocation that respects the allowed groups (slots in match order, groups in alphabetical order).
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from .facts import Match, Round, TournamentFacts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

GROUP_LETTERS = "ABCDEFGHIJKL"
THIRD_PLACES = 8


def knock_out_slots(match: Match) -> tuple[str, str]:
    """The home and away slot of a knock-out match."""
    if match.home_slot is None or match.away_slot is None:
        raise ValueError(f"match {match.number} is not a knock-out match")
    return match.home_slot, match.away_slot


def third_place_slots(facts: TournamentFacts) -> tuple[str, ...]:
    """The eight slots for third-placed teams, in match order."""
    first_round = [match for match in facts.matches if match.round is Round.ROUND_OF_32]
    slots = [slot for match in first_round for slot in knock_out_slots(match)]
    return tuple(slot for slot in slots if slot.startswith("3"))


def slot_feeders(slot: str, facts: TournamentFacts) -> tuple[int, ...]:
    """Numbers of the matches that must be over for the slot's team to be known."""
    if slot[0] in "WL":
        return (int(slot[1:]),)
    matches = facts.group_stage if slot[0] == "3" else facts.group_matches(slot[1])
    return tuple(match.number for match in matches)


def match_feeders(match: Match, facts: TournamentFacts) -> frozenset[int]:
    """Numbers of the matches that decide who plays this one; empty for a group match."""
    if not match.is_knock_out:
        return frozenset()
    return frozenset(number for slot in knock_out_slots(match) for number in slot_feeders(slot, facts))


def published_allocation(facts: TournamentFacts) -> Mapping[frozenset[str], tuple[str, ...]]:
    """The row of the regulations' table that the facts show: groups that qualified -> group per slot."""
    groups = {team.code: team.group for team in facts.teams}
    row = []
    for match in facts.matches:
        if match.round is Round.ROUND_OF_32:
            sides = zip(knock_out_slots(match), (match.home, match.away), strict=True)
            row += [groups[code] for slot, code in sides if slot.startswith("3")]
    return {frozenset(row): tuple(row)}


def allocate_third_places(qualified: frozenset[str], slots: Sequence[str]) -> tuple[str, ...] | None:
    """The group for each slot such that every slot allows its group; None when impossible."""
    if not slots:
        return ()
    for group in sorted(qualified):
        if group in slots[0][1:]:
            rest = allocate_third_places(qualified - {group}, slots[1:])
            if rest is not None:
                return (group, *rest)
    return None


def third_place_allocation(facts: TournamentFacts) -> NDArray[np.intp]:
    """Allocation of every set of eight groups. Shape (4096, 8): bit mask of groups (A is bit 0),
    slot in match order -> group index 0 to 11. Masks without eight groups hold zeros."""
    slots = third_place_slots(facts)
    published = published_allocation(facts)
    table = np.zeros((1 << len(GROUP_LETTERS), THIRD_PLACES), dtype=np.intp)
    for chosen in combinations(GROUP_LETTERS, THIRD_PLACES):
        qualified = frozenset(chosen)
        row = published.get(qualified) or allocate_third_places(qualified, slots)
        if row is None:
            raise ValueError(f"no allocation of third-placed teams for groups {''.join(chosen)}")
        mask = sum(1 << GROUP_LETTERS.index(group) for group in chosen)
        table[mask] = [GROUP_LETTERS.index(group) for group in row]
    return table
