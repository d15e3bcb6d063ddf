//! Rare commands with long bodies: MessagePack of a typed struct, fields by name.
//!
//! Amounts of atoms travel as decimal strings, because MessagePack has no 128-bit integer.

use crate::atoms;
use crate::{
    ClassSpec, DeployAs, Fees, FundingSpec, GovernanceSpec, InstrumentUpdate, Limits, LiquidationSpec,
    Matching, OracleSpec, OutcomeAddition, Phases, ProposeAct, PublisherSpec, QuestionPayouts, QuestionSpec,
    QuestionUpdate, Split, UnderlyingSpec, VenueSpec, VenueUpdate,
};
use serde::{Deserialize, Serialize};
use xos_units::Amount;

/// What a variable frame carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
// One lives at a time, for as long as it takes to read.
#[allow(clippy::large_enum_variant)]
pub enum DeployCommand {
    /// The limits; only as the first command of a log.
    Genesis(Limits),
    /// A new asset; the first one is the settlement asset.
    Asset(AssetSpec),
    /// A new venue.
    Venue(VenueSpec),
    /// A new spot instrument or perpetual.
    Instrument(InstrumentSpec),
    /// A new publisher of prices.
    Publisher(PublisherSpec),
    /// A new credential class.
    Class(ClassSpec),
    /// A new underlying: perpetuals whose prices move together.
    Underlying(UnderlyingSpec),
    /// A new question with its outcomes, each an instrument.
    Question(QuestionSpec),
    /// The operator settles a question.
    SettleQuestion(QuestionPayouts),
    /// A resolver proposes payouts.
    ProposeResolution(QuestionPayouts),
    /// A resolver of the second set votes for payouts.
    DecideResolution(QuestionPayouts),
    /// A change of a spot instrument or perpetual is announced.
    UpdateInstrument(Box<InstrumentUpdate>),
    /// A change of a venue is announced.
    UpdateVenue(Box<VenueUpdate>),
    /// A change of the terms of a question's outcomes is announced.
    UpdateQuestion(Box<QuestionUpdate>),
    /// The operator adds an outcome to a question that takes them.
    AddOutcome(OutcomeAddition),
    /// The terms of governance.
    Governance(Box<GovernanceSpec>),
    /// A deployer brings a market.
    DeployAs(Box<DeployAs>),
    /// A voter proposes an act of governance.
    ProposeAct(Box<ProposeAct>),
}

impl DeployCommand {
    /// From the bytes of a variable frame.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let mut source = std::io::Cursor::new(bytes);
        let command = rmp_serde::from_read(&mut source).map_err(|error| error.to_string())?;
        match bytes.len() as u64 - source.position() {
            0 => Ok(command),
            left => Err(format!("{left} bytes follow the specification")),
        }
    }

    /// To the bytes of a variable frame.
    pub fn to_bytes(&self) -> Vec<u8> {
        rmp_serde::to_vec_named(self).expect("a specification always serialises")
    }
}

/// An asset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssetSpec {
    /// Unique among assets.
    pub symbol: String,
    /// One whole unit is 10^decimals atoms; at most 18.
    pub decimals: u8,
    /// Of the settlement asset: the most atoms that one account may owe. An order that could lead beyond it is refused;
    /// beyond it the account's other collateral is converted. None: a debt is bounded by margin alone.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "atoms::optional")]
    pub debt_max: Option<Amount>,
    /// Of the settlement asset: interest on what accounts owe, a year, charged by the hour; 0: none.
    #[serde(default, skip_serializing_if = "is_free")]
    pub debt_interest_ppm: i32,
}

fn is_free(ppm: &i32) -> bool {
    *ppm == 0
}

impl AssetSpec {
    /// An asset without anything that may be left out.
    pub fn new(symbol: String, decimals: u8) -> Self {
        Self { symbol, decimals, debt_max: None, debt_interest_ppm: 0 }
    }
}

