//! The plan of a fill-or-kill order: what would fill, without touching anything. It counts losses and no gains, so
//! whatever it counts will fill.

use crate::account::Class;
use crate::engine::Engine;
use crate::margin::{Reduced, reduces, reducible};
use crate::orders::Iceberg;
use crate::orders::is_reduce_only;
use crate::orders::place::Asked;
use crate::step::{Refused, refused};
use std::collections::{BTreeMap, VecDeque};
use std::iter::Peekable;
use xos_book::{RestingOrder, Slot};
use xos_protocol::{Flags, Reject, SelfTrade, Side};
use xos_units::{AccountId, Amount, Price, Qty};

/// What the plan already asks of one account.
#[derive(Clone, Copy, Default)]
struct Planned {
    lots: Qty,
    losses: Amount,
    /// Of the lots, those of flagged orders.
    protected: Qty,
}

/// By account; a tree, because a plan may meet thousands.
type Plan = BTreeMap<AccountId, Planned>;

/// Why the plan does not count on an order.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Skipped {
    /// It will leave, or be gone.
    Leaves,
    /// Its owner may not afford the fill; a gain before it, which is not counted, may change that.
    Unaffordable,
}

/// An order, or a slice of an iceberg, as the incoming order would meet it.
#[derive(Clone, Copy)]
pub(super) struct Met {
    pub(super) slot: Slot,
    pub(super) lots: Qty,
    /// What stands behind these lots.
    pub(super) behind: Iceberg,
    /// These lots were hidden before.
    pub(super) again: bool,
}

/// The way through a book: level by level, oldest first, icebergs again at the back of their level.
pub(super) struct Walk<'a> {
    queue: Peekable<Box<dyn Iterator<Item = Slot> + 'a>>,
    price: Price,
    again: VecDeque<(Slot, Iceberg)>,
}

impl<'a> Walk<'a> {
    pub(super) fn over(queue: impl Iterator<Item = Slot> + 'a) -> Self {
        let queue: Box<dyn Iterator<Item = Slot> + 'a> = Box::new(queue);
        Self { queue: queue.peekable(), price: Price::ZERO, again: VecDeque::new() }
    }

    /// What stands behind lots that were counted will be met again.
    pub(super) fn counted(&mut self, met: &Met) {
        if met.behind.hidden > Qty::ZERO {
            self.again.push_back((met.slot, met.behind));
        }
    }
}

impl Engine {
    /// Refuses a fill-or-kill order whose whole quantity cannot fill now.
    pub(crate) fn check_fillable(&self, asked: &Asked, mode: SelfTrade, time_ns: u64) -> Result<(), Refused> {
        if asked.instrument.implied {
            return self.check_fillable_with_implied(asked, mode, time_ns);
        }
        let owner = self.accounts[asked.account.index()].owner;
        let reach = self.eligibility_of(asked.account, asked.venue).reach;
        let (mut found, mut shown, mut meetings) = (Qty::ZERO, Qty::ZERO, 0u32);
        let mut plan = Plan::new();
        let queue = asked.instrument.queue(&self.pool, asked.side.opposite(), reach);
        let mut walk = Walk::over(queue);
        while found < asked.lots
            && let Some(met) = self.meet(&mut walk)
        {
            let resting = self.pool.order(met.slot);
            let reached = match asked.side {
                Side::Buy => resting.price <= asked.price,
                Side::Sell => resting.price >= asked.price,
            };
            if !reached || meetings >= self.limits.matches_per_command_max {
                break;
            }
            let halt = asked.instrument.halt.as_ref();
            if halt.is_some_and(|halt| halt.stops(time_ns, asked.side, resting.price).is_some()) {
                break;
            }
            meetings += 1;
            if resting.owner == owner && mode != SelfTrade::None {
                if mode == SelfTrade::CancelMaker {
                    continue;
                }
                break;
            }
            let wanted = met.lots.min(asked.lots - found);
            match self.countable(asked, resting, wanted, time_ns, &mut plan) {
                Ok(lots) => {
                    found += lots;
                    shown += if met.again { Qty::ZERO } else { lots };
                    walk.counted(&met);
                }
                Err(Skipped::Leaves) => {}
                Err(Skipped::Unaffordable) if met.behind.hidden > Qty::ZERO => {
                    meetings = meetings.saturating_add(met.behind.slices());
                }
                Err(Skipped::Unaffordable) => {}
            }
        }
        if found < asked.lots {
            // A refused order does not measure what is hidden.
            return refused(Reject::FokNotFillable, shown.0, asked.lots.0);
        }
        Ok(())
    }

