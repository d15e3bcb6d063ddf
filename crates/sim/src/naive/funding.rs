//! Section 17: funding.

use super::events::Cause;
use super::state::{House, Party, SETTLEMENT, World};
use std::collections::BTreeSet;
use xos_protocol::{EventKind, EventRecord, FundingSpec, Int128, Side};

const ONE: i128 = 1_000_000_000_000;

/// Time of its end, premium, rate and index of an interval.
pub(super) type Past = (u64, i128, i128, i64);

/// The running interval, the settlement under way, and what was before.
#[derive(Clone, Debug)]
pub(super) struct Funding {
    pub(super) spec: FundingSpec,
    pub(super) samples: Vec<i128>,
    pub(super) slot: u64,
    pub(super) interval: u64,
    pub(super) epoch: u32,
    pub(super) rate: i128,
    pub(super) index: i64,
    /// The next account to look at; none: nothing to settle.
    pub(super) cursor: Option<u32>,
    /// Accounts that are still due.
    pub(super) due: BTreeSet<u32>,
    pub(super) payments: u32,
    pub(super) held: i128,
    pub(super) history: Vec<Past>,
}

impl Funding {
    pub(super) fn new(spec: FundingSpec) -> Self {
        Self {
            spec,
            samples: Vec::new(),
            slot: 0,
            interval: 0,
            epoch: 0,
            rate: 0,
            index: 0,
            cursor: None,
            due: BTreeSet::new(),
            payments: 0,
            held: 0,
            history: Vec::new(),
        }
    }

    fn rate_of(&self, premium: i128) -> i128 {
        let (interest, clamp) = (i128::from(self.spec.interest), i128::from(self.spec.clamp));
        let eight_hours = premium + (interest - premium).max(-clamp).min(clamp);
        let cap = i128::from(self.spec.cap);
        // Towards zero, as integers divide.
        (eight_hours * i128::from(self.spec.interval_h) / 8).max(-cap).min(cap)
    }
}

impl World {
    /// After a tick: every perpetual with funding, in order.
    pub(super) fn run_funding(&mut self, cause: &Cause, events: &mut Vec<EventRecord>) {
        let mut left = self.limits.funding_settlements_per_command_max;
        for id in 1..=self.instruments.len() as u32 {
            if self.instrument(id).funding.is_some() {
                if !self.is_closed(id) {
                    self.sample(cause, id);
                    self.end_interval(cause, id, events);
                }
                self.settle_holders(cause, id, &mut left, events);
            }
        }
    }

    fn is_frozen(&self, id: u32) -> bool {
        self.instrument(id).oracle.as_ref().is_some_and(|oracle| !oracle.is_fresh())
    }

    fn sample(&mut self, cause: &Cause, id: u32) {
        let funding = self.instrument(id).funding.as_ref().expect("it has funding");
        let slot = cause.time_ns / 1_000_000_000 / u64::from(funding.spec.sample_s) + 1;
        let may = slot > funding.slot && funding.samples.len() < 1_000_000;
        if may && self.instrument(id).index > 0 && !self.is_frozen(id) {
            let premium = self.premium(id);
            let funding = self.instrument_mut(id).funding.as_mut().expect("it has funding");
            funding.samples.push(premium);
            funding.slot = slot;
        }
    }

    /// Value in ticks x lots and lots of filling the impact notional against a side.
    fn impact(&self, id: u32, side: Side) -> Option<(i128, i128)> {
        let instrument = self.instrument(id);
        let mut prices: BTreeSet<i64> = BTreeSet::new();
        let on_side =
            || self.orders.iter().filter(|o| o.instrument == id && o.side == side && self.accepts_plain(o));
        prices.extend(on_side().map(|o| o.price * -side.sign()));
        let mut left = instrument.funding.as_ref().expect("it has funding").spec.impact_notional.0;
        let (mut value, mut lots) = (0, 0);
        for price in prices.into_iter().take(1_000).map(|price| price * -side.sign()) {
            let there: i128 = on_side().filter(|o| o.price == price).map(|o| i128::from(o.visible())).sum();
            let lot_value = instrument.value(price, 1);
            let wanted = (left + lot_value - 1) / lot_value;
            let taken = there.min(wanted);
            value += i128::from(price) * taken;
            lots += taken;
            left -= taken * lot_value;
            if left <= 0 {
                return Some((value, lots));
            }
        }
        None
    }

    fn premium(&self, id: u32) -> i128 {
        let index = i128::from(self.instrument(id).index);
        let ratio = |(value, lots): (i128, i128)| value * ONE / (lots * index);
        let above = self.impact(id, Side::Buy).map_or(0, |bid| (ratio(bid) - ONE).max(0));
        let below = self.impact(id, Side::Sell).map_or(0, |ask| (ONE - ratio(ask)).max(0));
        (above - below).clamp(-ONE, ONE)
    }

