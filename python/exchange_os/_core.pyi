"""The Rust extension. `make check` compares this file with the built module (mypy.stubtest)."""

from collections.abc import Callable, Sequence
from enum import IntEnum, IntFlag
from os import PathLike
from typing import Any, Final, TypedDict, final

__all__ = [
    "AMOUNT_ATOMS_BOUND",
    "COMMAND_BYTES",
    "EVENT_BYTES",
    "PRICE_TICKS_BOUND",
    "QTY_LOTS_BOUND",
    "ActKind",
    "CancelReason",
    "CommandKind",
    "DecidedBy",
    "EventFlags",
    "EventKind",
    "Exchange",
    "Flags",
    "HistoryReader",
    "Inspector",
    "InstrumentState",
    "MarketKind",
    "Matching",
    "PriceSource",
    "PriceStatus",
    "Reject",
    "Remote",
    "ResolutionStage",
    "SelfTrade",
    "Server",
    "Side",
    "SlotKind",
    "Tif",
    "__version__",
    "bench_commands",
    "bench_replay",
    "bench_restart",
    "bench_wire",
    "bench_wire_load",
    "bench_wire_prepare",
    "bench_workload",
    "build_info",
    "canonical_deployment",
    "command_fields",
    "default_limits",
    "event_fields",
    "funding_rate",
    "history_columns",
    "history_rows",
    "rejects",
    "replay",
    "sim_adl",
    "verify",
    "wire_messages",
    "wire_words",
]

__version__: str

COMMAND_BYTES: Final[int]
EVENT_BYTES: Final[int]
PRICE_TICKS_BOUND: Final[int]
QTY_LOTS_BOUND: Final[int]
AMOUNT_ATOMS_BOUND: Final[int]

class _BuildInfo(TypedDict):
    version: str
    target: str
    profile: str
    rustc: str

def build_info() -> _BuildInfo:
    """Version, target, profile and compiler of this build, as a dict of strings."""

def command_fields() -> list[tuple[str, str, int]]:
    """Name, numpy format and offset of every field of a command."""

def wire_messages() -> list[tuple[str, int, int, list[tuple[str, str, int]]]]:
    """Name, number, bytes of a record and fields of every kind of message of the wire."""

def wire_words() -> tuple[int, int, list[tuple[str, list[tuple[str, int]]]]]:
    """Schema id and version of the wire, and the numbered words that only it has."""

def event_fields() -> list[tuple[str, str, int]]:
    """Name, numpy format and offset of every field of an event; some lie over each other."""

def rejects() -> list[tuple[int, str, str, bool]]:
    """Number, name, sentence and whether it may pass later, of every reject."""

def default_limits() -> bytes:
    """The limits of an exchange that declares none, as MessagePack by name."""

def canonical_deployment(body: bytes) -> bytes:
    """The body of a deployment in its one canonical form; ValueError where it cannot be read."""

def funding_rate(premium: int, interval_h: int, interest: int, clamp: int, cap: int) -> int:
    """The rate of a funding interval from its premium; all rates in 1e-12."""

class CommandKind(IntEnum):
    PLACE = 1
    AMEND = 2
    CANCEL = 3
    MASS_CANCEL = 4
    CANCEL_ALL_AFTER = 5
    PLACE_TRIGGER = 6
    AMEND_TRIGGER = 7
    PLACE_BRACKET = 8
    SET_PROTECTION = 9
    OPEN_ACCOUNT = 16
    DEPOSIT = 17
    WITHDRAW = 18
    SPLIT_SET = 20
    MERGE_SET = 21
    TRANSFER = 22
    SET_LEVERAGE = 23
    SET_MARGIN_MODE = 24
    TICK = 32
    SET_MARK = 33
    SET_INDEX = 34
    SET_INSTRUMENT_STATE = 35
    RESOLVE_QUESTION = 36
    PUBLISH_PRICE = 37
    RESTART = 38
    SET_CREDENTIALS = 41
    COLLECT_FEES = 44
    SET_FEE_CAP = 45
    SET_REFERRER = 46
    CHALLENGE_RESOLUTION = 47
    VOID_QUESTION = 48
    START_AUCTION = 55
    DEPLOY = 64
    WITHDRAW_CHANGE = 65
    DELIST = 66
    STAKE = 67
    UNSTAKE = 68
    BUY_SLOT = 69
    VOTE = 70
    EMERGENCY = 71

