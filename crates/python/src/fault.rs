//! What can go wrong, and the exception of `exchange_os.errors` that says it.

use pyo3::BoundObject;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use xos_engine::FrameError;

/// A failed call.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    Closed,
    Halted(String),
    TimeBackwards(String),
    Refused(String),
}

impl From<FrameError> for Fault {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::TimeBackwards { .. } => Self::TimeBackwards(error.to_string()),
            FrameError::FrameSize { .. } => Self::Refused(error.to_string()),
            FrameError::Halted(_) | FrameError::SequenceGap { .. } => Self::Halted(error.to_string()),
        }
    }
}

impl Fault {
    /// The exception for it.
    pub(crate) fn into_exception(self, py: Python<'_>) -> PyErr {
        match self {
            Self::Closed => exception(py, "Closed", ("the exchange is closed; open it again",)),
            Self::Halted(why) => exception(py, "Halted", (why,)),
            Self::TimeBackwards(why) => exception(py, "TimeBackwards", (why,)),
            Self::Refused(why) => exception(py, "InvalidArgument", (why,)),
        }
    }
}

/// An exception of `exchange_os.errors` by name.
fn exception<'py>(py: Python<'py>, name: &str, arguments: impl IntoPyObject<'py, Target = PyTuple>) -> PyErr {
    let made = (|| {
        let arguments = arguments.into_pyobject(py).map_err(Into::into)?.into_bound();
        py.import("exchange_os.errors")?.getattr(name)?.call1(arguments)
    })();
    made.map_or_else(|error: PyErr| error, PyErr::from_value)
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    format!("a check inside the engine failed: {}", text.unwrap_or("no message"))
}

/// For what cannot happen.
pub(crate) fn unexpected(what: &str) -> PyErr {
    PyRuntimeError::new_err(format!("{what}: this is a defect of Exchange OS, please report it"))
}
