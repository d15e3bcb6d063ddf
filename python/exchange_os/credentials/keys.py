"""Keys of issuers: Ed25519 and P-256, as JWK. What is kept with an issuer is the public half."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from jwt.algorithms import ECAlgorithm, OKPAlgorithm
from jwt.exceptions import PyJWTError

from exchange_os.bounds import shown
from exchange_os.errors import InvalidArgument

if TYPE_CHECKING:
    from typing import Self

    from exchange_os.markets.spec import Key

Curve = Literal["Ed25519", "P-256"]
ALGORITHMS: dict[str, str] = {"Ed25519": "EdDSA", "P-256": "ES256"}
"""The one algorithm that goes with a curve: a document never chooses it."""

_TYPES = {"Ed25519": "OKP", "P-256": "EC"}
_COORDINATE = re.compile(r"[A-Za-z0-9_-]{43}")  # 32 bytes


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key of an issuer, of which signatures are checked. `kid` is how documents name it."""

    kid: str
    algorithm: str
    verifying: Ed25519PublicKey | EllipticCurvePublicKey

    @classmethod
    def of(cls, key: Key) -> Self:
        """From a market file; `ValueError` says what is wrong with it."""
        jwk = {"kty": key.kty, "crv": key.crv, "x": key.x, "y": key.y}
        if _TYPES[key.crv] != key.kty:
            raise ValueError(f"a key of {key.crv} has kty {_TYPES[key.crv]}, not {key.kty}")
        if (key.y is not None) != (key.kty == "EC"):
            raise ValueError(f"a key of {key.crv} has {'x and y' if key.kty == 'EC' else 'x alone'}")
        if not key.kid:
            raise ValueError("its kid is empty")
        for name in ("x", "y"):
            part = jwk[name]
            if part is not None and not _COORDINATE.fullmatch(part):
                raise ValueError(f"{name} is {shown(repr(part))}, expected 43 characters of base64url")
        try:
            given = {name: value for name, value in jwk.items() if value is not None}
            found: object = (OKPAlgorithm if key.kty == "OKP" else ECAlgorithm).from_jwk(given)
        except (PyJWTError, ValueError) as error:
            raise ValueError(f"it is no point of {key.crv}: {error}") from None
        assert isinstance(found, Ed25519PublicKey | EllipticCurvePublicKey)
        return cls(key.kid, ALGORITHMS[key.crv], found)


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A key that signs credentials, for examples, tests and small issuers."""

    kid: str
    curve: Curve
    signing: Ed25519PrivateKey | EllipticCurvePrivateKey

    @classmethod
    def generate(cls, kid: str = "1", curve: Curve = "Ed25519") -> Self:
        """A new key."""
        if curve not in ALGORITHMS:
            raise InvalidArgument(f"no curve {curve!r}, expected {' or '.join(ALGORITHMS)}")
        new = Ed25519PrivateKey.generate() if curve == "Ed25519" else generate_private_key(SECP256R1())
        return cls(kid, curve, new)

    @property
    def algorithm(self) -> str:
        return ALGORITHMS[self.curve]

    def public_jwk(self) -> dict[str, str]:
        """The public half as it stands in a market file."""
        return _jwk(self.kid, self.signing.public_key())

    def toml(self) -> str:
        """The public half as an item of `keys` in a market file."""
        return "{ " + ", ".join(f'{name} = "{value}"' for name, value in self.public_jwk().items()) + " }"

    def save(self, path: Path) -> None:
        """Writes both halves as JWK to a new file that only its owner reads."""
        content = json.dumps(_jwk(self.kid, self.signing)) + "\n"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads what `save` wrote."""
        try:
            jwk = json.loads(path.read_text(encoding="utf-8"))
            kid, curve = jwk["kid"], jwk["crv"]
            found = (OKPAlgorithm if curve == "Ed25519" else ECAlgorithm).from_jwk(jwk)
        except OSError as error:
            raise InvalidArgument(f"{path}: {error.strerror or error}") from error
        except (PyJWTError, ValueError, KeyError, TypeError) as error:
            raise InvalidArgument(f"{path} is no JWK with a kid: {error!r}") from None
        if not isinstance(found, Ed25519PrivateKey | EllipticCurvePrivateKey) or curve not in ALGORITHMS:
            raise InvalidArgument(f"{path} holds no private key of {' or '.join(ALGORITHMS)}")
        return cls(kid, curve, found)


def _jwk(kid: str, key: Any) -> dict[str, str]:
    edwards = isinstance(key, Ed25519PrivateKey | Ed25519PublicKey)
    found = (OKPAlgorithm if edwards else ECAlgorithm).to_jwk(key, as_dict=True)
    names = ("kty", "crv", "x", "y", "d")
    return {"kid": kid} | {name: str(found[name]) for name in names if name in found}
