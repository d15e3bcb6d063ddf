//! The other end: a connection to a server, with the calls of an exchange that take or give records. Views are asked
//! for in words, which Python puts together.

use crate::fault::{exception, unexpected};
use crate::kept::Kept;
use crate::outcome::{OrderOutcome, outcome_at, tuple_of};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};
use std::net::ToSocketAddrs;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use xos_protocol::{CommandRecord, EventFlags, EventRecord, MessageKind, SessionCode};
use xos_server::{Client, ClientError, Credential, LogonRequest, Outcomes, goodbye_text};
use zerocopy::{FromBytes, IntoBytes};

struct Line {
    client: Client,
    kept: Kept,
    questions: u64,
}

impl Line {
    /// Sends what is queued and waits for the outcome of so many commands; their events.
    fn exchange(&mut self, commands: u64) -> Result<Outcomes, ClientError> {
        self.client.send()?;
        let outcomes = self.client.wait_outcomes(commands)?;
        let events: Vec<_> = outcomes.events.iter().map(|(_, event)| *event).collect();
        self.kept.record(&events);
        Ok(outcomes)
    }
}

/// A connection to a server. Use `exchange_os.connect`, which speaks whole units.
#[pyclass(frozen, module = "exchange_os._core")]
pub(crate) struct Remote {
    line: Mutex<Option<Line>>,
}

fn lost(py: Python<'_>, error: &ClientError) -> PyErr {
    match error {
        ClientError::Goodbye(goodbye) => {
            let code = SessionCode::from_code(goodbye.code).map_or("unknown", SessionCode::name);
            exception(py, "Disconnected", (goodbye_text(goodbye), code))
        }
        error => exception(py, "Disconnected", (error.to_string(), "connection_failed")),
    }
}

impl Remote {
    fn with<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut Line) -> Result<T, ClientError> + Send,
    ) -> PyResult<T> {
        let done = py.detach(|| {
            let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
            let open = line.as_mut()?;
            let done = work(open);
            if done.is_err() {
                *line = None;
            }
            Some(done)
        });
        match done {
            Some(Ok(done)) => Ok(done),
            Some(Err(error)) => Err(lost(py, &error)),
            None => Err(exception(py, "Closed", ("the connection is closed; connect again",))),
        }
    }

    /// One command; the events that it caused, in order. A refusal of the session is an exception.
    fn one(&self, py: Python<'_>, record: &[u8]) -> PyResult<Vec<EventRecord>> {
        let command = CommandRecord::read_from_bytes(record)
            .map_err(|_| PyValueError::new_err("a command has 96 bytes"))?;
        let outcomes = self.with(py, |line| {
            line.client.queue_commands(&[command]);
            line.exchange(1)
        })?;
        own_events(py, outcomes, &[command])
    }
}

/// The events of the commands that were sent; an exception if one of them was refused.
fn own_events(py: Python<'_>, outcomes: Outcomes, sent: &[CommandRecord]) -> PyResult<Vec<EventRecord>> {
    if let Some(refused) = outcomes.refused.first() {
        let code = SessionCode::from_code(refused.code).map_or("unknown", SessionCode::name);
        let why = format!("{code}: value {}, limit {}", refused.value, refused.limit);
        return Err(exception(
            py,
            "SessionRefused",
            (why, code, refused.value, refused.limit, refused.retry_ns),
        ));
    }
    let own = |event: &EventRecord| {
        // The first answer given again has the sequence that it had then.
        let again = event.flags & EventFlags::RETRY != 0
            && sent.iter().any(|one| one.account == event.account && one.client_id == event.detail);
        again
            || outcomes.taken.iter().any(|taken| {
                (taken.first_sequence..taken.first_sequence + u64::from(taken.count))
                    .contains(&event.sequence)
            })
    };
    Ok(outcomes.events.iter().map(|(_, event)| *event).filter(own).collect())
}

#[pymethods]
impl Remote {
    /// Connects and logs on: with a secret, or with the private half of an Ed25519 key.
    #[staticmethod]
    #[pyo3(signature = (address, key, secret, private_key, session, flags, next_number, resume, events_kept_max, trades_kept_max, timeout_ms, /))]
    fn connect(
        py: Python<'_>,
        address: &str,
        key: &str,
        secret: Option<Vec<u8>>,
        private_key: Option<[u8; 32]>,
        session: u32,
        flags: u8,
        next_number: u64,
        resume: Option<(u64, u32)>,
        events_kept_max: usize,
        trades_kept_max: usize,
        timeout_ms: u64,
    ) -> PyResult<Self> {
        let credential = match (secret, private_key) {
            (Some(secret), None) => Credential::Secret(secret),
            (None, Some(private)) => Credential::Private(private),
            _ => return Err(PyValueError::new_err("give either a secret or a private key")),
        };
        let timeout = Duration::from_millis(timeout_ms);
        let request = LogonRequest {
            key: key.into(),
            credential,
            session,
            flags,
            heartbeat_ms: 60_000,
            next_number,
            resume,
        };
        let connected = py.detach(|| {
            let mut found = address.to_socket_addrs()?;
            let address = found.next().ok_or(std::io::ErrorKind::AddrNotAvailable);
            let address = address.map_err(std::io::Error::from)?;
            Client::log_on(address, &request, timeout)
        });
        let client = connected.map_err(|error| lost(py, &error))?;
        let kept = Kept::new(events_kept_max, trades_kept_max, client.logged_on.durable_sequence);
        Ok(Self { line: Mutex::new(Some(Line { client, kept, questions: 0 })) })
    }

