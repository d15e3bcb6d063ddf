//! The layout of the records and the bodies of deployments, for `exchange_os.records` and `exchange_os.markets`.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use xos_protocol::layout::{COMMAND, EVENT, Field};
use xos_protocol::{CommandRecord, DeployCommand, EventRecord, Limits};

/// Bytes of one command record.
pub(crate) const COMMAND_BYTES: usize = size_of::<CommandRecord>();
/// Bytes of one event record.
pub(crate) const EVENT_BYTES: usize = size_of::<EventRecord>();

fn table(fields: &[Field]) -> Vec<(&'static str, String, usize)> {
    fields.iter().map(|field| (field.name, field.encoding.numpy(), field.offset)).collect()
}

/// Name, numpy format and offset of every field of a command.
#[pyfunction]
pub(crate) fn command_fields() -> Vec<(&'static str, String, usize)> {
    table(COMMAND)
}

/// Name, numpy format and offset of every field of an event; a trade's counterpart lies over the client id.
#[pyfunction]
pub(crate) fn event_fields() -> Vec<(&'static str, String, usize)> {
    table(EVENT)
}

/// The limits of an exchange that declares none, as MessagePack by name.
#[pyfunction]
pub(crate) fn default_limits(py: Python<'_>) -> Bound<'_, PyBytes> {
    PyBytes::new(py, &rmp_serde::to_vec_named(&Limits::default()).expect("limits always serialise"))
}

/// The body of a deployment in its one canonical form; ValueError where it cannot be read.
#[pyfunction]
pub(crate) fn canonical_deployment<'py>(py: Python<'py>, body: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    match DeployCommand::from_bytes(body) {
        Ok(command) => Ok(PyBytes::new(py, &command.to_bytes())),
        Err(why) => Err(PyValueError::new_err(why)),
    }
}
