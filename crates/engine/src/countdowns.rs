//! Cancel-all-after: a countdown for an account that its owner starts again and again. If it runs out, because the
//! owner fell silent, the account's resting orders leave.

use crate::engine::Engine;
use crate::step::{Refused, Step, refused, wide};
use crate::triggers::Trigger;
use std::collections::{BTreeMap, BTreeSet};
use xos_protocol::{COUNTDOWN_MS_MAX, CancelReason, CommandRecord, EventKind, Flags, Reject};
use xos_units::{AccountId, Amount};

const NS_PER_MS: u64 = 1_000_000;

/// The countdowns that run: by account for the state, by deadline for the clock.
#[derive(Debug, Default)]
pub(crate) struct Countdowns {
    by_account: BTreeMap<AccountId, u64>,
    by_deadline: BTreeSet<(u64, AccountId)>,
}

impl Countdowns {
    /// Starts a countdown anew; none: stops it.
    pub(crate) fn set(&mut self, account: AccountId, deadline_ns: Option<u64>) {
        let before = match deadline_ns {
            Some(deadline_ns) => self.by_account.insert(account, deadline_ns),
            None => self.by_account.remove(&account),
        };
        if let Some(before_ns) = before {
            self.by_deadline.remove(&(before_ns, account));
        }
        if let Some(deadline_ns) = deadline_ns {
            self.by_deadline.insert((deadline_ns, account));
        }
    }

    /// When the countdown of an account runs out.
    pub(crate) fn deadline_ns(&self, account: AccountId) -> Option<u64> {
        self.by_account.get(&account).copied()
    }

    /// Those that run, in order of account.
    pub(crate) fn running(&self) -> impl ExactSizeIterator<Item = (AccountId, u64)> {
        self.by_account.iter().map(|(account, deadline_ns)| (*account, *deadline_ns))
    }

    #[inline(always)]
    fn due(&self, now_ns: u64) -> Option<AccountId> {
        self.by_deadline
            .first()
            .filter(|(deadline_ns, _)| *deadline_ns <= now_ns)
            .map(|(_, account)| *account)
    }
}

impl Engine {
    pub(crate) fn cancel_all_after(
        &mut self,
        step: &mut Step,
        command: &CommandRecord,
    ) -> Result<(), Refused> {
        let account = self.known_account(command)?;
        if !(0..=COUNTDOWN_MS_MAX).contains(&command.qty) {
            return refused(Reject::CountdownOutOfBounds, command.qty, COUNTDOWN_MS_MAX);
        }
        // ---- Everything is checked. Below this line nothing fails. ----
        let wait_ns = command.qty.unsigned_abs() * NS_PER_MS;
        let deadline_ns = (command.qty > 0).then(|| step.time_ns.saturating_add(wait_ns));
        self.countdowns.set(account, deadline_ns);
        let event = step.push(EventKind::CancelAllAfterSet);
        event.account = account.0;
        event.qty = command.qty;
        event.amount = wide(Amount(deadline_ns.unwrap_or(0).into()));
        Ok(())
    }

    /// Takes out the orders of the accounts whose countdown has run out.
    #[inline(always)]
    pub(crate) fn fire_countdowns(&mut self, step: &mut Step) {
        while let Some(account) = self.countdowns.due(step.time_ns) {
            self.fire_countdown(step, account);
        }
    }

    #[cold]
    fn fire_countdown(&mut self, step: &mut Step, account: AccountId) {
        self.countdowns.set(account, None);
        let slots = self.orders_of(account, None, None);
        // What only reduces protects an account whose owner is silent.
        let opens = |trigger: &Trigger| trigger.flags & Flags::REDUCE_ONLY == 0 && trigger.entry.0 == 0;
        let waiting = self.triggers_of(account, None, opens);
        let event = step.push(EventKind::CancelAllAfterFired);
        event.account = account.0;
        event.qty = (slots.len() + waiting.len()) as i64;
        for id in waiting {
            self.cancel_trigger(step, id, CancelReason::CancelAllAfter);
        }
        for slot in slots {
            self.cancel_resting(step, slot, CancelReason::CancelAllAfter);
        }
        self.forget_empty_stands();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_countdown_replaces_the_old_one() {
        let mut countdowns = Countdowns::default();
        countdowns.set(AccountId(1), Some(20));
        countdowns.set(AccountId(2), Some(10));
        countdowns.set(AccountId(2), Some(30));
        assert_eq!((countdowns.due(19), countdowns.due(20)), (None, Some(AccountId(1))));
        countdowns.set(AccountId(1), None);
        assert_eq!((countdowns.due(29), countdowns.due(30)), (None, Some(AccountId(2))));
        assert_eq!(countdowns.running().collect::<Vec<_>>(), [(AccountId(2), 30)]);
    }
}
