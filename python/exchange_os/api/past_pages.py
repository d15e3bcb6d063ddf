"""Reading pages out of history: what a request asks for, which rows those are, when they are not known."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any

from exchange_os.api.codes import Refused
from exchange_os.api.desk import TYPES, Desk
from exchange_os.api.numbers import decimal_of, word
from exchange_os.history import Asked, HistoryUnavailable, Kind, Row, Store

if TYPE_CHECKING:
    from exchange_os.results import Instrument

Fields = Mapping[str, Any]

_BILL_BASE = 10**15
_NS = 1_000_000
_INT64_MAX = 2**63 - 1
NUMBER_MAX = _INT64_MAX


def bill_text(number: int) -> str:
    """The id of a bill: the number of its row, with a constant number of digits."""
    return str(_BILL_BASE + number)


def bill_number(given: Decimal) -> int:
    """The row that a bill names, held between nothing and what there can be."""
    return max(0, min(int(given) - _BILL_BASE, _INT64_MAX))


def ns_of(moment_ms: Decimal) -> int:
    """Nanoseconds of milliseconds, held within what there can be."""
    return max(0, min(int(moment_ms), _INT64_MAX // _NS - 1)) * _NS


def number_of(fields: Fields, name: str) -> Decimal | None:
    """A field that is a number; None if it is not there, or below zero."""
    found = decimal_of(name, word(fields, name, "-1"))
    return None if found < 0 else found


@contextmanager
def reading(desk: Desk) -> Iterator[Store]:
    """History as it stands now; `Refused` (50001) while it does not know everything, or there is none."""
    if desk.history is None:
        raise Refused(
            "50001",
            "Service temporarily unavailable: this exchange runs in memory and keeps no history.",
            503,
        )
    try:
        with desk.history.reading() as store:
            yield store
    except HistoryUnavailable as error:
        raise Refused("50001", f"Service temporarily unavailable: {error}", 503) from error


def asked_by_bill(fields: Fields) -> Asked:
    """`after` and `before` are bills, `begin` and `end` milliseconds."""
    after, before = number_of(fields, "after"), number_of(fields, "before")
    bounds: dict[str, int] = times_of(fields)
    if after is not None:
        bounds["after"] = bill_number(after)
    if before is not None:
        bounds["before"] = bill_number(before)
    return Asked(**bounds)


def times_of(fields: Fields) -> dict[str, int]:
    begin, end = number_of(fields, "begin"), number_of(fields, "end")
    bounds = {} if begin is None else {"begin_ns": ns_of(begin)}
    return bounds if end is None else bounds | {"end_ns": ns_of(end) + _NS - 1}


def asked_by_time(fields: Fields) -> Asked:
    """`after` and `before` are milliseconds, both left out."""
    bounds = times_of(fields)
    after, before = number_of(fields, "after"), number_of(fields, "before")
    if after is not None:
        bounds["end_ns"] = min(bounds.get("end_ns", _INT64_MAX), ns_of(after) - 1)
    if before is not None:
        bounds["begin_ns"] = max(bounds.get("begin_ns", 0), ns_of(before + 1))
    return Asked(**bounds)


def page(
    store: Store,
    kind: Kind,
    owners: Iterable[int],
    asked: Asked,
    limit: int,
    wanted: Callable[[Row], bool],
) -> list[Row]:
    """Rows of some owners together, newest first."""
    parts = [store.rows(kind, owner, asked) for owner in owners]
    merged = heapq.merge(*parts, key=lambda row: -row.number)
    return list(islice(filter(wanted, merged), limit))


def instruments_of(desk: Desk, fields: Fields) -> frozenset[int] | None:
    """Numbers of the instruments that a request is about; None if it is about all."""
    kind, name = word(fields, "instType", ""), word(fields, "instId", "")
    if not kind and not name:
        return None
    return frozenset(
        each.number
        for each in desk.exchange.instruments()
        if kind in {"", "ANY", TYPES[each.product]} and name in {"", each.symbol}
    )


def atoms(desk: Desk, asset: str | int, amount: int) -> Decimal:
    """Atoms of an asset in whole units."""
    return desk.exchange._directory.asset(asset).amount.value(amount)


def fee_of(desk: Desk, instrument: Instrument, amount: int) -> Decimal:
    return atoms(desk, instrument.quote, amount)


def mode_of(instrument: Instrument, *, isolated: bool) -> str:
    """The trade mode of an order or position: what the account and the product make of it."""
    if isolated:
        return "isolated"
    return "cash" if instrument.product == "spot" else "cross"
