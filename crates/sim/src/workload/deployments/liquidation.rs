//! Terms of liquidation: valid ones, and ones with a single wrong field.

use crate::rng::Rng;
use xos_protocol::{
    GrowthSpec, HedgeSpec, InstrumentSpec, LiquidationPolicy, LiquidationPrice, LiquidationSpec, TrancheSpec,
};
use xos_units::Amount;

/// Terms of liquidation whose bounds positions of this world reach.
pub(in crate::workload) fn terms(rng: &mut Rng, spec: &InstrumentSpec) -> LiquidationSpec {
    let lot = i128::from(spec.terms.price_max_ticks) * i128::from(spec.terms.quote_atoms_per_tick_lot);
    let reached = 1 + lot * i128::from(spec.terms.position_max_lots);
    let mut amount = |percent: u64| Amount(reached * i128::from(rng.below(percent)) / 100);
    let (full_below, draw, cap) = (amount(20), amount(40), amount(60));
    // Most often one that stands early, at times one that is isolated by then.
    let account = *rng.pick(&[1, 1, 2, 2, 3, 3, 1, 2, 4, 5, 6, 8]);
    let policy = *rng.pick(&[
        LiquidationPolicy::Full,
        LiquidationPolicy::Ladder,
        LiquidationPolicy::Growing,
        LiquidationPolicy::Growing,
    ]);
    let growth = (policy == LiquidationPolicy::Growing).then(|| GrowthSpec {
        // Frames of a world are nanoseconds to hours apart.
        duration_s: *rng.pick(&[1, 1, 60, 86_400]),
        initial_ppm: *rng.pick(&[0, 1, 100_000, 333_333, 1_000_000]),
        small_shortage: if rng.one_in(3) { full_below } else { Amount(i128::from(rng.below(3))) },
    });
    // A shortage shows only in positions that are not closed whole.
    let full_below = if growth.is_some() && !rng.one_in(3) { Amount(0) } else { full_below };
    let price = *rng.pick(&[LiquidationPrice::Bankruptcy, LiquidationPrice::Fillable]);
    LiquidationSpec {
        policy,
        slice_ppm: *rng.pick(&[1, 200_000, 333_333, 500_000, 1_000_000]),
        full_below,
        cooldown_ms: *rng.pick(&[0, 0, 1, if growth.is_some() { 0 } else { 3_600_000 }]),
        fee_ppm: *rng.pick(&[0, 5_000, 12_345, 100_000]),
        // A tranche that takes over leaves no shortage to free.
        backstop_ppm: if growth.is_some() && !rng.one_in(4) {
            0
        } else {
            *rng.pick(&[0, 333_333, 666_667, 1_000_000, 1_000_000])
        },
        insurance_draw_max: draw,
        tranche: rng.percent(80).then_some(TrancheSpec { account, notional_max: Amount(1 + cap.0) }),
        hedge: rng.percent(50).then_some(HedgeSpec { asset: 2, atoms_per_lot: 1 + rng.below(4_000) }),
        growth,
        price,
        spread_ppm: match price {
            LiquidationPrice::Bankruptcy => 0,
            LiquidationPrice::Fillable => *rng.pick(&[1, 500_000, 1_500_000, 10_000_000]),
        },
    }
}

pub(super) fn spoil(rng: &mut Rng, spec: &mut InstrumentSpec) {
    let terms = spec.liquidation.get_or_insert_default();
    let amounts = [-1, -2, 1 << 96, (1 << 96) - 1, i128::MIN];
    match rng.below(15) {
        0 => terms.slice_ppm = *rng.pick(&[0, -1, 1_000_001]),
        1 => terms.full_below = Amount(*rng.pick(&amounts)),
        2 => terms.cooldown_ms = *rng.pick(&[3_600_000, 3_600_001, u32::MAX]),
        3 => terms.fee_ppm = *rng.pick(&[-1, 100_000, 100_001]),
        4 => terms.backstop_ppm = *rng.pick(&[-1, 1_000_000, 1_000_001]),
        5 => terms.insurance_draw_max = Amount(*rng.pick(&amounts)),
        6 => {
            terms.tranche =
                Some(TrancheSpec { account: *rng.pick(&[0, 13, u32::MAX]), notional_max: Amount(1) })
        }
        7 => terms.tranche = Some(TrancheSpec { account: 1, notional_max: Amount(*rng.pick(&amounts)) }),
        8 => terms.hedge = Some(HedgeSpec { asset: *rng.pick(&[0, 1, 99]), atoms_per_lot: 1 }),
        9 => terms.hedge = Some(HedgeSpec { asset: 2, atoms_per_lot: *rng.pick(&[0, 1 << 63, u64::MAX]) }),
        _ => spoil_policy(rng, terms),
    }
}

fn spoil_policy(rng: &mut Rng, terms: &mut LiquidationSpec) {
    let growth = GrowthSpec { duration_s: 60, initial_ppm: 0, small_shortage: Amount(0) };
    terms.policy = LiquidationPolicy::Growing;
    terms.growth = Some(growth);
    match rng.below(6) {
        0 => terms.growth = None,
        1 => terms.policy = *rng.pick(&[LiquidationPolicy::Ladder, LiquidationPolicy::Full]),
        2 => terms.growth = Some(GrowthSpec { duration_s: *rng.pick(&[0, 86_400, 86_401]), ..growth }),
        3 => {
            terms.growth = Some(GrowthSpec { initial_ppm: *rng.pick(&[-1, 1_000_000, 1_000_001]), ..growth })
        }
        4 => {
            let small_shortage = Amount(*rng.pick(&[-1, (1 << 96) - 1, 1 << 96]));
            terms.growth = Some(GrowthSpec { small_shortage, ..growth });
        }
        _ => {
            terms.price = *rng.pick(&[LiquidationPrice::Bankruptcy, LiquidationPrice::Fillable]);
            terms.spread_ppm = *rng.pick(&[-1, 0, 1, 10_000_000, 10_000_001]);
        }
    }
}
