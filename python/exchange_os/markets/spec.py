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
from exchange_os.markets.model import Number, Strict
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

    symbol: str
    decimals: Annotated[
        int, Field(ge=0, le=1_000)
    ]  # the engine has the true bound; this one keeps 10^decimals short
    debt_max: Number | None = None
    """Of the settlement asset: the most that one account may owe; beyond it its collateral is converted."""
    debt_interest_ppm: int = 0
    """Of the settlement asset: interest on what accounts owe, a year, charged by the hour."""


class Class(Strict):
    """Something that an issuer vouches for of an account. Only with `counterparty` may the counterparty rule
    of a venue name it: such classes divide the books."""

    symbol: str
    counterparty: bool = False


class Key(Strict):
    """A public key as JWK (RFC 7517): Ed25519 (`kty` OKP) or P-256 (`kty` EC, with `y`)."""

    kid: str
    kty: Literal["OKP", "EC"]
    crv: Literal["Ed25519", "P-256"]
    x: str
    y: str | None = None


class Issuer(Strict):
    """Who signs credentials: `id` is the `iss` of its documents, `classes` are those that it may give.

    It is not deployed: gateways check documents against it.
    """

    id: str
    name: str
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

    spot: int = 0
    perpetual: int = 0
    question: int = 0
    venue: int = 0


class MarketBounds(Strict):
    """Hard bounds above every market; 0: none. The draw on insurance is that of deployers' perpetuals."""

    leverage_max: int = 0
    maintenance_ppm_min: int = 0
    fee_ppm_max: int = 0
    band_ppm_max: int = 0
    mark_band_ppm_max: int = 0
    sources_min: int = 0
    funding_cap: Number = Decimal(0)
    """Most of a funding rate, as a part of the notional ("0.01")."""
    insurance_draw_max: Number = Decimal(0)
    """In whole units of the settlement asset."""


class Voter(Strict):
    """An account that votes. Its number need not stand yet: accounts get theirs in order of opening."""

    account: int
    weight: int = 1


class Voting(Strict):
    """Who votes on acts of governance, and who may act in an emergency."""

    voters: list[Voter]
    quorum_ppm: int
    """Part of all weights that has to vote."""
    majority_ppm: int
    """Part of the weights that vote that has to be in favour; above 500,000."""
    voting_s: int
    time_lock_s: int
    """From the end of a vote to the effect of its act; no less than `change_delay_s_min`."""
    binds_operator: bool = False
    """Whether the operator changes markets by votes only."""
    guardians: list[int] = []
    emergency_s: int = 0


class Governance(Strict):
    """Who else than the operator may deploy: stakes, slots, bounds. Declared once, then changed by votes."""

    stake_asset: str
    stakes: ByKind
    slots: SlotsByKind
    slot_price_min: Number
    slot_auction_s: int
    release_wait_s: int
    bounds: MarketBounds = MarketBounds()
    voting: Voting | None = None


class Publisher(Strict):
    """Who tells prices. `key`: 32 bytes in hexadecimal, with which its messages are signed."""

    symbol: str
    key: str


class Source(Strict):
    """A publisher of an instrument and how much it counts."""

    publisher: str
    weight: int = 1


class Oracle(Strict):
    """Where index and mark of an instrument come from."""

    sources: list[Source]
    sources_min: int
    stale_after_ms: int = 10_000
    deviation_ppm: int = 50_000
    step_max_ppm: int = 0
    mark_band_ppm: int = 50_000
    reopen_ms: int = 10_000


class Funding(Strict):
    """What the sides of a perpetual pay each other. Rates are exact decimals: "0.0001" is 0.01 %."""

    interval_h: Literal[1, 4, 8] = 8
    interest: Number = Decimal("0.0001")
    clamp: Number = Decimal("0.0005")
    cap: Number = Decimal("0.04")
    impact_notional: Number
    sample_s: int = 5


class Phases(Strict):
    """Until `opens` orders collect for an auction; from `closes` on only cancels count. Neither changes.

    `reopen_auction_s`: length of the auction that follows a halt, or a restart; 0: none.
    """

    opens: AwareDatetime | None = None
    closes: AwareDatetime | None = None
    reopen_auction_s: int = 0


