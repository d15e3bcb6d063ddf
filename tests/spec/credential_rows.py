"""Rows of set_credentials: `classes=kyc,eu hash=d1 ends=+5s issued=2s`, issued now if not said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deployment_lines import class_mask
from scenario_file import nanoseconds

if TYPE_CHECKING:
    from desk import Desk, Given

_NEVER_NS = (1 << 64) - 1


def send(desk: Desk, account: int, words: Given, given: Given) -> object:
    """By its own method."""
    told = fields(desk, words)
    digest, classes = told["client_id"].ljust(32, b"\0"), words.get("classes", "")
    if not classes and not told["expires_ns"] and "issued" not in words:
        return desk.exchange.revoke_credentials(account, digest=digest, **given)
    given |= {"digest": digest, "ends_ns": told["expires_ns"], "issued_ns": told["order_id"]}
    return desk.exchange.set_credentials(account, [name for name in classes.split(",") if name], **given)


def fields(desk: Desk, words: Given) -> dict[str, Any]:
    """As they travel."""
    ends, issued_ns = words.get("ends", "+0s"), nanoseconds(f"+{words.get('issued', '0s')}")
    wait_ns = nanoseconds(ends)
    assert issued_ns is not None, words
    assert wait_ns is not None or ends == "never", words
    ends_ns = _NEVER_NS if wait_ns is None else desk.time_ns + wait_ns
    told: dict[str, Any] = {
        "order_id": desk.time_ns - issued_ns,
        "expires_ns": ends_ns if "ends" in words else 0,
        "client_id": words.get("hash", "").encode(),
        "qty": class_mask(words.get("classes", ""), desk.exchange.classes),
    }
    return told | {name.removeprefix("raw."): int(words[name]) for name in words if name.startswith("raw.")}
