//! Icebergs: orders that show a part of their lots at a time. In the pool and the book they stand with the lots that
//! are shown; what is hidden is here, and counts wherever money does.

use crate::engine::Engine;
use crate::instrument::Instrument;
use crate::orders::amend::Amended;
use crate::shape::PlaceWords;
use crate::step::{Refused, Step, refused, wide};
use xos_book::{RestingOrder, Slot};
use xos_protocol::{CommandRecord, EventFlags, EventKind, EventRecord, Flags, Reject, Tif};
use xos_units::{Amount, OrderId, Qty};

/// Most slices that an order may have.
const SLICES_MAX: i64 = 100;

/// What a resting iceberg does not show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Iceberg {
    /// Lots that it shows at a time.
    pub(crate) display: Qty,
    /// Lots behind those that are shown.
    pub(crate) hidden: Qty,
}

impl Iceberg {
    /// Slices that are still hidden.
    pub(crate) fn slices(&self) -> u32 {
        let slices = (self.hidden.0 + self.display.0 - 1) / self.display.0;
        u32::try_from(slices).unwrap_or(u32::MAX)
    }
}

/// 353 and 354: a display quantity within its bounds for a total.
pub(crate) fn check_display(instrument: &Instrument, display: Qty, total: Qty) -> Result<(), Refused> {
    check_display_least(instrument, display, total)?;
    if display >= total {
        return refused(Reject::DisplayNotBelowTotal, display.0, total.0);
    }
    Ok(())
}

pub(crate) fn check_display_least(instrument: &Instrument, display: Qty, total: Qty) -> Result<(), Refused> {
    let least = instrument.qty_min.max(Qty((total.0 + SLICES_MAX - 1) / SLICES_MAX));
    if display < least {
        return refused(Reject::DisplayTooSmall, display.0, least.0);
    }
    Ok(())
}

/// 351 to 354 of a place with a display quantity.
#[cold]
pub(crate) fn check_iceberg(
    instrument: &Instrument,
    command: &CommandRecord,
    words: &PlaceWords,
) -> Result<(), Refused> {
    if !matches!(words.tif, Tif::Gtc | Tif::Gtd) || words.flags.has(Flags::MARKET) {
        return refused(Reject::DisplayTif, words.tif.code(), 0);
    }
    if words.flags.has(Flags::REDUCE_ONLY) {
        return refused(Reject::DisplayReduceOnly, words.display.0, 0);
    }
    check_display(instrument, words.display, command.qty())
}

/// Says in the event of an order how much of it is shown at a time.
pub(crate) fn tell_display(event: &mut EventRecord, display: Qty) {
    event.amount = wide(Amount(display.0.into()));
}

impl Engine {
    /// Every iceberg rests, shows at least a lot and no more than it says; every order that is one is known.
    pub(crate) fn audit_icebergs(&self) -> Result<(), String> {
        for (id, iceberg) in &self.icebergs {
            let order = self.pool.find(*id).map(|slot| self.pool.order(slot));
            let sound = order.is_some_and(|order| order.is_iceberg && order.remaining <= iceberg.display);
            if !sound || iceberg.hidden < Qty::ZERO {
                return Err(format!("iceberg {} does not rest as it should", id.0));
            }
        }
        Ok(())
    }

    /// What an iceberg hides; of other orders nothing.
    pub(crate) fn iceberg(&self, id: OrderId) -> Iceberg {
        let none = Iceberg { display: Qty::ZERO, hidden: Qty::ZERO };
        self.icebergs.get(&id).copied().unwrap_or(none)
    }

    #[cold]
    pub(crate) fn hidden(&self, id: OrderId) -> Qty {
        self.iceberg(id).hidden
    }

    /// The order in a slot with all its lots, hidden ones too.
    #[inline(always)]
    pub(crate) fn whole_order(&self, slot: Slot) -> RestingOrder {
        let mut order = *self.pool.order(slot);
        if order.is_iceberg {
            order.remaining += self.hidden(order.id);
        }
        order
    }

    /// Hides all but the first lots of an order that rests with all of them.
    #[cold]
    pub(crate) fn hide(&mut self, id: OrderId, display: Qty, shown: Qty) {
        let slot = self.pool.find(id).expect("it rests");
        let order = *self.pool.order(slot);
        let hidden = order.remaining - shown;
        if hidden > Qty::ZERO {
            self.instruments[order.instrument.index()].group_mut(order.profile).shrink(
                &mut self.pool,
                slot,
                hidden,
            );
        }
        self.pool.order_mut(slot).is_iceberg = true;
        self.icebergs.insert(id, Iceberg { display, hidden });
    }

    /// Shows the next lots of an iceberg whose shown ones are used up, at the back of its level.
    #[cold]
    pub(crate) fn replenish(&mut self, slot: Slot) {
        let order = *self.pool.order(slot);
        let iceberg = self.icebergs.get_mut(&order.id).expect("it hides lots");
        let shown = iceberg.hidden.min(iceberg.display);
        iceberg.hidden -= shown;
        self.instruments[order.instrument.index()].group_mut(order.profile).replenish(
            &mut self.pool,
            slot,
            shown,
        );
    }

    /// Tells that an iceberg was replenished.
    #[cold]
    pub(crate) fn emit_replenished(&self, step: &mut Step, slot: Slot) {
        let order = self.pool.order(slot);
        let remaining = order.remaining + self.hidden(order.id);
        let event = step.push_order(EventKind::OrderReplenished, order);
        event.flags = 0;
        (event.qty, event.remaining) = (order.remaining.0, remaining.0);
    }

    /// A smaller total or another display quantity of an iceberg that keeps its place. `order` has all its lots.
    #[cold]
    pub(crate) fn reshape_iceberg(
        &mut self,
        step: &mut Step,
        slot: Slot,
        order: &RestingOrder,
        amended: &Amended,
    ) {
        let less = order.total - amended.total;
        let remaining = order.remaining - less;
        if less > Qty::ZERO {
            self.unreserve(step.sequence, order, less);
        }
        let before = self.pool.order(slot).remaining;
        let shown = before.min(amended.display).min(remaining);
        if shown < before {
            let book = self.instruments[order.instrument.index()].group_mut(order.profile);
            book.shrink(&mut self.pool, slot, before - shown);
        }
        self.pool.order_mut(slot).total = amended.total;
        self.icebergs.insert(order.id, Iceberg { display: amended.display, hidden: remaining - shown });
        if let Some(question) = self.instruments[order.instrument.index()].question() {
            self.refresh_worst_case(order.account, question);
        }
        let event = step.push_order(EventKind::OrderAmended, &self.whole_order(slot));
        event.flags |= EventFlags::KEPT_PRIORITY;
        tell_display(event, amended.display);
    }
}
