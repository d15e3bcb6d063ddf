"""Between whole units and what travels: decimal strings, contracts, ids of constant width, milliseconds."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from exchange_os.api.codes import Refused
from exchange_os.results import Instrument

_ORDER_BASE = 10**18
_TRADE_BASE = 10**9
_ID_DIGITS_MAX = 20
_TEXT_MAX = 64
ONE = Decimal(1)
DECODE = msgspec.json.Decoder(float_hook=Decimal).decode
"""JSON as it was written: a number with a point is a Decimal."""


def text(value: Decimal | int | None) -> str:
    """Plain decimal notation; nothing for None."""
    return "" if value is None else f"{value:f}"


def ms(time_ns: int) -> str:
    return str(time_ns // 1_000_000)


def order_text(order_id: int) -> str:
    """Ids have a constant number of digits, because clients compare them as texts."""
    return str(_ORDER_BASE + order_id)


def trade_text(trade_id: int) -> str:
    return str(_TRADE_BASE + trade_id)


def order_number(given: str) -> int:
    """The engine's number of an order id as clients have it."""
    if not given.isascii() or not given.isdigit() or len(given) > _ID_DIGITS_MAX or int(given) <= _ORDER_BASE:
        raise Refused("51000", f"Parameter ordId error: {given[:40]!r} is no order id.")
    return int(given) - _ORDER_BASE


def contract(instrument: Instrument) -> Decimal:
    """What a size of 1 is in whole units: a lot of a perpetual, the unit itself of everything else."""
    return instrument.lot_size if instrument.product == "perpetual" else ONE


def size(instrument: Instrument, qty: Decimal) -> str:
    """A quantity as the size that clients see."""
    each = contract(instrument)
    return text(qty if each == ONE else qty / each)


def quantity(instrument: Instrument, given: str) -> Decimal:
    """The quantity that a client's size means."""
    return decimal_of("sz", given) * contract(instrument)


def decimal_of(name: str, given: str) -> Decimal:
    """A decimal number in plain notation."""
    plain = given.removeprefix("-")
    whole, _, part = plain.partition(".")
    if len(given) > _TEXT_MAX or not (whole + part).isascii() or not (whole + part).isdigit() or not whole:
        raise Refused("51000", f"Parameter {name} error: {given[:40]!r} is no decimal number.")
    return Decimal(given)


def word(fields: Mapping[str, Any], name: str, default: str | None = None) -> str:
    """A scalar field as text; empty, null and [] are absent. Without a default it has to be there."""
    value = fields.get(name)
    if value is None or value in ("", []):
        if default is None:
            raise Refused("50014", f"Parameter {name} can not be empty.")
        return default
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return text(value)
    if isinstance(value, (str, int)):
        return str(value)
    raise Refused("51000", f"Parameter {name} error: a {type(value).__name__}, expected a text.")


def choice(fields: Mapping[str, Any], name: str, known: tuple[str, ...], default: str | None = None) -> str:
    """A field that is one of some words."""
    found = word(fields, name, default)
    if found not in known and found != default:
        raise Refused("51000", f"Parameter {name} error: {found[:40]!r}, expected one of {', '.join(known)}.")
    return found


def limit_of(fields: Mapping[str, Any], most: int, default: int) -> int:
    """How many rows: clamped to the most, as clients ask for more than there are."""
    found = word(fields, "limit", str(default))
    if not found.isascii() or not found.isdigit() or len(found) > 18:
        raise Refused("51000", f"Parameter limit error: {found[:40]!r} is no whole number.")
    return max(1, min(int(found), most))


def blank(names: str) -> dict[str, Any]:
    """A row in which these fields have no meaning: the key is there, its text is empty."""
    return dict.fromkeys(names.split(), "")
