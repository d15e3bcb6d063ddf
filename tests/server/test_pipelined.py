"""A connection of many commands under way, against a server."""

from __future__ import annotations

import threading
from typing import Any

import pytest

import exchange_os as xos
from exchange_os.client.pipelined import PipelinedExchange, connect_pipelined
from exchange_os.rows import SEQUENCE, Found
from exchange_os.server import Node

from .conftest import SECRET


@pytest.fixture
def desk(node: Node, operator: xos.Exchange) -> Any:
    with connect_pipelined(node.address, key="operator", secret=SECRET, session=5) as exchange:
        yield exchange


def test_it_has_the_face_of_an_exchange(desk: PipelinedExchange) -> None:
    account = desk.open_account("carl")
    desk.deposit(account, "USDC", 50)
    placed = desk.place(account, "ETH-USDC", "buy", 10, 1, client_id="mine")
    assert (placed.status, placed.remaining) == ("resting", 1)
    again = desk.place(account, "ETH-USDC", "buy", 10, 1, client_id="mine")
    assert (again.order_id, again.retry) == (placed.order_id, True)
    with pytest.raises(xos.Rejected):
        desk.place(account, "ETH-USDC", "buy", 10, 100)
    assert [order.order_id for order in desk.orders(account)] == [placed.order_id]
    desk.cancel(account, placed.order_id)
    assert desk.balance(account, "USDC").free == 50


def test_subscribers_hear_of_everybody_before_the_answer_is_there(
    desk: PipelinedExchange, operator: xos.Exchange
) -> None:
    heard = desk.subscribe()
    mine = desk.place(1, "ETH-USDC", "buy", 10, 1)
    assert mine.order_id in {int(row["order_id"]) for part in heard for row in part}
    theirs = operator.place(2, "ETH-USDC", "sell", 10, 1)
    assert theirs.filled == 1
    came = threading.Event()
    desk.subscribe(lambda _events: came.set())
    operator.place(2, "ETH-USDC", "sell", 11, 1)
    assert came.wait(10)


def test_commands_do_not_wait_for_each_other(desk: PipelinedExchange) -> None:
    """A thousand are sent before the first answer is looked at; all are answered, in order."""
    import numpy as np

    answers: list[Found] = []
    done = threading.Event()

    def settle(found: Found, _events: bytes) -> None:
        answers.append(found)
        if len(answers) == 1_000:
            done.set()

    batch = xos.orders(account=1, instrument=1, side=0, price=np.arange(1, 1_001), qty=10_000)
    for record in batch:
        desk.line.send([record.tobytes()], [None], settle)
    assert done.wait(30)
    sequences = [row[SEQUENCE] for found in answers for row in found]  # type: ignore[index]
    assert sequences == sorted(sequences)


def test_what_is_listed_elsewhere_is_known_here(desk: PipelinedExchange, operator: xos.Exchange) -> None:
    assert "SECOND" not in desk.venues
    operator.deploy(
        xos.markets.loads('[[asset]]\nsymbol = "USDC"\ndecimals = 6\n\n[[venue]]\nsymbol = "SECOND"\n')
    )
    desk.place(1, "ETH-USDC", "buy", 10, 1)  # whatever was told before this answer has been heard
    assert "SECOND" in desk.venues


def test_a_server_that_ends_is_an_error_for_who_waits_and_who_comes(
    node: Node, desk: PipelinedExchange
) -> None:
    node.stop()
    with pytest.raises(xos.Disconnected):
        desk.place(1, "ETH-USDC", "buy", 10, 1)
    assert desk.closed


def test_a_key_with_an_owner_is_refused(node: Node, operator: xos.Exchange) -> None:
    with pytest.raises(xos.InvalidArgument, match="is of an owner"):
        connect_pipelined(node.address, key="anna", secret=SECRET)
