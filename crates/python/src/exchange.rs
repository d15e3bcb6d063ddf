//! The embedded exchange as a Python class: one lock, the interpreter released while the engine works.

use crate::fault::{Fault, panic_text, unexpected};
use crate::kept::Kept;
use crate::outcome::{OrderOutcome, outcome_at, tuple_of};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use xos_engine::Engine;
use xos_node::{Failpoint, NodeError, Options};
use xos_protocol::{ClientId, CommandKind, CommandRecord, EventRecord, Int128};
use zerocopy::{FromBytes, IntoBytes};

/// Sequence of the snapshot, commands executed again, nanoseconds for that and for all.
type RecoveryRow = (Option<u64>, u64, u64, u64);

/// An open exchange with what it remembers.
pub(crate) struct Open {
    pub(crate) node: xos_node::Exchange,
    kept: Kept,
    events: Vec<EventRecord>,
}

enum State {
    Open(Box<Open>),
    /// A server has the node; what it remembers waits here.
    Served(Kept),
    Closed,
    Halted(String),
}

/// An exchange in this process. Use `exchange_os.Exchange`, which speaks whole units.
#[pyclass(frozen, module = "exchange_os._core")]
pub(crate) struct Exchange {
    state: Mutex<State>,
    /// A command that waits for no disk is shorter than handing the interpreter over and back.
    waits_for_disk: bool,
    /// The process that opened it.
    process: u32,
}

impl Exchange {
    /// Runs `work` under the lock. A panic or a failed check halts the exchange for good.
    fn locked<T>(
        mut state: MutexGuard<'_, State>,
        work: impl FnOnce(&mut Open) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let open = match &mut *state {
            State::Open(open) => open,
            State::Served(_) => {
                return Err(Fault::Refused("a server has the exchange; ask the server".into()));
            }
            State::Closed => return Err(Fault::Closed),
            State::Halted(why) => return Err(Fault::Halted(why.clone())),
        };
        let fault = match catch_unwind(AssertUnwindSafe(|| work(open))) {
            Ok(Ok(done)) => return Ok(done),
            Ok(Err(fault)) => fault,
            Err(panic) => Fault::Halted(panic_text(&*panic)),
        };
        if let Fault::Halted(why) = &fault {
            let broken = std::mem::replace(&mut *state, State::Halted(why.clone()));
            // Lets the directory go; what a broken exchange still says while it leaves does not matter.
            let _ = catch_unwind(AssertUnwindSafe(|| drop(broken)));
        }
        Err(fault)
    }

    /// Hands the node to a server.
    pub(crate) fn lend_out(&self) -> Result<xos_node::Exchange, Fault> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *state, State::Closed) {
            State::Open(open) => {
                let Open { node, kept, .. } = *open;
                *state = State::Served(kept);
                Ok(node)
            }
            other => {
                *state = other;
                Err(Fault::Closed)
            }
        }
    }

    /// Takes the node back, for a question or for good.
    pub(crate) fn hold(&self, node: xos_node::Exchange) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = match std::mem::replace(&mut *state, State::Closed) {
            State::Served(kept) => kept,
            _ => Kept::new(0, 0, node.engine().sequence()),
        };
        *state = State::Open(Box::new(Open { node, kept, events: Vec::new() }));
    }

    /// Gives the node to its server again; `None` if it is gone: it was closed, or halted.
    pub(crate) fn let_go(&self) -> Option<xos_node::Exchange> {
        self.lend_out().ok()
    }

    /// Asked before the lock: in a fork another thread of the parent may hold it for ever.
    fn check_process(&self) -> Result<(), Fault> {
        if !self.waits_for_disk || std::process::id() == self.process {
            return Ok(());
        }
        Err(NodeError::Forked { opened_by: self.process, process: std::process::id() }.into())
    }

    /// With the interpreter released.
    pub(crate) fn released<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut Open) -> Result<T, Fault> + Send,
    ) -> PyResult<T> {
        self.check_process().map_err(|fault| fault.into_exception(py))?;
        py.detach(|| Self::locked(self.state.lock().unwrap_or_else(PoisonError::into_inner), work))
            .map_err(|fault| fault.into_exception(py))
    }

    /// For short work: the interpreter is released only to wait for another thread's call.
    pub(crate) fn brief<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut Open) -> Result<T, Fault> + Send,
    ) -> PyResult<T> {
        self.check_process().map_err(|fault| fault.into_exception(py))?;
        match self.state.try_lock() {
            Ok(state) => Self::locked(state, work).map_err(|fault| fault.into_exception(py)),
            Err(TryLockError::Poisoned(state)) => {
                Self::locked(state.into_inner(), work).map_err(|fault| fault.into_exception(py))
            }
            Err(TryLockError::WouldBlock) => self.released(py, work),
        }
    }

    /// A frame of one command; `read` sums its events up.
    fn one<T: Send>(
        &self,
        py: Python<'_>,
        command: CommandRecord,
        time_ns: Option<u64>,
        read: impl FnOnce(&Engine, &[EventRecord]) -> Option<T> + Send,
    ) -> PyResult<T> {
        let work = move |open: &mut Open| {
            open.events.clear();
            open.node.submit(&[command], time_ns, &mut open.events)?;
            open.kept.record(&open.events);
            Ok(read(open.node.engine(), &open.events))
        };
        let done = if self.waits_for_disk { self.released(py, work) } else { self.brief(py, work) };
        done?.ok_or_else(|| unexpected("a command without an outcome"))
    }
}

