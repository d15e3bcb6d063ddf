//! What of an instrument's terms money is reckoned with.

use xos_engine::Engine;
use xos_ledger::SETTLEMENT;
use xos_protocol::Product;
use xos_units::{Amount, InstrumentId, Price, Qty, notional};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Traded {
    Spot { base: u32, quote: u32, base_atoms_per_lot: u64 },
    Perpetual,
    Outcome,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Market {
    pub(crate) product: Traded,
    k: u32,
}

impl Market {
    pub(crate) fn of(engine: &Engine, instrument: u32) -> Option<Self> {
        let view = engine.instrument(InstrumentId(instrument))?;
        let product = match view.product {
            Some(Product::Spot { base, quote, base_atoms_per_lot }) => {
                Traded::Spot { base, quote, base_atoms_per_lot }
            }
            Some(Product::Perpetual { .. }) => Traded::Perpetual,
            None => Traded::Outcome,
        };
        Some(Self { product, k: view.terms.quote_atoms_per_tick_lot })
    }

    /// The asset in which fees are paid.
    pub(crate) fn quote(&self) -> u32 {
        match self.product {
            Traded::Spot { quote, .. } => quote,
            Traded::Perpetual | Traded::Outcome => SETTLEMENT.0,
        }
    }

    /// What a buyer pays for some lots; of a perpetual nothing is paid.
    pub(crate) fn paid(&self, price: i64, lots: i64) -> i128 {
        match self.product {
            Traded::Perpetual => 0,
            Traded::Spot { .. } | Traded::Outcome => notional(Price(price), Qty(lots), self.k).0,
        }
    }

    /// The asset that a buyer of some lots receives, and how much; only of spot.
    pub(crate) fn delivered(&self, lots: i64) -> Option<(u32, i128)> {
        match self.product {
            Traded::Spot { base, base_atoms_per_lot, .. } => {
                Some((base, Amount(i128::from(base_atoms_per_lot)).times_lots(Qty(lots)).0))
            }
            Traded::Perpetual | Traded::Outcome => None,
        }
    }

    pub(crate) fn is_perpetual(&self) -> bool {
        self.product == Traded::Perpetual
    }
}