    fn end_interval(&mut self, cause: &Cause, id: u32, events: &mut Vec<EventRecord>) {
        let (index, frozen) = (self.instrument(id).index, self.is_frozen(id));
        let holders: BTreeSet<u32> = (1..=self.accounts.len() as u32)
            .filter(|&account| self.holding(account, id).position != 0)
            .collect();
        let funding = self.instrument_mut(id).funding.as_mut().expect("it has funding");
        let seconds = u64::from(funding.spec.interval_h) * 3_600;
        let interval = cause.time_ns / 1_000_000_000 / seconds + 1;
        if funding.interval == 0 {
            funding.interval = interval;
        }
        if interval == funding.interval || funding.cursor.is_some() || frozen {
            return;
        }
        funding.interval = interval;
        if funding.samples.is_empty() {
            return;
        }
        let samples = std::mem::take(&mut funding.samples);
        let premium = samples.iter().sum::<i128>() / samples.len() as i128;
        let rate = funding.rate_of(premium);
        funding.history.push((cause.time_ns, premium, rate, index));
        if funding.history.len() > 168 {
            funding.history.remove(0);
        }
        if rate != 0 {
            (funding.rate, funding.index, funding.payments) = (rate, index, 0);
            funding.epoch += 1;
            funding.cursor = Some(1);
            funding.due = holders;
            self.look_at_holders_of(id);
        }
        events.push(EventRecord {
            instrument: id,
            price: index,
            amount: Int128::new(rate),
            counter_amount: Int128::new(premium),
            ..cause.event(EventKind::FundingSet)
        });
    }

    fn settle_holders(&mut self, cause: &Cause, id: u32, left: &mut u32, events: &mut Vec<EventRecord>) {
        while let Some(cursor) = self.instrument(id).funding.as_ref().and_then(|funding| funding.cursor) {
            let next = (cursor..=self.accounts.len() as u32).find(|&a| self.holding(a, id).position != 0);
            let Some(account) = next else {
                self.end_settlement_of_funding(id);
                return;
            };
            if *left == 0 {
                return;
            }
            *left -= 1;
            self.settle_funding(cause, id, account, events);
            let funding = self.instrument_mut(id).funding.as_mut().expect("it has funding");
            funding.cursor = Some(account + 1);
        }
    }

    /// Nobody is left who is due: what rounding left goes to rounding.
    pub(super) fn end_settlement_of_funding(&mut self, id: u32) {
        let Some(funding) = self.instrument_mut(id).funding.as_mut() else { return };
        funding.cursor = None;
        let rest = std::mem::take(&mut funding.held);
        let [_, rounding] = self.insurance_and_rounding(id);
        self.post(Party::House(House::Clearing(id)), Party::House(rounding), SETTLEMENT, rest);
    }

    /// What the account is still to receive on an instrument; negative: to pay.
    fn due_on(&self, account: u32, id: u32) -> i128 {
        let instrument = self.instrument(id);
        match &instrument.funding {
            Some(funding) if funding.due.contains(&account) => {
                let lots = i128::from(self.holding(account, id).position);
                let per_lot = i128::from(funding.index) * instrument.k() * funding.rate;
                // -(lots x per lot) / 10^12, rounded down, without the whole product.
                let (whole, part) = (per_lot.div_euclid(ONE), per_lot.rem_euclid(ONE));
                -lots * whole + (-lots * part).div_euclid(ONE)
            }
            _ => 0,
        }
    }

    /// What the account is still to receive in all.
    pub(super) fn due(&self, account: u32) -> i128 {
        (1..=self.instruments.len() as u32).map(|id| self.due_on(account, id)).sum()
    }

    pub(super) fn settle_funding(
        &mut self,
        cause: &Cause,
        id: u32,
        account: u32,
        events: &mut Vec<EventRecord>,
    ) {
        let amount = self.due_on(account, id);
        let lots = self.holding(account, id).position;
        let Some(funding) = self.instrument_mut(id).funding.as_mut() else { return };
        if !funding.due.remove(&account) {
            return;
        }
        funding.payments += 1;
        funding.held -= amount;
        let price = funding.index;
        self.post(Party::House(House::Clearing(id)), Party::Account(account), SETTLEMENT, amount);
        self.look_at_debt(account);
        events.push(EventRecord {
            account,
            instrument: id,
            price,
            qty: lots,
            amount: Int128::new(amount),
            counter_amount: Int128::new(self.total(account, SETTLEMENT)),
            ..cause.event(EventKind::FundingPaid)
        });
    }
}
