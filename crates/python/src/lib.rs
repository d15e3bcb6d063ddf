//! The Python module `exchange_os._core`. Bindings only: every rule lives in the crates above this one.

use pyo3::prelude::*;

/// What this extension was built from.
#[pymodule]
mod _core {
    use pyo3::prelude::*;
    use pyo3::types::PyDict;

    /// Version, target, profile and compiler of this build, as a dict of strings.
    #[pyfunction]
    fn build_info(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
        let info = PyDict::new(py);
        info.set_item("version", env!("CARGO_PKG_VERSION"))?;
        info.set_item("target", env!("XOS_TARGET"))?;
        info.set_item("profile", env!("XOS_PROFILE"))?;
        info.set_item("rustc", env!("XOS_RUSTC"))?;
        Ok(info)
    }

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
