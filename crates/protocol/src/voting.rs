//! Votes on how markets are governed: who votes, what may be proposed, and what guardians may do meanwhile.

use crate::atoms;
use crate::deployers::kind_code;
use crate::words::words;
use crate::{GovernanceSpec, InstrumentSpec, InstrumentTerms, MarketKind, VenueSpec};
use serde::{Deserialize, Serialize};
use xos_units::Amount;

/// Most voters.
pub const VOTERS_MAX: usize = 64;
/// Most guardians.
pub const GUARDIANS_MAX: usize = 16;
/// Proposals of one voter that are being voted on.
pub const PROPOSALS_PER_VOTER_MAX: usize = 8;
/// Accounts that one slashing pays.
pub const HARMED_MAX: usize = 256;
/// Longest vote, seconds: thirty days.
pub const VOTING_S_MAX: u32 = 30 * 24 * 3_600;
/// Longest emergency, seconds: seven days.
pub const EMERGENCY_S_MAX: u32 = 7 * 24 * 3_600;

/// Who votes on acts of governance, and what a vote needs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VotingSpec {
    /// In rising order of account; at most [`VOTERS_MAX`].
    pub voters: Vec<Voter>,
    /// Part of all weights that has to vote, ppm, at least 1.
    pub quorum_ppm: i32,
    /// Part of the weights that vote that has to be for an act, ppm, above one half.
    pub majority_ppm: i32,
    /// Seconds in which votes are taken.
    pub voting_s: u32,
    /// Seconds from the end of a vote to the effect of its act; no less than the least delay of a change.
    pub time_lock_s: u32,
    /// Whether the operator changes markets by votes only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub binds_operator: bool,
    /// Accounts that may restrict an instrument for a time, in rising order; at most [`GUARDIANS_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guardians: Vec<u32>,
    /// Seconds after which what a guardian did lapses, and for which he then does nothing there.
    #[serde(default, skip_serializing_if = "is_none")]
    pub emergency_s: u32,
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_none(seconds: &u32) -> bool {
    *seconds == 0
}

impl VotingSpec {
    /// What the vote of an account weighs; 0: it has none.
    pub fn weight_of(&self, account: u32) -> u32 {
        let found = self.voters.binary_search_by_key(&account, |voter| voter.account);
        found.map_or(0, |at| self.voters[at].weight)
    }
}

/// An account that votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Voter {
    /// Account number; need not stand yet.
    pub account: u32,
    /// What its vote weighs, at least 1.
    pub weight: u32,
}

words! {
    /// What an act of governance does.
    ActKind: u8 {
        /// A spot instrument or perpetual has another specification.
        UpdateInstrument = 0 "update_instrument",
        /// A venue has another specification.
        UpdateVenue = 1 "update_venue",
        /// The outcomes of a question have other terms.
        UpdateQuestion = 2 "update_question",
        /// A market is wound down.
        Delist = 3 "delist",
        /// An isolated perpetual takes orders of every account.
        Admit = 4 "admit",
        /// An instrument is opened, restricted or halted.
        SetState = 5 "set_state",
        /// A deployer's stake pays whom it harmed.
        Slash = 6 "slash",
        /// Other terms of governance: voters, stakes, slots, bounds.
        Terms = 7 "terms",
        /// What a guardian did stays.
        Confirm = 8 "confirm",
    }
}

