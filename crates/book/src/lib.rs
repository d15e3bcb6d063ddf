//! One order book: rest, cancel, shrink, walk in price-time order. It knows no accounts and no money: what it
//! carries of them are opaque tags.
//!
//! [`OrderPool`] holds the resting orders of all books in one slab with an index by id; a [`Book`] links them
//! into two [`ladder::Ladder`]s of price levels, each a queue.

mod index;
pub mod ladder;
mod pool;

pub use pool::{NO_SLOT, OrderPool, RestingOrder, Slot};

use ladder::Ladder;
use xos_protocol::Side;
use xos_units::{Price, Qty};

/// Two sides of resting orders.
#[derive(Debug)]
pub struct Book {
    bids: Ladder,
    asks: Ladder,
    orders: u32,
}

/// What rests at one price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LevelView {
    /// The price.
    pub price: Price,
    /// Sum of the remaining lots.
    pub lots: u128,
    /// Number of orders.
    pub orders: u32,
}

impl Default for Book {
    fn default() -> Self {
        Self { bids: Ladder::new(Side::Buy), asks: Ladder::new(Side::Sell), orders: 0 }
    }
}

impl Book {
    /// Resting orders, both sides.
    #[inline(always)]
    pub fn orders(&self) -> u32 {
        self.orders
    }

