"""What the events say: resting orders, positions and totals, followed with numpy from the arrays alone.

No order and no account is asked for: whoever keeps the events knows the market.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from exchange_os import CommandKind, EventKind, Reject, Side
from exchange_os.records import Commands, Events

from .draws import Ints
from .tournament_markets import INSTRUMENTS_MAX, QUESTIONS_MAX

if TYPE_CHECKING:
    from .tournament_markets import Listings

NO_BID, NO_ASK = 0, 1 << 40
_BUY = int(Side.BUY)


class Tape:
    """The market as its events tell it. Arrays over orders are indexed by order id."""

    def __init__(self, listings: Listings, accounts: int) -> None:
        self.listings = listings
        self.account = np.zeros(1 << 16, np.int32)
        self.instrument = np.zeros(1 << 16, np.int32)
        self.is_buy = np.zeros(1 << 16, np.bool_)
        self.price = np.zeros(1 << 16, np.int64)
        self.remaining = np.zeros(1 << 16, np.int64)
        self.live: Ints = np.zeros(0, np.int64)
        self.position = np.zeros((accounts + 1, INSTRUMENTS_MAX), np.int64)
        self.sets = np.zeros(QUESTIONS_MAX, np.int64)
        self.orders_by_instrument = np.zeros(INSTRUMENTS_MAX, np.int64)
        self.trades_by_instrument = np.zeros(INSTRUMENTS_MAX, np.int64)
        self.volume_by_instrument = np.zeros(INSTRUMENTS_MAX, np.int64)
        self.commands: Counter[str] = Counter()
        self.rejects: Counter[str] = Counter()
        self.cancels = 0
        self.skips = 0
        """Times that an order passed better liquidity which it may not meet."""
        self.events = 0
        self.fees_by_instrument = np.zeros(INSTRUMENTS_MAX, np.int64)
        self.rebates_by_instrument = np.zeros(INSTRUMENTS_MAX, np.int64)
        self.payouts_atoms = 0
        self.resolved = 0

    def follow(self, batch: Commands, events: Events) -> None:
        """Takes in a batch that was sent and all its events."""
        for kind, count in _counted(batch["kind"]):
            self.commands[CommandKind(kind).name.lower()] += count
        placed = batch["instrument"][batch["kind"] == CommandKind.PLACE]
        self.orders_by_instrument += np.bincount(placed, minlength=INSTRUMENTS_MAX)
        self._take(events)

    def follow_deployments(self, count: int, outcomes: int) -> None:
        """Takes in deployments, which travel alone and have an event each, and one for each outcome."""
        self.commands["deploy"] += count
        self.events += count + outcomes

    def _take(self, events: Events) -> None:
        self.events += len(events)
        kind = events["kind"]
        accepted = events[kind == EventKind.ORDER_ACCEPTED]
        trades = events[kind == EventKind.TRADE]
        cancelled = events[kind == EventKind.ORDER_CANCELLED]
        self._accept(accepted)
        np.subtract.at(self.remaining, trades["order_id"], trades["qty"])
        np.subtract.at(self.remaining, trades["counter_order_id"], trades["qty"])
        np.subtract.at(self.remaining, cancelled["order_id"], cancelled["qty"])
        self.cancels += len(cancelled)
        self.skips += int(np.count_nonzero(kind == EventKind.LIQUIDITY_SKIPPED))
        known = np.concatenate([self.live, accepted["order_id"].astype(np.int64)])
        self.live = known[self.remaining[known] > 0]
        self._trade(trades)
        for name, sign in ((EventKind.SET_SPLIT, 1), (EventKind.SET_MERGED, -1)):
            for event in events[kind == name]:
                outcomes = self.listings.question == event["instrument"]
                self.position[event["account"], outcomes] += sign * event["qty"]
                self.sets[event["instrument"]] += sign * event["qty"]
        resolved = events["instrument"][kind == EventKind.QUESTION_RESOLVED]
        self.resolved += len(resolved)
        if len(resolved):
            self.position[:, np.isin(self.listings.question, resolved)] = 0
        paid = events["amount_low"][kind == EventKind.PAYOUT].astype(np.int64)
        self.payouts_atoms += int(paid[paid > 0].sum())
        for reason, count in _counted(events["reason"][kind == EventKind.REJECTED]):
            self.rejects[Reject(reason).name.lower()] += count

    def _accept(self, accepted: Events) -> None:
        if not len(accepted):
            return
        ids = accepted["order_id"].astype(np.int64)
        self._make_room(int(ids.max()))
        self.account[ids] = accepted["account"]
        self.instrument[ids] = accepted["instrument"]
        self.is_buy[ids] = accepted["side"] == _BUY
        self.price[ids] = accepted["price"]
        self.remaining[ids] = accepted["qty"]

    def _make_room(self, order_id: int) -> None:
        while order_id >= len(self.price):
            for name in ("account", "instrument", "is_buy", "price", "remaining"):
                array: NDArray[np.generic] = getattr(self, name)
                setattr(self, name, np.concatenate([array, np.zeros_like(array)]))

    def _trade(self, trades: Events) -> None:
        if not len(trades):
            return
        instrument, qty = trades["instrument"], trades["qty"]
        signed = np.where(trades["side"] == _BUY, qty, -qty)
        np.add.at(self.position, (trades["account"], instrument), signed)
        np.subtract.at(self.position, (trades["counter_account"], instrument), signed)
        np.add.at(self.trades_by_instrument, instrument, 1)
        np.add.at(self.volume_by_instrument, instrument, trades["price"] * qty)
        taker_fees = trades["amount_low"].astype(np.int64)
        maker_fees = trades["counter_amount_low"].astype(np.int64)
        np.add.at(self.fees_by_instrument, instrument, taker_fees + np.maximum(maker_fees, 0))
        np.add.at(self.rebates_by_instrument, instrument, np.maximum(-maker_fees, 0))

    # --- what stands now ---

    def best(self, leave_out: Ints | None = None) -> tuple[Ints, Ints]:
        """Best bid and ask in ticks by instrument (`NO_BID`, `NO_ASK` where there is none), without the
        orders of the accounts left out."""
        live = self.live
        if leave_out is not None:
            live = live[~np.isin(self.account[live], leave_out)]
        bids, asks = live[self.is_buy[live]], live[~self.is_buy[live]]
        bid = np.full(INSTRUMENTS_MAX, NO_BID, np.int64)
        ask = np.full(INSTRUMENTS_MAX, NO_ASK, np.int64)
        np.maximum.at(bid, self.instrument[bids], self.price[bids])
        np.minimum.at(ask, self.instrument[asks], self.price[asks])
        return bid, ask

    def lots_at(self, prices: Ints, buys: bool) -> Ints:
        """Lots that rest on one side at one price of each instrument."""
        live = self.live
        here = live[(self.is_buy[live] == buys) & (self.price[live] == prices[self.instrument[live]])]
        lots = np.zeros(INSTRUMENTS_MAX, np.int64)
        np.add.at(lots, self.instrument[here], self.remaining[here])
        return lots

    def resting(self, account: int) -> Ints:
        """Ids of an account's resting orders."""
        mine: Ints = self.live[self.account[self.live] == account]
        return mine

    @property
    def orders(self) -> int:
        """Orders that were placed, refused ones included."""
        return self.commands["place"]

    @property
    def trades(self) -> int:
        return int(self.trades_by_instrument.sum())


def _counted(codes: NDArray[np.generic]) -> list[tuple[int, int]]:
    numbers, counts = np.unique(codes, return_counts=True)
    return list(zip(numbers.tolist(), counts.tolist(), strict=True))
