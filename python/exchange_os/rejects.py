"""The engine's rejects by number, asked from Rust, and the exception that carries one."""

from __future__ import annotations

from exchange_os import _core
from exchange_os._core import Reject
from exchange_os.errors import Rejected

_TABLE = {code: (name, sentence, transient) for code, name, sentence, transient in _core.rejects()}


def sentence(code: int, value: int, limit: int) -> str:
    """The sentence of a reject with its numbers filled in."""
    return _TABLE[code][1].format(value=value, limit=limit)


def rejected(code: int, value: int, limit: int) -> Rejected:
    """The exception for a reject that an event carried."""
    name, _, transient = _TABLE[code]
    return Rejected(Reject(code), name, sentence(code, value, limit), value, limit, transient)
