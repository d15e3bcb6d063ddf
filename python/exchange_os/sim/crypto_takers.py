"""Those who trade ETH and BTC: traders who follow or fade the last move, and carry traders."""

from __future__ import annotations

import numpy as np

from .draws import Draws, Ints
from .order_columns import BUY, SELL, OrderColumns
from .population import Kind, Population
from .price_paths import UNDERLYINGS, Underlying
from .takers import Touch
from .tape import Tape

_STREAM = 13
_SLIP_BP = 15


class CryptoTakers:
    """Spot and perpetual orders around the index. The informed trade perpetuals here, on the account that
    holds their outcomes."""

    def __init__(self, seed: int, population: Population, tape: Tape) -> None:
        self.tape = tape
        self.listings = tape.listings
        self.draws = Draws(seed, _STREAM)
        self.population = population
        self.traders = population.of(Kind.CRYPTO_TRADER)
        self.perpetual_only = population.of(Kind.INFORMED, Kind.NOISE)
        self.carry = population.of(Kind.CARRY_TRADER)

    def orders(
        self,
        columns: OrderColumns,
        touch: Touch,
        index: dict[str, int],
        before: dict[str, int],
        count: int,
    ) -> None:
        """About `count` orders over all four instruments."""
        for underlying in UNDERLYINGS:
            price = index[underlying.symbol]
            rising = price >= before[underlying.symbol]
            spot = self.listings.spot[underlying.symbol]
            perpetual = self.listings.perpetual[underlying.symbol]
            for who, number in (
                (self.traders, spot),
                (self.traders, perpetual),
                (self.perpetual_only, perpetual),
            ):
                self._follow(columns, who, underlying, number, price, rising, max(1, count // 6))
            self._carry(columns, touch, underlying, spot, perpetual)

    def _follow(
        self,
        columns: OrderColumns,
        who: Ints,
        underlying: Underlying,
        number: int,
        price: int,
        rising: bool,
        count: int,
    ) -> None:
        account = self.draws.pick(who, count)
        buys = self.draws.chance(560 if rising else 440, count)
        lots = self.draws.between(2, 40, count) * self.population.size_percent[account] // 100
        lots = (lots + 1) * underlying.lots * 30 // underlying.first_price
        position = self.tape.position[account, number]
        most = underlying.lots * 30_000 // underlying.first_price
        if number == self.listings.spot[underlying.symbol]:
            brought = self.population.spot_lots(Kind.CRYPTO_TRADER, underlying.symbol, underlying.lots)
            after = position - lots >= -min(most, brought)
        else:
            after = position - lots >= -most
        # Each account at most once a frame, so that what it has is what the tape says.
        _, first = np.unique(account, return_index=True)
        wanted = np.isin(np.arange(count), first) & np.where(buys, position + lots <= most, after)
        slip = price * _SLIP_BP // 10_000
        prices = np.where(buys, price + slip, price - slip)
        columns.add_chosen(wanted, account, np.full(count, number), np.where(buys, BUY, SELL), prices, lots)

    def _carry(
        self, columns: OrderColumns, touch: Touch, underlying: Underlying, spot: int, perpetual: int
    ) -> None:
        """Where the perpetual bids about what spot costs: buys the one, sells the other, the same lots."""
        account = int(self.draws.pick(self.carry, 1)[0])
        lots = underlying.lots * 3_000 // underlying.first_price
        dear = touch.ask[spot] > touch.bid[perpetual] * 1_001 // 1_000
        if dear or self.tape.position[account, spot] > 30 * lots:
            return
        slip = touch.ask[spot] * _SLIP_BP // 10_000
        prices = np.array([touch.ask[spot] + slip, touch.bid[perpetual] - slip])
        columns.add(account, np.array([spot, perpetual]), np.array([BUY, SELL]), prices, lots)
