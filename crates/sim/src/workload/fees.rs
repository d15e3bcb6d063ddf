//! Whom shares of fees are for, and what venues list, of small worlds.

use crate::rng::Rng;
use xos_protocol::{Fees, InstrumentTerms, VenueSpec, VolumeTier};
use xos_units::Amount;

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

/// At times lower rates from some volumes on, one in a while wrong.
pub(super) fn tiers(rng: &mut Rng, spec: &mut VenueSpec) {
    spec.tiers.clear();
    if rng.one_in(3) {
        return;
    }
    let Fees { mut maker_ppm, mut taker_ppm, .. } = spec.fees.unwrap_or_default();
    let mut volume_from = Amount(1);
    let count = if rng.one_in(20) { 17 } else { 1 + rng.below(3) };
    for _ in 0..if spec.fees.is_some() || rng.one_in(20) { count } else { 0 } {
        taker_ppm -= rng.below(taker_ppm.unsigned_abs() as u64 / 2 + 1) as i32;
        maker_ppm = maker_ppm.min(taker_ppm).max(-taker_ppm / 2);
        spec.tiers.push(VolumeTier { volume_from, maker_ppm, taker_ppm });
        volume_from.0 += 1 << rng.below(40);
    }
    // The least taker fee bounds the rebates of all tiers.
    let least = spec.tiers.iter().map(|tier| tier.taker_ppm).min().unwrap_or(0);
    spec.tiers.iter_mut().for_each(|tier| tier.maker_ppm = tier.maker_ppm.max(-least));
    if let Some(tier) = spec.tiers.last_mut()
        && rng.one_in(15)
    {
        match rng.below(3) {
            0 => tier.volume_from = Amount(0),
            1 => tier.taker_ppm = 100_001,
            _ => tier.maker_ppm = -least - 1,
        }
    }
}

/// At times an instrument is one venue's own.
pub(super) fn own_venue(rng: &mut Rng, venues: u64, terms: &mut InstrumentTerms) {
    if rng.one_in(8) {
        terms.venue = rng.below(venues + 1) as u16;
    }
}
