//! Trigger orders: orders that wait outside the book until a price is reached. They hold nothing and are checked
//! when they fire. Here: the orders that wait, and what they watch.

mod commands;
mod exits;
mod fire;
mod row;

pub(crate) use commands::legs_of;
use row::Row;
use std::collections::{BTreeMap, BTreeSet};
use xos_protocol::{ClientId, PriceSource, SelfTrade, Side, Tif};
use xos_units::{AccountId, InstrumentId, OrderId, Price, Qty, VenueId};

/// A price to be reached, and the limit of the order that follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leg {
    /// Ticks; 0: there is no such leg.
    pub trigger: Price,
    /// Ticks; 0: a market order.
    pub limit: Price,
    /// The price that is watched.
    pub source: PriceSource,
}

/// Where a trigger order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// For a price; the exits of an entry that has not filled yet: for a fill.
    Price,
    /// A price from below or above was reached (true: the leg above): it fires as its turn comes.
    Turn {
        /// Place among the orders of its account in the row.
        number: u64,
        /// Which leg.
        above: bool,
    },
}

/// An order that waits.
#[derive(Clone, Copy, Debug)]
pub struct Trigger {
    /// Sequence of the command that placed it; of a bracket's exits with bit 52 set.
    pub id: OrderId,
    /// Whose it is.
    pub account: AccountId,
    /// Where it will trade.
    pub instrument: InstrumentId,
    /// The venue that brought it.
    pub venue: VenueId,
    /// Side of the order that follows.
    pub side: Side,
    /// Its time in force.
    pub tif: Tif,
    /// Its flags.
    pub flags: u8,
    /// Its self-trade mode.
    pub self_trade: SelfTrade,
    /// Its lots; 0: the whole position, or exits whose entry has not filled.
    pub qty: Qty,
    /// Fires at or above.
    pub above: Leg,
    /// Fires at or below.
    pub below: Leg,
    /// How far from the price a market order may trade.
    pub slippage_ppm: u32,
    /// The order whose fills give exits their lots; 0: none.
    pub entry: OrderId,
    /// Zero: none.
    pub client_id: ClientId,
    /// Where it stands.
    pub wait: Wait,
}

impl Trigger {
    /// Whether it closes the whole position, whatever that is.
    pub fn is_whole_position(&self) -> bool {
        self.qty == Qty::ZERO && self.entry.0 == 0
    }

    fn is_unarmed(&self) -> bool {
        self.qty == Qty::ZERO && self.entry.0 != 0
    }

    fn legs(&self) -> [(bool, Leg); 2] {
        [(true, self.above), (false, self.below)]
    }

    fn watches(&self) -> impl Iterator<Item = Watch> {
        let here = |(above, leg): (bool, Leg)| {
            (leg.trigger > Price::ZERO).then(|| Watch {
                instrument: self.instrument,
                source: leg.source,
                below: !above,
                nearest: if above { leg.trigger.0 } else { -leg.trigger.0 },
                id: self.id,
            })
        };
        self.legs().into_iter().filter_map(here)
    }
}

/// A leg in the order in which it fires: of one instrument, source and direction, what is reached first comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Watch {
    instrument: InstrumentId,
    source: PriceSource,
    below: bool,
    /// The trigger price above, minus the trigger price below.
    nearest: i64,
    id: OrderId,
}

/// Every trigger order.
#[derive(Debug, Default)]
pub(crate) struct Triggers {
    by_id: BTreeMap<OrderId, Trigger>,
    by_account: BTreeSet<(AccountId, OrderId)>,
    by_instrument: BTreeSet<(InstrumentId, OrderId)>,
    watched: BTreeSet<Watch>,
    /// Those that were reached.
    row: Row,
    /// Whose positions were closed or turned during the command.
    pub(crate) closed: BTreeSet<(AccountId, InstrumentId)>,
}

impl Triggers {
    pub(crate) fn get(&self, id: OrderId) -> Option<&Trigger> {
        self.by_id.get(&id)
    }

    /// All, by id.
    pub(crate) fn all(&self) -> impl ExactSizeIterator<Item = &Trigger> {
        self.by_id.values()
    }

    /// Those of an account, by id.
    pub(crate) fn of(&self, account: AccountId) -> impl Iterator<Item = &Trigger> {
        let range = (account, OrderId(0))..=(account, OrderId(u64::MAX));
        self.by_account.range(range).map(|(_, id)| &self.by_id[id])
    }

    /// Ids of those on an instrument, in order.
    pub(crate) fn on(&self, instrument: InstrumentId) -> impl Iterator<Item = OrderId> {
        let range = (instrument, OrderId(0))..=(instrument, OrderId(u64::MAX));
        self.by_instrument.range(range).map(|(_, id)| *id)
    }

    /// Those that were reached.
    pub(crate) fn row(&self) -> &Row {
        &self.row
    }

