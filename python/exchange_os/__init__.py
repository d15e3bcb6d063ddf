"""Exchange OS: an exchange you can import.

import exchange_os as xos

with xos.open() as exchange:
    exchange.deploy("market.toml")
"""

from exchange_os import markets
from exchange_os._core import (
    CancelReason,
    CommandKind,
    EventFlags,
    EventKind,
    Flags,
    InstrumentState,
    Reject,
    SelfTrade,
    Side,
    Tif,
    __version__,
    build_info,
)
from exchange_os.errors import (
    AlreadyOpen,
    BatchRefused,
    Closed,
    Corrupt,
    DiskFailed,
    Error,
    EventsGone,
    FloatRefused,
    Forked,
    Halted,
    Inexact,
    InvalidArgument,
    MarketFileError,
    NoExchangeHere,
    OutOfRange,
    Rejected,
    TimeBackwards,
    UnknownName,
    VerifyFailed,
)
from exchange_os.exchange import Exchange
from exchange_os.records import COMMAND, EVENT, amends, cancels, commands, orders
from exchange_os.results import (
    Balance,
    Book,
    BookLevel,
    Cancelled,
    Instrument,
    Order,
    OrderResult,
    Position,
    Question,
    Receipt,
    RiskSummary,
    Trade,
)
from exchange_os.stream import Subscription

open = Exchange.open  # noqa: A001 - `xos.open(path)` is the way in

__all__ = [
    "COMMAND",
    "EVENT",
    "AlreadyOpen",
    "Balance",
    "BatchRefused",
    "Book",
    "BookLevel",
    "CancelReason",
    "Cancelled",
    "Closed",
    "CommandKind",
    "Corrupt",
    "DiskFailed",
    "Error",
    "EventFlags",
    "EventKind",
    "EventsGone",
    "Exchange",
    "Flags",
    "FloatRefused",
    "Forked",
    "Halted",
    "Inexact",
    "Instrument",
    "InstrumentState",
    "InvalidArgument",
    "MarketFileError",
    "NoExchangeHere",
    "Order",
    "OrderResult",
    "OutOfRange",
    "Position",
    "Question",
    "Receipt",
    "Reject",
    "Rejected",
    "RiskSummary",
    "SelfTrade",
    "Side",
    "Subscription",
    "Tif",
    "TimeBackwards",
    "Trade",
    "UnknownName",
    "VerifyFailed",
    "__version__",
    "amends",
    "build_info",
    "cancels",
    "commands",
    "markets",
    "open",
    "orders",
]
