//! Bounds of margin, funding, halts, phases and policies of liquidation.

use super::check_bounds;
use crate::step::{Refused, refused};
use xos_protocol::{
    FundingSpec, HaltSpec, InstrumentSpec, LIQUIDATION_GROWTH_S_MAX, LIQUIDATION_SPREAD_PPM_MAX,
    LiquidationPolicy, LiquidationPrice, LiquidationSpec, MarginSpec, Phases, Product, REOPEN_AUCTION_S_MAX,
    Reject,
};
use xos_units::{AMOUNT_ATOMS_BOUND, PPM_ONE, RATE_ONE};

/// Fields 51 to 57, and 62.
pub(super) fn check_margin(spec: &InstrumentSpec) -> Result<(), Refused> {
    if spec.isolated_only && !matches!(spec.product, Product::Perpetual { .. }) {
        return refused(Reject::SpecOutOfBounds, 1, 62);
    }
    let Some(margin) = &spec.margin else { return Ok(()) };
    let Product::Perpetual { initial_margin_ppm, maintenance_margin_ppm } = spec.product else {
        return refused(Reject::SpecOutOfBounds, 1, 51);
    };
    check_bounds(margin.tiers.len() as i128, 0..=MarginSpec::TIERS_MAX as i128, 52)?;
    let (mut from, mut initial, mut maintenance) = (0, initial_margin_ppm, maintenance_margin_ppm);
    for tier in &margin.tiers {
        check_bounds(tier.notional_from.0, from + 1..=AMOUNT_ATOMS_BOUND - 1, 53)?;
        check_bounds(i128::from(tier.initial_ppm), i128::from(initial)..=i128::from(PPM_ONE), 54)?;
        let most = i128::from(tier.initial_ppm);
        check_bounds(i128::from(tier.maintenance_ppm), i128::from(maintenance)..=most, 55)?;
        (from, initial, maintenance) = (tier.notional_from.0, tier.initial_ppm, tier.maintenance_ppm);
    }
    if let Some(bounds) = &margin.open_interest_scaling {
        check_bounds(bounds.lower.0, 0..=AMOUNT_ATOMS_BOUND - 1, 56)?;
        check_bounds(bounds.upper.0, bounds.lower.0 + 1..=AMOUNT_ATOMS_BOUND - 1, 57)?;
    }
    Ok(())
}

/// Fields 86 to 90.
pub(super) fn check_liquidation_policy(terms: &LiquidationSpec) -> Result<(), Refused> {
    let growth = terms.growth.as_ref();
    if growth.is_some() != (terms.policy == LiquidationPolicy::Growing) {
        return refused(Reject::SpecOutOfBounds, u64::from(growth.is_some()), 86);
    }
    if let Some(growth) = growth {
        check_bounds(growth.duration_s.into(), 1..=LIQUIDATION_GROWTH_S_MAX.into(), 87)?;
        check_bounds(growth.initial_ppm.into(), 0..=PPM_ONE.into(), 88)?;
        check_bounds(growth.small_shortage.0, 0..=AMOUNT_ATOMS_BOUND - 1, 89)?;
    }
    let spreads = match terms.price {
        LiquidationPrice::Bankruptcy => 0..=0,
        LiquidationPrice::Fillable => 1..=LIQUIDATION_SPREAD_PPM_MAX.into(),
    };
    check_bounds(terms.spread_ppm.into(), spreads, 90)
}

/// Fields 42 to 48.
pub(super) fn check_funding(spec: &FundingSpec, product: &Product) -> Result<(), Refused> {
    let hours = i128::from(spec.interval_h);
    if !matches!(product, Product::Perpetual { .. }) {
        return refused(Reject::SpecOutOfBounds, hours, 42);
    }
    if ![1, 4, 8].contains(&spec.interval_h) {
        return refused(Reject::SpecOutOfBounds, hours, 43);
    }
    let percent = i128::from(RATE_ONE / 100);
    check_bounds(i128::from(spec.interest), -percent..=percent, 44)?;
    check_bounds(i128::from(spec.clamp), 0..=percent, 45)?;
    check_bounds(i128::from(spec.cap), 1..=10 * percent, 46)?;
    check_bounds(spec.impact_notional.0, 1..=(1 << 80) - 1, 47)?;
    check_bounds(i128::from(spec.sample_s), 1..=60, 48)
}

/// Fields 101 to 104.
pub(super) fn check_halt(halt: &HaltSpec) -> Result<(), Refused> {
    check_bounds(i128::from(halt.move_ppm), 1..=i128::from(PPM_ONE) - 1, 101)?;
    check_bounds(i128::from(halt.window_s), 1..=600, 102)?;
    check_bounds(i128::from(halt.pause_s), 1..=86_400, 103)?;
    check_bounds(i128::from(halt.post_only_s), 0..=86_400, 104)
}

/// Field 173: only what may be held back reopens.
pub(crate) fn check_reopening(phases: &Phases, may_be_held_back: bool) -> Result<(), Refused> {
    let most = if may_be_held_back { REOPEN_AUCTION_S_MAX } else { 0 };
    check_bounds(i128::from(phases.reopen_auction_s), 0..=most.into(), 173)
}

/// Fields 171 and 172 of what is deployed now; resolvers, if there are any, take over at their close time.
pub(super) fn check_phase_times(
    now_ns: u64,
    phases: &Phases,
    resolvers_close_ns: Option<u64>,
) -> Result<(), Refused> {
    let Phases { pre_open_until_ns: open_ns, close_ns, .. } = *phases;
    let last_ns = i128::from(resolvers_close_ns.unwrap_or(u64::MAX));
    let (after_now, open) = (i128::from(now_ns) + 1, i128::from(open_ns));
    if open_ns != 0 {
        check_bounds(open, after_now..=last_ns - i128::from(resolvers_close_ns.is_some()), 171)?;
    }
    if close_ns != 0 {
        check_bounds(close_ns.into(), after_now.max(open + 1)..=last_ns, 172)?;
    }
    Ok(())
}