    /// What the logon answered: owner, next number, durable sequence, oldest mark, resumption, run.
    fn logged_on<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let (answer, run) = self.with(py, |line| Ok((line.client.logged_on, line.client.challenge.run)))?;
        let owner = PyBytes::new(py, &answer.owner);
        (owner, answer.next_number, answer.durable_sequence, answer.oldest_mark, answer.resumption, run)
            .into_pyobject(py)
    }

    /// Mark of the last events received and how many of it.
    fn position(&self, py: Python<'_>) -> PyResult<(u64, u32)> {
        self.with(py, |line| Ok(line.client.position))
    }

    /// Hangs up; a second time does nothing.
    fn close(&self, py: Python<'_>) {
        py.detach(|| *self.line.lock().unwrap_or_else(PoisonError::into_inner) = None);
    }

    /// Whether it hung up, or was hung up on.
    fn closed(&self, py: Python<'_>) -> bool {
        py.detach(|| self.line.lock().unwrap_or_else(PoisonError::into_inner).is_none())
    }

    /// Command records; the bytes of the events that they caused, durable.
    #[pyo3(signature = (commands, /))]
    fn submit<'py>(&self, py: Python<'py>, commands: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        let size = size_of::<CommandRecord>();
        if !commands.len().is_multiple_of(size) {
            return Err(PyValueError::new_err(format!(
                "{} bytes are no whole number of commands",
                commands.len()
            )));
        }
        let records: Vec<_> = commands
            .chunks_exact(size)
            .filter_map(|bytes| CommandRecord::read_from_bytes(bytes).ok())
            .collect();
        let outcomes = self.with(py, |line| {
            line.client.queue_commands(&records);
            line.exchange(records.len() as u64)
        })?;
        Ok(PyBytes::new(py, own_events(py, outcomes, &records)?.as_bytes()))
    }

    /// One deployment as MessagePack; the bytes of its events.
    #[pyo3(signature = (body, /))]
    fn deploy<'py>(&self, py: Python<'py>, body: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        if body.len() > usize::from(u16::MAX) {
            let why = format!("the body has {} bytes, the wire takes {}", body.len(), u16::MAX);
            return Err(PyValueError::new_err(why));
        }
        let outcomes = self.with(py, |line| {
            line.client.queue_deployment(body);
            line.exchange(1)
        })?;
        Ok(PyBytes::new(py, own_events(py, outcomes, &[])?.as_bytes()))
    }

    /// A place, amend or bracket as its record; its outcome as a tuple, as of `Exchange.place`. Of a retry the order is
    /// not looked up.
    #[pyo3(signature = (record, /))]
    fn order<'py>(&self, py: Python<'py>, record: &[u8]) -> PyResult<Bound<'py, PyTuple>> {
        let events = self.one(py, record)?;
        let sum = OrderOutcome::of_events(&events, |_| None);
        sum.ok_or_else(|| unexpected("a command without an outcome"))?.into_tuple(py)
    }

    /// Any other command as its record; its outcome event as a tuple.
    #[pyo3(signature = (record, /))]
    fn single<'py>(&self, py: Python<'py>, record: &[u8]) -> PyResult<Bound<'py, PyTuple>> {
        let events = self.one(py, record)?;
        let at = outcome_at(&events).ok_or_else(|| unexpected("a command without an outcome"))?;
        tuple_of(py, &events[at])
    }

    /// Asks the server something; what it answers.
    #[pyo3(signature = (body, /))]
    fn ask<'py>(&self, py: Python<'py>, body: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        let answer = self.with(py, |line| {
            line.questions += 1;
            let number = line.questions;
            line.client.queue(MessageKind::Ask, number, body);
            line.client.send()?;
            let (answer, outcomes) = line.client.wait_answer(number)?;
            let events: Vec<_> = outcomes.events.iter().map(|(_, event)| *event).collect();
            line.kept.record(&events);
            Ok(answer)
        })?;
        Ok(PyBytes::new(py, &answer))
    }

    /// The sequence up to which events have left the memory of recent ones, and the bytes of those kept.
    fn events_kept<'py>(&self, py: Python<'py>) -> PyResult<(u64, Bound<'py, PyBytes>)> {
        let (gone_to, bytes) = self.with(py, |line| Ok(line.kept.events()))?;
        Ok((gone_to, PyBytes::new(py, &bytes)))
    }

    /// The bytes of recent trades.
    fn trades_kept<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.with(py, |line| Ok(line.kept.trades()))?))
    }

    /// From now on `unpublished` counts, or no longer.
    #[pyo3(signature = (on, /))]
    fn publish(&self, py: Python<'_>, on: bool) -> PyResult<()> {
        self.with(py, |line| {
            line.kept.publish(on);
            Ok(())
        })
    }

    /// How many events were lost to subscribers, and the bytes of those that they have not seen; they are seen then.
    fn unpublished<'py>(&self, py: Python<'py>) -> PyResult<(u64, Bound<'py, PyBytes>)> {
        let (lost, bytes) = self.with(py, |line| Ok(line.kept.take_unpublished()))?;
        Ok((lost, PyBytes::new(py, &bytes)))
    }
}
