"""Credential classes of accounts: what a gateway has verified, told to the engine and read from it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from exchange_os._core import CommandKind
from exchange_os.bounds import each, whole
from exchange_os.errors import InvalidArgument
from exchange_os.publishing import Publishing
from exchange_os.results import Book, Outcome, Receipt, levels_of, receipt

if TYPE_CHECKING:
    from exchange_os import _core
    from exchange_os.credentials import Credentials
    from exchange_os.directory import Directory

_DIGEST_BYTES = 32
NEVER_NS = (1 << 64) - 1
"""End of a credential that does not end."""


class Credential(msgspec.Struct, frozen=True):
    """What an account's last credential says. Revoked or run out: no classes, and `ends_ns` 0."""

    account: int
    classes: tuple[str, ...]
    ends_ns: int
    issued_ns: int
    digest: bytes


class AdmissionMethods(Publishing):
    """Setting and reading the classes of accounts."""

    _core: _core.Exchange
    _directory: Directory

    @cached_property
    def credentials(self) -> Credentials:
        """Signed documents of issuers: what gives accounts their classes."""
        from exchange_os.credentials import Credentials

        return Credentials(self)

    def set_credentials(
        self,
        account: int,
        classes: Iterable[str],
        *,
        digest: bytes,
        ends_ns: int,
        issued_ns: int | None = None,
        time_ns: int | None = None,
    ) -> Receipt:
        """Gives an account these classes and no others. Its orders that are not admitted any more leave.

        `digest` is the 32-byte hash of the signed document, `ends_ns` and `issued_ns` are its times (None:
        now). Whoever calls this has verified the document; `credentials.submit` does.
        """
        return self._credentials(account, self._mask(classes), digest, ends_ns, issued_ns, time_ns)

    def revoke_credentials(
        self, account: int, *, digest: bytes = bytes(_DIGEST_BYTES), time_ns: int | None = None
    ) -> Receipt:
        """Takes all classes away, at once. No credential that was issued before counts again."""
        return self._credentials(account, 0, digest, 0, None, time_ns)

    def credential(self, account: int) -> Credential | None:
        """The account's last credential; None if it never had one."""
        row = self._core.credential(whole("account", account))
        if row is None:
            return None
        mask, ends_ns, issued_ns, digest = row
        return Credential(account, self.class_names(mask), ends_ns, issued_ns, digest)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the credential classes, the first bit first."""
        return tuple(name for name in self._directory.classes if isinstance(name, str))

    def depth(
        self,
        instrument: str | int,
        *,
        classes: Iterable[str] = (),
        venue: str | int = 0,
        levels: int = 10,
    ) -> Book:
        """The best levels that an account with these classes reaches through a venue.

        Empty where the venue does not admit it. `book` shows everybody's orders: its best bid may stand above
        its best ask, where nobody may trade with both.
        """
        market, number = self._directory.market(instrument), self._directory.venue(venue)
        reach = (self._mask(classes), number)
        sequence, bids, asks = self._core.book(market.number, whole("depth", levels), reach)
        return Book(market.symbol, sequence, levels_of(market, bids), levels_of(market, asks))

    def _mask(self, classes: Iterable[str]) -> int:
        mask = 0
        for name in each("classes", classes):
            mask |= 1 << (self._directory.credential_class(name) - 1)
        return mask

    def class_names(self, mask: int) -> tuple[str, ...]:
        """The classes of a mask as records carry it, a bit each."""
        return tuple(name for bit, name in enumerate(self.classes) if mask >> bit & 1)

    def _credentials(
        self,
        account: int,
        mask: int,
        digest: bytes,
        ends_ns: int,
        issued_ns: int | None,
        time_ns: int | None,
    ) -> Receipt:
        given: object = digest
        if not (isinstance(given, bytes) and len(given) == _DIGEST_BYTES):
            raise InvalidArgument(f"the digest of a credential is {_DIGEST_BYTES} bytes")
        if issued_ns is None:
            # The log stamps the command no earlier than this.
            issued_ns = max(time.time_ns(), self._core.time_ns()) if time_ns is None else time_ns
        return receipt(
            self._command(
                CommandKind.SET_CREDENTIALS,
                account=account,
                order_id=issued_ns,
                qty=mask,
                digest=digest,
                expires_ns=ends_ns,
                time_ns=time_ns,
            )
        )

    if TYPE_CHECKING:

        def _command(
            self,
            kind: CommandKind,
            *,
            account: int = 0,
            order_id: int = 0,
            qty: int = 0,
            digest: bytes | None = None,
            expires_ns: int = 0,
            time_ns: int | None = None,
        ) -> Outcome: ...
