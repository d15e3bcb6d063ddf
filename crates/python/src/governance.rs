//! What governs markets, read from the engine.

use crate::exchange::Exchange;
use crate::outcome::integer_of;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyInt};
use xos_engine::AuctionView;
use xos_units::{AccountId, InstrumentId};

/// End, whether it is priced, price, lots, imbalance, reference, lots filled.
type AuctionRow = (u64, bool, i64, i128, i128, i64, i64);

#[pymethods]
impl Exchange {
    /// Announced changes and what else governs markets, as MessagePack by field name.
    fn governance<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = self.engine(py, |engine| engine.governance().without_accounts().to_bytes())?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// Of the auction of an instrument: its end, whether it is priced, the price, lots that trade at it, buyers' lots less
    /// sellers', reference price, lots filled; none: it is in no auction.
    fn auction(&self, py: Python<'_>, instrument: u32) -> PyResult<Option<AuctionRow>> {
        self.engine(py, |engine| {
            let AuctionView { auction, at } = engine.auction_view(InstrumentId(instrument))?;
            let is_priced = auction.price.is_some();
            let (price, reference) = (at.price.0, at.reference.0);
            Some((auction.ends_ns, is_priced, price, at.lots, at.imbalance, reference, auction.filled_lots))
        })
    }

    /// Atoms of a deployer's stake that its markets lock now.
    fn locked_stake<'py>(&self, py: Python<'py>, account: u32) -> PyResult<Bound<'py, PyInt>> {
        let id = AccountId(account);
        let locked = self.engine(py, |engine| engine.locked_stake(id, engine.time_ns()))?;
        Ok(integer_of(py, locked.0))
    }

    /// Atoms of a deployer's stake that open proposals would slash.
    fn open_slashes<'py>(&self, py: Python<'py>, account: u32) -> PyResult<Bound<'py, PyInt>> {
        let open = self.engine(py, |engine| engine.open_slashes(AccountId(account)))?;
        Ok(integer_of(py, open.0))
    }

    /// What a slot costs at a logged time (none: the last frame's), atoms; none without terms of governance.
    #[pyo3(signature = (time_ns=None))]
    fn slot_price<'py>(&self, py: Python<'py>, time_ns: Option<u64>) -> PyResult<Option<Bound<'py, PyInt>>> {
        let price = self.engine(py, |engine| engine.slot_price(time_ns.unwrap_or(engine.time_ns())))?;
        Ok(price.map(|price| integer_of(py, price.0)))
    }
}
