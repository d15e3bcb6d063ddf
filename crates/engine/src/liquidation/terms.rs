//! Terms of liquidation as the ladder reads them, and what insurance paid today.

use xos_protocol::{LiquidationPolicy, LiquidationPrice, LiquidationSpec};
use xos_risk::Growth;
use xos_units::{
    Amount, Ppm, Qty, Requirement,
    division::{lots_portion_up, lots_up},
};

const SECOND_NS: u64 = 1_000_000_000;
const DAY_NS: u64 = 24 * 3_600 * SECOND_NS;

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

    /// Lots that one order closes of a position of this value and requirement; `freeable` is what may be freed now.
    pub(crate) fn slice(&self, lots: Qty, value: Amount, requirement: Requirement, freeable: Amount) -> Qty {
        if value <= self.spec.full_below {
            return lots;
        }
        match self.spec.policy {
            LiquidationPolicy::Ladder => lots_up(lots, Ppm(self.spec.slice_ppm)),
            LiquidationPolicy::Full => lots,
            LiquidationPolicy::Growing if freeable.as_requirement() >= requirement => lots,
            LiquidationPolicy::Growing => lots_portion_up(lots, freeable.as_requirement().0, requirement.0),
        }
    }

    /// How a shortage is freed little by little.
    pub(crate) fn growth(&self) -> Option<Growth> {
        let spec = self.spec.growth?;
        let duration_ns = u64::from(spec.duration_s) * SECOND_NS;
        Some(Growth { duration_ns, initial: Ppm(spec.initial_ppm), small: spec.small_shortage })
    }

    /// The spread of a fillable price, where orders ask for one.
    pub(crate) fn fillable_spread(&self) -> Option<Ppm> {
        (self.spec.price == LiquidationPrice::Fillable).then_some(Ppm(self.spec.spread_ppm))
    }

    /// The tranche, where the policy has one.
    pub(crate) fn tranche(&self) -> Option<xos_protocol::TrancheSpec> {
        match self.spec.policy {
            LiquidationPolicy::Ladder | LiquidationPolicy::Growing => self.spec.tranche,
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
