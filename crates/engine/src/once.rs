//! A command with a client id takes effect once, as long as its answer is remembered.

use crate::client_ids::{Bounds, IdsOf};
use crate::defence::Defence;
use crate::engine::Engine;
use crate::step::{Refused, Step, emit_rejected, refused};
use crate::triggers::Triggers;
use xos_book::OrderPool;
use xos_protocol::{CommandRecord, EventFlags, EventKind, EventRecord, Reject};
use xos_units::{AccountId, OrderId};

/// Whether the order of an answer rests or waits.
fn rests(pool: &OrderPool, triggers: &Triggers, answer: &EventRecord) -> bool {
    let waits = answer.kind == EventKind::TriggerAccepted.code();
    let accepted = waits || answer.kind == EventKind::OrderAccepted.code();
    let id = OrderId(answer.order_id);
    accepted && (pool.find(id).is_some() || (waits && triggers.get(id).is_some()))
}

impl Engine {
    /// Lets a command with a client id take effect once: a retry gets the first answer. `None` keeps that for ever.
    #[inline(always)]
    pub(crate) fn once(
        &mut self,
        step: &mut Step,
        command: &CommandRecord,
        of: Option<IdsOf>,
        act: impl FnOnce(&mut Self, &mut Step) -> Result<(), Refused>,
    ) -> Result<(), Refused> {
        if !command.has_client_id() || !self.defends(Defence::Idempotence) {
            return act(self, step);
        }
        let tag = self.client_ids.tag(command.account(), &command.client_id);
        if let Some(answer) = self.client_ids.answer(tag, command.account(), &command.client_id) {
            if let Some(offset) = crate::retry::differs_at(answer, command) {
                return refused(Reject::ClientIdTaken, answer.sequence, offset as i128);
            }
            step.events.push(EventRecord { flags: answer.flags | EventFlags::RETRY, ..*answer });
            return Ok(());
        }
        if let Some(of) = of
            && !self.client_ids.has_room(of, command.account(), self.bounds_of_ids())
        {
            self.make_room(of, command.account())?;
        }
        let first = step.events.len();
        if let Err(refused) = act(self, step) {
            emit_rejected(step, command, refused);
        }
        let Some(answer) = step.events.get(first) else { return Ok(()) };
        debug_assert_eq!((answer.account, answer.detail), (command.account, command.client_id));
        match of {
            Some(of) => self.client_ids.remember(of, tag, answer, self.time_ns),
            // A deposit that was refused may come again; one that was credited never.
            None if answer.kind == EventKind::Rejected.code() => {}
            None => self.client_ids.remember_for_ever(tag, answer),
        }
        Ok(())
    }

    #[inline(always)]
    fn bounds_of_ids(&self) -> Bounds {
        let limits = &self.limits;
        Bounds { of_account: limits.client_ids_per_account_max, of_all: limits.client_ids_max }
    }

    #[cold]
    fn make_room(&mut self, of: IdsOf, account: AccountId) -> Result<(), Refused> {
        let (bounds, pool, triggers) = (self.bounds_of_ids(), &self.pool, &self.triggers);
        let rests = |answer: &EventRecord| rests(pool, triggers, answer);
        match self.client_ids.make_room(of, account, bounds, self.time_ns, rests) {
            Ok(()) => Ok(()),
            Err(full) => refused(Reject::ClientIdsExhausted, full.remembered, full.limit),
        }
    }

    /// Forgets the ids whose retention has passed.
    pub(crate) fn forget_client_ids(&mut self) {
        let (pool, triggers, retention_ns) = (&self.pool, &self.triggers, self.limits.client_id_retention_ns);
        self.client_ids.forget(self.time_ns, retention_ns, |answer| rests(pool, triggers, answer));
    }
}