/// What every product has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstrumentTerms {
    /// `k`: quote atoms of one tick times one lot; at least 1.
    pub quote_atoms_per_tick_lot: u32,
    /// One tick in whole quote units per whole base unit, for display ("0.1").
    pub tick_size: String,
    /// One lot in whole base units, for display ("0.001").
    pub lot_size: String,
    /// Highest price, ticks.
    pub price_max_ticks: i64,
    /// Least order quantity, lots.
    #[serde(default = "one")]
    pub qty_min_lots: i64,
    /// Most order quantity, lots.
    pub qty_max_lots: i64,
    /// Least order notional, quote atoms.
    #[serde(default, with = "atoms")]
    pub notional_min: Amount,
    /// Most order notional, quote atoms.
    #[serde(with = "atoms")]
    pub notional_max: Amount,
    /// Most lots of one account's position with its orders, either side (perpetual and outcome).
    pub position_max_lots: i64,
    /// Most resting orders of one account here.
    pub orders_per_account_max: u32,
    /// Distance from the mark at which buys above and sells below are refused, ppm; 0: no band.
    #[serde(default)]
    pub band_ppm: i32,
    /// Fees.
    #[serde(default)]
    pub fees: Fees,
    /// Who receives them.
    #[serde(default)]
    pub split: Split,
    /// Execution order inside a frame.
    #[serde(default = "maker_first", with = "matching_name")]
    pub matching: Matching,
    /// Account that may be paid the deployer's share of fees; 0: nobody yet.
    #[serde(default, skip_serializing_if = "crate::venue::is_nobody")]
    pub fees_to: u32,
    /// The only venue whose orders it takes; 0: every venue's.
    #[serde(default, skip_serializing_if = "is_shared")]
    pub venue: u16,
    /// When it trades, and how it reopens; left out: always, and at once.
    #[serde(default, skip_serializing_if = "Phases::are_none")]
    pub phases: Phases,
}

/// Spot or perpetual.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Product {
    /// Exchange of two assets.
    Spot {
        /// Asset id of what is bought.
        base: u32,
        /// Asset id of what is paid.
        quote: u32,
        /// Base atoms of one lot; at least 1.
        base_atoms_per_lot: u64,
    },
    /// A perpetual future settled in the settlement asset.
    Perpetual {
        /// Initial margin, ppm of notional at mark; at least the maintenance margin.
        initial_margin_ppm: i32,
        /// Maintenance margin, ppm of notional at mark.
        maintenance_margin_ppm: i32,
    },
}

/// A margin tier above the first, whose rates the product has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MarginTier {
    /// Notional at mark above which the rates count, settlement atoms; more than the tier before.
    #[serde(with = "atoms")]
    pub notional_from: Amount,
    /// Initial margin of what is above, ppm; at least that of the tier before.
    pub initial_ppm: i32,
    /// Maintenance margin of what is above, ppm; at least that of the tier before, at most the initial one.
    pub maintenance_ppm: i32,
}

/// Open interest between whose bounds the initial margin rate rises from the first tier's to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenInterestBounds {
    /// Notional at mark up to which nothing changes, settlement atoms.
    #[serde(with = "atoms")]
    pub lower: Amount,
    /// Notional from which on a position needs all of its value; above `lower`.
    #[serde(with = "atoms")]
    pub upper: Amount,
}

/// A tier of the base asset of a spot instrument as collateral.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CollateralTier {
    /// Lots of one account up to which the haircut counts; above the last tier nothing counts.
    pub up_to_lots: i64,
    /// Taken off the value at the index price, ppm; at least that of the tier before.
    pub haircut_ppm: i32,
}

/// Margin terms of a perpetual beyond its first pair of rates.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MarginSpec {
    /// Tiers above the first; at most [`MarginSpec::TIERS_MAX`].
    #[serde(default)]
    pub tiers: Vec<MarginTier>,
    /// None: the rate does not depend on open interest.
    #[serde(default)]
    pub open_interest_scaling: Option<OpenInterestBounds>,
}

impl MarginSpec {
    /// Most tiers above the first.
    pub const TIERS_MAX: usize = 16;
}

/// A spot instrument or a perpetual.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstrumentSpec {
    /// Unique among instruments.
    pub symbol: String,
    /// Spot or perpetual.
    pub product: Product,
    /// What every product has.
    pub terms: InstrumentTerms,
    /// Tiers and scaling of a perpetual; none: one tier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin: Option<MarginSpec>,
    /// Publishers of its prices; none: index and mark are set by command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oracle: Option<OracleSpec>,
    /// Funding of a perpetual; none: nobody pays any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub funding: Option<Box<FundingSpec>>,
    /// Makes the base of a spot instrument against the settlement asset collateral, whole lots at its index price; at
    /// most [`InstrumentSpec::COLLATERAL_TIERS_MAX`] tiers. Empty: it is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub collateral: Vec<CollateralTier>,
    /// How far below its index price such collateral may be sold for a debt of its owner, ppm, at most the haircut of the
    /// first tier, so that no sale lowers equity; none: it is not sold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversion_slippage_ppm: Option<i32>,
    /// Liquidation of a perpetual; none: its positions are never liquidated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub liquidation: Option<Box<LiquidationSpec>>,
    /// A perpetual that only isolated accounts may trade.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub isolated_only: bool,
    /// Volatility halt; none: no move stops it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub halt: Option<Box<HaltSpec>>,
}

