//! Auto-deleveraging: who on the other side gives up lots when nobody takes a bankrupt position. Three rules on one
//! form, so that a simulator can compare them; the engine uses [`pro_rata`].

mod pro_rata;
mod queue;

pub use pro_rata::pro_rata;
pub use queue::{Standing, queue, random_start};

use xos_units::{AccountId, Amount, Qty, division};

/// An account on the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Whose. Each account once.
    pub account: AccountId,
    /// The most lots it can be asked for: never more than its position.
    pub capacity: Qty,
    /// Effective leverage in millionths; see [`leverage_ppm`].
    pub leverage_ppm: i64,
}

/// Leverage beyond a thousand counts as a thousand.
pub const LEVERAGE_PPM_BOUND: i64 = 1_000_000_000;

/// Effective leverage of an account, notional over equity, in millionths: at least 1, at most `most`.
pub fn leverage_ppm(notional: Amount, equity: Amount, most: i64) -> i64 {
    division::ratio_ppm_down(notional, equity, most).max(1)
}

/// Lots of a position that deleveraging may take: not the hedged ones, and none of a position without profit.
pub fn capacity(lots: Qty, hedged: Qty, profit: Amount) -> Qty {
    if profit > Amount::ZERO { Qty((lots - hedged).0.max(0)) } else { Qty::ZERO }
}
