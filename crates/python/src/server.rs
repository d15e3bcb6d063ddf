//! A server around an exchange of this process, for `xos up`.

use crate::exchange::Exchange;
use crate::fault::{Fault, unexpected};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use xos_server::{Key, Keyring, Proof, Question, Rate, Scopes, ServerOptions};

/// Name, whether the proof is a secret (else a public key), the proof, scopes, owner.
type KeyRow = (String, bool, Vec<u8>, Vec<String>, Option<[u8; 32]>);
/// Ticket, owner of the key that asks (none: all accounts), whether it operates, the question.
type QuestionRow<'py> = (u64, Option<Bound<'py, PyBytes>>, bool, Bound<'py, PyBytes>);

struct Running {
    server: xos_server::Server,
    /// Questions that were handed out and wait for their answers.
    asked: Vec<(u64, Question)>,
    tickets: u64,
}

/// A running server. Python serves what is asked; orders never touch the interpreter.
#[pyclass(frozen, module = "exchange_os._core")]
pub(crate) struct Server {
    exchange: Py<Exchange>,
    running: Mutex<Option<Running>>,
    address: SocketAddr,
}

fn key_of(row: KeyRow) -> PyResult<Key> {
    let (name, secret, proof, words, owner) = row;
    let proof = if secret {
        Proof::Secret(proof)
    } else {
        let public = proof.try_into();
        Proof::Public(public.map_err(|_| PyValueError::new_err("an Ed25519 public key has 32 bytes"))?)
    };
    let mut scopes = Scopes::default();
    for word in words {
        match word.as_str() {
            "trade" => scopes.trade = true,
            "withdraw" => scopes.withdraw = true,
            "publish" => scopes.publish = true,
            "operate" => scopes.operate = true,
            "read" => {}
            other => return Err(PyValueError::new_err(format!("no scope is named {other:?}"))),
        }
    }
    Ok(Key { name, proof, scopes, owner })
}

fn options_of(given: &Bound<'_, PyDict>) -> PyResult<ServerOptions> {
    let mut options = ServerOptions::default();
    for (name, value) in given {
        let name: String = name.extract()?;
        let rate = |value: &Bound<'_, PyAny>| {
            let (per_s, burst) = value.extract::<(u32, u32)>()?;
            PyResult::Ok(Rate { per_s, burst })
        };
        match name.as_str() {
            "connections_max" => options.connections_max = value.extract()?,
            "sessions_per_key_max" => options.sessions_per_key_max = value.extract()?,
            "subscriptions_max" => options.subscriptions_max = value.extract()?,
            "outbox_bytes_max" => options.outbox_bytes_max = value.extract()?,
            "events_kept" => options.events_kept = value.extract()?,
            "frame_commands_max" => options.frame_commands_max = value.extract()?,
            "session_rate" => options.session_rate = rate(&value)?,
            "cancel_rate" => options.cancel_rate = rate(&value)?,
            "account_rate" => options.account_rate = rate(&value)?,
            "address_rate" => options.address_rate = rate(&value)?,
            "heartbeat_ms" => options.heartbeat_ms = value.extract()?,
            "logon_ms" => options.logon_ms = value.extract()?,
            "tick_ms" => options.tick_ms = value.extract()?,
            "spin_us" => options.spin_us = value.extract()?,
            _ => return Err(PyValueError::new_err(format!("no option of a server is named {name:?}"))),
        }
    }
    Ok(options)
}

impl Server {
    fn with<T>(&self, work: impl FnOnce(&mut Running) -> T) -> PyResult<T> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *running {
            Some(running) => Ok(work(running)),
            None => Err(PyRuntimeError::new_err("the server has stopped")),
        }
    }
}

