"""Events as columns of rows: trades, who took part in them, and the client ids of orders."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from exchange_os._core import EventFlags, EventKind
from exchange_os.records import Events, as_trades, integers_128, trades_of

if TYPE_CHECKING:
    import numpy.typing as npt

Posting: TypeAlias = tuple[int, int, int, bytes]

EPOCH_BITS = 20
"""Trades of one epoch lie together in the index: a commit touches the newest pages, however much there is."""
_SIGN = np.uint64(1 << 63)


def trade_rows(events: Events) -> Iterator[tuple[Any, ...]]:
    """Rows of the table `trade`, in order."""
    trades = as_trades(trades_of(events))
    names = ("trade_id", "sequence", "instrument", "side", "price", "qty", "time_ns", "account", "order_id")
    columns = [trades[name].tolist() for name in names]
    columns.append(_atoms(trades, "amount"))
    columns += [trades[name].tolist() for name in ("counter_account", "counter_order_id")]
    columns.append(_atoms(trades, "counter_amount"))
    return zip(*columns, strict=True)


def postings(events: Events) -> list[Posting]:
    """Rows of the table `posting`: for each account and epoch the places of its fills, packed.

    A place is twice the trade id, plus one for the maker; stored is its distance from the first of the row.
    """
    trades = as_trades(trades_of(events))
    if not len(trades):
        return []
    accounts = np.concatenate([trades["account"], trades["counter_account"]]).astype(np.int64)
    places = trades["trade_id"].astype(np.int64) * 2
    places = np.concatenate([places, places + 1])
    taking_part = accounts > 0  # the other side of an implied trade is the question
    accounts, places = accounts[taking_part], places[taking_part]
    epochs = places >> (EPOCH_BITS + 1)
    order = np.lexsort((places, accounts, epochs))
    accounts, places, epochs = accounts[order], places[order], epochs[order]
    begins = np.flatnonzero(np.r_[True, (np.diff(accounts) != 0) | (np.diff(epochs) != 0)])
    firsts = places[begins]
    lengths = np.diff(np.r_[begins, len(places)])
    packed = (places - np.repeat(firsts, lengths)).astype("<u4").tobytes()
    ends = np.r_[begins[1:], len(places)].tolist()
    blobs = [packed[begin * 4 : end * 4] for begin, end in zip(begins.tolist(), ends, strict=True)]
    rows = (epochs[begins].tolist(), accounts[begins].tolist(), firsts.tolist())
    return list(zip(*rows, blobs, strict=True))


def unpacked(first: int, blob: bytes) -> npt.NDArray[np.int64]:
    """The places of a row of `posting`, oldest first."""
    return np.frombuffer(blob, "<u4").astype(np.int64) + first


def client_ids(events: Events) -> list[tuple[int, bytes]]:
    """Order and client id of the orders that were accepted with one."""
    taken = events[events["kind"] == EventKind.ORDER_ACCEPTED]
    taken = taken[(taken["flags"] & EventFlags.RETRY) == 0]
    pairs = zip(taken["order_id"].tolist(), taken["client_id"].tolist(), strict=True)
    return [(order_id, client_id) for order_id, client_id in pairs if client_id]


def _atoms(trades: Events, name: str) -> list[int | str]:
    """128-bit amounts; those beyond 64 bits, which a column of SQLite does not take, as text."""
    low, high = trades[f"{name}_low"], trades[f"{name}_high"]
    if bool(np.all(np.where(low < _SIGN, high == 0, high == -1))):
        plain: list[int | str] = low.astype(np.int64).tolist()
        return plain
    return [n if -(2**63) <= n < 2**63 else str(n) for n in integers_128(trades, name)]
