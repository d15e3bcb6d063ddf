"""Icebergs from Python: whole units in, what is shown and what is left out."""

from decimal import Decimal

import pytest

import exchange_os as xos
from exchange_os import InvalidArgument, Reject, Rejected


def test_its_owner_sees_all_of_it_and_the_book_a_part(exchange: xos.Exchange) -> None:
    placed = exchange.sell(1, "BTC-PERP", 50_000, "1", display="0.3")
    assert placed.accepted
    assert placed.remaining == 1
    (level,) = exchange.book("BTC-PERP").asks
    assert (level.qty, level.orders) == (Decimal("0.3"), 1)
    taken = exchange.buy(2, "BTC-PERP", 50_000, "0.4")
    assert taken.filled == Decimal("0.4")
    assert len(taken.fills) == 2
    (order,) = exchange.orders(1)
    assert (order.display, order.shown, order.remaining) == (Decimal("0.3"), Decimal("0.2"), Decimal("0.6"))
    assert exchange.book("BTC-PERP").asks[0].qty == Decimal("0.2")
    row = exchange.orders_frame(1).row(0, named=True)
    assert (row["display"], row["shown"]) == (Decimal("0.3"), Decimal("0.2"))
    plain = exchange.sell(1, "BTC-PERP", 50_100, "0.1")
    shows_all = exchange.order(plain.order_id)
    assert shows_all is not None
    assert (shows_all.display, shows_all.shown) == (None, Decimal("0.1"))


def test_a_new_part_is_told(exchange: xos.Exchange) -> None:
    order = exchange.sell(1, "BTC-PERP", 50_000, "0.5", display="0.2")
    before = exchange.sequence
    exchange.buy(2, "BTC-PERP", 50_000, "0.2")
    told = [event for array in exchange.events(before) for event in array]
    (new,) = [event for event in told if event["kind"] == xos.EventKind.ORDER_REPLENISHED]
    market = exchange.qty_lots
    assert new["order_id"] == order.order_id
    assert (new["qty"], new["remaining"]) == (market("BTC-PERP", "0.2"), market("BTC-PERP", "0.3"))


def test_what_it_may_show_is_bounded(exchange: xos.Exchange) -> None:
    for display, reject in (("1", Reject.DISPLAY_NOT_BELOW_TOTAL), ("0.009", Reject.DISPLAY_TOO_SMALL)):
        with pytest.raises(Rejected) as refused:
            exchange.sell(1, "BTC-PERP", 50_000, "1", display=display)
        assert refused.value.reject == reject
        preview = exchange.preview(1, "BTC-PERP", "sell", 50_000, "1", display=display)
        assert preview.rejection is not None
        assert preview.rejection.reject == reject
    assert exchange.preview(1, "BTC-PERP", "sell", 50_000, "1", display="0.01").rejection is None
    with pytest.raises(Rejected) as refused:
        exchange.sell(1, "BTC-PERP", 50_000, "1", display="0.5", tif="ioc")
    assert refused.value.reject == Reject.DISPLAY_TIF
    with pytest.raises(InvalidArgument, match="display"):
        exchange.sell(1, "BTC-PERP", 50_000, "1", display=0)
    with pytest.raises(InvalidArgument, match="display"):
        exchange.bracket(1, "BTC-PERP", "sell", 50_000, "1", stop_loss=51_000, display="0.5")
    assert exchange.orders(1) == []


def test_an_amend_changes_what_it_shows_in_its_place(exchange: xos.Exchange) -> None:
    order = exchange.sell(1, "BTC-PERP", 50_000, "1", display="0.3")
    exchange.sell(2, "BTC-PERP", 50_000, "0.1")
    exchange.amend(1, "BTC-PERP", order.order_id, display="0.2")
    (now,) = exchange.orders(1)
    assert (now.display, now.shown, now.remaining) == (Decimal("0.2"), Decimal("0.2"), 1)
    exchange.amend(1, "BTC-PERP", order.order_id, qty="0.9")
    (now,) = exchange.orders(1)
    assert (now.display, now.shown, now.remaining) == (Decimal("0.2"), Decimal("0.2"), Decimal("0.9"))
    assert exchange.buy(2, "BTC-PERP", 50_000, "0.1").fills[0].maker == 1
    plain = exchange.sell(1, "BTC-PERP", 50_200, "1")
    with pytest.raises(Rejected) as refused:
        exchange.amend(1, "BTC-PERP", plain.order_id, display="0.2")
    assert refused.value.reject == Reject.NOT_AN_ICEBERG


def test_a_batch_has_a_column_for_it(exchange: xos.Exchange) -> None:
    number, lots = exchange.number_of("BTC-PERP"), exchange.qty_lots
    qty, display = lots("BTC-PERP", "1"), lots("BTC-PERP", "0.25")
    ticks = exchange.price_ticks("BTC-PERP", 50_000)
    batch = xos.orders(account=1, instrument=number, side="sell", price=ticks, qty=qty, display=[0, display])
    exchange.submit(batch)
    assert [order.display for order in exchange.orders(1)] == [None, Decimal("0.25")]
    assert exchange.book("BTC-PERP").asks[0].qty == Decimal("1.25")
