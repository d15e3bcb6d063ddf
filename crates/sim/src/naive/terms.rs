//! Section 10: bounds of the margin and funding of a perpetual.

use super::deploy::bound;
use super::refusal::{Refusal, refuse};
use xos_protocol::{FundingSpec, InstrumentSpec, Product, Reject};
use xos_units::AMOUNT_ATOMS_BOUND;

/// Fields 42 to 48.
pub(super) fn check_funding(spec: &FundingSpec, product: &Product) -> Result<(), Refusal> {
    let percent = 10_000_000_000;
    bound(42, spec.interval_h, matches!(product, Product::Perpetual { .. }))?;
    bound(43, spec.interval_h, matches!(spec.interval_h, 1 | 4 | 8))?;
    bound(44, spec.interest, (-percent..=percent).contains(&spec.interest))?;
    bound(45, spec.clamp, (0..=percent).contains(&spec.clamp))?;
    bound(46, spec.cap, (1..=10 * percent).contains(&spec.cap))?;
    let impact = spec.impact_notional.0;
    bound(47, impact, (1..1 << 80).contains(&impact))?;
    bound(48, spec.sample_s, (1..=60).contains(&spec.sample_s))
}

/// Fields 51 to 57.
pub(super) fn check_margin(spec: &InstrumentSpec) -> Result<(), Refusal> {
    let is_perpetual = matches!(spec.product, Product::Perpetual { .. });
    bound(62, 1, !spec.isolated_only || is_perpetual)?;
    let Some(margin) = &spec.margin else { return Ok(()) };
    let Product::Perpetual { initial_margin_ppm, maintenance_margin_ppm } = spec.product else {
        return refuse(Reject::SpecOutOfBounds, 1, 51);
    };
    bound(52, margin.tiers.len() as i128, margin.tiers.len() <= 16)?;
    let mut below = (0, initial_margin_ppm, maintenance_margin_ppm);
    for tier in &margin.tiers {
        let (from, initial, maintenance) = (tier.notional_from.0, tier.initial_ppm, tier.maintenance_ppm);
        bound(53, from, from > below.0 && from < AMOUNT_ATOMS_BOUND)?;
        bound(54, initial, initial >= below.1 && initial <= 1_000_000)?;
        bound(55, maintenance, maintenance >= below.2 && maintenance <= initial)?;
        below = (from, initial, maintenance);
    }
    if let Some(bounds) = &margin.open_interest_scaling {
        let (lower, upper) = (bounds.lower.0, bounds.upper.0);
        bound(56, lower, (0..AMOUNT_ATOMS_BOUND).contains(&lower))?;
        bound(57, upper, upper > lower && upper < AMOUNT_ATOMS_BOUND)?;
    }
    Ok(())
}
