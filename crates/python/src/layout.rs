//! The layout of the records and the bodies of deployments, for `exchange_os.records` and `exchange_os.markets`.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use xos_protocol::layout::{COMMAND, EVENT, Field};
use xos_protocol::wire_layout::{MESSAGES, MessageLayout};
use xos_protocol::{
    CommandRecord, DeployCommand, EventRecord, FeedAction, KeyScheme, Limits, Resumption, SCHEMA_ID,
    SessionCode, WIRE_VERSION,
};
use xos_risk::FundingTerms;
use xos_units::{RATE_ONE, Rate};

/// Bytes of one command record.
pub(crate) const COMMAND_BYTES: usize = size_of::<CommandRecord>();
/// Bytes of one event record.
pub(crate) const EVENT_BYTES: usize = size_of::<EventRecord>();

/// Name, number, bytes of a record, fields.
type WireMessage = (&'static str, u16, u16, Vec<(&'static str, String, usize)>);

/// Name of an enumeration, its words and their numbers.
type WireWords = (&'static str, Vec<(&'static str, u16)>);

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

/// Name, number and bytes of a record of every kind of message of the wire, and its fields as above.
#[pyfunction]
pub(crate) fn wire_messages() -> Vec<WireMessage> {
    let row = |message: &MessageLayout| {
        let kind = message.kind;
        (kind.name(), kind.code(), kind.record_bytes(), table(message.fields))
    };
    MESSAGES.iter().map(row).collect()
}

/// Schema id and version of the wire, and the numbered words that only it has.
#[pyfunction]
pub(crate) fn wire_words() -> (u16, u16, Vec<WireWords>) {
    let words = vec![
        ("SessionCode", SessionCode::ALL.iter().map(|word| (word.name(), word.code())).collect()),
        ("FeedAction", FeedAction::ALL.iter().map(|word| (word.name(), word.code().into())).collect()),
        ("KeyScheme", KeyScheme::ALL.iter().map(|word| (word.name(), word.code().into())).collect()),
        ("Resumption", Resumption::ALL.iter().map(|word| (word.name(), word.code().into())).collect()),
    ];
    (SCHEMA_ID, WIRE_VERSION, words)
}

/// The limits of an exchange that declares none, as MessagePack by name.
#[pyfunction]
pub(crate) fn default_limits(py: Python<'_>) -> Bound<'_, PyBytes> {
    PyBytes::new(
        py,
        &rmp_serde::to_vec_named(&AllLimits::of(Limits::default())).expect("limits always serialise"),
    )
}

/// The limits with those that a specification leaves out where they have their defaults.
#[derive(serde::Serialize)]
pub(crate) struct AllLimits {
    #[serde(flatten)]
    limits: Limits,
    #[serde(rename = "client_ids_per_account_max")]
    ids_of_account: u32,
    #[serde(rename = "change_delay_s_min")]
    delay_s: u32,
    #[serde(rename = "delisting_window_s")]
    window_s: u32,
    #[serde(rename = "delisting_auction_s")]
    auction_s: u32,
}

impl AllLimits {
    pub(crate) fn of(mut limits: Limits) -> Self {
        let standard = Limits::default();
        let (delay_s, window_s) = (limits.change_delay_s_min, limits.delisting_window_s);
        let (auction_s, ids_of_account) = (limits.delisting_auction_s, limits.client_ids_per_account_max);
        // Their defaults are not written, so each stands once.
        (limits.change_delay_s_min, limits.delisting_window_s) =
            (standard.change_delay_s_min, standard.delisting_window_s);
        limits.delisting_auction_s = standard.delisting_auction_s;
        limits.client_ids_per_account_max = standard.client_ids_per_account_max;
        Self { limits, ids_of_account, delay_s, window_s, auction_s }
    }
}

/// The rate of a funding interval from its premium; all rates in 1e-12.
#[pyfunction]
pub(crate) fn funding_rate(
    premium: i64,
    interval_h: u8,
    interest: i64,
    clamp: i64,
    cap: i64,
) -> PyResult<i64> {
    let bound = 10 * RATE_ONE;
    let sound = [premium, interest].iter().all(|rate| (-bound..=bound).contains(rate));
    if !sound || ![1, 4, 8].contains(&interval_h) || clamp < 0 || cap < 0 {
        return Err(PyValueError::new_err("a rate is out of bounds, or the interval is not 1, 4 or 8 hours"));
    }
    let (interest, clamp, cap) = (Rate(interest), Rate(clamp), Rate(cap));
    Ok(xos_risk::funding_rate(Rate(premium), &FundingTerms { interval_h, interest, clamp, cap }).0)
}

/// The body of a deployment in its one canonical form; ValueError where it cannot be read.
#[pyfunction]
pub(crate) fn canonical_deployment<'py>(py: Python<'py>, body: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    match DeployCommand::from_bytes(body) {
        Ok(command) => Ok(PyBytes::new(py, &command.to_bytes())),
        Err(why) => Err(PyValueError::new_err(why)),
    }
}
