"""One connection to the binary gateway, spoken by hand: logon with a secret, messages out, messages in.

`_core.Remote` waits for each answer; here nothing is waited for, so that many commands can be under way.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import socket
import threading
import time
from struct import Struct

from exchange_os import _core
from exchange_os.errors import Disconnected, InvalidArgument

HEADER = Struct("<IHHHHQQHH")
"""length, block_length, kind, schema, version, number, mark, record_bytes, count."""
CHALLENGE, LOGON, LOGGED_ON, GOODBYE, HEARTBEAT, COMMANDS = 1, 2, 3, 4, 5, 16
DROP_COPY, RESUME = 2, 4
HEARTBEAT_MS = 10_000
_SCHEMA, _VERSION, _ = _core.wire_words()
_ROOT_BYTES = 16
_CONTEXT = b"xos wire logon 1"
_LOGON = Struct("<32sIIQQIBBH")
_LOGGED_ON = Struct("<32sQQQIB3x")
_GOODBYE = Struct("<H6xQQ")
_HMAC = 1
_KEY_BYTES, _COMMAND_BYTES = 32, 96
_PER_MESSAGE = 600
_READ_BYTES = 1 << 18
_CODES = {
    code: name for word, names in _core.wire_words()[2] if word == "SessionCode" for name, code in names
}
Message = tuple[int, int, bytes]
"""Kind, mark, records."""


class Line:
    """A connection that has logged on."""

    def __init__(
        self, address: str, key: str, secret: bytes, session: int, timeout_s: float, flags: int, resume: int
    ) -> None:
        """`resume`: the mark to resume from, with the flag."""
        host, _, port = address.rpartition(":")
        if not port.isdigit():
            raise InvalidArgument(f"{address!r} is no address and port")
        self._inbox = bytearray()
        self._lock, self._said = threading.Lock(), time.monotonic()
        try:
            self.socket = socket.create_connection((host.strip("[]"), int(port)), timeout=timeout_s)
        except OSError as error:
            raise Disconnected(f"the connection failed: {error}", "connection_failed") from None
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self._log_on(key, secret, session, timeout_s, flags, resume)
        except BaseException:
            self.socket.close()
            raise

    def _log_on(
        self, key: str, secret: bytes, session: int, timeout_s: float, flags: int, resume: int
    ) -> None:
        nonce = self._due(CHALLENGE, timeout_s)[:32]
        name = key.encode()
        if not 0 < len(name) <= _KEY_BYTES:
            raise InvalidArgument("the name of a key has 1 to 32 bytes")
        logon = _LOGON.pack(name, session, HEARTBEAT_MS, 1, resume, 0, _HMAC, flags, 0)
        digest = hmac.digest(secret, _CONTEXT + nonce + logon, hashlib.sha256)
        self._send(LOGON, 0, 128, logon + digest.ljust(64, b"\0"))
        answer = _LOGGED_ON.unpack(self._due(LOGGED_ON, timeout_s))
        self.owner, self.next_number, self.durable, self.oldest_mark, _, resumption = answer
        self.resumed = resumption == 1

    def _due(self, kind: int, timeout_s: float) -> bytes:
        """The records of the message that has to come next."""
        until = time.monotonic() + timeout_s
        while not (message := self._one()):
            self.fill(until - time.monotonic())
        if message[0] != kind:
            raise Disconnected(f"a message of kind {message[0]} came where it was not due", "malformed")
        return message[2]

    def fill(self, timeout_s: float) -> None:
        """Reads once; `Disconnected` if nothing comes in time or the other side is gone."""
        self.socket.settimeout(max(0.001, timeout_s))
        try:
            data = self.socket.recv(_READ_BYTES)
        except OSError as error:
            raise Disconnected(f"the connection failed: {error}", "connection_failed") from None
        if not data:
            raise Disconnected("the connection failed: the server is gone", "connection_failed")
        self._inbox += data

    def messages(self) -> list[Message]:
        """The whole messages that have come; a goodbye is `Disconnected`."""
        found = []
        while message := self._one():
            found.append(message)
        return found

    def _one(self) -> Message | None:
        if len(self._inbox) < HEADER.size:
            return None
        length, block, kind, schema, version, _, mark, _, _ = HEADER.unpack_from(self._inbox)
        if (block, schema, version) != (_ROOT_BYTES, _SCHEMA, _VERSION) or length < HEADER.size:
            raise Disconnected("what came is no message", "malformed")
        if len(self._inbox) < length:
            return None
        records = bytes(self._inbox[HEADER.size : length])
        del self._inbox[:length]
        if kind == GOODBYE:
            code, value, limit = _GOODBYE.unpack(records)
            name = _CODES.get(code, "unknown")
            raise Disconnected(f"the server said goodbye: {name} (value {value}, limit {limit})", name)
        return kind, mark, records

    def commands(self, records: list[bytes]) -> int:
        """Sends commands; the number of the first."""
        first: int = self.next_number
        for at in range(0, len(records), _PER_MESSAGE):
            piece = records[at : at + _PER_MESSAGE]
            self._send(COMMANDS, self.next_number, _COMMAND_BYTES, b"".join(piece))
            self.next_number += len(piece)
        return first

    def say_so_if_due(self) -> None:
        """A heartbeat, where nothing was said for half of its time."""
        if time.monotonic() - self._said > HEARTBEAT_MS / 2_000:
            self._send(HEARTBEAT, 0, 16, bytes(16))

    def _send(self, kind: int, number: int, record_bytes: int, records: bytes) -> None:
        count = len(records) // record_bytes
        head = HEADER.pack(
            HEADER.size + len(records), _ROOT_BYTES, kind, _SCHEMA, _VERSION, number, 0, record_bytes, count
        )
        try:
            with self._lock:
                self.socket.sendall(head + records)
        except OSError as error:
            raise Disconnected(f"the connection failed: {error}", "connection_failed") from None
        self._said = time.monotonic()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
