//! Units of the exchange: the only crate that multiplies or divides money.
//!
//! Money is integers. A fill is exact: `ticks x lots x k`. The divisions that exist (fees, shares, realised
//! cost) stand in [`division`] and each names its direction. Arithmetic is checked in every build.

pub mod division;
mod ids;
mod money;

pub use division::funding_down;
pub use ids::{AccountId, AssetId, InstrumentId, OrderId, OwnerId, QuestionId, VenueId};
pub use money::{Amount, Position, Ppm, Price, Qty, Rate, Requirement, notional, widening, widening_up};

/// Ticks of any price stay below this (design section 4).
pub const PRICE_TICKS_BOUND: i64 = 1 << 40;
/// Lots of any order or position stay below this (design section 4).
pub const QTY_LOTS_BOUND: i64 = 1 << 40;
/// Atoms of any single amount, of any notional and of an asset's whole supply stay below this, so that 64
/// positions times one million (ppm) still fit an i128.
pub const AMOUNT_ATOMS_BOUND: i128 = 1 << 96;
/// One whole of a [`Rate`].
pub const RATE_ONE: i64 = 1_000_000_000_000;
/// One whole, in parts per million.
pub const PPM_ONE: i32 = 1_000_000;
