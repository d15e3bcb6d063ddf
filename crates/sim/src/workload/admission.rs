//! Classes and rules of small worlds.

use super::deployments::fees;
use crate::rng::Rng;
use xos_protocol::{ClassRule, ClassSpec, VenueSpec};

/// A venue that may ask for some of the first `classes`.
pub(super) fn venue(rng: &mut Rng, number: usize, classes: u32) -> VenueSpec {
    let fees = (!rng.one_in(3)).then(|| fees(rng));
    let admission = if rng.one_in(2) { rule(rng, classes) } else { ClassRule::NONE };
    let counterparty = if rng.one_in(3) { ClassRule::NONE } else { counterparty(rng, classes) };
    let mut spec =
        VenueSpec { symbol: format!("VENUE{number}"), fees, admission, counterparty, ..VenueSpec::default() };
    super::fees::business(rng, &mut spec);
    super::fees::tiers(rng, &mut spec);
    spec
}

/// So many of the first classes may be named by counterparty rules.
const DIVIDING: usize = 2;

/// A counterparty rule, where there are classes for it.
pub(super) fn counterparty(rng: &mut Rng, classes: u32) -> ClassRule {
    rule(rng, classes.min(DIVIDING as u32))
}

/// Mostly one class that is required, or one that is forbidden.
pub(super) fn rule(rng: &mut Rng, classes: u32) -> ClassRule {
    let bits = (1u32 << classes) - 1;
    let requires = if rng.one_in(3) { 0 } else { rng.bits() as u32 & rng.bits() as u32 & bits };
    let forbids = if rng.one_in(2) { 0 } else { rng.bits() as u32 & rng.bits() as u32 & bits & !requires };
    ClassRule { requires, forbids }
}

pub(super) fn class(rng: &mut Rng, number: usize) -> ClassSpec {
    ClassSpec { symbol: format!("CLASS{number}"), counterparty: number <= DIVIDING || rng.one_in(4) }
}
