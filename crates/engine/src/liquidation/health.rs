//! Equity against maintenance requirement, and the positions that liquidation can close.

use crate::engine::Engine;
use crate::instrument::Instrument;
use xos_protocol::InstrumentState;
use xos_risk::Closing;
use xos_units::{AccountId, Amount, Price, Qty, Requirement, division::ticks_of_value};

/// An account as liquidation sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Health {
    /// Atoms.
    pub(crate) equity: Amount,
    pub(crate) maintenance: Requirement,
    /// What the positions need each for itself: by its part a position shares the equity.
    pub(crate) shared: Requirement,
}

impl Health {
    /// The price at which closing a position uses up its share of the equity. Above the mark it ends where the other side
    /// would lose more than its value and more than the position did.
    pub(crate) fn bankruptcy_price(&self, instrument: &Instrument, lots: i64, cost: Amount) -> Price {
        let closing = closing(instrument, lots, self.shared);
        let entry = ticks_of_value(cost, Qty(lots.abs()), instrument.k, true);
        let most = i128::from(instrument.mark.0) + i128::from(instrument.mark.0);
        let most = entry.max(most).clamp(1, i128::from(instrument.price_max.0));
        closing.bankruptcy_price(self.equity, Price(i64::try_from(most).expect("clamped to a price")))
    }

    /// The worst price of an order that closes a position: its bankruptcy price, or the fillable price where that is
    /// better for the account and the market's terms ask for it.
    pub(crate) fn worst_price(&self, instrument: &Instrument, lots: i64, cost: Amount) -> Price {
        let bankruptcy = self.bankruptcy_price(instrument, lots, cost);
        let spread = instrument.liquidation.as_ref().and_then(|terms| terms.fillable_spread());
        let Some(spread) = spread else { return bankruptcy };
        // Offsets of scenario margin may leave no requirement at all.
        let closing = closing(instrument, lots, self.maintenance.max(Requirement(1)));
        let ticks = closing.fillable_ticks(self.equity, spread).clamp(1, i128::from(instrument.price_max.0));
        let fillable = Price(i64::try_from(ticks).expect("clamped to a price"));
        if lots > 0 { bankruptcy.max(fillable) } else { bankruptcy.min(fillable) }
    }
}

/// A position under the requirement of its account.
fn closing(instrument: &Instrument, lots: i64, account_maintenance: Requirement) -> Closing {
    let (mark, k) = (instrument.mark, instrument.k);
    Closing { lots, mark, k, maintenance: instrument.maintenance_of(Qty(lots.abs())), account_maintenance }
}

/// A position that liquidation can close.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Closable {
    /// Index of the instrument.
    pub(crate) at: usize,
    /// Signed lots.
    pub(crate) lots: i64,
    /// What they cost, signed.
    pub(crate) cost: Amount,
}

impl Engine {
    pub(crate) fn health(&self, id: AccountId) -> Health {
        let (equity, maintenance) = self.maintenance(id);
        let shared = if self.is_scenario(id) { self.maintenance_of_positions(id) } else { maintenance };
        Health { equity: equity.floor(), maintenance, shared }
    }

    /// Whether an account is below its requirement and has a position that may be liquidated at all.
    #[inline]
    pub(crate) fn is_liquidatable(&self, id: AccountId) -> bool {
        self.is_below_maintenance(id) && self.may_be_liquidated(id)
    }

    #[cold]
    fn may_be_liquidated(&self, id: AccountId) -> bool {
        self.accounts[id.index()].stands.iter().any(|stand| {
            stand.lots != 0 && self.instruments[stand.key.instrument().index()].liquidation.is_some()
        })
    }

    /// Whether it holds positions whose marks stand still and which may save it, or nothing else: a lot of a silent market
    /// must not keep an account from liquidation everywhere.
    pub(crate) fn waits_for_prices(&self, id: AccountId) -> bool {
        let (mut may_come_back, mut waits, mut others) = (Requirement::ZERO, false, false);
        for stand in self.accounts[id.index()].stands.iter().take_while(|stand| stand.key.is_perpetual()) {
            let instrument = &self.instruments[stand.key.instrument().index()];
            if stand.lots == 0 {
                continue;
            }
            if instrument.has_fresh_prices() {
                others |= instrument.liquidation.is_some();
            } else {
                waits = true;
                may_come_back += instrument.initial_by_tier(Qty(stand.lots.abs()));
            }
        }
        if !waits || !others {
            return waits;
        }
        let (equity, maintenance) = self.maintenance(id);
        equity + may_come_back >= maintenance
    }

    /// Positions under terms of liquidation, the largest maintenance requirement first, then by instrument.
    pub(crate) fn closable(&self, id: AccountId) -> Vec<Closable> {
        let mut found: Vec<(Requirement, Closable)> = Vec::new();
        for stand in &self.accounts[id.index()].stands {
            let at = stand.key.instrument().index();
            let instrument = &self.instruments[at];
            if stand.lots != 0 && instrument.liquidation.is_some() {
                let requirement = instrument.maintenance_of(Qty(stand.lots.abs()));
                let cost = stand.holding().cost;
                found.push((requirement, Closable { at, lots: stand.lots, cost }));
            }
        }
        found.sort_by_key(|(requirement, closable)| (-requirement.0, closable.at));
        found.into_iter().map(|(_, closable)| closable).collect()
    }

    /// Those of them whose instrument trades.
    pub(crate) fn workable(&self, id: AccountId) -> Vec<Closable> {
        let mut closable = self.closable(id);
        closable.retain(|closable| self.is_trading(closable.at));
        closable
    }

    /// Those that close with their account's bankruptcy, for which no order is needed: in markets that are being closed too.
    pub(crate) fn resolvable(&self, id: AccountId) -> Vec<Closable> {
        let mut closable = self.closable(id);
        let is_settled = |at: usize| self.instruments[at].state == InstrumentState::Settled;
        closable.retain(|closable| self.is_trading(closable.at) || is_settled(closable.at));
        closable
    }

    fn is_trading(&self, at: usize) -> bool {
        let instrument = &self.instruments[at];
        instrument.has_fresh_prices()
            && matches!(instrument.gate, InstrumentState::Continuous | InstrumentState::ReduceOnly)
    }

    /// Equity for maintenance, and the value of all perpetual positions at mark, whatever their sign.
    pub(crate) fn equity_and_gross(&self, id: AccountId) -> (Amount, Amount) {
        let mut gross = Amount::ZERO;
        let equity = self.equity_with(id, |instrument, lots| gross += instrument.value_at_mark(lots));
        (equity, gross)
    }
}