class Side(IntEnum):
    BUY = 0
    SELL = 1

class Tif(IntEnum):
    GTC = 0
    IOC = 1
    FOK = 2
    GTD = 3

class SelfTrade(IntEnum):
    NONE = 0
    CANCEL_TAKER = 1
    CANCEL_MAKER = 2
    CANCEL_BOTH = 3
    DECREMENT = 4

class PriceSource(IntEnum):
    LAST = 0
    MARK = 1
    INDEX = 2

class Matching(IntEnum):
    ARRIVAL = 0
    MAKER_FIRST = 1

class InstrumentState(IntEnum):
    CONTINUOUS = 0
    REDUCE_ONLY = 1
    CANCEL_ONLY = 2
    HALTED = 3
    SETTLED = 4
    POST_ONLY = 5
    AUCTION = 6
    UNCROSSING = 7

class PriceStatus(IntEnum):
    LIVE = 0
    STALE = 1
    RECOVERING = 2
    REOPENING = 3

class ResolutionStage(IntEnum):
    OPEN = 0
    CLOSED = 1
    PROPOSED = 2
    CHALLENGED = 3
    DECIDED = 4

class DecidedBy(IntEnum):
    OPERATOR = 0
    PROPOSAL = 1
    VOTES = 2
    TIME = 3
    DELISTING = 4

class MarketKind(IntEnum):
    INSTRUMENT = 0
    VENUE = 1
    QUESTION = 2

class SlotKind(IntEnum):
    SPOT = 0
    PERPETUAL = 1
    QUESTION = 2
    VENUE = 3

class ActKind(IntEnum):
    UPDATE_INSTRUMENT = 0
    UPDATE_VENUE = 1
    UPDATE_QUESTION = 2
    DELIST = 3
    ADMIT = 4
    SET_STATE = 5
    SLASH = 6
    TERMS = 7
    CONFIRM = 8

class CancelReason(IntEnum):
    REQUESTED = 1
    MASS_CANCEL = 2
    IOC_REMAINDER = 3
    EXPIRED = 4
    AMENDED_AWAY = 5
    SELF_TRADE = 6
    UNAFFORDABLE = 7
    REDUCE_ONLY = 8
    OUTSIDE_BAND = 9
    SETTLED = 10
    MATCH_LIMIT = 11
    LIQUIDATION = 16
    CONVERSION = 17
    CANCEL_ALL_AFTER = 20
    LINKED = 21
    POSITION_CLOSED = 22
    PROTECTION = 23
    VOLATILITY = 24
    NOT_ADMITTED = 25
    QUESTION_CLOSED = 30
    OUTCOME_ADDED = 31
    DELISTED = 36

