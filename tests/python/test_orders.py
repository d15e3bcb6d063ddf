"""Single orders in whole units."""

import decimal
from collections.abc import Callable
from decimal import Decimal
from typing import Literal

import pytest

import exchange_os as xos
from exchange_os import CancelReason, Reject, Rejected


def test_an_order_rests_and_is_seen(exchange: xos.Exchange) -> None:
    result = exchange.buy(1, "BTC-USDC", "50000.1", Decimal("0.5"), client_id="mine")
    assert result.accepted
    assert (result.status, result.filled, result.remaining) == ("resting", 0, Decimal("0.5"))
    order = exchange.order(result.order_id)
    assert order is not None
    assert (order.price, order.qty, order.side, order.client_id) == (
        Decimal("50000.1"),
        Decimal("0.5"),
        "buy",
        b"mine",
    )
    assert exchange.orders(1) == [order]
    assert exchange.orders(1, "BTC-PERP") == []
    book = exchange.book("BTC-USDC")
    assert [(level.price, level.qty, level.orders) for level in book.bids] == [(order.price, order.qty, 1)]
    assert exchange.balance(1, "USDC").held == Decimal("25000.05") + 500 * Decimal(
        "0.025001"
    )  # the fee rounds up per lot


def test_a_match_gives_fills_with_fees(exchange: xos.Exchange) -> None:
    maker = exchange.buy(1, "BTC-USDC", 50_000, 1)
    taker = exchange.sell(2, "BTC-USDC", 49_000, "0.4", venue="front")
    (fill,) = taker.fills
    assert taker.status == "filled"
    assert taker.filled == Decimal("0.4")
    assert (fill.price, fill.qty, fill.side) == (50_000, Decimal("0.4"), "sell")
    assert (fill.taker_fee, fill.maker_fee, fill.fee_asset) == (8, 4, "USDC")
    assert (fill.maker_order_id, fill.maker, fill.taker) == (maker.order_id, 1, 2)
    assert exchange.trades() == [fill]
    assert exchange.balance(2, "USDC").total == 1_000_000 + 20_000 - 8


def test_an_immediate_remainder_is_cancelled(exchange: xos.Exchange) -> None:
    exchange.buy(1, "BTC-USDC", 50_000, "0.1")
    result = exchange.sell(2, "BTC-USDC", 50_000, "0.3", tif="ioc")
    assert (result.status, result.filled, result.remaining) == ("cancelled", Decimal("0.1"), 0)
    assert result.cancel_reason is CancelReason.IOC_REMAINDER


def test_a_reject_is_an_exception_with_its_numbers(exchange: xos.Exchange) -> None:
    with pytest.raises(Rejected) as caught:
        exchange.buy(1, "BTC-USDC", 50_000, 500)
    reject = caught.value
    assert (reject.code, reject.reject, reject.name) == (
        404,
        Reject.INSUFFICIENT_BALANCE,
        "InsufficientBalance",
    )
    assert reject.transient
    assert reject.sentence == f"{reject.value} atoms are needed, {reject.limit} are free"
    assert reject.limit == 1_000_000 * 10**6


def test_or_a_result_if_that_is_wanted(exchange: xos.Exchange) -> None:
    result = exchange.try_place(1, "BTC-USDC", "buy", 50_000, 500)
    assert not result.accepted
    assert result.status == "rejected"
    assert result.reject is Reject.INSUFFICIENT_BALANCE
    assert result.rejection is not None
    assert "404 InsufficientBalance" in repr(result)


def test_a_retry_gets_the_first_answer(exchange: xos.Exchange) -> None:
    first = exchange.buy(1, "BTC-USDC", 50_000, 1, client_id=b"once")
    again = exchange.buy(1, "BTC-USDC", 50_000, 1, client_id=b"once")
    assert again.retry
    assert not first.retry
    assert (again.order_id, again.qty) == (first.order_id, first.qty)
    assert len(exchange.orders(1)) == 1


