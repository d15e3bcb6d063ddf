//! Terms of liquidation as the ladder reads them, and what insurance paid today.

use xos_protocol::{LiquidationPolicy, LiquidationSpec};
use xos_units::{Amount, Ppm, Qty, division::lots_up};

const DAY_NS: u64 = 24 * 3_600 * 1_000_000_000;

/// Of one perpetual.
#[derive(Clone, Debug)]
pub(crate) struct LiquidationTerms {
    pub(crate) spec: LiquidationSpec,
    /// Day (UTC, from 1970) of the last payment, and what was paid in it.
    pub(crate) drawn_day: u64,
    pub(crate) drawn: Amount,
}

impl LiquidationTerms {
    pub(crate) fn of(spec: &LiquidationSpec) -> Self {
        Self { spec: spec.clone(), drawn_day: 0, drawn: Amount::ZERO }
    }

    /// Lots that one order closes of a position of this value.
    pub(crate) fn slice(&self, lots: Qty, value: Amount) -> Qty {
        match self.spec.policy {
            LiquidationPolicy::Ladder if value > self.spec.full_below => {
                lots_up(lots, Ppm(self.spec.slice_ppm))
            }
            LiquidationPolicy::Ladder | LiquidationPolicy::Full => lots,
        }
    }

    /// The tranche, where the policy has one.
    pub(crate) fn tranche(&self) -> Option<xos_protocol::TrancheSpec> {
        match self.spec.policy {
            LiquidationPolicy::Ladder => self.spec.tranche,
            LiquidationPolicy::Full => None,
        }
    }

    /// What insurance may still pay today.
    pub(crate) fn draw_left(&self, now_ns: u64) -> Amount {
        let today = if self.drawn_day == now_ns / DAY_NS { self.drawn } else { Amount::ZERO };
        self.spec.insurance_draw_max - today
    }

    /// Counts a payment.
    pub(crate) fn draw(&mut self, now_ns: u64, paid: Amount) {
        let day = now_ns / DAY_NS;
        self.drawn = if self.drawn_day == day { self.drawn + paid } else { paid };
        self.drawn_day = day;
    }

    pub(crate) fn cooldown_ns(&self) -> u64 {
        u64::from(self.spec.cooldown_ms) * 1_000_000
    }
}
