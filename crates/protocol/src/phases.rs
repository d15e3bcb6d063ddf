//! When an instrument trades, and how it reopens.

use serde::{Deserialize, Serialize};

/// Longest auction with which an instrument reopens, seconds: a day.
pub const REOPEN_AUCTION_S_MAX: u32 = 24 * 3_600;

/// Trading phases of an instrument, or of all outcomes of a question.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Phases {
    /// Logged time until which it collects orders for its first auction, nanoseconds; 0: it trades at once.
    #[serde(skip_serializing_if = "is_never")]
    pub pre_open_until_ns: u64,
    /// Logged time from which it accepts cancels only, nanoseconds; 0: never.
    #[serde(skip_serializing_if = "is_never")]
    pub close_ns: u64,
    /// Length of the auction that ends a volatility halt, and the time without prices after a restart, logged seconds; 0:
    /// none is held.
    #[serde(skip_serializing_if = "is_none")]
    pub reopen_auction_s: u32,
}

impl Phases {
    /// Whether it trades from its deployment on, for ever.
    pub fn are_none(&self) -> bool {
        *self == Self::default()
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_never(time_ns: &u64) -> bool {
    *time_ns == 0
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_none(seconds: &u32) -> bool {
    *seconds == 0
}
