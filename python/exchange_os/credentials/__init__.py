"""Credentials: W3C Verifiable Credentials as signed JWTs of named issuers, checked outside the engine.

An issuer's public keys stand in a market file. What a document says becomes class bits, an end and a hash in
the log; who somebody is stays in the document.
"""

from exchange_os.credentials.desk import Credentials
from exchange_os.credentials.faults import CredentialFault
from exchange_os.credentials.issuing import issue
from exchange_os.credentials.keys import PrivateKey, PublicKey
from exchange_os.credentials.register import Register
from exchange_os.credentials.verifying import TrustedIssuer, Verified, trusted, verify
from exchange_os.errors import CredentialRefused

__all__ = [
    "CredentialFault",
    "CredentialRefused",
    "Credentials",
    "PrivateKey",
    "PublicKey",
    "Register",
    "TrustedIssuer",
    "Verified",
    "issue",
    "trusted",
    "verify",
]
