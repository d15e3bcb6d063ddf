//! Measurements, for `xos bench`.

use crate::fault::panic_text;
use crate::outcome::integer_of;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use xos_sim::bench::{BenchReport, CommandFile, Run};
use xos_sim::workload::MarketShape;

/// Runs a file of 64-byte commands of which the first `prefill` are not timed. `expected` are the totals that it
/// must end with: trades, lots, ticks times lots, resting orders.
#[pyfunction]
#[pyo3(signature = (path, prefill, expected, times_by_kind, /))]
pub(crate) fn bench_commands<'py>(
    py: Python<'py>,
    path: PathBuf,
    prefill: usize,
    expected: Option<[i128; 4]>,
    times_by_kind: bool,
) -> PyResult<Bound<'py, PyDict>> {
    let prepare = || {
        let file = CommandFile::read(&path).map_err(|error| error.to_string())?;
        file.into_run(prefill, expected).map_err(|error| error.to_string())
    };
    timed(py, prepare, times_by_kind)
}

/// Runs a seeded workload: `steady`, `many`, `cross`, `implied` or `storm`.
#[pyfunction]
#[pyo3(signature = (workload, seed, accounts, resting, commands, times_by_kind, /))]
pub(crate) fn bench_workload<'py>(
    py: Python<'py>,
    workload: &str,
    seed: u64,
    accounts: u32,
    resting: usize,
    commands: usize,
    times_by_kind: bool,
) -> PyResult<Bound<'py, PyDict>> {
    let prepare = || {
        let shape = MarketShape { seed, accounts, resting, commands };
        Run::named(workload, shape).ok_or_else(|| {
            format!(
                "no workload is named {workload:?}; there are \"steady\", \"many\", \"cross\", \"implied\" and \"storm\""
            )
        })
    };
    timed(py, prepare, times_by_kind)
}

/// Writes a log of so many commands in frames of one size into a new directory and executes it again, `runs` times.
#[pyfunction]
#[pyo3(signature = (path, commands, batch, accounts, runs, /))]
pub(crate) fn bench_replay<'py>(
    py: Python<'py>,
    path: PathBuf,
    commands: usize,
    batch: usize,
    accounts: u32,
    runs: usize,
) -> PyResult<Bound<'py, PyDict>> {
    let report = measured(py, || xos_node::bench::durable_replay(&path, commands, batch, accounts, runs))?;
    let dict = PyDict::new(py);
    dict.set_item("commands", report.commands)?;
    dict.set_item("frames", report.frames)?;
    dict.set_item("commands_per_frame", report.batch)?;
    dict.set_item("events", report.events)?;
    dict.set_item("commands_per_s", report.commands_per_s())?;
    dict.set_item("read_commands_per_s", report.read_commands_per_s())?;
    dict.set_item("open_commands_per_s", report.open_commands_per_s())?;
    Ok(dict)
}

/// Builds an exchange of this size in a new directory, takes a snapshot, goes on a little, and opens it again.
#[pyfunction]
#[pyo3(signature = (path, accounts, orders, /))]
pub(crate) fn bench_restart<'py>(
    py: Python<'py>,
    path: PathBuf,
    accounts: u32,
    orders: u32,
) -> PyResult<Bound<'py, PyDict>> {
    let report = measured(py, || xos_node::bench::durable_restart(&path, accounts, orders))?;
    let dict = PyDict::new(py);
    dict.set_item("accounts", report.accounts)?;
    dict.set_item("resting_orders", report.orders)?;
    dict.set_item("snapshot_bytes", report.snapshot_bytes)?;
    dict.set_item("tail_commands", report.tail)?;
    dict.set_item("snapshot_ms", report.snapshot_ns / 1_000_000)?;
    dict.set_item("audit_ms", report.audit_ns / 1_000_000)?;
    dict.set_item("open_ms", report.open_ns / 1_000_000)?;
    Ok(dict)
}

fn measured<T: Send>(
    py: Python<'_>,
    measure: impl FnOnce() -> Result<T, xos_node::bench::BenchError> + Send,
) -> PyResult<T> {
    let done = py.detach(|| catch_unwind(AssertUnwindSafe(measure)));
    match done {
        Ok(result) => result.map_err(|error| PyRuntimeError::new_err(error.to_string())),
        Err(panic) => Err(PyRuntimeError::new_err(panic_text(&*panic))),
    }
}

fn timed<'py>(
    py: Python<'py>,
    prepare: impl FnOnce() -> Result<Run, String> + Send,
    times_by_kind: bool,
) -> PyResult<Bound<'py, PyDict>> {
    let done = py.detach(|| {
        catch_unwind(AssertUnwindSafe(|| {
            let run = prepare().map_err(PyValueError::new_err)?;
            xos_sim::bench::run(&run, times_by_kind).map_err(PyRuntimeError::new_err)
        }))
    });
    dict_of(py, &done.unwrap_or_else(|panic| Err(PyRuntimeError::new_err(panic_text(&*panic))))?)
}

fn dict_of<'py>(py: Python<'py>, report: &BenchReport) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("workload", &report.workload)?;
    dict.set_item("passed", report.passed)?;
    dict.set_item("commands", report.commands)?;
    dict.set_item("seconds", report.seconds)?;
    dict.set_item("commands_per_s", report.commands_per_s)?;
    dict.set_item("window_p99_ns", report.window_p99_ns)?;
    dict.set_item("trades", report.trades)?;
    dict.set_item("traded_qty", integer_of(py, report.traded_qty))?;
    dict.set_item("traded_notional", integer_of(py, report.traded_notional))?;
    dict.set_item("rejected", report.rejected)?;
    dict.set_item("events", report.events)?;
    dict.set_item("resting_orders", report.resting_orders)?;
    dict.set_item("accounts", report.accounts)?;
    dict.set_item("memory_bytes", report.memory_bytes.to_vec())?;
    dict.set_item("state_hash", &report.state_hash)?;
    let kinds = PyDict::new(py);
    for time in &report.ns_by_kind {
        let kind = PyDict::new(py);
        kind.set_item("count", time.count)?;
        kind.set_item("mean_ns", time.mean_ns)?;
        kind.set_item("p50_ns", time.p50_ns)?;
        kind.set_item("p99_ns", time.p99_ns)?;
        kinds.set_item(time.kind, kind)?;
    }
    dict.set_item("ns_by_kind", kinds)?;
    let checks = report.checks.iter().map(|check| (check.name, check.passed, check.detail.as_str()));
    dict.set_item("checks", checks.collect::<Vec<_>>())?;
    Ok(dict)
}
