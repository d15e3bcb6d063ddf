"""Addresses of wallets: 20 bytes in hexadecimal, whose mixed case is a checksum (EIP-55)."""

from __future__ import annotations

import re

from Crypto.Hash import keccak

from exchange_os.errors import InvalidArgument

_FORM = re.compile(r"0x[0-9a-fA-F]{40}")


def keccak256(data: bytes) -> bytes:
    """The hash of Ethereum: Keccak as it was before it became SHA-3."""
    return keccak.new(data=data, digest_bits=256).digest()


def checksummed(raw: bytes) -> str:
    """An address as EIP-55 writes it."""
    digits = raw.hex()
    marks = keccak256(digits.encode()).hex()
    return "0x" + "".join(
        digit.upper() if int(mark, 16) >= 8 else digit for digit, mark in zip(digits, marks, strict=False)
    )


def address_of(given: str) -> str:
    """An address in the case of its checksum. All lower or all upper digits have none to check."""
    if not _FORM.fullmatch(given):
        raise InvalidArgument(f"{given[:60]!r} is no address: expected 0x and 40 hexadecimal digits")
    digits, right = given[2:], checksummed(bytes.fromhex(given[2:]))
    if given != right and digits not in {digits.lower(), digits.upper()}:
        raise InvalidArgument(
            f"{given} has a wrong checksum: a letter is mistyped, or it should read {right}"
        )
    return right
