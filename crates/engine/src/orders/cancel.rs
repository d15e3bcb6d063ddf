//! Cancel and mass cancel: they work in every state in which orders rest.

use crate::engine::Engine;
use crate::shape;
use crate::step::{Refused, Step, refused};
use xos_book::{NO_SLOT, Slot};
use xos_protocol::{CancelReason, CommandKind, CommandRecord, EventKind, EventRecord, Reject, Side};
use xos_units::{AccountId, InstrumentId};

impl Engine {
    pub(crate) fn cancel(&mut self, step: &mut Step, command: &CommandRecord) -> Result<(), Refused> {
        shape::cancel(command)?;
        self.known_account(command)?;
        match self.named_order(command) {
            // ---- Everything is checked. Below this line nothing fails. ----
            Ok(slot) if self.is_uncrossing(self.pool.order(slot).instrument) => {
                return refused(Reject::InstrumentUncrossing, self.pool.order(slot).instrument.0, 0);
            }
            Ok(slot) => self.cancel_resting(step, slot, CancelReason::Requested),
            Err(refused) => self.cancel_waiting(step, command, refused)?,
        }
        Ok(())
    }

    /// The resting order that a cancel or amend names, by id or by client id.
    #[inline(always)]
    pub(crate) fn named_order(&self, command: &CommandRecord) -> Result<Slot, Refused> {
        let slot = if command.order_id != 0 {
            self.pool.find(command.order_id())
        } else if command.has_client_id() {
            self.find_by_client_id(command)
        } else {
            None
        };
        match slot {
            Some(slot)
                if self.pool.order(slot).account == command.account()
                    && (command.instrument == 0
                        || self.pool.order(slot).instrument == command.instrument()) =>
            {
                Ok(slot)
            }
            _ => refused(Reject::UnknownOrder, command.order_id, 0),
        }
    }

    /// Where no such order rests, one may wait.
    #[cold]
    fn cancel_waiting(
        &mut self,
        step: &mut Step,
        command: &CommandRecord,
        refused: Refused,
    ) -> Result<(), Refused> {
        let Ok(id) = self.named_trigger(command) else { return Err(refused) };
        self.cancel_trigger(step, id, CancelReason::Requested);
        Ok(())
    }

    fn find_by_client_id(&self, command: &CommandRecord) -> Option<Slot> {
        let tag = self.client_ids.tag(command.account(), &command.client_id);
        let answer = self.client_ids.answer(tag, command.account(), &command.client_id)?;
        let accepted = answer.kind == EventKind::OrderAccepted.code()
            || answer.kind == EventKind::TriggerAccepted.code();
        accepted.then(|| self.pool.find(xos_units::OrderId(answer.order_id))).flatten()
    }

    pub(crate) fn mass_cancel(&mut self, step: &mut Step, command: &CommandRecord) -> Result<(), Refused> {
        shape::check(command, CommandKind::MassCancel)?;
        let account = self.known_account(command)?;
        if command.instrument != 0 && command.instrument().index() >= self.instruments.len() {
            return refused(Reject::UnknownInstrument, command.instrument, self.instruments.len() as i128);
        }
        if command.instrument != 0 && self.is_uncrossing(command.instrument()) {
            return refused(Reject::InstrumentUncrossing, command.instrument, 0);
        }
        // ---- Everything is checked. Below this line nothing fails. ----
        let instrument = (command.instrument != 0).then(|| command.instrument());
        let mut slots = self.orders_of(account, instrument, command.side());
        slots.retain(|slot| !self.is_uncrossing(self.pool.order(*slot).instrument));
        let wanted = command.side();
        let waiting =
            self.triggers_of(account, instrument, |trigger| wanted.is_none_or(|side| side == trigger.side));
        step.emit(EventRecord {
            kind: EventKind::MassCancelled.code(),
            side: command.side,
            account: command.account,
            instrument: command.instrument,
            qty: (slots.len() + waiting.len()) as i64,
            ..Default::default()
        });
        for id in waiting {
            self.cancel_trigger(step, id, CancelReason::MassCancel);
        }
        for slot in slots {
            self.cancel_resting(step, slot, CancelReason::MassCancel);
        }
        Ok(())
    }

    /// The resting orders of an account, on one instrument or all, of one side or both, by id.
    pub(crate) fn orders_of(
        &self,
        account: AccountId,
        instrument: Option<InstrumentId>,
        wanted: Option<Side>,
    ) -> Vec<Slot> {
        let mut slots = Vec::new();
        for stand in &self.accounts[account.index()].stands {
            if instrument.is_some_and(|instrument| stand.key.instrument() != instrument) {
                continue;
            }
            let mut slot = stand.head;
            while slot != NO_SLOT {
                let order = self.pool.order(slot);
                if wanted.is_none_or(|side| side == order.side) {
                    slots.push(slot);
                }
                slot = order.own_next;
            }
        }
        slots.sort_unstable_by_key(|slot| self.pool.order(*slot).id);
        slots
    }
}
