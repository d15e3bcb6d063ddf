//! Market data: the public book of an instrument, kept from the events alone, told by order and by price.
//!
//! Events tell which orders rest and what is shown of them; a feed follows them from the moment somebody first asked,
//! when the book was taken from the engine. Changes have numbers without a gap, and the last of them are kept.

use crate::order_ids::{ByOrderId, by_order_id};
use crate::page::{Page, Pages};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use xos_engine::Engine;
use xos_protocol::{EventFlags, EventKind, EventRecord, FeedAction, FeedRecord, Side};
use xos_units::InstrumentId;

#[derive(Clone, Copy, Debug)]
struct Resting {
    side: u8,
    price: i64,
    shown: i64,
    remaining: i64,
    display: i64,
    /// Grows with each order that comes to the back of a level.
    place: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Level {
    lots: i64,
    orders: u32,
}

/// The book by price; it is kept from the moment somebody first asked for it.
#[derive(Debug, Default)]
struct ByPrice {
    levels: BTreeMap<(u8, i64), Level>,
    /// The levels as they were told last: what came and went within a frame is not told.
    told: HashMap<(u8, i64), Level>,
    /// Levels that the frame under way has touched.
    touched: Vec<(u8, i64)>,
    pages: Pages,
}

impl ByPrice {
    fn add(&mut self, side: u8, price: i64, lots: i64, orders: i32) {
        let level = self.levels.entry((side, price)).or_default();
        level.lots += lots;
        level.orders = level.orders.wrapping_add_signed(orders);
        if level.orders == 0 {
            self.levels.remove(&(side, price));
        }
        self.touched.push((side, price));
    }
}

/// The feed of one instrument.
#[derive(Debug)]
pub struct Feed {
    instrument: u32,
    orders: HashMap<u64, Resting, ByOrderId>,
    /// The order that is matching and does not rest yet.
    incoming: Option<(u64, Resting, u64)>,
    places: u64,
    sequence: u64,
    by_order: Option<Pages>,
    by_price: Option<ByPrice>,
}

impl Feed {
    /// Of the book as it stands; `None` if there is no such instrument.
    pub fn of(engine: &Engine, instrument: u32) -> Option<Self> {
        let id = InstrumentId(instrument);
        engine.instrument(id)?;
        let mut feed = Self {
            instrument,
            orders: HashMap::with_hasher(by_order_id()),
            incoming: None,
            places: 0,
            sequence: engine.sequence(),
            by_order: None,
            by_price: None,
        };
        for side in [Side::Buy, Side::Sell] {
            for view in engine.queue(id, side) {
                let resting = Resting {
                    side: side.code(),
                    price: view.order.price.0,
                    shown: view.shown.0,
                    remaining: view.order.remaining.0,
                    display: view.display.0,
                    place: 0,
                };
                feed.rest(view.order.id.0, resting);
            }
        }
        Some(feed)
    }

    /// Keeps the changes of a level of detail from now on; between two frames.
    pub fn follow(&mut self, level: u8) {
        if level == 3 {
            self.by_order.get_or_insert_default();
        } else if self.by_price.is_none() {
            let mut by_price = ByPrice::default();
            for order in self.orders.values() {
                by_price.add(order.side, order.price, order.shown, 1);
            }
            by_price.touched.clear();
            by_price.told = by_price.levels.iter().map(|(at, level)| (*at, *level)).collect();
            self.by_price = Some(by_price);
        }
    }

