//! Questions: their outcomes, who decides them and how, and bodies of commands about them.

use crate::words::words;
use crate::{InstrumentTerms, QuestionLink};
use serde::{Deserialize, Serialize};
use xos_units::{Amount, PPM_ONE};

words! {
    /// How far the resolution of a question is.
    ResolutionStage: u8 {
        /// It trades.
        Open = 0 "open",
        /// Its close time came; nobody proposed yet.
        Closed = 1 "closed",
        /// Payouts are proposed and may be challenged.
        Proposed = 2 "proposed",
        /// They were challenged; the second set of resolvers decides.
        Challenged = 3 "challenged",
        /// It is decided.
        Decided = 4 "decided",
    }
}

/// One outcome of a question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutcomeSpec {
    /// Symbol of its instrument, unique among instruments.
    pub symbol: String,
    /// In words.
    pub name: String,
}

/// A question: mutually exclusive outcomes, exactly one of which pays one unit a lot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuestionSpec {
    /// Unique among questions.
    pub symbol: String,
    /// The question and its rule in words.
    pub text: String,
    /// 2 to the declared limit.
    pub outcomes: Vec<OutcomeSpec>,
    /// Ticks of one unit; prices run from 1 to this minus 1. One unit a lot is this times `k` atoms.
    pub ticks_per_unit: i64,
    /// Terms of every outcome; `price_max_ticks` must be `ticks_per_unit - 1`, `band_ppm` 0.
    pub terms: InstrumentTerms,
    /// Who decides it and how; none: the operator settles it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<Box<ResolutionSpec>>,
    /// Incoming orders trade with the orders of all other outcomes too: complete sets are created and redeemed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub implied: bool,
    /// Price ranges of an underlying that decide it; none: it offsets nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<QuestionLink>,
    /// Outcomes that may be added while it trades; none: it keeps those that it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub later: Option<LaterOutcomes>,
}

impl QuestionSpec {
    /// Outcomes that it has or may ever have: so many instruments are its.
    pub fn outcomes_most(&self) -> usize {
        self.later.map_or(self.outcomes.len(), |later| (later.outcomes_max as usize).max(self.outcomes.len()))
    }
}

/// How a question is decided: somebody proposes payouts, anybody may challenge them, a second set of resolvers decides.
/// Each step takes a bond; where a step does not come in time the question is void.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResolutionSpec {
    /// The rule in full, by which the resolvers decide; 1 to [`ResolutionSpec::RULE_BYTES_MAX`] bytes. It never changes.
    pub rule: String,
    /// Where the answer is looked up, the first one first; 1 to [`ResolutionSpec::SOURCES_MAX`].
    pub sources: Vec<String>,
    /// Trading stops at this logged time, nanoseconds since 1970 UTC.
    pub close_ns: u64,
    /// Seconds from there in which somebody must propose, or the question is void.
    pub propose_s: u32,
    /// Accounts that may propose; 1 to [`ResolutionSpec::RESOLVERS_MAX`].
    pub resolvers: Vec<u32>,
    /// Bond of a proposal and of a challenge, settlement atoms.
    #[serde(with = "crate::atoms")]
    pub bond: Amount,
    /// The bond is at least this part of what the complete sets that stand then are worth, ppm; 0: always `bond`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub bond_share_ppm: i32,
    /// Seconds in which a proposal may be challenged.
    pub challenge_s: u32,
    /// Accounts that decide what was challenged; none of an owner of the first ones.
    pub second_resolvers: Vec<u32>,
    /// Bond of each of their votes, settlement atoms; more than the first one.
    #[serde(with = "crate::atoms")]
    pub second_bond: Amount,
    /// So many of them must name the same payouts; more than half.
    pub quorum: u32,
    /// Seconds from the challenge in which they must, or the question is void.
    pub decide_s: u32,
    /// What a void question pays: share of the unit by outcome, ppm, all together one million.
    pub void_payouts_ppm: Vec<i32>,
    /// The rule leaves room for dispute, as its author knows: shown to everybody.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dispute_risk: bool,
}

fn is_zero(value: &i32) -> bool {
    *value == 0
}

impl ResolutionSpec {
    /// Most bytes of a rule.
    pub const RULE_BYTES_MAX: usize = 65_536;
    /// Most sources.
    pub const SOURCES_MAX: usize = 16;
    /// Most bytes of a source.
    pub const SOURCE_BYTES_MAX: usize = 256;
    /// Most accounts of one set of resolvers.
    pub const RESOLVERS_MAX: usize = 16;
    /// Longest time to propose and to decide, seconds: a year.
    pub const WAIT_S_MAX: u32 = 365 * 24 * 3_600;
    /// Longest time to challenge, seconds: thirty days.
    pub const CHALLENGE_S_MAX: u32 = 30 * 24 * 3_600;
}

/// Outcomes that a question may take while it trades.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaterOutcomes {
    /// Place, counted from 0, of the outcome that wins if none of the others does. Who holds it when an outcome is added
    /// holds as much of that one too.
    pub any_other: u32,
    /// Most outcomes it may ever have; more than it begins with. Their instruments are reserved.
    pub outcomes_max: u32,
}

/// A new outcome of a question that takes outcomes later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutcomeAddition {
    /// Question id.
    pub question: u32,
    /// Symbol of its instrument, unique among instruments.
    pub symbol: String,
    /// In words.
    pub name: String,
}

/// Payouts of a question: who names them, and each outcome's share of the unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuestionPayouts {
    /// Question id.
    pub question: u32,
    /// The account that names them; 0: the operator.
    #[serde(default)]
    pub account: u32,
    /// Share of one unit by outcome, ppm; each 0 to one million, all together one million.
    pub payouts_ppm: Vec<i32>,
}

impl QuestionPayouts {
    /// All of the unit for the outcome of this place, counted from 0.
    pub fn all_for(at: usize, outcomes: usize) -> Vec<i32> {
        (0..outcomes).map(|other| if other == at { PPM_ONE } else { 0 }).collect()
    }
}

words! {
    /// How a question was decided.
    DecidedBy: u8 {
        /// The operator's command.
        Operator = 0 "operator",
        /// A proposal that nobody challenged.
        Proposal = 1 "proposal",
        /// The votes of the second set of resolvers.
        Votes = 2 "votes",
        /// Time: nobody proposed, or no quorum agreed; it is void.
        Time = 3 "time",
        /// It was delisted; it is void.
        Delisting = 4 "delisting",
    }
}
