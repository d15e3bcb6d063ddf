//! Orders: their checks, the match, the fill, and how they rest and leave.

mod amend;
mod cancel;
mod fill;
mod iceberg;
mod implied;
mod implied_plan;
mod matching;
mod place;
pub(crate) use fill::FillSide;
pub(crate) use iceberg::Iceberg;
pub(crate) use implied::Leg;
pub(crate) use place::{Admitted, Asked, check_price, check_qty};
pub(crate) use resting::held_asset;
mod plan;
mod resting;
mod skips;

use crate::admission::{Eligibility, Reach};
use xos_book::RestingOrder;
use xos_protocol::{Flags, Side};
use xos_units::{Amount, Price, Qty};

/// An order on its way through the book: just placed, or amended so that it may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Incoming {
    /// The order as it would rest; `remaining` is what is not yet filled.
    pub(crate) order: RestingOrder,
    /// Index of the instrument.
    pub(crate) at: usize,
    /// Reserve of one lot, as it would rest.
    pub(crate) per_lot: Amount,
    /// Lots that it shows at a time when it rests; 0: all.
    pub(crate) display: Qty,
    /// Whom it may meet.
    pub(crate) eligibility: Eligibility,
}

impl Incoming {
    /// Which groups it may meet.
    #[inline(always)]
    pub(crate) fn reach(&self) -> Reach {
        self.eligibility.reach
    }

    /// Whether the order may trade at a price of the other side.
    #[inline(always)]
    pub(crate) fn reaches(&self, price: Price) -> bool {
        match self.order.side {
            Side::Buy => price <= self.order.price,
            Side::Sell => price >= self.order.price,
        }
    }
}

/// Whether a resting order may only reduce.
#[inline(always)]
pub(crate) fn is_reduce_only(order: &RestingOrder) -> bool {
    order.flags & Flags::REDUCE_ONLY != 0
}
