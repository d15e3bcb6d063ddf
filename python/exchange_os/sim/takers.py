"""Those who come to the makers' quotes: the informed, fans, noise, basket sellers, arbitrageurs, dealers.

Each function looks at the market as the tape tells it and gives a batch of commands; nothing is sent here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from exchange_os import CommandKind, Flags, Tif, cancels, commands
from exchange_os.records import Commands

from .draws import Draws, Ints
from .makers import TICK_PPM
from .order_columns import BUY, SELL, OrderColumns
from .population import Kind, Population
from .price_paths import HOUR_NS, PPM
from .tape import NO_ASK, NO_BID, Tape
from .tournament_markets import INSTRUMENTS_MAX, TAKER_PPM, UNIT_TICKS

if TYPE_CHECKING:
    from .beliefs import Beliefs

_STREAM = 12
_EDGE_PPM = 3 * TICK_PPM


@dataclass(frozen=True, slots=True)
class Touch:
    """Best prices and the lots there, by instrument."""

    bid: Ints
    ask: Ints
    bid_lots: Ints
    ask_lots: Ints

    @classmethod
    def of(cls, tape: Tape) -> Touch:
        bid, ask = tape.best()
        return cls(bid, ask, tape.lots_at(bid, buys=True), tape.lots_at(ask, buys=False))


class Takers:
    """All who trade outcomes without making a market of them."""

    def __init__(self, seed: int, population: Population, tape: Tape, beliefs: Beliefs) -> None:
        self.population, self.tape, self.beliefs = population, tape, beliefs
        self.listings = tape.listings
        self.draws = Draws(seed, _STREAM)
        self.informed = population.of(Kind.INFORMED)
        self.backers = population.of(Kind.NOISE, Kind.CRYPTO_TRADER)
        self.fans = population.of(Kind.FAN)
        self.basket_sellers = population.of(Kind.BASKET_SELLER)
        self.arbitrageurs = population.of(Kind.ARBITRAGEUR)
        self.set_dealers = population.of(Kind.SET_DEALER)

    # --- the informed ---

    def informed_orders(self, columns: OrderColumns, touch: Touch, count: int) -> None:
        """`count` looks of informed accounts at an outcome each; an order where value and price part."""
        outcomes = self.listings.outcomes
        values = self.beliefs.views(self.population.informed_tilts, informed=True)
        row, place = self.draws.below(len(self.informed), count), self._popular_places(count)
        number, account, value = outcomes[place], self.informed[row], values[row, place]
        bid, ask = touch.bid[number], touch.ask[number]
        fee = np.minimum(value, PPM - value) * TAKER_PPM // PPM
        buy_edge = value - ask * TICK_PPM - fee
        sell_edge = bid * TICK_PPM - value - fee
        buys = buy_edge >= sell_edge
        edge = np.where(buys, buy_edge, sell_edge)
        standing = self.tape.position[account, number] * np.where(buys, 1, -1)
        wanted = (edge > _EDGE_PPM) & (standing < 3_000)
        wanted &= np.where(buys, (ask < NO_ASK) & (touch.ask_lots[number] > 0), bid > NO_BID)
        lots = 10 + np.minimum(edge, 100_000) * self.population.size_percent[account] // 100 // 400
        price = np.where(buys, ask, bid)
        side = np.where(buys, BUY, SELL)
        columns.add_chosen(wanted, account, number, side, price, lots)

    def _popular_places(self, count: int) -> Ints:
        """Places among the open outcomes: matches that are played ten times, other matches twice as often."""
        match = self.listings.match[self.listings.outcomes]
        live = np.isin(match, self.beliefs.live_matches)
        weights = np.where(live, 10, np.where(match > 0, 2, 1))
        return self.draws.pick(np.arange(len(match)), count, weights)

    # --- without a reason ---

    def noise_orders(self, touch: Touch, count: int, time_ns: int) -> Commands:
        """Half take at once, the others leave an order for 6 to 30 hours."""
        number = self.listings.outcomes[self._popular_places(count)]
        account = self.draws.pick(self.backers, count)
        buys = self.draws.chance(580, count)
        patient = self.draws.chance(350, count)
        bid = np.maximum(touch.bid[number], 0)
        ask = np.minimum(touch.ask[number], UNIT_TICKS)
        inside = bid + self.draws.below(np.maximum(ask - bid, 1), count)
        near = np.where(buys, inside - 1, inside + 1)
        price = np.where(patient, near, np.where(buys, ask + 1, bid - 1))
        lots = self.draws.between(5, 60, count) * self.population.size_percent[account] // 100 + 1
        wanted = (price >= 1) & (price < UNIT_TICKS) & (np.abs(self.tape.position[account, number]) < 2_000)
        wanted &= patient | np.where(buys, ask < UNIT_TICKS, bid > 0)
        expires = time_ns + (6 + self.draws.below(24, count)) * HOUR_NS
        columns = OrderColumns()
        columns.add_chosen(wanted, account, number, np.where(buys, BUY, SELL), price, lots)
        return columns.commands(
            np.where(patient, int(Tif.GTD), int(Tif.IOC))[wanted],
            expires_ns=np.where(patient, expires, 0)[wanted],
        )

    def second_thoughts(self, per_mille: int) -> Commands:
        """Some take an order back that they left."""
        live = self.tape.live
        live = live[np.isin(self.tape.account[live], self.backers)]
        chosen = live[self.draws.chance(per_mille, len(live))]
        return cancels(
            account=self.tape.account[chosen], order_id=chosen, instrument=self.tape.instrument[chosen]
        )

    # --- fans ---

    def fan_orders(self, columns: OrderColumns, touch: Touch, count: int) -> None:
        """Fans back their team, for the title or in its match; now and then one takes a profit."""
        outcomes = self.listings.outcomes
        fan = self.draws.pick(self.fans, count)
        pick = self.draws.words(count)
        team = self.listings.team[outcomes]
        order = np.argsort(team, kind="stable")
        first = np.searchsorted(team[order], self.population.team[fan], side="left")
        last = np.searchsorted(team[order], self.population.team[fan], side="right")
        found = last > first
        place = first + (pick >> np.uint64(40)).astype(np.int64) % np.maximum(last - first, 1)
        number = outcomes[order[np.minimum(place, len(order) - 1)]]
        position = self.tape.position[fan, number]
        sells = self.draws.chance(200, count) & (position > 0)
        price = np.where(sells, touch.bid[number], touch.ask[number])
        lots = np.where(sells, position // 2 + 1, 20 * self.population.size_percent[fan] // 100 + 5)
        wanted = found & (price >= 1) & (price < UNIT_TICKS) & (sells | (position < 1_500))
        side = np.where(sells, SELL, BUY)
        columns.add_chosen(wanted, fan, number, side, price, lots)

    # --- across the outcomes of a question ---

    def basket_sales(self, columns: OrderColumns, touch: Touch) -> None:
        """Each basket seller sells a little of every outsider of one question: at most one of them pays."""
        listings = self.listings
        outcomes = listings.outcomes
        chosen = self.draws.below(len(listings.starts), len(self.basket_sellers))
        if listings.widths[0] > 4:
            chosen[0] = 0  # the first of them keeps to the champion
        for account, question in zip(self.basket_sellers.tolist(), chosen.tolist(), strict=True):
            begin = int(listings.starts[question])
            number = outcomes[begin : begin + int(listings.widths[question])]
            bid = touch.bid[number]
            wanted = (bid >= 2) & (bid < UNIT_TICKS // 3) & (self.tape.position[account, number] > -1_500)
            lots = np.minimum(touch.bid_lots[number], 40)
            columns.add(account, number[wanted], SELL, bid[wanted], lots[wanted])

    def arbitrage(self, columns: OrderColumns, touch: Touch) -> None:
        """Sells every bid of a question where the bids exceed one unit, buys every offer where the offers
        are less, after fees."""
        listings = self.listings
        outcomes, starts = listings.outcomes, listings.starts
        bid, ask = touch.bid[outcomes] * TICK_PPM, np.minimum(touch.ask[outcomes], UNIT_TICKS) * TICK_PPM
        fee_bid = np.minimum(bid, PPM - bid) * TAKER_PPM // PPM
        fee_ask = np.minimum(ask, PPM - ask) * TAKER_PPM // PPM
        over = np.add.reduceat(bid - fee_bid, starts) - PPM
        under = PPM - np.add.reduceat(ask + fee_ask, starts)
        chances = np.flatnonzero((over > TICK_PPM) | (under > TICK_PPM)).tolist()
        for turn, question in enumerate(chances):
            account = int(self.arbitrageurs[turn % len(self.arbitrageurs)])
            number = outcomes[starts[question] : starts[question] + listings.widths[question]]
            sells = over[question] > TICK_PPM
            price, lots = (touch.bid, touch.bid_lots) if sells else (touch.ask, touch.ask_lots)
            number = number[(price[number] >= 1) & (price[number] < UNIT_TICKS)]
            columns.add(
                account, number, SELL if sells else BUY, price[number], min(100, int(lots[number].min()))
            )

    def merges(self) -> Commands:
        """Arbitrageurs give complete sets back for the unit."""
        listings = self.listings
        outcomes = listings.outcomes
        held = self.tape.position[np.ix_(self.arbitrageurs, outcomes)]
        question = listings.question[outcomes[listings.starts]]
        # Only what was split can be given back: the rest is owed by those who are short.
        split = self.tape.sets[question] // len(self.arbitrageurs)
        sets = np.minimum(np.minimum.reduceat(held, listings.starts, axis=1), split)
        rows, columns = np.nonzero(sets > 0)
        batch = commands(len(rows))
        batch["kind"] = CommandKind.MERGE_SET
        batch["account"] = self.arbitrageurs[rows]
        batch["instrument"] = question[columns]
        batch["qty"] = sets[rows, columns]
        return batch

    # --- dealers of complete sets ---

    def split_sets(self, keys: list[str], lots: int) -> Commands:
        """Every set dealer splits units of each of the questions."""
        batch = commands(len(self.set_dealers) * len(keys))
        batch["kind"] = CommandKind.SPLIT_SET
        batch["account"] = np.tile(self.set_dealers, len(keys))
        batch["instrument"] = np.repeat([self.listings.number[key] for key in keys], len(self.set_dealers))
        batch["qty"] = lots
        return batch

    def set_offers(self, touch: Touch, time_ns: int) -> Commands:
        """Every set dealer offers some of what it holds for a day, one tick below the best offer."""
        outcomes = self.listings.outcomes
        lowest_ask = np.full(INSTRUMENTS_MAX, NO_ASK)
        lowest_ask[outcomes] = np.maximum(touch.ask[outcomes] - 1, touch.bid[outcomes] + 1)
        columns = OrderColumns()
        for account in self.set_dealers.tolist():
            held = outcomes[self.tape.position[account, outcomes] > 0]
            resting = self.tape.resting(account)
            free = held[~np.isin(held, self.tape.instrument[resting])]
            free = free[lowest_ask[free] < UNIT_TICKS]
            lots = np.minimum(self.tape.position[account, free], 60)
            columns.add(account, free, SELL, lowest_ask[free], lots)
            lowest_ask[free] = NO_ASK  # the second does not sit on the first
        return columns.commands(int(Tif.GTD), int(Flags.POST_ONLY), expires_ns=time_ns + 24 * HOUR_NS)
