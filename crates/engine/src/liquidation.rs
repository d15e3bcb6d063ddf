//! Liquidation: which accounts must be looked at, in what order, and how many at a time. What happens to one that
//! is below its maintenance requirement stands in [`ladder`].

mod adl;
mod clocks;
mod conversion;
mod health;
mod ladder;
mod pending;
mod rounds;
mod slices;
mod terms;
mod views;

pub(crate) use clocks::Clock;
pub use conversion::Convertible;
pub(crate) use conversion::DEBT_UNBOUNDED;
pub(crate) use ladder::LIQUIDATION_ORDER;
pub(crate) use pending::Trader;
pub(crate) use terms::LiquidationTerms;
pub use views::{DeleveragingView, LiquidationView};

use crate::engine::Engine;
use crate::holders::AccountSet;
use crate::step::{Step, wide};
use std::collections::{BTreeMap, BTreeSet};
use xos_protocol::{EventFlags, EventKind};
use xos_units::AccountId;

/// Next visit of an account that is among the pending ones already.
const OPEN: u64 = 0;
/// Wait for fresh prices.
const WAIT_NS: u64 = 1_000_000_000;

/// Accounts with the time of their next visit.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    by_account: BTreeMap<AccountId, u64>,
    by_time: BTreeSet<(u64, AccountId)>,
}

impl Schedule {
    /// In order of account.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (AccountId, u64)> {
        self.by_account.iter().map(|(account, next_ns)| (*account, *next_ns))
    }

    /// When an account is visited next.
    pub(crate) fn next(&self, account: AccountId) -> Option<u64> {
        self.by_account.get(&account).copied()
    }

    /// Sets the next visit of an account; none: there is none.
    pub(crate) fn set(&mut self, account: AccountId, next_ns: Option<u64>) {
        let before = match next_ns {
            Some(next_ns) => self.by_account.insert(account, next_ns),
            None => self.by_account.remove(&account),
        };
        if let Some(before_ns) = before {
            self.by_time.remove(&(before_ns, account));
        }
        if let Some(next_ns) = next_ns.filter(|next_ns| *next_ns != OPEN) {
            self.by_time.insert((next_ns, account));
        }
    }

    fn is_due(&self, now_ns: u64) -> bool {
        self.by_time.first().is_some_and(|(next_ns, _)| *next_ns <= now_ns)
    }

    /// Accounts whose next visit has come join the pending ones.
    fn gather(&mut self, pending: &mut AccountSet, now_ns: u64) {
        while let Some(&(next_ns, account)) = self.by_time.first()
            && next_ns <= now_ns
        {
            self.set(account, Some(OPEN));
            pending.insert(account);
        }
    }
}

/// Accounts to look at, accounts in liquidation, and accounts that repay.
#[derive(Debug)]
pub(crate) struct Liquidations {
    /// Accounts whose health may have changed.
    pub(crate) pending: AccountSet,
    /// Where the next look starts; it goes round in order of account.
    pub(crate) cursor: AccountId,
    /// Accounts in liquidation.
    pub(crate) visits: Schedule,
    /// Accounts that owe more than they may and have collateral left to sell.
    pub(crate) repayments: Schedule,
    /// Whether any perpetual can be liquidated, and whether any collateral can be converted: until then nothing is looked at.
    pub(crate) wanted: bool,
    pub(crate) converts: bool,
    /// Whether a perpetual frees shortages little by little: only then there are clocks.
    pub(crate) growing: bool,
    /// Of accounts in liquidation.
    pub(crate) clocks: BTreeMap<AccountId, Clock>,
    /// What this look closes at its end; empty between looks.
    bankrupt: rounds::Bankrupt,
}

impl Default for Liquidations {
    fn default() -> Self {
        Self {
            pending: AccountSet::default(),
            cursor: AccountId(1),
            visits: Schedule::default(),
            repayments: Schedule::default(),
            wanted: false,
            converts: false,
            growing: false,
            clocks: BTreeMap::new(),
            bankrupt: rounds::Bankrupt::default(),
        }
    }
}

impl Liquidations {
    fn is_due(&self, now_ns: u64) -> bool {
        self.visits.is_due(now_ns) || self.repayments.is_due(now_ns)
    }

