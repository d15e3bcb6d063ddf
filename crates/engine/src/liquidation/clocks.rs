//! Clocks of accounts in liquidation: since when, and how much of the shortage their orders freed. A market whose policy is
//! `growing` goes by them.

use crate::engine::Engine;
use crate::instrument::Instrument;
use crate::liquidation::health::Health;
use crate::step::Step;
use xos_protocol::LiquidationPolicy;
use xos_units::{AccountId, Amount};

/// Of one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Clock {
    /// Time of its first visit.
    pub(crate) start_ns: u64,
    /// What its orders freed since then.
    pub(crate) freed: Amount,
}

impl Instrument {
    /// Whether it frees shortages little by little.
    pub(crate) fn is_growing(&self) -> bool {
        self.liquidation.as_ref().is_some_and(|terms| terms.spec.policy == LiquidationPolicy::Growing)
    }
}

impl Health {
    /// What the requirement is above the equity.
    pub(crate) fn shortage(&self) -> Amount {
        self.maintenance.ceil() - self.equity
    }
}

impl Engine {
    /// An account that is visited has a clock from then on.
    pub(crate) fn start_clock(&mut self, step: &Step, id: AccountId) {
        if self.liquidations.growing {
            let new = Clock { start_ns: step.time_ns, freed: Amount::ZERO };
            self.liquidations.clocks.entry(id).or_insert(new);
        }
    }

    /// What may be freed now of an account's shortage in a market.
    pub(crate) fn freeable(&self, step: &Step, id: AccountId, at: usize, health: &Health) -> Amount {
        let terms = self.instruments[at].liquidation.as_ref().and_then(|terms| terms.growth());
        let (Some(growth), Some(clock)) = (terms, self.liquidations.clocks.get(&id)) else {
            return health.shortage();
        };
        let elapsed_ns = step.time_ns - clock.start_ns;
        growth.freeable(health.shortage(), health.maintenance.ceil(), clock.freed, elapsed_ns)
    }

    /// An order freed what the shortage went down by.
    pub(crate) fn count_freed(&mut self, id: AccountId, before: &Health, after: &Health) {
        if let Some(clock) = self.liquidations.clocks.get_mut(&id) {
            clock.freed += (before.shortage() - after.shortage()).max(Amount::ZERO);
        }
    }

    /// After terms changed: clocks end with the last market that goes by them.
    pub(crate) fn keep_clocks(&mut self) {
        self.liquidations.growing = self.instruments.iter().any(Instrument::is_growing);
        if !self.liquidations.growing {
            self.liquidations.clocks.clear();
        }
    }
}
