//! Market-maker protection: an account that quotes on many prices says how much may trade in a window of time. When it is
//! more, its flagged orders on the instrument leave, before the same incoming order reaches them, and new ones are
//! refused for a while.

use crate::engine::Engine;
use crate::orders::Incoming;
use crate::step::{Refused, Step, refused, wide};
use xos_book::RestingOrder;
use xos_protocol::{
    CancelReason, CommandRecord, EventKind, Flags, InstrumentState, PROTECTION_MS_MAX, Reject, Side, Tif,
};
use xos_units::{AccountId, Amount, InstrumentId, QTY_LOTS_BOUND, Qty};

const NS_PER_MS: u64 = 1_000_000;

/// What an account protects itself by on an instrument, and what its window has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Protection {
    /// Lots that may trade in a window; 0: any number.
    pub lots_max: i64,
    /// Net lots, bought less sold, either way; 0: any number.
    pub delta_max: i64,
    /// Length of the window.
    pub window_ms: u32,
    /// How long new orders are refused after a breach; 0: until it is set anew.
    pub freeze_ms: u32,
    /// When the window began.
    pub from_ns: u64,
    /// Lots of flagged orders traded in it.
    pub lots: i64,
    /// Bought less sold.
    pub delta: i64,
    /// Refused before this time; 0: not frozen.
    pub frozen_until_ns: u64,
}

impl Protection {
    fn is_past(&self, now_ns: u64) -> bool {
        now_ns >= self.from_ns.saturating_add(u64::from(self.window_ms) * NS_PER_MS)
    }

    /// Whether so many lots more on a side reach a limit.
    pub(crate) fn is_breached_by(&self, now_ns: u64, side: Side, lots: Qty) -> bool {
        let (traded, delta) = if self.is_past(now_ns) { (0, 0) } else { (self.lots, self.delta) };
        let reached = |value: i64, most: i64| most > 0 && value >= most;
        reached(traded + lots.0, self.lots_max)
            || reached((delta + side.sign() * lots.0).abs(), self.delta_max)
    }

    fn count(&mut self, now_ns: u64, side: Side, lots: Qty) -> bool {
        let breached = self.is_breached_by(now_ns, side, lots);
        if self.is_past(now_ns) {
            (self.from_ns, self.lots, self.delta) = (now_ns, 0, 0);
        }
        self.lots += lots.0;
        self.delta += side.sign() * lots.0;
        breached
    }
}

impl Engine {
    pub(crate) fn set_protection(&mut self, step: &mut Step, command: &CommandRecord) -> Result<(), Refused> {
        let account = self.known_account(command)?;
        let Some(instrument) = self.instruments.get(command.instrument().index()) else {
            return refused(Reject::UnknownInstrument, command.instrument, self.instruments.len() as i128);
        };
        if instrument.state == InstrumentState::Settled {
            return refused(Reject::InstrumentSettled, command.instrument, 0);
        }
        if instrument.trades_no_more() {
            return refused(Reject::InstrumentCancelOnly, command.instrument, 0);
        }
        let words = command.expires_ns;
        let (window_ms, freeze_ms) = (words as u32, (words >> 32) as u32);
        let off = command.qty == 0 && command.price == 0;
        for limit in [command.qty, command.price] {
            if !(0..QTY_LOTS_BOUND).contains(&limit) {
                return refused(Reject::ProtectionOutOfBounds, limit, QTY_LOTS_BOUND - 1);
            }
        }
        let most = if off { 0 } else { PROTECTION_MS_MAX };
        if window_ms > most || (window_ms == 0 && !off) {
            return refused(Reject::ProtectionOutOfBounds, window_ms, most);
        }
        if freeze_ms > most {
            return refused(Reject::ProtectionOutOfBounds, freeze_ms, most);
        }
        // ---- Everything is checked. Below this line nothing fails. ----
        let key = (command.instrument(), account);
        if off {
            self.protections.remove(&key);
        } else {
            let (lots_max, delta_max) = (command.qty, command.price);
            let protection =
                Protection { lots_max, delta_max, window_ms, freeze_ms, ..Protection::default() };
            self.protections.insert(key, protection);
        }
        let event = step.push(EventKind::ProtectionSet);
        event.account = account.0;
        event.instrument = command.instrument;
        (event.qty, event.price) = (command.qty, command.price);
        event.amount = wide(Amount(window_ms.into()));
        event.counter_amount = wide(Amount(freeze_ms.into()));
        Ok(())
    }

