"""Wallets: their accounts, the nonces of sign-ins, and sessions."""

from __future__ import annotations

import hashlib
import secrets

import msgspec
from sqlalchemy import delete, func, insert, select, update

from exchange_os.control.database import Database
from exchange_os.control.tables import NONCE, SESSION, WALLET
from exchange_os.errors import OutOfRange

NONCES_MAX = 100_000


class Session(msgspec.Struct, frozen=True):
    """A wallet that signed in."""

    wallet: str
    account: int
    expires_ms: int


class Wallets:
    """Those of one control database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # --- accounts ---

    def account_of(self, address: str) -> int | None:
        """The account of a wallet, if it has one."""
        with self._database.begin() as run:
            return run.execute(select(WALLET.c.account).where(WALLET.c.address == address)).scalar()

    def add(self, address: str, account: int) -> None:
        with self._database.begin() as run:
            run.execute(insert(WALLET).values(address=address, account=account, nonce=0))

    def take_nonce(self, address: str, nonce: int) -> bool:
        """Notes the nonce of a trading key; False unless it is higher than all before."""
        query = update(WALLET).where(WALLET.c.address == address, WALLET.c.nonce < nonce).values(nonce=nonce)
        with self._database.begin() as run:
            return bool(run.execute(query).rowcount)

    def last_nonce(self, address: str) -> int:
        """The highest that counted."""
        with self._database.begin() as run:
            return run.execute(select(WALLET.c.nonce).where(WALLET.c.address == address)).scalar() or 0

    # --- sign-ins ---

    def new_nonce(self, now_ms: int, expires_ms: int) -> str:
        """For one sign-in. `OutOfRange` if too many wait to be used."""
        nonce = secrets.token_hex(16)
        with self._database.begin() as run:
            run.execute(delete(NONCE).where(NONCE.c.expires_ms <= now_ms))
            count = run.execute(select(func.count()).select_from(NONCE)).scalar() or 0
            if count >= NONCES_MAX:
                raise OutOfRange(f"{count} nonces wait to be used, and that is the most")
            run.execute(insert(NONCE).values(nonce=nonce, expires_ms=expires_ms))
        return nonce

    def is_open(self, nonce: str, now_ms: int) -> bool:
        """Whether a nonce was given out, and neither used nor forgotten."""
        query = select(NONCE.c.nonce).where(NONCE.c.nonce == nonce, NONCE.c.expires_ms > now_ms)
        with self._database.begin() as run:
            return run.execute(query).first() is not None

    def use_nonce(self, nonce: str, now_ms: int) -> bool:
        """True once."""
        query = delete(NONCE).where(NONCE.c.nonce == nonce, NONCE.c.expires_ms > now_ms)
        with self._database.begin() as run:
            return bool(run.execute(query).rowcount)

    # --- sessions ---

    def begin(self, session: Session, now_ms: int) -> str:
        """The token of a new session, which can be read here and never again."""
        token = secrets.token_urlsafe(32)
        with self._database.begin() as run:
            run.execute(delete(SESSION).where(SESSION.c.expires_ms <= now_ms))
            run.execute(insert(SESSION).values(digest=_digest(token), **msgspec.structs.asdict(session)))
        return token

    def session(self, token: str, now_ms: int) -> Session | None:
        """The session of a token, unless it is over."""
        query = select(SESSION.c.wallet, SESSION.c.account, SESSION.c.expires_ms)
        with self._database.begin() as run:
            row = run.execute(
                query.where(SESSION.c.digest == _digest(token), SESSION.c.expires_ms > now_ms)
            ).first()
        return None if row is None else Session(*row)

    def end(self, token: str) -> bool:
        with self._database.begin() as run:
            return bool(run.execute(delete(SESSION).where(SESSION.c.digest == _digest(token))).rowcount)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