class EventKind(IntEnum):
    ORDER_ACCEPTED = 1
    REJECTED = 2
    TRADE = 3
    ORDER_CANCELLED = 4
    ORDER_AMENDED = 5
    PNL_REALISED = 6
    MASS_CANCELLED = 7
    CANCEL_ALL_AFTER_SET = 8
    CANCEL_ALL_AFTER_FIRED = 9
    TRIGGER_ACCEPTED = 10
    TRIGGER_FIRED = 11
    TRIGGER_CANCELLED = 12
    TRIGGER_AMENDED = 13
    PROTECTION_SET = 14
    PROTECTION_BREACHED = 15
    ACCOUNT_OPENED = 16
    DEPOSITED = 17
    WITHDRAWN = 18
    SET_SPLIT = 20
    SET_MERGED = 21
    TRANSFERRED = 22
    LEVERAGE_SET = 23
    MARGIN_MODE_SET = 24
    UNDERLYING_DEPLOYED = 25
    TICKED = 32
    MARK_SET = 33
    INDEX_SET = 34
    INSTRUMENT_STATE_SET = 35
    QUESTION_RESOLVED = 36
    PAYOUT = 37
    PRICE_PUBLISHED = 38
    PRICE_STATUS_SET = 39
    RESTARTED = 40
    FUNDING_SET = 41
    FUNDING_PAID = 42
    PUBLISHER_DEPLOYED = 43
    ORDER_REPLENISHED = 44
    VOLATILITY_HALT = 47
    LIQUIDATION_STARTED = 48
    LIQUIDATION_ORDER = 49
    LIQUIDATION_FEE = 50
    TRANCHE_TOOK_OVER = 51
    INSURANCE_PAID = 52
    BANKRUPTCY_CLOSED = 53
    DELEVERAGED = 54
    INSURANCE_RECEIVED = 55
    LIQUIDATION_ENDED = 56
    CONVERSION_ORDER = 57
    COLLATERAL_CONVERTED = 58
    ASSET_DEPLOYED = 64
    VENUE_DEPLOYED = 65
    INSTRUMENT_DEPLOYED = 66
    QUESTION_DEPLOYED = 67
    CLASS_DEPLOYED = 70
    CREDENTIALS_SET = 71
    CREDENTIALS_EXPIRED = 72
    LIQUIDITY_SKIPPED = 73
    FEES_COLLECTED = 75
    FEE_CAP_SET = 76
    REFERRER_SET = 77
    FEE_DIVIDED = 78
    OUTCOME_PAYOUT = 80
    QUESTION_SETTLED = 81
    QUESTION_CLOSED = 82
    RESOLUTION_PROPOSED = 83
    RESOLUTION_CHALLENGED = 84
    RESOLUTION_VOTED = 85
    BOND_RETURNED = 86
    BOND_AWARDED = 87
    BOND_FORFEITED = 88
    OUTCOME_ADDED = 89
    OUTCOME_CREDITED = 90
    OUTCOME_OPENED = 91
    INTEREST_CHARGED = 94
    IMPLIED_TRADE = 96
    IMPLIED_LEG = 97
    AUCTION_STARTED = 100
    AUCTION_PRICED = 101
    AUCTION_CLOSED = 102
    TRADING_CLOSED = 103
    CHANGE_ANNOUNCED = 105
    CHANGE_WITHDRAWN = 106
    CHANGE_EFFECTIVE = 107
    DELISTING_ANNOUNCED = 108
    DELISTING_BEGUN = 109
    POSITION_SETTLED = 110
    MARKET_CLOSED = 111
    GOVERNANCE_DEPLOYED = 112
    STAKED = 113
    UNSTAKED = 114
    SLOT_BOUGHT = 115
    STAKE_LOCKED = 116
    STAKE_RELEASED = 117
    PROPOSAL_MADE = 118
    VOTE_CAST = 119
    PROPOSAL_PASSED = 120
    PROPOSAL_FAILED = 121
    PROPOSAL_EFFECTIVE = 122
    STAKE_SLASHED = 123
    HARM_PAID = 124
    EMERGENCY_SET = 125
    EMERGENCY_ENDED = 126

