"""Withdrawals from request to payment, and the addresses that they may go to.

The money lies in a funding account, which does not trade. A request waits there; when its time has come it is
marked as being sent, the engine pays with the id of the withdrawal as client id, and the outcome is written
down. After a break in between, the same client id makes the engine repeat its first answer.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

import msgspec
from sqlalchemy import delete, insert, select, update

from exchange_os.control.database import Database
from exchange_os.control.tables import ADDRESS, WITHDRAWAL
from exchange_os.errors import InvalidArgument, Rejected
from exchange_os.exchange import Exchange

OPEN = ("waiting", "sending", "unclear")
"""States in which the money is still in the funding account, and spoken for."""
_NS_OF_MS = 1_000_000
_log = logging.getLogger("exchange_os.withdrawals")
Call = Callable[[Callable[[], Any]], Awaitable[Any]]


class Withdrawal(msgspec.Struct, frozen=True):
    """One request. `due_ms`: when it is paid unless it is cancelled before; `why`: of one that failed."""

    id: int
    account: int
    payer: int
    asset: str
    amount: Decimal
    address: str
    client_id: str
    state: str
    why: str
    created_ms: int
    due_ms: int
    sent_ms: int | None


class Address(msgspec.Struct, frozen=True):
    """Where an account may withdraw to, from `usable_ms` on."""

    account: int
    address: str
    label: str
    usable_ms: int


class Withdrawals:
    """Those of one control database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # --- addresses ---

    def allow(self, account: int, address: str, *, usable_ms: int, label: str = "") -> Address:
        """Puts an address on the list of an account; one that stands there keeps its time."""
        if (found := self.address(account, address)) is not None:
            return found
        made = Address(account, address, label, usable_ms)
        with self._database.begin() as run:
            run.execute(insert(ADDRESS).values(**msgspec.structs.asdict(made)))
        return made

    def forbid(self, account: int, address: str) -> bool:
        """Takes an address off the list; False if it was not there."""
        with self._database.begin() as run:
            gone = run.execute(
                delete(ADDRESS).where(ADDRESS.c.account == account, ADDRESS.c.address == address)
            )
        return bool(gone.rowcount)

    def addresses(self, account: int) -> list[Address]:
        query = select(ADDRESS).where(ADDRESS.c.account == account).order_by(ADDRESS.c.usable_ms)
        with self._database.begin() as run:
            return [Address(**row) for row in run.execute(query).mappings()]

    def address(self, account: int, address: str) -> Address | None:
        return next((each for each in self.addresses(account) if each.address == address), None)

    # --- withdrawals ---

    def ask(self, wanted: Withdrawal) -> Withdrawal:
        """Writes a request down; its id is in the answer."""
        words = _row(wanted)
        words.pop("id")
        with self._database.begin() as run:
            made = run.execute(insert(WITHDRAWAL).values(**words)).inserted_primary_key
        return msgspec.structs.replace(wanted, id=int(made[0]))  # type: ignore[index]

    def find(self, account: int, number: int) -> Withdrawal | None:
        return next(iter(self._found(WITHDRAWAL.c.account == account, WITHDRAWAL.c.id == number)), None)

    def named(self, account: int, client_id: str) -> Withdrawal | None:
        return next(
            iter(self._found(WITHDRAWAL.c.account == account, WITHDRAWAL.c.client_id == client_id)), None
        )

    def of(self, account: int) -> list[Withdrawal]:
        """All of an account, newest first."""
        return self._found(WITHDRAWAL.c.account == account)

    def frozen(self, payer: int, asset: str) -> Decimal:
        """What of a funding account is spoken for."""
        found = self._found(
            WITHDRAWAL.c.payer == payer, WITHDRAWAL.c.asset == asset, WITHDRAWAL.c.state.in_(OPEN)
        )
        return sum((each.amount for each in found), Decimal(0))

    def cancel(self, account: int, number: int) -> bool:
        """False if it no longer waits: it cannot be called back any more."""
        return self._turn(number, "waiting", "cancelled", account=account)

    async def pay(self, exchange: Exchange, call: Call, now_ms: int) -> int:
        """Pays what is due, and finishes what a break left half done; how many were paid.

        `call` runs a method of the exchange where commands may be sent.
        """
        paid = 0
        due = self._found(WITHDRAWAL.c.state.in_(("waiting", "sending")), WITHDRAWAL.c.due_ms <= now_ms)
        for each in reversed(due):
            if each.state == "sending" and not self._remembered(exchange, each, now_ms):
                self._turn(
                    each.id, "sending", "unclear", why="stopped while it was sent, too long ago to ask"
                )
                _log.error("withdrawal %d: nobody knows whether it was paid; look into the log", each.id)
                continue
            if each.state == "waiting" and not self._turn(each.id, "waiting", "sending", sent_ms=now_ms):
                continue  # cancelled meanwhile
            paying = partial(
                exchange.withdraw, each.payer, each.asset, each.amount, client_id=f"withdrawal{each.id}"
            )
            try:
                await call(paying)
            except (Rejected, InvalidArgument) as refused:
                self._turn(each.id, "sending", "failed", why=str(refused))
                _log.warning("withdrawal %d was refused: %s", each.id, refused)
            else:
                paid += self._turn(each.id, "sending", "paid")
        return paid

    @staticmethod
    def _remembered(exchange: Exchange, each: Withdrawal, now_ms: int) -> bool:
        """Whether the engine certainly still knows the client id."""
        kept_ms = exchange.limits["client_id_retention_ns"] // _NS_OF_MS
        return now_ms - (each.sent_ms or 0) < kept_ms

    def _turn(
        self, number: int, before: str, after: str, *, account: int | None = None, **words: Any
    ) -> bool:
        """From one state to another, unless somebody was faster."""
        query = update(WITHDRAWAL).where(WITHDRAWAL.c.id == number, WITHDRAWAL.c.state == before)
        if account is not None:
            query = query.where(WITHDRAWAL.c.account == account)
        with self._database.begin() as run:
            return bool(run.execute(query.values(state=after, **words)).rowcount)

    def _found(self, *wanted: Any) -> list[Withdrawal]:
        query = select(WITHDRAWAL).where(*wanted).order_by(WITHDRAWAL.c.id.desc())
        with self._database.begin() as run:
            rows: Sequence[Any] = run.execute(query).mappings().all()
        return [Withdrawal(**{**row, "amount": Decimal(row["amount"])}) for row in rows]


def _row(each: Withdrawal) -> dict[str, Any]:
    return {**msgspec.structs.asdict(each), "amount": f"{each.amount:f}"}
