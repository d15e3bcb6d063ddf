//! The fold of a log into rows, for a database that Python writes.

use crate::fault::Fault;
use crate::log::reading;
use crate::outcome::integer_of;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use xos_history::{Batch, EPOCH_BITS, Facts, Frame, Kind, Packer, Standing, unpacked};
use xos_node::{FollowedFrame, Follower, FrameBody};

struct Inner {
    follower: Follower,
    facts: Facts,
}

/// Follows the log in a directory, whoever writes it, and folds it into rows.
#[pyclass(frozen, module = "exchange_os._core")]
pub(crate) struct HistoryReader {
    inner: Mutex<Inner>,
    path: PathBuf,
}

#[pymethods]
impl HistoryReader {
    /// Goes on after a sequence: `number` rows were given before, `standing` was not over then. `OutOfRange` if the log
    /// does not reach that far.
    #[new]
    #[pyo3(signature = (path, sequence, number, standing, /))]
    fn new(
        py: Python<'_>,
        path: PathBuf,
        sequence: u64,
        number: u64,
        standing: Vec<(u8, u64, u64, Vec<u8>)>,
    ) -> PyResult<Self> {
        let known = |(kind, first, second, row): (u8, u64, u64, Vec<u8>)| -> Option<Standing> {
            Some((Kind::from_code(kind)?, first, second, row))
        };
        let standing: Option<Vec<Standing>> = standing.into_iter().map(known).collect();
        let inner = reading(py, || {
            let follower =
                Follower::open(&path, sequence).map_err(|error| Fault::from_open(error, Some(&path)))?;
            let facts = standing.and_then(|rows| Facts::new(follower.engine(), number, &rows));
            let why = || Fault::Refused("what the history has as standing is none that was given".into());
            Ok(Inner { facts: facts.ok_or_else(why)?, follower })
        })?;
        Ok(Self { inner: Mutex::new(inner), path })
    }

    /// Sequence of the last command that was read.
    fn sequence(&self, py: Python<'_>) -> u64 {
        py.detach(|| self.lock().follower.sequence())
    }

    /// Hash of the chain after that command.
    fn chain_hash<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let hash = py.detach(|| self.lock().follower.position().hash);
        PyBytes::new(py, &hash)
    }

    /// Reads the frames that have been written, up to a sequence, until they hold so many commands, and gives their rows:
    /// sequence, time, number of rows ever, and lists of chunks, candles, what stands and what no longer does. `None` if
    /// there is nothing new.
    #[pyo3(signature = (to_sequence, commands_most, /))]
    fn advance<'py>(
        &self,
        py: Python<'py>,
        to_sequence: u64,
        commands_most: u64,
    ) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let batch = reading(py, || {
            let mut inner = self.lock();
            let Inner { follower, facts } = &mut *inner;
            let begin = follower.sequence();
            let mut take = |frame: &FollowedFrame<'_>| {
                let commands = match frame.body {
                    FrameBody::Commands(commands) => &commands[..],
                    FrameBody::Deploy(_) => &[],
                };
                facts.take(&Frame {
                    first_sequence: frame.header.first_sequence,
                    time_ns: frame.header.time_ns,
                    commands,
                    events: frame.events,
                    postings: frame.postings,
                    engine: frame.engine,
                });
            };
            while follower.sequence() < to_sequence
                && follower.sequence() - begin < commands_most
                && follower.advance(&mut take).map_err(|error| Fault::from_open(error, Some(&self.path)))?
            {
            }
            Ok((follower.sequence() > begin).then(|| facts.flush()))
        })?;
        batch.map(|batch| rows_of(py, batch)).transpose()
    }
}

impl HistoryReader {
    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A database has signed numbers of 64 bits.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn rows_of(py: Python<'_>, batch: Batch) -> PyResult<Bound<'_, PyTuple>> {
    let chunks: Vec<_> = batch
        .chunks
        .iter()
        .map(|chunk| {
            (
                chunk.first >> EPOCH_BITS,
                chunk.kind as u8,
                chunk.owner,
                chunk.first,
                chunk.last,
                signed(chunk.low),
                signed(chunk.high),
                signed(chunk.first_ns),
                signed(chunk.last_ns),
                PyBytes::new(py, &chunk.rows),
            )
        })
        .collect();
    let candles: Vec<_> = batch
        .candles
        .iter()
        .map(|(source, bar_s, instrument, begin_s, row)| {
            let mut packer = Packer::default();
            packer.put(row, b"");
            let bytes = PyBytes::new(py, &packer.into_bytes());
            (*source as u8, *bar_s, *instrument, *begin_s, bytes)
        })
        .collect();
    let standing: Vec<_> = batch
        .standing
        .iter()
        .map(|(kind, first, second, row)| (*kind as u8, *first, *second, PyBytes::new(py, row)))
        .collect();
    let gone: Vec<_> =
        batch.gone.iter().map(|(kind, first, second)| (*kind as u8, *first, *second)).collect();
    (batch.sequence, signed(batch.time_ns), batch.number, chunks, candles, standing, gone).into_pyobject(py)
}

/// The rows in a chunk, each a tuple of its columns and its text.
#[pyfunction]
#[pyo3(signature = (kind, rows, /))]
pub(crate) fn history_rows<'py>(
    py: Python<'py>,
    kind: u8,
    rows: &[u8],
) -> PyResult<Vec<Bound<'py, PyTuple>>> {
    let kind = kind_of(kind)?;
    let found = unpacked(kind.columns().len(), rows);
    let found = found.ok_or_else(|| PyValueError::new_err(format!("no rows of the kind {kind:?}")))?;
    found
        .into_iter()
        .map(|(numbers, text)| {
            let mut cells: Vec<Bound<'py, PyAny>> =
                numbers.into_iter().map(|number| integer_of(py, number).into_any()).collect();
            cells.push(PyBytes::new(py, &text).into_any());
            PyTuple::new(py, cells)
        })
        .collect()
}

/// Names of the columns of a kind of rows.
#[pyfunction]
#[pyo3(signature = (kind, /))]
pub(crate) fn history_columns(kind: u8) -> PyResult<Vec<&'static str>> {
    Ok(kind_of(kind)?.columns().to_vec())
}

fn kind_of(kind: u8) -> PyResult<Kind> {
    Kind::from_code(kind)
        .ok_or_else(|| PyValueError::new_err(format!("no kind of rows has the number {kind}")))
}