#[pymethods]
impl Exchange {
    /// Over a directory, or in memory without one; `limits` is MessagePack. `fail_at`, for tests, makes
    /// the engine fail at a sequence, with a panic or without.
    #[staticmethod]
    #[pyo3(signature = (path, limits, durable, events_kept_max, trades_kept_max, snapshot_every_commands, segment_bytes, fail_at=None, /))]
    fn open(
        py: Python<'_>,
        path: Option<PathBuf>,
        limits: Option<&[u8]>,
        durable: bool,
        events_kept_max: usize,
        trades_kept_max: usize,
        snapshot_every_commands: Option<u64>,
        segment_bytes: Option<u64>,
        fail_at: Option<(u64, bool)>,
    ) -> PyResult<Self> {
        let limits = limits.map(rmp_serde::from_slice).transpose();
        let limits = limits.map_err(|why| Fault::Refused(format!("limits: {why}")).into_exception(py))?;
        let defaults = Options::default();
        let segment_bytes = segment_bytes.unwrap_or(defaults.segment_bytes);
        let failpoint = fail_at.map(|(sequence, panics)| Failpoint { sequence, panics });
        let options = Options {
            limits,
            durable,
            snapshot_every_commands,
            segment_bytes,
            // A server over it begins with them.
            replayed_events_max: events_kept_max,
            failpoint,
            ..defaults
        };
        let waits_for_disk = path.is_some();
        let opened = py.detach(|| {
            catch_unwind(AssertUnwindSafe(|| match &path {
                Some(path) => xos_node::Exchange::open(path, options),
                None => xos_node::Exchange::in_memory_with(options),
            }))
        });
        let node = match opened {
            Ok(Ok(node)) => node,
            Ok(Err(error)) => return Err(Fault::from_open(error, path.as_deref()).into_exception(py)),
            Err(panic) => return Err(Fault::Halted(panic_text(&*panic)).into_exception(py)),
        };
        let kept = Kept::new(events_kept_max, trades_kept_max, node.engine().sequence());
        let open = Open { node, kept, events: Vec::new() };
        let state = Mutex::new(State::Open(Box::new(open)));
        Ok(Self { state, waits_for_disk, process: std::process::id() })
    }

