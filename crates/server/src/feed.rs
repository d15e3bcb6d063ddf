//! Market data: the public book of an instrument, kept from the events alone, told by order and by price.
//!
//! Events tell which orders rest and what is shown of them; a feed follows them from the moment somebody first asked,
//! when the book was taken from the engine. Changes have numbers without a gap, and the last of them are kept.

use std::collections::{BTreeMap, HashMap, VecDeque};
use xos_engine::Engine;
use xos_protocol::{EventFlags, EventKind, EventRecord, FeedAction, FeedRecord, Side};
use xos_units::InstrumentId;

/// Changes of a feed that are kept for who asks from a number.
const KEPT: usize = 65_536;

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

/// The changes of one level of detail.
#[derive(Debug, Default)]
struct Changes {
    number: u64,
    kept: VecDeque<FeedRecord>,
    /// Of the frame under way.
    fresh: Vec<FeedRecord>,
}

impl Changes {
    fn push(&mut self, mut record: FeedRecord) {
        self.number += 1;
        record.number = self.number;
        self.fresh.push(record);
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(record);
    }

    fn from(&self, number: u64) -> Option<Vec<FeedRecord>> {
        let due = self.number + 1;
        if number == 0 || number > due || due - number > self.kept.len() as u64 {
            return None;
        }
        Some(self.kept.range(self.kept.len() - (due - number) as usize..).copied().collect())
    }
}

/// The feed of one instrument.
#[derive(Debug)]
pub struct Feed {
    instrument: u32,
    orders: HashMap<u64, Resting>,
    levels: BTreeMap<(u8, i64), Level>,
    /// The levels as they were told last: what came and went within a frame is not told.
    told: HashMap<(u8, i64), Level>,
    /// Levels that the frame under way has touched.
    touched: Vec<(u8, i64)>,
    /// The order that is matching and does not rest yet.
    incoming: Option<(u64, Resting, u64)>,
    places: u64,
    sequence: u64,
    by_order: Changes,
    by_price: Changes,
}

impl Feed {
    /// Of the book as it stands; `None` if there is no such instrument.
    pub fn of(engine: &Engine, instrument: u32) -> Option<Self> {
        let id = InstrumentId(instrument);
        engine.instrument(id)?;
        let mut feed = Self {
            instrument,
            orders: HashMap::new(),
            levels: BTreeMap::new(),
            told: HashMap::new(),
            touched: Vec::new(),
            incoming: None,
            places: 0,
            sequence: engine.sequence(),
            by_order: Changes::default(),
            by_price: Changes::default(),
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
        feed.touched.clear();
        feed.told = feed.levels.iter().map(|(at, level)| (*at, *level)).collect();
        (feed.by_order, feed.by_price) = (Changes::default(), Changes::default());
        Some(feed)
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
        let number = self.changes(level).number;
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
            let mut levels: Vec<_> = self.levels.iter().collect();
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
        self.changes(level).from(number)
    }

    /// What the last frame changed.
    pub fn fresh(&self, level: u8) -> &[FeedRecord] {
        &self.changes(level).fresh
    }

    fn changes(&self, level: u8) -> &Changes {
        if level == 3 { &self.by_order } else { &self.by_price }
    }

    /// Begins a frame: what the one before changed has been told.
    pub fn begin(&mut self) {
        self.by_order.fresh.clear();
        self.by_price.fresh.clear();
    }

    /// Ends it: each level that changed is told once.
    pub fn end(&mut self) {
        self.settle();
        let mut touched = std::mem::take(&mut self.touched);
        touched.sort_unstable();
        touched.dedup();
        for (side, price) in touched.drain(..) {
            let level = self.levels.get(&(side, price)).copied();
            let before = match level {
                Some(level) => self.told.insert((side, price), level),
                None => self.told.remove(&(side, price)),
            };
            if before == level {
                continue;
            }
            let action = if level.is_some() { FeedAction::Add } else { FeedAction::Remove };
            let level = level.unwrap_or_default();
            let record =
                FeedRecord { price, qty: level.lots, orders: level.orders, side, ..self.record(action, 2) };
            self.by_price.push(record);
        }
        self.touched = touched;
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
        self.by_order.push(trade);
        self.by_price.push(FeedRecord { order_id: 0, level: 2, ..trade });
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
        let level = self.levels.entry((order.side, order.price)).or_default();
        level.lots += order.shown;
        level.orders += 1;
        self.touched.push((order.side, order.price));
        self.tell(FeedAction::Add, id, &order);
    }

    fn change(&mut self, id: u64, order: Resting) {
        let Some(before) = self.orders.insert(id, order) else { return };
        if before.shown == order.shown {
            return;
        }
        if let Some(level) = self.levels.get_mut(&(order.side, order.price)) {
            level.lots += order.shown - before.shown;
        }
        self.touched.push((order.side, order.price));
        self.tell(FeedAction::Change, id, &order);
    }

    fn remove(&mut self, id: u64) {
        let Some(mut order) = self.orders.remove(&id) else { return };
        let at = (order.side, order.price);
        if let Some(level) = self.levels.get_mut(&at) {
            level.lots -= order.shown;
            level.orders -= 1;
            if level.orders == 0 {
                self.levels.remove(&at);
            }
        }
        self.touched.push(at);
        order.shown = 0;
        self.tell(FeedAction::Remove, id, &order);
    }

    fn tell(&mut self, action: FeedAction, order_id: u64, order: &Resting) {
        let record = FeedRecord {
            order_id,
            price: order.price,
            qty: order.shown,
            side: order.side,
            ..self.record(action, 3)
        };
        self.by_order.push(record);
    }
}

fn other(side: u8) -> u8 {
    1 - side.min(1)
}

/// Best price first.
fn rank(side: u8, price: i64) -> i64 {
    if side == Side::Buy.code() { -price } else { price }
}
