//! Changes of markets that stand, and what the engine keeps of them.

use crate::atoms;
use crate::deployers::kind_code;
use crate::{
    Charges, DeployedMarket, Deployer, Emergency, GovernanceSpec, InstrumentSpec, InstrumentTerms,
    MarketKind, Proposal, SlotAuction, VenueSpec,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use xos_units::Amount;

/// Longest delay of a change, seconds: a year.
pub const CHANGE_DELAY_S_MAX: u32 = 365 * 24 * 3_600;
/// Longest auction before the end of a delisted market, seconds: a day.
pub const DELISTING_AUCTION_S_MAX: u32 = 24 * 3_600;
/// Longest window of a settlement price, seconds: a day.
pub const DELISTING_WINDOW_S_MAX: u32 = 24 * 3_600;

/// A spot instrument or perpetual is to have another specification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstrumentUpdate {
    /// Instrument id.
    pub instrument: u32,
    /// Who announces it; 0: the operator.
    #[serde(default)]
    pub account: u32,
    /// Seconds until it takes effect.
    pub delay_s: u32,
    /// All of the new specification.
    pub spec: InstrumentSpec,
}

/// A venue is to have other fees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VenueUpdate {
    /// Venue id.
    pub venue: u32,
    /// Who announces it; 0: the operator.
    #[serde(default)]
    pub account: u32,
    /// Seconds until it takes effect.
    pub delay_s: u32,
    /// All of the new specification.
    pub spec: VenueSpec,
}

/// The outcomes of a question are to have other terms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuestionUpdate {
    /// Question id.
    pub question: u32,
    /// Who announces it; 0: the operator.
    #[serde(default)]
    pub account: u32,
    /// Seconds until it takes effect.
    pub delay_s: u32,
    /// All of the new terms.
    pub terms: InstrumentTerms,
}

/// What is announced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Change {
    /// Another specification of an instrument.
    Instrument(Box<InstrumentSpec>),
    /// Another specification of a venue.
    Venue(Box<VenueSpec>),
    /// Other terms of a question's outcomes.
    Terms(Box<InstrumentTerms>),
    /// The market is wound down.
    Delisting(MeasuredPrice),
}

impl Change {
    /// The new specification as MessagePack; a delisting has none.
    pub fn specification(&self) -> Option<Vec<u8>> {
        let bytes = match self {
            Self::Instrument(spec) => rmp_serde::to_vec_named(spec),
            Self::Venue(spec) => rmp_serde::to_vec_named(spec),
            Self::Terms(terms) => rmp_serde::to_vec_named(terms),
            Self::Delisting(_) => return None,
        };
        Some(bytes.expect("a specification always serialises"))
    }
}

/// A price averaged over time: sums of ticks times nanoseconds, and the nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeasuredPrice {
    /// While prices were fresh.
    #[serde(with = "atoms")]
    pub fresh_sum: Amount,
    /// So long.
    pub fresh_ns: u64,
    /// Whatever prices were.
    #[serde(with = "atoms")]
    pub any_sum: Amount,
    /// So long.
    pub any_ns: u64,
    /// What at least half of the open interest traded at in the last auction, ticks; none: nothing was agreed on.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub agreed: Option<i64>,
}

/// A change that waits for its time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PendingChange {
    /// Sequence of the command that announced it.
    pub id: u64,
    /// Who announced it; 0: the operator.
    pub account: u32,
    /// What it changes.
    #[serde(with = "kind_code")]
    pub kind: MarketKind,
    /// Number of the instrument, venue or question.
    pub target: u32,
    /// Logged time at which it takes effect, nanoseconds.
    pub effective_ns: u64,
    /// The change.
    pub change: Change,
    /// Whether it was voted on; nobody takes it back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_voted: bool,
}

/// A delisted spot instrument or perpetual that orders and positions are leaving.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClosingMarket {
    /// Instrument id.
    pub instrument: u32,
    /// Accounts whose positions were settled so far.
    pub settled: u32,
}

/// An auction of an instrument: it collects orders until its time, then fills them at one price in turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auction {
    /// Instrument id.
    pub instrument: u32,
    /// Logged time at which it is priced, nanoseconds.
    pub ends_ns: u64,
    /// Ticks at which it is filled; 0: nothing crosses. None: it still collects orders.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub price: Option<i64>,
    /// Lots that it has filled.
    pub filled_lots: i64,
}

/// All that governs markets beside their specifications; part of the state where it is not empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GovernanceState {
    /// Announced changes in order of id.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<PendingChange>,
    /// Markets that are being closed, in order of instrument.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub closing: Vec<ClosingMarket>,
    /// Terms of governance; none: only the operator deploys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terms: Option<Box<GovernanceSpec>>,
    /// Who staked or bought slots, in order of account.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deployers: Vec<Deployer>,
    /// What they brought, in order of deployment.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub markets: Vec<DeployedMarket>,
    /// The auction of slots.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auction: Option<SlotAuction>,
    /// Auctions under way, in order of instrument.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub auctions: Vec<Auction>,
    /// What the fees of accounts depend on.
    #[serde(skip_serializing_if = "Charges::is_empty")]
    pub charges: Charges,
    /// Accounts whose money is worthless.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub simulated: BTreeSet<u32>,
    /// Venues that were delisted.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub closed_venues: BTreeSet<u32>,
    /// Acts that are voted on or wait for their time, in order of id.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub proposals: Vec<Proposal>,
    /// What guardians did, in order of instrument.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub emergencies: Vec<Emergency>,
}

impl GovernanceState {
    /// Its canonical bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        rmp_serde::to_vec_named(self).expect("a state always serialises")
    }

    /// Everything but what is known of single accounts, of which there may be many.
    #[must_use]
    pub fn without_accounts(&self) -> Self {
        let Self { changes, closing, terms, deployers, markets, auction, auctions, .. } = self;
        Self {
            changes: changes.clone(),
            closing: closing.clone(),
            terms: terms.clone(),
            deployers: deployers.clone(),
            markets: markets.clone(),
            auction: *auction,
            auctions: auctions.clone(),
            charges: Charges::default(),
            simulated: BTreeSet::new(),
            closed_venues: self.closed_venues.clone(),
            proposals: self.proposals.clone(),
            emergencies: self.emergencies.clone(),
        }
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