    /// Closes it; a second time does nothing. In a fork it lets go of the copy and touches no file.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| {
            let mut state = match (self.check_process(), self.state.try_lock()) {
                (_, Ok(state)) => state,
                // A thread of the parent holds it, and will never give it back here.
                (Err(_), Err(TryLockError::WouldBlock)) => return Ok(()),
                _ => self.state.lock().unwrap_or_else(PoisonError::into_inner),
            };
            match std::mem::replace(&mut *state, State::Closed) {
                State::Open(open) => catch_unwind(AssertUnwindSafe(|| open.node.close()))
                    .map_err(|panic| Fault::Halted(panic_text(&*panic)))
                    .and_then(|closed| closed.map(|_| ()).map_err(Fault::from)),
                State::Served(_) | State::Closed | State::Halted(_) => Ok(()),
            }
        })
        .map_err(|fault| fault.into_exception(py))
    }

    /// What opening did: sequence of its snapshot, commands executed again, nanoseconds for that and for all; `None` in
    /// memory.
    fn recovery(&self, py: Python<'_>) -> PyResult<Option<RecoveryRow>> {
        self.brief(py, |open| {
            Ok(open.node.recovery().map(|done| {
                (done.snapshot_sequence, done.commands_replayed, done.replay_ns, done.elapsed_ns)
            }))
        })
    }

    /// Whether it was closed.
    fn closed(&self, py: Python<'_>) -> bool {
        py.detach(|| matches!(&*self.state.lock().unwrap_or_else(PoisonError::into_inner), State::Closed))
    }

    /// Writes a snapshot.
    fn snapshot(&self, py: Python<'_>) -> PyResult<()> {
        self.released(py, |open| {
            let written = open.node.snapshot();
            written.map(|_| ()).map_err(|error| match open.node.failure() {
                Some(_) => Fault::from(error),
                None => Fault::Disk(error.to_string()),
            })
        })
    }

    /// A frame of command records; the bytes of its events.
    #[pyo3(signature = (commands, time_ns, /))]
    fn submit<'py>(
        &self,
        py: Python<'py>,
        commands: &[u8],
        time_ns: Option<u64>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let events = self.released(py, |open| {
            let records = records(commands).ok_or_else(|| Fault::Refused(uneven(commands.len())))?;
            let mut events = std::mem::take(&mut open.events);
            events.clear();
            open.node.submit(&records, time_ns, &mut events)?;
            open.kept.record(&events);
            Ok(events)
        })?;
        let bytes = PyBytes::new(py, events.as_bytes());
        // Its memory is warm: the next batch takes it up again.
        if let Ok(mut state) = self.state.try_lock()
            && let State::Open(open) = &mut *state
            && open.events.capacity() < events.capacity()
        {
            open.events = events;
        }
        Ok(bytes)
    }

    /// A frame that carries one deployment as MessagePack; the bytes of its events.
    #[pyo3(signature = (body, time_ns, /))]
    fn deploy<'py>(
        &self,
        py: Python<'py>,
        body: &[u8],
        time_ns: Option<u64>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let events = self.released(py, |open| {
            let mut events = Vec::new();
            open.node.deploy(body, time_ns, &mut events)?;
            open.kept.record(&events);
            Ok(events)
        })?;
        Ok(PyBytes::new(py, events.as_bytes()))
    }

    /// Places one order: ticks and lots in, its outcome as a tuple out.
    #[pyo3(signature = (account, instrument, side, price, qty, tif, flags, self_trade, venue, expires_ns, client_id, time_ns, display=0, /))]
    fn place<'py>(
        &self,
        py: Python<'py>,
        account: u32,
        instrument: u32,
        side: u8,
        price: i64,
        qty: i64,
        tif: u8,
        flags: u8,
        self_trade: u8,
        venue: u16,
        expires_ns: u64,
        client_id: Option<&[u8]>,
        time_ns: Option<u64>,
        display: i64,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let command = CommandRecord {
            kind: CommandKind::Place.code(),
            side,
            tif,
            flags,
            self_trade,
            venue,
            account,
            instrument,
            price,
            qty,
            expires_ns,
            amount: Int128 { low: display as u64, high: 0 },
            client_id: padded(client_id)?,
            ..Default::default()
        };
        self.one(py, command, time_ns, OrderOutcome::of)?.into_tuple(py)
    }

    /// Amends one order: its outcome as a tuple, as of place.
    #[pyo3(signature = (account, instrument, order_id, price, qty, flags, client_id, time_ns, display=0, /))]
    fn amend<'py>(
        &self,
        py: Python<'py>,
        account: u32,
        instrument: u32,
        order_id: u64,
        price: i64,
        qty: i64,
        flags: u8,
        client_id: Option<&[u8]>,
        time_ns: Option<u64>,
        display: i64,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let command = CommandRecord {
            kind: CommandKind::Amend.code(),
            flags,
            account,
            instrument,
            order_id,
            price,
            qty,
            amount: Int128 { low: display as u64, high: 0 },
            client_id: padded(client_id)?,
            ..Default::default()
        };
        self.one(py, command, time_ns, OrderOutcome::of)?.into_tuple(py)
    }

    /// A single command given as its record; its outcome event as a tuple.
    #[pyo3(signature = (record, time_ns, /))]
    fn record<'py>(
        &self,
        py: Python<'py>,
        record: &[u8],
        time_ns: Option<u64>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let outcome = |_: &Engine, events: &[EventRecord]| outcome_at(events).map(|at| events[at]);
        tuple_of(py, &self.one(py, single(record)?, time_ns, outcome)?)
    }

    /// A bracket given as its record; the outcome of its entry as a tuple, as of place.
    #[pyo3(signature = (record, time_ns, /))]
    fn bracket<'py>(
        &self,
        py: Python<'py>,
        record: &[u8],
        time_ns: Option<u64>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        self.one(py, single(record)?, time_ns, OrderOutcome::of)?.into_tuple(py)
    }

    /// Any other single command: its outcome event as a tuple.
    #[pyo3(signature = (kind, side, account, instrument, order_id, price, qty, amount, client_id, expires_ns, time_ns, /))]
    fn command<'py>(
        &self,
        py: Python<'py>,
        kind: u16,
        side: u8,
        account: u32,
        instrument: u32,
        order_id: u64,
        price: i64,
        qty: i64,
        amount: i128,
        client_id: Option<&[u8]>,
        expires_ns: u64,
        time_ns: Option<u64>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let command = CommandRecord {
            kind,
            side,
            account,
            instrument,
            order_id,
            price,
            qty,
            amount: Int128::new(amount),
            expires_ns,
            client_id: padded(client_id)?,
            ..Default::default()
        };
        let outcome = |_: &Engine, events: &[EventRecord]| outcome_at(events).map(|at| events[at]);
        tuple_of(py, &self.one(py, command, time_ns, outcome)?)
    }

    /// The sequence up to which events have left the memory of recent ones, and the bytes of those kept.
    fn events_kept<'py>(&self, py: Python<'py>) -> PyResult<(u64, Bound<'py, PyBytes>)> {
        let (gone_to, bytes) = self.released(py, |open| Ok(open.kept.events()))?;
        Ok((gone_to, PyBytes::new(py, &bytes)))
    }

    /// The bytes of recent trades.
    fn trades_kept<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.released(py, |open| Ok(open.kept.trades()))?))
    }

    /// From now on `unpublished` counts, or no longer.
    #[pyo3(signature = (on, /))]
    fn publish(&self, py: Python<'_>, on: bool) -> PyResult<()> {
        self.brief(py, move |open| {
            open.kept.publish(on);
            Ok(())
        })
    }

    /// How many events were lost to subscribers, and the bytes of those that they have not seen; they are seen then.
    fn unpublished<'py>(&self, py: Python<'py>) -> PyResult<(u64, Bound<'py, PyBytes>)> {
        let (lost, bytes) = self.brief(py, |open| Ok(open.kept.take_unpublished()))?;
        Ok((lost, PyBytes::new(py, &bytes)))
    }
}

