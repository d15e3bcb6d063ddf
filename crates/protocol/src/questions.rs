//! Who decides a question and how, and bodies of commands about questions.

use serde::{Deserialize, Serialize};
use xos_units::{Amount, PPM_ONE};

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
