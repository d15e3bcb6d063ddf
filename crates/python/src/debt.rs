//! What an account owes, and what may be sold for it.

use crate::exchange::Exchange;
use crate::outcome::integer_of;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};
use xos_engine::Convertible;
use xos_units::AccountId;

#[pymethods]
impl Exchange {
    /// What an account owes, and asset, instrument, lots, lowest price and collateral value of what may be sold for it.
    #[pyo3(signature = (account, /))]
    fn debt<'py>(&self, py: Python<'py>, account: u32) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let id = AccountId(account);
        let found =
            self.engine(py, |engine| engine.risk(id).map(|_| (engine.debt(id), engine.convertible(id))))?;
        let row = |one: Convertible| {
            (one.asset.0, one.instrument.0, one.lots.0, one.price.0, integer_of(py, one.value.0))
        };
        found
            .map(|(debt, convertible)| {
                let rows = PyList::new(py, convertible.into_iter().map(row).collect::<Vec<_>>())?;
                (integer_of(py, debt.0), rows).into_pyobject(py)
            })
            .transpose()
    }
}
