//! Isolated accounts: an account of its own for one perpetual, which its parent pays for and never answers for.

use crate::account::{Class, Isolated};
use crate::engine::Engine;
use crate::instrument::Instrument;
use crate::margin::reduces;
use crate::orders::Admitted;
use crate::shape::PlaceWords;
use crate::step::{Refused, Step, refused};
use xos_ledger::{Party, Reason, SETTLEMENT};
use xos_protocol::{CommandRecord, Flags, Reject, Tif};
use xos_units::{AccountId, Amount, AssetId, InstrumentId, Qty};

impl Engine {
    /// What an open_account says of isolation: both its fields or neither.
    pub(crate) fn check_isolated(
        &self,
        command: &CommandRecord,
        next: AccountId,
    ) -> Result<Option<Isolated>, Refused> {
        if command.instrument == 0 && command.order_id == 0 {
            return Ok(None);
        }
        let Some(instrument) = self.instruments.get(command.instrument().index()) else {
            return refused(Reject::UnknownInstrument, command.instrument, self.instruments.len() as i128);
        };
        if instrument.class() != Class::Perpetual {
            return refused(Reject::NotAPerpetual, command.instrument, 0);
        }
        let newest = self.accounts.len();
        let parent = match u32::try_from(command.order_id) {
            Ok(parent) if (1..=newest).contains(&(parent as usize)) => AccountId(parent),
            _ => return refused(Reject::UnknownAccount, command.order_id, newest as i128),
        };
        let account = &self.accounts[parent.index()];
        if self.owner_ids[account.owner.0 as usize] != command.client_id {
            return refused(Reject::AnotherOwner, parent.0, next.0);
        }
        if let Some(isolated) = account.isolated {
            return refused(Reject::ParentIsIsolated, parent.0, isolated.parent.0);
        }
        if let Some(child) = self.isolated.get(&(parent, instrument.id)) {
            return refused(Reject::IsolatedAccountExists, child.0, parent.0);
        }
        Ok(Some(Isolated { parent, instrument: instrument.id }))
    }

    /// Deposits, withdrawals and complete sets are not for isolated accounts.
    pub(crate) fn check_not_isolated(&self, id: AccountId) -> Result<(), Refused> {
        match self.accounts[id.index()].isolated {
            Some(isolated) => refused(Reject::AccountIsIsolated, id.0, isolated.instrument.0),
            None => Ok(()),
        }
    }

    /// An isolated account trades its own perpetual, and some perpetuals are for isolated accounts.
    #[cold]
    pub(crate) fn check_trades_here(
        &self,
        id: AccountId,
        instrument: &Instrument,
        reduces: bool,
    ) -> Result<(), Refused> {
        match self.accounts[id.index()].isolated {
            Some(isolated) if isolated.instrument != instrument.id => {
                refused(Reject::AccountIsIsolated, id.0, isolated.instrument.0)
            }
            Some(_) => Ok(()),
            None => match instrument.question() {
                Some(question) => self.check_no_resolver(id, question),
                // A tranche may have a position there, and can close it.
                None if instrument.is_restricted && !reduces => {
                    refused(Reject::InstrumentIsIsolated, instrument.id.0, 0)
                }
                None => Ok(()),
            },
        }
    }

    /// Of isolated accounts only the settlement asset, and only to or from the parent, is transferred.
    pub(crate) fn check_family(&self, from: AccountId, to: AccountId, asset: AssetId) -> Result<(), Refused> {
        for (id, other) in [(from, to), (to, from)] {
            if let Some(isolated) = self.accounts[id.index()].isolated
                && (isolated.parent != other || asset != SETTLEMENT)
            {
                return refused(Reject::AccountIsIsolated, id.0, isolated.instrument.0);
            }
        }
        Ok(())
    }

