//! Terms of governance: what deployers stake, their slots, and the bounds above every market.

use crate::words::words;
use crate::{InstrumentSpec, MarketKind, QuestionSpec, VenueSpec, VotingSpec, atoms};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use xos_units::Amount;

/// Longest fall of the price of a slot, seconds: thirty days.
pub const SLOT_AUCTION_S_MAX: u32 = 30 * 24 * 3_600;
/// Longest wait of a stake after its market closed, seconds: a year.
pub const RELEASE_WAIT_S_MAX: u32 = 365 * 24 * 3_600;

words! {
    /// Kinds of markets that deployers have slots for.
    SlotKind: u8 {
        /// A spot instrument.
        Spot = 0 "spot",
        /// A perpetual.
        Perpetual = 1 "perpetual",
        /// A question.
        Question = 2 "question",
        /// A venue.
        Venue = 3 "venue",
    }
}

/// Who else than the operator may deploy, and within what bounds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GovernanceSpec {
    /// Asset id of stakes and of what slots cost.
    pub stake_asset: u32,
    /// Stake that each market locks while it lives.
    pub stakes: Stakes,
    /// Markets of each kind that an account may have without buying slots.
    pub slots: Slots,
    /// Least price of a slot, atoms of the stake asset.
    #[serde(with = "atoms")]
    pub slot_price_min: Amount,
    /// Seconds in which the price falls from twice the last one to the least.
    pub slot_auction_s: u32,
    /// Seconds that a stake stays locked after its market closed.
    pub release_wait_s: u32,
    /// Bounds above every market.
    #[serde(default)]
    pub bounds: MarketBounds,
    /// Votes on acts of governance; none: the operator and deployers alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voting: Option<Box<VotingSpec>>,
}

/// A stake by kind of market, atoms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Stakes {
    /// Of a spot instrument.
    #[serde(with = "atoms")]
    pub spot: Amount,
    /// Of a perpetual.
    #[serde(with = "atoms")]
    pub perpetual: Amount,
    /// Of a question.
    #[serde(with = "atoms")]
    pub question: Amount,
    /// Of a venue.
    #[serde(with = "atoms")]
    pub venue: Amount,
}

impl Stakes {
    /// In order of kind.
    pub const fn all(&self) -> [Amount; 4] {
        [self.spot, self.perpetual, self.question, self.venue]
    }
}

/// Slots by kind of market.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Slots {
    /// Of spot instruments.
    pub spot: u16,
    /// Of perpetuals.
    pub perpetual: u16,
    /// Of questions.
    pub question: u16,
    /// Of venues.
    pub venue: u16,
}

impl Slots {
    /// In order of kind.
    pub const fn all(&self) -> [u16; 4] {
        [self.spot, self.perpetual, self.question, self.venue]
    }
}

/// Hard bounds of what a market may declare, at its deployment and at every change. 0: no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MarketBounds {
    /// Most leverage of a perpetual: its initial margin is at least one over it.
    pub leverage_max: u32,
    /// Least maintenance margin of a perpetual, ppm.
    pub maintenance_ppm_min: i32,
    /// Most fee, the ceiling included, ppm.
    pub fee_ppm_max: i32,
    /// Widest price band of a perpetual, which then must have one, ppm.
    pub band_ppm_max: i32,
    /// Widest band of a mark around its index, ppm.
    pub mark_band_ppm_max: i32,
    /// Sources that a perpetual needs at least; then it must have an oracle.
    pub sources_min: u32,
    /// Most of a funding rate, 1e-12.
    pub funding_cap_max: i64,
    /// Most that the insurance fund pays in a day for a perpetual that a deployer brought, atoms; 0: nothing.
    #[serde(with = "atoms")]
    pub insurance_draw_max: Amount,
}

/// A deployer brings a spot instrument, a perpetual, a question or a venue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeployAs {
    /// The deployer.
    pub account: u32,
    /// What it brings.
    pub market: Deployable,
}

/// What a deployer may bring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
// One lives at a time, for as long as it takes to read.
#[allow(clippy::large_enum_variant)]
pub enum Deployable {
    /// A spot instrument or perpetual.
    Instrument(InstrumentSpec),
    /// A question.
    Question(QuestionSpec),
    /// A venue.
    Venue(VenueSpec),
}

/// What an account has staked, and the slots that it bought by kind of market.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deployer {
    /// Account id.
    pub account: u32,
    /// All that is staked, atoms.
    #[serde(with = "atoms")]
    pub stake: Amount,
    /// Bought slots.
    pub bought: [u32; 4],
}

/// A market that a deployer brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeployedMarket {
    /// Its deployer.
    pub account: u32,
    /// What it is.
    #[serde(with = "kind_code")]
    pub kind: MarketKind,
    /// Number of the instrument, venue or question.
    pub target: u32,
    /// Whose slot it takes.
    #[serde(with = "slot_code")]
    pub slot: SlotKind,
    /// What it locks of its deployer's stake, atoms.
    #[serde(with = "atoms")]
    pub locked: Amount,
    /// When slot and stake are free again, logged nanoseconds; 0: it lives.
    pub released_ns: u64,
}

impl DeployedMarket {
    /// Whether it takes a slot and locks a stake at this time.
    pub const fn is_live(&self, now_ns: u64) -> bool {
        self.released_ns == 0 || self.released_ns > now_ns
    }
}

/// The auction of slots: the price falls from twice the last one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlotAuction {
    /// What the last slot cost, atoms; the least price before the first one.
    #[serde(with = "atoms")]
    pub last: Amount,
    /// When it was bought, logged nanoseconds.
    pub since_ns: u64,
}

macro_rules! word_code {
    ($module:ident, $word:ident) => {
        pub(crate) mod $module {
            use super::{Deserialize, Deserializer, Error, Serializer, $word};

            #[allow(clippy::trivially_copy_pass_by_ref)]
            pub(crate) fn serialize<S: Serializer>(word: &$word, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_u8(word.code())
            }

            pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<$word, D::Error> {
                let code = u8::deserialize(deserializer)?;
                $word::from_code(code).ok_or_else(|| D::Error::custom(format!("{code} is no kind")))
            }
        }
    };
}

word_code!(kind_code, MarketKind);
word_code!(slot_code, SlotKind);