    /// The next account from the cursor on, round the end; it is pending no more.
    fn next(&mut self) -> Option<AccountId> {
        let from_cursor = self.pending.first_from(self.cursor);
        let account = from_cursor.or_else(|| self.pending.first_from(AccountId(1)))?;
        self.pending.remove(account);
        self.cursor = AccountId(account.0 + 1);
        Some(account)
    }
}

impl Engine {
    /// Looks at pending accounts, as many as one command may, and visits those below their requirement.
    #[inline(always)]
    pub(crate) fn look_at_pending(&mut self, step: &mut Step) {
        if self.liquidations.pending.len() > 0 || self.liquidations.is_due(step.time_ns) {
            self.look_at_some(step);
        }
    }

    /// The same at the start of a frame; its events say so.
    #[inline(always)]
    pub(crate) fn look_at_pending_of_time(&mut self, step: &mut Step) {
        if self.liquidations.pending.len() > 0 || self.liquidations.is_due(step.time_ns) {
            let first = step.events.len();
            self.look_at_some(step);
            self.forget_empty_stands();
            for event in &mut step.events[first..] {
                event.flags |= EventFlags::OF_TIME;
            }
        }
    }

    #[cold]
    fn look_at_some(&mut self, step: &mut Step) {
        let liquidations = &mut self.liquidations;
        liquidations.visits.gather(&mut liquidations.pending, step.time_ns);
        liquidations.repayments.gather(&mut liquidations.pending, step.time_ns);
        self.visit_some(step);
        if !self.liquidations.bankrupt.is_empty() && self.violation.is_none() {
            self.close_bankrupt(step);
        }
    }

    fn visit_some(&mut self, step: &mut Step) {
        let (mut looks, mut visits) = (0, 0);
        let mut ahead = 0;
        while looks < self.limits.risk_checks_per_command_max
            && visits < self.limits.liquidations_per_command_max
            && self.violation.is_none()
        {
            if ahead == 0 {
                ahead = self.touch_pending();
            }
            let Some(account) = self.liquidations.next() else { return };
            ahead = ahead.saturating_sub(1);
            looks += 1;
            if self.is_liquidatable(account) {
                if self.waits_for_prices(account) {
                    self.put_off(step, account);
                    continue;
                }
                visits += 1;
                self.visit(step, account);
                ahead = 0;
            } else if self.liquidations.visits.next(account).is_some() {
                self.end_liquidation(step, account);
            } else if self.is_due_to_repay(account) {
                visits += 1;
                self.repay(step, account);
                ahead = 0;
            }
        }
    }

    /// An account whose prices are not fresh and that has a next visit is looked at again a second later; any other when
    /// they are.
    fn put_off(&mut self, step: &Step, account: AccountId) {
        let next_ns = Some(step.time_ns.saturating_add(WAIT_NS));
        let liquidations = &mut self.liquidations;
        for schedule in [&mut liquidations.visits, &mut liquidations.repayments] {
            if schedule.next(account).is_some() {
                schedule.set(account, next_ns);
            }
        }
    }

    pub(crate) fn end_liquidation(&mut self, step: &mut Step, account: AccountId) {
        let health = self.health(account);
        self.liquidations.visits.set(account, None);
        self.liquidations.clocks.remove(&account);
        let event = step.push(EventKind::LiquidationEnded);
        event.account = account.0;
        event.amount = wide(health.equity);
        event.counter_amount = wide(health.maintenance.ceil());
        self.look_at_debt(account);
    }

    /// Reads what the checks of the next pending accounts will need, so that their cache misses overlap. Gives how many.
    fn touch_pending(&self) -> usize {
        if !self.is_large() {
            return usize::MAX;
        }
        let mut next = [AccountId(0); crate::touch::RUN];
        let (mut from, mut count) = (self.liquidations.cursor, 0);
        while count < next.len()
            && let Some(account) = self.liquidations.pending.first_from(from)
        {
            next[count] = account;
            from = AccountId(account.0 + 1);
            count += 1;
        }
        self.touch_accounts(&next[..count]);
        count.max(1)
    }
}
