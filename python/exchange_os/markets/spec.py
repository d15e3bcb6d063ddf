"""A market file as typed models: what a deployer writes, in whole units and exact decimal text.

Ratios are integers in parts per million with the unit in the name. Everything else that is not a count is a
decimal number in whole units, written as text ("0.1") or as a whole number; TOML floats are refused, because
they have no exact decimal value.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import msgspec
from pydantic import AwareDatetime, BeforeValidator, Field, WithJsonSchema, create_model
from pydantic_core import PydanticCustomError

from exchange_os import _core
from exchange_os.bounds import shown
from exchange_os.markets.model import Count, Large, Number, Ppm, Small, Strict, Symbol, Text
from exchange_os.markets.venues import Fees, Split, Venue


def _word(value: object) -> object:
    names = [name.lower() for name in _core.Matching.__members__]
    if value not in names:
        raise PydanticCustomError(
            "word",
            "{value} is no execution order, expected one of {names}",
            {"value": repr(value), "names": ", ".join(names)},
        )
    return value


MatchingName = Annotated[
    str,
    BeforeValidator(_word),
    WithJsonSchema({"enum": [name.lower() for name in _core.Matching.__members__]}),
]

LIMIT_DEFAULTS: dict[str, int] = msgspec.msgpack.decode(_core.default_limits())
"""Every declared limit and its value where the file says nothing, asked from Rust."""

if TYPE_CHECKING:
    Limits: TypeAlias = Strict
else:
    Limits = create_model(
        "Limits",
        __base__=Strict,
        __doc__="The declared limits of a new exchange; what is not given keeps its default.",
        **{
            name: (Annotated[int, Field(ge=int(name != "change_delay_s_min"))], value)
            for name, value in LIMIT_DEFAULTS.items()
        },
    )


class Asset(Strict):
    """What a balance holds. The first asset of an exchange is its settlement asset."""

    symbol: Symbol
    decimals: Annotated[
        int, Field(ge=0, le=255)
    ]  # the engine has the true bound; this one is that of the field, and keeps 10^decimals short
    debt_max: Number | None = None
    """Of the settlement asset: the most that one account may owe; beyond it its collateral is converted."""
    debt_interest_ppm: Ppm = 0
    """Of the settlement asset: interest on what accounts owe, a year, charged by the hour."""


class Class(Strict):
    """Something that an issuer vouches for of an account. Only with `counterparty` may the counterparty rule
    of a venue name it: such classes divide the books."""

    symbol: Symbol
    counterparty: bool = False


class Key(Strict):
    """A public key as JWK (RFC 7517): Ed25519 (`kty` OKP) or P-256 (`kty` EC, with `y`)."""

    kid: Text
    kty: Literal["OKP", "EC"]
    crv: Literal["Ed25519", "P-256"]
    x: str
    y: str | None = None


class Issuer(Strict):
    """Who signs credentials: `id` is the `iss` of its documents, `classes` are those that it may give.

    It is not deployed: gateways check documents against it.
    """

    id: str
    name: Text
    classes: list[str]
    keys: list[Key]


class ByKind(Strict):
    """A number for each kind of market."""

    spot: Number = Decimal(0)
    perpetual: Number = Decimal(0)
    question: Number = Decimal(0)
    venue: Number = Decimal(0)


class SlotsByKind(Strict):
    """Slots for each kind of market."""

    spot: Small = 0
    perpetual: Small = 0
    question: Small = 0
    venue: Small = 0


class MarketBounds(Strict):
    """Hard bounds above every market; 0: none. The draw on insurance is that of deployers' perpetuals."""

    leverage_max: Count = 0
    maintenance_ppm_min: Ppm = 0
    fee_ppm_max: Ppm = 0
    band_ppm_max: Ppm = 0
    mark_band_ppm_max: Ppm = 0
    sources_min: Count = 0
    funding_cap: Number = Decimal(0)
    """Most of a funding rate, as a part of the notional ("0.01")."""
    insurance_draw_max: Number = Decimal(0)
    """In whole units of the settlement asset."""


class Voter(Strict):
    """An account that votes. Its number need not stand yet: accounts get theirs in order of opening."""

    account: Count
    weight: Count = 1


class Voting(Strict):
    """Who votes on acts of governance, and who may act in an emergency."""

    voters: list[Voter]
    quorum_ppm: Ppm
    """Part of all weights that has to vote."""
    majority_ppm: Ppm
    """Part of the weights that vote that has to be in favour; above 500,000."""
    voting_s: Count
    time_lock_s: Count
    """From the end of a vote to the effect of its act; no less than `change_delay_s_min`."""
    binds_operator: bool = False
    """Whether the operator changes markets by votes only."""
    guardians: list[Count] = []
    emergency_s: Count = 0


