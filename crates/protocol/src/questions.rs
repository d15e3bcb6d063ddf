//! Bodies of commands about questions.

use serde::{Deserialize, Serialize};
use xos_units::PPM_ONE;

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
