//! Section 23: orders that show a part of their lots at a time.

use super::events::Cause;
use super::refusal::{Refusal, check};
use super::state::{Order, World};
use xos_protocol::{EventRecord, Flags, Reject, Tif};

impl World {
    /// 351 to 354.
    pub(super) fn check_iceberg(&self, order: &Order) -> Result<(), Refusal> {
        if order.display == 0 {
            return Ok(());
        }
        let rests = matches!(order.tif, Tif::Gtc | Tif::Gtd) && !order.flags.has(Flags::MARKET);
        check(rests, Reject::DisplayTif, order.tif.code(), 0)?;
        check(!order.is_reduce_only(), Reject::DisplayReduceOnly, order.display, 0)?;
        self.check_display(order)
    }

    /// 353 and 354.
    pub(super) fn check_display(&self, order: &Order) -> Result<(), Refusal> {
        self.check_display_least(order)?;
        check(order.display < order.total, Reject::DisplayNotBelowTotal, order.display, order.total)
    }

    /// 353.
    pub(super) fn check_display_least(&self, order: &Order) -> Result<(), Refusal> {
        let hundredth = order.total / 100 + i64::from(order.total % 100 != 0);
        let least = hundredth.max(self.instrument(order.instrument).terms.qty_min_lots);
        check(order.display >= least, Reject::DisplayTooSmall, order.display, least)
    }

    /// If all shown lots of this order are used up, its next ones come last among those of their price.
    pub(super) fn replenish(&mut self, cause: &Cause, id: u64, events: &mut Vec<EventRecord>) {
        let Some(at) = self.orders.iter().position(|order| order.id == id) else { return };
        if self.orders[at].visible() > 0 {
            return;
        }
        let mut order = self.orders.remove(at);
        order.shown = order.display.min(order.remaining);
        events.push(cause.replenished(&order));
        self.orders.push(order);
    }
}
