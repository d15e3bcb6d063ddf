"""Issuing credentials: for examples and tests, and for an issuer who has no tool of his own."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable

import jwt

from exchange_os.bounds import each
from exchange_os.credentials.keys import PrivateKey

CONTEXT = "https://www.w3.org/2018/credentials/v1"
_MICROSECONDS = 1_000


def issue(
    key: PrivateKey,
    *,
    issuer: str,
    subject: str,
    classes: Iterable[str],
    ends_ns: int,
    issued_ns: int | None = None,
    id: str | None = None,  # noqa: A002 -- it is the word of the standard
) -> str:
    """A credential as a signed JWT: `issuer` says until `ends_ns` that `subject` has these classes.

    `issued_ns` is now and `id` a random one unless said. Times are told to the microsecond.
    """
    issued_ns = time.time_ns() if issued_ns is None else issued_ns
    claims = {
        "iss": issuer,
        "sub": subject,
        "jti": id or f"urn:uuid:{uuid.uuid4()}",
        "iat": _date(issued_ns),
        "nbf": _date(issued_ns),
        "exp": _date(ends_ns),
        "vc": {
            "@context": [CONTEXT],
            "type": ["VerifiableCredential", "AccountClasses"],
            "credentialSubject": {"id": subject, "classes": list(each("classes", classes))},
        },
    }
    headers = {"kid": key.kid, "typ": "JWT"}
    return jwt.encode(claims, key.signing, algorithm=key.algorithm, headers=headers)


def _date(time_ns: int) -> int | float:
    """A NumericDate: seconds, with a fraction where there is one. A double keeps microseconds until 2242."""
    seconds, rest = divmod(time_ns // _MICROSECONDS, 1_000_000)
    return seconds if rest == 0 else seconds + rest / 1_000_000
