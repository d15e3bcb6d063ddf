//! Filling an auction: which pairs meet, and their fills.

use crate::admission::Reach;
use crate::engine::Engine;
use crate::liquidation::Trader;
use crate::margin::reducible;
use crate::orders::{FillSide, is_reduce_only};
use crate::step::{Step, wide};
use xos_book::{RestingOrder, Slot};
use xos_protocol::{CancelReason, EventFlags, EventKind, Flags, SelfTrade, Side};
use xos_risk::{Closed, fee_base};
use xos_units::{Amount, InstrumentId, Ppm, Price, Qty, division::fee_up};

/// Two resting orders that trade, the one with the greater id as the taker.
#[derive(Clone, Copy)]
struct Pair {
    taker: Slot,
    maker: Slot,
    price: Price,
    /// The price is the auction's.
    is_fixed: bool,
}

impl Engine {
    /// Fills pairs until the turn is over or none is left: true.
    pub(super) fn uncross(
        &mut self,
        step: &mut Step,
        at: usize,
        fixed: Price,
        meetings_left: &mut u32,
    ) -> bool {
        while let Some(pair) = self.next_pair(at, fixed) {
            if *meetings_left == 0 || self.violation.is_some() {
                return false;
            }
            *meetings_left -= 1;
            self.meet_in_auction(step, at, pair);
        }
        true
    }

    /// The first buy, by price and time, that may trade at the price of the auction, with the first sell that may trade with
    /// it. When there is none: the first two that cross at all, at the price of the one with the lesser id.
    fn next_pair(&self, at: usize, fixed: Price) -> Option<Pair> {
        let at_fixed = (fixed > Price::ZERO).then(|| self.first_pair(at, Some(fixed))).flatten();
        let (buy, sell) = at_fixed.or_else(|| self.first_pair(at, None))?;
        let (bid, ask) = (self.pool.order(buy), self.pool.order(sell));
        let (taker, maker) = if bid.id > ask.id { (buy, sell) } else { (sell, buy) };
        let is_fixed = at_fixed.is_some();
        let price = if is_fixed { fixed } else { self.pool.order(maker).price };
        Some(Pair { taker, maker, price, is_fixed })
    }

    fn first_pair(&self, at: usize, fixed: Option<Price>) -> Option<(Slot, Slot)> {
        let instrument = &self.instruments[at];
        let mut first: Option<(Price, Slot, Slot)> = None;
        for (profile, book) in instrument.groups() {
            let Some((bid, buy)) = book.front(Side::Buy) else { continue };
            let is_first = first
                .is_none_or(|(price, slot, _)| bid > price || bid == price && self.pool.is_elder(buy, slot));
            if !is_first || fixed.is_some_and(|fixed| bid < fixed) {
                continue;
            }
            let reach: Reach = self.profiles.look_up(self.profiles.at(profile)).reach;
            let Some((ask, sell)) = instrument.front(&self.pool, Side::Sell, reach) else { continue };
            if ask <= fixed.unwrap_or(bid) {
                first = Some((bid, buy, sell));
            }
        }
        first.map(|(_, buy, sell)| (buy, sell))
    }

    fn meet_in_auction(&mut self, step: &mut Step, at: usize, pair: Pair) {
        let orders = [*self.pool.order(pair.taker), *self.pool.order(pair.maker)];
        let [taker, maker] = &orders;
        let instrument = &self.instruments[at];
        let is_outside = pair.price > instrument.band_high || pair.price < instrument.band_low;
        // The price of the auction was within the band when the book froze.
        if is_outside && !pair.is_fixed {
            return self.cancel_resting(step, pair.maker, CancelReason::OutsideBand);
        }
        if taker.owner == maker.owner && taker.self_trade != SelfTrade::None {
            return self.cancel_resting(step, pair.taker, CancelReason::SelfTrade);
        }
        let mut lots = taker.remaining.min(maker.remaining);
        for (order, slot) in [(taker, pair.taker), (maker, pair.maker)] {
            if is_reduce_only(order) {
                let key = self.instruments[at].key;
                let (position, _) = self.stand_of(order.account, key, order.side);
                let capacity = reducible(position, order.side);
                if capacity == Qty::ZERO {
                    return self.cancel_resting(step, slot, CancelReason::ReduceOnly);
                }
                lots = lots.min(capacity);
            }
        }
        if taker.account != maker.account {
            for (order, slot) in [(taker, pair.taker), (maker, pair.maker)] {
                let judged = RestingOrder { price: pair.price, ..*order };
                if !self.affords(&self.instruments[at], &judged, lots) {
                    return self.cancel_resting(step, slot, CancelReason::Unaffordable);
                }
            }
        }
        self.fill_in_auction(step, at, pair, &orders, lots);
        self.pull_breached_resting(step);
    }

