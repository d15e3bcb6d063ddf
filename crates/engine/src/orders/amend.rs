//! Amend: a smaller total keeps the place in the queue; a new price or a larger total works like a new order.

use crate::engine::Engine;
use crate::margin::reducible;
use crate::orders::iceberg::{check_display, check_display_least, tell_display};
use crate::orders::place::{
    Asked, check_mark_and_band, check_notional, check_price, check_qty_max, check_state,
};
use crate::orders::{Incoming, is_reduce_only};
use crate::shape;
use crate::step::{Refused, Step, refused};
use xos_book::{RestingOrder, Slot};
use xos_protocol::{CancelReason, CommandRecord, EventFlags, EventKind, Flags, Reject};
use xos_units::{Amount, Price, Qty};

/// What an amend asks for.
pub(crate) struct Amended {
    pub(crate) price: Price,
    pub(crate) total: Qty,
    /// Of an iceberg; 0: it is none.
    pub(crate) display: Qty,
}

impl Engine {
    pub(crate) fn amend(&mut self, step: &mut Step, command: &CommandRecord) -> Result<(), Refused> {
        shape::amend(command)?;
        self.known_account(command)?;
        let slot = self.named_order(command)?;
        let order = self.whole_order(slot);
        let instrument = &self.instruments[order.instrument.index()];
        let post_only = command.flags().0 & Flags::POST_ONLY;
        check_state(instrument, Flags(order.flags | post_only), true)?;
        if command.price != 0 {
            check_price(instrument, command.price())?;
        }
        if command.qty < 0 {
            return refused(Reject::QtyNotPositive, command.qty, 1);
        }
        let price = if command.price == 0 { order.price } else { command.price() };
        let total = if command.qty == 0 { order.total } else { command.qty() };
        let mut amended = Amended { price, total, display: Qty::ZERO };
        if order.is_iceberg || command.display() != Qty::ZERO {
            amended.display = self.display_wanted(&order, command)?;
        }
        let same_display =
            command.display() == Qty::ZERO || amended.display == self.iceberg(order.id).display;
        if command.price == 0 && total == order.total && same_display {
            return refused(Reject::AmendWithoutChange, order.id.0, 0);
        }
        let filled = order.total - order.remaining;
        let keeps_lots = total < order.total || (total == order.total && command.price == 0);
        if total <= filled {
            self.amend_away(step, slot, &order, &amended);
        } else if price == order.price && keeps_lots {
            if !order.is_iceberg {
                self.amend_down(step, slot, &order, total);
                return Ok(());
            }
            if command.display() != Qty::ZERO {
                let instrument = &self.instruments[order.instrument.index()];
                check_display(instrument, amended.display, total)?;
            }
            self.reshape_iceberg(step, slot, &order, &amended);
        } else {
            let post_only = command.flags().has(Flags::POST_ONLY);
            let given = command.display() != Qty::ZERO;
            let (lots, per_lot) = self.check_move(&order, &amended, given, total - filled, post_only)?;
            self.move_order(step, slot, &order, &amended, lots, per_lot);
        }
        Ok(())
    }

    /// The display quantity that an iceberg will have.
    #[cold]
    fn display_wanted(&self, order: &RestingOrder, command: &CommandRecord) -> Result<Qty, Refused> {
        if !order.is_iceberg {
            return refused(Reject::NotAnIceberg, order.id.0, 0);
        }
        let given = command.display();
        Ok(if given == Qty::ZERO { self.iceberg(order.id).display } else { given })
    }

    fn amend_away(&mut self, step: &mut Step, slot: Slot, order: &RestingOrder, to: &Amended) {
        let amended = RestingOrder { price: to.price, total: to.total, remaining: Qty::ZERO, ..*order };
        self.remove_resting(step.sequence, slot, order);
        let event = step.push_order(EventKind::OrderAmended, &amended);
        if to.display != Qty::ZERO {
            tell_display(event, to.display);
        }
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
        amended: &Amended,
        display_given: bool,
        lots: Qty,
        post_only: bool,
    ) -> Result<(Qty, Amount), Refused> {
        let instrument = &self.instruments[order.instrument.index()];
        let price = amended.price;
        check_qty_max(instrument, amended.total)?;
        match order.is_iceberg {
            true if display_given => check_display(instrument, amended.display, amended.total)?,
            true => check_display_least(instrument, amended.display, amended.total)?,
            false => {}
        }
        self.check_profile(order.account, order.venue)?;
        if self.admission.restricts {
            self.check_cap(order.account, order.venue, instrument)?;
        }
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
            let reach = self.eligibility_of(order.account, order.venue).reach;
            self.check_post_only(instrument, order.side, price, reach)?;
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
            rests: true,
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
        to: &Amended,
        lots: Qty,
        per_lot: Amount,
    ) {
        let filled = order.total - order.remaining;
        let moved = RestingOrder { price: to.price, total: filled + lots, remaining: lots, ..*order };
        self.remove_resting(step.sequence, slot, order);
        let event = step.push_order(EventKind::OrderAmended, &moved);
        if to.display != Qty::ZERO {
            tell_display(event, to.display);
        }
        let at = moved.instrument.index();
        let eligibility = self.eligibility_of(moved.account, moved.venue);
        let display = to.display;
        let mut incoming = Incoming { order: moved, at, per_lot, display, eligibility };
        self.work(step, &mut incoming);
    }
}
