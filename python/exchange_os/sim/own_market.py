"""The own market of the venue `corner`: a perpetual on the goals of the tournament, listed nowhere else.

Its index is the goals scored so far and 2.75 for each match still to come, in hundredths of a goal.
"""

from __future__ import annotations

import numpy as np

from exchange_os import Flags, SelfTrade, Tif
from exchange_os.records import Commands

from .draws import Draws, Ints
from .order_columns import BUY, SELL, OrderColumns
from .population import Kind, Population
from .tape import Tape
from .tournament_markets import OWN_SYMBOL
from .venues import CORNER
from .world_cup import TournamentFacts, nanoseconds

_TICKS = 100
_GOALS_TO_COME = 275
_LOTS = 200  # thousandths of a goal that a quote has at its first level
_LEVELS = 4
_LEVEL_STEP_BP = 15
_SLIP_BP = 40
_STREAM = 22


def goals_path(facts: TournamentFacts, times_ns: list[int]) -> Ints:
    """The index in ticks at each of the times."""
    whistles = np.array([nanoseconds(match.final_whistle_utc) for match in facts.matches])
    goals = np.array([sum(match.goals) for match in facts.matches])
    over = whistles[None, :] <= np.array(times_ns)[:, None]
    path: Ints = np.where(over, goals * _TICKS, _GOALS_TO_COME).sum(axis=1)
    return path


class OwnMarket:
    """Who trades it: the crypto maker of the venue quotes, its noise and crypto traders take."""

    def __init__(self, seed: int, population: Population, tape: Tape, venue: Ints) -> None:
        self.tape, self.listings = tape, tape.listings
        self.draws = Draws(seed, _STREAM)
        self.size_percent = population.size_percent
        makers, takers = population.of(Kind.CRYPTO_MAKER), population.of(Kind.NOISE, Kind.CRYPTO_TRADER)
        self.makers = makers[venue[makers] == CORNER]
        self.takers = takers[venue[takers] == CORNER]

    def quotes(self, index: int) -> Commands:
        """New quotes of the makers, whose old ones their mass cancel has just taken out."""
        number, columns = self.listings.perpetual[OWN_SYMBOL], OrderColumns()
        level = np.arange(_LEVELS)
        away = index * _LEVEL_STEP_BP * (level + 1) // 10_000
        bid, ask = (side[number] for side in self.tape.best(leave_out=self.makers))
        for account in self.makers.tolist():
            skew = max(-30, min(30, int(self.tape.position[account, number]) // (10 * _LOTS)))
            centre = index - index * skew // 10_000
            columns.add(account, number, BUY, np.minimum(centre - away, ask - 1 - level), _LOTS * (level + 1))
            columns.add(
                account, number, SELL, np.maximum(centre + away, bid + 1 + level), _LOTS * (level + 1)
            )
        return columns.commands(int(Tif.GTC), int(Flags.POST_ONLY), SelfTrade.NONE)

    def take(self, columns: OrderColumns, index: int, before: int, count: int) -> None:
        """At most `count` orders: after goals more of them buy."""
        number = self.listings.perpetual[OWN_SYMBOL]
        account = np.unique(self.draws.pick(self.takers, count))
        buys = self.draws.chance(440 if index < before else 560, len(account))
        lots = 1 + self.draws.between(10, 300, len(account)) * self.size_percent[account] // 100
        position = self.tape.position[account, number]
        wanted = np.abs(position + np.where(buys, lots, -lots)) <= 10 * _LOTS
        slip = index * _SLIP_BP // 10_000
        prices = np.where(buys, index + slip, index - slip)
        sides = np.where(buys, BUY, SELL)
        columns.add_chosen(wanted, account, np.full(len(account), number), sides, prices, lots)
