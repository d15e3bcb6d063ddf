"""The dtypes come from Rust, and batches are built without losing a bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import exchange_os as xos
from exchange_os import _core, records
from exchange_os.errors import BatchRefused, InvalidArgument, OutOfRange


def test_the_dtypes_are_those_of_rust() -> None:
    for dtype, fields, size in (
        (records.COMMAND, _core.command_fields(), 96),
        (records.EVENT, _core.event_fields(), 128),
    ):
        assert dtype.itemsize == size
        assert dtype.fields is not None
        for name, form, offset in fields:
            assert dtype.fields[name][:2] == (np.dtype(form), offset)


def test_every_reject_has_a_name_and_a_sentence() -> None:
    table = _core.rejects()
    assert [code for code, *_ in table] == [int(reject) for reject in xos.Reject]
    assert all(sentence for _, _, sentence, _ in table)
    assert xos.Reject(404).name == "INSUFFICIENT_BALANCE"


def test_columns_become_commands() -> None:
    batch = xos.orders(
        account=[1, 2],
        instrument=3,
        side=["buy", "sell"],
        price=[10, 11],
        qty=np.array([5, 6]),
        client_id=["a", "b"],
    )
    assert batch.dtype == xos.COMMAND
    assert batch["kind"].tolist() == [1, 1]
    assert batch["side"].tolist() == [0, 1]
    assert batch["instrument"].tolist() == [3, 3]
    assert batch["client_id"].tolist() == [b"a", b"b"]
    assert xos.cancels(account=1, order_id=[7, 8, 9])["order_id"].tolist() == [7, 8, 9]
    assert xos.amends(account=1, order_id=[7], price=[3])["kind"].tolist() == [2]
    assert len(xos.orders(account=1, instrument=1, side="buy", price=1, qty=1)) == 1
    assert len(xos.orders(account=[], instrument=1, side="buy", price=[], qty=1)) == 0


@pytest.mark.parametrize(
    ("column", "value", "error"),
    [
        ("price", [1.0, 2.0], BatchRefused),
        ("price", ["1", "2"], BatchRefused),
        ("price", [[1], [2]], BatchRefused),
        ("price", [1, 2, 3], BatchRefused),
        ("price", [2**63, 1], OutOfRange),
        ("price", [2**70, 1], OutOfRange),
        ("account", [-1, 1], OutOfRange),
        ("account", [2**32, 1], OutOfRange),
        ("venue", 2**16, OutOfRange),
        ("side", ["buy", "long"], InvalidArgument),
        ("side", "BUY", InvalidArgument),
        ("tif", "day", InvalidArgument),
        ("client_id", ["x" * 33, "y"], InvalidArgument),
        ("client_id", [1, 2], BatchRefused),
    ],
)
def test_columns_that_would_lose_something_are_refused(
    column: str, value: object, error: type[Exception]
) -> None:
    columns = {"account": [1, 2], "instrument": 1, "side": "buy", "price": [1, 2], "qty": 1, column: value}
    with pytest.raises(error, match=column.replace("client_id", "client.id")):
        xos.orders(**columns)  # type: ignore[arg-type]


@given(st.lists(st.integers(-(2**127), 2**127 - 1), min_size=1, max_size=20))
def test_amounts_of_128_bits_go_round(amounts: list[int]) -> None:
    batch = xos.commands(len(amounts))
    records.set_amounts(batch, amounts)
    assert records.integers_128(batch, "amount") == amounts


def test_an_amount_beyond_128_bits_is_refused() -> None:
    with pytest.raises(OutOfRange):
        records.set_amounts(xos.commands(1), [2**127])
    with pytest.raises(BatchRefused):
        records.set_amounts(xos.commands(1), [1, 2])
