"""What a gateway keeps of credentials: who brought which, and which are revoked. Hashes only, no names."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from exchange_os.errors import Corrupt, DiskFailed


class Register:
    """Lines of JSON that are only added to, in a file or, without a path, in memory.

    An id is kept as the SHA-256 of issuer and id. A line that a crash left unfinished at the end is dropped.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.brought: dict[str, dict[tuple[int, str], None]] = {}
        """Of each id the accounts that brought it, with every digest under which they tried to: which one the
        engine took is known when it is revoked."""
        self.revoked: set[str] = set()
        if path is not None and path.exists():
            self._read(path)

    def note(self, issuer: str, named: str, account: int, digest: bytes) -> None:
        """An account is about to bring a credential."""
        line: dict[str, object] = {"id": hashed(issuer, named), "account": account, "digest": digest.hex()}
        self._add(line)

    def revoke(self, issuer: str, named: str) -> None:
        """No credential of this id counts any more."""
        if not self.is_revoked(issuer, named):
            self._add({"revoked": hashed(issuer, named)})

    def is_revoked(self, issuer: str, named: str) -> bool:
        return hashed(issuer, named) in self.revoked

    def accounts_of_revoked(self) -> list[tuple[int, bytes]]:
        """Accounts that brought a credential which is revoked now, with the digests under which they did."""
        pairs = (pair for each in sorted(self.revoked) for pair in self.brought.get(each, {}))
        return [(account, bytes.fromhex(digest)) for account, digest in pairs]

    def _add(self, line: dict[str, object]) -> None:
        if self.path is not None:
            try:
                with self.path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(line) + "\n")
                    file.flush()
                    os.fsync(file.fileno())
            except OSError as error:
                raise DiskFailed(f"{self.path}: {error.strerror or error}") from error
        self._take(line)

    def _take(self, line: dict[str, object]) -> None:
        if "revoked" in line:
            self.revoked.add(str(line["revoked"]))
        else:
            account, digest = int(str(line["account"])), str(line["digest"])
            bytes.fromhex(digest)
            self.brought.setdefault(str(line["id"]), {})[account, digest] = None

    def _read(self, path: Path) -> None:
        content = path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            with path.open("r+b") as file:
                file.truncate(len(whole))
        offset = 0
        for raw in whole.splitlines(keepends=True):
            try:
                self._take(json.loads(raw))
            except (ValueError, KeyError, TypeError) as error:
                raise Corrupt(
                    f"{path}: the line at byte {offset} cannot be read", str(path), offset, 0
                ) from error
            offset += len(raw)


def hashed(issuer: str, named: str) -> str:
    """How the register knows an id."""
    return hashlib.sha256(f"{issuer}\n{named}".encode()).hexdigest()
