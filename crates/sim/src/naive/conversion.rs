//! Section 26: debt in the settlement asset, and collateral that is sold for it.

use super::events::Cause;
use super::refusal::{Refusal, check};
use super::state::{Kind, Order, SETTLEMENT, World};
use xos_protocol::{
    CancelReason, EventKind, EventRecord, Flags, InstrumentState, Int128, Reject, SelfTrade, Side, Tif,
};

/// An asset that can be sold, its spot instrument and the whole lots of it.
#[derive(Clone, Copy, Debug)]
struct Saleable {
    asset: u32,
    instrument: u32,
    lots: i128,
    value: i128,
}

impl World {
    fn debt_max(&self) -> Option<i128> {
        self.assets.first()?.debt_max.map(|most| most.0)
    }

    /// What the account owes beyond the limit; 0 or less: nothing.
    pub(super) fn debt_beyond_limit(&self, account: u32) -> i128 {
        self.debt_max().map_or(0, |most| -self.total(account, SETTLEMENT) - most)
    }

    /// 421: paying `cost` must leave the debt within the limit.
    pub(super) fn check_debt(&self, account: u32, cost: i128) -> Result<(), Refusal> {
        let owed = cost - self.total(account, SETTLEMENT);
        match self.debt_max() {
            Some(most) => check(owed <= most, Reject::DebtLimit, owed, most),
            None => Ok(()),
        }
    }

    fn slippage_of(&self, instrument: u32) -> Option<i128> {
        self.instrument(instrument).spec.as_ref()?.conversion_slippage_ppm.map(i128::from)
    }

    fn saleable(&self, account: u32) -> Vec<Saleable> {
        let mut found = Vec::new();
        if self.is_simulated(account) {
            return found;
        }
        for instrument in 1..=self.instruments.len() as u32 {
            let Kind::Spot { base, base_atoms_per_lot, .. } = self.instrument(instrument).kind else {
                continue;
            };
            let total = self.total(account, base);
            let lots = (total / base_atoms_per_lot).min((1 << 40) - 1);
            if self.slippage_of(instrument).is_some() && lots > 0 {
                let value = self.instrument(instrument).collateral_value(total);
                found.push(Saleable { asset: base, instrument, lots, value });
            }
        }
        found.sort_by_key(|one| (-one.value, one.asset));
        found
    }

    fn must_repay(&self, account: u32) -> bool {
        self.debt_beyond_limit(account) > 0 && !self.saleable(account).is_empty()
    }

    /// Money of the account moved, or collateral came to it.
    pub(super) fn look_at_debt(&mut self, account: u32) {
        let state = &self.liquidations;
        let is_known =
            state.next_visits.contains_key(&account) || state.next_repayments.contains_key(&account);
        if !is_known && self.must_repay(account) {
            self.liquidations.pending.insert(account);
        }
    }

    /// A look at an account that is neither liquidatable nor in liquidation; true if it was a visit.
    pub(super) fn visit_for_debt(
        &mut self,
        cause: &Cause,
        account: u32,
        events: &mut Vec<EventRecord>,
    ) -> bool {
        if !self.must_repay(account) {
            self.liquidations.next_repayments.remove(&account);
            return false;
        }
        if self.liquidations.next_repayments.get(&account).is_some_and(|next_ns| *next_ns != 0) {
            return false;
        }
        self.convert(cause, account, Self::debt_beyond_limit, events);
        if self.must_repay(account) {
            let next_ns = cause.time_ns.saturating_add(1_000_000_000);
            self.liquidations.next_repayments.insert(account, next_ns);
        } else {
            self.liquidations.next_repayments.remove(&account);
        }
        true
    }

    /// Rung 2 of the ladder.
    pub(super) fn convert_for_liquidation(
        &mut self,
        cause: &Cause,
        account: u32,
        events: &mut Vec<EventRecord>,
    ) {
        self.convert(cause, account, Self::cash_missing, events);
    }

    /// What the account would owe if all its perpetuals closed at the mark.
    fn cash_missing(&self, account: u32) -> i128 {
        let mut cash = self.total(account, SETTLEMENT) + self.due(account);
        for id in 1..=self.instruments.len() as u32 {
            let (instrument, holding) = (self.instrument(id), self.holding(account, id));
            if instrument.is_perpetual() {
                cash += instrument.value(instrument.mark, holding.position) - holding.cost;
            }
        }
        -cash
    }

