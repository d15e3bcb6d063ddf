"""Secrets at rest: AES-256-GCM under keys that lie in a file of their own, outside of the database."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from exchange_os.errors import InvalidArgument

_KEY_BYTES = 32
_NONCE_BYTES = 12


class Sealing:
    """The keys of one file, the newest first: it seals, all of them open."""

    def __init__(self, file: Path | None = None) -> None:
        """`file` is made, readable by its owner alone, if it is missing; without one the key is forgotten."""
        self._file = file
        if file is not None and not file.exists():
            _write(file, os.urandom(_KEY_BYTES))
        found = os.urandom(_KEY_BYTES) if file is None else file.read_bytes()
        if not found or len(found) % _KEY_BYTES:
            raise InvalidArgument(f"{file} has {len(found)} bytes, expected {_KEY_BYTES} for each key")
        self._take(found)

    def seal(self, plain: bytes, owner: str) -> bytes:
        """`owner` names what it belongs to: sealed bytes that are moved to another owner do not open."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._ciphers[0].encrypt(nonce, plain, owner.encode())

    def open(self, sealed: bytes, owner: str) -> bytes:
        """`InvalidArgument` if no key of the file sealed this for this owner."""
        for cipher in self._ciphers:
            try:
                return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], owner.encode())
            except InvalidTag:
                continue
        raise InvalidArgument("the control database was sealed with another key file")

    def begin_rotation(self) -> None:
        """From now on a new key seals; those before still open."""
        self._keep(os.urandom(_KEY_BYTES) + self._keys)

    def end_rotation(self) -> None:
        """Forgets all keys but the newest: everything has been sealed anew."""
        self._keep(self._keys[:_KEY_BYTES])

    def _keep(self, keys: bytes) -> None:
        if self._file is not None:
            fresh = self._file.with_name(self._file.name + ".new")
            fresh.unlink(missing_ok=True)
            _write(fresh, keys)
            fresh.replace(self._file)
        self._take(keys)

    def _take(self, keys: bytes) -> None:
        self._keys = keys
        each = (keys[begin : begin + _KEY_BYTES] for begin in range(0, len(keys), _KEY_BYTES))
        self._ciphers = [AESGCM(key) for key in each]


def _write(file: Path, content: bytes) -> None:
    descriptor = os.open(file, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
