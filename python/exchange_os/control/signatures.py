"""Signatures of wallets: which address made one (secp256k1, with the public key recovered)."""

from __future__ import annotations

from coincurve import PublicKey

from exchange_os.control.addresses import checksummed, keccak256
from exchange_os.errors import InvalidArgument

_BYTES = 65
_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_IDS = {0: 0, 1: 1, 27: 0, 28: 1}


def message_digest(text: str) -> bytes:
    """What `personal_sign` signs of a text (EIP-191)."""
    data = text.encode()
    return keccak256(b"\x19Ethereum Signed Message:\n" + str(len(data)).encode() + data)


def recovered(digest: bytes, signature: str) -> str:
    """The address whose key made a signature of a digest; any signature of the right form has one.

    `InvalidArgument` if it has not that form: r, s and v in hexadecimal, s in the lower half (EIP-2).
    """
    try:
        raw = bytes.fromhex(signature.removeprefix("0x"))
    except ValueError:
        raise InvalidArgument("a signature is 65 bytes in hexadecimal, this is none") from None
    if len(raw) != _BYTES or raw[64] not in _IDS:
        raise InvalidArgument(f"a signature is 65 bytes that end with 27 or 28, this one has {len(raw)}")
    if int.from_bytes(raw[32:64]) > _ORDER // 2:
        raise InvalidArgument("the s of a signature has to lie in the lower half of the order")
    try:
        key = PublicKey.from_signature_and_message(raw[:64] + bytes([_IDS[raw[64]]]), digest, hasher=None)
    except Exception:  # noqa: BLE001 - the library has one class of error, for whatever is no point of the curve
        raise InvalidArgument("no key can have made this signature") from None
    return checksummed(keccak256(key.format(compressed=False)[1:])[-20:])
