//! Underlyings, and questions linked to them.

use super::spoil_symbol;
use crate::rng::Rng;
use std::collections::BTreeSet;
use xos_protocol::{PriceRange, QuestionLink, ScenarioSpec, UnderlyingSpec};

/// An underlying of these perpetuals.
pub(in crate::workload) fn underlying(rng: &mut Rng, number: usize, instruments: Vec<u32>) -> UnderlyingSpec {
    let count = rng.between(1, 6);
    let shocks = [-999_999, -660_000, -160_000, -40_000, 0, 40_000, 160_000, 500_000, 5_000_000, 10_000_000];
    let scenario = |rng: &mut Rng| ScenarioSpec {
        shock_ppm: *rng.pick(&shocks),
        weight_ppm: *rng.pick(&[1, 32_000, 333_333, 1_000_000, 1_000_000]),
    };
    UnderlyingSpec {
        symbol: format!("UNDER{number}"),
        instruments,
        scenarios: (0..count).map(|_| scenario(rng)).collect(),
        maintenance_ppm: *rng.pick(&[1, 500_000, 666_667, 1_000_000]),
        floor_ppm: *rng.pick(&[0, 0, 10_000, 1_000_000]),
        width_ppm: *rng.pick(&[0, 20_000, 999_999]),
    }
}

/// Ranges for the outcomes of a question, round about the middle of a perpetual's prices.
pub(in crate::workload) fn link(
    rng: &mut Rng,
    underlying: u32,
    instrument: u32,
    price_max: i64,
    outcomes: usize,
) -> Option<QuestionLink> {
    let end = price_max + 1;
    if end < outcomes as i64 {
        return None;
    }
    let middle = rng.between(1, end - 1);
    let mut ends: BTreeSet<i64> = [middle].into_iter().filter(|_| outcomes > 1).collect();
    while ends.len() + 1 < outcomes {
        let near = (middle + rng.between(-middle / 4 - 3, middle / 4 + 3)).clamp(1, end - 1);
        ends.insert(if rng.one_in(3) { rng.between(1, end - 1) } else { near });
    }
    let lows = std::iter::once(0).chain(ends.iter().copied());
    let highs = ends.iter().copied().chain([end]);
    let mut ranges: Vec<_> = lows.zip(highs).map(|(low, high)| PriceRange { low, high }).collect();
    if rng.one_in(2) {
        ranges.reverse();
    }
    Some(QuestionLink { underlying, instrument, ranges })
}

pub(super) fn spoil_underlying(rng: &mut Rng, spec: &mut UnderlyingSpec) {
    match rng.below(9) {
        0 => spoil_symbol(rng, &mut spec.symbol, "UNDER1"),
        1 => spec.instruments.clear(),
        2 => spec.instruments = vec![1; 17],
        3 => spec.instruments.push(*rng.pick(&[0, 1, 99, spec.instruments[0]])),
        4 => spec.scenarios = vec![spec.scenarios[0]; *rng.pick(&[0, 64, 65])],
        5 => spec.scenarios[0].shock_ppm = *rng.pick(&[-1_000_000, 10_000_001]),
        6 => spec.scenarios[0].weight_ppm = *rng.pick(&[0, 1_000_001]),
        7 => spec.maintenance_ppm = *rng.pick(&[0, 1_000_001]),
        _ => match rng.below(2) {
            0 => spec.floor_ppm = *rng.pick(&[-1, 1_000_001]),
            _ => spec.width_ppm = *rng.pick(&[-1, 1_000_000]),
        },
    }
}

pub(super) fn spoil_link(rng: &mut Rng, link: &mut QuestionLink) {
    match rng.below(6) {
        0 => link.underlying = *rng.pick(&[0, 99]),
        1 => link.instrument = *rng.pick(&[0, 1, 99]),
        2 => link.ranges.truncate(1),
        3 => link.ranges[0].low -= 1,
        4 => link.ranges[0].high += 1,
        _ => link.ranges[1].low = link.ranges[1].high,
    }
}
