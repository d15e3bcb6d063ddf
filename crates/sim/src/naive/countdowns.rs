//! Section 14: cancel-all-after.

use super::events::Cause;
use super::refusal::{Refusal, check};
use super::state::World;
use super::triggers::Trigger;
use xos_protocol::{CancelReason, CommandRecord, EventKind, EventRecord, Flags, Int128, Reject};

const DAY_MS: i64 = 86_400_000;

impl World {
    pub(super) fn cancel_all_after(
        &mut self,
        cause: &Cause,
        command: &CommandRecord,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Refusal> {
        let (account, countdown_ms) = (command.account, command.qty);
        let is_within = (0..=DAY_MS).contains(&countdown_ms);
        check(is_within, Reject::CountdownOutOfBounds, countdown_ms, DAY_MS)?;
        self.countdowns.remove(&account);
        let mut deadline_ns = 0;
        if countdown_ms > 0 {
            deadline_ns = cause.time_ns.saturating_add(countdown_ms as u64 * 1_000_000);
            self.countdowns.insert(account, deadline_ns);
        }
        events.push(EventRecord {
            account,
            qty: countdown_ms,
            amount: Int128::new(deadline_ns.into()),
            ..cause.event(EventKind::CancelAllAfterSet)
        });
        Ok(())
    }

    /// Countdowns whose deadline has come, the earliest first.
    pub(super) fn run_out_countdowns(&mut self, cause: &Cause, events: &mut Vec<EventRecord>) {
        let mut due: Vec<(u64, u32)> = self.countdowns.iter().map(|(&account, &at)| (at, account)).collect();
        due.retain(|&(deadline_ns, _)| deadline_ns <= cause.time_ns);
        due.sort_unstable();
        for (_, account) in due {
            self.countdowns.remove(&account);
            let opens = |trigger: &Trigger| {
                trigger.account == account && !trigger.flags.has(Flags::REDUCE_ONLY) && trigger.entry == 0
            };
            let waiting = self.triggers.iter().filter(|trigger| opens(trigger)).count();
            let orders = self.take_out(|order| order.account == account);
            let qty = i64::try_from(orders.len() + waiting).expect("orders are bounded");
            events.push(EventRecord { account, qty, ..cause.event(EventKind::CancelAllAfterFired) });
            self.cancel_triggers(cause, CancelReason::CancelAllAfter, opens, events);
            for order in orders {
                self.cancelled(cause, &order, CancelReason::CancelAllAfter, events);
            }
        }
    }
}
