//! A light model of the exchange, kept from its events, so that cancels and amends mostly name orders that rest.

use std::collections::BTreeMap;
use xos_protocol::{ClientId, EventFlags, EventKind, EventRecord};

/// An order that rests as far as its events tell.
#[derive(Clone, Copy, Debug)]
pub(super) struct LiveOrder {
    pub(super) id: u64,
    pub(super) account: u32,
    pub(super) instrument: u32,
    pub(super) side: u8,
    pub(super) price: i64,
    pub(super) total: i64,
    pub(super) remaining: i64,
    /// Lots that an iceberg shows at a time; 0: it is none.
    pub(super) display: i64,
    pub(super) client_id: ClientId,
}

/// An order that waits as far as its events tell.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    pub(super) id: u64,
    pub(super) account: u32,
    pub(super) instrument: u32,
    pub(super) above: i128,
    pub(super) below: i128,
    pub(super) client_id: ClientId,
}

/// Resting orders, positions' instruments and marks, from events alone.
#[derive(Clone, Debug, Default)]
pub(super) struct Live {
    pub(super) orders: BTreeMap<u64, LiveOrder>,
    pub(super) accounts: u32,
    pub(super) owners: BTreeMap<u32, ClientId>,
    /// Perpetuals of isolated accounts.
    pub(super) isolated: BTreeMap<u32, u32>,
    pub(super) marks: BTreeMap<u32, i64>,
    /// Prices of the last trades.
    pub(super) lasts: BTreeMap<u32, i64>,
    pub(super) waiting: BTreeMap<u64, Waiting>,
    /// Signed lots by account and instrument, from trades and sets; good enough to aim at.
    pub(super) positions: BTreeMap<(u32, u32), i64>,
}

impl Live {
    pub(super) fn observe(&mut self, event: &EventRecord) {
        if event.flags & EventFlags::RETRY != 0 {
            return;
        }
        match event.kind() {
            Some(EventKind::OrderAccepted) => {
                let order = LiveOrder {
                    id: event.order_id,
                    account: event.account,
                    instrument: event.instrument,
                    side: event.side,
                    price: event.price,
                    total: event.qty,
                    remaining: event.remaining,
                    display: event.amount.low as i64,
                    client_id: event.client_id(),
                };
                self.orders.insert(order.id, order);
            }
            Some(EventKind::OrderAmended) => {
                if let Some(order) = self.orders.get_mut(&event.order_id) {
                    (order.price, order.total) = (event.price, event.qty);
                    (order.remaining, order.display) = (event.remaining, event.amount.low as i64);
                }
            }
            Some(EventKind::OrderCancelled) => self.left(event.order_id, event.remaining),
            Some(EventKind::Trade) => {
                self.lasts.insert(event.instrument, event.price);
                self.traded(event);
            }
            Some(EventKind::ImpliedTrade | EventKind::ImpliedLeg) => {
                self.lasts.insert(event.instrument, event.price);
                self.moved(event, event.account, 1);
                self.left(event.order_id, event.remaining);
            }
            Some(EventKind::TriggerAccepted | EventKind::TriggerAmended) => {
                let waiting = Waiting {
                    id: event.order_id,
                    account: event.account,
                    instrument: event.instrument,
                    above: event.amount.get(),
                    below: event.counter_amount.get(),
                    client_id: event.client_id(),
                };
                self.waiting.insert(waiting.id, waiting);
            }
            Some(EventKind::TriggerFired | EventKind::TriggerCancelled) => {
                self.waiting.remove(&event.order_id);
            }
            Some(EventKind::TrancheTookOver) => {
                self.moved(event, event.account, 1);
                self.moved(event, event.counter_account(), -1);
            }
            Some(EventKind::BankruptcyClosed | EventKind::Deleveraged) => self.moved(event, event.account, 1),
            Some(EventKind::AccountOpened) => {
                self.accounts = event.account;
                self.owners.insert(event.account, event.client_id());
                if event.order_id != 0 {
                    self.isolated.insert(event.account, event.instrument);
                }
            }
            Some(EventKind::MarkSet) => {
                self.marks.insert(event.instrument, event.price);
            }
            _ => {}
        }
    }

    fn left(&mut self, order_id: u64, remaining: i64) {
        if remaining == 0 {
            self.orders.remove(&order_id);
        } else if let Some(order) = self.orders.get_mut(&order_id) {
            order.remaining = remaining;
        }
    }

    /// Lots of the event's side, or of the other side, went to an account.
    fn moved(&mut self, event: &EventRecord, account: u32, sign: i64) {
        let signed = if event.side == 0 { event.qty } else { -event.qty };
        *self.positions.entry((account, event.instrument)).or_default() += sign * signed;
    }

    fn traded(&mut self, event: &EventRecord) {
        let signed = if event.side == 0 { event.qty } else { -event.qty };
        *self.positions.entry((event.account, event.instrument)).or_default() += signed;
        *self.positions.entry((event.counter_account(), event.instrument)).or_default() -= signed;
        self.left(event.order_id, event.remaining);
        self.left(event.counter_order_id(), event.counter_remaining());
    }

    /// One of the resting orders, by a random number.
    pub(super) fn nth(&self, number: u64) -> Option<LiveOrder> {
        let count = self.orders.len() as u64;
        (count > 0).then(|| *self.orders.values().nth((number % count) as usize).expect("within the count"))
    }

    /// Lots and price of the orders of one side of an instrument, best first.
    pub(super) fn side_of(&self, instrument: u32, side: u8) -> Vec<(i64, i64)> {
        let orders = self.orders.values().filter(|o| o.instrument == instrument && o.side == side);
        let mut orders: Vec<(i64, i64)> = orders.map(|o| (o.remaining, o.price)).collect();
        orders.sort_by_key(|&(_, price)| if side == 0 { -price } else { price });
        orders
    }

    /// One of the positions, by a random number.
    pub(super) fn nth_position(&self, number: u64) -> Option<(u32, u32, i64)> {
        self.nth_position_of(number, |_| true)
    }

    /// One of the positions on instruments that are wanted, by a random number.
    pub(super) fn nth_position_of(
        &self,
        number: u64,
        wanted: impl Fn(u32) -> bool,
    ) -> Option<(u32, u32, i64)> {
        let open = self.positions.iter().filter(|((_, instrument), lots)| **lots != 0 && wanted(*instrument));
        let open: Vec<_> = open.collect();
        let &(&(account, instrument), &lots) = open.get((number % open.len().max(1) as u64) as usize)?;
        Some((account, instrument, lots))
    }
}