    /// A fill of two resting orders. Both pay what a maker pays, and nobody gets a rebate.
    fn fill_in_auction(
        &mut self,
        step: &mut Step,
        at: usize,
        pair: Pair,
        orders: &[RestingOrder; 2],
        lots: Qty,
    ) {
        let (sequence, price) = (step.sequence, pair.price);
        let [taker, maker] = orders;
        if self.instruments[at].settling {
            self.settle_both(step, at, taker.account, maker.account);
        }
        self.check_pair(sequence, orders, price, lots);
        let instrument = &self.instruments[at];
        let base = fee_base(instrument.outcome_terms(), price, lots, instrument.k);
        let fees = orders.map(|order| {
            let rates = self.rates(order.account, order.venue, instrument);
            fee_up(base, Ppm(rates.maker_ppm.max(0)))
        });
        if self.charges_apart {
            self.count_volumes(at, base, orders.map(|order| (order.account, order.venue)));
        }
        let hidden = orders.map(|order| if order.is_iceberg { self.hidden(order.id) } else { Qty::ZERO });
        let left = orders.map(|order| order.remaining - lots);
        self.tell_trade(step, at, orders, price, lots, [left[0] + hidden[0], left[1] + hidden[1]], fees);
        for order in orders {
            self.unreserve(sequence, order, lots);
        }
        if self.is_public_in_auction(at, price) {
            let instrument = &mut self.instruments[at];
            instrument.printed(step.time_ns, price);
            if pair.is_fixed
                && let Some(halt) = &mut instrument.halt
            {
                halt.reopened(step.time_ns, price);
            }
        }
        let sides = orders.map(|order| FillSide::of(&order));
        self.deliver(sequence, at, &sides[0], &sides[1], price, lots);
        self.pay_fees(step, at, &sides[0], &sides[1], fees[0], fees[1]);
        if !self.collaterals.is_empty() {
            self.spot_moved(at, [taker.account, maker.account]);
        }
        let mut closed = [None, None];
        if taker.account != maker.account {
            closed = sides.map(|side| self.move_position(sequence, at, &side, price, lots));
        }
        let slots = [pair.taker, pair.maker];
        for place in 0..2 {
            // Where one left, the links of the other may have changed.
            let order = *self.pool.order(slots[place]);
            if left[place] > Qty::ZERO {
                self.instruments[at].group_mut(order.profile).shrink(&mut self.pool, slots[place], lots);
            } else if hidden[place] > Qty::ZERO {
                self.replenish(slots[place]);
            } else {
                self.unlink_resting(sequence, slots[place], &order);
            }
        }
        for place in 0..2 {
            self.emit_closed(step, at, &sides[place], price, closed[place]);
        }
        for place in 0..2 {
            if hidden[place] > Qty::ZERO && left[place] == Qty::ZERO {
                self.emit_replenished(step, slots[place]);
            }
        }
        self.after_pair(step, at, orders, price, lots, fees, closed.map(|closed| closed.map(|(c, ..)| c)));
    }

    /// What follows from a fill for questions, liquidations, protections and orders that wait.
    #[allow(clippy::too_many_arguments)]
    fn after_pair(
        &mut self,
        step: &mut Step,
        at: usize,
        orders: &[RestingOrder; 2],
        price: Price,
        lots: Qty,
        fees: [Amount; 2],
        closed: [Option<Closed>; 2],
    ) {
        let [taker, maker] = orders;
        if let Some(question) = self.instruments[at].question() {
            self.refresh_worst_case(taker.account, question);
            self.refresh_worst_case(maker.account, question);
            if self.instruments[at].implied {
                self.refresh_best(at, question, Side::Buy);
                self.refresh_best(at, question, Side::Sell);
            }
        }
        self.check_open_interest(step.sequence, at);
        if self.liquidations.wanted | self.liquidations.converts {
            let trader = |place: usize| Trader {
                account: orders[place].account,
                fee: fees[place],
                closed: closed[place].map_or(Qty::ZERO, |closed| closed.lots),
            };
            self.look_at_traders(at, price, [trader(0), trader(1)], false);
        }
        if (taker.flags | maker.flags) & Flags::PROTECTED != 0 {
            self.count_protected(step, taker, maker, lots);
        }
        if self.instruments[at].triggers > 0 {
            self.traded(step, taker, maker, lots);
            if taker.flags & Flags::BRACKET != 0 && taker.remaining == lots {
                self.entry_left(step, taker.id);
            }
        }
        if let Some(auction) = self.auction_mut(InstrumentId::from_index(at)) {
            auction.filled_lots = auction.filled_lots.saturating_add(lots.0);
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn tell_trade(
        &mut self,
        step: &mut Step,
        at: usize,
        orders: &[RestingOrder; 2],
        price: Price,
        lots: Qty,
        left: [Qty; 2],
        fees: [Amount; 2],
    ) {
        let [taker, maker] = orders;
        self.last_trade_id += 1;
        let is_public = self.is_public_in_auction(at, price);
        let event = step.push(EventKind::Trade);
        event.flags = if is_public { 0 } else { EventFlags::NOT_PUBLIC };
        event.side = taker.side.code();
        event.venue = taker.venue.0;
        event.account = taker.account.0;
        event.instrument = self.instruments[at].id.0;
        event.order_id = taker.id.0;
        event.price = price.0;
        event.qty = lots.0;
        event.remaining = left[0].0;
        event.detail = [0; 32];
        let (id, account, venue) = (maker.id.0, maker.account.0, maker.venue.0);
        event.set_counterpart(id, account, venue, left[1].0, self.last_trade_id);
        event.amount = wide(fees[0]);
        event.counter_amount = wide(fees[1]);
    }

    /// Invariant 10 of a fill in an auction: within both limits, of two that may trade, both the oldest of their price.
    fn check_pair(&mut self, sequence: u64, orders: &[RestingOrder; 2], price: Price, lots: Qty) {
        let [taker, maker] = orders;
        let accepts = |order: &RestingOrder| match order.side {
            Side::Buy => price <= order.price,
            Side::Sell => price >= order.price,
        };
        let profile = self.profiles.at(taker.profile);
        let sound = orders
            .iter()
            .all(|order| accepts(order) && lots <= order.remaining && order.prev == xos_book::NO_SLOT)
            && lots > Qty::ZERO
            && taker.side == maker.side.opposite()
            && self.is_eligible(&profile, maker);
        if !sound {
            let (taker, maker) = (taker.id.0, maker.id.0);
            let detail =
                format!("order {taker} must not fill {} lots of order {maker} in an auction", lots.0);
            self.halt(10, sequence, detail);
        }
    }
}
