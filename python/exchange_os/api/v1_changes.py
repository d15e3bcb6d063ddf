"""What changes something under /api/v1: sign-in, keys, addresses, accounts and credentials of customers.

Bodies and rows are typed, so that the OpenAPI document is made of them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from functools import partial
from typing import Any

import msgspec

from exchange_os.api.codes import Refused
from exchange_os.api.desk import Desk
from exchange_os.api.identity import MANAGE
from exchange_os.api.keys import Key, now_ms
from exchange_os.control.addresses import address_of
from exchange_os.control.trading_keys import Domain, TradingKey
from exchange_os.errors import InvalidArgument

_DAY_MS = 86_400_000
_OPERATE = "operate"


class Body(msgspec.Struct, forbid_unknown_fields=True):
    """Of a request; what is not known in it is refused."""


class Nothing(Body):
    """No fields."""


class SignInBody(Body):
    """A message of EIP-4361 and its signature by `personal_sign`."""

    message: str
    signature: str


class TradingKeyBody(Body):
    """Domain and message of the typed data, and its signature."""

    domain: Domain
    message: TradingKey
    signature: str
    label: str = ""


class KeyBody(Body):
    """A key to be made. `public_key`: of Ed25519, in hexadecimal. `account`: a sub-account; for an operator
    any."""

    scopes: list[str] = msgspec.field(default_factory=lambda: ["read", "trade"])
    label: str = ""
    days: int | None = None
    addresses: list[str] = []
    instruments: list[str] = []
    loss_max: str | None = None
    public_key: str | None = None
    account: int | None = None


class NameBody(Body):
    """The name of a key."""

    key: str


class AddressBody(Body):
    """An address of a wallet."""

    address: str
    label: str = ""


class AccountBody(Body):
    """`owner`: a customer id of up to 32 bytes, or the address of a wallet."""

    owner: str
    simulated: bool = False


class CredentialBody(Body):
    """Signed documents of issuers, which count together. `account`: by an operator, for somebody."""

    credentials: list[str]
    account: int | None = None


class DocumentBody(Body):
    """A document by its issuer and id."""

    issuer: str
    id: str


class NonceRow(msgspec.Struct, frozen=True):
    """What a message of EIP-4361 has to say."""

    nonce: str
    domains: list[str]
    chain_ids: list[int]
    expires_ms: int


class SessionRow(msgspec.Struct, frozen=True):
    """`token` goes into the header `Authorization: Bearer`."""

    token: str
    wallet: str
    account: int
    expires_ms: int


class KeyRow(msgspec.Struct, frozen=True):
    """A key; `secret` and `passphrase` only when it is made."""

    key: str
    account: int
    scopes: list[str]
    label: str
    source: str
    expires_ms: int | None
    addresses: list[str]
    instruments: list[str]
    loss_max: Decimal | None
    public_key: str | None
    secret: str | None = None
    passphrase: str | None = None


class AddressRow(msgspec.Struct, frozen=True):
    """Where an account may withdraw to, from `usable_ms` on."""

    address: str
    label: str
    usable_ms: int


class AccountRow(msgspec.Struct, frozen=True):
    """An account that was opened."""

    account: int
    owner: str


class CredentialRow(msgspec.Struct, frozen=True):
    """What an account's documents give it now."""

    account: int
    classes: list[str]
    ends_ns: int


class DoneRow(msgspec.Struct, frozen=True):
    """False: there was nothing to do it to."""

    done: bool


class Change(msgspec.Struct, frozen=True):
    """How a path answers: what its body is, what its rows are, how often in two seconds, and the scopes of
    which one is needed; none: from anybody."""

    answer: Callable[[Desk, Key, Any], Awaitable[list[Any]]]
    body: type
    row: type
    often: int
    scopes: tuple[str, ...] = ()


def body_of(change: Change, given: Mapping[str, Any]) -> Any:
    """The typed body, or `Refused` with the first thing that is wrong."""
    try:
        return msgspec.convert(dict(given), change.body)
    except msgspec.ValidationError as error:
        raise Refused("51000", f"Parameter error: {error}.") from None


# --- wallets ---


