//! Section 8: cancel, mass cancel and amend.

use super::events::Cause;
use super::place::{check_price, check_state};
use super::refusal::{Refusal, check, check_id, refuse};
use super::state::{Order, World};
use super::triggers::Trigger;
use xos_protocol::{CancelReason, CommandRecord, EventRecord, Flags, Reject};

impl World {
    pub(super) fn cancel(
        &mut self,
        cause: &Cause,
        command: &CommandRecord,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Refusal> {
        if let Ok(at) = self.find_order(command) {
            self.check_not_uncrossing(self.orders[at].instrument)?;
        }
        match (self.find_order(command), self.find_trigger(command)) {
            (Ok(at), _) => self.cancel_resting(cause, at, CancelReason::Requested, events),
            (Err(_), Some(at)) => {
                let id = self.triggers[at].id;
                self.cancel_triggers(cause, CancelReason::Requested, |trigger| trigger.id == id, events);
            }
            (Err(refusal), None) => return Err(refusal),
        }
        Ok(())
    }

    /// 301: the account's resting order that a cancel or amend names.
    pub(super) fn find_order(&self, command: &CommandRecord) -> Result<usize, Refusal> {
        let is_named = |order: &Order| {
            let by_id = command.order_id != 0 && order.id == command.order_id;
            let by_client_id =
                command.order_id == 0 && command.has_client_id() && order.client_id == command.client_id;
            order.account == command.account
                && (by_id || by_client_id)
                && (command.instrument == 0 || command.instrument == order.instrument)
        };
        match self.orders.iter().position(is_named) {
            Some(at) => Ok(at),
            None => refuse(Reject::UnknownOrder, command.order_id, 0),
        }
    }

    pub(super) fn mass_cancel(
        &mut self,
        cause: &Cause,
        command: &CommandRecord,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Refusal> {
        if command.instrument != 0 {
            check_id(command.instrument, self.instruments.len(), Reject::UnknownInstrument)?;
            self.check_not_uncrossing(command.instrument)?;
        }
        let frozen: Vec<u32> = (1..=self.instruments.len() as u32)
            .filter(|id| self.check_not_uncrossing(*id).is_err())
            .collect();
        let is_meant = |order: &Order| {
            !frozen.contains(&order.instrument)
                && order.account == command.account
                && (command.instrument == 0 || command.instrument == order.instrument)
                && (command.side == 2 || command.side == order.side.code())
        };
        let is_meant_too = |trigger: &Trigger| {
            trigger.account == command.account
                && (command.instrument == 0 || command.instrument == trigger.instrument)
                && (command.side == 2 || command.side == trigger.side.code())
        };
        let waiting = self.triggers.iter().filter(|trigger| is_meant_too(trigger)).count();
        let orders = self.take_out(is_meant);
        events.push(cause.mass_cancelled(command, orders.len() + waiting));
        self.cancel_triggers(cause, CancelReason::MassCancel, is_meant_too, events);
        for order in orders {
            self.cancelled(cause, &order, CancelReason::MassCancel, events);
        }
        Ok(())
    }

    /// Takes the orders out that are meant; they come back in order of their ids.
    pub(super) fn take_out(&mut self, is_meant: impl Fn(&Order) -> bool) -> Vec<Order> {
        let mut orders: Vec<Order> = self.orders.iter().filter(|o| is_meant(o)).cloned().collect();
        self.orders.retain(|o| !is_meant(o));
        orders.sort_by_key(|o| o.id);
        orders
    }

    pub(super) fn amend(
        &mut self,
        cause: &Cause,
        command: &CommandRecord,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Refusal> {
        let at = self.find_order(command)?;
        let resting = self.orders[at].clone();
        let instrument = self.instrument(resting.instrument);
        let mut judged = resting.clone();
        judged.flags.0 |= command.flags & Flags::POST_ONLY;
        check_state(instrument, &judged)?;
        let mut amended = resting.clone();
        if command.price != 0 {
            check_price(instrument, command.price)?;
            amended.price = command.price;
        }
        check(command.qty >= 0, Reject::QtyNotPositive, command.qty, 1)?;
        if command.qty != 0 {
            amended.total = command.qty;
        }
        let display = command.amount.low as i64;
        if display != 0 {
            check(resting.display != 0, Reject::NotAnIceberg, resting.id, 0)?;
            amended.display = display;
        }
        let is_other = amended.total != resting.total || amended.display != resting.display;
        let changes = command.price != 0 || is_other;
        check(changes, Reject::AmendWithoutChange, resting.id, 0)?;

        let filled = resting.total - resting.remaining;
        if amended.total <= filled {
            amended.remaining = 0;
            events.push(cause.amended(&amended, false));
            self.cancel_resting(cause, at, CancelReason::AmendedAway, events);
            return Ok(());
        }
        amended.remaining = amended.total - filled;
        let fewer = amended.remaining < resting.remaining;
        let as_many = command.price == 0 && amended.remaining == resting.remaining;
        if amended.price == resting.price && (fewer || as_many) {
            if display != 0 {
                self.check_display(&amended)?;
            }
            amended.shown = amended.shown.min(amended.display).min(amended.remaining);
            events.push(cause.amended(&amended, true));
            self.orders[at] = amended;
            return Ok(());
        }
        self.check_requeue(command, &resting, &mut amended)?;
        // Nothing below can fail.
        events.push(cause.amended(&amended, false));
        self.orders.remove(at);
        self.take_and_keep(cause, amended, events);
        Ok(())
    }

    /// What an amend that loses its place must pass.
    fn check_requeue(
        &self,
        command: &CommandRecord,
        resting: &Order,
        amended: &mut Order,
    ) -> Result<(), Refusal> {
        let max = self.instrument(resting.instrument).terms.qty_max_lots;
        check(amended.total <= max, Reject::QtyAboveMax, amended.total, max)?;
        if amended.display != 0 {
            self.check_display_least(amended)?;
            let is_below = command.amount.low == 0 || amended.display < amended.total;
            check(is_below, Reject::DisplayNotBelowTotal, amended.display, amended.total)?;
        }
        amended.classes = self.dividing_classes(amended.account);
        self.check_profiles(amended)?;
        self.check_cap(amended.account, amended.venue, amended.instrument)?;
        self.check_mark_and_band(amended)?;
        let filled = resting.total - resting.remaining;
        amended.remaining = self.clip_reduce_only(amended)?;
        amended.total = filled + amended.remaining;
        self.check_notional(amended)?;
        if amended.flags.has(Flags::POST_ONLY) || command.flags().has(Flags::POST_ONLY) {
            self.check_post_only(amended)?;
        }
        self.check_position_limit(amended)?;
        self.check_money(amended, Some(resting))
    }
}