    fn convert(
        &mut self,
        cause: &Cause,
        account: u32,
        missing: fn(&World, u32) -> i128,
        events: &mut Vec<EventRecord>,
    ) {
        let mut orders = 0;
        for saleable in self.saleable(account) {
            if missing(self, account) > 0 && orders < 4 {
                let needed = missing(self, account);
                if self.sell_collateral(cause, account, saleable, needed, events) {
                    orders += 1;
                }
            }
        }
    }

    fn sell_collateral(
        &mut self,
        cause: &Cause,
        account: u32,
        saleable: Saleable,
        needed: i128,
        events: &mut Vec<EventRecord>,
    ) -> bool {
        let Saleable { asset, instrument: id, lots, .. } = saleable;
        let instrument = self.instrument(id);
        let slippage = self.slippage_of(id).expect("saleable");
        let index = i128::from(instrument.index);
        let limit = i64::try_from((index - index * slippage / 1_000_000).max(1)).expect("below the index");
        let bids = self.orders.iter().filter(|o| o.instrument == id && o.side == Side::Buy);
        let bids = bids.filter(|order| self.would_accept(order, account));
        let Some(best) = bids.map(|order| order.price).max() else { return false };
        if instrument.accepts() != InstrumentState::Continuous || index == 0 || best < limit {
            return false;
        }
        let per_lot = instrument.value(best, 1);
        let wanted = ((needed + per_lot - 1) / per_lot).min(lots);
        let Kind::Spot { base_atoms_per_lot, .. } = instrument.kind else { unreachable!("saleable") };
        if self.free(account, asset) / base_atoms_per_lot < wanted {
            let held: Vec<u64> = self
                .orders
                .iter()
                .filter(|o| o.account == account && self.asset_held(o) == Some(asset))
                .map(|order| order.id)
                .collect();
            for order in self.take_out(|order| held.contains(&order.id)) {
                self.cancelled(cause, &order, CancelReason::Conversion, events);
            }
        }
        let wanted = i64::try_from(wanted).expect("bounded by the lots");
        let mut order = Order {
            id: 0,
            account,
            instrument: id,
            side: Side::Sell,
            tif: Tif::Ioc,
            flags: Flags(0),
            self_trade: SelfTrade::CancelMaker,
            venue: 0,
            price: limit,
            total: wanted,
            remaining: wanted,
            display: 0,
            shown: 0,
            expires_ns: 0,
            client_id: [0; 32],
            classes: self.dividing_classes(account),
        };
        events.push(EventRecord {
            side: Side::Sell.code(),
            account,
            instrument: id,
            price: limit,
            qty: wanted,
            amount: Int128::new(needed),
            counter_amount: Int128::new(self.total(account, SETTLEMENT)),
            ..cause.event(EventKind::ConversionOrder)
        });
        let first = events.len();
        self.take(cause, &mut order, events);
        let (mut sold, mut brought) = (0, 0);
        for trade in events[first..].iter().filter(|event| event.kind() == Some(EventKind::Trade)) {
            sold += trade.qty;
            brought += self.instrument(id).value(trade.price, trade.qty);
        }
        if sold > 0 {
            events.push(EventRecord {
                account,
                instrument: id,
                qty: sold,
                amount: Int128::new(brought),
                counter_amount: Int128::new(self.total(account, SETTLEMENT)),
                ..cause.event(EventKind::CollateralConverted)
            });
        }
        true
    }

    /// Whoever has to repay is pending, in liquidation, has a next visit, or is below the requirement at stale prices.
    pub(super) fn check_repayments(&self) -> Result<(), String> {
        for account in 1..=self.accounts.len() as u32 {
            let state = &self.liquidations;
            let is_found = state.pending.contains(&account)
                || state.next_visits.contains_key(&account)
                || state.next_repayments.contains_key(&account)
                || (self.is_liquidatable(account) && self.waits_for_prices(account));
            if !is_found && self.must_repay(account) {
                return Err(format!("account {account} has to repay, and nobody looks"));
            }
        }
        Ok(())
    }
}
