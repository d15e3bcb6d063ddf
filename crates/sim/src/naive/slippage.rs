//! Section 16: how far a market order that fires may trade.

use super::events::order_of;
use super::money::Reducing;
use super::state::{Instrument, World};
use super::triggers::Trigger;
use xos_protocol::{CommandRecord, Flags, Side};

impl World {
    /// The price, nearer than its protection, at which a market order that only reduces loses what its account bears.
    pub(super) fn borne_price(&self, trigger: &Trigger, price: i64, lots: i64) -> Option<i64> {
        let instrument = self.instrument(trigger.instrument);
        let closable = self.holding(trigger.account, trigger.instrument).closable_by(trigger.side);
        let lots = if trigger.flags.has(Flags::REDUCE_ONLY) { lots.min(closable) } else { lots };
        if !trigger.is_market() || !instrument.is_perpetual() || closable == 0 || lots > closable {
            return None;
        }
        let mut with = self.standing(trigger.account);
        let command = CommandRecord {
            side: trigger.side.code(),
            venue: trigger.venue,
            account: trigger.account,
            instrument: trigger.instrument,
            price: price.max(instrument.mark),
            qty: lots,
            ..CommandRecord::default()
        };
        with.orders.push(order_of(trigger.id, &command));
        let equity = self.headroom(&with) + self.initial_margin(&with);
        // As many ticks as the account bears, found one condition at a time.
        let bears = |ticks: i64| {
            let loss = instrument.value(ticks, lots);
            self.bears(&with, trigger.instrument, &Reducing { before: 0, lots, equity, loss })
        };
        if !bears(0) {
            return None;
        }
        let mut ticks: i64 = 0;
        for bit in (0..40).rev() {
            if bears(ticks + (1 << bit)) {
                ticks += 1 << bit;
            }
        }
        Some(match trigger.side {
            Side::Buy => price.min(instrument.mark + ticks),
            Side::Sell => price.max(instrument.mark - ticks),
        })
    }
}

/// So far from the price that fired it, within the instrument's prices and its band.
pub(super) fn protection(instrument: &Instrument, trigger: &Trigger, now: i64) -> i64 {
    let width = i128::from(now) * i128::from(trigger.slippage_ppm) / 1_000_000;
    let width = i64::try_from(width).expect("narrower than the price");
    let band = instrument.band();
    match trigger.side {
        Side::Buy => {
            let price = (now + width).min(instrument.terms.price_max_ticks);
            band.map_or(price, |(_, upper)| price.min(upper))
        }
        Side::Sell => {
            let price = (now - width).max(1);
            band.map_or(price, |(lower, _)| price.max(lower))
        }
    }
}
