"""Codes of the OKX v5 interface, and which one says what the engine refused."""

from __future__ import annotations

from typing import Any

from exchange_os._core import Reject
from exchange_os.errors import (
    CredentialRefused,
    Disconnected,
    Error,
    FloatRefused,
    Inexact,
    InvalidArgument,
    OutOfRange,
    Rejected,
    SessionRefused,
    UnknownName,
)

Row = dict[str, Any]

BODY_BYTES_MAX = 65_536
BODY_S = 10.0
"""How long the body of a request may take."""
BATCH_MAX = 20


class Refused(Exception):
    """A request that is answered by a code and a sentence; `status` is that of HTTP."""

    def __init__(self, code: str, message: str, status: int = 200) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


REJECTS = {
    Reject.UNKNOWN_INSTRUMENT: "51001",
    Reject.INSTRUMENT_SETTLED: "51027",
    Reject.INSTRUMENT_HALTED: "51022",
    Reject.INSTRUMENT_CANCEL_ONLY: "51022",
    Reject.INSTRUMENT_REDUCE_ONLY: "51022",
    Reject.INSTRUMENT_POST_ONLY: "51022",
    Reject.QUESTION_RESOLVED: "51027",
    Reject.UNKNOWN_ORDER: "51603",
    Reject.PRICE_NOT_POSITIVE: "51006",
    Reject.PRICE_ABOVE_MAX: "51006",
    Reject.PRICE_OUTSIDE_BAND: "51006",
    Reject.QTY_NOT_POSITIVE: "51020",
    Reject.QTY_BELOW_MIN: "51020",
    Reject.QTY_ABOVE_MAX: "51005",
    Reject.NOTIONAL_BELOW_MIN: "51020",
    Reject.NOTIONAL_ABOVE_MAX: "51005",
    Reject.NOTHING_TO_REDUCE: "51169",
    Reject.POST_ONLY_WOULD_CROSS: "51019",
    Reject.POSITION_LIMIT: "51004",
    Reject.INSUFFICIENT_BALANCE: "51008",
    Reject.INSUFFICIENT_MARGIN: "51008",
    Reject.REDUCING_LOSS: "51008",
    Reject.LEVERAGE_OUT_OF_BOUNDS: "59102",
}
"""Every other reject is 51000; the sentence is the engine's own."""


def code_of(error: Error) -> tuple[str, str]:
    """Code and sentence of an argument that the package refused, or a command that the engine did."""
    if isinstance(error, Rejected):
        return REJECTS.get(error.reject, "51000"), str(error)
    if isinstance(error, UnknownName):
        return "51001", str(error)
    if isinstance(error, Inexact):
        return "51121", str(error)
    if isinstance(error, (CredentialRefused, InvalidArgument, FloatRefused, OutOfRange)):
        return "51000", str(error)
    if isinstance(error, SessionRefused) and error.retry_ns:
        return "50011", f"Rate limit reached: {error}."
    if isinstance(error, Disconnected) and error.code == "timed_out":
        return "50004", str(error)
    return "50001", f"the exchange takes no commands now: {error}"
