"""Events as they come from `exchange_os`, and what a call has to answer with them."""

from __future__ import annotations

from typing import Any

import exchange_os as xos
from exchange_os.records import integers_128

Event = dict[str, Any]


def as_events(array: Any) -> list[Event]:
    """Events as dictionaries with their amounts in one piece."""
    names = array.dtype.names
    amounts, counters = integers_128(array, "amount"), integers_128(array, "counter_amount")
    events = [dict(zip(names, row, strict=True)) for row in array.tolist()]
    for event, amount, counter in zip(events, amounts, counters, strict=True):
        event |= {"amount": amount, "counter_amount": counter}
    return events


def agree(answer: xos.OrderResult, outcome: Event, events: list[Event]) -> None:
    """What place and amend answer is what their events say."""
    assert answer.sequence == outcome["sequence"]
    assert answer.retry == bool(outcome["flags"] & xos.EventFlags.RETRY)
    if outcome["kind"] == xos.EventKind.REJECTED or answer.retry:
        return
    kinds = (xos.EventKind.TRADE, xos.EventKind.IMPLIED_TRADE)
    trades = [event for event in events if event["kind"] in kinds]
    trades = [trade for trade in trades if trade["order_id"] == outcome["order_id"]]
    assert answer.order_id == outcome["order_id"]
    assert answer.qty_lots == outcome["qty"]
    assert [trade.trade_id for trade in answer.fills] == [event["trade_id"] for event in trades]
    assert answer.filled_lots == sum(event["qty"] for event in trades)


def is_of_time(event: Event) -> bool:
    """Whether time brought it and not the command that it stands with."""
    if event["flags"] & xos.EventFlags.OF_TIME:
        return True
    if event["kind"] in {xos.EventKind.ORDER_CANCELLED, xos.EventKind.TRIGGER_CANCELLED}:
        reasons = {xos.CancelReason.EXPIRED, xos.CancelReason.CANCEL_ALL_AFTER, xos.CancelReason.LINKED}
        return event["reason"] in reasons
    return bool(event["kind"] == xos.EventKind.CANCEL_ALL_AFTER_FIRED)
