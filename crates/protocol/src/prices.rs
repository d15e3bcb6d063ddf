//! Where prices of an instrument come from, and what funding follows from them.

use crate::atoms;
use crate::words::words;
use serde::{Deserialize, Serialize};
use xos_units::Amount;

words! {
    /// How an instrument with an oracle stands with its prices.
    PriceStatus: u8 {
        /// Enough sources are fresh.
        Live = 0 "live",
        /// Too few: index and mark are frozen, orders only reduce.
        Stale = 1 "stale",
        /// Restarted, and too few sources have spoken since: only cancels.
        Recovering = 2 "recovering",
        /// Restarted and fresh again: post-only for a declared time.
        Reopening = 3 "reopening",
    }
}

/// A publisher of prices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublisherSpec {
    /// Unique among publishers.
    pub symbol: String,
    /// Key that its messages are signed with, 32 bytes in hexadecimal. Gateways check it; the engine only keeps it.
    pub key: String,
}

/// Where an instrument's index and mark come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OracleSpec {
    /// 1 to 16 publishers with their weights.
    pub sources: Vec<SourceSpec>,
    /// So many must be fresh, or prices are stale.
    pub sources_min: u32,
    /// Age at which a source's price counts no more, by the publisher's own time.
    #[serde(default = "ten_seconds_ms")]
    pub stale_after_ms: u32,
    /// Distance from the median at which a source's price is cut, ppm.
    #[serde(default = "five_percent")]
    pub deviation_ppm: i32,
    /// Most that the index moves at once, ppm; 0: no bound.
    #[serde(default)]
    pub step_max_ppm: i32,
    /// Most distance of the mark from the index, ppm.
    #[serde(default = "five_percent")]
    pub mark_band_ppm: i32,
    /// How long orders must be post-only after a restart, once prices are fresh.
    #[serde(default = "ten_seconds_ms")]
    pub reopen_ms: u32,
}

/// When and how much the sides of a perpetual pay each other. Rates are in 1e-12.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FundingSpec {
    /// Hours between two payments: 1, 4 or 8, counted from 1970 UTC.
    pub interval_h: u8,
    /// Interest for 8 hours, at most 1 % either way.
    pub interest: i64,
    /// How far interest less premium counts, 0 to 1 %.
    pub clamp: i64,
    /// Most of a rate for an interval, above 0 to 10 %.
    pub cap: i64,
    /// What the premium prices on each side of the book, quote atoms; 1 to 2^80 - 1.
    #[serde(with = "atoms")]
    pub impact_notional: Amount,
    /// Seconds between two samples of the premium, 1 to 60.
    #[serde(default = "five_seconds")]
    pub sample_s: u32,
}

/// A publisher as a source of one instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceSpec {
    /// Publisher id.
    pub publisher: u32,
    /// 1 to 1,000,000; no more than half of all, unless one source is enough.
    pub weight: u32,
}

fn ten_seconds_ms() -> u32 {
    10_000
}

fn five_seconds() -> u32 {
    5
}

fn five_percent() -> i32 {
    50_000
}
