"""Collateral that questions take, with netting and without.

With x the position in an outcome (lots), U k the unit's atoms per lot, B and S the reserves of the open buys
and sells on it (`docs/internals/rules.md`, section 3), the engine takes from an account for a question

    netted  =  sum of all B  -  min over outcomes w of ( x_w U k + B_w - S_w )

the exact worst case over every outcome that could win and every subset of the open orders that could fill.
Full collateral per outcome is the same rule with each outcome as a question of its own, "it or not it":

    full    =  sum over outcomes i of  max( S_i - x_i U k,  B_i )

A bought share is paid when it is bought and takes nothing more in either; a sold one takes the whole unit in
the second, in the first only the most that the question can cost. The difference, never negative, is what
netting leaves free. Complete sets count against what else a question takes, so `netted` can be negative.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .draws import Ints
from .price_paths import PPM
from .tape import Tape
from .tournament_markets import ATOMS_PER_TICK_LOT, INSTRUMENTS_MAX, TAKER_PPM, UNIT_TICKS

UNIT_ATOMS = UNIT_TICKS * ATOMS_PER_TICK_LOT


@dataclass(frozen=True, slots=True)
class Collateral:
    """Of all accounts over all open questions, in atoms of the settlement asset."""

    time_ns: int
    netted: int
    full: int

    @property
    def saved(self) -> int:
        return self.full - self.netted


@dataclass(frozen=True, slots=True)
class Basket:
    """One account in one question: short so many outcomes of it, of which one can win."""

    account: int
    question: str
    short_outcomes: int
    collateral: Collateral


@dataclass(slots=True)
class NettingRecord:
    """What was measured through the tournament, and the watched basket that netting helped most."""

    samples: list[Collateral] = field(default_factory=list)
    basket: Basket | None = None

    def take(self, tape: Tape, time_ns: int, watched: Ints) -> None:
        """Measures now; `watched` are accounts that sell baskets."""
        netted, full = by_account_and_question(tape)
        self.samples.append(Collateral(time_ns, int(netted.sum()), int(full.sum())))
        saved = (full - netted)[watched]
        row, column = np.unravel_index(int(saved.argmax()), saved.shape)
        if self.basket is not None and saved[row, column] <= self.basket.collateral.saved:
            return
        account, listings = int(watched[row]), tape.listings
        number = int(listings.question[listings.outcomes[listings.starts[column]]])
        here = listings.outcomes[listings.place_in_starts == column]
        self.basket = Basket(
            account,
            next(key for key, found in listings.number.items() if found == number),
            int(np.count_nonzero(tape.position[account, here] < 0)),
            Collateral(time_ns, int(netted[account, column]), int(full[account, column])),
        )

    @property
    def peak(self) -> Collateral:
        """When full collateral would have been highest."""
        return max(self.samples, key=lambda sample: sample.full)

    @property
    def mean_saved(self) -> int:
        """Over all samples."""
        return sum(sample.saved for sample in self.samples) // len(self.samples)


def by_account_and_question(tape: Tape) -> tuple[Ints, Ints]:
    """`netted` and `full` of every account (rows, 0 unused) and open question (columns, as listed)."""
    listings = tape.listings
    outcomes, starts = listings.outcomes, listings.starts
    worth = tape.position[:, outcomes] * UNIT_ATOMS
    buys, sells = (reserves[:, outcomes] for reserves in _reserves(tape))
    worst = np.minimum.reduceat(worth + buys - sells, starts, axis=1)
    netted = np.add.reduceat(buys, starts, axis=1) - worst
    full = np.add.reduceat(np.maximum(sells - worth, buys), starts, axis=1)
    return netted, full


def _reserves(tape: Tape) -> tuple[Ints, Ints]:
    """Reserves of open buys and sells by account and instrument, as the engine counts them."""
    live = tape.live
    price, lots = tape.price[live], tape.remaining[live]
    is_buy = tape.is_buy[live]
    paid = np.where(is_buy, price, UNIT_TICKS - price) * ATOMS_PER_TICK_LOT
    base = np.minimum(paid, UNIT_TICKS // 2 * ATOMS_PER_TICK_LOT)
    fee = -(-base * TAKER_PPM // PPM)
    places = tape.account[live], tape.instrument[live]
    found = []
    for side in (is_buy, ~is_buy):
        reserves = np.zeros((len(tape.position), INSTRUMENTS_MAX), np.int64)
        np.add.at(reserves, (places[0][side], places[1][side]), ((paid + fee) * lots)[side])
        found.append(reserves)
    return found[0], found[1]
