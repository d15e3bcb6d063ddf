//! What a match passed over: orders that it could not meet, at prices that it reached.

use crate::admission::Profile;
use crate::engine::Engine;
use crate::orders::Incoming;
use crate::step::{Step, wide};
use xos_book::RestingOrder;
use xos_protocol::{EventKind, Side};
use xos_units::{Amount, Price};

impl Engine {
    /// One event for each group that the order may not meet and whose best price is no worse than `reached`: the worst
    /// price that it traded at, or its limit if lots are left because nobody else was there.
    #[cold]
    #[inline(never)]
    pub(crate) fn tell_skips(&mut self, step: &mut Step, incoming: &Incoming, reached: Price) {
        let (instrument, side) = (&self.instruments[incoming.at], incoming.order.side);
        let is_reached = |price: Price| match side {
            Side::Buy => price <= reached,
            Side::Sell => price >= reached,
        };
        let mut skipped = Vec::new();
        for (profile, book) in instrument.groups().filter(|(at, _)| incoming.reach >> at & 1 == 0) {
            if let Some(level) = book.levels(side.opposite()).next()
                && is_reached(level.price)
                && let Some((_, first)) = book.front(side.opposite())
            {
                skipped.push((level, first, profile));
            }
        }
        let sign = side.sign();
        skipped.sort_by_key(|(level, first, _)| (level.price.0 * sign, self.pool.time(*first)));
        for (level, first, profile) in skipped {
            let (first, profile) = (*self.pool.order(first), self.profiles.at(profile));
            let lots = i64::try_from(level.lots).unwrap_or(i64::MAX);
            push_skip(step, &incoming.order, &first, profile, lots);
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
