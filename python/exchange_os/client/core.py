"""The calls of `_core.Exchange`, made to a server: records over the binary gateway, views as questions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from exchange_os import _core, errors
from exchange_os._core import CommandKind
from exchange_os.client.words import pack, unpack
from exchange_os.errors import InvalidArgument
from exchange_os.records import COMMAND

_LOW = 2**64 - 1


class RemoteCore:
    """What `Exchange` needs of its core. What is not defined here is a question to the server's engine."""

    def __init__(self, line: _core.Remote) -> None:
        self._line = line
        self.events_kept = line.events_kept
        self.trades_kept = line.trades_kept
        self.publish = line.publish
        self.unpublished = line.unpublished
        self.close = line.close
        self.closed = line.closed
        self.position = line.position

    def submit(self, commands: bytes, time_ns: int | None) -> bytes:
        _no_time(time_ns)
        return self._line.submit(commands)

    def deploy(self, body: bytes, time_ns: int | None) -> bytes:
        _no_time(time_ns)
        return self._line.deploy(body)

    def place(
        self,
        account: int,
        instrument: int,
        side: int,
        price: int,
        qty: int,
        tif: int,
        flags: int,
        self_trade: int,
        venue: int,
        expires_ns: int,
        client_id: bytes | None,
        time_ns: int | None,
        display: int = 0,
    ) -> tuple[Any, ...]:
        _no_time(time_ns)
        record = _record(
            CommandKind.PLACE,
            account=account,
            instrument=instrument,
            side=side,
            price=price,
            qty=qty,
            tif=tif,
            flags=flags,
            self_trade=self_trade,
            venue=venue,
            expires_ns=expires_ns,
            client_id=client_id or b"",
            amount_low=display,
        )
        return self._order(record)

    def amend(
        self,
        account: int,
        instrument: int,
        order_id: int,
        price: int,
        qty: int,
        flags: int,
        client_id: bytes | None,
        time_ns: int | None,
        display: int = 0,
    ) -> tuple[Any, ...]:
        _no_time(time_ns)
        record = _record(
            CommandKind.AMEND,
            account=account,
            instrument=instrument,
            order_id=order_id,
            price=price,
            qty=qty,
            flags=flags,
            client_id=client_id or b"",
            amount_low=display,
        )
        return self._order(record)

    def record(self, record: bytes, time_ns: int | None) -> tuple[Any, ...]:
        _no_time(time_ns)
        return self._line.single(record)

    def bracket(self, record: bytes, time_ns: int | None) -> tuple[Any, ...]:
        _no_time(time_ns)
        return self._order(record)

    def command(
        self,
        kind: int,
        side: int,
        account: int,
        instrument: int,
        order_id: int,
        price: int,
        qty: int,
        amount: int,
        client_id: bytes | None,
        expires_ns: int,
        time_ns: int | None,
    ) -> tuple[Any, ...]:
        _no_time(time_ns)
        record = _record(
            kind,
            side=side,
            account=account,
            instrument=instrument,
            order_id=order_id,
            price=price,
            qty=qty,
            amount_low=amount & _LOW,
            amount_high=amount >> 64,
            client_id=client_id or b"",
            expires_ns=expires_ns,
        )
        return self._line.single(record)

    def _order(self, record: bytes) -> tuple[Any, ...]:
        """The outcome of an order; of one that was taken before, how it stands now."""
        row = self._line.order(record)
        retried, refused = row[3], row[2]
        if not retried or refused:
            return row
        stands = self.ask("order_lots", row[1])
        if stands is None:
            return row
        total, remaining = stands
        return (*row[:4], total, total - remaining, remaining, *row[7:])

    def ask(self, method: str, *arguments: Any) -> Any:
        """What a method of the server's exchange says."""
        said = unpack(self._line.ask(pack([method, list(arguments)])))
        match said:
            case ["ok", answer]:
                return answer
            case ["error", str(name), str(message)]:
                kind = getattr(errors, name, None)
                if isinstance(kind, type) and issubclass(kind, errors.Error) and name in _PLAIN_ERRORS:
                    raise kind(message)
                raise InvalidArgument(message)
        raise InvalidArgument("the server's answer is none")

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *arguments: self.ask(name, *arguments)


# Those that a message alone makes.
_PLAIN_ERRORS = {"InvalidArgument", "OutOfRange", "UnknownName", "Halted", "DiskFailed"}


def _no_time(time_ns: int | None) -> None:
    if time_ns is not None:
        raise InvalidArgument(f"time_ns is {time_ns}: a server stamps its log by its own clock")


def _record(kind: int, **fields: int | bytes) -> bytes:
    record = np.zeros(1, COMMAND)
    record["kind"] = kind
    for name, value in fields.items():
        record[name] = value
    return record.tobytes()
