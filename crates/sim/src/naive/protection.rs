//! Section 18: market-maker protection.

use super::events::Cause;
use super::refusal::{Refusal, check, check_id};
use super::state::{Order, World};
use xos_protocol::{CancelReason, CommandRecord, EventKind, EventRecord, Flags, Int128, Reject, Side, Tif};
use xos_units::QTY_LOTS_BOUND;

/// Limits of an account on an instrument, and what its window has seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Protection {
    pub(super) lots_max: i64,
    pub(super) delta_max: i64,
    pub(super) window_ms: u32,
    pub(super) freeze_ms: u32,
    pub(super) from_ns: u64,
    pub(super) lots: i64,
    pub(super) delta: i64,
    pub(super) frozen_until_ns: u64,
}

impl Protection {
    /// With the window that holds at this time, after so many lots more.
    pub(super) fn after(mut self, now_ns: u64, side: Side, lots: i64) -> Self {
        let ends_ns = u128::from(self.from_ns) + u128::from(self.window_ms) * 1_000_000;
        if u128::from(now_ns) >= ends_ns {
            (self.from_ns, self.lots, self.delta) = (now_ns, 0, 0);
        }
        self.lots += lots;
        self.delta += side.sign() * lots;
        self
    }

    pub(super) fn is_breached(&self) -> bool {
        (self.lots_max != 0 && self.lots >= self.lots_max)
            || (self.delta_max != 0 && self.delta.abs() >= self.delta_max)
    }
}

impl World {
    pub(super) fn set_protection(
        &mut self,
        cause: &Cause,
        command: &CommandRecord,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Refusal> {
        let (account, id) = (command.account, command.instrument);
        check_id(id, self.instruments.len(), Reject::UnknownInstrument)?;
        self.check_not_over(id)?;
        let (lots_max, delta_max) = (command.qty, command.price);
        for limit in [lots_max, delta_max] {
            let fits = (0..QTY_LOTS_BOUND).contains(&limit);
            check(fits, Reject::ProtectionOutOfBounds, limit, QTY_LOTS_BOUND - 1)?;
        }
        let stands = lots_max != 0 || delta_max != 0;
        let (window_ms, freeze_ms) = (command.expires_ns as u32, (command.expires_ns >> 32) as u32);
        let most = if stands { 86_400_000 } else { 0 };
        let fits = window_ms <= most && (window_ms >= 1 || !stands);
        check(fits, Reject::ProtectionOutOfBounds, window_ms, most)?;
        check(freeze_ms <= most, Reject::ProtectionOutOfBounds, freeze_ms, most)?;
        self.protections.remove(&(account, id));
        if stands {
            let protection = Protection {
                lots_max,
                delta_max,
                window_ms,
                freeze_ms,
                from_ns: 0,
                lots: 0,
                delta: 0,
                frozen_until_ns: 0,
            };
            self.protections.insert((account, id), protection);
        }
        events.push(EventRecord {
            account,
            instrument: id,
            qty: lots_max,
            price: delta_max,
            amount: Int128::new(window_ms.into()),
            counter_amount: Int128::new(freeze_ms.into()),
            ..cause.event(EventKind::ProtectionSet)
        });
        Ok(())
    }

    /// 348.
    pub(super) fn check_protection(&self, cause: &Cause, order: &Order) -> Result<(), Refusal> {
        match self.protections.get(&(order.account, order.instrument)) {
            Some(protection) if order.flags.has(Flags::PROTECTED) => {
                let until_ns = protection.frozen_until_ns;
                check(until_ns <= cause.time_ns, Reject::ProtectionFrozen, until_ns, cause.time_ns)
            }
            _ => Ok(()),
        }
    }

    /// A fill of an order counts; if that breaches, the account is frozen.
    pub(super) fn protect(&mut self, cause: &Cause, order: &Order, lots: i64, events: &mut Vec<EventRecord>) {
        let key = (order.account, order.instrument);
        let Some(protection) = self.protections.get_mut(&key) else { return };
        if !order.flags.has(Flags::PROTECTED) {
            return;
        }
        *protection = protection.after(cause.time_ns, order.side, lots);
        if !protection.is_breached() || protection.frozen_until_ns > cause.time_ns {
            return;
        }
        let freeze_ns = u64::from(protection.freeze_ms) * 1_000_000;
        protection.frozen_until_ns =
            if freeze_ns == 0 { u64::MAX } else { cause.time_ns.saturating_add(freeze_ns) };
        events.push(EventRecord {
            account: key.0,
            instrument: key.1,
            qty: protection.lots,
            remaining: protection.delta,
            amount: Int128::new(protection.frozen_until_ns.into()),
            ..cause.event(EventKind::ProtectionBreached)
        });
        self.breached.push(key);
    }

    /// After a fill: flagged orders of those who were breached leave, the incoming one among them unless fill-or-kill.
    pub(super) fn pull_breached(
        &mut self,
        cause: &Cause,
        incoming: &mut Order,
        events: &mut Vec<EventRecord>,
    ) {
        for (account, instrument) in std::mem::take(&mut self.breached) {
            let is_meant = |order: &Order| {
                order.account == account
                    && order.instrument == instrument
                    && order.flags.has(Flags::PROTECTED)
            };
            for order in self.take_out(is_meant) {
                self.cancelled(cause, &order, CancelReason::Protection, events);
            }
            if is_meant(incoming) && incoming.tif != Tif::Fok {
                self.incoming_is_breached = true;
            }
        }
        if std::mem::take(&mut self.incoming_is_breached) && incoming.remaining > 0 {
            events.push(cause.cancelled(incoming, CancelReason::Protection, incoming.remaining, 0));
            incoming.remaining = 0;
        }
    }
}
