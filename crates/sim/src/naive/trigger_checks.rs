//! Section 16: what a waiting order must satisfy by itself.

use super::place::check_price;
use super::refusal::{Refusal, check};
use super::state::Instrument;
use super::triggers::Trigger;
use xos_protocol::{Flags, Reject};

pub(super) fn check_trigger_prices(instrument: &Instrument, trigger: &Trigger) -> Result<(), Refusal> {
    let legs = [trigger.above, trigger.below];
    let legs = || legs.iter().filter(|leg| leg.trigger != 0);
    for leg in legs() {
        check_price(instrument, leg.trigger)?;
    }
    check(legs().count() > 0, Reject::TriggerMissing, 0, 0)?;
    let (above, below) = (trigger.above.trigger, trigger.below.trigger);
    check(!trigger.has_both() || above > below, Reject::TriggersCross, above, below)?;
    if trigger.is_market() {
        let slippage = trigger.slippage_ppm;
        return check((1..1_000_000).contains(&slippage), Reject::SlippageOutOfBounds, slippage, 999_999);
    }
    for leg in legs() {
        check_price(instrument, leg.limit)?;
    }
    Ok(())
}

pub(super) fn check_trigger_qty(instrument: &Instrument, trigger: &Trigger) -> Result<(), Refusal> {
    let (qty, terms) = (trigger.qty, &instrument.terms);
    check(qty >= 1, Reject::QtyNotPositive, qty, 1)?;
    let min = terms.qty_min_lots;
    check(qty >= min || trigger.flags.has(Flags::REDUCE_ONLY), Reject::QtyBelowMin, qty, min)?;
    check(qty <= terms.qty_max_lots, Reject::QtyAboveMax, qty, terms.qty_max_lots)
}

pub(super) fn check_not_reached(instrument: &Instrument, trigger: &Trigger) -> Result<(), Refusal> {
    for (leg, above) in [(trigger.above, true), (trigger.below, false)] {
        let now = instrument.price_of(leg.source);
        if leg.trigger != 0 && now != 0 {
            let reached = if above { now >= leg.trigger } else { now <= leg.trigger };
            check(!reached, Reject::TriggerWouldFire, leg.trigger, now)?;
        }
    }
    Ok(())
}
