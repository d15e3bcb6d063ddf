"""The wallet of an account: its funding account, sub-accounts, transfers and withdrawals.

A funding account is an account of the engine with the same owner, opened when it is first needed. It does not
trade, so what lies in it stays until somebody moves it.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from exchange_os.api.codes import Refused
from exchange_os.api.keys import now_ms
from exchange_os.api.moves import Moves
from exchange_os.api.numbers import text
from exchange_os.control.accounts import FUNDING, SUB, OwnAccount, OwnAccounts
from exchange_os.control.transfers import Transfer, Transfers
from exchange_os.control.withdrawals import Withdrawals
from exchange_os.errors import Error

if TYPE_CHECKING:
    from exchange_os.api.desk import Desk

PLACES = {"6": FUNDING, "18": "trading"}
SUBS_MAX = 50


class Terms(msgspec.Struct, frozen=True):
    """How long money and new addresses wait, in seconds."""

    withdrawal_delay_s: int = 600
    address_delay_s: int = 86_400


class Wallet:
    """Shared by all requests of an application."""

    def __init__(self, desk: Desk) -> None:
        database = desk.keys.database
        self._desk = desk
        self.terms = Terms()
        self.accounts = OwnAccounts(database)
        self.transfers = Transfers(database)
        self.withdrawals = Withdrawals(database)
        self.moves = Moves(desk.exchange)
        desk.hearers.append(self.moves.hear)
        self._opening = asyncio.Lock()
        self.moving = asyncio.Lock()
        """Held from looking at what is available until it is moved or spoken for."""

    def number(self, account: int, place: str) -> int | None:
        """The account of the engine behind `6` (funding, if there is one yet) or `18` (trading)."""
        return self.accounts.funding_of(account) if PLACES[place] == FUNDING else account

    async def open(self, account: int, place: str) -> int:
        """As `number`, and opens it if it has to."""
        async with self._opening:
            found = self.number(account, place)
            return await self._opened(account, FUNDING, "", "") if found is None else found

    async def open_sub(self, main: int, name: str, label: str) -> OwnAccount:
        """A sub-account of a main account."""
        async with self._opening:
            if self.accounts.sub_named(main, name) is not None:
                raise Refused("59606", f"Sub-account {name} already exists.")
            if len(self.accounts.subs_of(main)) >= SUBS_MAX:
                raise Refused("59616", f"There are {SUBS_MAX} sub-accounts, and that is the most.")
            await self._opened(main, SUB, name, label)
        found = self.accounts.sub_named(main, name)
        assert found is not None
        return found

    async def _opened(self, main: int, kind: str, name: str, label: str) -> int:
        exchange = self._desk.exchange
        family = exchange._core.family(main)
        assert family is not None
        owner, simulated = family[0].rstrip(b"\0"), exchange.is_simulated(main)
        number = await self._desk.intake.call(partial(exchange.open_account, owner, simulated=simulated))
        self.accounts.add(OwnAccount(number, main, kind, name, label, now_ms()))
        return number

    def available(self, number: int | None, asset: str) -> Decimal:
        """What of an account of the engine is not held, and not spoken for by a withdrawal."""
        if number is None:
            return Decimal(0)
        return self._desk.exchange.balance(number, asset).free - self.withdrawals.frozen(number, asset)

    async def transfer(self, wanted: Transfer) -> Transfer:
        """Moves money between two accounts, or raises what the engine says."""
        async with self.moving:
            return await self._transfer(wanted)

    async def _transfer(self, wanted: Transfer) -> Transfer:
        if wanted.client_id and self.transfers.find(wanted.account, client_id=wanted.client_id) is not None:
            raise Refused("51000", f"Parameter clientId error: {wanted.client_id} was used before.")
        if self.accounts.main_of(wanted.sender) != wanted.sender and not self.accounts.is_sub(wanted.sender):
            free = self.available(wanted.sender, wanted.asset)
            if wanted.amount > free:
                raise Refused("58350", f"Insufficient balance: {text(free)} {wanted.asset} is available.")
        asked = self.transfers.ask(wanted)
        await self._finish(asked)
        return msgspec.structs.replace(asked, state="success")

    async def _finish(self, asked: Transfer) -> None:
        moving = partial(
            self._desk.exchange.transfer,
            asked.sender,
            asked.receiver,
            asked.asset,
            asked.amount,
            client_id=f"transfer{asked.id}",
        )
        try:
            await self._desk.intake.call(moving)
        except Error:
            self.transfers.end(asked.id, "failed")
            raise
        self.transfers.end(asked.id, "success")

    async def pay(self) -> None:
        """Withdrawals that are due."""
        await self.withdrawals.pay(self._desk.exchange, self._desk.intake.call, now_ms())

    async def resume(self) -> None:
        """Transfers that a break left half done, as long as the engine still knows their client ids."""
        kept_ms = self._desk.exchange.limits["client_id_retention_ns"] // 1_000_000
        for asked in self.transfers.pending():
            if now_ms() - asked.created_ms < kept_ms:
                try:
                    await self._finish(asked)
                except Error:
                    continue