    /// The next meeting: the rest of the level, then its icebergs again, then the next level.
    pub(super) fn meet(&self, walk: &mut Walk) -> Option<Met> {
        let next = walk.queue.peek().map(|&slot| (slot, self.pool.order(slot)));
        if let Some((slot, order)) = next
            && (order.price == walk.price || walk.again.is_empty())
        {
            walk.queue.next();
            walk.price = order.price;
            let behind = if order.is_iceberg {
                self.iceberg(order.id)
            } else {
                Iceberg { display: Qty::ZERO, hidden: Qty::ZERO }
            };
            return Some(Met { slot, lots: order.remaining, behind, again: false });
        }
        let (slot, iceberg) = walk.again.pop_front()?;
        let lots = iceberg.display.min(iceberg.hidden);
        let behind = Iceberg { hidden: iceberg.hidden - lots, ..iceberg };
        Some(Met { slot, lots, behind, again: true })
    }

    /// Lots that the plan can count on, of those of a resting order that it wants.
    fn countable(
        &self,
        asked: &Asked,
        resting: &RestingOrder,
        wanted: Qty,
        time_ns: u64,
        plan: &mut Plan,
    ) -> Result<Qty, Skipped> {
        let instrument = asked.instrument;
        if resting.price > instrument.band_high || resting.price < instrument.band_low {
            return Err(Skipped::Leaves);
        }
        let mut lots = wanted;
        let is_spot = instrument.class() == Class::Spot;
        let is_foreign = resting.account != asked.account;
        let protected = resting.flags & Flags::PROTECTED != 0 && is_foreign;
        let is_broke = || is_spot && is_foreign && !self.margin(resting.account).covers(Amount::ZERO);
        let needs_book_keeping = is_reduce_only(resting) || protected || !is_spot;
        if !needs_book_keeping {
            return if is_broke() { Err(Skipped::Unaffordable) } else { Ok(lots) };
        }
        let (position, _) = self.stand_of(resting.account, instrument.key, resting.side);
        let before = plan.get(&resting.account).copied().unwrap_or_default();
        // It will be gone once what was counted before breaches its protection.
        if protected
            && before.protected > Qty::ZERO
            && self
                .protections
                .get(&(instrument.id, resting.account))
                .is_some_and(|protection| protection.is_breached_by(time_ns, resting.side, before.protected))
        {
            return Err(Skipped::Leaves);
        }
        if is_reduce_only(resting) {
            // Trades of the account with itself move no position.
            let used = if resting.account == asked.account { Qty::ZERO } else { before.lots };
            lots = lots.min(reducible(position, resting.side) - used);
            if lots <= Qty::ZERO {
                return Err(Skipped::Leaves);
            }
        }
        if is_broke() {
            return Err(Skipped::Unaffordable);
        }
        let mut loss = Amount::ZERO;
        if is_foreign && !is_spot {
            loss = self.loss_of_fill(instrument, resting.side, resting.price, lots);
            let reducing = reduces(position, resting.side, before.lots + lots);
            let margin = self.margin(resting.account);
            let reduced = Reduced { position, before: before.lots };
            let equity = margin.equity - before.losses;
            let bears = reducing && self.bears(resting.account, instrument, equity, reduced, loss, lots);
            if !bears && !margin.covers(before.losses + loss) {
                return Err(Skipped::Unaffordable);
            }
        }
        let planned = Planned {
            lots: before.lots + lots,
            losses: before.losses + loss,
            protected: before.protected + if protected { lots } else { Qty::ZERO },
        };
        plan.insert(resting.account, planned);
        Ok(lots)
    }
}