def test_a_retry_says_how_its_order_stands_now(exchange: xos.Exchange) -> None:
    """The first answer said `resting`; what it said then must not be taken for what is."""

    def again() -> xos.OrderResult:
        return exchange.buy(1, "BTC-USDC", 50_000, 1, client_id="k")

    first = again()
    exchange.sell(2, "BTC-USDC", 50_000, "0.25")
    part = again()
    assert (part.status, part.filled, part.remaining) == ("resting", Decimal("0.25"), Decimal("0.75"))
    exchange.amend(1, "BTC-USDC", first.order_id, qty="0.5")
    smaller = again()
    assert (smaller.qty, smaller.filled, smaller.remaining) == (Decimal("0.5"), *[Decimal("0.25")] * 2)
    exchange.sell(2, "BTC-USDC", 50_000, "0.25")
    gone = again()
    assert (gone.status, gone.accepted, gone.retry) == ("gone", True, True)
    assert (gone.filled, gone.remaining, gone.fills, gone.cancel_reason) == (None, None, (), None)
    assert (gone.order_id, gone.qty) == (first.order_id, 1)
    assert "accepted before, rests no longer" in repr(gone)


@pytest.mark.parametrize("tif", ["ioc", "gtc"])
def test_a_retry_of_a_cancelled_order_does_not_claim_that_it_rests(
    exchange: xos.Exchange, tif: Literal["ioc", "gtc"]
) -> None:
    if exchange.buy(1, "BTC-USDC", 50_000, 1, tif=tif, client_id="k").status == "resting":
        exchange.cancel(1, client_id="k")
    again = exchange.buy(1, "BTC-USDC", 50_000, 1, tif=tif, client_id="k")
    assert (again.status, again.remaining) == ("gone", None)


def test_a_client_id_stands_for_one_command(exchange: xos.Exchange) -> None:
    order = exchange.buy(1, "BTC-USDC", 50_000, 1, client_id="k")
    before = exchange.state_hash
    others: list[Callable[[], object]] = [
        lambda: exchange.sell(1, "BTC-PERP", 50_000, 1, client_id="k"),
        lambda: exchange.buy(1, "BTC-USDC", 50_000, 2, client_id="k"),
        lambda: exchange.deposit(1, "USDC", 777, client_id="k"),
        lambda: exchange.withdraw(1, "USDC", 777, client_id="k"),
        lambda: exchange.split(1, "RACE", 5, client_id="k"),
    ]
    for other in others:
        with pytest.raises(xos.Rejected, match=f"105 ClientIdTaken: .* command {order.order_id},"):
            other()
    assert exchange.state_hash == before


def test_differences_are_exact_in_every_decimal_context(exchange: xos.Exchange) -> None:
    exchange.deposit(1, "USDC", "123456789.654321")
    order = exchange.buy(1, "BTC-USDC", "50000.1", "11.345")
    exchange.sell(2, "BTC-USDC", "50000.1", "5.001")
    with decimal.localcontext(prec=3):
        balance, resting = exchange.balance(1, "USDC"), exchange.order(order.order_id)
        assert resting is not None
        free, filled = balance.free, resting.filled
        assert str(filled) == "5.001"
    assert free == balance.total - balance.held
    assert free.as_tuple().exponent == -6


def test_amend_and_cancel(exchange: xos.Exchange) -> None:
    order = exchange.buy(1, "BTC-USDC", 50_000, 1, client_id="a")
    smaller = exchange.amend(1, "BTC-USDC", order.order_id, qty="0.5")
    assert (smaller.remaining, smaller.status) == (Decimal("0.5"), "resting")
    moved = exchange.amend(1, "BTC-USDC", client_id="a", price=49_000)
    assert moved.order_id == order.order_id
    cancelled = exchange.cancel(1, client_id="a")
    assert (cancelled.order_id, cancelled.instrument, cancelled.qty) == (
        order.order_id,
        "BTC-USDC",
        Decimal("0.5"),
    )
    assert exchange.orders(1) == []
    with pytest.raises(xos.InvalidArgument, match="leave it out"):
        exchange.amend(1, "BTC-USDC", order.order_id, qty=0)


