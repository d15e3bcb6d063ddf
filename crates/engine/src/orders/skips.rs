//! What a match passed over: orders that it could not meet, at prices that it reached.

use crate::admission::{Profile, ProfileAt};
use crate::engine::Engine;
use crate::orders::Incoming;
use crate::step::{Step, wide};
use xos_book::{RestingOrder, Slot};
use xos_protocol::EventKind;
use xos_units::{Amount, Price};

impl Engine {
    /// One event for each group that the order may not meet and whose best price is no worse than `reached`: the worst
    /// price that it traded at, or its limit if lots are left because nobody else was there.
    #[inline(never)]
    pub(crate) fn tell_skips(&self, step: &mut Step, incoming: &Incoming, reached: Price) {
        let (instrument, side) = (&self.instruments[incoming.at], incoming.order.side);
        let sign = side.sign();
        let mut left = instrument.bits() & !incoming.reach();
        while left != 0 {
            // The best of those that are left; groups are few, and mostly there is one.
            let (mut first, mut bits) = (None::<((i64, u64), Slot, ProfileAt)>, left);
            while bits != 0 {
                let profile = bits.trailing_zeros() as ProfileAt;
                bits &= bits - 1;
                match instrument.group(profile).front(side.opposite()) {
                    Some((price, slot)) if price.0 * sign <= reached.0 * sign => {
                        let rank = (price.0 * sign, self.pool.time(slot));
                        if first.is_none_or(|(best, ..)| rank < best) {
                            first = Some((rank, slot, profile));
                        }
                    }
                    _ => left &= !(1 << profile),
                }
            }
            let Some((_, slot, profile)) = first else { return };
            left &= !(1 << profile);
            let lots = instrument.group(profile).best_lots(side.opposite());
            let lots = i64::try_from(lots).unwrap_or(i64::MAX);
            push_skip(step, &incoming.order, self.pool.order(slot), self.profiles.at(profile), lots);
        }
    }
}

fn push_skip(step: &mut Step, order: &RestingOrder, first: &RestingOrder, profile: Profile, lots: i64) {
    let event = step.push(EventKind::LiquiditySkipped);
    event.side = order.side.code();
    event.venue = order.venue.0;
    event.account = order.account.0;
    event.instrument = order.instrument.0;
    event.order_id = order.id.0;
    event.price = first.price.0;
    event.qty = lots;
    event.remaining = order.remaining.0;
    event.detail = [0; 32];
    event.set_counterpart(first.id.0, first.account.0, first.venue.0, 0, 0);
    event.amount = wide(Amount(profile.classes.into()));
    let rule = i128::from(profile.rule.forbids) << 32 | i128::from(profile.rule.requires);
    event.counter_amount = wide(Amount(rule));
}
