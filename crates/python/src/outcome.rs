//! The answer to a single command, summed up from its events.

use crate::kept::is_trade;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyInt, PyTuple};
use xos_engine::Engine;
use xos_protocol::{EventFlags, EventKind, EventRecord, Int128};
use xos_units::OrderId;
use zerocopy::IntoBytes;

/// What happened to one order that was placed or amended.
pub(crate) struct OrderOutcome {
    outcome: EventRecord,
    qty: i64,
    filled: i64,
    remaining: i64,
    /// A retry whose order was accepted and rests no longer: what has filled is not known here.
    gone: bool,
    cancelled: u16,
    trades: Vec<u8>,
}

/// The outcome event of a frame of one command: what the passing of time did comes before it.
pub(crate) fn outcome_at(events: &[EventRecord]) -> Option<usize> {
    events.iter().position(|event| !event.is_of_time())
}

impl OrderOutcome {
    /// From the events of a frame of one place or amend. The first answer given again is old: of its order the
    /// engine says how it stands now.
    pub(crate) fn of(engine: &Engine, events: &[EventRecord]) -> Option<Self> {
        Self::of_events(events, |id| {
            let view = engine.order(id)?;
            Some((view.order.total.0, view.order.remaining.0))
        })
    }

    /// The same, with the total and the remaining lots of an order as `stands` knows them.
    pub(crate) fn of_events(
        events: &[EventRecord],
        stands: impl FnOnce(OrderId) -> Option<(i64, i64)>,
    ) -> Option<Self> {
        let at = outcome_at(events)?;
        let outcome = events[at];
        let (qty, trades) = (outcome.qty, Vec::new());
        let mut sum = Self { outcome, qty, filled: 0, remaining: 0, gone: false, cancelled: 0, trades };
        if outcome.kind == EventKind::Rejected.code() {
            return Some(sum);
        }
        if outcome.flags & EventFlags::RETRY != 0 {
            match stands(OrderId(outcome.order_id)) {
                Some((total, remaining)) => {
                    (sum.qty, sum.filled, sum.remaining) = (total, total - remaining, remaining);
                }
                None => sum.gone = true,
            }
            return Some(sum);
        }
        sum.remaining = outcome.remaining;
        for event in &events[at + 1..] {
            if event.order_id != outcome.order_id {
                continue;
            }
            if is_trade(event) {
                sum.filled += event.qty;
                sum.remaining = event.remaining;
                sum.trades.extend_from_slice(event.as_bytes());
            } else if event.kind == EventKind::OrderCancelled.code() {
                sum.remaining = event.remaining;
                sum.cancelled = event.reason;
            }
        }
        Some(sum)
    }

    /// sequence, order_id, reason, retry, qty, filled, remaining, cancel reason, value, limit, trades. Filled and
    /// remaining are None if they are not known.
    pub(crate) fn into_tuple(self, py: Python<'_>) -> PyResult<Bound<'_, PyTuple>> {
        let event = &self.outcome;
        let rejected = event.kind == EventKind::Rejected.code();
        let (value, limit) = if rejected { (event.amount, event.counter_amount) } else { Default::default() };
        let trades = (!self.trades.is_empty()).then(|| PyBytes::new(py, &self.trades));
        (
            event.sequence,
            event.order_id,
            if rejected { event.reason } else { 0 },
            retry(py, event),
            self.qty,
            (!self.gone).then_some(self.filled),
            (!self.gone).then_some(self.remaining),
            self.cancelled,
            integer(py, value),
            integer(py, limit),
            trades,
        )
            .into_pyobject(py)
    }
}

/// sequence, time_ns, reason, retry, account, instrument, order_id, qty, amount, counter_amount.
pub(crate) fn tuple_of<'py>(py: Python<'py>, event: &EventRecord) -> PyResult<Bound<'py, PyTuple>> {
    let rejected = event.kind == EventKind::Rejected.code();
    (
        event.sequence,
        event.time_ns,
        if rejected { event.reason } else { 0 },
        retry(py, event),
        event.account,
        event.instrument,
        event.order_id,
        event.qty,
        integer(py, event.amount),
        integer(py, event.counter_amount),
    )
        .into_pyobject(py)
}

fn retry<'py>(py: Python<'py>, event: &EventRecord) -> Borrowed<'py, 'py, PyBool> {
    PyBool::new(py, event.flags & EventFlags::RETRY != 0)
}

/// Nearly all amounts fit 64 bits, for which the interpreter has a fast way in.
pub(crate) fn integer(py: Python<'_>, amount: Int128) -> Bound<'_, PyInt> {
    integer_of(py, amount.get())
}

/// As [`integer`].
pub(crate) fn integer_of(py: Python<'_>, value: i128) -> Bound<'_, PyInt> {
    let Ok(made) = match i64::try_from(value) {
        Ok(narrow) => narrow.into_pyobject(py),
        Err(_) => value.into_pyobject(py),
    };
    made
}
