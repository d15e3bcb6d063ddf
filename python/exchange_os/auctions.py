"""Auctions: begun by an operator, or by the phases of an instrument, and how they stand."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from exchange_os._core import CommandKind
from exchange_os.bounds import whole
from exchange_os.commands import CommandMethods
from exchange_os.results import Receipt, receipt


class Auction(msgspec.Struct, frozen=True):
    """How the auction of an instrument stands.

    While it collects (not `priced`), `price` is what it would be filled at now, `qty` what would trade.
    Once it is priced the book stands still, the price stays, and `qty` is what is left to trade; a price
    of None: nothing crosses. `imbalance` is what buyers want at it more than sellers, `reference_price` what
    decides between prices that are equal otherwise. It ends with the first tick at or after `ends_ns`.
    """

    instrument: str
    ends_ns: int
    priced: bool
    price: Decimal | None
    qty: Decimal
    imbalance: Decimal
    reference_price: Decimal | None
    filled: Decimal


class AuctionMethods(CommandMethods):
    """What `Exchange` can do with auctions."""

    def auction(self, instrument: str | int) -> Auction | None:
        """How the auction of an instrument stands; None: it is in none."""
        market = self._directory.market(instrument)
        row = self._core.auction(market.number)
        if row is None:
            return None
        ends_ns, priced, price, lots, imbalance, reference, filled = row
        return Auction(
            instrument=market.symbol,
            ends_ns=ends_ns,
            priced=priced,
            price=market.price.value(price) if price else None,
            qty=market.qty.value(lots),
            imbalance=market.qty.value(imbalance),
            reference_price=market.price.value(reference) if reference else None,
            filled=market.qty.value(filled),
        )

    def start_auction(self, instrument: str | int, ends_ns: int, *, time_ns: int | None = None) -> Receipt:
        """Collects orders of an instrument, unmatched, until `ends_ns`; then they trade at one price.

        It ends with the first tick at or after that time.
        """
        number = self._directory.market(instrument).number
        return receipt(
            self._command(
                CommandKind.START_AUCTION,
                instrument=number,
                expires_ns=whole("expires_ns", ends_ns),
                time_ns=time_ns,
            )
        )