def test_an_amend_that_takes_reports_its_fills(exchange: xos.Exchange) -> None:
    exchange.sell(2, "BTC-USDC", 50_000, "0.2")
    order = exchange.buy(1, "BTC-USDC", 49_000, 1)
    result = exchange.amend(1, "BTC-USDC", order.order_id, price=50_000)
    assert (result.filled, result.remaining, len(result.fills)) == (Decimal("0.2"), Decimal("0.8"), 1)


def test_mass_cancel_counts(exchange: xos.Exchange) -> None:
    exchange.buy(1, "BTC-USDC", 50_000, "0.1")
    exchange.sell(1, "BTC-USDC", 60_000, "0.1")
    exchange.buy(1, "BTC-PERP", 50_000, "0.1")
    assert exchange.mass_cancel(1, "BTC-USDC", side="sell") == 1
    assert exchange.mass_cancel(1) == 2
    assert exchange.mass_cancel(1) == 0


def test_orders_that_expire_do_not_hide_the_outcome(exchange: xos.Exchange) -> None:
    now = exchange.time_ns
    exchange.buy(1, "BTC-USDC", 50_000, "0.1", tif="gtd", expires_ns=now + 10, time_ns=now)
    result = exchange.buy(1, "BTC-USDC", 49_000, "0.2", time_ns=now + 10)
    assert (result.status, result.qty) == ("resting", Decimal("0.2"))
    assert [order.order_id for order in exchange.orders(1)] == [result.order_id]


def test_post_only_reduce_only_and_market(exchange: xos.Exchange) -> None:
    exchange.sell(2, "BTC-PERP", 50_000, "0.2")
    with pytest.raises(Rejected, match="320 PostOnlyWouldCross"):
        exchange.buy(1, "BTC-PERP", 50_000, "0.1", post_only=True)
    with pytest.raises(Rejected, match="314 NothingToReduce"):
        exchange.sell(1, "BTC-PERP", 50_000, "0.1", reduce_only=True)
    with pytest.raises(Rejected, match="303 MarketTif"):
        exchange.buy(1, "BTC-PERP", 50_000, "0.1", market=True)
    assert exchange.buy(1, "BTC-PERP", 50_000, "0.1", market=True, tif="ioc").status == "filled"


def test_a_question_is_traded_split_merged_and_resolved(exchange: xos.Exchange) -> None:
    exchange.split(1, "RACE", 100)
    exchange.sell(1, "RACE-A", "0.4", 60)
    exchange.buy(2, "RACE-A", "0.4", 60)
    exchange.merge(1, "RACE", 10)
    assert [(p.instrument, p.qty) for p in exchange.positions(1)] == [
        ("RACE-A", 30),
        ("RACE-B", 90),
        ("RACE-C", 90),
    ]
    assert exchange.question("RACE").sets == 90
    exchange.resolve("RACE", "RACE-A")
    assert exchange.question("RACE").paying == "RACE-A"
    assert exchange.instrument("RACE-A").state is xos.InstrumentState.SETTLED
    assert exchange.balance(1, "USDC").total == 1_000_000 - 100 + 24 + 10 + 30
    assert exchange.balance(2, "USDC").total == 1_000_000 - 24 + 60
    with pytest.raises(Rejected, match="205 InstrumentSettled"):
        exchange.buy(1, "RACE-A", "0.4", 1)


def test_risk_of_a_perpetual(exchange: xos.Exchange) -> None:
    exchange.sell(2, "BTC-PERP", 50_000, 1)
    exchange.buy(1, "BTC-PERP", 50_000, 1)
    exchange.set_mark("BTC-PERP", 51_000)
    risk = exchange.risk(1)
    assert risk.equity == 1_000_000 - 25 + 1_000
    assert (risk.initial_margin, risk.maintenance_margin) == (2_550, 1_275)
    assert risk.headroom == risk.equity - 2_550
    (position,) = exchange.positions(1)
    assert (position.qty, position.cost, position.unrealised) == (1, 50_000, 1_000)
    exchange.set_index("BTC-PERP", 50_900)
    assert exchange.instrument("BTC-PERP").index_price == 50_900


