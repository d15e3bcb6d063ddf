//! What of a specification never changes. Whoever holds a position or rests an order relies on it.

use crate::step::{Refused, refused};
use xos_protocol::{Fees, InstrumentSpec, InstrumentTerms, Product, Reject, VenueSpec};

/// Fields that a change must leave as they are, with their numbers, in order.
type Fixed = [(bool, i128)];

fn check_fixed(fields: &Fixed, target: u32) -> Result<(), Refused> {
    match fields.iter().find(|(is_same, _)| !is_same) {
        Some((_, field)) => refused(Reject::FieldIsFixed, target, *field),
        None => Ok(()),
    }
}

fn terms(before: &InstrumentTerms, after: &InstrumentTerms) -> [(bool, i128); 8] {
    let ceiling = after.fees.ceiling_ppm;
    [
        (before.quote_atoms_per_tick_lot == after.quote_atoms_per_tick_lot, 2),
        ((&before.tick_size, &before.lot_size) == (&after.tick_size, &after.lot_size), 21),
        (before.price_max_ticks == after.price_max_ticks, 3),
        (before.matching == after.matching, 185),
        (before.venue == after.venue, 142),
        (before.phases.pre_open_until_ns == after.phases.pre_open_until_ns, 171),
        (before.phases.close_ns == after.phases.close_ns, 172),
        (ceiling == 0 || ceiling == before.fees.highest_ppm(), 186),
    ]
}

pub(super) fn check_terms(
    before: &InstrumentTerms,
    after: &InstrumentTerms,
    target: u32,
) -> Result<(), Refused> {
    check_fixed(&terms(before, after), target)
}

/// What is traded, without margin rates.
fn traded(product: &Product) -> Option<(u32, u32, u64)> {
    match *product {
        Product::Spot { base, quote, base_atoms_per_lot } => Some((base, quote, base_atoms_per_lot)),
        Product::Perpetual { .. } => None,
    }
}

pub(super) fn check_instrument(
    before: &InstrumentSpec,
    after: &InstrumentSpec,
    target: u32,
) -> Result<(), Refused> {
    let (was, is) = (traded(&before.product), traded(&after.product));
    let assets = |traded: Option<(u32, u32, u64)>| traded.map(|(base, quote, _)| (base, quote));
    let interval = |spec: &InstrumentSpec| spec.funding.as_ref().map(|funding| funding.interval_h);
    let first = [(before.symbol == after.symbol, 183), (assets(was) == assets(is), 14), (was == is, 15)];
    check_fixed(&first, target)?;
    check_terms(&before.terms, &after.terms, target)?;
    let last = [
        (before.oracle.is_some() == after.oracle.is_some(), 32),
        (before.funding.is_some() == after.funding.is_some(), 42),
        (interval(before) == interval(after), 43),
        (before.collateral.is_empty() == after.collateral.is_empty(), 58),
        (before.conversion_slippage_ppm.is_some() == after.conversion_slippage_ppm.is_some(), 83),
        (before.liquidation.is_some() == after.liquidation.is_some(), 71),
        (before.isolated_only == after.isolated_only, 62),
        (before.halt.is_some() == after.halt.is_some(), 101),
    ];
    check_fixed(&last, target)
}

/// Of a venue only the rates change.
pub(super) fn check_venue(before: &VenueSpec, after: &VenueSpec, target: u32) -> Result<(), Refused> {
    let ceiling = after.fees.map_or(0, |fees| fees.ceiling_ppm);
    let fields = [
        (before.symbol == after.symbol, 183),
        (before.fees.is_some() == after.fees.is_some(), 11),
        (before.admission == after.admission, 131),
        (before.counterparty == after.counterparty, 133),
        (ceiling == 0 || before.fees.is_some_and(|fees| fees.highest_ppm() == ceiling), 186),
        (before.simulated == after.simulated, 147),
    ];
    check_fixed(&fields, target)
}

/// New rates under the ceiling of the old ones, which stays.
pub(super) fn under_ceiling(before: Fees, after: Fees) -> Result<Fees, Refused> {
    let (rate, ceiling) = (after.maker_ppm.max(after.taker_ppm), before.highest_ppm());
    if rate > ceiling {
        return refused(Reject::FeeAboveCeiling, rate, ceiling);
    }
    Ok(Fees { ceiling_ppm: if rate < ceiling { ceiling } else { 0 }, ..after })
}
