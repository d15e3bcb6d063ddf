//! Section 28: auctions.

use super::events::{Cause, Fill};
use super::fill::flagged;
use super::money::fee_up;
use super::refusal::{Refusal, check, check_id, refuse};
use super::state::{Order, World};
use std::collections::BTreeSet;
use xos_protocol::{
    Auction, CancelReason, CommandRecord, EventKind, EventRecord, Flags, InstrumentState, Int128,
    PriceSource, Reject, SelfTrade, Side,
};

impl World {
    pub(super) fn start_auction(
        &mut self,
        cause: &Cause,
        command: &CommandRecord,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Refusal> {
        let (id, ends_ns) = (command.instrument, command.expires_ns);
        check_id(id, self.instruments.len(), Reject::UnknownInstrument)?;
        let is_settled = self.instrument(id).state == InstrumentState::Settled;
        check(!is_settled, Reject::InstrumentSettled, id, 0)?;
        check(!self.instrument(id).is_over, Reject::InstrumentCancelOnly, id, 0)?;
        if let Some(auction) = self.governance.auctions.iter().find(|auction| auction.instrument == id) {
            return refuse(Reject::AuctionUnderWay, id, auction.ends_ns);
        }
        check(ends_ns > cause.time_ns, Reject::AuctionEndsNotInFuture, ends_ns, cause.time_ns)?;
        // Nothing below can fail.
        self.begin_auction(cause, id, ends_ns, events);
        Ok(())
    }

    /// 254.
    pub(super) fn check_not_uncrossing(&self, id: u32) -> Result<(), Refusal> {
        let is_frozen = self.instrument(id).accepts() == InstrumentState::Uncrossing;
        check(!is_frozen, Reject::InstrumentUncrossing, id, 0)
    }

    /// After a tick.
    pub(super) fn end_auctions(&mut self, cause: &Cause, events: &mut Vec<EventRecord>) {
        let (mut met, mut looks) = (0, 0);
        for auction in self.governance.auctions.clone() {
            let may_look = looks < self.limits.matches_per_command_max as usize;
            let id = auction.instrument;
            let state = self.instrument(id).accepts();
            if state == InstrumentState::Settled && may_look {
                looks += 1;
                self.close_auction(cause, id, events);
            }
            if state == InstrumentState::Auction && cause.time_ns >= auction.ends_ns && may_look {
                looks += 1 + self.orders.iter().filter(|order| order.instrument == id).count();
                self.price_auction(cause, id, events);
            }
            if self.instrument(id).accepts() == InstrumentState::Uncrossing {
                self.uncross(cause, id, &mut met, events);
            }
        }
    }

    pub(super) fn price_auction(&mut self, cause: &Cause, id: u32, events: &mut Vec<EventRecord>) {
        let instrument = self.instrument(id);
        let prices = [instrument.last, instrument.mark, instrument.index];
        let reference = prices.into_iter().find(|price| *price > 0).unwrap_or(0);
        let here = |order: &&Order| order.instrument == id;
        let candidates: BTreeSet<i64> = self
            .orders
            .iter()
            .filter(here)
            .map(|order| instrument.band().map_or(order.price, |(low, high)| order.price.max(low).min(high)))
            .collect();
        let bought_at = |price: i64| -> i128 {
            let buys = self.orders.iter().filter(here).filter(|o| o.side == Side::Buy && o.price >= price);
            buys.map(|order| i128::from(order.remaining)).sum()
        };
        let sold_at = |price: i64| -> i128 {
            let sells = self.orders.iter().filter(here).filter(|o| o.side == Side::Sell && o.price <= price);
            sells.map(|order| i128::from(order.remaining)).sum()
        };
        let volume = |price: i64| bought_at(price).min(sold_at(price));
        let imbalance = |price: i64| bought_at(price) - sold_at(price);
        let away = |price: i64| if reference == 0 { 0 } else { (price - reference).abs() };
        let price = candidates
            .into_iter()
            .filter(|&price| volume(price) > 0)
            .min_by_key(|&price| (-volume(price), imbalance(price).abs(), away(price), price));
        let event = EventRecord {
            instrument: id,
            price: price.unwrap_or(0),
            qty: price.map_or(0, |price| i64::try_from(volume(price)).unwrap_or(i64::MAX)),
            amount: Int128::new(price.map_or(0, imbalance)),
            counter_amount: Int128::new(reference.into()),
            ..cause.event(EventKind::AuctionPriced)
        };
        events.push(event);
        self.auction_mut(id).price = Some(price.unwrap_or(0));
        self.instrument_mut(id).auction = InstrumentState::Uncrossing;
    }

    fn auction_mut(&mut self, id: u32) -> &mut Auction {
        self.governance.auctions.iter_mut().find(|auction| auction.instrument == id).expect("it is under way")
    }

    pub(super) fn close_auction(&mut self, cause: &Cause, id: u32, events: &mut Vec<EventRecord>) {
        let (filled, price) = (self.auction_mut(id).filled_lots, self.auction_mut(id).price);
        self.agree(cause.time_ns, id, price.unwrap_or(0), filled);
        self.governance.auctions.retain(|auction| auction.instrument != id);
        self.instrument_mut(id).auction = InstrumentState::Continuous;
        events.push(EventRecord { instrument: id, qty: filled, ..cause.event(EventKind::AuctionClosed) });
        self.reach_all(id);
    }

    fn uncross(&mut self, cause: &Cause, id: u32, met: &mut u32, events: &mut Vec<EventRecord>) {
        let fixed = self.auction_mut(id).price.expect("it is priced");
        loop {
            let at_fixed = if fixed > 0 { self.first_pair(id, Some(fixed)) } else { None };
            let Some((buy, sell)) = at_fixed.or_else(|| self.first_pair(id, None)) else {
                return self.close_auction(cause, id, events);
            };
            if *met == self.limits.matches_per_command_max {
                return;
            }
            *met += 1;
            let (buy, sell) = (self.orders[buy].clone(), self.orders[sell].clone());
            let (taker, maker) = if buy.id > sell.id { (buy, sell) } else { (sell, buy) };
            let price = if at_fixed.is_some() { fixed } else { maker.price };
            let band = self.instrument(id).band();
            let is_outside = band.is_some_and(|(low, high)| price < low || price > high);
            if is_outside && at_fixed.is_none() {
                self.leave_auction(cause, &maker, CancelReason::OutsideBand, events);
            } else {
                self.meet_in_auction(cause, &taker, &maker, price, events);
            }
        }
    }

    /// Places of the first buy that finds a sell, and of the first such sell, by price and then by time.
    fn first_pair(&self, id: u32, fixed: Option<i64>) -> Option<(usize, usize)> {
        let side_of = |side: Side| {
            let mut places: Vec<usize> = (0..self.orders.len())
                .filter(|&at| self.orders[at].instrument == id && self.orders[at].side == side)
                .collect();
            places.sort_by_key(|&at| -self.orders[at].price * side.sign());
            places
        };
        let (buys, sells) = (side_of(Side::Buy), side_of(Side::Sell));
        for buy in buys {
            let bid = &self.orders[buy];
            let limit = fixed.unwrap_or(bid.price);
            if bid.price < limit {
                continue;
            }
            let met = sells.iter().find(|&&sell| {
                self.orders[sell].price <= limit && self.are_eligible(bid, &self.orders[sell])
            });
            if let Some(&sell) = met {
                return Some((buy, sell));
            }
        }
        None
    }

    fn leave_auction(
        &mut self,
        cause: &Cause,
        order: &Order,
        reason: CancelReason,
        events: &mut Vec<EventRecord>,
    ) {
        let at = self.orders.iter().position(|resting| resting.id == order.id).expect("it rests");
        self.cancel_resting(cause, at, reason, events);
    }

    fn meet_in_auction(
        &mut self,
        cause: &Cause,
        taker: &Order,
        maker: &Order,
        price: i64,
        events: &mut Vec<EventRecord>,
    ) {
        if self.has_same_owner(taker.account, maker.account) && taker.self_trade != SelfTrade::None {
            return self.leave_auction(cause, taker, CancelReason::SelfTrade, events);
        }
        let mut lots = taker.visible().min(maker.visible());
        for order in [taker, maker] {
            if order.is_reduce_only() {
                let closable = self.holding(order.account, order.instrument).closable_by(order.side);
                if closable == 0 {
                    return self.leave_auction(cause, order, CancelReason::ReduceOnly, events);
                }
                lots = lots.min(closable);
            }
        }
        for order in [taker, maker] {
            let judged = Order { price, ..order.clone() };
            if taker.account != maker.account && !self.affords_fill(&judged, lots) {
                return self.leave_auction(cause, order, CancelReason::Unaffordable, events);
            }
        }
        self.fill_in_auction(cause, [taker, maker], price, lots, events);
        for (account, instrument) in std::mem::take(&mut self.breached) {
            let gone = self.take_out(|order| {
                order.account == account
                    && order.instrument == instrument
                    && order.flags.has(Flags::PROTECTED)
            });
            for order in gone {
                self.cancelled(cause, &order, CancelReason::Protection, events);
            }
        }
    }

    fn fill_in_auction(
        &mut self,
        cause: &Cause,
        orders: [&Order; 2],
        price: i64,
        lots: i64,
        events: &mut Vec<EventRecord>,
    ) {
        let id = orders[0].instrument;
        let with_itself = orders[0].account == orders[1].account;
        if !with_itself {
            self.settle_funding(cause, id, orders[0].account, events);
            self.settle_funding(cause, id, orders[1].account, events);
        }
        let fees = orders.map(|order| self.fee_in_auction(order, price, lots));
        let is_public = self.is_public_in_auction(id, price);
        self.count_fill(orders[0], orders[1], self.fee_base(id, price, lots));
        for order in orders {
            let at = self.orders.iter().position(|resting| resting.id == order.id).expect("it rests");
            self.orders[at].lose(lots);
            if self.orders[at].remaining == 0 {
                self.orders.remove(at);
            }
        }
        // As they are after it, at the price of the auction.
        let [taker, maker] = orders.map(|order| {
            let mut after = Order { price, ..order.clone() };
            after.lose(lots);
            after
        });
        self.last_trade_id += 1;
        if is_public {
            self.print(cause, id, price);
            let fixed = self.auction_mut(id).price;
            for halt in self.instrument_mut(id).halt.iter_mut().filter(|_| fixed == Some(price)) {
                halt.prices = vec![(cause.time_ns / 1_000_000_000, price)];
            }
        }
        let (taker_fee, maker_fee, trade_id) = (fees[0], fees[1], self.last_trade_id);
        let fill = Fill { taker: &taker, maker: &maker, lots, taker_fee, maker_fee, trade_id };
        events.push(flagged(cause.trade(&fill), is_public));
        self.exchange(&taker, &maker, lots, price);
        self.charge(cause, [&taker, &maker], [taker_fee, maker_fee], events);
        let taker_closed = if with_itself { None } else { self.move_position(&taker, lots, price) };
        let maker_closed = if with_itself { None } else { self.move_position(&maker, lots, price) };
        self.look_after_fill(&taker, &maker, price, taker_fee, taker_closed.as_ref());
        self.look_after_fill(&maker, &taker, price, maker_fee, maker_closed.as_ref());
        for (order, closed) in [(&taker, taker_closed), (&maker, maker_closed)] {
            events.extend(closed.map(|closed| cause.pnl_realised(order, price, &closed)));
        }
        self.replenish(cause, taker.id, events);
        self.replenish(cause, maker.id, events);
        if !with_itself {
            self.protect(cause, &taker, lots, events);
            self.protect(cause, &maker, lots, events);
        }
        self.reach(id, PriceSource::Last);
        if !with_itself {
            self.arm(&taker, lots);
            self.arm(&maker, lots);
        }
        for order in [&maker, &taker] {
            if order.remaining == 0 {
                self.entry_left(cause, order.id, events);
            }
        }
        self.auction_mut(id).filled_lots += lots;
    }

    /// What a maker pays, and no rebate.
    fn fee_in_auction(&self, order: &Order, price: i64, lots: i64) -> i128 {
        let base = self.fee_base(order.instrument, price, lots);
        fee_up(base, self.rates(order).maker_ppm.max(0))
    }
}