class Reject(IntEnum):
    UNKNOWN_COMMAND = 101
    MALFORMED_COMMAND = 102
    UNKNOWN_ACCOUNT = 103
    CLIENT_IDS_EXHAUSTED = 104
    CLIENT_ID_TAKEN = 105
    UNKNOWN_VENUE = 201
    UNKNOWN_ASSET = 202
    UNKNOWN_INSTRUMENT = 203
    UNKNOWN_QUESTION = 204
    INSTRUMENT_SETTLED = 205
    INSTRUMENT_HALTED = 206
    INSTRUMENT_CANCEL_ONLY = 207
    INSTRUMENT_REDUCE_ONLY = 208
    QUESTION_RESOLVED = 209
    NOT_AN_OUTCOME = 210
    INSTRUMENT_POST_ONLY = 211
    UNKNOWN_CLASSES = 221
    CREDENTIAL_MISSING = 222
    CREDENTIAL_EXPIRED = 223
    CREDENTIAL_FROM_FUTURE = 224
    CREDENTIAL_NOT_NEWER = 225
    CLASSES_MISSING = 226
    CLASSES_FORBIDDEN = 227
    PROFILES_LIMIT = 228
    PAYOUTS_MISNUMBERED = 231
    PAYOUTS_NOT_ONE = 232
    NOT_RESOLVABLE = 233
    HAS_RESOLVERS = 234
    NOT_A_RESOLVER = 235
    WINDOW_NOT_OPEN = 236
    WINDOW_CLOSED = 237
    ALREADY_PROPOSED = 238
    NOTHING_TO_DECIDE = 239
    ALREADY_CHALLENGED = 240
    PARTY_TO_DISPUTE = 241
    ALREADY_VOTED = 242
    RESOLVER_MAY_NOT_STAND = 243
    NO_OUTCOME_LEFT = 244
    NO_OUTCOME_AFTER_CLOSE = 245
    OUTCOME_BEING_ADDED = 246
    AUCTION_UNDER_WAY = 251
    AUCTION_ENDS_NOT_IN_FUTURE = 252
    INSTRUMENT_IN_AUCTION = 253
    INSTRUMENT_UNCROSSING = 254
    ORDERS_ABOVE_CAP = 261
    UNKNOWN_ORDER = 301
    AMEND_WITHOUT_CHANGE = 302
    MARKET_TIF = 303
    POST_ONLY_TIF = 304
    REDUCE_ONLY_SPOT = 305
    EXPIRY_NOT_IN_FUTURE = 306
    PRICE_NOT_POSITIVE = 307
    PRICE_ABOVE_MAX = 308
    QTY_NOT_POSITIVE = 309
    QTY_BELOW_MIN = 310
    QTY_ABOVE_MAX = 311
    MARK_MISSING = 312
    PRICE_OUTSIDE_BAND = 313
    NOTHING_TO_REDUCE = 314
    NOTIONAL_BELOW_MIN = 315
    NOTIONAL_ABOVE_MAX = 316
    OPEN_ORDERS_LIMIT = 317
    ACCOUNT_ORDERS_LIMIT = 318
    ACCOUNT_INSTRUMENTS_LIMIT = 319
    POST_ONLY_WOULD_CROSS = 320
    POSITION_LIMIT = 321
    FOK_NOT_FILLABLE = 322
    UNKNOWN_PUBLISHER = 331
    NOT_A_SOURCE = 332
    EXTERNAL_PRICE_OUT_OF_BOUNDS = 333
    PUBLISHED_IN_FUTURE = 334
    PUBLISHED_NOT_NEWER = 335
    PUBLISHED_STALE = 336
    PRICE_JUMP = 337
    PRICES_HAVE_ORACLE = 338
    COUNTDOWN_OUT_OF_BOUNDS = 341
    TRIGGER_MISSING = 342
    TRIGGERS_CROSS = 343
    SLIPPAGE_OUT_OF_BOUNDS = 344
    TRIGGERS_LIMIT = 345
    TRIGGER_WOULD_FIRE = 346
    PROTECTION_OUT_OF_BOUNDS = 347
    PROTECTION_FROZEN = 348
    REDUCING_LOSS = 349
    DISPLAY_TIF = 351
    DISPLAY_REDUCE_ONLY = 352
    DISPLAY_TOO_SMALL = 353
    DISPLAY_NOT_BELOW_TOTAL = 354
    NOT_AN_ICEBERG = 355
    AMOUNT_NOT_POSITIVE = 401
    AMOUNT_ABOVE_MAX = 402
    SUPPLY_LIMIT = 403
    INSUFFICIENT_BALANCE = 404
    INSUFFICIENT_MARGIN = 405
    ACCOUNTS_LIMIT = 406
    NOT_A_PERPETUAL = 411
    LEVERAGE_OUT_OF_BOUNDS = 412
    UNKNOWN_RECEIVER = 413
    RECEIVER_IS_SENDER = 414
    ANOTHER_OWNER = 415
    PARENT_IS_ISOLATED = 416
    ISOLATED_ACCOUNT_EXISTS = 417
    ACCOUNT_IS_ISOLATED = 418
    INSTRUMENT_IS_ISOLATED = 419
    DEBT_LIMIT = 421
    NOT_LISTED = 431
    OF_ANOTHER_VENUE = 432
    NOBODY_TO_PAY = 433
    NOTHING_TO_COLLECT = 434
    FEE_CAP_OUT_OF_BOUNDS = 435
    FEE_ABOVE_CAP = 436
    REFERRER_OF_ONE_OWNER = 437
    REFERRER_STANDS = 438
    MONEY_IS_SIMULATED = 439
    INSTRUMENT_IS_SIMULATED = 440
    NOT_GENESIS = 501
    MALFORMED_DEPLOYMENT = 502
    SETTLEMENT_ASSET_MISSING = 503
    LIMIT_OF_DEPLOYMENTS = 504
    SYMBOL_INVALID = 505
    SYMBOL_TAKEN = 506
    SPEC_OUT_OF_BOUNDS = 507
    FIELD_IS_FIXED = 521
    NOTHING_CHANGES = 522
    CHANGE_DELAY_TOO_SHORT = 523
    CHANGE_PENDING = 524
    UNKNOWN_CHANGE = 525
    NOT_THE_DEPLOYER = 526
    FEE_ABOVE_CEILING = 527
    OUTCOME_OF_A_QUESTION = 528
    CANNOT_BE_DELISTED = 529
    NO_GOVERNANCE = 531
    GOVERNANCE_STANDS = 532
    NOT_FOR_DEPLOYERS = 533
    NO_FREE_SLOT = 534
    STAKE_TOO_SMALL = 535
    STAKE_LOCKED = 536
    SLOT_TOO_DEAR = 537
    OUTSIDE_MARKET_BOUNDS = 538
    SETS_OUTSTANDING = 539
    VENUE_CLOSED = 541
    VENUE_HAS_MARKETS = 542
    NO_VOTING = 543
    NOT_A_VOTER = 544
    NEEDS_VOTE = 545
    NOT_VOTED_ON = 546
    TOO_MANY_PROPOSALS = 547
    NOT_A_GUARDIAN = 548
    EMERGENCY_RESTS = 549
    HARMED_OUT_OF_ORDER = 551
    HARM_OF_DEPLOYER = 552