/// What is voted on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Act {
    /// All of a new specification of an instrument.
    UpdateInstrument {
        /// Instrument id.
        instrument: u32,
        /// Its new specification.
        spec: Box<InstrumentSpec>,
    },
    /// All of a new specification of a venue.
    UpdateVenue {
        /// Venue id.
        venue: u32,
        /// Its new specification.
        spec: Box<VenueSpec>,
    },
    /// All of the new terms of a question's outcomes.
    UpdateQuestion {
        /// Question id.
        question: u32,
        /// Their new terms.
        terms: Box<InstrumentTerms>,
    },
    /// A market is wound down.
    Delist {
        /// What it is.
        #[serde(with = "kind_code")]
        kind: MarketKind,
        /// Number of the instrument, venue or question.
        target: u32,
    },
    /// A perpetual is isolated no more.
    Admit {
        /// Instrument id.
        instrument: u32,
    },
    /// What an instrument accepts.
    SetState {
        /// Instrument id.
        instrument: u32,
        /// Number of the state, 0 to 3.
        state: u8,
    },
    /// A part of a stake is taken.
    Slash {
        /// The deployer.
        account: u32,
        /// Atoms of the stake asset that it loses at most.
        #[serde(with = "atoms")]
        amount: Amount,
        /// Whom it harmed, in rising order; what they do not get goes to the insurance fund.
        harmed: Vec<Harm>,
    },
    /// All of the new terms of governance.
    Terms(Box<GovernanceSpec>),
    /// An emergency on an instrument is confirmed.
    Confirm {
        /// Instrument id.
        instrument: u32,
    },
}

impl Act {
    /// What it does.
    pub const fn kind(&self) -> ActKind {
        match self {
            Self::UpdateInstrument { .. } => ActKind::UpdateInstrument,
            Self::UpdateVenue { .. } => ActKind::UpdateVenue,
            Self::UpdateQuestion { .. } => ActKind::UpdateQuestion,
            Self::Delist { .. } => ActKind::Delist,
            Self::Admit { .. } => ActKind::Admit,
            Self::SetState { .. } => ActKind::SetState,
            Self::Slash { .. } => ActKind::Slash,
            Self::Terms(_) => ActKind::Terms,
            Self::Confirm { .. } => ActKind::Confirm,
        }
    }

    /// Number of the market, or of the account that is slashed; 0: it is about no single one.
    pub const fn target(&self) -> u32 {
        match self {
            Self::UpdateInstrument { instrument, .. }
            | Self::Admit { instrument }
            | Self::SetState { instrument, .. }
            | Self::Confirm { instrument } => *instrument,
            Self::UpdateVenue { venue, .. } => *venue,
            Self::UpdateQuestion { question, .. } => *question,
            Self::Delist { target, .. } => *target,
            Self::Slash { account, .. } => *account,
            Self::Terms(_) => 0,
        }
    }

    /// Its MessagePack by field name.
    pub fn to_bytes(&self) -> Vec<u8> {
        rmp_serde::to_vec_named(self).expect("an act always serialises")
    }
}

/// What an account lost by a deployer's doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Harm {
    /// Account id.
    pub account: u32,
    /// Atoms of the stake asset that it is paid at most.
    #[serde(with = "atoms")]
    pub claim: Amount,
}

/// A voter proposes an act.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProposeAct {
    /// The voter.
    pub account: u32,
    /// What it proposes.
    pub act: Act,
}

/// The last vote of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vote {
    /// Account id.
    pub account: u32,
    /// For the act, or against it.
    pub is_for: bool,
}

/// An act that is voted on, or has passed and waits for its time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proposal {
    /// Sequence of the command that proposed it.
    pub id: u64,
    /// Who proposed it.
    pub account: u32,
    /// What it does.
    pub act: Act,
    /// Logged time at which the vote ends, nanoseconds.
    pub ends_ns: u64,
    /// In rising order of account.
    pub votes: Vec<Vote>,
    /// Logged time at which the act takes effect, nanoseconds; none: it is being voted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective_ns: Option<u64>,
}

/// What a guardian did to an instrument, until it lapses and for the rest after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Emergency {
    /// Instrument id.
    pub instrument: u32,
    /// The guardian.
    pub account: u32,
    /// Number of the state that it is held to; 0: it is over, and rests.
    pub state: u8,
    /// Logged time at which it, or its rest, ends, nanoseconds.
    pub until_ns: u64,
}
