"""What a key may not do although its scope allows it: other instruments, and more after a loss.

A key's result of a UTC day is what its own fills came to: lots bought less sold at the price of now, less
what was paid for them, fees included. What it holds at midnight begins the next day at the price of then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import delete, insert, select

from exchange_os._core import EventFlags, EventKind
from exchange_os.api.codes import Refused
from exchange_os.api.intake import (
    AMOUNT,
    COUNTER_AMOUNT,
    COUNTERPART,
    DETAIL,
    FLAGS,
    INSTRUMENT,
    KIND,
    ORDER,
    PRICE,
    QTY,
    REMAINING,
    SEQUENCE,
    SIDE,
    TRADES,
    EventRow,
    Note,
)
from exchange_os.api.keys import Key, now_ms
from exchange_os.api.numbers import text, word
from exchange_os.api.orders import named
from exchange_os.control.tables import KEY_ORDER, KEY_RESULT

if TYPE_CHECKING:
    from exchange_os.api.desk import Desk

Fields = Mapping[str, Any]

_DAY_MS = 86_400_000
_PLAIN, _ACCEPTED = int(EventKind.TRADE), int(EventKind.ORDER_ACCEPTED)
_CANCELLED, _RETRY = int(EventKind.ORDER_CANCELLED), int(EventFlags.RETRY)
_NAMED = 4


class Result(msgspec.Struct):
    """Of one key on one instrument."""

    lots: int = 0
    paid: Decimal = Decimal(0)


class Limits:
    """Counts the fills of keys with a limit of loss, and refuses what a key may not do."""

    def __init__(self, desk: Desk) -> None:
        self._desk, self._database = desk, desk.keys.database
        self._changed = False
        with self._database.begin() as run:
            self._orders: dict[int, str] = {row[0]: row[1] for row in run.execute(select(KEY_ORDER))}
            rows = run.execute(select(KEY_RESULT)).mappings().all()
        self._results: dict[str, dict[int, Result]] = {}
        for row in rows:
            of_key = self._results.setdefault(row["name"], {})
            of_key[row["instrument"]] = Result(int(row["lots"]), Decimal(row["paid"]))
        self._day = min((row["day"] for row in rows), default=_today())
        """Of the results. With it over, what is held counts from the price of the first look."""

    # --- what may be done ---

    def check(self, key: Key, action: str, fields: Fields) -> None:
        """`Refused` unless the key may do this: `place`, `algo`, `amend`, `cancel`, `set`, `sweep`, `own`."""
        if key.loss_max is None and not key.instruments:
            return
        if action == "own":
            raise Refused("50120", "An API key with limits does not move money between accounts.", 401)
        if key.instruments:
            self._check_instrument(key, action, fields)
        if key.loss_max is not None and action in {"place", "algo", "amend"}:
            self._check_loss(key, key.loss_max, action, fields)

    def _check_instrument(self, key: Key, action: str, fields: Fields) -> None:
        listed = ", ".join(sorted(key.instruments))
        if action == "sweep" and not word(fields, "instId", ""):
            raise Refused("50120", f"This API key may touch {listed} alone, and this is about all orders.")
        symbol = named(self._desk, fields).symbol
        if symbol not in key.instruments:
            raise Refused("50120", f"This API key may trade {listed}, and not {symbol}.")

    def _check_loss(self, key: Key, loss_max: Decimal, action: str, fields: Fields) -> None:
        each, settles = named(self._desk, fields), self._desk.exchange.assets[0]
        if each.quote != settles:
            raise Refused(
                "50120", f"This API key has a limit of loss in {settles}: {each.quote} is not counted."
            )
        closes = word(fields, "reduceOnly", "false") == "true"
        closes = closes or (action == "algo" and word(fields, "closeFraction", "") == "1")
        reduces = word(fields, "side", "") == "sell" if each.product == "spot" else closes
        if action != "amend" and reduces:
            return
        result = self.result(key.name)
        if -result >= loss_max:
            raise Refused(
                "50120",
                f"This API key lost {text(-result)} {settles} today; from {text(loss_max)} on it may "
                "only reduce and cancel.",
            )

    def result(self, name: str) -> Decimal:
        """What the fills of a key came to today, in the settlement asset; a loss is negative."""
        self._turn()
        found = self._results.get(name, {})
        return sum((self._value(number, each) for number, each in found.items()), Decimal(0))

    def _value(self, number: int, each: Result) -> Decimal:
        return self._worth(number, each.lots) - each.paid

    def _worth(self, number: int, lots: int) -> Decimal:
        stands = self._desk.exchange.instrument(number)
        price = stands.mark_price or stands.last_price or Decimal(0)
        return stands.lot_size * lots * price if lots else Decimal(0)

    def _turn(self) -> None:
        """At midnight."""
        if (today := _today()) == self._day:
            return
        self._day, self._changed = today, True
        for of_key in self._results.values():
            for number in [number for number, each in of_key.items() if not each.lots]:
                del of_key[number]
            for number, each in of_key.items():
                each.paid = self._worth(number, each.lots)

    # --- what happened ---

    def mine(self, key: Key, order_id: int) -> None:
        """An order that waits was placed by a key."""
        if key.loss_max is not None:
            self._orders[order_id] = key.name
            self._changed = True

    def hear(self, rows: Sequence[EventRow], notes: Mapping[int, Note]) -> None:
        """Every event; a note with four words names the key of an order."""
        for note in notes.values():
            if len(note) == _NAMED:
                break
        else:
            if not self._orders:
                return
        for row in rows:
            kind = row[KIND]
            if kind == _ACCEPTED:
                note = notes.get(row[SEQUENCE], ())
                if len(note) == _NAMED and not row[FLAGS] & _RETRY:
                    self._orders[row[ORDER]] = note[3]
                    self._changed = True
            elif kind in TRADES:
                self._trade(row, kind)
            elif kind == _CANCELLED and not row[REMAINING]:
                self._over(row[ORDER])

    def _trade(self, row: EventRow, kind: int) -> None:
        fee, price = _amount(row, AMOUNT), row[PRICE]
        self._fill(row[ORDER], row[INSTRUMENT], row[SIDE], price, row[QTY], fee, row[REMAINING])
        if kind == _PLAIN:
            other, _, _, left, _ = COUNTERPART.unpack(row[DETAIL])
            fee = _amount(row, COUNTER_AMOUNT)
            self._fill(other, row[INSTRUMENT], row[SIDE] ^ 1, price, row[QTY], fee, left)

    def _fill(
        self, order_id: int, number: int, side: int, price: int, lots: int, fee: int, left: int
    ) -> None:
        name = self._orders.get(order_id)
        if name is None:
            return
        self._turn()
        each = self._desk.recorder.instrument(number)
        found = self._results.setdefault(name, {}).setdefault(number, Result())
        signed = -lots if side else lots
        found.lots += signed
        found.paid += each.tick_size * each.lot_size * price * signed
        found.paid += self._desk.recorder.atom(each.quote) * fee
        self._changed = True
        if not left:
            self._over(order_id)

    def _over(self, order_id: int) -> None:
        if self._orders.pop(order_id, None) is not None:
            self._changed = True

    def write(self) -> None:
        """Into the control database, if something changed."""
        if not self._changed:
            return
        self._changed = False
        results = [
            {
                "name": name,
                "instrument": number,
                "day": self._day,
                "lots": str(each.lots),
                "paid": text(each.paid),
            }
            for name, of_key in self._results.items()
            for number, each in of_key.items()
        ]
        orders = [{"order_id": number, "name": name} for number, name in self._orders.items()]
        with self._database.begin() as run:
            for table, rows in ((KEY_RESULT, results), (KEY_ORDER, orders)):
                run.execute(delete(table))
                if rows:
                    run.execute(insert(table), rows)


def _today() -> int:
    return now_ms() // _DAY_MS


def _amount(row: EventRow, at: int) -> int:
    return int(row[at] + (row[at + 1] << 64))
