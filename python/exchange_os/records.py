"""numpy dtypes of commands and events, asked from the Rust crate `protocol` and never typed a second time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from exchange_os import _core
from exchange_os._core import CommandKind, EventKind, Flags, SelfTrade, Side, Tif
from exchange_os.bounds import is_bool, whole
from exchange_os.errors import BatchRefused, InvalidArgument, OutOfRange

Commands: TypeAlias = npt.NDArray[np.void]
Events: TypeAlias = npt.NDArray[np.void]


def _dtype(fields: list[tuple[str, str, int]], size: int) -> np.dtype[np.void]:
    names, formats, offsets = zip(*fields, strict=True)
    return np.dtype(
        {"names": list(names), "formats": list(formats), "offsets": list(offsets), "itemsize": size}
    )


COMMAND: np.dtype[np.void] = _dtype(_core.command_fields(), _core.COMMAND_BYTES)
"""dtype of one command. Fields that a kind does not use are zero; a 128-bit amount is two fields."""

EVENT: np.dtype[np.void] = _dtype(_core.event_fields(), _core.EVENT_BYTES)
"""dtype of one event. The counterpart of a trade lies over the client id of every other kind."""


def commands(count: int) -> Commands:
    """`count` commands, all zero, to be filled field by field."""
    return np.zeros(whole("count", count), COMMAND)


Column: TypeAlias = "npt.ArrayLike"


def orders(
    *,
    account: Column,
    instrument: Column,
    side: Column,
    price: Column,
    qty: Column,
    tif: Column = Tif.GTC,
    flags: Column = 0,
    self_trade: Column = SelfTrade.NONE,
    venue: Column = 0,
    expires_ns: Column = 0,
    display: Column = 0,
    client_id: Column | None = None,
) -> Commands:
    """A batch of orders from columns: `price` in ticks, `qty` and `display` in lots, words as their numbers
    or names.

    Every column is an array or one value for all rows. Values must be integers: a float column is refused,
    and so is a number that the field cannot hold.
    """
    return _build(
        CommandKind.PLACE,
        {
            "account": account,
            "instrument": instrument,
            "side": _words(Side, side, "side"),
            "price": price,
            "qty": qty,
            "tif": _words(Tif, tif, "tif"),
            "flags": flags,
            "self_trade": _words(SelfTrade, self_trade, "self_trade"),
            "venue": venue,
            "expires_ns": expires_ns,
            "display": display,
        },
        client_id,
    )


def cancels(
    *, account: Column, order_id: Column = 0, instrument: Column = 0, client_id: Column | None = None
) -> Commands:
    """A batch of cancels, each by order id or, where that is 0, by client id."""
    columns = {"account": account, "order_id": order_id, "instrument": instrument}
    return _build(CommandKind.CANCEL, columns, client_id)


def amends(
    *,
    account: Column,
    order_id: Column = 0,
    instrument: Column = 0,
    price: Column = 0,
    qty: Column = 0,
    flags: Column = 0,
    client_id: Column | None = None,
) -> Commands:
    """A batch of amends: new price in ticks and new total in lots, 0 to keep either."""
    columns = {
        "account": account,
        "order_id": order_id,
        "instrument": instrument,
        "price": price,
        "qty": qty,
        "flags": flags,
    }
    return _build(CommandKind.AMEND, columns, client_id)


# Columns that are called otherwise than their field.
_FIELDS = {"display": "amount_low"}


def _build(kind: CommandKind, columns: dict[str, Column], client_id: Column | None) -> Commands:
    arrays = {name: _integers(name, column) for name, column in columns.items()}
    if client_id is not None:
        arrays["client_id"] = _client_ids(client_id)
    lengths = {name: len(array) for name, array in arrays.items() if array.ndim == 1}
    if len(set(lengths.values())) > 1:
        raise BatchRefused(f"columns have different lengths: {lengths}")
    batch = commands(next(iter(lengths.values()), 1))
    batch["kind"] = kind
    for name, array in arrays.items():
        batch[_FIELDS.get(name, name)] = array
    return batch


def _integers(name: str, column: Column) -> npt.NDArray[Any]:
    field = np.iinfo(_field_dtype(_FIELDS.get(name, name)))
    if np.ma.isMaskedArray(column):
        raise BatchRefused(f"column {name} is a masked array: what is masked has no value to send")
    array = np.asarray(column)
    if isinstance(column, list | tuple) and any(map(is_bool, column)):
        raise BatchRefused(f"column {name} holds a bool, expected integers")
    if array.dtype.kind in "fO" and _all_ints(column):
        array = np.asarray(column, object)  # beyond 64 bits, or in both halves of the unsigned ones
    elif array.dtype.kind not in "iu" and array.size:
        raise BatchRefused(f"column {name} has dtype {array.dtype}, expected integers")
    if array.ndim > 1:
        raise BatchRefused(f"column {name} has {array.ndim} dimensions, expected one value or one dimension")
    if array.size and (int(array.min()) < field.min or int(array.max()) > field.max):
        outside = array.min() if int(array.min()) < field.min else array.max()
        raise OutOfRange(f"column {name} holds {outside}, its field takes {field.min} to {field.max}")
    return array


def _all_ints(column: Column) -> bool:
    return isinstance(column, list | tuple) and all(type(value) is int for value in column)


def _field_dtype(name: str) -> np.dtype[Any]:
    fields = COMMAND.fields
    assert fields is not None
    return fields[name][0]


def _words(words: type[Side | Tif | SelfTrade], column: Column, name: str) -> Column:
    """Names such as "buy" as their numbers; numbers as they are."""
    if isinstance(column, str):
        return word(words, column, name)
    if isinstance(column, Sequence | np.ndarray):
        array = np.asarray(column)
        if array.dtype.kind in "US" and array.ndim == 1:
            distinct, places = np.unique(array.astype(str), return_inverse=True)
            codes = np.array([word(words, str(text), name) for text in distinct], np.uint8)
            return codes[places] if len(distinct) else codes
    return column


def word(words: type[Side | Tif | SelfTrade], text: str, name: str) -> int:
    """The number of a word written in lower case."""
    found = words.__members__.get(text.upper())
    if found is None or not text.islower():
        names = ", ".join(repr(member.lower()) for member in words.__members__)
        raise InvalidArgument(f"{name} is {text!r}, expected one of {names}")
    return int(found)


def _client_ids(column: Column) -> npt.NDArray[Any]:
    array = np.asarray(column)
    if array.dtype.kind == "U":
        try:
            array = np.char.encode(array, "utf-8")
        except UnicodeEncodeError as error:
            raise InvalidArgument(f"a client id holds half a character: {error}") from None
    if array.dtype.kind != "S":
        raise BatchRefused(f"column client_id has dtype {array.dtype}, expected text or bytes")
    width = _field_dtype("client_id").itemsize
    if array.dtype.itemsize > width and array.size and int(np.char.str_len(array).max()) > width:
        raise InvalidArgument(
            f"a client id has {int(np.char.str_len(array).max())} bytes, the most is {width}"
        )
    return array


def checked(batch: object) -> Commands:
    """The batch as it was given if it can be sent as it is; otherwise `BatchRefused` says what is wrong."""
    if np.ma.isMaskedArray(batch):
        raise BatchRefused("the batch is a masked array: what is masked has no value to send")
    if not isinstance(batch, np.ndarray):
        raise BatchRefused(f"a batch is a numpy array of dtype COMMAND, given was {type(batch).__name__}")
    if batch.dtype is not COMMAND and batch.dtype != COMMAND:
        raise BatchRefused(f"the batch has dtype {batch.dtype}, expected COMMAND: {COMMAND}")
    if batch.ndim != 1:
        raise BatchRefused(f"the batch has {batch.ndim} dimensions, shape {batch.shape}, expected 1")
    if not batch.flags.c_contiguous:
        raise BatchRefused(
            f"the batch is not contiguous: strides {batch.strides}, expected ({COMMAND.itemsize},); "
            "numpy.ascontiguousarray copies it"
        )
    if not batch.flags.writeable:
        raise BatchRefused("the batch is read-only, expected a writable array; batch.copy() makes one")
    return batch


def events_from_bytes(data: bytes) -> Events:
    """A read-only array of events over the bytes that Rust handed out."""
    return np.frombuffer(data, EVENT)


def integers_128(array: npt.NDArray[np.void], name: str) -> list[int]:
    """A 128-bit field, such as "amount", as Python integers."""
    low, high = array[f"{name}_low"].tolist(), array[f"{name}_high"].tolist()
    return [(top << 64) + bottom for bottom, top in zip(low, high, strict=True)]


def set_amounts(batch: Commands, amounts: Sequence[int]) -> None:
    """Writes amounts in atoms into the two halves of the field `amount`."""
    if len(amounts) != len(batch):
        raise BatchRefused(f"{len(amounts)} amounts were given for {len(batch)} commands")
    bound = 1 << 127
    for amount in amounts:
        if not -bound <= amount < bound:
            raise OutOfRange(f"the amount {amount} does not fit 128 bits")
    batch["amount_low"] = np.array([amount & (2**64 - 1) for amount in amounts], np.uint64)
    batch["amount_high"] = np.array([amount >> 64 for amount in amounts], np.int64)


_TRADES = np.array([EventKind.TRADE, EventKind.IMPLIED_TRADE, EventKind.IMPLIED_LEG], np.uint16)


def trades_of(events: Events) -> Events:
    """The trades among events, parts of implied ones included."""
    return events[np.isin(events["kind"], _TRADES)]


def as_trades(events: Events) -> Events:
    """Trades in the fields of a direct one: the question's side of an implied one is account 0."""
    kinds = events["kind"]
    taken, leg = kinds == EventKind.IMPLIED_TRADE, kinds == EventKind.IMPLIED_LEG
    if not (taken.any() or leg.any()):
        return events
    trades = events.copy()
    for half in ("low", "high"):
        trades[f"counter_amount_{half}"][taken] = 0
        trades[f"counter_amount_{half}"][leg] = events[f"amount_{half}"][leg]
        trades[f"amount_{half}"][leg] = 0
    for name in ("account", "order_id", "venue"):
        trades[f"counter_{name}"][leg] = events[name][leg]
        trades[name][leg] = 0
    trades["counter_remaining"][leg] = events["remaining"][leg]
    trades["remaining"][leg] = 0
    trades["side"][leg] ^= 1
    return trades


__all__ = [
    "COMMAND",
    "EVENT",
    "Commands",
    "Events",
    "Flags",
    "amends",
    "as_trades",
    "cancels",
    "checked",
    "commands",
    "events_from_bytes",
    "integers_128",
    "orders",
    "set_amounts",
    "trades_of",
]
