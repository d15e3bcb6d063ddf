//! Payouts of questions, right and wrong.

use crate::rng::Rng;
use xos_protocol::QuestionPayouts;

/// Shares of a unit: all for one outcome, or parts of it for several.
pub(super) fn payouts(rng: &mut Rng, outcomes: usize) -> Vec<i32> {
    if outcomes == 0 || rng.one_in(4) {
        return QuestionPayouts::all_for(rng.below(outcomes.max(1) as u64) as usize, outcomes);
    }
    let mut shares = vec![0; outcomes];
    let mut left = 1_000_000;
    for share in &mut shares[1..] {
        *share = match rng.below(4) {
            0 => 0,
            1 => left / 3,
            _ => rng.between(0, i64::from(left)) as i32,
        };
        left -= *share;
    }
    shares[0] = left;
    shares
}

/// Makes one thing wrong in payouts.
pub(super) fn spoil_payouts(rng: &mut Rng, asked: &mut QuestionPayouts) {
    match rng.below(6) {
        0 => asked.question = *rng.pick(&[0, 99, u32::MAX]),
        1 => asked.account = 1,
        2 => asked.payouts_ppm.push(0),
        3 => asked.payouts_ppm.clear(),
        4 => asked.payouts_ppm.iter_mut().for_each(|share| *share -= 1),
        _ => asked.payouts_ppm.iter_mut().take(1).for_each(|share| *share = *rng.pick(&[-1, 1_000_001])),
    }
}
