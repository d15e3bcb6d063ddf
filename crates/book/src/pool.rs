//! The slab of resting orders, shared by all books.

use crate::index::IdIndex;
use xos_protocol::{SelfTrade, Side, Tif};
use xos_units::{AccountId, InstrumentId, OrderId, OwnerId, Price, Qty, VenueId};

/// Where an order stands in the pool.
pub type Slot = u32;

/// No order.
pub const NO_SLOT: Slot = u32::MAX;

/// A resting order. `account`, `owner` and `venue` are tags to the book.
#[derive(Clone, Copy, Debug)]
pub struct RestingOrder {
    /// Sequence of the command that placed it.
    pub id: OrderId,
    /// Ticks.
    pub price: Price,
    /// Lots still open; of an iceberg in the pool those that are shown.
    pub remaining: Qty,
    /// Lots in all, filled included.
    pub total: Qty,
    /// End of a good-till-date order; 0: none.
    pub expires_ns: u64,
    /// Whose it is.
    pub account: AccountId,
    /// Whose account that is.
    pub owner: OwnerId,
    /// Its instrument.
    pub instrument: InstrumentId,
    /// Its level; the book's own.
    pub level: u32,
    /// Its elder in the queue; the book's own.
    pub prev: Slot,
    /// Its junior in the queue; the book's own.
    pub next: Slot,
    /// Neighbours in the list that the pool's user keeps (an account's orders on an instrument).
    pub own_prev: Slot,
    /// See `own_prev`.
    pub own_next: Slot,
    /// The venue that brought it.
    pub venue: VenueId,
    /// Side.
    pub side: Side,
    /// Time in force.
    pub tif: Tif,
    /// Flags of the command.
    pub flags: u8,
    /// Its own self-trade mode, used when an amend makes it take.
    pub self_trade: SelfTrade,
    /// Whether more lots are kept elsewhere than are shown, or were.
    pub is_iceberg: bool,
    /// Whose orders it may meet, as the pool's user numbers them; orders of one number share a book.
    pub profile: u8,
    /// Number under which its client id is kept elsewhere; `NO_SLOT`: it has none.
    pub client_id_at: u32,
}

impl RestingOrder {
    /// An order that is in no book and no list yet.
    pub fn unlinked(id: OrderId, side: Side, price: Price, total: Qty) -> Self {
        Self {
            id,
            price,
            remaining: total,
            total,
            expires_ns: 0,
            account: AccountId(0),
            owner: OwnerId(0),
            instrument: InstrumentId(0),
            level: NO_SLOT,
            prev: NO_SLOT,
            next: NO_SLOT,
            own_prev: NO_SLOT,
            own_next: NO_SLOT,
            venue: VenueId(0),
            side,
            tif: Tif::Gtc,
            flags: 0,
            self_trade: SelfTrade::None,
            is_iceberg: false,
            profile: 0,
            client_id_at: NO_SLOT,
        }
    }
}

const _: () = assert!(size_of::<RestingOrder>() == 88);

/// Slab of orders with an index by id.
#[derive(Debug)]
pub struct OrderPool {
    orders: Vec<RestingOrder>,
    free: Vec<Slot>,
    index: IdIndex,
    /// When each order joined its queue, by slot; kept only where orders of several books are compared.
    times: Vec<u64>,
    keeps_times: bool,
    time: u64,
}

impl Default for OrderPool {
    fn default() -> Self {
        Self {
            orders: Vec::new(),
            free: Vec::new(),
            index: IdIndex::new(),
            times: Vec::new(),
            keeps_times: false,
            time: 0,
        }
    }
}

impl OrderPool {
    /// Stores an order and indexes it.
    #[inline]
    pub fn insert(&mut self, order: &RestingOrder) -> Slot {
        let id = order.id.0;
        let slot = match self.free.pop() {
            Some(slot) => {
                self.orders[slot as usize] = *order;
                slot
            }
            None => {
                self.orders.push(*order);
                if self.keeps_times {
                    self.times.push(0);
                }
                Slot::try_from(self.orders.len() - 1).expect("the pool is bounded far below u32")
            }
        };
        self.index.insert(id, slot);
        self.joins(slot);
        slot
    }

    /// From now on it is kept when orders join their queues. `resting` are those that rest, in the order of each queue.
    pub fn keep_times(&mut self, resting: impl Iterator<Item = Slot>) {
        self.times = vec![0; self.orders.len()];
        self.keeps_times = true;
        resting.for_each(|slot| self.joins(slot));
    }

    /// Whether it is kept when orders join their queues.
    pub fn keeps_times(&self) -> bool {
        self.keeps_times
    }

    /// An order stands at the back of its queue.
    #[inline(always)]
    pub fn joins(&mut self, slot: Slot) {
        if self.keeps_times {
            self.time += 1;
            self.times[slot as usize] = self.time;
        }
    }

    /// When an order joined its queue, where that is kept.
    pub fn time(&self, slot: Slot) -> u64 {
        if self.keeps_times { self.times[slot as usize] } else { 0 }
    }

    /// Whether an order stands longer than another one.
    #[inline]
    pub fn is_elder(&self, slot: Slot, other: Slot) -> bool {
        self.time(slot) < self.time(other)
    }

    /// Makes room for as many orders more.
    pub fn reserve(&mut self, count: usize) {
        self.orders.reserve(count.saturating_sub(self.free.len()));
        self.index.reserve(self.len() + count);
    }

    /// Forgets an order that is in no book any more.
    #[inline]
    pub fn release(&mut self, slot: Slot) {
        self.index.remove(self.orders[slot as usize].id.0);
        self.free.push(slot);
    }

    /// The slot of a resting order.
    #[inline(always)]
    pub fn find(&self, id: OrderId) -> Option<Slot> {
        self.index.get(id.0)
    }

    /// Reads where the index has, or would have, an order.
    #[inline(always)]
    pub fn touch_index(&self, id: OrderId) -> u64 {
        self.index.touch(id.0)
    }

    /// Reads an order, so that it is in cache when it is needed; any slot will do.
    #[inline(always)]
    pub fn touch(&self, slot: Slot) -> u64 {
        self.orders.get(slot as usize).map_or(0, |order| order.id.0 ^ u64::from(order.own_next))
    }

    /// The order in a slot.
    #[inline(always)]
    pub fn order(&self, slot: Slot) -> &RestingOrder {
        &self.orders[slot as usize]
    }

    /// The order in a slot.
    #[inline(always)]
    pub fn order_mut(&mut self, slot: Slot) -> &mut RestingOrder {
        &mut self.orders[slot as usize]
    }

    /// Number of orders.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory held.
    pub fn bytes(&self) -> usize {
        self.orders.capacity() * size_of::<RestingOrder>()
            + self.free.capacity() * size_of::<Slot>()
            + self.index.bytes()
    }
}