#[pymethods]
impl Server {
    /// Serves an exchange at an address, `127.0.0.1:0` for instance; until it stops the exchange answers nothing else.
    #[staticmethod]
    #[pyo3(signature = (exchange, address, keys, options, /))]
    fn start(
        py: Python<'_>,
        exchange: Py<Exchange>,
        address: &str,
        keys: Vec<KeyRow>,
        options: &Bound<'_, PyDict>,
    ) -> PyResult<Self> {
        let address: SocketAddr = address
            .parse()
            .map_err(|_| PyValueError::new_err(format!("{address:?} is no address and port")))?;
        let keys = keys.into_iter().map(key_of).collect::<PyResult<Vec<_>>>()?;
        let keys = Keyring::new(keys).map_err(|error| PyValueError::new_err(error.to_string()))?;
        let options = options_of(options)?;
        let node = exchange.get().lend_out().map_err(|fault| fault.into_exception(py))?;
        // A server that does not start has dropped the exchange, and with it closed its log.
        let server = xos_server::Server::start(node, address, keys, options)
            .map_err(|error| PyRuntimeError::new_err(error.to_string()))?;
        let address = server.address();
        let running = Running { server, asked: Vec::new(), tickets: 0 };
        Ok(Self { exchange, running: Mutex::new(Some(running)), address })
    }

    /// Where it listens, host and port.
    fn address(&self) -> (String, u16) {
        (self.address.ip().to_string(), self.address.port())
    }

    /// Whether it serves; no longer after the log or the engine failed.
    fn is_running(&self) -> bool {
        self.with(|running| running.server.is_running()).unwrap_or(false)
    }

    /// Its counters by name.
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let read = self.with(|running| running.server.stats().read())?;
        let dict = PyDict::new(py);
        for (name, value) in read {
            dict.set_item(name, value)?;
        }
        Ok(dict)
    }

    /// What a method of the exchange says, called between two frames of the log.
    #[pyo3(signature = (method, arguments, /))]
    fn query<'py>(
        &self,
        py: Python<'py>,
        method: &str,
        arguments: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let exchange = self.exchange.get();
        let bound = self.exchange.bind(py);
        let answered = self.with(|running| {
            running.server.lend(|node| {
                exchange.hold(node);
                let answer = bound.call_method1(method, arguments.clone());
                (exchange.let_go(), answer)
            })
        })?;
        answered.unwrap_or_else(|| Err(PyRuntimeError::new_err("the server has stopped")))
    }

    /// The next question of a client, if one comes in time.
    #[pyo3(signature = (timeout_ms, /))]
    fn next_question<'py>(&self, py: Python<'py>, timeout_ms: u64) -> PyResult<Option<QuestionRow<'py>>> {
        let questions = self.with(|running| running.server.questions())?;
        let timeout = Duration::from_millis(timeout_ms);
        let Some(question) = py.detach(|| questions.wait(timeout)) else { return Ok(None) };
        let owner = question.owner.map(|owner| PyBytes::new(py, &owner));
        let (operates, body) = (question.operates, PyBytes::new(py, &question.body));
        let ticket = self.with(|running| {
            running.tickets += 1;
            running.asked.push((running.tickets, question));
            running.tickets
        })?;
        Ok(Some((ticket, owner, operates, body)))
    }

    /// Answers it.
    #[pyo3(signature = (ticket, body, /))]
    fn answer(&self, ticket: u64, body: &[u8]) -> PyResult<()> {
        self.with(|running| {
            if let Some(at) = running.asked.iter().position(|(number, _)| *number == ticket) {
                let (_, question) = running.asked.swap_remove(at);
                running.server.answer(&question, body.to_vec());
            }
        })
    }

    /// Tells every client, lets what was admitted become durable, and gives the exchange back to itself.
    fn stop(&self, py: Python<'_>) -> PyResult<()> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(running) = running else { return Ok(()) };
        match py.detach(|| running.server.stop()) {
            Ok(node) => {
                self.exchange.get().hold(node);
                Ok(())
            }
            Err(xos_server::ServerError::Node(error)) => Err(Fault::from(error).into_exception(py)),
            Err(error) => Err(unexpected(&error.to_string())),
        }
    }
}
