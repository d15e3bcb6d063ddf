"""Keyword arguments of the clients."""

from __future__ import annotations

from typing import TypedDict

from exchange_os.client.public.endpoints import Mode, OrderType


class Access(TypedDict, total=False):
    """Who speaks, and how patiently. `secret` belongs to an HMAC key, `private_key` (32 bytes) to one of
    Ed25519. `retries`: attempts after the first; `simulated` sends the header of a demonstration venue."""

    key: str | None
    secret: str | None
    passphrase: str | None
    private_key: bytes | None
    timeout_s: float
    retries: int
    simulated: bool


class OrderWords(TypedDict, total=False):
    """What an order may say beside side, quantity and price. Without `client_id` it gets a fresh one."""

    type: OrderType
    mode: Mode | None
    reduce_only: bool
    client_id: str
    tag: str
