"""Questions and answers as text: JSON in which bytes and tuples stay what they are."""

from __future__ import annotations

import base64
import json
from typing import Any


def pack(value: Any) -> bytes:
    """As bytes: None, bool, int, str, bytes, lists and tuples of these."""
    return json.dumps(_out(value), separators=(",", ":")).encode()


def unpack(data: bytes) -> Any:
    """The value again; `ValueError` if it is none."""
    return _in(json.loads(data))


def _out(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, bytes):
        return {"b": base64.b64encode(value).decode()}
    if isinstance(value, tuple):
        return {"t": [_out(part) for part in value]}
    if isinstance(value, list):
        return [_out(part) for part in value]
    raise ValueError(f"a {type(value).__name__} has no place in a question or an answer")


def _in(value: Any) -> Any:
    if isinstance(value, list):
        return [_in(part) for part in value]
    if isinstance(value, dict):
        match value:
            case {"b": str(text)}:
                return base64.b64decode(text, validate=True)
            case {"t": list(parts)}:
                return tuple(_in(part) for part in parts)
            case _:
                raise ValueError(f"an object with {sorted(value)} is no value")
    if isinstance(value, float):
        raise ValueError("a float is no value here")
    return value
