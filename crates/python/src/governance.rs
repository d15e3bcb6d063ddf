//! What governs markets, read from the engine.

use crate::exchange::Exchange;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

#[pymethods]
impl Exchange {
    /// Announced changes and what else governs markets, as MessagePack by field name.
    fn governance<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = self.engine(py, |engine| engine.governance().to_bytes())?;
        Ok(PyBytes::new(py, &bytes))
    }
}
