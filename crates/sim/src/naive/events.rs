//! How each kind of event is filled in.

use super::refusal::Refusal;
use super::state::Order;
use xos_protocol::{
    CancelReason, ClientId, CommandKind, CommandRecord, EventFlags, EventKind, EventRecord, Flags, Int128,
};

/// The command, or the passing of time, that causes events.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cause {
    pub(super) sequence: u64,
    pub(super) time_ns: u64,
    pub(super) client_id: ClientId,
}

impl Cause {
    pub(super) fn event(&self, kind: EventKind) -> EventRecord {
        EventRecord {
            kind: kind.code(),
            sequence: self.sequence,
            time_ns: self.time_ns,
            detail: self.client_id,
            ..EventRecord::default()
        }
    }

    pub(super) fn rejected(&self, command: &CommandRecord, refusal: Refusal) -> EventRecord {
        EventRecord {
            reason: refusal.reject.code(),
            side: command.side,
            flags: command.flags & Flags::KNOWN,
            venue: command.venue,
            account: command.account,
            instrument: command.instrument,
            order_id: command.order_id,
            price: command.price,
            qty: command.qty,
            amount: Int128::new(refusal.value),
            counter_amount: Int128::new(refusal.limit),
            ..self.event(EventKind::Rejected)
        }
    }

    /// What all events about one order share.
    pub(super) fn of_order(&self, kind: EventKind, order: &Order) -> EventRecord {
        EventRecord {
            side: order.side.code(),
            venue: order.venue,
            account: order.account,
            instrument: order.instrument,
            order_id: order.id,
            price: order.price,
            ..self.event(kind)
        }
    }

    pub(super) fn accepted(&self, order: &Order) -> EventRecord {
        EventRecord {
            flags: order.flags.0,
            qty: order.total,
            remaining: order.remaining,
            amount: Int128::new(order.display.into()),
            ..self.of_order(EventKind::OrderAccepted, order)
        }
    }

    pub(super) fn amended(&self, order: &Order, kept_priority: bool) -> EventRecord {
        let kept = if kept_priority { EventFlags::KEPT_PRIORITY } else { 0 };
        EventRecord {
            flags: order.flags.0 | kept,
            qty: order.total,
            remaining: order.remaining,
            amount: Int128::new(order.display.into()),
            ..self.of_order(EventKind::OrderAmended, order)
        }
    }

    /// An iceberg shows its next lots.
    pub(super) fn replenished(&self, order: &Order) -> EventRecord {
        EventRecord {
            qty: order.shown,
            remaining: order.remaining,
            ..self.of_order(EventKind::OrderReplenished, order)
        }
    }

    /// `qty` lots left the order without a trade; `remaining` stay.
    pub(super) fn cancelled(
        &self,
        order: &Order,
        reason: CancelReason,
        qty: i64,
        remaining: i64,
    ) -> EventRecord {
        EventRecord {
            reason: reason.code(),
            qty,
            remaining,
            ..self.of_order(EventKind::OrderCancelled, order)
        }
    }

    /// A fill; both orders as they are after it.
    pub(super) fn trade(&self, fill: &Fill<'_>) -> EventRecord {
        let Fill { taker, maker, lots, taker_fee, maker_fee, trade_id } = *fill;
        let mut event = EventRecord {
            price: maker.price,
            qty: lots,
            remaining: taker.remaining,
            amount: Int128::new(taker_fee),
            counter_amount: Int128::new(maker_fee),
            ..self.of_order(EventKind::Trade, taker)
        };
        event.detail = [0; 32];
        event.set_counterpart(maker.id, maker.account, maker.venue, maker.remaining, trade_id);
        event
    }

    pub(super) fn pnl_realised(&self, order: &Order, price: i64, closed: &Closed) -> EventRecord {
        EventRecord {
            side: order.side.code(),
            account: order.account,
            instrument: order.instrument,
            order_id: order.id,
            price,
            qty: closed.lots,
            remaining: closed.position_after,
            amount: Int128::new(closed.realised),
            counter_amount: Int128::new(closed.realised_after),
            ..self.event(EventKind::PnlRealised)
        }
    }

    pub(super) fn mass_cancelled(&self, command: &CommandRecord, orders: usize) -> EventRecord {
        EventRecord {
            side: command.side,
            account: command.account,
            instrument: command.instrument,
            qty: i64::try_from(orders).expect("orders are bounded"),
            ..self.event(EventKind::MassCancelled)
        }
    }
}

/// A fill, for its event.
#[derive(Clone, Copy)]
pub(super) struct Fill<'a> {
    pub(super) taker: &'a Order,
    pub(super) maker: &'a Order,
    pub(super) lots: i64,
    pub(super) taker_fee: i128,
    pub(super) maker_fee: i128,
    pub(super) trade_id: u64,
}

/// What a fill closed of a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Closed {
    pub(super) lots: i64,
    pub(super) realised: i128,
    pub(super) position_after: i64,
    pub(super) realised_after: i128,
}

/// The order that a place asks for; its words were checked before.
pub(super) fn order_of(sequence: u64, command: &CommandRecord) -> Order {
    Order {
        id: sequence,
        account: command.account,
        instrument: command.instrument,
        side: command.side().expect("checked before"),
        tif: command.tif().expect("checked before"),
        flags: Flags(command.flags),
        self_trade: command.self_trade().expect("checked before"),
        venue: command.venue,
        price: command.price,
        total: command.qty,
        remaining: command.qty,
        // The field has other meanings in other kinds.
        display: if command.kind() == Some(CommandKind::Place) { command.amount.low as i64 } else { 0 },
        shown: 0,
        expires_ns: command.expires_ns,
        client_id: command.client_id,
        classes: 0,
    }
}
