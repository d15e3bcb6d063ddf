"""From attacks to what the file's author has to know: the bond, and what looks like an invitation."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from exchange_os.exact import plain_text
from exchange_os.markets.load import Loaded, Problem
from exchange_os.markets.spec import Oracle, Perpetual
from exchange_os.markets.stress.assumptions import Assumptions, Taken
from exchange_os.markets.stress.attacks import Attack, attacks


@dataclass(frozen=True, slots=True)
class Stress:
    """Of a whole file: every attack, what they show, and the bond that covers the worst of each market."""

    attacks: list[Attack]
    taken: dict[str, Taken]
    problems: list[Problem]
    bond: Decimal
    """Sum over the perpetuals of the most that others lost in one attack; settlement asset."""


_NOTHING_SAID = Assumptions()


def stress(loaded: Loaded, assumptions: Assumptions = _NOTHING_SAID) -> Stress:
    """Plays every attack on every perpetual of a file that `lint` finds no error in."""
    played: list[Attack] = []
    problems: list[Problem] = []
    taken: dict[str, Taken] = {}
    bond = Decimal(0)
    # Nobody loses anything where money is worthless.
    for_play = {venue.symbol for venue in loaded.spec.venues if venue.simulated}
    for index, item in enumerate(loaded.spec.instruments):
        if not isinstance(item, Perpetual) or item.venue in for_play:
            continue
        here = assumptions.of(item)
        taken[item.symbol] = here
        results = list(attacks(loaded, item, here))
        played += results
        bond += max(result.lost_by_others for result in results)
        path = ("instrument", index)
        for field, message in _shown_by(item, results):
            problems.append(loaded.problem((*path, field), message, "warning"))
        problems += [
            loaded.problem((*path, "oracle"), message, "warning") for message in _sources(item.oracle)
        ]
        problems += _against_depth(loaded, path, item, here)
    if assumptions.bond is not None and bond > assumptions.bond:
        problems.append(
            loaded.problem(
                (),
                f"a bond of {plain_text(assumptions.bond)} does not cover {plain_text(bond)},"
                " the most that others lost in one attack on each perpetual",
                "warning",
            )
        )
    return Stress(played, taken, problems, bond)


def _shown_by(item: Perpetual, results: list[Attack]) -> list[tuple[str, str]]:
    found = []
    debts = max(result.debts for result in results)
    if debts > 0:
        where = "liquidation" if item.liquidation else "symbol"
        why = (
            ""
            if item.liquidation
            else ": without [instrument.liquidation] nobody closes a position that owes"
        )
        found.append((where, f"debts of {plain_text(debts)} were left open in a stress run{why}"))
    for result in results:
        if result.attacker_gained is not None and result.attacker_gained > 0:
            gained = plain_text(result.attacker_gained)
            found.append(
                ("symbol", f"{result.name}: the attacker went away with {gained} more than he brought")
            )
        if result.liquidated:
            message = (
                f"{result.name}: {result.liquidated} accounts at the highest leverage were liquidated while"
                " the index stood still; a smaller mark_band_ppm, external prices or more margin would hold"
            )
            found.append(("oracle", message))
    return found


def _sources(oracle: Oracle | None) -> list[str]:
    if oracle is None:
        return ["there is no oracle: whoever may set the mark decides every margin and liquidation"]
    weights = sorted((source.weight for source in oracle.sources), reverse=True)
    colluding, sum_of, total = 0, 0, sum(weights)
    while 2 * sum_of <= total and colluding < len(weights):
        sum_of += weights[colluding]
        colluding += 1
    found = []
    if colluding < 3 and oracle.sources_min > 1:
        found.append(f"{colluding} publishers together decide the index; three or more are harder to buy")
    if oracle.step_max_ppm == 0:
        found.append(
            "step_max_ppm is 0: the index may jump anywhere at once, before a single slice is closed"
        )
    return found


def _against_depth(
    loaded: Loaded, path: tuple[str | int, ...], item: Perpetual, taken: Taken
) -> list[Problem]:
    if taken.depth > 0 and taken.open_interest > 10 * taken.depth and item.open_interest_scaling is None:
        times = taken.open_interest / taken.depth
        message = (
            f"positions of {plain_text(taken.open_interest)} stand against a depth of"
            f" {plain_text(taken.depth)} ({times:.0f} times): open_interest_scaling asks for more margin"
            " as they grow"
        )
        return [loaded.problem((*path, "symbol"), message, "warning")]
    return []