/// The records in some bytes: as they lie if they are aligned, as a copy otherwise.
fn records(bytes: &[u8]) -> Option<std::borrow::Cow<'_, [CommandRecord]>> {
    if let Ok(records) = <[CommandRecord]>::ref_from_bytes(bytes) {
        return Some(records.into());
    }
    let chunks = bytes.chunks_exact(size_of::<CommandRecord>());
    if !chunks.remainder().is_empty() {
        return None;
    }
    chunks.map(|chunk| CommandRecord::read_from_bytes(chunk).ok()).collect::<Option<Vec<_>>>().map(Into::into)
}

fn single(bytes: &[u8]) -> PyResult<CommandRecord> {
    CommandRecord::read_from_bytes(bytes).map_err(|_| PyValueError::new_err(uneven(bytes.len())))
}

fn uneven(bytes: usize) -> String {
    format!("{bytes} bytes are no whole number of commands of {} bytes", size_of::<CommandRecord>())
}

fn padded(client_id: Option<&[u8]>) -> PyResult<ClientId> {
    let mut padded = ClientId::default();
    if let Some(bytes) = client_id {
        let most = padded.len();
        let Some(place) = padded.get_mut(..bytes.len()) else {
            let why = format!("a client id has {} bytes, the most is {most}", bytes.len());
            return Err(PyValueError::new_err(why));
        };
        place.copy_from_slice(bytes);
    }
    Ok(padded)
}