    /// Takes the order whose turn it is out of the row, to be fired or to watch again; its account goes behind the others.
    pub(crate) fn take_first(&mut self) -> Option<Trigger> {
        let trigger = self.remove(self.row.first()?)?;
        self.row.turned(trigger.account);
        Some(trigger)
    }

    /// More lots for exits that were reached; they keep their place. False: they were not.
    pub(crate) fn add_lots_in_row(&mut self, id: OrderId, lots: Qty) -> bool {
        match self.by_id.get_mut(&id) {
            Some(Trigger { wait: Wait::Turn { .. }, qty, .. }) => {
                *qty += lots;
                true
            }
            _ => false,
        }
    }

    pub(crate) fn insert(&mut self, trigger: Trigger) {
        if trigger.wait == Wait::Price && !trigger.is_unarmed() {
            self.watched.extend(trigger.watches());
        }
        self.by_account.insert((trigger.account, trigger.id));
        self.by_instrument.insert((trigger.instrument, trigger.id));
        self.by_id.insert(trigger.id, trigger);
    }

    pub(crate) fn remove(&mut self, id: OrderId) -> Option<Trigger> {
        let trigger = self.by_id.remove(&id)?;
        self.by_account.remove(&(trigger.account, id));
        self.by_instrument.remove(&(trigger.instrument, id));
        match trigger.wait {
            Wait::Price => trigger.watches().for_each(|watch| {
                self.watched.remove(&watch);
            }),
            Wait::Turn { number, .. } => self.row.remove(trigger.account, number),
        }
        Some(trigger)
    }

    /// Puts a trigger into the row, behind those of its account.
    pub(crate) fn reach(&mut self, id: OrderId, above: bool) {
        let Some(mut trigger) = self.remove(id) else { return };
        trigger.wait = Wait::Turn { number: self.row.push(trigger.account, id), above };
        self.insert(trigger);
    }

    /// The legs that a price reaches, in the order in which they fire.
    fn reached(&self, instrument: InstrumentId, source: PriceSource, price: Price) -> Vec<(OrderId, bool)> {
        let mut found = Vec::new();
        for (below, nearest) in [(false, price.0), (true, -price.0)] {
            let from = Watch { instrument, source, below, nearest: i64::MIN, id: OrderId(0) };
            let to = Watch { nearest, id: OrderId(u64::MAX), ..from };
            found.extend(self.watched.range(from..=to).map(|watch| (watch.id, !below)));
        }
        found
    }

    /// Whether the legs watched are those of the orders that wait for a price, and the row those that were reached.
    pub(crate) fn audit(&self) -> Result<(), String> {
        let armed = |trigger: &&Trigger| trigger.wait == Wait::Price && !trigger.is_unarmed();
        let watched: BTreeSet<Watch> = self.all().filter(armed).flat_map(Trigger::watches).collect();
        let in_row = self.all().all(|trigger| match trigger.wait {
            Wait::Turn { number, .. } => self.row.holds(trigger.account, number, trigger.id),
            Wait::Price => true,
        });
        let waiting = self.all().filter(|trigger| trigger.wait == Wait::Price).count();
        if watched != self.watched || !in_row || waiting + self.row.len() != self.by_id.len() {
            return Err(format!("{} legs are watched, {} should be", self.watched.len(), watched.len()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trigger(id: u64, above: i64, below: i64) -> Trigger {
        let leg = |price| Leg { trigger: Price(price), ..Leg::default() };
        Trigger {
            id: OrderId(id),
            account: AccountId(1),
            instrument: InstrumentId(1),
            venue: VenueId(0),
            side: Side::Buy,
            tif: Tif::Ioc,
            flags: 0,
            self_trade: SelfTrade::None,
            qty: Qty(1),
            above: leg(above),
            below: leg(below),
            slippage_ppm: 0,
            entry: OrderId(0),
            client_id: [0; 32],
            wait: Wait::Price,
        }
    }

    #[test]
    fn the_nearest_price_fires_first_and_then_the_oldest() {
        let mut triggers = Triggers::default();
        for (id, above, below) in [(4, 105, 0), (1, 110, 90), (2, 104, 95), (3, 104, 80)] {
            triggers.insert(trigger(id, above, below));
        }
        let at = |price| {
            let found = triggers.reached(InstrumentId(1), PriceSource::Last, Price(price));
            found.into_iter().map(|(id, above)| (id.0, above)).collect::<Vec<_>>()
        };
        assert_eq!(at(105), [(2, true), (3, true), (4, true)]);
        assert_eq!(at(100), []);
        assert_eq!(at(90), [(2, false), (1, false)]);
        triggers.reach(OrderId(2), false);
        assert_eq!(triggers.row().ids().collect::<Vec<_>>(), [OrderId(2)]);
        triggers.audit().expect("sound");
        triggers.remove(OrderId(2));
        assert_eq!((triggers.row().len(), triggers.all().len()), (0, 3));
        triggers.audit().expect("sound");
    }
}
