//! One command on its way: where its events go, and how it is refused.

use xos_protocol::{CancelReason, ClientId, EventKind, EventRecord, Int128, Reject};
use xos_units::{Amount, Qty};

use xos_book::RestingOrder;

/// A refusal with the value and the limit that its sentence names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refused {
    pub(crate) reject: Reject,
    pub(crate) value: i128,
    pub(crate) limit: i128,
}

/// Refuses with numbers of any width.
#[cold]
pub(crate) fn refused<T>(
    reject: Reject,
    value: impl Into<i128>,
    limit: impl Into<i128>,
) -> Result<T, Refused> {
    Err(Refused { reject, value: value.into(), limit: limit.into() })
}

/// What all events of a command share.
pub(crate) struct Step<'a> {
    pub(crate) sequence: u64,
    pub(crate) time_ns: u64,
    pub(crate) client_id: ClientId,
    pub(crate) events: &'a mut Vec<EventRecord>,
}

impl Step<'_> {
    /// Adds an event; sequence, time and client id are filled in.
    #[inline(always)]
    pub(crate) fn emit(&mut self, event: EventRecord) {
        self.events.push(EventRecord {
            sequence: self.sequence,
            time_ns: self.time_ns,
            detail: self.client_id,
            ..event
        });
    }

    /// Adds a trade, whose `detail` is its own.
    #[inline(always)]
    pub(crate) fn emit_trade(&mut self, event: EventRecord) {
        self.events.push(EventRecord { sequence: self.sequence, time_ns: self.time_ns, ..event });
    }

    /// Lots of an order left without a trade.
    #[inline]
    pub(crate) fn emit_cancelled(
        &mut self,
        order: &RestingOrder,
        reason: CancelReason,
        lots: Qty,
        remaining: Qty,
    ) {
        self.emit(EventRecord {
            kind: EventKind::OrderCancelled.code(),
            reason: reason.code(),
            side: order.side.code(),
            flags: order.flags,
            venue: order.venue.0,
            account: order.account.0,
            instrument: order.instrument.0,
            order_id: order.id.0,
            price: order.price.0,
            qty: lots.0,
            remaining: remaining.0,
            ..Default::default()
        });
    }
}

/// An amount as a record carries it.
#[inline(always)]
pub(crate) fn wide(amount: Amount) -> Int128 {
    Int128::new(amount.0)
}