class Governance(Strict):
    """Who else than the operator may deploy: stakes, slots, bounds. Declared once, then changed by votes."""

    stake_asset: str
    stakes: ByKind
    slots: SlotsByKind
    slot_price_min: Number
    slot_auction_s: Count
    release_wait_s: Count
    bounds: MarketBounds = MarketBounds()
    voting: Voting | None = None


class Publisher(Strict):
    """Who tells prices. `key`: 32 bytes in hexadecimal, with which its messages are signed."""

    symbol: Symbol
    key: str


class Source(Strict):
    """A publisher of an instrument and how much it counts."""

    publisher: str
    weight: Count = 1


class Oracle(Strict):
    """Where index and mark of an instrument come from."""

    sources: list[Source]
    sources_min: Count
    stale_after_ms: Count = 10_000
    deviation_ppm: Ppm = 50_000
    step_max_ppm: Ppm = 0
    mark_band_ppm: Ppm = 50_000
    reopen_ms: Count = 10_000


def _whole(value: object) -> object:
    # A literal takes what is equal to it: true is 1, and 8.0 is 8.
    if isinstance(value, bool | float):
        raise PydanticCustomError(
            "word", "input should be 1, 4 or 8, given was {value}", {"value": shown(repr(value))}
        )
    return value


Hours = Annotated[Literal[1, 4, 8], BeforeValidator(_whole)]


class Funding(Strict):
    """What the sides of a perpetual pay each other. Rates are exact decimals: "0.0001" is 0.01 %."""

    interval_h: Hours = 8
    interest: Number = Decimal("0.0001")
    clamp: Number = Decimal("0.0005")
    cap: Number = Decimal("0.04")
    impact_notional: Number
    sample_s: Count = 5


class Phases(Strict):
    """Until `opens` orders collect for an auction; from `closes` on only cancels count. Neither changes.

    `reopen_auction_s`: length of the auction that follows a halt, or a restart; 0: none.
    """

    opens: AwareDatetime | None = None
    closes: AwareDatetime | None = None
    reopen_auction_s: Count = 0


class Terms(Strict):
    """What instruments and questions have in common.

    `venue`: the only one whose orders are taken; left out: every venue's. `fees_to`: the account that the
    deployer's share of fees is paid to, 0: nobody yet.
    """

    symbol: Symbol
    tick_size: Number
    lot_size: Number
    qty_min: Number | None = None
    qty_max: Number
    notional_min: Number = Decimal(0)
    notional_max: Number
    orders_per_account_max: Count = 200
    fees: Fees = Fees()
    split: Split = Split(protocol_ppm=1_000_000)
    matching: MatchingName = "maker_first"
    venue: str | None = None
    fees_to: Count = 0
    phases: Phases | None = None


class CollateralTier(Strict):
    """Amount of the base up to which a haircut counts; above the last tier nothing counts."""

    up_to: Number
    haircut_ppm: Ppm


class Halt(Strict):
    """Volatility halt: how far from the price a window ago a trade may print, and how trading reopens."""

    move_ppm: Ppm
    window_s: Count = 60
    pause_s: Count = 60
    post_only_s: Count = 10


class Spot(Terms):
    """Exchange of two assets: price in whole quote units for one whole base unit."""

    product: Literal["spot"]
    base: str
    quote: str
    price_max: Number
    band_ppm: Ppm = 0
    oracle: Oracle | None = None
    halt: Halt | None = None
    collateral: list[CollateralTier] = []
    conversion_slippage_ppm: Ppm | None = None


class MarginTier(Strict):
    """Rates of the part of a position above a notional."""

    notional_from: Number
    initial_margin_ppm: Ppm
    maintenance_margin_ppm: Ppm


class OpenInterestScaling(Strict):
    """Open interest, as notional, between whose bounds the initial margin rises to the whole notional."""

    lower: Number
    upper: Number


class Tranche(Strict):
    """The market's liquidity tranche: an account that takes positions over, up to a notional."""

    account: Count
    notional_max: Number


class Hedge(Strict):
    """A balance that hedges shorts: deleveraging asks hedged lots last."""

    asset: str
    atoms_per_lot: Large


class Growth(Strict):
    """A shortage that liquidation frees little by little: min(1, time / duration + initial) of it."""

    duration_s: Count
    initial_ppm: Ppm = 100_000
    small_shortage: Number = Decimal(50)


class Liquidation(Strict):
    """How positions are closed when an account falls below its maintenance margin."""

    policy: Literal["ladder", "full", "growing"] = "ladder"
    slice_ppm: Ppm = 200_000
    full_below: Number = Decimal(100_000)
    cooldown_ms: Count = 30_000
    fee_ppm: Ppm = 0
    backstop_ppm: Ppm = 666_667
    insurance_draw_max: Number = Decimal(1_000_000)
    tranche: Tranche | None = None
    hedge: Hedge | None = None
    growth: Growth | None = None
    price: Literal["bankruptcy", "fillable"] = "bankruptcy"
    spread_ppm: Ppm | None = None


