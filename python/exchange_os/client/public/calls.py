"""One request and what to do when it fails, without a socket: a generator says what to send, when to wait.

What is asked can be asked again. What changes something carries a client id of its own, so that it can be
sent again too: the second answer says whether the first took effect.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Generator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar
from urllib.parse import urlencode

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from exchange_os.client.public.rows import Market
from exchange_os.errors import ApiRefused, ApiUnavailable, InvalidArgument

T = TypeVar("T")

_TIME = "/api/v5/public/time"
_EXPIRED = "50102"
_TOO_MANY = frozenset({"50011", "50061"})
_LATER = frozenset({"50001", "50004", "50005", "50013", "50026"})
_SERVER_ERROR = 500
_WAIT_S = 0.2
_WINDOW_S = 2.0
_encode = msgspec.json.Encoder(enc_hook=str, decimal_format="string").encode


class Send(msgspec.Struct, frozen=True):
    """What goes over the wire; the answer to it is an `Answer` or a `Lost`."""

    method: str
    target: str
    body: bytes
    headers: dict[str, str]


class Wait(msgspec.Struct, frozen=True):
    """Seconds until the next attempt."""

    seconds: float


class Answer(msgspec.Struct, frozen=True):
    """What a server said. `repeated`: it was sent more than once, and the first may have taken effect."""

    status: int
    code: str
    message: str
    data: list[Any]
    repeated: bool = False


class Lost(msgspec.Struct, frozen=True):
    """No answer came: whether the request took effect is not known."""

    why: str


Step = Send | Wait
Steps = Generator[Step, Answer | Lost | None, T]


class Signer:
    """Signs requests with a key of HMAC or Ed25519."""

    def __init__(
        self, key: str | None, secret: str | None, passphrase: str | None, private_key: bytes | None
    ) -> None:
        self.key, self._passphrase = key, passphrase or ""
        if key is not None and (secret is None) == (private_key is None):
            raise InvalidArgument("give either a secret or a private key with an API key")
        self._secret = None if secret is None else secret.encode()
        self._private = None
        if private_key is not None:
            try:
                self._private = Ed25519PrivateKey.from_private_bytes(private_key)
            except ValueError:
                raise InvalidArgument(f"a private key has 32 bytes, this one {len(private_key)}") from None
        self.offset_ms = 0
        """How far the clock of the server is ahead of the one here."""

    def _signature(self, text: str) -> str:
        if self._private is not None:
            return base64.b64encode(self._private.sign(text.encode())).decode()
        assert self._secret is not None
        return base64.b64encode(hmac.digest(self._secret, text.encode(), hashlib.sha256)).decode()

    def headers(self, method: str, target: str, body: bytes) -> dict[str, str]:
        if self.key is None:
            raise InvalidArgument(f"{target.split('?', 1)[0]} needs an API key")
        moment = datetime.fromtimestamp(self._now_ms() / 1_000, UTC)
        stamp = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {
            "OK-ACCESS-KEY": self.key,
            "OK-ACCESS-PASSPHRASE": self._passphrase,
            "OK-ACCESS-TIMESTAMP": stamp,
            "OK-ACCESS-SIGN": self._signature(f"{stamp}{method}{target}{body.decode()}"),
        }

    def login(self) -> dict[str, str]:
        """The argument of a login over WebSocket."""
        if self.key is None:
            raise InvalidArgument("private channels need an API key")
        stamp = str(self._now_ms() // 1_000)
        signed = self._signature(f"{stamp}GET/users/self/verify")
        return {"apiKey": self.key, "passphrase": self._passphrase, "timestamp": stamp, "sign": signed}

    def _now_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self.offset_ms


class Caller:
    """Makes the steps of requests, for both clients. It remembers the markets and the server's clock."""

    def __init__(self, signer: Signer, *, retries: int, simulated: bool) -> None:
        self.signer = signer
        self._retries, self._simulated = retries, simulated
        self.markets: dict[str, Market] = {}

    def get(self, path: str, *, private: bool = False, **query: Any) -> Steps[list[Any]]:
        """Rows of an endpoint that is only asked. Names of the query may end in `_`."""
        given = {name.rstrip("_"): _text(value) for name, value in query.items() if value not in {None, ""}}
        target = path + (f"?{urlencode(given)}" if given else "")
        answer = yield from self._call("GET", target, None, private=private)
        if answer.code != "0":
            raise ApiRefused(answer.message, answer.code, answer.status)
        return answer.data

    def post(self, path: str, content: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> Steps[Answer]:
        """The answer of an endpoint that changes something; of refusals in rows its caller takes care."""
        return (yield from self._call("POST", path, content, private=True))

    def _call(self, method: str, target: str, content: Any, *, private: bool) -> Steps[Answer]:
        body = b"" if content is None else _encode(content)
        repeated, adjusted, why, status = False, False, "", 0
        for attempt in range(self._retries + 1):
            if attempt:
                yield Wait(_WINDOW_S if status == 429 else _WAIT_S * 2 ** (attempt - 1))
            got = yield self._signed(method, target, body, private=private)
            if isinstance(got, Answer) and got.code == _EXPIRED and not adjusted:
                adjusted = True
                yield from self._adjust()
                got = yield self._signed(method, target, body, private=private)
            if isinstance(got, Lost):
                repeated, why, status = True, got.why, 0
                continue
            assert isinstance(got, Answer)
            why, status = f"{got.code} {got.message}", got.status
            if got.code in _TOO_MANY or status == 429:
                status = 429
                continue
            if got.code in _LATER or status >= _SERVER_ERROR:
                repeated = True
                continue
            return msgspec.structs.replace(got, repeated=repeated)
        raise ApiUnavailable(f"{method} {target.split('?', 1)[0]} after {self._retries + 1} attempts: {why}")

    def _signed(self, method: str, target: str, body: bytes, *, private: bool) -> Send:
        headers = self.signer.headers(method, target, body) if private else {}
        if body:
            headers["Content-Type"] = "application/json"
        if self._simulated:
            headers["x-simulated-trading"] = "1"
        return Send(method, target, body, headers)

    def _adjust(self) -> Steps[None]:
        """Takes over the server's clock."""
        got = yield Send("GET", _TIME, b"", {})
        if isinstance(got, Answer) and got.code == "0":
            self.signer.offset_ms = int(got.data[0]["ts"]) - time.time_ns() // 1_000_000


def answer_of(status: int, body: bytes) -> Answer:
    """An answer from its bytes; what is no envelope is an answer too."""
    try:
        found = msgspec.json.decode(body)
        return Answer(status, str(found["code"]), str(found["msg"]), list(found["data"]))
    except (msgspec.DecodeError, UnicodeDecodeError, LookupError, TypeError):
        return Answer(status, str(status), f"no envelope: {body[:80]!r}", [])


def _text(value: Any) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"
    return str(value).lower() if isinstance(value, bool) else str(value)
