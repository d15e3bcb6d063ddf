//! A plain price-time book for the closing check of a command file: trees and queues, no money.

use super::engine_orders;
use std::collections::{BTreeMap, HashMap, VecDeque};
use xos_engine::Engine;
use xos_protocol::{ClientId, CommandKind, CommandRecord, Side, Tif};
use xos_units::InstrumentId;

#[derive(Clone, Copy)]
struct ModelOrder {
    side: Side,
    price: i64,
    remaining: i64,
    total: i64,
    instrument: u32,
}

/// Queue of order ids at each price, both sides of one instrument.
#[derive(Default)]
struct ModelSides([BTreeMap<i64, VecDeque<u64>>; 2]);

/// Books of all instruments.
#[derive(Default)]
pub struct ModelBooks {
    orders: HashMap<u64, ModelOrder>,
    sides: BTreeMap<u32, ModelSides>,
    /// Orders that were placed under a client id.
    names: HashMap<(u32, ClientId), u64>,
}

impl ModelBooks {
    /// Replays commands whose first has sequence `first`.
    pub fn replay<'a>(first: u64, commands: impl Iterator<Item = &'a CommandRecord>) -> Self {
        let mut books = Self::default();
        for (at, command) in commands.enumerate() {
            books.apply(first + at as u64, command);
        }
        books
    }

    /// Takes the command of a sequence. What names an order that does not rest changes nothing.
    pub fn apply(&mut self, sequence: u64, command: &CommandRecord) {
        match command.kind() {
            Some(CommandKind::Place) => {
                if command.has_client_id() {
                    // It takes effect once.
                    let name = (command.account, command.client_id);
                    if self.names.contains_key(&name) {
                        return;
                    }
                    self.names.insert(name, sequence);
                }
                self.place(sequence, command);
            }
            Some(CommandKind::Cancel) => {
                self.take_out(self.named(command));
            }
            Some(CommandKind::Amend) => self.amend(self.named(command), command),
            _ => {}
        }
    }

    /// The order that a command names, by its id or by its client id; 0: none.
    fn named(&self, command: &CommandRecord) -> u64 {
        match command.order_id {
            0 => self.names.get(&(command.account, command.client_id)).copied().unwrap_or(0),
            order_id => order_id,
        }
    }

    fn place(&mut self, id: u64, command: &CommandRecord) {
        let (Some(side), Some(tif)) = (command.side(), command.tif()) else { return };
        let (price, qty, instrument) = (command.price, command.qty, command.instrument);
        if tif == Tif::Fok && self.reachable(instrument, side, price) < i128::from(qty) {
            return;
        }
        let order = ModelOrder { side, price, remaining: qty, total: qty, instrument };
        self.work(id, order, matches!(tif, Tif::Gtc | Tif::Gtd));
    }

    fn work(&mut self, id: u64, mut order: ModelOrder, rests: bool) {
        let sides = self.sides.entry(order.instrument).or_default();
        let other = &mut sides.0[order.side.opposite().code() as usize];
        while order.remaining > 0 {
            let best = if order.side == Side::Buy { other.first_entry() } else { other.last_entry() };
            let Some(mut level) = best else { break };
            if (*level.key() - order.price) * order.side.sign() > 0 {
                break;
            }
            let front = level.get()[0];
            let resting = self.orders.get_mut(&front).expect("queued orders are known");
            let lots = order.remaining.min(resting.remaining);
            order.remaining -= lots;
            resting.remaining -= lots;
            if resting.remaining == 0 {
                self.orders.remove(&front);
                level.get_mut().pop_front();
                if level.get().is_empty() {
                    level.remove();
                }
            }
        }
        if rests && order.remaining > 0 {
            self.orders.insert(id, order);
            sides.0[order.side.code() as usize].entry(order.price).or_default().push_back(id);
        }
    }

    fn reachable(&self, instrument: u32, side: Side, limit: i64) -> i128 {
        let Some(sides) = self.sides.get(&instrument) else { return 0 };
        let levels = &sides.0[side.opposite().code() as usize];
        let in_reach = levels.iter().filter(|(price, _)| (**price - limit) * side.sign() <= 0);
        in_reach.flat_map(|(_, queue)| queue).map(|id| i128::from(self.orders[id].remaining)).sum()
    }

    fn take_out(&mut self, id: u64) -> Option<ModelOrder> {
        let order = self.orders.remove(&id)?;
        let side = &mut self.sides.get_mut(&order.instrument)?.0[order.side.code() as usize];
        let queue = side.get_mut(&order.price)?;
        queue.retain(|other| *other != id);
        if queue.is_empty() {
            side.remove(&order.price);
        }
        Some(order)
    }

    fn amend(&mut self, id: u64, command: &CommandRecord) {
        let Some(order) = self.orders.get_mut(&id) else { return };
        let filled = order.total - order.remaining;
        let total = if command.qty == 0 { order.total } else { command.qty };
        let price = if command.price == 0 { order.price } else { command.price };
        if total <= filled {
            self.take_out(id);
        } else if price == order.price && total < order.total {
            order.total = total;
            order.remaining = total - filled;
        } else {
            let order = self.take_out(id).expect("just seen");
            self.work(id, ModelOrder { price, total, remaining: total - filled, ..order }, true);
        }
    }

    /// First difference to the engine's books.
    pub fn difference(&self, engine: &Engine) -> Option<String> {
        for id in 1..=engine.instrument_count() as u32 {
            for side in [Side::Buy, Side::Sell] {
                let found = engine_orders(engine, InstrumentId(id), side);
                let mut expected = Vec::new();
                if let Some(sides) = self.sides.get(&id) {
                    let levels = sides.0[side.code() as usize].values();
                    let queues: Vec<_> =
                        if side == Side::Buy { levels.rev().collect() } else { levels.collect() };
                    expected = queues
                        .into_iter()
                        .flatten()
                        .map(|id| (*id, self.orders[id].price, self.orders[id].remaining))
                        .collect();
                }
                if let Some(at) =
                    (0..found.len().max(expected.len())).find(|at| found.get(*at) != expected.get(*at))
                {
                    let (found, expected) = (found.get(at), expected.get(at));
                    return Some(format!(
                        "instrument {id} {}: order {at} is {found:?}, {expected:?} expected",
                        side.name()
                    ));
                }
            }
        }
        None
    }
}
