//! Section 19: shortages that are freed little by little, and fillable prices.

use super::deploy::bound;
use super::events::Cause;
use super::liquidation::{Health, portion};
use super::refusal::Refusal;
use super::state::World;
use xos_protocol::{LiquidationPolicy, LiquidationPrice, LiquidationSpec};

const MILLION: i128 = 1_000_000;

/// Since when an account is in liquidation, and what its orders freed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    pub(super) start_ns: u64,
    pub(super) freed: i128,
}

/// Fields 86 to 90.
pub(super) fn check_policy(terms: &LiquidationSpec) -> Result<(), Refusal> {
    let is_growing = terms.policy == LiquidationPolicy::Growing;
    bound(86, i32::from(terms.growth.is_some()), terms.growth.is_some() == is_growing)?;
    if let Some(growth) = terms.growth {
        bound(87, growth.duration_s, (1..=86_400).contains(&growth.duration_s))?;
        bound(88, growth.initial_ppm, (0..=1_000_000).contains(&growth.initial_ppm))?;
        let small = growth.small_shortage.0;
        bound(89, small, (0..1 << 96).contains(&small))?;
    }
    let is_allowed = match terms.price {
        LiquidationPrice::Fillable => terms.spread_ppm >= 1 && terms.spread_ppm <= 10_000_000,
        LiquidationPrice::Bankruptcy => terms.spread_ppm == 0,
    };
    bound(90, terms.spread_ppm, is_allowed)
}

impl World {
    pub(super) fn has_growing_market(&self) -> bool {
        let mut all = 1..=self.instruments.len() as u32;
        all.any(|i| self.terms_of_liquidation(i).is_some_and(|t| t.policy == LiquidationPolicy::Growing))
    }

    /// At the beginning of a visit.
    pub(super) fn give_clock(&mut self, cause: &Cause, account: u32) {
        if self.has_growing_market() && !self.liquidations.clocks.contains_key(&account) {
            self.liquidations.clocks.insert(account, Clock { start_ns: cause.time_ns, freed: 0 });
        }
    }

    /// After a change of terms.
    pub(super) fn end_clocks(&mut self) {
        if !self.has_growing_market() {
            self.liquidations.clocks.clear();
        }
    }

    /// Lots that free what is due of a shortage.
    pub(super) fn lots_due(&self, cause: &Cause, account: u32, instrument: u32, health: Health) -> i64 {
        let terms = self.terms_of_liquidation(instrument).expect("closable").growth.expect("it is growing");
        let clock = self.liquidations.clocks[&account];
        let shortage = health.shortage();
        let due = if shortage < terms.small_shortage.0 || 2 * shortage >= health.required_atoms() {
            shortage
        } else {
            let t = i128::from(terms.duration_s) * 1_000_000_000;
            let d = t * MILLION;
            let gone = i128::from(cause.time_ns - clock.start_ns);
            let part = d.min(gone * MILLION + i128::from(terms.initial_ppm) * t);
            (portion(shortage + clock.freed, part, d) - clock.freed).max(0)
        };
        let lots = i128::from(self.holding(account, instrument).position.abs());
        let own = self.maintenance_of(&self.standing(account), instrument);
        // ceil(a b / c) = -floor(-a b / c); what is due may be more than the position needs.
        let wanted = if due * MILLION >= own { lots } else { -portion(-lots, due * MILLION, own) };
        i64::try_from(wanted).expect("no more than the position")
    }

    /// The worst price of an order that closes a position.
    pub(super) fn limit_of_order(&self, account: u32, instrument: u32, health: Health) -> i64 {
        let bankruptcy = self.bankruptcy_price(account, instrument, health);
        let liquidation = self.terms_of_liquidation(instrument).expect("closable");
        if liquidation.price == LiquidationPrice::Bankruptcy {
            return bankruptcy;
        }
        let own = self.maintenance_of(&self.standing(account), instrument);
        let spread = (own + MILLION - 1) / MILLION * i128::from(liquidation.spread_ppm) / MILLION;
        let required = health.required.max(1);
        let short = (required - health.equity * MILLION).min(required);
        let lost = portion(spread, short, required);
        let terms = self.instrument(instrument);
        let position = self.holding(account, instrument).position;
        let value = terms.value(terms.mark, position.abs());
        let per_tick = terms.value(1, position.abs());
        let highest = terms.terms.price_max_ticks;
        let within = |ticks: i128| ticks.clamp(1, highest.into()) as i64;
        if position > 0 {
            bankruptcy.max(within(-(lost - value).div_euclid(per_tick)))
        } else {
            bankruptcy.min(within((value + lost).div_euclid(per_tick)))
        }
    }
}