    /// Refuses a flagged order while its account is frozen.
    #[cold]
    pub(crate) fn check_protection(
        &self,
        now_ns: u64,
        account: AccountId,
        instrument: InstrumentId,
    ) -> Result<(), Refused> {
        match self.protections.get(&(instrument, account)) {
            Some(protection) if protection.frozen_until_ns > now_ns => {
                refused(Reject::ProtectionFrozen, protection.frozen_until_ns, now_ns)
            }
            _ => Ok(()),
        }
    }

    /// A fill of flagged orders: taker first, each in its account's window.
    #[cold]
    pub(crate) fn count_protected(
        &mut self,
        step: &mut Step,
        incoming: &RestingOrder,
        resting: &RestingOrder,
        lots: Qty,
    ) {
        if incoming.account != resting.account {
            self.count_order_protected(step, incoming, lots);
            self.count_order_protected(step, resting, lots);
        }
    }

    /// A fill of one order in its account's window.
    pub(crate) fn count_order_protected(&mut self, step: &mut Step, order: &RestingOrder, lots: Qty) {
        let key = (order.account, order.instrument);
        let Some(protection) = self.protections.get_mut(&(key.1, key.0)) else { return };
        let breached = order.flags & Flags::PROTECTED != 0
            && protection.count(step.time_ns, order.side, lots)
            && protection.frozen_until_ns <= step.time_ns;
        if !breached {
            return;
        }
        protection.frozen_until_ns = match protection.freeze_ms {
            0 => u64::MAX,
            freeze_ms => step.time_ns.saturating_add(u64::from(freeze_ms) * NS_PER_MS),
        };
        let event = step.push(EventKind::ProtectionBreached);
        event.account = key.0.0;
        event.instrument = key.1.0;
        event.qty = protection.lots;
        event.remaining = protection.delta;
        event.amount = wide(Amount(protection.frozen_until_ns.into()));
        self.breached.push(key);
    }

    /// The flagged orders of breached protections leave, of those that rest.
    pub(crate) fn pull_breached_resting(&mut self, step: &mut Step) {
        for (account, instrument) in std::mem::take(&mut self.breached) {
            self.pull_flagged(step, account, instrument);
        }
    }

    fn pull_flagged(&mut self, step: &mut Step, account: AccountId, instrument: InstrumentId) {
        let flagged = |slot: &xos_book::Slot| self.pool.order(*slot).flags & Flags::PROTECTED != 0;
        let slots: Vec<_> =
            self.orders_of(account, Some(instrument), None).into_iter().filter(flagged).collect();
        for slot in slots {
            self.cancel_resting(step, slot, CancelReason::Protection);
        }
    }

    /// The flagged orders of breached protections leave. True: the incoming order was one of them.
    #[cold]
    pub(crate) fn pull_breached(&mut self, step: &mut Step, incoming: &mut Incoming) -> bool {
        let mut ends = false;
        for (account, instrument) in std::mem::take(&mut self.breached) {
            self.pull_flagged(step, account, instrument);
            let order = &incoming.order;
            ends |= (order.account, order.instrument) == (account, instrument)
                && order.flags & Flags::PROTECTED != 0
                && order.tif != Tif::Fok;
        }
        if ends && incoming.order.remaining > Qty::ZERO {
            self.cancel_incoming(step, incoming, CancelReason::Protection);
            return true;
        }
        false
    }
}