class Flags(IntFlag):
    POST_ONLY = 1
    REDUCE_ONLY = 2
    MARKET = 4
    BRACKET = 8
    PROTECTED = 16

class EventFlags(IntFlag):
    NOT_PUBLIC = 16
    OF_TIME = 32
    KEPT_PRIORITY = 64
    RETRY = 128

def bench_commands(
    path: str | PathLike[str], prefill: int, expected: Sequence[int] | None, times_by_kind: bool, /
) -> dict[str, Any]:
    """Runs a file of 64-byte commands of which the first `prefill` are not timed."""

def bench_replay(
    path: str | PathLike[str], commands: int, batch: int, accounts: int, runs: int, /
) -> dict[str, int]:
    """Writes a log of so many commands in frames of one size into a new directory and executes it again."""

def bench_restart(path: str | PathLike[str], accounts: int, orders: int, /) -> dict[str, int]:
    """Builds an exchange in a new directory, takes a snapshot, goes on a little, and opens it again."""

@final
class Remote:
    """A connection to a server. Use `exchange_os.connect`, which speaks whole units."""

    @staticmethod
    def connect(
        address: str,
        key: str,
        secret: bytes | None,
        private_key: bytes | None,
        session: int,
        flags: int,
        next_number: int,
        resume: tuple[int, int] | None,
        events_kept_max: int,
        trades_kept_max: int,
        timeout_ms: int,
        /,
    ) -> Remote: ...
    def logged_on(self) -> tuple[bytes, int, int, int, int, int]: ...
    def position(self) -> tuple[int, int]: ...
    def close(self) -> None: ...
    def closed(self) -> bool: ...
    def submit(self, commands: bytes, /) -> bytes: ...
    def deploy(self, body: bytes, /) -> bytes: ...
    def order(self, record: bytes, /) -> tuple[Any, ...]: ...
    def single(self, record: bytes, /) -> tuple[Any, ...]: ...
    def ask(self, body: bytes, /) -> bytes: ...
    def events_kept(self) -> tuple[int, bytes]: ...
    def trades_kept(self) -> bytes: ...
    def publish(self, on: bool, /) -> None: ...
    def unpublished(self) -> tuple[int, bytes]: ...

@final
class Server:
    """A running server. Python serves what is asked; orders never touch the interpreter."""

    @staticmethod
    def start(
        exchange: Exchange,
        address: str,
        keys: list[tuple[str, bool, bytes, list[str], bytes | None]],
        options: dict[str, Any],
        /,
    ) -> Server: ...
    def address(self) -> tuple[str, int]: ...
    def is_running(self) -> bool: ...
    def stats(self) -> dict[str, int]: ...
    def query(self, method: str, arguments: tuple[Any, ...], /) -> Any: ...
    def next_question(self, timeout_ms: int, /) -> tuple[int, bytes | None, bool, bytes] | None: ...
    def answer(self, ticket: int, body: bytes, /) -> None: ...
    def stop(self) -> None: ...

def bench_wire(
    path: str | PathLike[str],
    rate_per_s: int,
    seconds: int,
    connections: int,
    file: str | PathLike[str] | None,
    prefill: int,
    seed: int,
    accounts: int,
    resting: int,
    durable: bool,
    spin_us: int,
    subscribers: int,
    /,
) -> tuple[str, str, bool]:
    """Runs a load on a new server over a new log: its report in words and as JSON, and whether it passed."""

