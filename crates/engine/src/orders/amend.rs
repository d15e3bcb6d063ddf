//! Amend: a smaller total keeps the place in the queue; a new price or a larger total works like a new order.

use crate::engine::Engine;
use crate::margin::reducible;
use crate::orders::place::{
    Asked, check_mark_and_band, check_notional, check_post_only, check_price, check_qty_max, check_state,
};
use crate::orders::{Incoming, is_reduce_only};
use crate::shape;
use crate::step::{Refused, Step, refused};
use xos_book::{RestingOrder, Slot};
use xos_protocol::{CancelReason, CommandRecord, EventFlags, EventKind, Flags, Reject};
use xos_units::{Amount, Price, Qty};

impl Engine {
    pub(crate) fn amend(&mut self, step: &mut Step, command: &CommandRecord) -> Result<(), Refused> {
        shape::amend(command)?;
        self.known_account(command)?;
        let slot = self.named_order(command)?;
        let order = *self.pool.order(slot);
        let instrument = &self.instruments[order.instrument.index()];
        let post_only = command.flags().0 & Flags::POST_ONLY;
        check_state(instrument, Flags(order.flags | post_only))?;
        if command.price != 0 {
            check_price(instrument, command.price())?;
        }
        if command.qty < 0 {
            return refused(Reject::QtyNotPositive, command.qty, 1);
        }
        let price = if command.price == 0 { order.price } else { command.price() };
        let total = if command.qty == 0 { order.total } else { command.qty() };
        if command.price == 0 && total == order.total {
            return refused(Reject::AmendWithoutChange, order.id.0, 0);
        }
        let filled = order.total - order.remaining;
        if total <= filled {
            self.amend_away(step, slot, &order, price, total);
        } else if price == order.price && total < order.total {
            self.amend_down(step, slot, &order, total);
        } else {
            let post_only = command.flags().has(Flags::POST_ONLY);
            let (lots, per_lot) = self.check_move(&order, price, total - filled, post_only)?;
            self.move_order(step, slot, &order, price, lots, per_lot);
        }
        Ok(())
    }

    fn amend_away(&mut self, step: &mut Step, slot: Slot, order: &RestingOrder, price: Price, total: Qty) {
        let amended = RestingOrder { price, total, remaining: Qty::ZERO, ..*order };
        self.remove_resting(step.sequence, slot, order);
        step.push_order(EventKind::OrderAmended, &amended);
        step.emit_cancelled(order, CancelReason::AmendedAway, order.remaining, Qty::ZERO);
        if order.flags & Flags::BRACKET != 0 {
            self.entry_left(step, order.id);
        }
    }

    fn amend_down(&mut self, step: &mut Step, slot: Slot, order: &RestingOrder, total: Qty) {
        let less = order.total - total;
        self.shrink_resting(step.sequence, slot, less);
        self.pool.order_mut(slot).total = total;
        if let Some(question) = self.instruments[order.instrument.index()].question() {
            self.refresh_worst_case(order.account, question);
        }
        let amended = *self.pool.order(slot);
        step.push_order(EventKind::OrderAmended, &amended).flags |= EventFlags::KEPT_PRIORITY;
    }

    /// The checks of a new price or a larger total; gives the lots that the order will have open, and the reserve
    /// of one.
    fn check_move(
        &self,
        order: &RestingOrder,
        price: Price,
        lots: Qty,
        post_only: bool,
    ) -> Result<(Qty, Amount), Refused> {
        let instrument = &self.instruments[order.instrument.index()];
        check_qty_max(instrument, lots + (order.total - order.remaining))?;
        check_mark_and_band(instrument, order.side, price)?;
        let (position, resting) = self.stand_of(order.account, instrument.key, order.side);
        let mut lots = lots;
        if is_reduce_only(order) {
            let capacity = reducible(position, order.side);
            if capacity == Qty::ZERO {
                return refused(Reject::NothingToReduce, position, 0);
            }
            lots = lots.min(capacity);
        }
        check_notional(instrument, price, lots, is_reduce_only(order))?;
        if post_only || order.flags & Flags::POST_ONLY != 0 {
            check_post_only(instrument, order.side, price)?;
        }
        let replaced = self.reserve_per_lot(instrument, order.venue, order.side, order.price);
        let asked = Asked {
            account: order.account,
            instrument,
            side: order.side,
            price,
            lots,
            venue: order.venue,
            position,
            others: resting - order.remaining,
            replaced_lots: order.remaining,
            replaced_reserve: replaced.times_lots(order.remaining),
            pulled: Amount::ZERO,
        };
        self.check_position_limit(&asked)?;
        let per_lot = self.check_money(&asked)?;
        Ok((lots, per_lot))
    }

    fn move_order(
        &mut self,
        step: &mut Step,
        slot: Slot,
        order: &RestingOrder,
        price: Price,
        lots: Qty,
        per_lot: Amount,
    ) {
        let filled = order.total - order.remaining;
        let moved = RestingOrder { price, total: filled + lots, remaining: lots, ..*order };
        self.remove_resting(step.sequence, slot, order);
        step.push_order(EventKind::OrderAmended, &moved);
        let mut incoming = Incoming { order: moved, at: moved.instrument.index(), per_lot };
        self.work(step, &mut incoming);
    }
}
