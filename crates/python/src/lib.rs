//! The Python module `exchange_os._core`. Bindings only: every rule lives in the crates above this one.

mod adl;
mod bench;
mod charges;
mod debt;
mod exchange;
mod fault;
mod governance;
mod history;
mod kept;
mod layout;
mod log;
mod outcome;
mod questions;
mod remote;
mod server;
mod specification;
mod views;
mod wire;
mod words;

use pyo3::prelude::*;

/// The Rust side of Exchange OS. Use `exchange_os`; this module is private.
#[pymodule]
mod _core {
    use pyo3::prelude::*;
    use pyo3::types::PyDict;

    #[pymodule_export]
    use crate::adl::sim_adl;
    #[pymodule_export]
    use crate::bench::{bench_commands, bench_replay, bench_restart, bench_workload};
    #[pymodule_export]
    use crate::exchange::Exchange;
    #[pymodule_export]
    use crate::history::{HistoryReader, history_columns, history_rows};
    #[pymodule_export]
    use crate::layout::{
        canonical_deployment, command_fields, default_limits, event_fields, funding_rate, wire_messages,
        wire_words,
    };
    #[pymodule_export]
    use crate::log::{Inspector, replay, verify};
    #[pymodule_export]
    use crate::remote::Remote;
    #[pymodule_export]
    use crate::server::Server;
    #[pymodule_export]
    use crate::wire::{bench_wire, bench_wire_load, bench_wire_prepare};
    #[pymodule_export]
    use crate::words::rejects;

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
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        module.add("COMMAND_BYTES", crate::layout::COMMAND_BYTES)?;
        module.add("EVENT_BYTES", crate::layout::EVENT_BYTES)?;
        module.add("PRICE_TICKS_BOUND", xos_units::PRICE_TICKS_BOUND)?;
        module.add("QTY_LOTS_BOUND", xos_units::QTY_LOTS_BOUND)?;
        module.add("AMOUNT_ATOMS_BOUND", xos_units::AMOUNT_ATOMS_BOUND)?;
        crate::words::add_to(module)
    }
}