def bench_wire_prepare(
    path: str | PathLike[str], shape: tuple[int, int, int, int, int], /
) -> tuple[int, int]:
    """Makes the exchange that `steady` begins with: seed, accounts, resting, commands, connections."""

def bench_wire_load(
    address: str, rate_per_s: int, seconds: int, shape: tuple[int, int, int, int, int], /
) -> str:
    """Loads a server over such an exchange, in another process; its report as JSON."""

def bench_workload(
    workload: str, seed: int, accounts: int, resting: int, commands: int, times_by_kind: bool, /
) -> dict[str, Any]:
    """Runs a seeded workload, `steady` or `many`."""

def sim_adl(seed: int, accounts: int, markets: int, /) -> dict[str, Any]:
    """Runs the cascade of a seed under every rule of auto-deleveraging."""

def verify(
    path: str | PathLike[str], quick: bool, progress: Callable[[int, int], object] | None, /
) -> dict[str, Any]:
    """Verifies the log in a directory; `progress` hears bytes done and in all."""

def replay(
    path: str | PathLike[str],
    from_sequence: int,
    to_sequence: int | None,
    use_snapshots: bool,
    on_events: Callable[[bytes], object] | None,
    progress: Callable[[int, int], object] | None,
    /,
) -> dict[str, Any]:
    """Executes the log in a directory again."""

@final
class Inspector:
    """Goes through the frames of a log without executing them."""

    def __new__(cls, path: str | PathLike[str], first: int, last: int, /) -> Inspector: ...
    def end(self) -> int:
        """Sequence of the log's last command."""

    def __iter__(self) -> Inspector: ...
    def __next__(self) -> tuple[int, int, int, int, bytes, str, int, bool, bytes]: ...

@final
class HistoryReader:
    """Follows the log in a directory, whoever writes it, and folds it into rows."""

    def __new__(
        cls,
        path: str | PathLike[str],
        sequence: int,
        number: int,
        standing: list[tuple[int, int, int, bytes]],
        /,
    ) -> HistoryReader: ...
    def sequence(self) -> int:
        """Sequence of the last command that was read."""

    def chain_hash(self) -> bytes:
        """Hash of the chain after that command."""

    def advance(self, to_sequence: int, commands_most: int, /) -> _HistoryBatch | None:
        """Reads what has been written up to a sequence and gives its rows."""

def history_rows(kind: int, rows: bytes, /) -> list[tuple[Any, ...]]:
    """The rows in a chunk, each a tuple of its columns and its text."""

def history_columns(kind: int, /) -> list[str]:
    """Names of the columns of a kind of rows."""

_HistoryBatch = tuple[
    int,
    int,
    int,
    list[tuple[int, int, int, int, int, int, int, int, int, bytes]],
    list[tuple[int, int, int, int, bytes]],
    list[tuple[int, int, int, bytes]],
    list[tuple[int, int, int]],
]
_OrderRow = tuple[int, int, int, bool, int, int | None, int | None, int, int, int, bytes | None]
_OutcomeRow = tuple[int, int, int, bool, int, int, int, int, int, int]
_RestingRow = tuple[int, int, int, int, int, int, int, int, int, int, int, int, bytes, int, int]
_WaitingRow = tuple[
    int, int, int, int, int, int, int, int, int, int, int, int, int, int, int, int, int, bytes, bool
]
_Levels = list[tuple[int, int, int]]

