//! Section 26: interest on debts.

use super::events::Cause;
use super::money::div_up;
use super::state::{Party, SETTLEMENT, World};
use xos_protocol::{EventKind, EventRecord, Int128};

/// Where charging stands.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Charging {
    pub(super) hour: u64,
    pub(super) hours: u32,
    pub(super) next: u32,
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
            self.charging = Charging { hour, hours: 720.min(hour - before) as u32, next: 1 };
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
        let owed = -self.total(account, SETTLEMENT);
        if owed <= 0 {
            return;
        }
        let rate = i128::from(self.interest_ppm()) * i128::from(self.charging.hours);
        let due = div_up(owed * rate, 1_000_000 * 365 * 24);
        let paid = due.min(self.health(account).equity).max(0);
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
