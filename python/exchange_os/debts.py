"""Debt in the settlement asset: what an account owes, and what may be sold for it."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from exchange_os.bounds import whole
from exchange_os.errors import UnknownName

if TYPE_CHECKING:
    from exchange_os import _core
    from exchange_os.directory import Directory


class Convertible(msgspec.Struct, frozen=True):
    """Collateral that may be sold for a debt: in which book, how much, the lowest price, what it counts."""

    asset: str
    instrument: str
    qty: Decimal
    price: Decimal
    value: Decimal


class Debt(msgspec.Struct, frozen=True):
    """What an account owes in the settlement asset; what may be sold for it, in the order in which it is."""

    account: int
    owed: Decimal
    convertible: list[Convertible]


class DebtViews:
    """Reading the debts of accounts."""

    _core: _core.Exchange
    _directory: Directory

    def debt(self, account: int) -> Debt:
        """What an account owes in the settlement asset, and what of its collateral may be sold for it."""
        money = self._directory.assets[1].amount
        found = self._core.debt(whole("account", account))
        if found is None:
            raise UnknownName(
                f"account {account!r} does not exist; the newest is {self._core.account_count()}"
            )
        owed, rows = found
        convertible = []
        for asset, number, lots, price, value in rows:
            market = self._directory.market(number)
            convertible.append(
                Convertible(
                    asset=self._directory.assets[asset].symbol,
                    instrument=market.symbol,
                    qty=market.qty.value(lots),
                    price=market.price.value(price),
                    value=money.value(value),
                )
            )
        return Debt(account=account, owed=money.value(owed), convertible=convertible)
