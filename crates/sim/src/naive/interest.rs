//! Section 26: interest on debts.

use super::events::Cause;
use super::state::{Party, SETTLEMENT, World};
use std::collections::BTreeMap;
use xos_protocol::{EventKind, EventRecord, Int128};

/// Millionths in an atom times hours in a year.
const PARTS: i128 = 1_000_000 * 24 * 365;

/// Where charging stands.
#[derive(Clone, Debug, Default)]
pub(super) struct Charging {
    pub(super) hour: u64,
    pub(super) hours: u32,
    pub(super) next: u32,
    /// By account: what it owed at its last turn, and what was left of an atom.
    pub(super) last_turns: BTreeMap<u32, (i128, i128)>,
}

impl World {
    pub(super) fn interest_ppm(&self) -> i32 {
        match self.assets.first() {
            Some(settlement) => settlement.debt_interest_ppm,
            None => 0,
        }
    }

    /// A tick, after funding.
    pub(super) fn charge_interest(&mut self, cause: &Cause, events: &mut Vec<EventRecord>) {
        if self.interest_ppm() == 0 {
            return;
        }
        let hour = cause.time_ns / 3_600_000_000_000 + 1;
        let before = if self.charging.hour == 0 { hour } else { self.charging.hour };
        self.charging.hour = before;
        if self.charging.next == 0 && hour > before {
            self.charging.hour = hour;
            self.charging.hours = 720.min(hour - before) as u32;
            self.charging.next = 1;
        }
        if self.charging.next == 0 {
            return;
        }
        let newest = self.accounts.len() as u32;
        let most = self.limits.funding_settlements_per_command_max;
        let first = self.charging.next;
        let last = newest.min(first.saturating_add(most).saturating_sub(1));
        for account in first..=last {
            self.charge_account(cause, account, events);
        }
        let looked_at = (last + 1).saturating_sub(first);
        // The turn that has work left when nobody is left ends it.
        self.charging.next = if looked_at < most { 0 } else { last + 1 };
    }

    fn charge_account(&mut self, cause: &Cause, account: u32, events: &mut Vec<EventRecord>) {
        let (owed_before, left) = self.charging.last_turns.get(&account).copied().unwrap_or((0, 0));
        let owes = -self.total(account, SETTLEMENT);
        if owes <= 0 {
            self.charging.last_turns.remove(&account);
            return;
        }
        let hours = i128::from(self.charging.hours);
        let mut debt_hours = owes.min(owed_before) * hours;
        if owes > owed_before {
            debt_hours += owes - owed_before;
        }
        let owed_parts = debt_hours * i128::from(self.interest_ppm()) + left;
        let due = owed_parts.div_euclid(PARTS);
        let paid = due.min(self.health(account).equity).max(0);
        self.charging.last_turns.insert(account, (owes + paid, owed_parts.rem_euclid(PARTS)));
        if paid == 0 {
            return;
        }
        let fund = self.insurance_of(account);
        self.post(Party::Account(account), Party::House(fund), SETTLEMENT, paid);
        events.push(EventRecord {
            account,
            amount: Int128::new(paid),
            counter_amount: Int128::new(self.total(account, SETTLEMENT)),
            ..cause.event(EventKind::InterestCharged)
        });
        self.look_at(account);
        self.look_at_debt(account);
    }
}