async def nonce(desk: Desk, _key: Key, _body: Nothing) -> list[NonceRow]:
    """A nonce for one sign-in, and what its message has to say."""
    terms = desk.identity.terms
    made, expires_ms = desk.identity.nonce()
    return [NonceRow(made, list(terms.domains), list(terms.chain_ids), expires_ms)]


async def sign_in(desk: Desk, _key: Key, body: SignInBody) -> list[SessionRow]:
    """A session for the wallet that signed a message of EIP-4361."""
    token, session = await desk.identity.sign_in(body.message, body.signature)
    return [SessionRow(token, session.wallet, session.account, session.expires_ms)]


async def trading_key(desk: Desk, _key: Key, body: TradingKeyBody) -> list[KeyRow]:
    """A key that a wallet signed for with typed data (EIP-712)."""
    made = await desk.identity.trading_key(body.domain, body.message, body.signature, body.label)
    return [_row(made, whole=True)]


# --- keys and addresses ---


async def make_key(desk: Desk, key: Key, body: KeyBody) -> list[KeyRow]:
    """A new API key of the signed-in account or a sub-account; by an operator, of any."""
    if _OPERATE in body.scopes:
        raise Refused("51000", "Parameter scopes error: keys that operate are made with `xos key create`.")
    account = _account(desk, key, body.account)
    made = desk.keys.create(
        account,
        scopes=set(body.scopes),
        label=body.label,
        expires_ms=None if body.days is None else now_ms() + body.days * _DAY_MS,
        addresses=set(body.addresses),
        instruments={desk.exchange.instrument(each).symbol for each in body.instruments},
        loss_max=_decimal(body.loss_max),
        public_key=_bytes(body.public_key),
        source="operator" if _OPERATE in key.scopes else key.source,
    )
    return [_row(made, whole=True)]


async def list_keys(desk: Desk, key: Key, _body: Nothing) -> list[KeyRow]:
    """The keys of the signed-in account and its sub-accounts, without their secrets."""
    return [_row(each) for account in _own(desk, key) for each in desk.keys.all(account)]


async def revoke_key(desk: Desk, key: Key, body: NameBody) -> list[DoneRow]:
    """Takes a key of the account away."""
    found = desk.keys.find(body.key)
    if found is None or (_OPERATE not in key.scopes and found.account not in _own(desk, key)):
        return [DoneRow(False)]
    return [DoneRow(desk.keys.revoke(body.key))]


async def list_addresses(desk: Desk, key: Key, _body: Nothing) -> list[AddressRow]:
    """Where the signed-in account may withdraw to."""
    found = desk.wallet.withdrawals.addresses(key.account)
    return [AddressRow(each.address, each.label, each.usable_ms) for each in found]


async def allow_address(desk: Desk, key: Key, body: AddressBody) -> list[AddressRow]:
    """Puts an address on the list: the wallet's own counts at once, another after a delay."""
    address = address_of(body.address)
    delay_ms = 0 if address == key.source else desk.wallet.terms.address_delay_s * 1_000
    made = desk.wallet.withdrawals.allow(
        key.account, address, usable_ms=now_ms() + delay_ms, label=body.label[:100]
    )
    return [AddressRow(made.address, made.label, made.usable_ms)]


async def forbid_address(desk: Desk, key: Key, body: AddressBody) -> list[DoneRow]:
    """Takes an address off the list."""
    return [DoneRow(desk.wallet.withdrawals.forbid(key.account, address_of(body.address)))]


# --- customers ---


async def open_account(desk: Desk, _key: Key, body: AccountBody) -> list[AccountRow]:
    """An account for a customer of the operator."""
    if body.owner.startswith("0x"):
        address = address_of(body.owner)
        if (found := desk.identity.wallets.account_of(address)) is not None:
            raise Refused("51000", f"Parameter owner error: {address} has the account {found}.")
        return [AccountRow(await desk.identity.open_account(address, simulated=body.simulated), address)]
    opening = partial(desk.exchange.open_account, body.owner, simulated=body.simulated)
    return [AccountRow(await desk.intake.call(opening), body.owner)]


