//! Market data on the wire: what a subscription names and what a feed says.

use crate::words::words;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

words! {
    /// What a record of a feed says.
    FeedAction: u8 {
        /// A whole book follows: forget what you have. The number is the one that its records stand for.
        Clear = 1 "clear",
        /// By order: an order stands behind all others of its price. By price: the level is now so.
        Add = 2 "add",
        /// An order has other lots and keeps its place.
        Change = 3 "change",
        /// An order, or a level, is gone.
        Remove = 4 "remove",
        /// A trade: price, lots, the resting order.
        Trade = 5 "trade",
        /// The whole book has been sent; changes follow, each with the next number.
        Ready = 6 "ready",
    }
}

/// Which feed, and from where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Subscription {
    /// The instrument.
    pub instrument: u32,
    /// 2: by price, 3: by order.
    pub level: u8,
    /// Zero.
    pub reserved: [u8; 3],
    /// The next number wanted, of this run of the server; 0, or one that is no longer kept: a whole book first.
    pub from_number: u64,
}

/// One change of a book, or one line of a whole book.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct FeedRecord {
    /// One more for each change of this instrument and level. Lines of a whole book have that of the last change in it.
    pub number: u64,
    /// Sequence of the command that caused it.
    pub sequence: u64,
    /// The order; 0 by price.
    pub order_id: u64,
    /// Ticks.
    pub price: i64,
    /// Lots that are shown now; of a trade the lots traded.
    pub qty: i64,
    /// The instrument.
    pub instrument: u32,
    /// By price: orders of the level.
    pub orders: u32,
    /// Side of the order or level.
    pub side: u8,
    /// [`FeedAction`].
    pub action: u8,
    /// 2: by price, 3: by order.
    pub level: u8,
    /// Zero.
    pub reserved: [u8; 5],
}
