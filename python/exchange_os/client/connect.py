"""Connecting to a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from exchange_os import _core
from exchange_os.bounds import flag, whole
from exchange_os.client.core import RemoteCore
from exchange_os.client.later import AsyncExchange
from exchange_os.errors import InvalidArgument
from exchange_os.exchange import Exchange

if TYPE_CHECKING:
    from collections.abc import Awaitable

_CANCEL_ON_DISCONNECT, _DROP_COPY = 1, 2
_PRIVATE_KEY_BYTES = 32


def connect(
    address: str = "127.0.0.1:7001",
    *,
    key: str,
    secret: str | bytes | None = None,
    private_key: bytes | None = None,
    session: int = 0,
    next_number: int = 1,
    resume: tuple[int, int] | None = None,
    cancel_on_disconnect: bool = False,
    drop_copy: bool = False,
    events_kept_max: int = 16_384,
    trades_kept_max: int = 65_536,
    timeout_ms: int = 10_000,
) -> Exchange:
    """The exchange that a server at `address` serves, with the same methods as one that `open` gives.

    `key` names a key of the server, `secret` or `private_key` proves it. Every answer is durable. A command
    that the session layer turns away raises `SessionRefused`, an ended connection `Disconnected`; whether a
    command whose answer is missing took effect tells its client id, sent again. Events are
    those of the key's own accounts.
    """
    if (secret is None) == (private_key is None):
        raise InvalidArgument("give either a secret or a private key")
    if private_key is not None and len(private_key) != _PRIVATE_KEY_BYTES:
        raise InvalidArgument(
            f"a private key has {_PRIVATE_KEY_BYTES} bytes, this one has {len(private_key)}"
        )
    flags = flag("cancel_on_disconnect", cancel_on_disconnect) * _CANCEL_ON_DISCONNECT
    flags |= flag("drop_copy", drop_copy) * _DROP_COPY
    line = _core.Remote.connect(
        address,
        key,
        secret.encode() if isinstance(secret, str) else secret,
        private_key,
        whole("session", session),
        flags,
        whole("next_number", next_number),
        resume,
        whole("events_kept_max", events_kept_max),
        whole("trades_kept_max", trades_kept_max),
        whole("timeout_ms", timeout_ms),
    )
    return Exchange(cast("_core.Exchange", RemoteCore(line)))


def position_of(exchange: Exchange) -> tuple[int, int]:
    """How far a connection has heard: `connect(..., resume=...)` takes it, over a restart too."""
    core: object = exchange._core
    if not isinstance(core, RemoteCore):
        raise InvalidArgument("an exchange in this process misses nothing; only a connection has a position")
    return core.position()


def connect_async(address: str = "127.0.0.1:7001", **options: object) -> Awaitable[AsyncExchange]:
    """As `connect`, for asyncio: `exchange = await connect_async(...)`, then `await exchange.place(...)`."""
    return AsyncExchange.over(lambda: connect(address, **options))  # type: ignore[arg-type]
