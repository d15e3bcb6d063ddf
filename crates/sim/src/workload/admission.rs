//! Classes and rules of small worlds.

use crate::rng::Rng;
use xos_protocol::{ClassRule, ClassSpec};

/// Mostly one class that is required, or one that is forbidden.
pub(super) fn rule(rng: &mut Rng, classes: u32) -> ClassRule {
    let bits = (1u32 << classes) - 1;
    let requires = if rng.one_in(3) { 0 } else { rng.bits() as u32 & rng.bits() as u32 & bits };
    let forbids = if rng.one_in(2) { 0 } else { rng.bits() as u32 & rng.bits() as u32 & bits & !requires };
    ClassRule { requires, forbids }
}

pub(super) fn class(rng: &mut Rng, number: usize) -> ClassSpec {
    ClassSpec { symbol: format!("CLASS{number}"), counterparty: rng.one_in(2) }
}
