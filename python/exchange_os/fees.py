"""Fees of accounts: what they are charged, who receives which part, and how receivers are paid."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from exchange_os._core import CommandKind, EventKind, MarketKind
from exchange_os.bounds import whole
from exchange_os.commands import CommandMethods
from exchange_os.errors import InvalidArgument, UnknownName
from exchange_os.records import events_from_bytes, integers_128
from exchange_os.results import Receipt, receipt

if TYPE_CHECKING:
    from exchange_os.records import Events

_PPM = 1_000_000
_PARTS = ("deployer", "venue", "referrer", "insurance", "protocol")


class FeeReceipt(msgspec.Struct, frozen=True):
    """One fee and who received it.

    `parts` has deployer, venue, referrer, insurance, protocol and rounding; together they are the fee, to the
    atom. A taker's fee is told less the rebate that it paid. `referrer` is the account that received that
    part, 0 where nobody brought the payer: then the protocol has it. `venue` brought the order; None: the
    exchange itself.
    """

    trade_id: int
    sequence: int
    time_ns: int
    instrument: str
    payer: int
    order_id: int
    venue: str | None
    referrer: int
    asset: str
    fee: Decimal
    parts: dict[str, Decimal]


class FeeRates(msgspec.Struct, frozen=True):
    """What an account is charged through a venue now.

    `tier` is 0 for the schedule itself, then counts the venue's tiers. It follows from `volume`, that of the
    thirty whole days (UTC) before today; `volume_today` counts from tomorrow on. `cap_ppm`: the most that the
    account allows.
    """

    maker_ppm: int
    taker_ppm: int
    tier: int
    volume: Decimal
    volume_today: Decimal
    cap_ppm: int | None


class FeeMethods(CommandMethods):
    """What `Exchange` can do with fees."""

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

    def set_fee_cap(
        self, account: int, venue: str | int, ppm: int | None, *, time_ns: int | None = None
    ) -> Receipt:
        """Sets the highest rate, in ppm, at which an account trades through a venue; None takes the cap away.

        Orders of which a rate is above it are refused. Whatever the schedule becomes afterwards, no fill of
        the account through the venue is charged more. While an order rests that is charged more, a cap is
        refused.
        """
        rate = -1 if ppm is None else whole("ppm", ppm)
        return receipt(
            self._command(
                CommandKind.SET_FEE_CAP,
                account=whole("account", account),
                order_id=self._directory.venue(venue),
                qty=rate,
                time_ns=time_ns,
            )
        )

    def set_referrer(self, account: int, referrer: int, *, time_ns: int | None = None) -> Receipt:
        """Says, once and for ever, who brought an account: an account of another owner.

        Where an instrument's split has a part for referrers, that account receives it of every fee at once.
        """
        return receipt(
            self._command(
                CommandKind.SET_REFERRER,
                account=whole("account", account),
                order_id=whole("referrer", referrer),
                time_ns=time_ns,
            )
        )

    def is_simulated(self, account: int) -> bool:
        """Whether the money of an account is worthless: it was opened so, or its parent was."""
        return self._core.is_simulated(whole("account", account))

    def referrer(self, account: int) -> int | None:
        """The account that brought an account, or the parent of an isolated one."""
        return self._core.referrer(whole("account", account))

    def fee_rates(self, account: int, venue: str | int, instrument: str | int | None = None) -> FeeRates:
        """What an account is charged through a venue now: its tier, and the volume it follows from.

        A venue without fees of its own has those of each instrument, which then has to be named.
        """
        directory = self._directory
        number = 0 if instrument is None else directory.market(instrument).number
        found = self._core.fee_rates(whole("account", account), directory.venue(venue), number)
        if found is None:
            raise UnknownName(
                f"account {account!r} does not exist; the newest is {self._core.account_count()}"
            )
        rates, tier, volume, today, cap = found
        if rates is None:
            raise InvalidArgument("the venue has no fees of its own: name an instrument")
        money = directory.assets[1].amount
        return FeeRates(*rates, tier, money.value(volume), money.value(today), cap)

    def fee_receipts(
        self, *, account: int | None = None, instrument: str | int | None = None
    ) -> list[FeeReceipt]:
        """Receipts of recent fees, oldest first, of everybody or of one payer, as far as events are kept.

        Instruments whose split says `receipts = true` give one for every fee that is divided.
        """
        _, data = self._core.events_kept()
        events = events_from_bytes(data)
        chosen = events["kind"] == EventKind.FEE_DIVIDED
        if account is not None:
            chosen &= events["account"] == whole("account", account)
        if instrument is not None:
            chosen &= events["instrument"] == self._directory.market(instrument).number
        return list(self._receipts(events[chosen]))

    def _receipts(self, events: Events) -> Iterator[FeeReceipt]:
        venues = {number: name for name, number in self._directory.venues.items() if isinstance(name, str)}
        fees, roundings = integers_128(events, "amount"), integers_128(events, "counter_amount")
        for event, fee, rounding in zip(events, fees, roundings, strict=True):
            market = self._directory.markets[int(event["instrument"])]
            # The bytes that in a trade are its counterpart: five rates, an account, the number of the trade.
            words = np.frombuffer(bytes(event["client_id"]).ljust(32, b"\0"), "<u4").tolist()
            shares = {name: fee * ppm // _PPM for name, ppm in zip(_PARTS, words[:5], strict=True)}
            if not words[5]:
                shares["protocol"] += shares["referrer"]
                shares["referrer"] = 0
            venue = int(event["venue"])
            yield FeeReceipt(
                trade_id=words[6] | words[7] << 32,
                sequence=int(event["sequence"]),
                time_ns=int(event["time_ns"]),
                instrument=market.symbol,
                payer=int(event["account"]),
                order_id=int(event["order_id"]),
                venue=venues[venue] if venue else None,
                referrer=words[5],
                asset=market.fee_asset.symbol,
                fee=market.fee_asset.amount.value(fee),
                parts={
                    name: market.fee_asset.amount.value(atoms)
                    for name, atoms in (shares | {"rounding": rounding}).items()
                },
            )
