"""Fees of a file against the ceiling that stands."""

from __future__ import annotations

from typing import Any

import msgspec

from exchange_os import _core


def under_ceiling(kind: str, before: bytes, wanted: bytes) -> bytes:
    """The wanted body with the ceiling of fees that stands, where the file names none and stays below it."""
    old, new = (msgspec.msgpack.decode(body) for body in (before, wanted))
    fees = [_fees(content[kind]) for content in (old, new)]
    if None in fees:
        return wanted
    had, has = fees[0] or {}, fees[1] or {}
    ceiling = max(had.get("ceiling_ppm", 0), had["maker_ppm"], had["taker_ppm"])
    if has.get("ceiling_ppm", 0) or max(has["maker_ppm"], has["taker_ppm"]) >= ceiling:
        return wanted
    has["ceiling_ppm"] = ceiling
    return _core.canonical_deployment(msgspec.msgpack.encode(new))


def _fees(spec: dict[str, Any]) -> dict[str, int] | None:
    fees: dict[str, int] | None = spec.get("terms", spec).get("fees")
    return fees
