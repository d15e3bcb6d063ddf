//! Command, Event and Reject: the words of the exchange and their bytes. No behaviour.
//!
//! The records here are the only definition: the journal stores these bytes, the wire carries them, and Python
//! asks for their numpy dtypes through [`layout`].

mod admission;
mod atoms;
mod command;
mod deploy;
mod deployers;
mod event;
mod feed;
mod governance;
pub mod layout;
mod limits;
mod liquidation;
mod phases;
mod prices;
mod questions;
mod reject;
mod session;
mod underlying;
mod venue;
mod voting;
pub mod wire_layout;
mod words;

pub use admission::{CLASSES_MAX, ClassRule, ClassSpec};
pub use command::{ClientId, CommandRecord, EXITS_BIT, Flags, TriggerWords};
pub use deploy::{
    AssetSpec, CollateralTier, DeployCommand, HaltSpec, InstrumentSpec, InstrumentTerms, MarginSpec,
    MarginTier, OpenInterestBounds, Product,
};
pub use deployers::{
    DeployAs, Deployable, DeployedMarket, Deployer, GovernanceSpec, MarketBounds, RELEASE_WAIT_S_MAX,
    SLOT_AUCTION_S_MAX, SlotAuction, SlotKind, Slots, Stakes,
};
pub use event::{EventFlags, EventRecord, FeeDivision, Receipt};
pub use feed::{FeedAction, FeedRecord, Subscription};
pub use governance::{
    Auction, CHANGE_DELAY_S_MAX, Change, ClosingMarket, DELISTING_AUCTION_S_MAX, DELISTING_WINDOW_S_MAX,
    GovernanceState, InstrumentUpdate, MeasuredPrice, PendingChange, QuestionUpdate, VenueUpdate,
};
pub use limits::{
    COUNTDOWN_MS_MAX, FUNDING_HISTORY_MAX, FUNDING_LEVELS_MAX, Limits, PROFILES_MAX, PROTECTION_MS_MAX,
    SLIPPAGE_PPM_MAX,
};
pub use liquidation::{
    GrowthSpec, HedgeSpec, LIQUIDATION_COOLDOWN_MS_MAX, LIQUIDATION_GROWTH_S_MAX, LIQUIDATION_SPREAD_PPM_MAX,
    LiquidationPolicy, LiquidationPrice, LiquidationSpec, TrancheSpec,
};
pub use phases::{Phases, REOPEN_AUCTION_S_MAX};
pub use prices::{FundingSpec, OracleSpec, PriceStatus, PublisherSpec, SourceSpec};
pub use questions::{
    DecidedBy, LaterOutcomes, OutcomeAddition, OutcomeSpec, QuestionPayouts, QuestionSpec, ResolutionSpec,
    ResolutionStage,
};
pub use reject::Reject;
pub use session::{
    BadMessage, Challenge, DEPLOY_PART_BYTES, Goodbye, Heartbeat, KeyScheme, LOGON_CONTEXT,
    LOGON_SIGNED_BYTES, LoggedOn, Logon, LogonFlags, MESSAGE_BYTES_MAX, MESSAGE_HEADER_BYTES, MessageHeader,
    MessageKind, ROOT_BYTES, Refused, Resumption, SCHEMA_ID, SessionCode, Taken, WIRE_VERSION,
};
pub use underlying::{PriceRange, QuestionLink, ScenarioSpec, UnderlyingSpec};
pub use venue::{Charges, DayVolume, Fees, Split, VenueSpec, VolumeTier};
pub use voting::{
    Act, ActKind, EMERGENCY_S_MAX, Emergency, GUARDIANS_MAX, HARMED_MAX, Harm, PROPOSALS_PER_VOTER_MAX,
    Proposal, ProposeAct, VOTERS_MAX, VOTING_S_MAX, Vote, Voter, VotingSpec,
};
pub use words::{
    CancelReason, CommandKind, EventKind, InstrumentState, MarketKind, Matching, PriceSource, SelfTrade,
    Side, Tif,
};

/// A 128-bit signed integer as two little-endian halves, so that records keep an 8-byte alignment.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    zerocopy::FromBytes,
    zerocopy::IntoBytes,
    zerocopy::Immutable,
    zerocopy::KnownLayout,
)]
#[repr(C)]
pub struct Int128 {
    /// Low 64 bits.
    pub low: u64,
    /// High 64 bits, with the sign.
    pub high: i64,
}

impl Int128 {
    /// The value.
    #[inline(always)]
    pub const fn get(self) -> i128 {
        ((self.high as i128) << 64) | self.low as i128
    }

    /// From the value.
    #[inline(always)]
    pub const fn new(value: i128) -> Self {
        Self { low: value as u64, high: (value >> 64) as i64 }
    }
}

#[cfg(target_endian = "big")]
compile_error!("records are little-endian in memory: this build target is not supported");
