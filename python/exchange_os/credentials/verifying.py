"""Checks a credential against the issuers that are trusted, and says what it gives."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import jwt
from jwt.exceptions import InvalidSignatureError, PyJWTError

from exchange_os.bounds import shown
from exchange_os.credentials.faults import CredentialFault
from exchange_os.credentials.keys import ALGORITHMS, PublicKey
from exchange_os.errors import CredentialRefused, InvalidArgument
from exchange_os.markets.spec import Issuer

if TYPE_CHECKING:
    from jwt.types import Options

TOKEN_BYTES_MAX = 8_192
_TEXT_MAX = 256
_TIME_NS_MAX = 2**63
_CONTEXTS = {"https://www.w3.org/2018/credentials/v1", "https://www.w3.org/ns/credentials/v2"}
# They ask for a key or a rule that the document itself brings.
_HEADERS_REFUSED = ("crit", "b64", "zip", "jwk", "jku", "x5u", "x5c")
_UNCHECKED: Options = {"verify_signature": False}
# Times are judged by the clock of the exchange, below, and claims by their form.
_SIGNATURE_ALONE: Options = {
    "verify_signature": True,
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
    "verify_iss": False,
    "verify_sub": False,
    "verify_jti": False,
}


@dataclass(frozen=True, slots=True)
class TrustedIssuer:
    """An issuer whose documents count: its keys, and the classes that it may give."""

    id: str
    name: str
    classes: frozenset[str]
    keys: tuple[PublicKey, ...]


@dataclass(frozen=True, slots=True)
class Verified:
    """What a document says, after it was checked."""

    issuer: str
    id: str
    subject: str
    classes: tuple[str, ...]
    issued_ns: int
    ends_ns: int
    digest: bytes
    """SHA-256 of the document."""


def trusted(issuers: Iterable[Issuer]) -> dict[str, TrustedIssuer]:
    """The issuers of a market file by their ids."""
    return {
        issuer.id: TrustedIssuer(
            issuer.id, issuer.name, frozenset(issuer.classes), tuple(map(PublicKey.of, issuer.keys))
        )
        for issuer in issuers
    }


def verify(
    token: str,
    issuers: dict[str, TrustedIssuer],
    *,
    now_ns: int,
    subjects: Collection[str] | None = None,
    classes: Collection[str] | None = None,
) -> Verified:
    """What a credential gives, or `CredentialRefused` with the first fault that it has.

    `subjects` are the names of whom it has to be about, `classes` those that the exchange has; None: any.
    """
    if not isinstance(token, str):
        raise InvalidArgument(f"the credential is a {type(token).__name__}, expected text")
    token = token.strip()
    if len(token) > TOKEN_BYTES_MAX:
        raise _refused(CredentialFault.OVERSIZED, f"{len(token)} characters are more than {TOKEN_BYTES_MAX}")
    claims, issuer = _signed(token, issuers)
    found = _read(claims, hashlib.sha256(token.encode()).digest())
    if found.issued_ns > now_ns:
        raise _refused(
            CredentialFault.NOT_YET_VALID, f"it begins at {found.issued_ns} ns, now is {now_ns} ns"
        )
    if found.ends_ns <= now_ns:
        raise _refused(CredentialFault.EXPIRED, f"it ended at {found.ends_ns} ns, now is {now_ns} ns")
    if subjects is not None and not _is_about(found.subject, subjects):
        raise _refused(CredentialFault.WRONG_SUBJECT, "it is not about the owner of this account")
    for name in found.classes:
        if classes is not None and name not in classes:
            known = ", ".join(classes) or "none"
            raise _refused(
                CredentialFault.UNKNOWN_CLASS,
                f"class {shown(repr(name))} does not stand here (classes: {known})",
            )
        if name not in issuer.classes:
            may = ", ".join(sorted(issuer.classes)) or "none"
            raise _refused(
                CredentialFault.NOT_ENTITLED,
                f"{issuer.name} may not give {shown(repr(name))} (it may: {may})",
            )
    return found


def _is_about(subject: str, subjects: Collection[str]) -> bool:
    """Addresses are compared whatever their case; did:pkh (CAIP-10) names one behind its chain."""
    name = subject.rpartition(":")[2] if subject.startswith("did:pkh:") else subject
    return name in subjects or (name.lower().startswith("0x") and name.lower() in subjects)


def _refused(fault: CredentialFault, message: str) -> CredentialRefused:
    return CredentialRefused(fault, message)


def _signed(token: str, issuers: dict[str, TrustedIssuer]) -> tuple[dict[str, Any], TrustedIssuer]:
    """The claims, once it is sure who signed them."""
    try:
        header = jwt.get_unverified_header(token)
        unchecked = jwt.decode(token, options=_UNCHECKED)
    except (PyJWTError, ValueError, RecursionError) as error:
        raise _refused(CredentialFault.MALFORMED, f"this is no signed JWT: {shown(error)}") from None
    algorithm = header.get("alg")
    if algorithm not in ALGORITHMS.values():
        expected = " or ".join(ALGORITHMS.values())
        raise _refused(
            CredentialFault.ALGORITHM, f"its algorithm is {shown(repr(algorithm))}, expected {expected}"
        )
    for name in _HEADERS_REFUSED:
        if name in header:
            raise _refused(CredentialFault.ALGORITHM, f"its header has {name}, which is not taken from it")
    named = unchecked.get("iss")
    issuer = issuers.get(named) if isinstance(named, str) else None
    if issuer is None:
        known = ", ".join(issuers) or "none"
        raise _refused(
            CredentialFault.FOREIGN_ISSUER, f"nobody trusts {shown(repr(named))} here (issuers: {known})"
        )
    key = _key(header.get("kid"), issuer)
    if key.algorithm != algorithm:
        raise _refused(
            CredentialFault.ALGORITHM, f"key {key.kid!r} signs with {key.algorithm}, not {algorithm}"
        )
    try:
        return jwt.decode(token, key.verifying, algorithms=[key.algorithm], options=_SIGNATURE_ALONE), issuer
    except InvalidSignatureError:
        raise _refused(
            CredentialFault.FORGED, f"the signature is not that of key {key.kid!r} of {issuer.name}"
        ) from None
    except (PyJWTError, ValueError) as error:
        raise _refused(CredentialFault.MALFORMED, f"this is no signed JWT: {shown(error)}") from None


def _key(kid: object, issuer: TrustedIssuer) -> PublicKey:
    if kid is None and len(issuer.keys) == 1:
        return issuer.keys[0]
    for key in issuer.keys:
        if key.kid == kid:
            return key
    known = ", ".join(key.kid for key in issuer.keys)
    raise _refused(
        CredentialFault.UNKNOWN_KEY, f"{issuer.name} has no key {shown(repr(kid))} (keys: {known})"
    )


def _read(claims: dict[str, Any], digest: bytes) -> Verified:
    document = _mapping(claims.get("vc"), "vc")
    about = _mapping(document.get("credentialSubject"), "vc.credentialSubject")
    contexts, kinds = document.get("@context"), document.get("type")
    if not isinstance(contexts, list) or not contexts or contexts[0] not in _CONTEXTS:
        raise _refused(CredentialFault.CLAIMS, "vc.@context does not begin with that of W3C credentials")
    if not isinstance(kinds, list) or "VerifiableCredential" not in kinds:
        raise _refused(CredentialFault.CLAIMS, "vc.type has no VerifiableCredential")
    subject = _text(claims.get("sub"), "sub")
    if about.get("id", subject) != subject:
        raise _refused(CredentialFault.CLAIMS, "sub and vc.credentialSubject.id name different subjects")
    given = about.get("classes")
    if not isinstance(given, list) or not given:
        raise _refused(CredentialFault.CLAIMS, "vc.credentialSubject.classes is no list of classes")
    classes = tuple(dict.fromkeys(_text(name, "vc.credentialSubject.classes") for name in given))
    begins = [_time(claims[name], name) for name in ("iat", "nbf") if name in claims]
    if not begins:
        raise _refused(CredentialFault.CLAIMS, "neither iat nor nbf says when it was issued")
    ends_ns = _time(claims.get("exp"), "exp")
    issuer, named = _text(claims.get("iss"), "iss"), _text(claims.get("jti"), "jti")
    return Verified(issuer, named, subject, classes, max(begins), ends_ns, digest)


def _mapping(value: object, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _refused(CredentialFault.CLAIMS, f"{name} is missing, or no object")
    return value


def _text(value: object, name: str) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= _TEXT_MAX:
        raise _refused(CredentialFault.CLAIMS, f"{name} is no text of 1 to {_TEXT_MAX} characters")
    return value


def _time(value: object, name: str) -> int:
    """A NumericDate in nanoseconds, to the microsecond."""
    time_ns = -1
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        time_ns = round(Fraction(value) * 1_000_000) * 1_000
    if not 0 <= time_ns < _TIME_NS_MAX:
        raise _refused(CredentialFault.CLAIMS, f"{name} is no time in seconds since 1970")
    return time_ns