class Perpetual(Terms):
    """A perpetual future settled in the settlement asset."""

    product: Literal["perpetual"]
    initial_margin_ppm: Ppm
    maintenance_margin_ppm: Ppm
    price_max: Number
    position_max: Number
    band_ppm: Ppm = 0
    tiers: list[MarginTier] = []
    open_interest_scaling: OpenInterestScaling | None = None
    margin_mode: Literal["cross", "isolated"] = "cross"
    liquidation: Liquidation | None = None
    halt: Halt | None = None
    oracle: Oracle | None = None
    funding: Funding | None = None


Instrument = Annotated[Spot | Perpetual, Field(discriminator="product")]


class Outcome(Strict):
    """One outcome of a question; it becomes an instrument."""

    symbol: Symbol
    name: Text


class Resolution(Strict):
    """Who decides a question and how. Resolvers are accounts, bonds amounts of the settlement asset. A void
    question pays `void`: of each outcome its share of the unit, in all 1. `bond` is the least for a proposal
    and a challenge; with `bond_share_ppm` it is that part of what the complete sets are worth then, if that
    is more."""

    rule: Text
    sources: list[str]
    closes: AwareDatetime
    propose_s: Count = 86_400
    resolvers: list[Count]
    bond: Number
    bond_share_ppm: Ppm = 0
    challenge_s: Count = 7_200
    second_resolvers: list[Count]
    second_bond: Number
    quorum: Count
    decide_s: Count = 259_200
    void: dict[str, Number]
    dispute_risk: bool = False


class Scenario(Strict):
    """A move of all prices of an underlying, and the part of profit and loss in it that counts."""

    shock_ppm: Ppm
    weight_ppm: Ppm = 1_000_000


USUAL_SCENARIOS = [
    *(
        Scenario(shock_ppm=shock)
        for shock in (-160_000, -120_000, -80_000, -40_000, 40_000, 80_000, 120_000, 160_000)
    ),
    Scenario(shock_ppm=-660_000, weight_ppm=240_000),
    Scenario(shock_ppm=-330_000, weight_ppm=480_000),
    Scenario(shock_ppm=500_000, weight_ppm=320_000),
    Scenario(shock_ppm=1_000_000, weight_ppm=160_000),
    Scenario(shock_ppm=2_000_000, weight_ppm=80_000),
    Scenario(shock_ppm=3_000_000, weight_ppm=53_300),
    Scenario(shock_ppm=4_000_000, weight_ppm=40_000),
    Scenario(shock_ppm=5_000_000, weight_ppm=32_000),
]


class Underlying(Strict):
    """Perpetuals whose prices move together: in scenario mode they are margined as one, with questions."""

    symbol: Symbol
    instruments: list[str]
    scenarios: list[Scenario] = USUAL_SCENARIOS
    maintenance_ppm: Ppm = 500_000
    floor_ppm: Ppm = 10_000
    width_ppm: Ppm = 20_000


class Link(Strict):
    """Where the outcomes of a question lie on the price of a perpetual of an underlying.

    `bounds` are the prices between them, one less than outcomes. Each outcome wins from its lower bound on,
    below its upper one; the first listed is the lowest, or the highest if `order` is "falling".
    """

    underlying: str
    instrument: str
    bounds: list[Number]
    order: Literal["rising", "falling"] = "rising"


class Question(Terms):
    """Mutually exclusive outcomes, exactly one of which pays `unit` of the settlement asset for a share.

    With `any_other`, the outcome that wins if none of the others does, up to `outcomes_max` may be added.
    """

    text: Text
    outcomes: list[Outcome]
    unit: Number = Decimal(1)
    position_max: Number
    resolution: Resolution | None = None
    implied: bool = False
    link: Link | None = None
    any_other: str | None = None
    outcomes_max: Count | None = None


class MarketFile(Strict):
    """A whole file."""

    limits: Limits | None = None
    assets: list[Asset] = Field(default=[], alias="asset")
    governance: Governance | None = None
    classes: list[Class] = Field(default=[], alias="class")
    venues: list[Venue] = Field(default=[], alias="venue")
    issuers: list[Issuer] = Field(default=[], alias="issuer")
    publishers: list[Publisher] = Field(default=[], alias="publisher")
    instruments: list[Instrument] = Field(default=[], alias="instrument")
    underlyings: list[Underlying] = Field(default=[], alias="underlying")
    questions: list[Question] = Field(default=[], alias="question")
