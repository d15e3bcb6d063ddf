//! What is asked of liquidation from outside.

use crate::engine::Engine;
use crate::liquidation::adl::{divide, queue_of};
use xos_units::{AccountId, Amount, InstrumentId, Qty};

/// An account in liquidation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiquidationView {
    /// Whose.
    pub account: AccountId,
    /// Next visit, nanoseconds; 0: as soon as it is its turn.
    pub next_visit_ns: u64,
    /// Equity.
    pub equity: Amount,
    /// Maintenance requirement.
    pub maintenance: Amount,
    /// Time of its first visit and what its orders freed of the shortage since then; none while no market goes by them.
    pub clock: Option<(u64, Amount)>,
}

/// Where a position stands if the other side had to be closed now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeleveragingView {
    /// Whose.
    pub account: AccountId,
    /// Signed lots.
    pub lots: i64,
    /// Lots that are asked first: unhedged, with profit.
    pub first: Qty,
    /// Effective leverage in millionths.
    pub leverage_ppm: i64,
    /// Lots it would give of the lots asked.
    pub share: Qty,
    /// Place, from one, in a queue by profit times leverage.
    pub queue_rank: u32,
    /// Accounts on its side.
    pub candidates: u32,
}

impl Engine {
    /// Accounts in liquidation, by account.
    pub fn liquidations(&self) -> Vec<LiquidationView> {
        let view = |(account, next_visit_ns)| {
            let health = self.health(account);
            let (equity, maintenance) = (health.equity, health.maintenance.ceil());
            let clock = self.liquidations.clocks.get(&account).map(|clock| (clock.start_ns, clock.freed));
            LiquidationView { account, next_visit_ns, equity, maintenance, clock }
        };
        self.liquidations.visits.iter().map(view).collect()
    }

    /// Accounts that are still to be looked at.
    pub fn pending_risk_checks(&self) -> usize {
        self.liquidations.pending.len()
    }

    /// Where every position of one side stands if `wanted` lots of the other had to be closed at the mark.
    pub fn deleveraging(&self, instrument: InstrumentId, long: bool, wanted: Qty) -> Vec<DeleveragingView> {
        let at = instrument.index();
        if self.instruments.get(at).is_none_or(|instrument| !instrument.key.is_perpetual()) {
            return Vec::new();
        }
        let opposites = self.opposites(at, !long, self.instruments[at].mark, &[]);
        let shares = divide(wanted.max(Qty::ZERO), &opposites);
        let (ranks, _) = queue_of(wanted, &opposites);
        let view = |place: usize| DeleveragingView {
            account: opposites[place].account,
            lots: if long { opposites[place].lots.0 } else { -opposites[place].lots.0 },
            first: opposites[place].first,
            leverage_ppm: opposites[place].leverage_ppm,
            share: shares[place],
            queue_rank: ranks[place],
            candidates: opposites.len() as u32,
        };
        (0..opposites.len()).map(view).collect()
    }
}
