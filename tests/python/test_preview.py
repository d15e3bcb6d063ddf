"""What an order would do, without placing it, and the views of margin."""

from __future__ import annotations

from decimal import Decimal

import pytest

import exchange_os as xos
from exchange_os.errors import OutOfRange, UnknownName


def test_a_preview_says_what_the_order_then_does(exchange: xos.Exchange) -> None:
    exchange.sell(2, "BTC-PERP", 50_000, 1)
    exchange.sell(2, "BTC-PERP", 50_100, 1)
    before, hash_before = exchange.risk(1), exchange.state_hash
    seen = exchange.preview(1, "BTC-PERP", "buy", 50_100, 3)
    assert exchange.state_hash == hash_before
    assert seen.rejection is None
    assert (seen.taken, seen.initial_margin_before) == (2, before.initial_margin)
    exchange.buy(1, "BTC-PERP", 50_100, 3)
    assert seen.fee == sum(trade.taker_fee for trade in exchange.trades("BTC-PERP"))
    after = exchange.risk(1)
    assert (seen.initial_margin_after, seen.maintenance_margin_after) == (
        after.initial_margin,
        after.maintenance_margin,
    )
    (position,) = exchange.positions(1)
    assert seen.liquidation_price == position.liquidation_price
    assert seen.loss_max >= seen.fee + 200


def test_what_only_rests_has_a_liquidation_price_once_it_has_filled(exchange: xos.Exchange) -> None:
    exchange.sell(2, "BTC-PERP", 50_000, 1)
    seen = exchange.preview(1, "BTC-PERP", "buy", 49_000, 60)
    assert (seen.taken, seen.liquidation_price) == (0, None), "nothing is held yet"
    exchange.buy(1, "BTC-PERP", 49_000, 60)
    exchange.sell(2, "BTC-PERP", 49_000, 60)
    (position,) = exchange.positions(1)
    assert seen.liquidation_price_filled == position.liquidation_price is not None


def test_what_takes_and_rests_has_both(exchange: xos.Exchange) -> None:
    exchange.sell(2, "BTC-PERP", 50_000, 1)
    seen = exchange.preview(1, "BTC-PERP", "buy", 50_100, 60)
    exchange.buy(1, "BTC-PERP", 50_100, 60)
    (position,) = exchange.positions(1)
    assert seen.liquidation_price == position.liquidation_price
    exchange.sell(2, "BTC-PERP", 50_100, 59)
    (position,) = exchange.positions(1)
    assert seen.liquidation_price_filled == position.liquidation_price != seen.liquidation_price


def test_a_preview_carries_the_reject(exchange: xos.Exchange) -> None:
    seen = exchange.preview(1, "BTC-PERP", "buy", 50_000, 1, reduce_only=True)
    assert seen.rejection is not None
    assert seen.rejection.reject is xos.Reject.NOTHING_TO_REDUCE
    far = exchange.preview(1, "BTC-PERP", "buy", 50_000, "0.001", post_only=True, tif="ioc")
    assert far.rejection is not None
    assert far.rejection.reject is xos.Reject.POST_ONLY_TIF
    with pytest.raises(UnknownName):
        exchange.preview(99, "BTC-PERP", "buy", 50_000, 1)


def test_a_number_that_no_field_holds_is_out_of_range(exchange: xos.Exchange) -> None:
    with pytest.raises(OutOfRange, match="price is"):
        exchange.preview(1, "BTC-PERP", "buy", 2**80, 1)
    with pytest.raises(OutOfRange, match="qty is"):
        exchange.preview(1, "BTC-PERP", "buy", 50_000, 2**80)
    with pytest.raises(OutOfRange, match="display is"):
        exchange.preview(1, "BTC-PERP", "buy", 50_000, 1, display=2**80)
    with pytest.raises(OutOfRange, match="venue is"):
        exchange.preview(1, "BTC-PERP", "buy", 50_000, 1, venue=2**80)


def test_the_liquidation_price_is_where_the_ratio_passes_one(exchange: xos.Exchange) -> None:
    total = exchange.balance(1, "USDC").total
    exchange.withdraw(1, "USDC", total - 10_000)
    exchange.sell(2, "BTC-PERP", 50_000, 1)
    exchange.buy(1, "BTC-PERP", 50_000, 1)
    (position,) = exchange.positions(1)
    assert position.maintenance_margin == exchange.risk(1).maintenance_margin
    price = position.liquidation_price
    assert price is not None
    exchange.set_mark("BTC-PERP", price + exchange.instrument("BTC-PERP").tick_size)
    at_bound = exchange.risk(1).margin_ratio
    assert at_bound is not None
    assert at_bound >= 1
    exchange.set_mark("BTC-PERP", price)
    past_bound = exchange.risk(1).margin_ratio
    assert past_bound is not None
    assert past_bound < Decimal(1)
    (short,) = exchange.positions(2)
    assert short.liquidation_price is None or short.liquidation_price > 50_000
