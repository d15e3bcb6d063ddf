"""`connect`: who sees what, what is refused, what comes back; the same for asyncio."""

import asyncio
from decimal import Decimal

import numpy as np
import pytest

import exchange_os as xos
from exchange_os._core import EventKind
from exchange_os.server import Node

SECRET = b"a secret of sufficient length"


def anna(node: Node, **options: object) -> xos.Exchange:
    return xos.connect(node.address, key="anna", secret=SECRET, **options)  # type: ignore[arg-type]


def test_a_trader_trades_and_sees_its_own(node: Node, operator: xos.Exchange) -> None:
    with anna(node) as hers, xos.connect(node.address, key="bert", secret=SECRET) as his:
        order = hers.buy(1, "ETH-USDC", 2_000, "0.5")
        done = his.sell(2, "ETH-USDC", 2_000, "0.2")
        assert (done.filled, order.remaining) == (Decimal("0.2"), Decimal("0.5"))
        assert [left.remaining for left in hers.orders(1)] == [Decimal("0.3")]
        assert hers.order(order.order_id) is not None
        assert his.order(order.order_id) is None, "an order of somebody else is not shown"
        assert hers.book("ETH-USDC") == his.book("ETH-USDC")
        for method in (hers.balances, hers.orders, hers.positions):
            with pytest.raises(xos.InvalidArgument, match="not one of the key's owner"):
                method(2)
        with pytest.raises(xos.InvalidArgument, match="not asked here"):
            hers.conservation()
    assert set(operator.conservation().values()) == {Decimal(0)}


def test_everybody_sees_an_auction(node: Node, operator: xos.Exchange) -> None:
    with anna(node) as hers:
        assert hers.auction("ETH-USDC") is None
        ends_ns = operator.time_ns + 3_600_000_000_000
        operator.start_auction("ETH-USDC", ends_ns)
        hers.buy(1, "ETH-USDC", 2_000, "0.5")
        hers.sell(1, "ETH-USDC", 1_999, "0.2")
        stands = hers.auction("ETH-USDC")
        assert stands is not None
        assert (stands.ends_ns, stands.priced, stands.qty) == (ends_ns, False, Decimal("0.2"))
        assert (stands.price, stands.imbalance) == (1_999, Decimal("0.3"))
        assert stands == operator.auction("ETH-USDC")


def test_what_the_session_refuses_never_reaches_the_log(node: Node, operator: xos.Exchange) -> None:
    before = operator.sequence
    with anna(node) as hers:
        with pytest.raises(xos.SessionRefused) as other:
            hers.buy(2, "ETH-USDC", 2_000, 1)
        assert (other.value.code, other.value.value, other.value.retry_ns) == ("not_your_account", 2, 0)
        with pytest.raises(xos.SessionRefused) as scope:
            hers.deposit(1, "USDC", 1)
        assert scope.value.code == "not_permitted"
        with pytest.raises(xos.Rejected):
            hers.buy(1, "ETH-USDC", 2_000, 10_000_000)
    assert operator.sequence == before + 1


def test_a_batch_is_an_array_of_records_and_so_are_its_events(node: Node, operator: xos.Exchange) -> None:
    batch = xos.orders(
        account=1,
        instrument=1,
        side=np.array([0, 0, 1], np.uint8),
        price=[200_000, 199_000, 250_000],
        qty=1_000,
    )
    with anna(node) as hers:
        events = hers.submit(batch)
        assert list(events["kind"]) == [EventKind.ORDER_ACCEPTED] * 3
        assert len(hers.orders(1)) == 3
        # More than one message of the wire holds.
        many = np.tile(xos.orders(account=1, instrument=1, side=0, price=100_000, qty=1_000), 2_000)
        assert len(hers.submit(many)) == 2_000


def test_subscribers_hear_what_others_do_to_their_orders(node: Node, operator: xos.Exchange) -> None:
    with anna(node) as hers, xos.connect(node.address, key="bert", secret=SECRET) as his:
        heard = hers.subscribe(kinds=[EventKind.TRADE])
        hers.buy(1, "ETH-USDC", 2_000, 1)
        his.sell(2, "ETH-USDC", 2_000, 1)
        # What came meanwhile is taken up with the next call.
        hers.buy(1, "ETH-USDC", 1_000, 1)
        trades = np.concatenate(list(heard))
        assert len(trades) == 1
        assert (trades["account"][0], trades["counter_account"][0]) == (0, 1)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"key": "anna", "secret": "another secret, as long"}, "logon_refused"),
        ({"key": "x", "secret": SECRET}, "logon_refused"),
    ],
)
def test_a_wrong_key_is_turned_away(node: Node, options: dict[str, object], code: str) -> None:
    with pytest.raises(xos.Disconnected) as refused:
        xos.connect(node.address, **options)  # type: ignore[arg-type]
    assert refused.value.code == code


def test_nobody_there_is_said_and_a_closed_line_stays_closed(node: Node, operator: xos.Exchange) -> None:
    with pytest.raises(xos.Disconnected):
        xos.connect("127.0.0.1:1", key="anna", secret=SECRET, timeout_ms=500)
    hers = anna(node)
    hers.close()
    assert hers.closed
    with pytest.raises(xos.Closed):
        hers.buy(1, "ETH-USDC", 1, 1)


def test_the_served_exchange_itself_answers_nothing(node: Node) -> None:
    with pytest.raises(xos.InvalidArgument, match="a server has the exchange"):
        node._exchange.tick()


def test_asyncio(node: Node, operator: xos.Exchange) -> None:
    async def trade() -> Decimal:
        async with await xos.connect_async(node.address, key="anna", secret=SECRET) as hers:
            orders = await asyncio.gather(*(hers.buy(1, "ETH-USDC", 1_000 + at, 1) for at in range(10)))
            assert len({order.order_id for order in orders}) == 10
            assert await hers.get("sequence") == operator.sequence
            with pytest.raises(AttributeError):
                hers.nonsense()
            return sum((order.remaining for order in await hers.orders(1)), Decimal(0))

    assert asyncio.run(trade()) == 10
