"""Receipts of deleveraging, from their events."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from exchange_os.records import Events, integers_128
from exchange_os.results import AdlReceipt

if TYPE_CHECKING:
    from exchange_os.directory import Directory

# Rank, candidates, positions of the round, nothing, lots of the queue, lots of the round: bytes 56 to 88.
_RECEIPT, _DETAIL = struct.Struct("<4I2q"), slice(56, 88)


def receipts_of(events: Events, directory: Directory) -> list[AdlReceipt]:
    """The receipts of `deleveraged` events."""
    money = directory.assets[1].amount
    realised, haircuts = integers_128(events, "amount"), integers_128(events, "counter_amount")
    receipts = []
    for event, gained, lost in zip(events, realised, haircuts, strict=True):
        market = directory.market(int(event["instrument"]))
        rank, candidates, bankrupts, _, queued, closed = _RECEIPT.unpack(event.tobytes()[_DETAIL])
        receipts.append(
            AdlReceipt(
                sequence=int(event["sequence"]),
                time_ns=int(event["time_ns"]),
                account=int(event["account"]),
                instrument=market.symbol,
                price=market.price.value(int(event["price"])),
                qty=market.qty.value(int(event["qty"])),
                position=market.qty.value(int(event["remaining"])),
                realised=money.value(gained),
                haircut=money.value(lost),
                queue_rank=rank,
                candidates=candidates,
                bankrupt_positions=bankrupts,
                queue_qty=market.qty.value(queued),
                closed_qty=market.qty.value(closed),
            )
        )
    return receipts
