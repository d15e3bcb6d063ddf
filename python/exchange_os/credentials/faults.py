"""What can be wrong with a credential. Numbers never change their meaning."""

from __future__ import annotations

from enum import IntEnum


class CredentialFault(IntEnum):
    """In the order in which they are looked for: a document is refused for the first that it has."""

    OVERSIZED = 1
    MALFORMED = 2
    ALGORITHM = 3
    FOREIGN_ISSUER = 4
    UNKNOWN_KEY = 5
    FORGED = 6
    CLAIMS = 7
    NOT_YET_VALID = 8
    EXPIRED = 9
    WRONG_SUBJECT = 10
    UNKNOWN_CLASS = 11
    NOT_ENTITLED = 12
    REVOKED = 13

    @property
    def meaning(self) -> str:
        """What it says of the document."""
        return _MEANINGS[self]


_MEANINGS = {
    CredentialFault.OVERSIZED: "It is longer than 8,192 characters.",
    CredentialFault.MALFORMED: "It is no signed JWT.",
    CredentialFault.ALGORITHM: "Its algorithm is none or not that of the issuer's key, or its header"
    " brings a key or rules of its own.",
    CredentialFault.FOREIGN_ISSUER: "No trusted market file names its issuer.",
    CredentialFault.UNKNOWN_KEY: "Its issuer has no such key.",
    CredentialFault.FORGED: "The signature is not the issuer's.",
    CredentialFault.CLAIMS: "A claim is missing, or of a wrong form.",
    CredentialFault.NOT_YET_VALID: "It was issued, or begins, later than now.",
    CredentialFault.EXPIRED: "Its time is over.",
    CredentialFault.WRONG_SUBJECT: "It is about somebody else than the owner of the account.",
    CredentialFault.UNKNOWN_CLASS: "It gives a class that this exchange does not have.",
    CredentialFault.NOT_ENTITLED: "It gives a class that its issuer may not give.",
    CredentialFault.REVOKED: "Its id was revoked.",
}
