"""Every bad input is refused with its value and its limit, and leaves the state hash as it was."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

import exchange_os as xos
from exchange_os import errors

Unmoved = Callable[[], AbstractContextManager[None]]
Call = Callable[[xos.Exchange], Any]

REFUSED: list[tuple[str, Call, type[Exception], str]] = [
    ("unknown instrument", lambda x: x.buy(1, "ETH-USDC", 1, 1), errors.UnknownName, "'ETH-USDC'.*BTC-USDC"),
    ("unknown number", lambda x: x.buy(1, 99, 1, 1), errors.UnknownName, "instrument 99"),
    ("no instrument", lambda x: x.buy(1, None, 1, 1), errors.InvalidArgument, "NoneType"),  # type: ignore[arg-type]
    ("a list as instrument", lambda x: x.buy(1, [1], 1, 1), errors.InvalidArgument, "list"),  # type: ignore[arg-type]
    ("unknown account", lambda x: x.buy(9, "BTC-USDC", 1, 1), errors.Rejected, "103 UnknownAccount.*9.*2"),
    ("account 0", lambda x: x.buy(0, "BTC-USDC", 1, 1), errors.Rejected, "103 UnknownAccount"),
    ("negative account", lambda x: x.buy(-1, "BTC-USDC", 1, 1), errors.OutOfRange, "-1.*0 to 4294967295"),
    ("huge account", lambda x: x.buy(2**32, "BTC-USDC", 1, 1), errors.OutOfRange, "4294967296"),
    ("text as account", lambda x: x.buy("1", "BTC-USDC", 1, 1), errors.InvalidArgument, "account is a str"),  # type: ignore[arg-type]
    (
        "unknown venue",
        lambda x: x.buy(1, "BTC-USDC", 1, 1, venue=7),
        errors.Rejected,
        "201 UnknownVenue.*7.*1",
    ),
    (
        "unknown venue name",
        lambda x: x.buy(1, "BTC-USDC", 1, 1, venue="x"),
        errors.UnknownName,
        "venue 'x'.*front",
    ),
    ("huge venue", lambda x: x.buy(1, "BTC-USDC", 1, 1, venue=2**16), errors.OutOfRange, "65536"),
    ("unknown asset", lambda x: x.deposit(1, "ETH", 1), errors.UnknownName, "'ETH'.*USDC, BTC"),
    ("unknown question", lambda x: x.split(1, "Q", 1), errors.UnknownName, "'Q'.*RACE"),
    ("unknown order", lambda x: x.cancel(1, 77), errors.Rejected, "301 UnknownOrder.*77"),
    ("somebody else's order", lambda x: x.cancel(2, 14), errors.Rejected, "301 UnknownOrder.*14"),
    ("unknown client id", lambda x: x.cancel(1, client_id="x"), errors.Rejected, "301 UnknownOrder"),
    (
        "long client id",
        lambda x: x.buy(1, "BTC-USDC", 1, 1, client_id="é" * 17),
        errors.InvalidArgument,
        "34 bytes",
    ),
    (
        "empty client id",
        lambda x: x.buy(1, "BTC-USDC", 1, 1, client_id=""),
        errors.InvalidArgument,
        "0 bytes",
    ),
    (
        "zero byte",
        lambda x: x.buy(1, "BTC-USDC", 1, 1, client_id=b"a\0"),
        errors.InvalidArgument,
        "zero byte",
    ),
    ("number as client id", lambda x: x.cancel(1, client_id=5), errors.InvalidArgument, "int"),  # type: ignore[arg-type]
    ("empty owner", lambda x: x.open_account(""), errors.InvalidArgument, "owner"),
    ("zero price", lambda x: x.buy(1, "BTC-USDC", 0, 1), errors.Rejected, "307 PriceNotPositive.*0"),
    ("negative price", lambda x: x.buy(1, "BTC-USDC", -1, 1), errors.Rejected, "307 PriceNotPositive.*-10"),
    (
        "price above the highest",
        lambda x: x.buy(1, "BTC-USDC", 1_000_001, 1),
        errors.Rejected,
        "308.*10000010.*10000000",
    ),
    ("zero quantity", lambda x: x.buy(1, "BTC-USDC", 1, 0), errors.Rejected, "309 QtyNotPositive.*0"),
    (
        "negative quantity",
        lambda x: x.buy(1, "BTC-USDC", 1, "-0.5"),
        errors.Rejected,
        "309 QtyNotPositive.*-500",
    ),
    (
        "quantity above the most",
        lambda x: x.buy(1, "BTC-USDC", 1, 1_001),
        errors.Rejected,
        "311.*1001000.*1000000",
    ),
    (
        "off tick",
        lambda x: x.buy(1, "BTC-USDC", "1.05", 1),
        errors.Inexact,
        "price 1.05 is finer than the tick 0.1",
    ),
    ("off tick of 0.5", lambda x: x.buy(1, "BTC-PERP", "1.25", 1), errors.Inexact, "1.25.*0.5"),
    ("off lot", lambda x: x.buy(1, "BTC-USDC", 1, Decimal("0.0001")), errors.Inexact, "0.0001.*lot 0.001"),
    ("off atom", lambda x: x.deposit(1, "USDC", "0.0000001"), errors.Inexact, "finer than the atom 0.000001"),
    ("float price", lambda x: x.buy(1, "BTC-USDC", 1.0, 1), errors.FloatRefused, "price is the float 1.0"),  # type: ignore[arg-type]
    ("float quantity", lambda x: x.buy(1, "BTC-USDC", 1, 1.5), errors.FloatRefused, "quantity is the float"),  # type: ignore[arg-type]
    ("float amount", lambda x: x.deposit(1, "USDC", 5.0), errors.FloatRefused, "amount is the float"),  # type: ignore[arg-type]
    ("overflowing price", lambda x: x.buy(1, "BTC-USDC", 10**18, 1), errors.OutOfRange, "price is 1"),
    ("overflowing quantity", lambda x: x.buy(1, "BTC-USDC", 1, 10**30), errors.OutOfRange, "qty is 1"),
    ("absurd price", lambda x: x.buy(1, "BTC-USDC", "1e999999", 1), errors.OutOfRange, "far beyond"),
    ("zero amount", lambda x: x.deposit(1, "USDC", 0), errors.Rejected, "401 AmountNotPositive"),
    (
        "negative amount",
        lambda x: x.withdraw(1, "USDC", -5),
        errors.Rejected,
        "401 AmountNotPositive.*-5000000",
    ),
    ("huge amount", lambda x: x.deposit(1, "USDC", 2**96), errors.Rejected, "402 AmountAboveMax"),
    ("overflowing amount", lambda x: x.deposit(1, "USDC", 2**127), errors.OutOfRange, "amount is"),
    (
        "more than there is",
        lambda x: x.withdraw(1, "USDC", 1_000_001),
        errors.Rejected,
        "404 InsufficientBalance",
    ),
    (
        "unknown side",
        lambda x: x.place(1, "BTC-USDC", "long", 1, 1),
        errors.InvalidArgument,
        "'long'.*'buy', 'sell'",
    ),  # type: ignore[arg-type]
    ("unknown tif", lambda x: x.buy(1, "BTC-USDC", 1, 1, tif="day"), errors.InvalidArgument, "tif is 'day'"),  # type: ignore[typeddict-item]
    ("unknown state", lambda x: x.set_instrument_state("BTC-USDC", "open"), errors.InvalidArgument, "'open'"),  # type: ignore[arg-type]
    ("settled by hand", lambda x: x.set_instrument_state("BTC-USDC", 4), errors.Rejected, "102 Malformed"),  # type: ignore[arg-type]
    (
        "expired before it begins",
        lambda x: x.buy(1, "BTC-USDC", 1, 1, tif="gtd", expires_ns=5),
        errors.Rejected,
        "306",
    ),
    (
        "expiry without gtd",
        lambda x: x.buy(1, "BTC-USDC", 1, 1, expires_ns=5),
        errors.Rejected,
        "102 Malformed",
    ),
    (
        "negative expiry",
        lambda x: x.buy(1, "BTC-USDC", 1, 1, expires_ns=-5),
        errors.OutOfRange,
        "expires_ns is -5",
    ),
    ("time goes backwards", lambda x: x.tick(time_ns=5), errors.TimeBackwards, "5 ns.*stands at"),
    ("negative time", lambda x: x.tick(time_ns=-5), errors.OutOfRange, "time_ns is -5"),
    ("an outcome that is none", lambda x: x.resolve("RACE", "BTC-PERP"), errors.Rejected, "NotAnOutcome"),
    ("a merge of nothing", lambda x: x.merge(1, "RACE", 1), errors.Rejected, "314 NothingToReduce"),
    ("another body", lambda x: x.deploy_body(b"\x81"), errors.Rejected, "MalformedDeployment"),
    ("late limits", lambda x: x.deploy_body(b"\x81\xa7genesis\x80"), errors.Rejected, "NotGenesis"),
    ("balances of nobody", lambda x: x.balances(9), errors.UnknownName, "account 9.*newest is 2"),
    ("risk of text", lambda x: x.risk("1"), errors.InvalidArgument, "account is a str"),  # type: ignore[arg-type]
    ("a negative sequence", lambda x: x.events(-1), errors.OutOfRange, "-1"),
    ("a bad target", lambda x: x.subscribe(5), errors.InvalidArgument, "int"),  # type: ignore[arg-type]
    ("a bad kind", lambda x: x.subscribe(kinds=["tradez"]), errors.InvalidArgument, "'tradez'"),
]


@pytest.mark.parametrize(("name", "call", "error", "message"), REFUSED, ids=[name for name, *_ in REFUSED])
def test_it_is_refused_and_changes_nothing(
    exchange: xos.Exchange, unmoved: Unmoved, name: str, call: Call, error: type[Exception], message: str
) -> None:
    order = exchange.buy(1, "BTC-USDC", 100, 1)
    assert order.order_id == 14
    with unmoved(), pytest.raises(error, match=message) as caught:
        call(exchange)
    assert type(caught.value) is error
    assert isinstance(caught.value, xos.Error)
    assert exchange.buy(1, "BTC-USDC", 100, 1).accepted


def good(count: int = 4) -> xos.records.Commands:
    return xos.orders(account=1, instrument=1, side="buy", price=np.arange(1, count + 1), qty=1)


def read_only() -> xos.records.Commands:
    batch = good()
    batch.flags.writeable = False
    return batch


BATCHES: list[tuple[str, Callable[[], Any], str]] = [
    ("a list", lambda: [1, 2], "given was list"),
    ("bytes", lambda: good().tobytes(), "given was bytes"),
    ("a scalar", lambda: good()[0], "given was void"),
    ("integers", lambda: np.arange(96, dtype=np.uint8), "dtype uint8, expected COMMAND"),
    ("events", lambda: np.zeros(2, xos.EVENT), "expected COMMAND"),
    ("packed fields", lambda: np.zeros(2, [("kind", "<u2"), ("side", "u1")]), "expected COMMAND"),
    ("other byte order", lambda: good().astype(xos.COMMAND.newbyteorder(">")), "expected COMMAND"),
    ("two dimensions", lambda: good().reshape(2, 2), r"2 dimensions, shape \(2, 2\), expected 1"),
    ("no dimension", lambda: good().reshape(4)[0:1].reshape(()), "0 dimensions"),
    ("every second", lambda: good()[::2], r"not contiguous: strides \(192,\), expected \(96,\)"),
    ("backwards", lambda: good()[::-1], "not contiguous"),
    ("read-only", read_only, "read-only"),
]


@pytest.mark.parametrize(("name", "make", "message"), BATCHES, ids=[name for name, *_ in BATCHES])
def test_a_batch_of_another_kind_is_refused(
    exchange: xos.Exchange, unmoved: Unmoved, name: str, make: Callable[[], Any], message: str
) -> None:
    sequence = exchange.sequence
    with unmoved(), pytest.raises(xos.BatchRefused, match=message):
        exchange.submit(make())
    assert exchange.sequence == sequence
    assert len(exchange.submit(good())) == 4


def test_records_of_noise_are_rejected_one_by_one(exchange: xos.Exchange, unmoved: Unmoved) -> None:
    batch = xos.commands(3)
    batch["kind"] = [0, 999, xos.CommandKind.DEPLOY]
    with unmoved():
        events = exchange.submit(batch)
    assert events["reason"].tolist() == [xos.Reject.UNKNOWN_COMMAND] * 3


def test_every_error_has_its_own_number() -> None:
    classes = [
        value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, xos.Error)
    ]
    numbers = [kind.number for kind in classes]
    assert len(set(numbers)) == len(numbers)
    assert all(kind.__doc__ for kind in classes)
