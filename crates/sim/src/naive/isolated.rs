//! Section 20: isolated accounts.

use super::events::Cause;
use super::refusal::{Refusal, check, check_id, refuse};
use super::state::{Party, SETTLEMENT, World};
use xos_protocol::{CommandRecord, EventKind, EventRecord, Flags, Int128, Reject};

impl World {
    pub(super) fn check_isolated(
        &self,
        command: &CommandRecord,
        next: u32,
    ) -> Result<Option<(u32, u32)>, Refusal> {
        let (id, parent) = (command.instrument, command.order_id);
        if id == 0 && parent == 0 {
            return Ok(None);
        }
        check_id(id, self.instruments.len(), Reject::UnknownInstrument)?;
        check(self.instrument(id).is_perpetual(), Reject::NotAPerpetual, id, 0)?;
        let newest = self.accounts.len() as u64;
        let is_known = parent >= 1 && parent <= newest;
        check(is_known, Reject::UnknownAccount, parent, i128::from(newest))?;
        let parent = parent as u32;
        let is_own = self.account(parent).owner == command.client_id;
        check(is_own, Reject::AnotherOwner, parent, next)?;
        if let Some((grandparent, _)) = self.account(parent).isolated {
            return refuse(Reject::ParentIsIsolated, parent, grandparent);
        }
        for (number, account) in (1..).zip(&self.accounts) {
            let stands = account.isolated == Some((parent, id));
            check(!stands, Reject::IsolatedAccountExists, number, parent)?;
        }
        Ok(Some((parent, id)))
    }

    pub(super) fn check_not_isolated(&self, account: u32) -> Result<(), Refusal> {
        match self.account(account).isolated {
            Some((_, instrument)) => refuse(Reject::AccountIsIsolated, account, instrument),
            None => Ok(()),
        }
    }

    /// Whether an account stands and is isolated.
    pub(super) fn is_isolated(&self, account: u32) -> bool {
        account as usize <= self.accounts.len() && self.account(account).isolated.is_some()
    }

    pub(super) fn check_trades_here(&self, command: &CommandRecord) -> Result<(), Refusal> {
        let (account, instrument) = (command.account, command.instrument);
        let reduces = Flags(command.flags).has(Flags::REDUCE_ONLY);
        let spec = self.instrument(instrument).spec.as_ref();
        match self.account(account).isolated {
            Some((_, own)) => check(own == instrument, Reject::AccountIsIsolated, account, own),
            None => {
                let is_open = !spec.is_some_and(|spec| spec.isolated_only);
                check(is_open || reduces, Reject::InstrumentIsIsolated, instrument, 0)?;
                match self.question_of(instrument) {
                    0 => Ok(()),
                    question => self.check_not_resolver(account, question),
                }
            }
        }
    }

    pub(super) fn check_family(&self, from: u32, to: u32, asset: u32) -> Result<(), Refusal> {
        for (account, other) in [(from, to), (to, from)] {
            if let Some((parent, instrument)) = self.account(account).isolated {
                let is_family = parent == other && asset == SETTLEMENT;
                check(is_family, Reject::AccountIsIsolated, account, instrument)?;
            }
        }
        Ok(())
    }

    /// What an admitted order needs comes from the parent.
    pub(super) fn pull(&mut self, cause: &Cause, account: u32, amount: i128, events: &mut Vec<EventRecord>) {
        if let Some((parent, _)) = self.account(account).isolated
            && amount != 0
        {
            self.move_inside(cause, parent, account, amount, events);
        }
    }

    /// Whoever is isolated and has neither a position nor a resting order has no money either.
    pub(super) fn give_back(&mut self, cause: &Cause, events: &mut Vec<EventRecord>) {
        let cause = Cause { client_id: [0; 32], ..*cause };
        for account in 1..=self.accounts.len() as u32 {
            let Some((parent, instrument)) = self.account(account).isolated else { continue };
            let total = self.total(account, SETTLEMENT);
            if !self.stands_in(account, instrument) && total > 0 {
                self.move_inside(&cause, account, parent, total, events);
            }
        }
    }

    fn move_inside(
        &mut self,
        cause: &Cause,
        from: u32,
        to: u32,
        amount: i128,
        events: &mut Vec<EventRecord>,
    ) {
        self.post(Party::Account(from), Party::Account(to), SETTLEMENT, amount);
        events.push(EventRecord {
            account: from,
            order_id: to.into(),
            instrument: SETTLEMENT,
            amount: Int128::new(amount),
            counter_amount: Int128::new(self.total(from, SETTLEMENT)),
            ..cause.event(EventKind::Transferred)
        });
    }
}
