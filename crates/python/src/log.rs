//! Reading a directory without opening it for writing: verify, replay, inspect.

use crate::fault::{Fault, panic_text};
use crate::outcome::integer_of;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use xos_node::{FrameBody, ReplayOptions, VerifyError, VerifyOptions};
use zerocopy::IntoBytes;

/// How often a long read lets Python look at progress and signals.
const BREATH: Duration = Duration::from_millis(50);

/// A signal or a callback that raised ends a read by unwinding out of it; nothing was written, so nothing is broken.
struct Stopped(PyErr);

/// Tells Python from time to time how far a read has come.
struct Breath {
    progress: Option<Py<PyAny>>,
    last: Instant,
}

impl Breath {
    fn new(progress: Option<Py<PyAny>>) -> Self {
        Self { progress, last: Instant::now() }
    }

    fn at(&mut self, done: u64, total: u64) {
        if done < total && self.last.elapsed() < BREATH {
            return;
        }
        self.last = Instant::now();
        attached(|py| {
            py.check_signals()?;
            self.progress.as_ref().map_or(Ok(()), |progress| progress.call1(py, (done, total)).map(|_| ()))
        });
    }
}

fn attached(call: impl for<'py> FnOnce(Python<'py>) -> PyResult<()>) {
    if let Err(error) = Python::attach(call) {
        resume_unwind(Box::new(Stopped(error)));
    }
}

/// Runs a read with the interpreter released.
pub(crate) fn reading<T: Send>(
    py: Python<'_>,
    read: impl FnOnce() -> Result<T, Fault> + Send,
) -> PyResult<T> {
    match py.detach(|| catch_unwind(AssertUnwindSafe(read))) {
        Ok(done) => done.map_err(|fault| fault.into_exception(py)),
        Err(panic) => match panic.downcast::<Stopped>() {
            Ok(stopped) => Err(stopped.0),
            Err(panic) => Err(Fault::Halted(panic_text(&*panic)).into_exception(py)),
        },
    }
}

/// Verifies the log in a directory; `progress` hears bytes done and in all. What was proven, as a dict.
#[pyfunction]
#[pyo3(signature = (path, quick, progress, /))]
pub(crate) fn verify<'py>(
    py: Python<'py>,
    path: PathBuf,
    quick: bool,
    progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let mut breath = Breath::new(progress);
    let report = reading(py, || {
        let options = VerifyOptions { quick, ..Default::default() };
        xos_node::verify(&path, &mut |done, total| breath.at(done, total), &options).map_err(|error| {
            match error {
                VerifyError::Open(error) => Fault::from_open(error, Some(&path)),
                other => Fault::VerifyFailed(other.to_string()),
            }
        })
    })?;
    let dict = PyDict::new(py);
    dict.set_item("from_sequence", report.from_sequence)?;
    dict.set_item("sequence", report.end.sequence)?;
    dict.set_item("time_ns", report.end.time_ns)?;
    dict.set_item("chain_hash", PyBytes::new(py, &report.end.hash))?;
    dict.set_item("state_hash", PyBytes::new(py, &report.state_hash))?;
    dict.set_item("segments", report.segments)?;
    dict.set_item("frames", report.frames)?;
    dict.set_item("commands", report.commands)?;
    dict.set_item("events", report.events)?;
    dict.set_item("snapshots", report.snapshots)?;
    dict.set_item("bad_snapshots", report.bad_snapshots)?;
    dict.set_item("bad_head", report.bad_head)?;
    dict.set_item("head_missing", report.head_missing)?;
    dict.set_item("torn_tail", report.torn_tail.map(|tail| tail.to_string()))?;
    dict.set_item("accounts", report.audit.accounts)?;
    dict.set_item("orders", report.audit.orders)?;
    let assets = report
        .conservation
        .iter()
        .map(|line| (line.symbol.as_str(), integer_of(py, line.users.0), integer_of(py, line.house.0)));
    dict.set_item("conservation", assets.collect::<Vec<_>>())?;
    dict.set_item("elapsed_ns", report.elapsed_ns)?;
    Ok(dict)
}

/// Executes the log in a directory again. `on_events` hears the bytes of the events of each frame, `progress` the
/// sequence reached and the last one. What was done, as a dict.
#[pyfunction]
#[pyo3(signature = (path, from_sequence, to_sequence, use_snapshots, on_events, progress, /))]
pub(crate) fn replay<'py>(
    py: Python<'py>,
    path: PathBuf,
    from_sequence: u64,
    to_sequence: Option<u64>,
    use_snapshots: bool,
    on_events: Option<Py<PyAny>>,
    progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let mut breath = Breath::new(progress);
    let report = reading(py, || {
        let fault = |error| Fault::from_open(error, Some(&path));
        let options = ReplayOptions { from_sequence, to_sequence, use_snapshots, ..Default::default() };
        xos_node::replay(&path, &options, &mut |frame| {
            if let Some(on_events) = &on_events {
                attached(|py| on_events.call1(py, (PyBytes::new(py, frame.events.as_bytes()),)).map(|_| ()));
            }
            let last = frame.log_ends.min(to_sequence.unwrap_or(u64::MAX));
            breath.at(frame.first_sequence + u64::from(frame.count) - 1, last);
        })
        .map_err(fault)
    })?;
    let dict = PyDict::new(py);
    dict.set_item("snapshot_sequence", report.snapshot_sequence)?;
    dict.set_item("sequence", report.end.sequence)?;
    dict.set_item("time_ns", report.end.time_ns)?;
    dict.set_item("chain_hash", PyBytes::new(py, &report.end.hash))?;
    dict.set_item("state_hash", PyBytes::new(py, &report.state_hash))?;
    dict.set_item("frames", report.frames)?;
    dict.set_item("commands", report.commands)?;
    dict.set_item("events", report.events)?;
    dict.set_item("elapsed_ns", report.elapsed_ns)?;
    Ok(dict)
}

/// Goes through the frames of a log without executing them: first_sequence, count, time_ns, durable_sequence,
/// chain_hash, file, offset, whether it is a deployment, payload.
#[pyclass(frozen, module = "exchange_os._core")]
pub(crate) struct Inspector {
    frames: Mutex<xos_node::Inspector>,
    last: u64,
    path: PathBuf,
}

#[pymethods]
impl Inspector {
    /// The frames with a command from sequence `first` to sequence `last`.
    #[new]
    #[pyo3(signature = (path, first, last, /))]
    fn new(py: Python<'_>, path: PathBuf, first: u64, last: u64) -> PyResult<Self> {
        let frames = reading(py, || {
            xos_node::inspect(&path, first, last).map_err(|error| Fault::from_open(error, Some(&path)))
        })?;
        let last = frames.end().sequence;
        Ok(Self { frames: Mutex::new(frames), last, path })
    }

    /// Sequence of the log's last command.
    fn end(&self) -> u64 {
        self.last
    }

    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let next = reading(py, || {
            let mut frames = self.frames.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            frames.next().transpose().map_err(|error| Fault::from_open(error, Some(&self.path)))
        })?;
        let Some(frame) = next else { return Ok(None) };
        let (deploy, payload) = match &frame.body {
            FrameBody::Commands(commands) => (false, PyBytes::new(py, commands.as_bytes())),
            FrameBody::Deploy(body) => (true, PyBytes::new(py, body)),
        };
        let tuple = (
            frame.first_sequence,
            frame.count,
            frame.time_ns,
            frame.durable_sequence,
            PyBytes::new(py, &frame.chain_hash),
            frame.file,
            frame.offset,
            deploy,
            payload,
        );
        tuple.into_pyobject(py).map(Some)
    }
}
