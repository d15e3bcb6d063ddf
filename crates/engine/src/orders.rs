//! Orders: their checks, the match, the fill, and how they rest and leave.

mod amend;
mod cancel;
mod fill;
mod matching;
mod place;
pub(crate) use place::check_price;
pub(crate) use resting::held_asset;
mod plan;
mod resting;

use xos_book::RestingOrder;
use xos_protocol::{Flags, SelfTrade, Side};
use xos_units::{AccountId, Amount, OrderId, OwnerId, Price, Qty, VenueId};

/// An order on its way through the book: just placed, or amended so that it may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Incoming {
    pub(crate) id: OrderId,
    pub(crate) account: AccountId,
    pub(crate) owner: OwnerId,
    /// Index of the instrument.
    pub(crate) at: usize,
    pub(crate) side: Side,
    pub(crate) limit: Price,
    /// Lots not yet filled.
    pub(crate) left: Qty,
    pub(crate) venue: VenueId,
    pub(crate) self_trade: SelfTrade,
    /// Reserve of one lot, as it would rest.
    pub(crate) per_lot: Amount,
    /// The order as it would rest.
    pub(crate) as_resting: RestingOrder,
}

impl Incoming {
    /// Whether the order may trade at a price of the other side.
    #[inline(always)]
    pub(crate) fn reaches(&self, price: Price) -> bool {
        match self.side {
            Side::Buy => price <= self.limit,
            Side::Sell => price >= self.limit,
        }
    }
}

/// Whether a resting order may only reduce.
#[inline(always)]
pub(crate) fn is_reduce_only(order: &RestingOrder) -> bool {
    order.flags & Flags::REDUCE_ONLY != 0
}
