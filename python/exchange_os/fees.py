"""Shares of fees: paid out to the accounts that specifications name."""

from __future__ import annotations

from exchange_os._core import CommandKind, MarketKind
from exchange_os.commands import CommandMethods
from exchange_os.errors import InvalidArgument
from exchange_os.results import Receipt, receipt


class FeeMethods(CommandMethods):
    """What `Exchange` can do with fees that venues and deployers have."""

    def collect_fees(
        self,
        *,
        venue: str | int | None = None,
        instrument: str | int | None = None,
        asset: str | int = 1,
        time_ns: int | None = None,
    ) -> Receipt:
        """Pays all that a venue, or the deployer of an instrument, has of an asset to its `fees_to`.

        Anybody may send it: the specification says who is paid.
        """
        if (venue is None) == (instrument is None):
            raise InvalidArgument("name a venue or an instrument whose fees are collected, one of them")
        directory = self._directory
        if venue is not None:
            kind, number = MarketKind.VENUE, directory.venue(venue)
        else:
            kind, number = MarketKind.INSTRUMENT, directory.market(instrument or 0).number
        return receipt(
            self._command(
                CommandKind.COLLECT_FEES,
                side=int(kind),
                instrument=directory.asset(asset).number,
                order_id=number,
                time_ns=time_ns,
            )
        )
