//! What governs markets, read from the engine.

use crate::exchange::Exchange;
use crate::outcome::integer_of;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyInt};
use xos_units::AccountId;

#[pymethods]
impl Exchange {
    /// Announced changes and what else governs markets, as MessagePack by field name.
    fn governance<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = self.engine(py, |engine| engine.governance().without_charges().to_bytes())?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// Atoms of a deployer's stake that its markets lock now.
    fn locked_stake<'py>(&self, py: Python<'py>, account: u32) -> PyResult<Bound<'py, PyInt>> {
        let id = AccountId(account);
        let locked = self.engine(py, |engine| engine.locked_stake(id, engine.time_ns()))?;
        Ok(integer_of(py, locked.0))
    }

    /// What a slot costs at a logged time (none: the last frame's), atoms; none without terms of governance.
    #[pyo3(signature = (time_ns=None))]
    fn slot_price<'py>(&self, py: Python<'py>, time_ns: Option<u64>) -> PyResult<Option<Bound<'py, PyInt>>> {
        let price = self.engine(py, |engine| engine.slot_price(time_ns.unwrap_or(engine.time_ns())))?;
        Ok(price.map(|price| integer_of(py, price.0)))
    }
}
