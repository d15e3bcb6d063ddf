"""Transfers between accounts of one owner, as they were asked for, and what came of them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
from sqlalchemy import insert, or_, select, update

from exchange_os.control.database import Database
from exchange_os.control.tables import TRANSFER


class Transfer(msgspec.Struct, frozen=True):
    """From one account of the engine to another. `fields`: how the request named both ends."""

    id: int
    account: int
    client_id: str
    sender: int
    receiver: int
    asset: str
    amount: Decimal
    fields: dict[str, str]
    state: str
    created_ms: int


class Transfers:
    """Those of one control database. States: pending, success, failed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def ask(self, wanted: Transfer) -> Transfer:
        """Writes a request down; its id is in the answer."""
        words = msgspec.structs.asdict(wanted)
        words.pop("id")
        words |= {"amount": f"{wanted.amount:f}", "fields": msgspec.json.encode(wanted.fields).decode()}
        with self._database.begin() as run:
            made = run.execute(insert(TRANSFER).values(**words)).inserted_primary_key
        return msgspec.structs.replace(wanted, id=int(made[0]))  # type: ignore[index]

    def end(self, number: int, state: str) -> None:
        with self._database.begin() as run:
            run.execute(update(TRANSFER).where(TRANSFER.c.id == number).values(state=state))

    def find(self, account: int, *, number: int | None = None, client_id: str = "") -> Transfer | None:
        """One that an account asked for, by either name."""
        named = TRANSFER.c.id == number if number is not None else TRANSFER.c.client_id == client_id
        return next(iter(self._found(TRANSFER.c.account == account, named)), None)

    def between(self, main: int, subs: set[int]) -> list[Transfer]:
        """Those with a sub-account at one end, whoever asked, newest first."""
        accounts = [main, *subs]
        ends = or_(TRANSFER.c.sender.in_(subs), TRANSFER.c.receiver.in_(subs))
        return self._found(TRANSFER.c.account.in_(accounts), ends)

    def pending(self) -> list[Transfer]:
        """What a break left half done."""
        return self._found(TRANSFER.c.state == "pending")

    def _found(self, *wanted: Any) -> list[Transfer]:
        query = select(TRANSFER).where(*wanted).order_by(TRANSFER.c.id.desc())
        with self._database.begin() as run:
            rows = run.execute(query).mappings().all()
        return [
            Transfer(
                **{**row, "amount": Decimal(row["amount"]), "fields": msgspec.json.decode(row["fields"])}
            )
            for row in rows
        ]
