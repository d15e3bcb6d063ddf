"""Which accounts of the engine belong together: a main one, its sub-accounts, and their funding accounts."""

from __future__ import annotations

import msgspec
from sqlalchemy import insert, select

from exchange_os.control.database import Database
from exchange_os.control.tables import OWN_ACCOUNT

FUNDING, SUB = "funding", "sub"


class OwnAccount(msgspec.Struct, frozen=True):
    """An account of the engine that belongs to the account `main`; `name` is that of a sub-account."""

    account: int
    main: int
    kind: str
    name: str
    label: str
    created_ms: int


class OwnAccounts:
    """Read into memory once; one process adds to them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        with database.begin() as run:
            rows = run.execute(select(OWN_ACCOUNT).order_by(OWN_ACCOUNT.c.account)).mappings()
            self._known = [OwnAccount(**row) for row in rows]
        self._main = {each.account: each.main for each in self._known}
        self._funding = {each.main: each.account for each in self._known if each.kind == FUNDING}

    def add(self, found: OwnAccount) -> None:
        """One that has just been opened."""
        with self._database.begin() as run:
            run.execute(insert(OWN_ACCOUNT).values(**msgspec.structs.asdict(found)))
        self._known.append(found)
        self._main[found.account] = found.main
        if found.kind == FUNDING:
            self._funding[found.main] = found.account

    def funding_of(self, account: int) -> int | None:
        """The funding account of a main or sub-account, if it was ever needed."""
        return self._funding.get(account)

    def main_of(self, account: int) -> int:
        """The account that a funding account or a sub-account belongs to; any other is its own."""
        return self._main.get(account, account)

    def subs_of(self, main: int) -> list[OwnAccount]:
        """Its sub-accounts, oldest first."""
        return [each for each in self._known if each.kind == SUB and each.main == main]

    def sub_named(self, main: int, name: str) -> OwnAccount | None:
        return next((each for each in self.subs_of(main) if each.name == name), None)

    def is_sub(self, account: int) -> bool:
        return any(each.account == account and each.kind == SUB for each in self._known)
