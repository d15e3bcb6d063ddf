//! One command on its way: where its events go, and how it is refused.

use xos_protocol::{CancelReason, ClientId, CommandRecord, EventKind, EventRecord, Flags, Int128, Reject};
use xos_units::{Amount, Price, Qty};

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
    pub(crate) client_id: &'a ClientId,
    pub(crate) events: &'a mut Vec<EventRecord>,
}

impl Step<'_> {
    /// Adds an event with sequence, time and client id filled in, to be completed in place.
    #[inline(always)]
    pub(crate) fn push(&mut self, kind: EventKind) -> &mut EventRecord {
        self.events.push(EventRecord {
            kind: kind.code(),
            sequence: self.sequence,
            time_ns: self.time_ns,
            detail: *self.client_id,
            ..EventRecord::ZERO
        });
        self.events.last_mut().expect("just pushed")
    }

    /// The price at which the incoming order traded last.
    pub(crate) fn last_traded(&self) -> Option<Price> {
        let is_trade = |event: &&EventRecord| {
            event.kind == EventKind::Trade.code() || event.kind == EventKind::ImpliedTrade.code()
        };
        self.events.iter().rev().find(is_trade).map(|event| Price(event.price))
    }

    /// Adds an event; sequence, time and client id are filled in.
    #[inline]
    pub(crate) fn emit(&mut self, event: EventRecord) {
        self.events.push(EventRecord {
            sequence: self.sequence,
            time_ns: self.time_ns,
            detail: *self.client_id,
            ..event
        });
    }

    /// Adds the event that an order stands as told.
    #[inline(always)]
    pub(crate) fn push_order(&mut self, kind: EventKind, order: &RestingOrder) -> &mut EventRecord {
        self.events.push(EventRecord {
            kind: kind.code(),
            side: order.side.code(),
            flags: order.flags,
            venue: order.venue.0,
            sequence: self.sequence,
            account: order.account.0,
            instrument: order.instrument.0,
            order_id: order.id.0,
            price: order.price.0,
            qty: order.total.0,
            remaining: order.remaining.0,
            detail: *self.client_id,
            time_ns: self.time_ns,
            ..EventRecord::ZERO
        });
        self.events.last_mut().expect("just pushed")
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
        let event = self.push_order(EventKind::OrderCancelled, order);
        event.reason = reason.code();
        event.flags = 0;
        event.qty = lots.0;
        event.remaining = remaining.0;
    }
}

/// An amount as a record carries it.
#[inline(always)]
pub(crate) fn wide(amount: Amount) -> Int128 {
    Int128::new(amount.0)
}

/// The event of a refusal.
#[cold]
pub(crate) fn emit_rejected(step: &mut Step, command: &CommandRecord, refused: Refused) {
    step.emit(EventRecord {
        kind: EventKind::Rejected.code(),
        reason: refused.reject.code(),
        side: command.side,
        flags: command.flags & Flags::KNOWN,
        venue: command.venue,
        account: command.account,
        instrument: command.instrument,
        order_id: command.order_id,
        price: command.price,
        qty: command.qty,
        amount: Int128::new(refused.value),
        counter_amount: Int128::new(refused.limit),
        ..Default::default()
    });
}
