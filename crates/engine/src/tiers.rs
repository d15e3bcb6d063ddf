//! Margin of a perpetual that is more than one rate: tiers, open interest, chosen leverage; and the maintenance
//! requirement of an account.

use crate::account::Account;
use crate::engine::Engine;
use crate::instrument::{Instrument, Traded};
use xos_protocol::{InstrumentSpec, Product};
use xos_risk::{InitialTerms, OpenInterestScaling, Tiers, leverage_rate, unrealised};
use xos_units::{AccountId, Amount, InstrumentId, Ppm, Price, Qty, Requirement, notional, widening};

/// Tiers and scaling of a perpetual.
#[derive(Clone, Debug)]
pub(crate) struct PerpetualMargin {
    pub(crate) tiers: Tiers,
    scaling: Option<OpenInterestScaling>,
    /// Initial rate of the open interest; follows every change of mark and position, but for those of an order while it
    /// matches: what a fill-or-kill order counted on must not become dearer by its own fills.
    open_interest_rate: Ppm,
    is_held: bool,
}

impl PerpetualMargin {
    /// Of a perpetual that declares more than its pair of rates.
    pub(crate) fn of(spec: &InstrumentSpec) -> Option<Self> {
        let (Some(margin), Product::Perpetual { initial_margin_ppm: initial, maintenance_margin_ppm }) =
            (&spec.margin, spec.product)
        else {
            return None;
        };
        let mut tiers = Tiers::one(Ppm(initial), Ppm(maintenance_margin_ppm));
        for tier in &margin.tiers {
            tiers.push(tier.notional_from, Ppm(tier.initial_ppm), Ppm(tier.maintenance_ppm));
        }
        let scaling = margin
            .open_interest_scaling
            .map(|bounds| OpenInterestScaling { lower: bounds.lower, upper: bounds.upper });
        Some(Self { tiers, scaling, open_interest_rate: Ppm(initial), is_held: false })
    }
}

impl Instrument {
    /// Keeps the rate of the open interest in step with it.
    pub(crate) fn scale_by_open_interest(&mut self) {
        let Traded::Perpetual { initial, .. } = self.traded else { return };
        if let Some(margin) = &mut self.margin
            && !margin.is_held
            && let Some(scaling) = &margin.scaling
        {
            // One side may have moved before the other; the longs are what counts.
            let open_interest = Amount(self.long_lots.saturating_mul(self.mark_value));
            margin.open_interest_rate = scaling.rate(initial, open_interest);
        }
    }

    /// Holds the rate of the open interest where it is, or lets it follow again.
    #[cold]
    pub(crate) fn hold_open_interest(&mut self, is_held: bool) {
        if let Some(margin) = &mut self.margin {
            margin.is_held = is_held;
        }
        self.scale_by_open_interest();
    }

    /// Value of `lots` at mark.
    #[inline(always)]
    pub(crate) fn value_at_mark(&self, lots: Qty) -> Amount {
        Amount(widening(self.mark_value, lots.0))
    }

    /// Initial requirement of `lots` where more than one rate decides it.
    #[cold]
    pub(crate) fn initial_of(&self, lots: Qty, leverage: Option<u32>) -> Requirement {
        let notional = self.value_at_mark(lots);
        let flat = Requirement(widening(self.margin_value, lots.0));
        let chosen_rate = leverage.map(leverage_rate);
        match &self.margin {
            Some(margin) => {
                let (tiers, open_interest_rate) = (&margin.tiers, margin.open_interest_rate);
                InitialTerms { tiers, open_interest_rate, chosen_rate }.requirement(notional)
            }
            None => flat.max(chosen_rate.map_or(flat, |rate| notional.times(rate))),
        }
    }

    /// Initial requirement of `lots` by their tiers alone.
    pub(crate) fn initial_by_tier(&self, lots: Qty) -> Requirement {
        match &self.margin {
            Some(margin) => margin.tiers.initial(self.value_at_mark(lots)),
            None => Requirement(widening(self.margin_value, lots.0)),
        }
    }

