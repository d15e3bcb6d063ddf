"""Market-maker protection from Python."""

from decimal import Decimal

import pytest

import exchange_os as xos
from exchange_os import InvalidArgument, Reject, Rejected


def test_a_breach_pulls_the_other_quotes(exchange: xos.Exchange) -> None:
    exchange.set_protection(1, "BTC-PERP", qty="0.2", window_s="0.5", freeze_s=3)
    for price in (50_100, 50_200, 50_300):
        exchange.sell(1, "BTC-PERP", price, "0.1", protected=True)
    taken = exchange.buy(2, "BTC-PERP", 51_000, "0.3", tif="ioc")
    assert taken.filled == Decimal("0.2")
    assert exchange.orders(1) == []
    protection = exchange.protection(1, "BTC-PERP")
    assert protection is not None
    assert (protection.qty, protection.delta, protection.qty_max) == (
        Decimal("0.2"),
        Decimal("-0.2"),
        Decimal("0.2"),
    )
    assert (protection.window_s, protection.freeze_s, protection.delta_max) == (Decimal("0.5"), 3, None)
    until_ns = protection.frozen_until_ns
    assert until_ns == exchange.time_ns + 3 * 10**9
    with pytest.raises(Rejected) as refused:
        exchange.sell(1, "BTC-PERP", 50_100, "0.1", protected=True)
    assert refused.value.reject == Reject.PROTECTION_FROZEN
    assert exchange.sell(1, "BTC-PERP", 50_100, "0.1", protected=True, time_ns=until_ns).accepted


def test_a_protection_is_set_anew_and_removed(exchange: xos.Exchange) -> None:
    exchange.set_protection(1, "BTC-PERP", delta=1, window_s=1)
    exchange.set_protection(1, "BTC-PERP")
    assert exchange.protection(1, "BTC-PERP") is None
    with pytest.raises(Rejected) as refused:
        exchange.set_protection(1, "BTC-PERP", delta=1)
    assert refused.value.reject == Reject.PROTECTION_OUT_OF_BOUNDS
    with pytest.raises(InvalidArgument):
        exchange.set_protection(1, "BTC-PERP", delta=1, window_s=10**9)
