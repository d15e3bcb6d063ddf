//! A book without money: queues by price, enough to know which orders still rest.

use std::collections::{BTreeMap, VecDeque};
use xos_protocol::{CommandRecord, Side};

/// An order as the simple book knows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct BookOrder {
    pub(super) id: u64,
    pub(super) account: u32,
    pub(super) instrument: u32,
    pub(super) side: Side,
    pub(super) price: i64,
    pub(super) total: i64,
    pub(super) remaining: i64,
    /// Where it stands in the list of live orders.
    at: usize,
}

type Levels = BTreeMap<i64, VecDeque<u64>>;

/// Books of several instruments.
#[derive(Clone, Debug)]
pub(super) struct SimpleBook {
    /// By order id; the ids of orders that left, and of other commands, are empty.
    orders: Vec<Option<BookOrder>>,
    /// Ids of resting orders, in no order.
    live: Vec<u64>,
    /// By instrument: bids, asks.
    sides: Vec<[Levels; 2]>,
    trades: i128,
    lots: i128,
    value: i128,
}

impl SimpleBook {
    pub(super) fn new(instruments: usize) -> Self {
        let sides = vec![[Levels::new(), Levels::new()]; instruments];
        Self { orders: Vec::new(), live: Vec::new(), sides, trades: 0, lots: 0, value: 0 }
    }

    /// Trades, lots, ticks times lots, resting orders.
    pub(super) fn totals(&self) -> [i128; 4] {
        [self.trades, self.lots, self.value, self.live.len() as i128]
    }

    pub(super) fn resting(&self) -> usize {
        self.live.len()
    }

    /// One of the resting orders, by a random number.
    pub(super) fn nth(&self, number: u64) -> Option<u64> {
        let count = self.live.len() as u64;
        (count > 0).then(|| self.live[(number % count) as usize])
    }

    pub(super) fn order(&self, id: u64) -> BookOrder {
        self.orders[id as usize].expect("the order rests")
    }

    pub(super) fn best(&self, instrument: u32, side: Side) -> Option<i64> {
        let levels = &self.sides[instrument as usize - 1][usize::from(side.code())];
        match side {
            Side::Buy => levels.keys().next_back().copied(),
            Side::Sell => levels.keys().next().copied(),
        }
    }

    fn level(&mut self, order: &BookOrder) -> &mut VecDeque<u64> {
        let levels = &mut self.sides[order.instrument as usize - 1][usize::from(order.side.code())];
        levels.entry(order.price).or_default()
    }

    /// Rests an order that takes nothing.
    pub(super) fn rest(&mut self, id: u64, place: &CommandRecord) {
        self.rest_part(id, place, place.qty);
    }

    /// Rests what a new order has left.
    pub(super) fn rest_part(&mut self, id: u64, place: &CommandRecord, remaining: i64) {
        let order = BookOrder {
            id,
            account: place.account,
            instrument: place.instrument,
            side: place.side().expect("checked by the writer"),
            price: place.price,
            total: place.qty,
            remaining,
            at: self.live.len(),
        };
        self.live.push(id);
        self.orders.resize(self.orders.len().max(id as usize + 1), None);
        self.orders[id as usize] = Some(order);
        self.level(&order).push_back(id);
    }

    fn leave_level(&mut self, order: &BookOrder) {
        let level = self.level(order);
        level.retain(|&other| other != order.id);
        if level.is_empty() {
            self.sides[order.instrument as usize - 1][usize::from(order.side.code())].remove(&order.price);
        }
    }

    pub(super) fn cancel(&mut self, id: u64) -> BookOrder {
        let order = self.orders[id as usize].take().expect("the order rests");
        self.live.swap_remove(order.at);
        if let Some(&moved) = self.live.get(order.at) {
            self.orders[moved as usize].as_mut().expect("live orders stand in the table").at = order.at;
        }
        self.leave_level(&order);
        order
    }

    fn change(&mut self, id: u64, change: impl FnOnce(&mut BookOrder)) -> BookOrder {
        let order = self.orders[id as usize].as_mut().expect("the order rests");
        change(order);
        *order
    }

    /// A smaller total, at the same place.
    pub(super) fn shrink(&mut self, id: u64, total: i64) {
        self.change(id, |order| {
            order.remaining -= order.total - total;
            order.total = total;
        });
    }

    /// Another price, at the back of its level.
    pub(super) fn reprice(&mut self, id: u64, price: i64) {
        let before = self.order(id);
        self.leave_level(&before);
        let after = self.change(id, |order| order.price = price);
        self.level(&after).push_back(id);
    }

    /// One of the `newest` orders that rest, by a random number.
    pub(super) fn newest(&self, number: u64, newest: usize) -> Option<u64> {
        let ids = self.orders.iter().rev().flatten().take(newest).map(|order| order.id);
        let ids: Vec<u64> = ids.collect();
        (!ids.is_empty()).then(|| ids[(number % ids.len() as u64) as usize])
    }

    /// Lots that an order can take at its price.
    pub(super) fn reachable(&self, record: &CommandRecord) -> i128 {
        let side = record.side().expect("checked by the writer");
        let levels = &self.sides[record.instrument as usize - 1][usize::from(side.opposite().code())];
        let reached = levels.iter().filter(|(price, _)| (**price - record.price) * side.sign() <= 0);
        reached.flat_map(|(_, queue)| queue).map(|id| i128::from(self.order(*id).remaining)).sum()
    }

    /// Matches an order; gives the lots left.
    pub(super) fn take(&mut self, record: &CommandRecord) -> i64 {
        self.take_of(record, |_| true)
    }

    /// The order that is met first: within the price, of an account with which the taker may trade.
    fn first(&self, record: &CommandRecord, side: Side, may_meet: impl Fn(u32) -> bool) -> Option<BookOrder> {
        let levels = &self.sides[record.instrument as usize - 1][usize::from(side.opposite().code())];
        let orders = |(_, queue): (&i64, &VecDeque<u64>)| {
            queue.iter().map(|id| self.order(*id)).find(|order| may_meet(order.account))
        };
        let reached = |(price, _): &(&i64, &VecDeque<u64>)| (**price - record.price) * side.sign() <= 0;
        match side {
            Side::Buy => levels.iter().take_while(reached).find_map(orders),
            Side::Sell => levels.iter().rev().take_while(reached).find_map(orders),
        }
    }

    /// Matches an order with those that it may meet, by their accounts; gives the lots left.
    pub(super) fn take_of(&mut self, record: &CommandRecord, may_meet: impl Fn(u32) -> bool) -> i64 {
        let side = record.side().expect("checked by the writer");
        let mut left = record.qty;
        while left > 0 {
            let Some(BookOrder { id, price, .. }) = self.first(record, side, &may_meet) else { return left };
            let lots = left.min(self.order(id).remaining);
            left -= lots;
            self.trades += 1;
            self.lots += i128::from(lots);
            self.value += i128::from(lots) * i128::from(price);
            if self.change(id, |order| order.remaining -= lots).remaining == 0 {
                self.cancel(id);
            }
        }
        left
    }
}