class Terms(Strict):
    """What instruments and questions have in common.

    `venue`: the only one whose orders are taken; left out: every venue's. `fees_to`: the account that the
    deployer's share of fees is paid to, 0: nobody yet.
    """

    symbol: str
    tick_size: Number
    lot_size: Number
    qty_min: Number | None = None
    qty_max: Number
    notional_min: Number = Decimal(0)
    notional_max: Number
    orders_per_account_max: int = 200
    fees: Fees = Fees()
    split: Split = Split(protocol_ppm=1_000_000)
    matching: MatchingName = "maker_first"
    venue: str | None = None
    fees_to: int = 0
    phases: Phases | None = None


class CollateralTier(Strict):
    """Amount of the base up to which a haircut counts; above the last tier nothing counts."""

    up_to: Number
    haircut_ppm: int


class Halt(Strict):
    """Volatility halt: how far from the price a window ago a trade may print, and how trading reopens."""

    move_ppm: int
    window_s: int = 60
    pause_s: int = 60
    post_only_s: int = 10


class Spot(Terms):
    """Exchange of two assets: price in whole quote units for one whole base unit."""

    product: Literal["spot"]
    base: str
    quote: str
    price_max: Number
    band_ppm: int = 0
    oracle: Oracle | None = None
    halt: Halt | None = None
    collateral: list[CollateralTier] = []
    conversion_slippage_ppm: int | None = None


class MarginTier(Strict):
    """Rates of the part of a position above a notional."""

    notional_from: Number
    initial_margin_ppm: int
    maintenance_margin_ppm: int


class OpenInterestScaling(Strict):
    """Open interest, as notional, between whose bounds the initial margin rises to the whole notional."""

    lower: Number
    upper: Number


class Tranche(Strict):
    """The market's liquidity tranche: an account that takes positions over, up to a notional."""

    account: int
    notional_max: Number


class Hedge(Strict):
    """A balance that hedges shorts: deleveraging asks hedged lots last."""

    asset: str
    atoms_per_lot: int


class Growth(Strict):
    """A shortage that liquidation frees little by little: min(1, time / duration + initial) of it."""

    duration_s: int
    initial_ppm: int = 100_000
    small_shortage: Number = Decimal(50)


class Liquidation(Strict):
    """How positions are closed when an account falls below its maintenance margin."""

    policy: Literal["ladder", "full", "growing"] = "ladder"
    slice_ppm: int = 200_000
    full_below: Number = Decimal(100_000)
    cooldown_ms: int = 30_000
    fee_ppm: int = 0
    backstop_ppm: int = 666_667
    insurance_draw_max: Number = Decimal(1_000_000)
    tranche: Tranche | None = None
    hedge: Hedge | None = None
    growth: Growth | None = None
    price: Literal["bankruptcy", "fillable"] = "bankruptcy"
    spread_ppm: int | None = None


class Perpetual(Terms):
    """A perpetual future settled in the settlement asset."""

    product: Literal["perpetual"]
    initial_margin_ppm: int
    maintenance_margin_ppm: int
    price_max: Number
    position_max: Number
    band_ppm: int = 0
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

    symbol: str
    name: str


class Resolution(Strict):
    """Who decides a question and how. Resolvers are accounts, bonds amounts of the settlement asset. A void
    question pays `void`: of each outcome its share of the unit, in all 1."""

    rule: str
    sources: list[str]
    closes: AwareDatetime
    propose_s: int = 86_400
    resolvers: list[int]
    bond: Number
    challenge_s: int = 7_200
    second_resolvers: list[int]
    second_bond: Number
    quorum: int
    decide_s: int = 259_200
    void: dict[str, Number]
    dispute_risk: bool = False


class Scenario(Strict):
    """A move of all prices of an underlying, and the part of profit and loss in it that counts."""

    shock_ppm: int
    weight_ppm: int = 1_000_000


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

    symbol: str
    instruments: list[str]
    scenarios: list[Scenario] = USUAL_SCENARIOS
    maintenance_ppm: int = 500_000
    floor_ppm: int = 10_000
    width_ppm: int = 20_000


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

    text: str
    outcomes: list[Outcome]
    unit: Number = Decimal(1)
    position_max: Number
    resolution: Resolution | None = None
    implied: bool = False
    link: Link | None = None
    any_other: str | None = None
    outcomes_max: int | None = None


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
