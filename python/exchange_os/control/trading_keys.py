"""Trading keys that a wallet signs for: typed data (EIP-712) of one form.

`TradingKey` says: this public key (Ed25519) may act for this account with these scopes until then.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from exchange_os.control.addresses import address_of, keccak256
from exchange_os.errors import InvalidArgument

NAME, VERSION = "Exchange OS", "1"
_DOMAIN = (("name", "string"), ("version", "string"), ("chainId", "uint256"))
_MESSAGE = (
    ("wallet", "address"),
    ("account", "uint32"),
    ("publicKey", "bytes32"),
    ("scopes", "string"),
    ("instruments", "string"),
    ("lossMax", "string"),
    ("expires", "uint64"),
    ("nonce", "uint64"),
)
_WORD = 32


class Domain(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which exchange is meant."""

    name: str
    version: str
    chainId: int  # noqa: N815 - the name of EIP-712


class TradingKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`publicKey` is 0x and 32 bytes in hexadecimal; `account` 0 means the wallet's own.

    `scopes` and `instruments` are lists with commas, `lossMax` a decimal number; empty: no limit. `expires`
    is in seconds, `nonce` grows with every key.
    """

    wallet: str
    account: int
    publicKey: str  # noqa: N815
    scopes: str
    instruments: str
    lossMax: str  # noqa: N815
    expires: int
    nonce: int


def typed_data(domain: Domain, message: TradingKey) -> dict[str, Any]:
    """What `eth_signTypedData_v4` takes."""
    return {
        "types": {
            "EIP712Domain": [{"name": name, "type": kind} for name, kind in _DOMAIN],
            "TradingKey": [{"name": name, "type": kind} for name, kind in _MESSAGE],
        },
        "primaryType": "TradingKey",
        "domain": msgspec.structs.asdict(domain),
        "message": msgspec.structs.asdict(message),
    }


def digest(domain: Domain, message: TradingKey) -> bytes:
    """What the wallet signs."""
    parts = (
        _hash("EIP712Domain", _DOMAIN, msgspec.structs.asdict(domain)),
        _hash("TradingKey", _MESSAGE, msgspec.structs.asdict(message)),
    )
    return keccak256(b"\x19\x01" + b"".join(parts))


def _hash(kind: str, fields: tuple[tuple[str, str], ...], values: Mapping[str, Any]) -> bytes:
    form = f"{kind}({','.join(f'{word} {name}' for name, word in fields)})"
    words = [keccak256(form.encode())]
    words += [_encoded(name, word, values[name]) for name, word in fields]
    return keccak256(b"".join(words))


def _encoded(name: str, kind: str, value: Any) -> bytes:
    if kind == "string":
        return keccak256(str(value).encode())
    if kind == "address":
        return bytes.fromhex(address_of(value)[2:]).rjust(_WORD, b"\0")
    if kind == "bytes32":
        try:
            found = bytes.fromhex(value.removeprefix("0x"))
        except ValueError:
            found = b""
        if len(found) != _WORD:
            raise InvalidArgument(f"{name} has to be 32 bytes in hexadecimal")
        return found
    if not 0 <= value < 1 << int(kind.removeprefix("uint")):
        raise InvalidArgument(f"{name} is {value}, beyond {kind}")
    return int(value).to_bytes(_WORD)
