//! Section 30.3: how a market is wound down once its time has come.

use super::events::Cause;
use super::governance::of_change;
use super::state::{House, Party, SETTLEMENT, World};
use xos_protocol::{
    ClosingMarket, EventKind, EventRecord, InstrumentState, Int128, MarketKind, MeasuredPrice, PendingChange,
};

impl World {
    pub(super) fn begin_closing(
        &mut self,
        cause: &Cause,
        pending: &PendingChange,
        measured: MeasuredPrice,
        events: &mut Vec<EventRecord>,
    ) {
        let id = pending.target;
        let mut begun = of_change(cause, EventKind::DelistingBegun, pending);
        if pending.kind == MarketKind::Question {
            events.push(begun);
            let spec = self.question(id).spec.resolution.clone().expect("it has resolvers");
            let by = xos_protocol::DecidedBy::Delisting;
            return self.conclude(cause, id, spec.void_payouts_ppm.clone(), by, events);
        }
        if pending.kind == MarketKind::Venue {
            events.push(begun);
            self.governance.closed_venues.insert(id);
            return self.market_ended(cause, MarketKind::Venue, id, events);
        }
        if self.instrument(id).is_perpetual() {
            let (sum, ns) = if measured.fresh_ns > 0 {
                (measured.fresh_sum.0, measured.fresh_ns)
            } else {
                (measured.any_sum.0, measured.any_ns)
            };
            let price = if ns == 0 {
                self.price_to_settle(id)
            } else {
                i64::try_from((2 * sum + i128::from(ns)) / (2 * i128::from(ns))).expect("a mean of prices")
            };
            let holders = (1..=self.accounts.len() as u32).filter(|&a| self.holding(a, id).position != 0);
            begun.qty = holders.count() as i64;
            let price = price.min(self.instrument(id).terms.price_max_ticks);
            begun.price = self.agreed_price(id, measured.agreed, price);
            self.instrument_mut(id).mark = begun.price;
        }
        events.push(begun);
        self.instrument_mut(id).state = InstrumentState::Settled;
        self.look_at_holders_of(id);
        self.governance.closing.push(ClosingMarket { instrument: id, settled: 0 });
        self.governance.closing.sort_by_key(|closing| closing.instrument);
    }

    /// A tick: a turn of the markets that are being closed.
    pub(super) fn go_on_closing(&mut self, cause: &Cause, events: &mut Vec<EventRecord>) {
        let mut left = i64::from(self.limits.payouts_per_command_max);
        for id in 1..=self.instruments.len() as u32 {
            let is_closing = self.governance.closing.iter().any(|closing| closing.instrument == id);
            if left > 0 && is_closing && self.close_some(cause, id, &mut left, events) {
                let at =
                    self.governance.closing.iter().position(|c| c.instrument == id).expect("it is there");
                let settled = self.governance.closing.remove(at).settled;
                let price = if self.instrument(id).is_perpetual() { self.instrument(id).mark } else { 0 };
                events.push(EventRecord {
                    instrument: id,
                    price,
                    qty: settled.into(),
                    ..cause.event(EventKind::MarketClosed)
                });
                self.market_ended(cause, MarketKind::Instrument, id, events);
            }
        }
    }

    fn close_some(&mut self, cause: &Cause, id: u32, left: &mut i64, events: &mut Vec<EventRecord>) -> bool {
        if !self.clear_some(cause, id, xos_protocol::CancelReason::Delisted, left, events) {
            return false;
        }
        let mut holders = (1..=self.accounts.len() as u32).filter(|&a| self.holding(a, id).position != 0);
        if holders.any(|account| self.liquidations.pending.contains(&account)) {
            return false;
        }
        for account in 1..=self.accounts.len() as u32 {
            if !self.instrument(id).is_perpetual() || self.holding(account, id).position == 0 {
                continue;
            }
            if *left <= 0 {
                return false;
            }
            *left -= 1;
            self.settle_funding(cause, id, account, events);
            let holding = self.holding(account, id);
            self.account_mut(account).holdings.remove(&id);
            let instrument = self.instrument(id);
            let price = instrument.mark;
            let realised = instrument.value(price, holding.position) - holding.cost;
            self.post(Party::House(House::Clearing(id)), Party::Account(account), SETTLEMENT, realised);
            self.look_at(account);
            self.look_at_debt(account);
            events.push(EventRecord {
                account,
                instrument: id,
                price,
                qty: holding.position,
                amount: Int128::new(realised),
                counter_amount: Int128::new(self.total(account, SETTLEMENT)),
                ..cause.event(EventKind::PositionSettled)
            });
            self.governance.closing.iter_mut().find(|c| c.instrument == id).expect("it is there").settled +=
                1;
        }
        self.end_settlement_of_funding(id);
        true
    }
}
