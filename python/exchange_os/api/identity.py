"""Who wallets are: sign-in with Ethereum, sessions, and trading keys that a wallet signs for.

A refusal of a signature says its digest, the address that it recovers, and the first field that differs.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from exchange_os.api.codes import Refused
from exchange_os.api.keys import Key, now_ms
from exchange_os.control.addresses import address_of
from exchange_os.control.sign_in import SignIn, moment_ms, read_sign_in
from exchange_os.control.signatures import message_digest, recovered
from exchange_os.control.trading_keys import NAME, VERSION, Domain, TradingKey, digest
from exchange_os.control.wallets import Session, Wallets
from exchange_os.errors import InvalidArgument, OutOfRange

if TYPE_CHECKING:
    from exchange_os.api.desk import Desk

_UNAUTHORISED = 401
_SKEW_MS = 30_000
_NONCE_MAX = 1 << 63
MANAGE = "manage"
"""What a session may do beside reading: keys and addresses of its own account."""


class Terms(msgspec.Struct, frozen=True):
    """What wallets sign for. A domain without a port stands for every port."""

    domains: tuple[str, ...] = ("127.0.0.1", "localhost")
    chain_ids: tuple[int, ...] = (196, 1952)
    opens_accounts: bool = True
    nonce_s: int = 600
    session_s: int = 86_400


class Identity:
    """Shared by all requests of an application."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.terms = Terms()
        self.wallets = Wallets(desk.keys.database)
        self._opening = asyncio.Lock()

    # --- sessions ---

    def nonce(self) -> tuple[str, int]:
        """For one sign-in, and when it is forgotten."""
        moment = now_ms()
        expires_ms = moment + self.terms.nonce_s * 1_000
        try:
            return self.wallets.new_nonce(moment, expires_ms), expires_ms
        except OutOfRange as error:
            raise Refused("50013", f"Systems are busy: {error}.", 503) from None

    async def sign_in(self, text: str, signature: str) -> tuple[str, Session]:
        """The token of a new session for whoever signed the message."""
        try:
            message = read_sign_in(text)
            maker = recovered(message_digest(text), signature)
        except InvalidArgument as error:
            raise Refused("50113", f"Invalid Sign: {error}.", _UNAUTHORISED) from None
        moment = now_ms()
        for field, found, expected in self._sign_in_fields(message, moment, maker):
            raise _differs(message_digest(text), maker, field, found, expected)
        if not self.wallets.use_nonce(message.nonce, moment):
            raise _differs(
                message_digest(text), maker, "Nonce", message.nonce, "one that was not used before"
            )
        account = await self.account_of(maker)
        expires_ms = moment + self.terms.session_s * 1_000
        if message.expiration_time:
            expires_ms = min(expires_ms, moment_ms("Expiration Time", message.expiration_time))
        session = Session(maker, account, expires_ms)
        return self.wallets.begin(session, moment), session

    def _sign_in_fields(self, message: SignIn, moment: int, maker: str) -> Iterable[tuple[str, str, str]]:
        """Fields that are not as they have to be: name, what it says, what was expected."""
        terms = self.terms
        if not self._is_ours(message.domain):
            yield "domain", message.domain, " or ".join(terms.domains)
        if message.uri.partition("://")[2].partition("/")[0] != message.domain:
            yield "URI", message.uri, f"one of {message.domain}"
        if message.version != "1":
            yield "Version", message.version, "1"
        if message.chain_id not in map(str, terms.chain_ids):
            yield "Chain ID", message.chain_id, " or ".join(map(str, terms.chain_ids))
        if not self.wallets.is_open(message.nonce, moment):
            yield "Nonce", message.nonce, "one that was given out here and not used before"
        try:
            if moment_ms("Issued At", message.issued_at) > moment + _SKEW_MS:
                yield "Issued At", message.issued_at, "a time that has come"
            ends = message.expiration_time
            if ends and moment_ms("Expiration Time", ends) <= moment:
                yield "Expiration Time", ends, "a time to come"
            begins = message.not_before
            if begins and moment_ms("Not Before", begins) > moment:
                yield "Not Before", begins, "a time that has come"
        except InvalidArgument as error:
            raise Refused("50113", f"Invalid Sign: {error}.", _UNAUTHORISED) from None
        if maker != message.address:
            yield "address", message.address, maker

    def _is_ours(self, domain: str) -> bool:
        return domain in self.terms.domains or domain.rpartition(":")[0] in self.terms.domains

    def session_key(self, token: str) -> Key:
        """What a session may do, in the form of a key."""
        session = self.wallets.session(token, now_ms())
        if session is None:
            raise Refused("50111", "The session is unknown or over: sign in again.", _UNAUTHORISED)
        return Key(
            name="",
            account=session.account,
            scopes=frozenset({"read", MANAGE}),
            secret=b"",
            passphrase="",
            expires_ms=session.expires_ms,
            source=session.wallet,
        )

    async def account_of(self, address: str) -> int:
        """The account of a wallet, opened when it comes for the first time."""
        async with self._opening:
            found = self.wallets.account_of(address)
            if found is not None:
                return found
            if not self.terms.opens_accounts:
                raise Refused(
                    "50120", f"{address} has no account here; the operator opens accounts.", _UNAUTHORISED
                )
            return await self.open_account(address)

    async def open_account(self, address: str, *, simulated: bool = False) -> int:
        """A new account of the engine whose owner is a wallet."""
        owner = bytes.fromhex(address.removeprefix("0x"))
        opening = partial(self._desk.exchange.open_account, owner, simulated=simulated)
        number: int = await self._desk.intake.call(opening)
        self.wallets.add(address, number)
        return number

    # --- trading keys ---

    async def trading_key(self, domain: Domain, message: TradingKey, signature: str, label: str) -> Key:
        """The key that a wallet signed for."""
        try:
            signed = digest(domain, message)
            maker = recovered(signed, signature)
        except InvalidArgument as error:
            raise Refused("50113", f"Invalid Sign: {error}.", _UNAUTHORISED) from None
        moment_s = time.time_ns() // 10**9
        for field, found, expected in self._key_fields(domain, message, maker, moment_s):
            raise _differs(signed, maker, field, str(found), expected)
        own = await self.account_of(maker)
        account = message.account or own
        if account not in {own, *(each.account for each in self._desk.wallet.accounts.subs_of(own))}:
            raise _differs(signed, maker, "account", str(account), f"{own} or one of its sub-accounts")
        if not self.wallets.take_nonce(maker, message.nonce):
            last = self.wallets.last_nonce(maker)
            raise _differs(signed, maker, "nonce", str(message.nonce), f"more than {last}, which was used")
        return self._desk.keys.create(
            account,
            scopes=_list(message.scopes),
            public_key=bytes.fromhex(message.publicKey.removeprefix("0x")),
            expires_ms=message.expires * 1_000,
            instruments=_list(message.instruments),
            loss_max=message.lossMax or None,
            label=label,
            source=maker,
        )

    def _key_fields(
        self, domain: Domain, message: TradingKey, maker: str, moment_s: int
    ) -> Iterable[tuple[str, object, str]]:
        """Fields that are not as they have to be: name, what it says, what was expected."""
        if domain.name != NAME:
            yield "name", domain.name, NAME
        if domain.version != VERSION:
            yield "version", domain.version, VERSION
        if domain.chainId not in self.terms.chain_ids:
            yield "chainId", domain.chainId, " or ".join(map(str, self.terms.chain_ids))
        if address_of(message.wallet) != maker:
            yield "wallet", message.wallet, maker
        if not _list(message.scopes) or _list(message.scopes) - {"read", "trade"}:
            yield "scopes", message.scopes, "read, trade or both: a trading key does not withdraw"
        unknown = sorted(_list(message.instruments) - set(self._symbols()))
        if unknown:
            yield "instruments", message.instruments, f"instruments that there are, and not {unknown[0]}"
        if message.lossMax and not _is_amount(message.lossMax):
            yield "lossMax", message.lossMax, "a decimal number above 0, or nothing"
        if message.expires <= moment_s:
            yield "expires", message.expires, f"a time after {moment_s}, in seconds"
        if not 0 < message.nonce < _NONCE_MAX:
            yield "nonce", message.nonce, f"a number from 1 to {_NONCE_MAX - 1}"

    def _symbols(self) -> list[str]:
        return [name for name in self._desk.exchange._directory.markets if isinstance(name, str)]


def _differs(signed: bytes, maker: str, field: str, found: str, expected: str) -> Refused:
    return Refused(
        "50113",
        f"Invalid Sign: the digest is 0x{signed.hex()}, the signature recovers {maker}; the first field that "
        f"differs is {field}: {found[:100]!r}, expected {expected}.",
        _UNAUTHORISED,
    )


def _list(given: str) -> set[str]:
    return {each.strip() for each in given.split(",") if each.strip()}


def _is_amount(given: str) -> bool:
    try:
        found = Decimal(given)
    except InvalidOperation:
        return False
    return found.is_finite() and found > 0
