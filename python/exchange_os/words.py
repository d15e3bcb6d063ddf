"""Words and small arguments of commands, as people write them, and what is said when they have no meaning."""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, TypeAlias, TypedDict

from exchange_os._core import InstrumentState, SelfTrade, Side, Tif
from exchange_os.bounds import BOUNDS, UNITS, is_bool, shown, whole
from exchange_os.errors import Error, InvalidArgument, OutOfRange

if TYPE_CHECKING:
    from exchange_os.exact import Number

SideName = Literal["buy", "sell"]
TifName = Literal["gtc", "ioc", "fok", "gtd"]
SelfTradeName = Literal["none", "cancel_taker", "cancel_maker", "cancel_both", "decrement"]
StateName = Literal["continuous", "reduce_only", "cancel_only", "halted"]
MarginModeName = Literal["standard", "scenario"]

SIDES: dict[object, int] = {name: int(side) for side in Side for name in (side.name.lower(), side)}
TIFS: dict[object, int] = {name: int(tif) for tif in Tif for name in (tif.name.lower(), tif)}
SELF_TRADES: dict[object, int] = {name: int(mode) for mode in SelfTrade for name in (mode.name.lower(), mode)}
STATES: dict[object, int] = {
    name: int(state) for state in InstrumentState for name in (state.name.lower(), state)
}
MARGIN_MODES: dict[object, int] = {"standard": 0, "scenario": 1}

Words: TypeAlias = tuple[int, int, int, int, int, bytes | None, int | None]

_ID_BYTES = 32


class OrderOptions(TypedDict, total=False):
    """What an order may say besides account, instrument, side, price and quantity."""

    tif: TifName | Tif
    """Time in force: "gtc" (the default), "ioc", "fok", or "gtd" with `expires_ns`."""
    post_only: bool
    """Refused where it would take."""
    reduce_only: bool
    """May only shrink a position."""
    market: bool
    """A market order: tif "ioc" or "fok", the price is its protection price."""
    protected: bool
    """Counts towards the market-maker protection, and leaves when that is breached."""
    self_trade: SelfTradeName | SelfTrade
    """What happens when it meets an order of the same owner; "none": they trade."""
    venue: str | int
    """The venue that brings the order; 0: the exchange itself."""
    expires_ns: int
    """End of a "gtd" order, nanoseconds since 1970 UTC of logged time."""
    display: Number | None
    """An iceberg: as much of the quantity is shown at a time, and then again at the back of the level."""
    client_id: str | bytes | None
    """Up to 32 bytes; takes effect once, a retry gets the first answer."""
    time_ns: int | None
    """Time of the command; None: the wall clock."""


def code_of(words: dict[object, int], name: str, given: object) -> int:
    """The number of a word, given as its name or its enumeration."""
    try:
        if isinstance(given, str) or (not is_bool(given) and operator.index(given) == given):  # type: ignore[arg-type]
            return words[given]
        raise KeyError(given)
    except (KeyError, TypeError):
        names = ", ".join(repr(word) for word in words if type(word) is str)
        raise InvalidArgument(f"{name} is {given!r}, expected one of {names}") from None


def short_bytes(value: str | bytes, noun: str) -> bytes:
    """A client id or an owner as bytes: 1 to 32 of them, no zero byte."""
    try:
        data = value.encode() if isinstance(value, str) else value
    except UnicodeEncodeError as error:
        why = f"the {noun} {value!r} holds half a character at place {error.start}"
        raise InvalidArgument(f"{why}, which has no bytes in UTF-8") from None
    if not isinstance(data, bytes):
        raise InvalidArgument(f"the {noun} is a {type(value).__name__}, expected text or bytes")
    if not 1 <= len(data) <= _ID_BYTES:
        raise InvalidArgument(f"the {noun} {value!r} has {len(data)} bytes, expected 1 to {_ID_BYTES}")
    if b"\0" in data:
        raise InvalidArgument(f"the {noun} {value!r} holds a zero byte, which stands for nothing")
    return data


def misfit(error: Exception, given: Mapping[str, object]) -> Error:
    """What to say of an argument that its field of the record cannot hold."""
    for name, value in given.items():
        if value is None or (name == "venue" and isinstance(value, str)):
            continue
        try:
            whole(name, value)
        except OutOfRange as outside:
            least, most = BOUNDS[name]
            unit = UNITS.get(name)
            if unit is None:
                return outside
            return OutOfRange(f"{name} is {shown(value)}{unit}, its field takes {least} to {most}")
        except InvalidArgument as other:
            return other
    stray = re.search(r"unexpected keyword argument '(.*)'", str(error))
    if stray:
        names = ", ".join(OrderOptions.__annotations__)
        return InvalidArgument(f"an order has no option {stray[1]!r}; there are {names}")
    return InvalidArgument(str(error))
