"""What plain arguments may be: one table of bounds, and the one place that checks them.

A bool or a float is never taken for a number, nor a word for a yes or a no.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Mapping
from os import PathLike, fspath
from typing import SupportsIndex, TypeVar, cast

from exchange_os.errors import InvalidArgument, OutOfRange

_U16, _U32, _U64 = 2**16 - 1, 2**32 - 1, 2**64 - 1

BOUNDS: dict[str, tuple[int, int]] = {
    "account": (0, _U32),
    "venue": (0, _U16),
    "order_id": (0, _U64),
    "to": (0, _U32),
    "price": (-(2**63), 2**63 - 1),
    "leverage": (-(2**63), 2**63 - 1),
    "qty": (-(2**63), 2**63 - 1),
    "display": (-(2**63), 2**63 - 1),
    "payout": (-(2**63), 2**63 - 1),
    "ppm": (-(2**63), 2**63 - 1),
    "referrer": (0, _U64),
    "expires_ns": (0, _U64),
    "time_ns": (0, _U64),
    "published_ns": (0, _U64),
    "amount": (-(2**127), 2**127 - 1),
    "count": (0, 2**31 - 1),
    "depth": (0, _U32),
    "limit": (0, _U32),
    "delay_s": (0, _U32),
    "change": (0, _U64),
    "since_sequence": (0, _U64),
    "from_sequence": (0, _U64),
    "to_sequence": (0, _U64),
    "kept_max": (1, _U32),
    "events_kept_max": (0, _U32),
    "trades_kept_max": (0, _U32),
    "snapshot_every_commands": (0, _U64),
    "segment_bytes": (0, 2**40),
    "session": (0, _U32),
    "next_number": (1, 2**63 - 1),
    "timeout_ms": (1, 3_600_000),
}
"""Least and most of every whole number that a method takes; of a record, what its field holds."""

UNITS = {"price": " ticks", "qty": " lots", "display": " lots", "amount": " atoms"}

_LIMITS_WIDER = {"client_id_retention_ns": _U64}
_LIMITS_NARROWER = {"venues_max": _U16}
_DIGITS_SHOWN = 80

T = TypeVar("T")


def whole(name: str, value: object) -> int:
    """`value` as an int within its bounds, or `InvalidArgument`, or `OutOfRange`."""
    return _between(name, value, *BOUNDS[name])


def whole_or_none(name: str, value: object) -> int | None:
    """As `whole`, where None is an answer too."""
    return None if value is None else whole(name, value)


def limit_value(name: str, value: object) -> int:
    """The value of a declared limit."""
    most = _LIMITS_WIDER.get(name, _LIMITS_NARROWER.get(name, _U32))
    return _between(f"limits[{name!r}]", value, 0, most)


def _between(name: str, value: object, least: int, most: int) -> int:
    number = value if value.__class__ is int else index(name, value)
    assert isinstance(number, int)
    if not least <= number <= most:
        raise OutOfRange(f"{name} is {shown(number)}, its field takes {least} to {most}")
    return number


def index(name: str, value: object) -> int:
    """`value` as an int if it is a whole number in any dress but that of a bool."""
    if not is_bool(value):
        try:
            return operator.index(cast("SupportsIndex", value))
        except TypeError:
            pass
    raise InvalidArgument(f"{name} is a {type(value).__name__}, expected an integer")


def is_bool(value: object) -> bool:
    """Whether it is Python's bool or numpy's."""
    return isinstance(value, bool) or type(value).__name__ in {"bool", "bool_"}


def flag(name: str, value: object) -> bool:
    """`value` if it says True or False and nothing else."""
    if not is_bool(value):
        raise InvalidArgument(f"{name} is {value!r}, expected True or False")
    return bool(value)


def each(name: str, values: Iterable[T]) -> Iterator[T]:
    """Goes through what must be several values."""
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise InvalidArgument(f"{name} is a {type(values).__name__}, expected a list of values")
    return iter(values)


def mapping(name: str, value: object) -> Mapping[object, object]:
    """`value` if it has names and values."""
    if not isinstance(value, Mapping):
        raise InvalidArgument(f"{name} is a {type(value).__name__}, expected a dict")
    return value


def directory_text(path: str | PathLike[str]) -> str:
    """The path of a directory or file as text."""
    try:
        text: object = fspath(path)
    except TypeError:
        text = None
    if not isinstance(text, str):
        raise InvalidArgument(f"the path is a {type(path).__name__}, expected text or a Path")
    if not text or "\0" in text:
        raise InvalidArgument(f"the path {text!r} names nothing: it is empty or holds a zero byte")
    return text


def shown(value: object) -> str:
    """A number as text, cut where it is so long that nobody would read it."""
    if isinstance(value, int) and abs(value) >= 10**_DIGITS_SHOWN:
        sign = "-" if value < 0 else ""
        return f"{sign}1e{int(value.bit_length() * 0.30103)} or so"
    text = str(value)
    return text if len(text) <= _DIGITS_SHOWN else f"{text[:_DIGITS_SHOWN]}... ({len(text)} characters)"


def not_zero(count: int, noun: str) -> int:
    """Zero would mean: keep."""
    if count == 0:
        raise InvalidArgument(f"the new {noun} is 0; leave it out to keep the present one")
    return count
