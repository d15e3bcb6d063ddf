"""Who sends a request: the four headers of OKX, an HMAC or an Ed25519 signature."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from urllib.parse import unquote

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from exchange_os.api.codes import Refused
from exchange_os.api.keys import SKEW_MS_MAX, Key, Keys, now_ms

_HEADERS = (
    ("OK-ACCESS-KEY", "50103"),
    ("OK-ACCESS-PASSPHRASE", "50104"),
    ("OK-ACCESS-SIGN", "50106"),
    ("OK-ACCESS-TIMESTAMP", "50107"),
)
_UNAUTHORISED = 401
NOBODY = Key("", 0, frozenset(), b"", "")
"""Whoever asks for something that is for everybody."""


def signature(secret: bytes, text: bytes) -> str:
    """Base64 of HMAC-SHA256, as clients send it."""
    return base64.b64encode(hmac.digest(secret, text, hashlib.sha256)).decode()


def authenticate(
    keys: Keys,
    headers: Mapping[str, str],
    method: str,
    target: str,
    body: bytes,
    address: str,
    scopes: Sequence[str],
) -> Key:
    """The key of a request, or `Refused`: what it signs is timestamp + method + target + body.

    One of `scopes` is needed. The target counts as it was sent or with its escapes resolved: some clients
    sign what their library escapes afterwards.
    """
    for header, code in _HEADERS:
        if not headers.get(header):
            raise Refused(code, f"Request header {header} can not be empty.", _UNAUTHORISED)
    name, passphrase, signed, timestamp = (headers[header] for header, _ in _HEADERS)
    _check_time(timestamp)
    key = keys.find(name)
    if key is None:
        raise Refused("50111", "Invalid OK-ACCESS-KEY.", _UNAUTHORISED)
    if not hmac.compare_digest(key.passphrase.encode(), passphrase.encode()):
        raise Refused("50105", "Request header OK-ACCESS-PASSPHRASE incorrect.", _UNAUTHORISED)
    texts = [
        f"{timestamp}{method}{path}".encode() + body for path in dict.fromkeys((target, unquote(target)))
    ]
    if not any(_fits(key, text, signed) for text in texts):
        digest = hashlib.sha256(texts[0]).hexdigest()
        raise Refused(
            "50113",
            f"Invalid Sign: expected a signature of timestamp + {method} + {target} + body of {len(body)} "
            f"bytes, a text with the SHA-256 {digest}.",
            _UNAUTHORISED,
        )
    if key.expires_ms is not None and now_ms() >= key.expires_ms:
        raise Refused("50111", f"The API key ended at {key.expires_ms} ms.", _UNAUTHORISED)
    if not key.admits(address):
        raise Refused("50110", f"The address {address} is not on the list of this API key.", _UNAUTHORISED)
    permitted(key, scopes)
    if method == "POST" and not keys.replays.is_new(name, texts[-1], now_ms()):
        raise Refused(
            "50102", "Timestamp request expired: this signed request was sent before.", _UNAUTHORISED
        )
    return key


def permitted(key: Key, scopes: Sequence[str]) -> Key:
    """The key, if it has one of the scopes."""
    if key.scopes.isdisjoint(scopes):
        raise Refused(
            "50120",
            f"This API key lacks the scope {' or '.join(scopes)}; it has {', '.join(sorted(key.scopes))}.",
            _UNAUTHORISED,
        )
    return key


def login(keys: Keys, arg: Mapping[str, object], address: str) -> Key:
    """The key of a WebSocket login, which signs the timestamp, in seconds as written, + GET + a path."""
    name, passphrase, timestamp, signed = (
        str(arg.get(each, "")) for each in ("apiKey", "passphrase", "timestamp", "sign")
    )
    try:
        apart_s = now_ms() / 1_000 - float(timestamp)
    except ValueError:
        raise Refused("60004", f"Invalid timestamp: {timestamp[:40]!r}, expected seconds.") from None
    if not abs(apart_s) <= SKEW_MS_MAX / 1_000:
        raise Refused("60006", f"Timestamp request expired: it is {apart_s:.0f} s off the clock here.")
    key = keys.find(name)
    if key is None:
        raise Refused("60005", "Invalid apiKey.")
    if not hmac.compare_digest(key.passphrase.encode(), passphrase.encode()):
        raise Refused("60009", "Login failed: the passphrase is another.")
    if not _fits(key, f"{timestamp}GET/users/self/verify".encode(), signed):
        raise Refused("60007", "Invalid sign.")
    if key.expires_ms is not None and now_ms() >= key.expires_ms:
        raise Refused("60009", f"Login failed: the API key ended at {key.expires_ms} ms.")
    if not key.admits(address):
        raise Refused("60009", f"Login failed: the address {address} is not on the list of this API key.")
    return key


def _check_time(timestamp: str) -> None:
    try:
        moment = datetime.fromisoformat(timestamp)
        if moment.tzinfo is None:
            raise ValueError
    except ValueError:
        raise Refused(
            "50112",
            f"OK-ACCESS-TIMESTAMP is {timestamp[:40]!r}, expected a form like 2026-11-22T14:15:21.006Z.",
            _UNAUTHORISED,
        ) from None
    apart_ms = now_ms() - round(moment.timestamp() * 1_000)
    if abs(apart_ms) > SKEW_MS_MAX:
        raise Refused(
            "50102",
            f"Timestamp request expired: it is {apart_ms} ms off the clock here; {SKEW_MS_MAX} are allowed.",
            _UNAUTHORISED,
        )


def _fits(key: Key, text: bytes, signed: str) -> bool:
    if key.public_key is None:
        return hmac.compare_digest(signature(key.secret, text).encode(), signed.encode())
    try:
        Ed25519PublicKey.from_public_bytes(key.public_key).verify(
            base64.b64decode(signed, validate=True), text
        )
    except (InvalidSignature, ValueError):
        return False
    return True
