"""Orders gathered column by column, so that a whole frame of them is built at once."""

from __future__ import annotations

import numpy as np

from exchange_os import SelfTrade, Side, Tif, orders
from exchange_os.records import Commands

from .draws import Flags, Ints

BUY, SELL = int(Side.BUY), int(Side.SELL)


class OrderColumns:
    """Rows of account, instrument, side, price in ticks and lots, in the order in which they were added."""

    def __init__(self) -> None:
        self._rows: list[Ints] = []

    def add(
        self, account: int | Ints, instrument: int | Ints, side: int | Ints, price: Ints, lots: int | Ints
    ) -> None:
        """Adds a row for each price; every other column has one value for each row or one for all."""
        block = np.empty((5, len(price)), np.int64)
        block[0], block[1], block[2], block[3], block[4] = account, instrument, side, price, lots
        self._rows.append(block)

    def add_chosen(
        self, chosen: Flags, account: Ints, instrument: Ints, side: Ints, price: Ints, lots: Ints
    ) -> None:
        """Adds the rows for which `chosen` is true."""
        self.add(account[chosen], instrument[chosen], side[chosen], price[chosen], lots[chosen])

    def commands(
        self,
        tif: int | Ints = int(Tif.IOC),
        flags: int = 0,
        self_trade: SelfTrade = SelfTrade.CANCEL_TAKER,
        expires_ns: int | Ints = 0,
    ) -> Commands:
        """All rows as one batch."""
        rows = np.concatenate([np.empty((5, 0), np.int64), *self._rows], axis=1)
        account, instrument, side, price, lots = rows
        return orders(
            account=account,
            instrument=instrument,
            side=side,
            price=price,
            qty=lots,
            tif=tif,
            flags=flags,
            self_trade=int(self_trade),
            expires_ns=expires_ns,
        )
