//! Whom shares of fees are for, and what venues list, of small worlds.

use crate::rng::Rng;
use xos_protocol::{InstrumentTerms, VenueSpec};

/// Mostly one of the first accounts, at times nobody or one that never stands.
pub(super) fn payee(rng: &mut Rng) -> u32 {
    if rng.one_in(3) { *rng.pick(&[0, 0, 400, 1_000_000]) } else { rng.between(1, 5) as u32 }
}

/// A payee, and at times a list that leaves out some of the first instruments.
pub(super) fn business(rng: &mut Rng, spec: &mut VenueSpec) {
    spec.fees_to = payee(rng);
    if rng.one_in(5) {
        let lists: Vec<u32> = (1..=8).filter(|_| !rng.one_in(5)).collect();
        spec.lists = Some(if rng.one_in(8) { vec![2, 2] } else { lists });
    }
}

/// At times an instrument is one venue's own.
pub(super) fn own_venue(rng: &mut Rng, venues: u64, terms: &mut InstrumentTerms) {
    if rng.one_in(8) {
        terms.venue = rng.below(venues + 1) as u16;
    }
}
