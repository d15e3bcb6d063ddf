"""Sign-in with Ethereum: the text that a wallet signs (EIP-4361), read and written."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec

from exchange_os.control.addresses import address_of
from exchange_os.errors import InvalidArgument

_FIRST = " wants you to sign in with your Ethereum account:"
_TEXT_MAX = 4_096
_FIELDS = (
    ("URI", "uri"),
    ("Version", "version"),
    ("Chain ID", "chain_id"),
    ("Nonce", "nonce"),
    ("Issued At", "issued_at"),
    ("Expiration Time", "expiration_time"),
    ("Not Before", "not_before"),
    ("Request ID", "request_id"),
)
_NEEDED = frozenset({"uri", "version", "chain_id", "nonce", "issued_at"})


class SignIn(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of a message; times as they were written, empty where they are left out."""

    domain: str
    address: str
    statement: str = ""
    uri: str
    version: str = "1"
    chain_id: str
    nonce: str
    issued_at: str
    expiration_time: str = ""
    not_before: str = ""
    request_id: str = ""
    resources: tuple[str, ...] = ()

    def text(self) -> str:
        """What the wallet shows and signs."""
        lines = [f"{self.domain}{_FIRST}", self.address, ""]
        lines += [self.statement, ""] if self.statement else [""]
        for name, field in _FIELDS:
            if value := getattr(self, field):
                lines.append(f"{name}: {value}")
        if self.resources:
            lines += ["Resources:", *(f"- {each}" for each in self.resources)]
        return "\n".join(lines)


def read_sign_in(text: str) -> SignIn:
    """The fields of a text, which has to be exactly what `SignIn.text` writes. `InvalidArgument` names the
    first line that is not."""
    if len(text) > _TEXT_MAX:
        raise InvalidArgument(f"the message has {len(text)} letters; {_TEXT_MAX} is the most")
    lines = text.split("\n")
    rest = iter(lines)
    first = next(rest)
    if not first.endswith(_FIRST) or first == _FIRST:
        raise InvalidArgument(f"line 1 of the message has to end with {_FIRST!r} behind a domain")
    words: dict[str, str] = {"domain": first.removesuffix(_FIRST), "address": next(rest, "")}
    if address_of(words["address"]) != words["address"]:
        raise InvalidArgument(
            f"line 2 of the message has to be {address_of(words['address'])}, by its checksum"
        )
    line = _head(rest, words)
    for name, field in _FIELDS:
        if line is not None and line.startswith(f"{name}: "):
            words[field] = line.removeprefix(f"{name}: ")
            line = next(rest, None)
        elif field in _NEEDED:
            raise InvalidArgument(
                f"the message lacks {name}, or not in its place; there stands {_shown(line)}"
            )
    resources: tuple[str, ...] = ()
    if line == "Resources:":
        resources = tuple(each.removeprefix("- ") for each in rest)
        line = None
    found = SignIn(**words, resources=resources)
    if line is not None or found.text() != text:
        raise InvalidArgument(f"the message goes on where it should end, with {_shown(line)}")
    return found


def _head(rest: Iterator[str], words: dict[str, str]) -> str | None:
    """An empty line, perhaps a statement and another; then the first field."""
    if next(rest, None) != "":
        raise InvalidArgument("line 3 of the message has to be empty")
    statement = next(rest, "")
    if statement:
        words["statement"] = statement
        if next(rest, None) != "":
            raise InvalidArgument("the statement of the message is one line, with an empty one behind it")
    return next(rest, None)


def moment_ms(name: str, given: str) -> int:
    """A time of RFC 3339 with its zone, in milliseconds."""
    try:
        found = datetime.fromisoformat(given)
        if found.tzinfo is None:
            raise ValueError
    except ValueError:
        raise InvalidArgument(
            f"{name} is {given[:40]!r}, expected a form like 2026-11-22T14:15:21Z"
        ) from None
    return round(found.timestamp() * 1_000)


def written(time_ms: int) -> str:
    """Milliseconds as a time of RFC 3339."""
    moment = datetime.fromtimestamp(time_ms / 1_000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _shown(line: str | None) -> str:
    return "nothing" if line is None else repr(line[:60])
