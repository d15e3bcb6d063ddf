//! Terms of scenario margin: underlyings, and questions whose outcomes lie on a price.

use serde::{Deserialize, Serialize};

/// Perpetuals whose prices move together, and the scenarios in which accounts that choose so are margined on them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnderlyingSpec {
    /// Unique among underlyings.
    pub symbol: String,
    /// 1 to 16 perpetuals, none of which belongs to another underlying.
    pub instruments: Vec<u32>,
    /// 1 to 64 scenarios.
    pub scenarios: Vec<ScenarioSpec>,
    /// Part of a scenario's loss that is maintenance margin, ppm.
    pub maintenance_ppm: i32,
    /// Least requirement, ppm of the notional of all positions with their orders.
    pub floor_ppm: i32,
    /// How far from a scenario's price an outcome's range counts as reached, ppm.
    pub width_ppm: i32,
}

impl UnderlyingSpec {
    /// Most perpetuals.
    pub const INSTRUMENTS_MAX: usize = 16;
    /// Most scenarios.
    pub const SCENARIOS_MAX: usize = 64;
}

/// A move of all prices of an underlying.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScenarioSpec {
    /// Move of the marks, ppm: -999,999 to 10,000,000.
    pub shock_ppm: i32,
    /// Part of profit and loss that counts, ppm: 1 to 1,000,000.
    pub weight_ppm: i32,
}

/// Where a question's outcomes lie on the price of a perpetual.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuestionLink {
    /// Underlying id.
    pub underlying: u32,
    /// The perpetual of it whose price decides.
    pub instrument: u32,
    /// A range for each outcome, in their order; together every price from 0 to the highest, each once.
    pub ranges: Vec<PriceRange>,
}

/// Prices in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceRange {
    /// First price inside.
    pub low: i64,
    /// First price above.
    pub high: i64,
}
