"""Cancel-all-after from Python."""

import pytest

import exchange_os as xos
from exchange_os import EventKind, Inexact, Reject, Rejected


def test_orders_leave_before_the_first_command_at_the_deadline(exchange: xos.Exchange) -> None:
    exchange.sell(1, "BTC-USDC", 50_000, 1)
    exchange.cancel_all_after(1, "1.5")
    now_ns = exchange.time_ns
    exchange.tick(time_ns=now_ns + 1_499_999_999)
    assert len(exchange.orders(1)) == 1
    late = exchange.buy(2, "BTC-USDC", 50_000, 1, time_ns=now_ns + 1_500_000_000)
    assert (late.status, late.filled) == ("resting", 0)
    assert exchange.orders(1) == []
    (events,) = exchange.events(since_sequence=late.sequence)
    kinds = [EventKind.CANCEL_ALL_AFTER_FIRED, EventKind.ORDER_CANCELLED, EventKind.ORDER_ACCEPTED]
    assert events["kind"].tolist() == kinds


def test_a_countdown_starts_anew_and_stops(exchange: xos.Exchange) -> None:
    exchange.sell(1, "BTC-USDC", 50_000, 1)
    exchange.cancel_all_after(1, 1)
    exchange.cancel_all_after(1, 0)
    exchange.tick(time_ns=exchange.time_ns + 10**12)
    assert len(exchange.orders(1)) == 1


def test_a_countdown_has_whole_milliseconds_and_an_end(exchange: xos.Exchange) -> None:
    with pytest.raises(Inexact):
        exchange.cancel_all_after(1, "0.0001")
    with pytest.raises(Rejected) as refused:
        exchange.cancel_all_after(1, 86_401)
    assert refused.value.reject == Reject.COUNTDOWN_OUT_OF_BOUNDS
