//! How a perpetual is liquidated: part of its specification.

use crate::atoms;
use serde::{Deserialize, Serialize};
use xos_units::{Amount, PPM_ONE};

/// Longest cooldown between two reductions of one account, milliseconds: an hour.
pub const LIQUIDATION_COOLDOWN_MS_MAX: u32 = 3_600_000;
/// Longest time in which a shortage is freed, seconds: a day.
pub const LIQUIDATION_GROWTH_S_MAX: u32 = 86_400;
/// Widest spread of a fillable price, ppm of the maintenance requirement.
pub const LIQUIDATION_SPREAD_PPM_MAX: i32 = 10_000_000;

/// Who decides how a position is reduced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LiquidationPolicy {
    /// In slices, then the liquidity tranche, insurance, deleveraging.
    #[default]
    Ladder,
    /// The whole position at once, then insurance and deleveraging; no tranche.
    Full,
    /// In slices that free a part of the account's shortage, a part that grows with time; then as a ladder.
    Growing,
}

/// The worst price that a liquidation order takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LiquidationPrice {
    /// The bankruptcy price.
    #[default]
    Bankruptcy,
    /// From the mark at the maintenance requirement down with the account's equity, and no worse than the bankruptcy price.
    Fillable,
}

impl LiquidationPrice {
    fn is_bankruptcy(&self) -> bool {
        *self == Self::Bankruptcy
    }
}

fn is_zero(value: &i32) -> bool {
    *value == 0
}

/// Terms of liquidation of a perpetual.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LiquidationSpec {
    /// Who decides.
    pub policy: LiquidationPolicy,
    /// Part of a position that one order closes, ppm of its lots, rounded up; 1 to one million.
    pub slice_ppm: i32,
    /// Positions of at most this value at mark are closed whole, atoms.
    #[serde(with = "atoms")]
    pub full_below: Amount,
    /// Wait between two visits of an account, milliseconds of logged time.
    pub cooldown_ms: u32,
    /// Fee on what a liquidation order trades, ppm, to the insurance fund; never more than the equity left.
    pub fee_ppm: i32,
    /// The tranche takes over below this part of the maintenance requirement, ppm.
    pub backstop_ppm: i32,
    /// Most that the insurance fund pays for this perpetual in one day (UTC), atoms.
    #[serde(with = "atoms")]
    pub insurance_draw_max: Amount,
    /// Takes over positions before insurance and deleveraging; none: nobody does.
    pub tranche: Option<TrancheSpec>,
    /// What offsets a short outside the perpetual; none: nothing counts as a hedge.
    pub hedge: Option<HedgeSpec>,
    /// How fast the policy `growing` frees a shortage; none with any other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub growth: Option<GrowthSpec>,
    /// The worst price of an order.
    #[serde(skip_serializing_if = "LiquidationPrice::is_bankruptcy")]
    pub price: LiquidationPrice,
    /// How far below the mark a bankrupt account is offered at a fillable price: part of its maintenance requirement,
    /// ppm; 0 with a bankruptcy price.
    #[serde(skip_serializing_if = "is_zero")]
    pub spread_ppm: i32,
}

impl Default for LiquidationSpec {
    fn default() -> Self {
        Self {
            policy: LiquidationPolicy::Ladder,
            slice_ppm: PPM_ONE / 5,
            full_below: Amount(100_000_000_000),
            cooldown_ms: 30_000,
            fee_ppm: 0,
            backstop_ppm: 666_667,
            insurance_draw_max: Amount((1 << 96) - 1),
            tranche: None,
            hedge: None,
            growth: None,
            price: LiquidationPrice::Bankruptcy,
            spread_ppm: 0,
        }
    }
}

/// A shortage that is freed little by little: min(1, time / duration + initial) of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrowthSpec {
    /// Seconds in which the part grows by the whole; 1 to 86,400.
    pub duration_s: u32,
    /// Part that may be freed at once, ppm.
    pub initial_ppm: i32,
    /// A shortage below this is freed whole, atoms.
    #[serde(with = "atoms")]
    pub small_shortage: Amount,
}

/// A market's liquidity tranche: an ordinary account with a cap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrancheSpec {
    /// Its account.
    pub account: u32,
    /// Most value of its position here, at mark, atoms.
    #[serde(with = "atoms")]
    pub notional_max: Amount,
}

/// A balance that hedges shorts: deleveraging asks hedged lots last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HedgeSpec {
    /// Asset id.
    pub asset: u32,
    /// Atoms of it that offset one lot.
    pub atoms_per_lot: u64,
}