    #[inline(always)]
    fn side(&self, side: Side) -> &Ladder {
        match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        }
    }

    #[inline(always)]
    fn side_mut(&mut self, side: Side) -> &mut Ladder {
        match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        }
    }

    /// Best price of a side.
    #[inline(always)]
    pub fn best_price(&self, side: Side) -> Option<Price> {
        self.side(side).best().map(|level| self.side(side).level(level).price)
    }

    /// Best price of a side and the oldest order there.
    #[inline(always)]
    pub fn front(&self, side: Side) -> Option<(Price, Slot)> {
        let ladder = self.side(side);
        let level = ladder.level(ladder.best()?);
        Some((level.price, level.head))
    }

    /// Youngest order of a level, if there is such a level.
    #[inline]
    pub fn back_of_level(&self, side: Side, price: Price) -> Option<Slot> {
        let ladder = self.side(side);
        ladder.find(price).map(|level| ladder.level(level).tail)
    }

    /// The order behind `slot`: next of its level, else oldest of the next worse level.
    #[inline]
    pub fn after(&self, pool: &OrderPool, slot: Slot) -> Option<Slot> {
        let order = pool.order(slot);
        if order.next != NO_SLOT {
            return Some(order.next);
        }
        let ladder = self.side(order.side);
        ladder.worse_than(order.price).map(|level| ladder.level(level).head)
    }

    /// Stores the order at the back of its price level.
    #[inline]
    pub fn rest(&mut self, pool: &mut OrderPool, order: &mut RestingOrder) -> Slot {
        let ladder = self.side_mut(order.side);
        order.level = ladder.find_or_insert(order.price);
        let level = ladder.level_mut(order.level);
        (order.prev, order.next) = (level.tail, NO_SLOT);
        let slot = pool.insert(order);
        level.tail = slot;
        level.lots += order.remaining.0 as u128;
        level.orders += 1;
        if order.prev == NO_SLOT {
            level.head = slot;
        } else {
            pool.order_mut(order.prev).next = slot;
        }
        self.orders += 1;
        slot
    }

    /// Takes the order out of its level; its slot stays with the caller.
    #[inline]
    pub fn unlink(&mut self, pool: &mut OrderPool, slot: Slot) {
        let order = *pool.order(slot);
        if order.prev != NO_SLOT {
            pool.order_mut(order.prev).next = order.next;
        }
        if order.next != NO_SLOT {
            pool.order_mut(order.next).prev = order.prev;
        }
        let ladder = self.side_mut(order.side);
        let level = ladder.level_mut(order.level);
        level.lots -= order.remaining.0 as u128;
        level.orders -= 1;
        if level.head == slot {
            level.head = order.next;
        }
        if level.tail == slot {
            level.tail = order.prev;
        }
        if level.orders == 0 {
            ladder.remove(order.price);
        }
        self.orders -= 1;
    }

    /// Takes `lots` off a resting order, which keeps its place. The order must keep at least one lot.
    #[inline]
    pub fn shrink(&mut self, pool: &mut OrderPool, slot: Slot, lots: Qty) {
        let order = pool.order_mut(slot);
        order.remaining -= lots;
        debug_assert!(order.remaining.0 > 0);
        let (side, level) = (order.side, order.level);
        self.side_mut(side).level_mut(level).lots -= lots.0 as u128;
    }

    /// Gives a resting order other lots, at the back of its price level.
    pub fn replenish(&mut self, pool: &mut OrderPool, slot: Slot, lots: Qty) {
        let order = *pool.order(slot);
        let level = self.side_mut(order.side).level_mut(order.level);
        level.lots = level.lots - order.remaining.0 as u128 + lots.0 as u128;
        pool.order_mut(slot).remaining = lots;
        pool.joins(slot);
        if level.tail == slot {
            return;
        }
        if level.head == slot {
            level.head = order.next;
        } else {
            pool.order_mut(order.prev).next = order.next;
        }
        pool.order_mut(order.next).prev = order.prev;
        pool.order_mut(level.tail).next = slot;
        let moved = pool.order_mut(slot);
        (moved.prev, moved.next) = (level.tail, NO_SLOT);
        level.tail = slot;
    }

    /// Lots at the best price of a side.
    #[inline]
    pub fn best_lots(&self, side: Side) -> u128 {
        let ladder = self.side(side);
        ladder.best().map_or(0, |level| ladder.level(level).lots)
    }

    /// Levels of a side, best first.
    pub fn levels(&self, side: Side) -> impl Iterator<Item = LevelView> + '_ {
        let ladder = self.side(side);
        let mut next = ladder.best();
        std::iter::from_fn(move || {
            let level = ladder.level(next?);
            next = ladder.worse_than(level.price);
            Some(LevelView { price: level.price, lots: level.lots, orders: level.orders })
        })
    }

    /// Orders of a side in price-time order.
    pub fn queue<'a>(&'a self, pool: &'a OrderPool, side: Side) -> impl Iterator<Item = Slot> + 'a {
        let mut next = self.front(side).map(|(_, slot)| slot);
        std::iter::from_fn(move || {
            let slot = next?;
            next = self.after(pool, slot);
            Some(slot)
        })
    }

    /// Recounts everything: each level equals its queue, is on its own price, and the best is the best.
    pub fn audit(&self, pool: &OrderPool) -> Result<(), String> {
        let mut orders = 0;
        for side in [Side::Buy, Side::Sell] {
            let ladder = self.side(side);
            let mut last: Option<Price> = None;
            let mut next = ladder.best();
            while let Some(at) = next {
                let level = ladder.level(at);
                let worse =
                    last.is_none_or(
                        |last| if side == Side::Buy { level.price < last } else { level.price > last },
                    );
                if !worse {
                    return Err(format!(
                        "level {} of the {} side is out of order",
                        level.price.0,
                        side.name()
                    ));
                }
                let (mut lots, mut count, mut slot, mut prev) = (0u128, 0u32, level.head, NO_SLOT);
                while slot != NO_SLOT {
                    let order = pool.order(slot);
                    if order.price != level.price
                        || order.side != side
                        || order.prev != prev
                        || order.level != at
                    {
                        return Err(format!("order {} is not where its level says", order.id.0));
                    }
                    if order.remaining.0 <= 0 || pool.find(order.id) != Some(slot) {
                        return Err(format!("order {} rests with {} lots", order.id.0, order.remaining.0));
                    }
                    if prev != NO_SLOT && pool.keeps_times() && !pool.is_elder(prev, slot) {
                        return Err(format!("order {} stands behind a younger one", order.id.0));
                    }
                    lots += order.remaining.0 as u128;
                    count += 1;
                    prev = slot;
                    slot = order.next;
                }
                if lots != level.lots || count != level.orders || prev != level.tail || count == 0 {
                    return Err(format!(
                        "level {} says {} lots, its queue has {lots}",
                        level.price.0, level.lots
                    ));
                }
                orders += count;
                last = Some(level.price);
                next = ladder.worse_than(level.price);
            }
        }
        if orders == self.orders {
            Ok(())
        } else {
            Err(format!("{} orders counted, {orders} found", self.orders))
        }
    }
}