    /// The whole book at a level of detail, best price first, in the order of the queue.
    pub fn whole(&self, level: u8) -> Vec<FeedRecord> {
        let line = |action, number| FeedRecord {
            number,
            sequence: self.sequence,
            instrument: self.instrument,
            action: FeedAction::code(action),
            level,
            ..Default::default()
        };
        let number = self.pages(level).map_or(0, Pages::number);
        let mut lines = vec![line(FeedAction::Clear, number)];
        if level == 3 {
            let mut orders: Vec<_> = self.orders.iter().collect();
            orders
                .sort_unstable_by_key(|(_, order)| (order.side, rank(order.side, order.price), order.place));
            lines.extend(orders.into_iter().map(|(id, order)| FeedRecord {
                order_id: *id,
                price: order.price,
                qty: order.shown,
                side: order.side,
                ..line(FeedAction::Add, number)
            }));
        } else {
            let mut levels: Vec<_> = self.by_price.iter().flat_map(|by_price| &by_price.levels).collect();
            levels.sort_unstable_by_key(|((side, price), _)| (*side, rank(*side, *price)));
            lines.extend(levels.into_iter().map(|((side, price), level)| FeedRecord {
                price: *price,
                qty: level.lots,
                orders: level.orders,
                side: *side,
                ..line(FeedAction::Add, number)
            }));
        }
        lines.push(line(FeedAction::Ready, number));
        lines
    }

    /// The changes from a number on; `None` if they are no longer kept, or never were.
    pub fn from(&self, level: u8, number: u64) -> Option<Vec<FeedRecord>> {
        self.pages(level)?.from(number)
    }

    /// What the last frame changed, as it is sent; `None` if nothing.
    pub fn page(&self, level: u8) -> Option<&Arc<Page>> {
        self.pages(level)?.last()
    }

    fn pages(&self, level: u8) -> Option<&Pages> {
        if level == 3 {
            self.by_order.as_ref()
        } else {
            self.by_price.as_ref().map(|by_price| &by_price.pages)
        }
    }

    /// Ends a frame: each level that changed is told once.
    pub fn end(&mut self) {
        self.settle();
        if let Some(pages) = &mut self.by_order {
            pages.end();
        }
        let Some(mut by_price) = self.by_price.take() else { return };
        by_price.touched.sort_unstable();
        by_price.touched.dedup();
        for (side, price) in by_price.touched.drain(..) {
            let level = by_price.levels.get(&(side, price)).copied();
            let before = match level {
                Some(level) => by_price.told.insert((side, price), level),
                None => by_price.told.remove(&(side, price)),
            };
            if before == level {
                continue;
            }
            let action = if level.is_some() { FeedAction::Add } else { FeedAction::Remove };
            let level = level.unwrap_or_default();
            let record =
                FeedRecord { price, qty: level.lots, orders: level.orders, side, ..self.record(action, 2) };
            by_price.pages.push(record);
        }
        by_price.pages.end();
        self.by_price = Some(by_price);
    }

    fn record(&self, action: FeedAction, level: u8) -> FeedRecord {
        FeedRecord {
            sequence: self.sequence,
            instrument: self.instrument,
            action: action.code(),
            level,
            ..Default::default()
        }
    }

    /// Follows one event of the instrument.
    pub fn hear(&mut self, event: &EventRecord) {
        if event.flags & EventFlags::RETRY != 0 {
            return;
        }
        if self.incoming.is_some_and(|(_, _, sequence)| sequence != event.sequence) {
            self.settle();
        }
        self.sequence = event.sequence;
        match event.kind() {
            Some(EventKind::OrderAccepted) => self.come(event),
            Some(EventKind::OrderAmended) => self.amended(event),
            Some(EventKind::OrderCancelled) => self.left(event.order_id, event.remaining, event.qty),
            Some(EventKind::Trade) => {
                self.print(event, event.counter_order_id(), other(event.side));
                self.left(event.counter_order_id(), event.counter_remaining(), event.qty);
                self.left(event.order_id, event.remaining, event.qty);
            }
            Some(EventKind::ImpliedLeg) => {
                self.print(event, event.order_id, event.side);
                self.left(event.order_id, event.remaining, event.qty);
            }
            Some(EventKind::ImpliedTrade) => self.left(event.order_id, event.remaining, event.qty),
            Some(EventKind::OrderReplenished) => self.replenished(event),
            _ => {}
        }
    }

