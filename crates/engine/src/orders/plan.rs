//! The plan of a fill-or-kill order: what would fill, without touching anything. It counts losses and no gains, so
//! whatever it counts will fill.

use crate::engine::Engine;
use crate::margin::{reduces, reducible};
use crate::orders::is_reduce_only;
use crate::orders::place::Asked;
use crate::step::{Refused, refused};
use std::collections::BTreeMap;
use xos_book::RestingOrder;
use xos_protocol::{Flags, Reject, SelfTrade, Side};
use xos_units::{AccountId, Amount, Qty};

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

impl Engine {
    /// Refuses a fill-or-kill order whose whole quantity cannot fill now.
    pub(crate) fn check_fillable(&self, asked: &Asked, mode: SelfTrade, time_ns: u64) -> Result<(), Refused> {
        let owner = self.accounts[asked.account.index()].owner;
        let book = &asked.instrument.book;
        let (mut found, mut meetings) = (Qty::ZERO, 0);
        let mut plan = Plan::new();
        let mut next = book.front(asked.side.opposite()).map(|(_, slot)| slot);
        while let Some(slot) = next
            && found < asked.lots
        {
            let resting = self.pool.order(slot);
            let reached = match asked.side {
                Side::Buy => resting.price <= asked.price,
                Side::Sell => resting.price >= asked.price,
            };
            if !reached || meetings == self.limits.matches_per_command_max {
                break;
            }
            let halt = asked.instrument.halt.as_ref();
            if halt.is_some_and(|halt| halt.stops(time_ns, asked.side, resting.price).is_some()) {
                break;
            }
            meetings += 1;
            next = book.after(&self.pool, slot);
            if resting.owner == owner && mode != SelfTrade::None {
                if mode == SelfTrade::CancelMaker {
                    continue;
                }
                break;
            }
            found += self.countable(asked, resting, asked.lots - found, time_ns, &mut plan);
        }
        if found < asked.lots {
            return refused(Reject::FokNotFillable, found.0, asked.lots.0);
        }
        Ok(())
    }

    /// Lots of a resting order that the plan can count on.
    fn countable(
        &self,
        asked: &Asked,
        resting: &RestingOrder,
        wanted: Qty,
        time_ns: u64,
        plan: &mut Plan,
    ) -> Qty {
        let instrument = asked.instrument;
        if resting.price > instrument.band_high || resting.price < instrument.band_low {
            return Qty::ZERO;
        }
        let mut lots = wanted.min(resting.remaining);
        let protected = resting.flags & Flags::PROTECTED != 0 && resting.account != asked.account;
        let needs_book_keeping =
            is_reduce_only(resting) || protected || instrument.class() != crate::account::Class::Spot;
        if !needs_book_keeping {
            return lots;
        }
        let (position, _) = self.stand_of(resting.account, instrument.key, resting.side);
        let before = plan.get(&resting.account).copied().unwrap_or_default();
        // It will be gone once what was counted before breaches its protection.
        if protected
            && before.protected > Qty::ZERO
            && self
                .protections
                .get(&(resting.account, instrument.id))
                .is_some_and(|protection| protection.is_breached_by(time_ns, resting.side, before.protected))
        {
            return Qty::ZERO;
        }
        if is_reduce_only(resting) {
            // Trades of the account with itself move no position.
            let used = if resting.account == asked.account { Qty::ZERO } else { before.lots };
            lots = lots.min(reducible(position, resting.side) - used);
            if lots <= Qty::ZERO {
                return Qty::ZERO;
            }
        }
        let mut loss = Amount::ZERO;
        if resting.account != asked.account && instrument.class() != crate::account::Class::Spot {
            loss = self.loss_of_fill(instrument, resting.side, resting.price, lots);
            let reducing = reduces(position, resting.side, before.lots + lots);
            if !(reducing && loss == Amount::ZERO) {
                let margin = self.margin(resting.account);
                let bears = reducing && margin.bears(instrument, before.losses, loss, lots);
                if !bears && !margin.covers(before.losses + loss) {
                    return Qty::ZERO;
                }
            }
        }
        let planned = Planned {
            lots: before.lots + lots,
            losses: before.losses + loss,
            protected: before.protected + if protected { lots } else { Qty::ZERO },
        };
        plan.insert(resting.account, planned);
        lots
    }
}