async def submit_credentials(desk: Desk, key: Key, body: CredentialBody) -> list[CredentialRow]:
    """Gives the account the classes of signed documents, and no others."""
    account = _account(desk, key, body.account)
    if not desk.exchange.credentials.issuers:
        raise Refused("51000", "No issuer is trusted here: the operator names a market file with issuers.")
    await desk.intake.call(partial(desk.exchange.credentials.submit, account, *body.credentials))
    found = desk.exchange.credential(account)
    return [] if found is None else [CredentialRow(account, list(found.classes), found.ends_ns)]


async def revoke_credential(desk: Desk, _key: Key, body: DocumentBody) -> list[CredentialRow]:
    """No document of this issuer and id counts any more; the accounts that lost their classes by it."""
    lost = await desk.intake.call(partial(desk.exchange.credentials.revoke, body.issuer, body.id))
    return [CredentialRow(account, [], 0) for account in lost]


# --- inside ---


def _own(desk: Desk, key: Key) -> list[int]:
    return [key.account, *(each.account for each in desk.wallet.accounts.subs_of(key.account))]


def _account(desk: Desk, key: Key, wanted: int | None) -> int:
    """The account that is meant: one's own or a sub-account; of an operator any that stands."""
    if _OPERATE in key.scopes:
        if wanted is None or not 1 <= wanted <= desk.exchange.account_count:
            raise Refused("51000", f"Parameter account error: {wanted}, expected an account that stands.")
        return wanted
    account = key.account if wanted is None else wanted
    if account not in _own(desk, key):
        raise Refused("51000", f"Parameter account error: {account} is neither yours nor a sub-account.")
    return account


def _row(key: Key, *, whole: bool = False) -> KeyRow:
    return KeyRow(
        key=key.name,
        account=key.account,
        scopes=sorted(key.scopes),
        label=key.label,
        source=key.source,
        expires_ms=key.expires_ms,
        addresses=sorted(key.addresses),
        instruments=sorted(key.instruments),
        loss_max=key.loss_max,
        public_key=None if key.public_key is None else key.public_key.hex(),
        secret=key.secret.decode() if whole and key.secret else None,
        passphrase=key.passphrase if whole else None,
    )


def _decimal(given: str | None) -> Decimal | None:
    try:
        return None if given is None else Decimal(given)
    except ArithmeticError:
        raise InvalidArgument(f"a limit of loss is {given!r}, expected a number above 0") from None


def _bytes(given: str | None) -> bytes | None:
    try:
        return None if given is None else bytes.fromhex(given.removeprefix("0x"))
    except ValueError:
        raise InvalidArgument("a public key has to be hexadecimal") from None


OPEN: dict[str, Change] = {
    "/api/v1/sign-in/nonce": Change(nonce, Nothing, NonceRow, 10),
    "/api/v1/sign-in": Change(sign_in, SignInBody, SessionRow, 10),
    "/api/v1/trading-keys": Change(trading_key, TradingKeyBody, KeyRow, 10),
}
"""From anybody, counted by address: the signature in the body says who it is."""

KEYED: dict[str, Change] = {
    "/api/v1/keys": Change(make_key, KeyBody, KeyRow, 10, (MANAGE, _OPERATE)),
    "/api/v1/keys/list": Change(list_keys, Nothing, KeyRow, 10, (MANAGE,)),
    "/api/v1/keys/revoke": Change(revoke_key, NameBody, DoneRow, 10, (MANAGE, _OPERATE)),
    "/api/v1/withdrawal-addresses": Change(allow_address, AddressBody, AddressRow, 10, (MANAGE,)),
    "/api/v1/withdrawal-addresses/list": Change(list_addresses, Nothing, AddressRow, 10, (MANAGE,)),
    "/api/v1/withdrawal-addresses/remove": Change(forbid_address, AddressBody, DoneRow, 10, (MANAGE,)),
    "/api/v1/accounts": Change(open_account, AccountBody, AccountRow, 20, (_OPERATE,)),
    "/api/v1/credentials": Change(
        submit_credentials, CredentialBody, CredentialRow, 5, (MANAGE, "trade", _OPERATE)
    ),
    "/api/v1/credentials/revoke": Change(revoke_credential, DocumentBody, CredentialRow, 5, (_OPERATE,)),
}
"""With a session of a wallet (`manage`), or a key of one of the scopes."""


__all__ = ["KEYED", "OPEN", "Change", "body_of"]