    fn print(&mut self, event: &EventRecord, order_id: u64, side: u8) {
        let (price, qty) = (event.price, event.qty);
        let trade = FeedRecord { order_id, price, qty, side, ..self.record(FeedAction::Trade, 3) };
        if let Some(pages) = &mut self.by_order {
            pages.push(trade);
        }
        if let Some(by_price) = &mut self.by_price {
            by_price.pages.push(FeedRecord { order_id: 0, level: 2, ..trade });
        }
    }

    /// An order that may come to rest when its command is done.
    fn come(&mut self, event: &EventRecord) {
        self.settle();
        let resting = Resting {
            side: event.side,
            price: event.price,
            shown: 0,
            remaining: event.remaining,
            display: event.amount.get() as i64,
            place: 0,
        };
        self.incoming = Some((event.order_id, resting, event.sequence));
    }

    fn amended(&mut self, event: &EventRecord) {
        let display = event.amount.get() as i64;
        if event.flags & EventFlags::KEPT_PRIORITY == 0 {
            self.remove(event.order_id);
            return self.come(event);
        }
        let Some(mut order) = self.orders.get(&event.order_id).copied() else { return };
        order.remaining = event.remaining;
        order.shown = order.shown.min(event.remaining);
        if display > 0 {
            order.shown = order.shown.min(display);
        }
        order.display = display;
        self.change(event.order_id, order);
    }

    /// So many lots of an order are gone, by a trade or a cancel, and so many are left.
    fn left(&mut self, order_id: u64, remaining: i64, gone: i64) {
        if let Some((id, order, _)) = &mut self.incoming
            && *id == order_id
        {
            order.remaining = remaining;
            return;
        }
        let Some(mut order) = self.orders.get(&order_id).copied() else { return };
        if remaining == 0 {
            return self.remove(order_id);
        }
        order.remaining = remaining;
        order.shown = (order.shown - gone).clamp(0, remaining);
        self.change(order_id, order);
    }

    fn replenished(&mut self, event: &EventRecord) {
        let Some(order) = self.orders.get(&event.order_id).copied() else { return };
        self.remove(event.order_id);
        self.rest(event.order_id, Resting { shown: event.qty, remaining: event.remaining, ..order });
    }

    /// The command of the incoming order is done: what is left of it rests.
    fn settle(&mut self) {
        let Some((id, mut order, _)) = self.incoming.take() else { return };
        if order.remaining > 0 {
            let shows_all = order.display == 0;
            order.shown = if shows_all { order.remaining } else { order.display.min(order.remaining) };
            self.rest(id, order);
        }
    }

    fn rest(&mut self, id: u64, mut order: Resting) {
        self.places += 1;
        order.place = self.places;
        self.orders.insert(id, order);
        if let Some(by_price) = &mut self.by_price {
            by_price.add(order.side, order.price, order.shown, 1);
        }
        self.tell(FeedAction::Add, id, &order);
    }

    fn change(&mut self, id: u64, order: Resting) {
        let Some(before) = self.orders.insert(id, order) else { return };
        if before.shown == order.shown {
            return;
        }
        if let Some(by_price) = &mut self.by_price {
            by_price.add(order.side, order.price, order.shown - before.shown, 0);
        }
        self.tell(FeedAction::Change, id, &order);
    }

    fn remove(&mut self, id: u64) {
        let Some(mut order) = self.orders.remove(&id) else { return };
        if let Some(by_price) = &mut self.by_price {
            by_price.add(order.side, order.price, -order.shown, -1);
        }
        order.shown = 0;
        self.tell(FeedAction::Remove, id, &order);
    }

    fn tell(&mut self, action: FeedAction, order_id: u64, order: &Resting) {
        let record = self.record(action, 3);
        if let Some(pages) = &mut self.by_order {
            let Resting { side, price, shown, .. } = *order;
            pages.push(FeedRecord { order_id, price, qty: shown, side, ..record });
        }
    }
}

fn other(side: u8) -> u8 {
    1 - side.min(1)
}

/// Best price first.
fn rank(side: u8, price: i64) -> i64 {
    if side == Side::Buy.code() { -price } else { price }
}