    /// What `lots` need at the initial rate of the first tier.
    pub(crate) fn first_initial_of(&self, lots: Qty) -> Requirement {
        Requirement(widening(self.margin_value, lots.0))
    }

    /// What `lots` need at the maintenance rate of the first tier, if the mark were this.
    pub(crate) fn first_maintenance_at(&self, mark: Price, lots: Qty) -> Requirement {
        let Traded::Perpetual { maintenance, .. } = self.traded else { return Requirement::ZERO };
        notional(mark, lots, self.k).times(maintenance)
    }

    /// Maintenance requirement of `lots`.
    #[inline]
    pub(crate) fn maintenance_of(&self, lots: Qty) -> Requirement {
        self.maintenance_on(self.value_at_mark(lots))
    }

    /// Maintenance requirement of `lots` if the mark were another.
    pub(crate) fn maintenance_at(&self, mark: Price, lots: Qty) -> Requirement {
        self.maintenance_on(notional(mark, lots, self.k))
    }

    #[inline(always)]
    fn maintenance_on(&self, notional: Amount) -> Requirement {
        let Traded::Perpetual { maintenance, .. } = self.traded else { return Requirement::ZERO };
        match &self.margin {
            Some(margin) => margin.tiers.maintenance(notional),
            None => notional.times(maintenance),
        }
    }

    /// Highest leverage open to `lots`.
    pub(crate) fn leverage_max(&self, lots: Qty) -> u32 {
        let Traded::Perpetual { initial, maintenance } = self.traded else { return 0 };
        match &self.margin {
            Some(margin) => margin.tiers.leverage_max(self.value_at_mark(lots)),
            None => Tiers::one(initial, maintenance).leverage_max(Amount::ZERO),
        }
    }
}

impl Account {
    /// The leverage chosen on a perpetual.
    pub(crate) fn leverage(&self, instrument: InstrumentId) -> Option<u32> {
        let chosen = self.leverages.as_ref()?;
        chosen.iter().find(|(id, _)| *id == instrument).map(|(_, leverage)| *leverage)
    }
}

impl Engine {
    /// Equity for maintenance, and the maintenance requirement, in millionths of an atom. Equity counts totals, held
    /// or not, and no reserves: cancelling orders does not change it but for the worst cases of questions.
    pub fn maintenance(&self, id: AccountId) -> (Requirement, Requirement) {
        let (equity, requirement) = self.maintenance_without_relief(id);
        let relieves = self.scenarios.accounts.len() > 0;
        (equity, if relieves { requirement - self.relief_of_positions(id) } else { requirement })
    }

    /// The same without what scenario mode takes from the requirement.
    #[inline(always)]
    fn maintenance_without_relief(&self, id: AccountId) -> (Requirement, Requirement) {
        let mut requirement = Requirement::ZERO;
        let equity = self.equity_with(id, |instrument, lots| requirement += instrument.maintenance_of(lots));
        (equity.as_requirement(), requirement)
    }

    /// Whether an account is below its maintenance requirement. Most are not, whatever scenario mode takes from it.
    #[inline]
    pub(crate) fn is_below_maintenance(&self, id: AccountId) -> bool {
        let (equity, requirement) = self.maintenance_without_relief(id);
        equity < requirement
            && (self.scenarios.accounts.len() == 0 || equity < requirement - self.relief_of_positions(id))
    }

    /// Equity for maintenance; `each` sees every perpetual position with its lots, unsigned.
    #[inline(always)]
    pub(crate) fn equity_with(&self, id: AccountId, mut each: impl FnMut(&Instrument, Qty)) -> Amount {
        let account = &self.accounts[id.index()];
        let mut equity = self.ledger.settlement(id).total + self.worst_cases(id);
        if !self.collaterals.is_empty() {
            equity += self.collateral(id, false);
        }
        for stand in account.stands.iter().take_while(|stand| stand.key.is_perpetual()) {
            let instrument = &self.instruments[stand.key.instrument().index()];
            equity += unrealised(stand.lots, instrument.mark_value, stand.holding().cost);
            if instrument.settling {
                equity += instrument.unsettled(stand);
            }
            each(instrument, Qty(stand.lots.abs()));
        }
        equity
    }
}