def test_a_chosen_leverage_asks_more(exchange: xos.Exchange) -> None:
    exchange.sell(2, "BTC-PERP", 50_000, 1)
    exchange.buy(1, "BTC-PERP", 50_000, 1)
    exchange.set_leverage(1, "BTC-PERP", 4)
    assert exchange.risk(1).initial_margin == 12_500
    assert exchange.risk(2).initial_margin == 2_500
    with pytest.raises(Rejected, match=r"412 LeverageOutOfBounds.*from 1 to 20"):
        exchange.set_leverage(1, "BTC-PERP", 21)
    with pytest.raises(Rejected, match="411 NotAPerpetual"):
        exchange.set_leverage(1, "BTC-USDC", 2)
    exchange.set_leverage(1, "BTC-PERP", 0)
    assert exchange.risk(1).initial_margin == 2_500


def test_states_of_an_instrument(exchange: xos.Exchange) -> None:
    exchange.set_instrument_state("BTC-USDC", "halted")
    with pytest.raises(Rejected, match="206 InstrumentHalted") as caught:
        exchange.buy(1, "BTC-USDC", 1, 1)
    assert caught.value.transient
    exchange.set_instrument_state("BTC-USDC", xos.InstrumentState.CONTINUOUS)
    assert exchange.buy(1, "BTC-USDC", 1, 1).accepted


def test_house_and_receipts(exchange: xos.Exchange) -> None:
    assert exchange.withdraw(1, "USDC", "0.000001").balance == Decimal("999999.999999")
    exchange.buy(1, "BTC-USDC", 50_000, 1, venue="front")
    exchange.sell(2, "BTC-USDC", 50_000, 1, venue=1)
    house = exchange.house()
    assert house["external"]["USDC"] == Decimal("-1999999.999999")
    # taker 400 ppm of 50,000 less a rebate of 100 ppm, 40 % of which is the venue's
    assert house["venue front"]["USDC"] == 6
    assert exchange.deposit(1, "BTC", 1, client_id="d").retry is False
    assert exchange.deposit(1, "BTC", 1, client_id="d").retry is True
    assert exchange.balance(1, "BTC").total == 12


def test_a_transfer_goes_to_an_account_of_the_same_owner(exchange: xos.Exchange) -> None:
    before = exchange.balance(1, "USDC").total
    to = exchange.open_account("mover")
    own = exchange.open_account("mover")
    exchange.deposit(to, "USDC", 50)
    receipt = exchange.transfer(to, own, "USDC", 20, client_id="m")
    assert receipt.balance == 30
    assert exchange.transfer(to, own, "USDC", 20, client_id="m").retry
    assert exchange.risk(own).withdrawable == 20
    with pytest.raises(Rejected, match="415 AnotherOwner"):
        exchange.transfer(own, 1, "USDC", 1)
    with pytest.raises(Rejected, match="105 ClientIdTaken"):
        exchange.transfer(to, 1, "USDC", 20, client_id="m")
    assert exchange.balance(1, "USDC").total == before


def test_an_isolated_account_pulls_its_margin_and_gives_it_back(exchange: xos.Exchange) -> None:
    parent = exchange.open_account("cautious")
    exchange.deposit(parent, "USDC", 10_000)
    isolated = exchange.open_isolated(parent, "BTC-PERP")
    assert exchange.parent(isolated) == parent
    assert exchange.parent(parent) is None
    assert exchange.isolated_accounts(parent) == {"BTC-PERP": isolated}
    order = exchange.buy(isolated, "BTC-PERP", 50_000, 1)
    pulled = 10_000 - exchange.balance(parent, "USDC").total
    assert pulled == exchange.risk(isolated).initial_margin + exchange.risk(isolated).order_reserves
    exchange.cancel(isolated, order.order_id)
    assert exchange.balance(parent, "USDC").total == 10_000
    with pytest.raises(Rejected, match="418 AccountIsIsolated"):
        exchange.deposit(isolated, "USDC", 1)
    with pytest.raises(Rejected, match="417 IsolatedAccountExists"):
        exchange.open_isolated(parent, "BTC-PERP")