/// When an instrument stops by itself, and how it reopens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HaltSpec {
    /// Furthest that a trade may print from the reference, ppm of it; 1 to 999,999.
    pub move_ppm: i32,
    /// The reference is the price this long ago, seconds; 1 to 600.
    pub window_s: u32,
    /// Length of a halt in logged time, seconds; 1 to 86,400.
    pub pause_s: u32,
    /// Time with post-only orders after it, seconds; 0 to 86,400.
    pub post_only_s: u32,
}

impl InstrumentSpec {
    /// Most tiers of an asset as collateral.
    pub const COLLATERAL_TIERS_MAX: usize = 16;

    /// An instrument without anything that may be left out.
    pub fn new(symbol: String, product: Product, terms: InstrumentTerms) -> Self {
        let (margin, oracle, funding, collateral, liquidation) = (None, None, None, Vec::new(), None);
        let (isolated_only, halt, conversion_slippage_ppm) = (false, None, None);
        Self {
            symbol,
            product,
            terms,
            margin,
            oracle,
            funding,
            collateral,
            conversion_slippage_ppm,
            liquidation,
            isolated_only,
            halt,
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_shared(venue: &u16) -> bool {
    *venue == 0
}

fn one() -> i64 {
    1
}

fn maker_first() -> Matching {
    Matching::MakerFirst
}

mod matching_name {
    use crate::Matching;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(matching: &Matching, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(matching.name())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Matching, D::Error> {
        let text = String::deserialize(deserializer)?;
        Matching::ALL
            .iter()
            .copied()
            .find(|matching| matching.name() == text)
            .ok_or_else(|| D::Error::custom(format!("{text:?} is neither \"arrival\" nor \"maker_first\"")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deployment_survives_its_bytes() {
        let terms = InstrumentTerms {
            quote_atoms_per_tick_lot: 10,
            tick_size: "0.1".into(),
            lot_size: "0.001".into(),
            price_max_ticks: 10_000_000,
            qty_min_lots: 1,
            qty_max_lots: 1_000_000,
            notional_min: Amount(0),
            notional_max: Amount(1 << 90),
            position_max_lots: 1 << 30,
            orders_per_account_max: 200,
            band_ppm: 100_000,
            fees: Fees { maker_ppm: -10, taker_ppm: 500, ceiling_ppm: 0 },
            split: Split::default(),
            matching: Matching::Arrival,
            fees_to: 0,
            venue: 0,
            phases: crate::Phases::default(),
        };
        let product = Product::Perpetual { initial_margin_ppm: 50_000, maintenance_margin_ppm: 25_000 };
        let mut spec = InstrumentSpec::new("BTC-PERP".into(), product, terms);
        let command = DeployCommand::Instrument(spec.clone());
        assert_eq!(DeployCommand::from_bytes(&command.to_bytes()), Ok(command));
        let tier =
            MarginTier { notional_from: Amount(1 << 90), initial_ppm: 100_000, maintenance_ppm: 50_000 };
        let open_interest_scaling = Some(OpenInterestBounds { lower: Amount(1), upper: Amount(1 << 95) });
        spec.margin = Some(MarginSpec { tiers: vec![tier], open_interest_scaling });
        spec.collateral = vec![CollateralTier { up_to_lots: 5, haircut_ppm: 50_000 }];
        spec.liquidation = Some(Box::default());
        let command = DeployCommand::Instrument(spec);
        assert_eq!(DeployCommand::from_bytes(&command.to_bytes()), Ok(command));
        assert!(DeployCommand::from_bytes(b"\x81\xa5asset").is_err());
        let mut longer = DeployCommand::Genesis(Limits::default()).to_bytes();
        longer.push(0xc0);
        assert!(DeployCommand::from_bytes(&longer).is_err());
        let genesis = DeployCommand::Genesis(Limits::default());
        assert_eq!(DeployCommand::from_bytes(&genesis.to_bytes()), Ok(genesis));
    }
}
