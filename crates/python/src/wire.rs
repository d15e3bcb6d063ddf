//! The load generator of the server, for `xos bench wire`.

use crate::fault::panic_text;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use xos_load::{LoadOptions, Traffic, load, prepare, run};
use xos_server::ServerOptions;
use xos_sim::bench::{CommandFile, Run};
use xos_sim::workload::MarketShape;

/// Runs a load on a new server over a new log in a folder; its report as a sentence and as JSON, and whether every
/// closing check passed. `file` is a command file with the number of its commands that only fill the book; without
/// one the workload `steady` of this seed runs.
#[pyfunction]
#[pyo3(signature = (path, rate_per_s, seconds, connections, file, prefill, seed, accounts, resting, durable, spin_us, subscribers, /))]
pub(crate) fn bench_wire(
    py: Python<'_>,
    path: PathBuf,
    rate_per_s: u64,
    seconds: u64,
    connections: usize,
    file: Option<PathBuf>,
    prefill: usize,
    seed: u64,
    accounts: u32,
    resting: usize,
    durable: bool,
    spin_us: u32,
    subscribers: usize,
) -> PyResult<(String, String, bool)> {
    let measure = || {
        let workload = match &file {
            Some(file) => {
                let file =
                    CommandFile::read(file).map_err(|error| PyValueError::new_err(error.to_string()))?;
                file.into_run(prefill, None).map_err(|error| PyValueError::new_err(error.to_string()))?
            }
            None => {
                let commands = (rate_per_s * seconds).min(3_000_000) as usize;
                let shape = MarketShape { seed, accounts, resting, commands };
                Run::named("steady", shape)
                    .ok_or_else(|| PyValueError::new_err("there is no such workload"))?
            }
        };
        let server = ServerOptions { spin_us, ..ServerOptions::default() };
        let options =
            LoadOptions { folder: path, rate_per_s, seconds, connections, durable, subscribers, server };
        let report = run(&Traffic::of(workload, connections), &options);
        report.map_err(|error| PyRuntimeError::new_err(error.to_string()))
    };
    let done = py.detach(|| catch_unwind(AssertUnwindSafe(measure)));
    let report = done.unwrap_or_else(|panic| Err(PyRuntimeError::new_err(panic_text(&*panic))))?;
    Ok((report.to_string(), report.to_json().to_string(), report.passed()))
}

/// Seed, accounts, resting orders, commands before the traffic begins again, connections.
type Shape = (u64, u32, usize, usize, usize);

fn steady((seed, accounts, resting, commands, connections): Shape) -> PyResult<Traffic> {
    let shape = MarketShape { seed, accounts, resting, commands };
    let run = Run::named("steady", shape);
    Ok(Traffic::of(run.ok_or_else(|| PyValueError::new_err("there is no such workload"))?, connections))
}

fn guarded<T: Send>(py: Python<'_>, work: impl FnOnce() -> PyResult<T> + Send) -> PyResult<T> {
    let done = py.detach(|| catch_unwind(AssertUnwindSafe(work)));
    done.unwrap_or_else(|panic| Err(PyRuntimeError::new_err(panic_text(&*panic))))
}

/// Makes the exchange that the workload `steady` begins with, and a snapshot of it; last sequence, resting orders.
#[pyfunction]
#[pyo3(signature = (path, shape, /))]
pub(crate) fn bench_wire_prepare(py: Python<'_>, path: PathBuf, shape: Shape) -> PyResult<(u64, u64)> {
    let failed = |error: xos_load::LoadError| PyRuntimeError::new_err(error.to_string());
    guarded(py, || prepare(&steady(shape)?, &path).map_err(failed))
}

/// Loads a server over such an exchange, in another process; its report as JSON. A broken connection ends it.
#[pyfunction]
#[pyo3(signature = (address, rate_per_s, seconds, shape, /))]
pub(crate) fn bench_wire_load(
    py: Python<'_>,
    address: &str,
    rate_per_s: u64,
    seconds: u64,
    shape: Shape,
) -> PyResult<String> {
    let address = address.parse().map_err(|_| PyValueError::new_err("no address and port"))?;
    guarded(py, || {
        let report = load(address, &steady(shape)?, rate_per_s, seconds, shape.4);
        report
            .map(|report| report.to_json().to_string())
            .map_err(|error| PyRuntimeError::new_err(error.to_string()))
    })
}