@final
class Exchange:
    """An exchange in this process. Use `exchange_os.Exchange`, which speaks whole units."""

    @staticmethod
    def open(
        path: str | PathLike[str] | None,
        limits: bytes | None,
        durable: bool,
        events_kept_max: int,
        trades_kept_max: int,
        snapshot_every_commands: int | None,
        segment_bytes: int | None,
        fail_at: tuple[int, bool] | None = None,
        /,
    ) -> Exchange:
        """Over a directory, or in memory without one; `limits` is MessagePack, `fail_at` is for tests."""

    def recovery(self) -> tuple[int | None, int, int, int] | None:
        """What opening did: its snapshot, commands executed again, nanoseconds for that and for all."""

    def close(self) -> None:
        """Closes it; a second time does nothing."""

    def closed(self) -> bool:
        """Whether it was closed."""

    def snapshot(self) -> None:
        """Writes a snapshot."""

    def submit(self, commands: bytes, time_ns: int | None, /) -> bytes:
        """A frame of command records; the bytes of its events."""

    def deploy(self, body: bytes, time_ns: int | None, /) -> bytes:
        """A frame that carries one deployment as MessagePack; the bytes of its events."""

    def place(
        self,
        account: int,
        instrument: int,
        side: int,
        price: int,
        qty: int,
        tif: int,
        flags: int,
        self_trade: int,
        venue: int,
        expires_ns: int,
        client_id: bytes | None,
        time_ns: int | None,
        display: int = 0,
        /,
    ) -> _OrderRow:
        """Places one order: ticks and lots in, its outcome as a tuple out."""

    def amend(
        self,
        account: int,
        instrument: int,
        order_id: int,
        price: int,
        qty: int,
        flags: int,
        client_id: bytes | None,
        time_ns: int | None,
        display: int = 0,
        /,
    ) -> _OrderRow:
        """Amends one order: its outcome as a tuple, as of place."""

    def record(self, record: bytes, time_ns: int | None, /) -> _OutcomeRow:
        """A single command given as its record; its outcome event as a tuple."""

    def bracket(self, record: bytes, time_ns: int | None, /) -> _OrderRow:
        """A bracket given as its record; the outcome of its entry as a tuple, as of place."""

    def command(
        self,
        kind: int,
        side: int,
        account: int,
        instrument: int,
        order_id: int,
        price: int,
        qty: int,
        amount: int,
        client_id: bytes | None,
        expires_ns: int,
        time_ns: int | None,
        /,
    ) -> _OutcomeRow:
        """Any other single command: its outcome event as a tuple."""

    def events_kept(self) -> tuple[int, bytes]:
        """The sequence up to which events are no longer kept, and the bytes of those that are."""

    def trades_kept(self) -> bytes:
        """The bytes of recent trades."""

    def publish(self, on: bool, /) -> None:
        """From now on `unpublished` counts, or no longer."""

    def unpublished(self) -> tuple[int, bytes]:
        """How many events subscribers lost, and the bytes of those new to them, which are then seen."""

    def sequence(self) -> int:
        """Sequence of the last command."""

    def time_ns(self) -> int:
        """Logged time of the last command."""

    def state_hash(self) -> bytes:
        """BLAKE3 of the canonical state."""

    def account_count(self) -> int:
        """Accounts are numbered from one to this."""

    def specification(self) -> bytes:
        """Limits and bodies of everything deployed, as MessagePack."""

    def instrument(self, instrument: int) -> tuple[int, int, int, int, int, int | None, int] | None:
        """State, what it accepts, mark, index and last price; price status with an oracle; open interest."""

    def funding(
        self, instrument: int
    ) -> tuple[int, int | None, int | None, int, int | None, bool, list[tuple[int, int, int, int]]] | None:
        """Funding of a perpetual: interval, premium, predicted rate, samples, end, settling, past intervals.

        Rates are in 1e-12. A past interval: time, premium, rate, index.
        """

    def sources(self, instrument: int) -> list[tuple[int, int, int, int, int]]:
        """Publisher, weight, price, external price and time of each source of an instrument."""

    def question(self, question: int) -> tuple[int, int, list[int], bool, int] | None:
        """Of a question: complete sets outstanding, the outcome with all of the unit (0: none yet), each
        outcome's share in ppm once it is decided, whether everybody is paid, the outcome that is being added
        (0: none).
        """

    def credential(self, account: int) -> tuple[int, int, int, bytes] | None:
        """Classes, end, time of issue and hash of an account's last credential."""

    def auction(self, instrument: int) -> tuple[int, bool, int, int, int, int, int] | None:
        """Its end, whether it is priced, price, lots, imbalance, reference, lots filled."""

    def governance(self) -> bytes:
        """Announced changes and what else governs markets, as MessagePack by field name."""

    def fee_rates(
        self, account: int, venue: int, instrument: int
    ) -> tuple[tuple[int, int] | None, int, int, int, int | None] | None:
        """What an account is charged through a venue on an instrument (0: by the venue's own fees)."""

    def is_simulated(self, account: int) -> bool:
        """Whether the money of an account is worthless."""

    def referrer(self, account: int) -> int | None:
        """The account that brought an account."""

    def open_slashes(self, account: int) -> int:
        """Atoms of a deployer's stake that open proposals would slash."""

    def locked_stake(self, account: int) -> int:
        """Atoms of a deployer's stake that its markets lock now."""

    def slot_price(self, time_ns: int | None = None) -> int | None:
        """What a slot costs at a logged time (None: the last frame's), atoms; None without governance."""

    def resolution(
        self, question: int
    ) -> (
        tuple[
            int,
            int,
            int,
            tuple[int, int, int],
            int,
            list[tuple[int, list[int]]],
            list[tuple[int, list[int]]],
            int,
            bytes,
        ]
        | None
    ):
        """How far the resolvers of a question are; None: it has none.

        Stage, how it was decided, end of the stage, times of proposal, challenge and decision, challenger,
        proposals and votes as account and payouts in ppm, bonds held, BLAKE3 of the rule.
        """

    def family(self, account: int) -> tuple[bytes, tuple[int, int] | None, list[tuple[int, int]]] | None:
        """The owner; parent and perpetual if it is isolated; its isolated accounts: perpetual, number."""

    def balance(self, account: int, asset: int) -> tuple[int, int] | None:
        """Total and held of an account in an asset."""

    def balances(self, account: int) -> list[tuple[int, int, int]] | None:
        """Asset, total, held; every asset of which the account has something."""

    def positions(
        self, account: int
    ) -> list[tuple[int, int, int, int, int, int, int, int, int | None]] | None:
        """Instrument, lots, cost, realised, unrealised, buys, sells, maintenance, liquidation price."""

    def orders(self, account: int) -> list[_RestingRow] | None:
        """The resting orders of an account, by id; see `order`."""

    def order(self, order_id: int) -> _RestingRow | None:
        """A resting order.

        order_id, account, instrument, side, price, qty, remaining, tif, flags, self_trade, venue, expires_ns,
        client_id, display, shown.
        """

    def triggers(self, account: int) -> list[_WaitingRow] | None:
        """The orders of an account that wait for a price, by id."""

    def protection(
        self, account: int, instrument: int
    ) -> tuple[int, int, int, int, int, int, int, int] | None:
        """Limits of lots and delta, window, freeze, begin of the window, lots, delta, end of the freeze."""

    def countdown(self, account: int) -> int | None:
        """When the countdown of an account runs out, logged time; 0: none runs."""

    def preview(
        self,
        account: int,
        instrument: int,
        side: int,
        price: int,
        qty: int,
        tif: int,
        flags: int,
        self_trade: int,
        venue: int,
        expires_ns: int,
        display: int = 0,
        /,
    ) -> list[int] | None:
        """Of an order not placed: reject, value, limit, lots taken, two liquidation prices, amounts."""

    def risk(self, account: int) -> tuple[int, int, int, int, int, int, list[tuple[int, int]], int] | None:
        """As `RiskSummary`; before the last number the worst case by question."""

    def scenario_risk(
        self, account: int
    ) -> tuple[bool, list[tuple[int, list[int], list[tuple[int, int]]]]] | None:
        """Whether in scenario mode; underlying, margins with and without offsets, losses and offsets."""

    def book(
        self, instrument: int, depth: int, reach: tuple[int, int] | None = None, /
    ) -> tuple[int, _Levels, _Levels]:
        """Sequence, price, lots, orders of the best levels; of those that classes reach through a venue."""

    def book_with_implied(
        self, instrument: int, depth: int
    ) -> tuple[int, list[tuple[int, int, int, int]], list[tuple[int, int, int, int]]]:
        """Sequence, and price, lots, orders, implied lots of the best levels of bids and asks."""

    def liquidations(self) -> list[tuple[int, int, int, int, tuple[int, int] | None]]:
        """Account, next visit, equity and requirement of every account in liquidation; start and what was
        freed, if it has a clock."""

    def debt(self, account: int, /) -> tuple[int, list[tuple[int, int, int, int, int]]] | None:
        """What an account owes; asset, instrument, lots, lowest price and value of what may be sold."""

    def deleveraging(
        self, instrument: int, long: bool, lots: int, /
    ) -> list[tuple[int, int, int, int, int, int, int]]:
        """Account, lots, lots asked first, leverage, share, queue rank and candidates of one side."""

    def house(self) -> list[tuple[str, int, int, int]]:
        """Kind and number of every house account, an asset and what it has of it."""

    def conservation(self) -> list[tuple[int, int, int]]:
        """For every asset the sum over all users and over all house accounts."""
