"""Market makers: they take all their quotes out of the market and put new ones in, in one frame.

A mass cancel and post-only orders of one frame run before anything that takes (`maker_first`), so nobody
meets a stale quote. How a quote comes from a value: see `world_cup`, "From probability to quotes".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from exchange_os import CommandKind, Flags, SelfTrade, Tif, commands
from exchange_os.records import Commands

from .draws import Ints
from .order_columns import BUY, SELL, OrderColumns
from .population import Kind, Population
from .price_paths import PPM, UNDERLYINGS
from .tape import Tape
from .tournament_markets import INSTRUMENTS_MAX, UNIT_TICKS

if TYPE_CHECKING:
    from .beliefs import Beliefs
    from .tournament_markets import Listings

TICK_PPM = PPM // UNIT_TICKS
_BASE_PPM = 2 * TICK_PPM
_LEVEL_STEP_BP = 4
_CRYPTO_LEVELS = 5
_CRYPTO_LEVEL_VALUE = 4_000  # whole USD of the first level
_BOTH_SIDES = 2
_SWEEP_TICKS = 8


class Makers:
    """All market makers and what they quote."""

    def __init__(
        self, population: Population, tape: Tape, beliefs: Beliefs, bookmakers: int, levels: int
    ) -> None:
        """`bookmakers` says how many of them quote at all, `levels` how many prices on each side."""
        self.tape, self.beliefs, self.levels = tape, beliefs, levels
        self.listings: Listings = tape.listings
        self.bookmakers = population.of(Kind.BOOKMAKER)[:bookmakers]
        self.crypto_makers = population.of(Kind.CRYPTO_MAKER)
        self.size_percent = population.size_percent
        self._tilts = population.bookmaker_tilts
        self._width_percent = 40 + 60 * np.arange(bookmakers) // max(1, bookmakers - 1)

    def step_back(self, which: Ints) -> Commands:
        """After news the bookmakers `which` (places, from 0) take their quotes out and one of them takes what
        others left at prices that the news has passed; otherwise no new quote could get past it."""
        columns = OrderColumns()
        if len(self.listings.outcomes):
            self._sweep(columns, self.bookmakers[which], self.beliefs.views(self._tilts[which[:1]])[0])
        return np.concatenate([_mass_cancels(self.bookmakers[which]), columns.commands()])

    def requote(self, which: Ints, index: dict[str, int]) -> Commands:
        """One frame: the bookmakers `which` (places, from 0) and all crypto makers start afresh."""
        bookmakers = self.bookmakers[which]
        afresh = np.concatenate([bookmakers, self.crypto_makers])
        best_bid, best_ask = self.tape.best(leave_out=afresh)
        columns = OrderColumns()
        if len(self.listings.outcomes):
            values = self.beliefs.views(self._tilts[which])
            live = self.beliefs.touched_by_play()
            for place, account, value in zip(which.tolist(), bookmakers.tolist(), values, strict=True):
                percent = np.where(live, 3, 1) * int(self._width_percent[place])
                self._outcome_quotes(columns, account, percent, value, best_bid, best_ask)
        for account in self.crypto_makers.tolist():
            self._crypto_quotes(columns, account, index, best_bid, best_ask)
        quotes = columns.commands(int(Tif.GTC), int(Flags.POST_ONLY), SelfTrade.NONE)
        return np.concatenate([_mass_cancels(afresh), quotes])

    def _sweep(self, columns: OrderColumns, bookmakers: Ints, value: Ints) -> None:
        tape, outcomes = self.tape, self.listings.outcomes
        ticks = np.full(INSTRUMENTS_MAX, -1)
        ticks[outcomes] = value // TICK_PPM
        live = tape.live[ticks[tape.instrument[tape.live]] >= 0]
        live = live[~np.isin(tape.account[live], bookmakers)]
        fair, price, is_buy = ticks[tape.instrument[live]], tape.price[live], tape.is_buy[live]
        for side, limit, passed in (
            (SELL, ticks + _SWEEP_TICKS, is_buy & (price >= fair + _SWEEP_TICKS)),
            (BUY, ticks - _SWEEP_TICKS, ~is_buy & (price <= fair - _SWEEP_TICKS)),
        ):
            lots = np.zeros(INSTRUMENTS_MAX, np.int64)
            np.add.at(lots, tape.instrument[live[passed]], tape.remaining[live[passed]])
            numbers = np.flatnonzero(lots)
            columns.add(int(bookmakers[0]), numbers, side, limit[numbers], lots[numbers])

    # --- outcomes ---

    def _outcome_quotes(
        self, columns: OrderColumns, account: int, percent: Ints, value: Ints, best_bid: Ints, best_ask: Ints
    ) -> None:
        outcomes = self.listings.outcomes
        spread = np.sqrt((value * (PPM - value)).astype(np.float64)).astype(np.int64)
        half = (_BASE_PPM + spread * 30 // 1_000) * percent // 100
        centre = value - np.clip(self._tilted_inventory(account) * spread // 40_000, -2 * half, 2 * half)
        size = 60 * int(self.size_percent[account]) // 100
        lots = np.clip(size * (PPM // 4) // np.maximum(value, 25_000), size // 4, size * 4)
        lots = np.maximum(lots * 40 // percent, 1)
        bid = np.minimum((centre - half) // TICK_PPM, best_ask[outcomes] - 1)
        ask = np.maximum(-((-centre - half) // TICK_PPM), best_bid[outcomes] + 1)
        step = np.maximum(half // TICK_PPM // 2, 1)
        for level in range(self.levels):
            for side, price in ((BUY, bid - level * step), (SELL, ask + level * step)):
                wanted = (price >= 1) & (price < UNIT_TICKS)
                numbers = outcomes[wanted]
                columns.add(account, numbers, side, price[wanted], lots[wanted] * (level + 1))
                _improve(side, numbers, price[wanted], best_bid, best_ask)

    def _tilted_inventory(self, account: int) -> Ints:
        """Lots of every open outcome above the mean of its question: equal lots of all outcomes are cash."""
        listings = self.listings
        position = self.tape.position[account, listings.outcomes]
        mean = np.add.reduceat(position, listings.starts) // listings.widths
        above: Ints = position - mean[listings.place_in_starts]
        return above

    # --- ETH and BTC ---

    def _crypto_quotes(
        self, columns: OrderColumns, account: int, index: dict[str, int], best_bid: Ints, best_ask: Ints
    ) -> None:
        level = np.arange(_CRYPTO_LEVELS)
        for underlying in UNDERLYINGS:
            price = index[underlying.symbol]
            lots = _CRYPTO_LEVEL_VALUE * underlying.lots // underlying.first_price
            lots = lots * int(self.size_percent[account]) // 100
            away = price * (_LEVEL_STEP_BP * (level + 1)) // 10_000
            for number in (self.listings.spot[underlying.symbol], self.listings.perpetual[underlying.symbol]):
                inventory = int(self.tape.position[account, number])
                skew = max(-20, min(20, inventory // (20 * lots)))
                centre = price - price * skew // 10_000
                bid = np.minimum(centre - away, best_ask[number] - 1 - level)
                ask = np.maximum(centre + away, best_bid[number] + 1 + level)
                for side, prices in ((BUY, bid), (SELL, ask)):
                    columns.add(account, number, side, prices, lots * (level + 1))
                    _improve(side, np.full(len(prices), number), prices, best_bid, best_ask)


def _mass_cancels(accounts: Ints) -> Commands:
    batch = commands(len(accounts))
    batch["kind"] = CommandKind.MASS_CANCEL
    batch["account"] = accounts
    batch["side"] = _BOTH_SIDES
    return batch


def _improve(side: int, numbers: Ints, price: Ints, best_bid: Ints, best_ask: Ints) -> None:
    """The next maker of the frame sees these quotes, and stays on its side of them."""
    if side == BUY:
        np.maximum.at(best_bid, numbers, price)
    else:
        np.minimum.at(best_ask, numbers, price)
