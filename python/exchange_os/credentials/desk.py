"""Credentials at an exchange: check, submit, revoke."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from exchange_os.credentials.faults import CredentialFault
from exchange_os.credentials.register import Register
from exchange_os.credentials.verifying import TrustedIssuer, Verified, trusted, verify
from exchange_os.errors import CredentialRefused, InvalidArgument, UnknownName
from exchange_os.markets.load import Loaded, load

if TYPE_CHECKING:
    from exchange_os.admission import AdmissionMethods
    from exchange_os.results import Receipt


class Credentials:
    """Where documents become classes of accounts: `exchange.credentials`.

    First `trust` a market file. Checking is done here; the log gets class bits, an end and a hash.
    """

    def __init__(self, exchange: AdmissionMethods) -> None:
        self._exchange = exchange
        self._issuers: dict[str, TrustedIssuer] = {}
        self._register = Register()

    @property
    def issuers(self) -> tuple[TrustedIssuer, ...]:
        """Whose documents count."""
        return tuple(self._issuers.values())

    def trust(
        self,
        market_file: str | PathLike[str] | Loaded,
        *,
        register: str | PathLike[str] | None = None,
        time_ns: int | None = None,
    ) -> list[int]:
        """Takes the documents of the issuers of a market file, instead of those before.

        `register` is a file that remembers revocations over restarts; without it they last as long as this
        exchange is open. What was revoked there and still stands is revoked now: the accounts
        that lose their classes are the answer.
        """
        loaded = market_file if isinstance(market_file, Loaded) else load(market_file)
        self._issuers = trusted(loaded.spec.issuers)
        if register is not None:
            self._register = Register(Path(register))
        return self._sweep(time_ns)

    def check(self, token: str, account: int | None = None, *, now_ns: int | None = None) -> Verified:
        """What a document gives, to this account if one is named, or `CredentialRefused`."""
        exchange = self._exchange
        now_ns = max(time.time_ns(), exchange._core.time_ns()) if now_ns is None else now_ns
        subjects = None if account is None else _names(exchange, account)
        found = verify(token, self._issuers, now_ns=now_ns, subjects=subjects, classes=exchange.classes)
        if self._register.is_revoked(found.issuer, found.id):
            raise CredentialRefused(CredentialFault.REVOKED, f"{found.issuer} revoked it")
        return found

    def submit(self, account: int, *tokens: str, time_ns: int | None = None) -> Receipt:
        """Gives an account the classes of these documents and no others.

        Several documents count together: all their classes, until the first ends. The engine refuses what
        is not newer than the account's last credential or its revocation (225).
        """
        if not tokens:
            raise InvalidArgument("no credential is given")
        found = [self.check(token, account, now_ns=time_ns) for token in tokens]
        digest = _together([each.digest for each in found])
        for each in found:
            self._register.note(each.issuer, each.id, account, digest)
        return self._exchange.set_credentials(
            account,
            {name for each in found for name in each.classes},
            digest=digest,
            ends_ns=min(each.ends_ns for each in found),
            issued_ns=max(each.issued_ns for each in found),
            time_ns=time_ns,
        )

    def revoke(self, issuer: str, id: str, *, time_ns: int | None = None) -> list[int]:  # noqa: A002
        """No document of this id counts any more. Accounts that have their classes by it lose them at once;
        their numbers are the answer.
        """
        self._register.revoke(issuer, id)
        return self._sweep(time_ns)

    def _sweep(self, time_ns: int | None) -> list[int]:
        """Takes the classes of all accounts whose last document is revoked."""
        accounts = []
        for account, digest in self._register.accounts_of_revoked():
            standing = self._exchange.credential(account)
            if standing is not None and standing.classes and standing.digest == digest:
                self._exchange.revoke_credentials(account, digest=digest, time_ns=time_ns)
                accounts.append(account)
        return accounts


def _together(digests: Iterable[bytes]) -> bytes:
    """The hash of several documents is that of their hashes; of one its own."""
    first, *more = digests
    return first if not more else hashlib.sha256(b"".join([first, *more])).digest()


def _names(exchange: AdmissionMethods, account: int) -> set[str]:
    """How a document may name the owner of an account: as it was opened, as the hexadecimal of those bytes
    (the address of a wallet), or by the number of the account."""
    family = exchange._core.family(account)
    if family is None:
        raise UnknownName(f"account {account} does not stand")
    owner: bytes = family[0].rstrip(b"\0")
    names = {f"urn:exchange-os:account:{account}"}
    if owner.isascii() and owner.decode("ascii").isprintable():
        names.add(owner.decode("ascii"))
    return names | {f"0x{owner.hex()}"}
