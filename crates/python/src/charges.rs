//! What accounts are charged, read from the engine.

use crate::exchange::Exchange;
use crate::outcome::integer_of;
use pyo3::prelude::*;
use pyo3::types::PyInt;
use xos_units::{AccountId, InstrumentId, VenueId};

/// Maker and taker rate, tier, volume of thirty days and of today, cap.
type RatesRow<'py> = (Option<(i32, i32)>, usize, Bound<'py, PyInt>, Bound<'py, PyInt>, Option<i32>);

#[pymethods]
impl Exchange {
    /// What an account is charged through a venue on an instrument (0: by the venue's own fees); none without account.
    fn fee_rates<'py>(
        &self,
        py: Python<'py>,
        account: u32,
        venue: u16,
        instrument: u32,
    ) -> PyResult<Option<RatesRow<'py>>> {
        let (account, venue, instrument) = (AccountId(account), VenueId(venue), InstrumentId(instrument));
        let found = self.engine(py, |engine| engine.charges(account, venue, instrument))?;
        Ok(found.map(|view| {
            let rates = view.fees.map(|fees| (fees.maker_ppm, fees.taker_ppm));
            let (volume, today) = (integer_of(py, view.volume.0), integer_of(py, view.today.0));
            (rates, view.tier, volume, today, view.cap_ppm)
        }))
    }

    /// Whether the money of an account is worthless.
    fn is_simulated(&self, py: Python<'_>, account: u32) -> PyResult<bool> {
        self.engine(py, |engine| engine.is_simulated(AccountId(account)))
    }

    /// The account that brought an account.
    fn referrer(&self, py: Python<'_>, account: u32) -> PyResult<Option<u32>> {
        let found = self.engine(py, |engine| engine.referrer(AccountId(account)))?;
        Ok(found.map(|referrer| referrer.0))
    }
}