    /// An order of an isolated account that misses margin passes if its parent may let exactly that go.
    #[cold]
    #[inline(never)]
    pub(crate) fn admit_with_parent(
        &self,
        time_ns: u64,
        command: &CommandRecord,
        words: &PlaceWords,
        why: Refused,
    ) -> Result<Admitted, Refused> {
        let Some(isolated) = self.accounts[command.account().index()].isolated else { return Err(why) };
        let missing = Amount(why.value);
        // The plan of a fill-or-kill order counts on every account as it stands.
        let is_other = why.reject != Reject::InsufficientMargin || words.tif == Tif::Fok;
        // What reduces is paid by who holds it: its losses stay in the isolated account.
        let key = self.instruments[isolated.instrument.index()].key;
        let (position, _) = self.stand_of(command.account(), key, words.side);
        let lots = if words.flags.has(Flags::REDUCE_ONLY) { Qty::ZERO } else { command.qty() };
        if is_other
            || reduces(position, words.side, lots)
            || self.available(isolated.parent, SETTLEMENT) < missing
        {
            return Err(why);
        }
        let (lots, per_lot) = self.check_place(time_ns, command, words, missing)?;
        Ok(Admitted { lots, per_lot, pulled: missing })
    }

    /// What an admitted order needs comes from the parent.
    #[cold]
    pub(crate) fn pull(&mut self, step: &mut Step, child: AccountId, amount: Amount) {
        if let Some(isolated) = self.accounts[child.index()].isolated {
            self.move_inside(step, isolated.parent, child, amount);
            // It may come to nothing: neither a fill nor a rest.
            self.idle.push(child);
        }
    }

    /// Isolated accounts without position and order give back what they have, in order of account.
    #[cold]
    pub(crate) fn give_back(&mut self, step: &mut Step, flags: u8) {
        let mut idle = std::mem::take(&mut self.idle);
        idle.sort_unstable();
        idle.dedup();
        let first = step.events.len();
        let mut own = Step {
            sequence: step.sequence,
            time_ns: step.time_ns,
            client_id: &[0; 32],
            events: &mut *step.events,
        };
        for child in idle {
            let account = &self.accounts[child.index()];
            let total = self.ledger.settlement(child).total;
            if let Some(isolated) = account.isolated
                && account.stands.is_empty()
                && total > Amount::ZERO
            {
                self.move_inside(&mut own, child, isolated.parent, total);
            }
        }
        for event in &mut step.events[first..] {
            event.flags |= flags;
        }
    }

    fn move_inside(&mut self, step: &mut Step, from: AccountId, to: AccountId, amount: Amount) {
        let (giver, taker) = (Party::User(from), Party::User(to));
        let result = self.ledger.post(giver, taker, SETTLEMENT, amount, Reason::Transfer, step.sequence);
        self.money(step.sequence, result);
        self.emit_transferred(step, from, to, SETTLEMENT, amount);
    }

    /// Makes a restored account isolated; false if it cannot be.
    pub(crate) fn isolate(&mut self, id: AccountId, isolated: Isolated) -> bool {
        let Isolated { parent, instrument } = isolated;
        let found = self.instruments.get(instrument.index());
        let is_perpetual = found.is_some_and(|found| found.class() == Class::Perpetual);
        let is_parent = parent < id && self.accounts[parent.index()].isolated.is_none();
        self.accounts[id.index()].isolated = Some(isolated);
        is_perpetual && is_parent && self.isolated.insert((parent, instrument), id).is_none()
    }

    /// Whether an account exists and is isolated.
    pub(crate) fn is_isolated(&self, id: AccountId) -> bool {
        self.accounts.get(id.index()).is_some_and(|account| account.isolated.is_some())
    }

    /// Parent and perpetual of an isolated account.
    pub fn isolated(&self, id: AccountId) -> Option<(AccountId, InstrumentId)> {
        let isolated = self.accounts.get(id.index())?.isolated?;
        Some((isolated.parent, isolated.instrument))
    }

    /// The isolated accounts of an account, in order of perpetual.
    pub fn isolated_accounts(&self, parent: AccountId) -> Vec<(InstrumentId, AccountId)> {
        let range = (parent, InstrumentId(0))..=(parent, InstrumentId(u32::MAX));
        self.isolated.range(range).map(|((_, instrument), child)| (*instrument, *child)).collect()
    }
}
