//! Resolvers and payouts of questions, right and wrong.

use crate::rng::Rng;
use xos_protocol::{QuestionPayouts, ResolutionSpec};
use xos_units::Amount;

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

/// Terms with short times; the resolvers are the first accounts, whose owners may be the same.
pub(super) fn resolution(rng: &mut Rng, now_ns: u64, outcomes: usize, accounts: u32) -> ResolutionSpec {
    let first = 1 + rng.below(3) as u32;
    let second: Vec<u32> = (first + 1..=first + 1 + rng.below(3) as u32).collect();
    let bond = 1 + rng.below(12) as i128;
    ResolutionSpec {
        rule: "The first one that is announced.".into(),
        sources: vec!["https://example.org/result".into()],
        close_ns: now_ns + 1 + rng.below(3_000),
        propose_s: 1 + rng.below(2) as u32,
        resolvers: (1..=first.min(accounts.max(1))).collect(),
        bond: Amount(bond),
        bond_share_ppm: *rng.pick(&[0, 0, 1, 10_000, 100_000]),
        challenge_s: 1,
        quorum: second.len() as u32 / 2 + 1,
        second_resolvers: second,
        second_bond: Amount(bond + 1 + rng.below(5) as i128),
        decide_s: 1 + rng.below(2) as u32,
        void_payouts_ppm: payouts(rng, outcomes),
        dispute_risk: rng.one_in(4),
    }
}

/// Makes one thing wrong in terms of resolution.
pub(super) fn spoil_resolution(rng: &mut Rng, spec: &mut ResolutionSpec) {
    let year = ResolutionSpec::WAIT_S_MAX;
    match rng.below(22) {
        0 => spec.rule = "x".repeat(*rng.pick(&[0, 65_536, 65_537])),
        1 => spec.sources = vec!["x".into(); *rng.pick(&[0, 16, 17])],
        2 => spec.sources[0] = "x".repeat(*rng.pick(&[0, 256, 257])),
        3 => spec.close_ns = *rng.pick(&[0, 1]),
        4 => spec.propose_s = *rng.pick(&[0, year, year + 1]),
        5 => spec.resolvers.clear(),
        6 => spec.resolvers.push(*rng.pick(&[0, 99, u32::MAX, 1])),
        7 => spec.bond = Amount(*rng.pick(&[0, -1, 1 << 96])),
        8 => spec.challenge_s = *rng.pick(&[0, ResolutionSpec::CHALLENGE_S_MAX + 1]),
        9 => spec.second_resolvers.clear(),
        10 => spec.second_resolvers.push(*rng.pick(&[0, 99, 1])),
        11 | 18..=20 => spec.second_bond = *rng.pick(&[spec.bond, Amount(1 << 96)]),
        12 => spec.quorum = *rng.pick(&[0, spec.second_resolvers.len() as u32 + 1]),
        13 => spec.decide_s = *rng.pick(&[0, year + 1]),
        14 => spec.void_payouts_ppm.push(0),
        15 => spec.void_payouts_ppm[0] -= 1,
        16 => spec.void_payouts_ppm[0] = *rng.pick(&[-1, 1_000_001]),
        21.. => spec.bond_share_ppm = *rng.pick(&[-1, 1_000_000, 1_000_001]),
        _ => spec.second_resolvers = (1..=17).collect(),
    }
}
