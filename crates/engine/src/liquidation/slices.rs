//! Which position an order of liquidation reduces, and by how much. In scenario mode closing a half of a hedge makes the
//! requirement higher, so there the choice is by what it would be afterwards.

use crate::engine::Engine;
use crate::liquidation::health::{Closable, Health};
use crate::step::Step;
use xos_units::{AccountId, Qty, Requirement};

/// A part of a position that one order closes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slice {
    pub(super) closable: Closable,
    pub(super) lots: Qty,
}

impl Engine {
    /// Of the position with the largest requirement; in scenario mode that without which the account's requirement is least.
    pub(super) fn first_to_reduce(&self, step: &Step, id: AccountId) -> Option<Slice> {
        let health = self.health(id);
        if self.is_scenario(id) {
            return self.least_without(step, id, &health, None).map(|(_, slice)| slice);
        }
        let closable = *self.workable(id).first()?;
        let lots = self.lots_to_close(step, id, &health, &closable);
        (lots > Qty::ZERO).then_some(Slice { closable, lots })
    }

    /// In scenario mode, after an order on the instrument at `done`: what has to go with it.
    pub(super) fn other_half(&self, step: &Step, id: AccountId, done: usize) -> Option<Slice> {
        let health = self.health(id);
        let (without, slice) = self.least_without(step, id, &health, Some(done))?;
        (without < health.maintenance).then_some(slice)
    }

    fn least_without(
        &self,
        step: &Step,
        id: AccountId,
        health: &Health,
        done: Option<usize>,
    ) -> Option<(Requirement, Slice)> {
        let workable = self.workable(id).into_iter().filter(|closable| Some(closable.at) != done);
        let slices = workable.filter_map(|closable| {
            let lots = self.lots_to_close(step, id, health, &closable);
            let slice = Slice { closable, lots };
            let held = closable.lots;
            let left = held - held.signum() * lots.0;
            let without = || self.maintenance_without(id, &self.instruments[closable.at], held, left);
            (lots > Qty::ZERO).then(|| (without(), slice))
        });
        // The first of those that are alike.
        slices.min_by_key(|(without, _)| *without)
    }

    fn lots_to_close(&self, step: &Step, id: AccountId, health: &Health, closable: &Closable) -> Qty {
        let instrument = &self.instruments[closable.at];
        let terms = instrument.liquidation.as_ref().expect("a closable position has terms");
        let whole = Qty(closable.lots.abs());
        let (value, requirement) = (instrument.value_at_mark(whole), instrument.maintenance_of(whole));
        terms.slice(whole, value, requirement, self.freeable(step, id, closable.at, health))
    }
}
