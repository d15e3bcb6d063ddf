//! How markets change: announced with a delay, effective at a logged time, wound down at a price that nobody names.

mod bounds;
mod changes;
mod closing;
mod deployers;
mod emergency;
mod fixed;
mod last_auction;
mod slashing;
mod venues;
mod voting;

use crate::engine::Engine;
use crate::step::{Refused, Step, refused};
use std::collections::BTreeSet;
use xos_protocol::{
    Change, EventFlags, EventKind, GovernanceState, Int128, MarketKind, PendingChange, Reject,
};
use xos_units::{InstrumentId, QuestionId};

const NEVER_NS: u64 = u64::MAX;

/// What governs markets beside their specifications, and when it has to act.
#[derive(Debug)]
pub(crate) struct Governance {
    pub(crate) state: GovernanceState,
    /// Markets whose trading is to close, by time.
    pub(crate) closes: BTreeSet<(u64, MarketKind, u32)>,
    /// Logged time from which a frame has something to do; 0: every frame has.
    due_ns: u64,
}

impl Default for Governance {
    fn default() -> Self {
        Self::of(GovernanceState::default())
    }
}

impl Governance {
    pub(crate) fn of(state: GovernanceState) -> Self {
        let mut governance = Self { state, closes: BTreeSet::new(), due_ns: NEVER_NS };
        governance.refresh();
        governance
    }

    /// Finds when it has to act next, after its changes, or what is to close, have changed.
    pub(crate) fn refresh(&mut self) {
        let due = |pending: &PendingChange| match (&pending.change, pending.kind) {
            // Its price is measured with every frame.
            (Change::Delisting(_), MarketKind::Instrument) => 0,
            _ => pending.effective_ns,
        };
        let close_ns = self.closes.first().map(|(close_ns, ..)| *close_ns);
        let votes = self.state.proposals.iter().map(|found| found.effective_ns.unwrap_or(found.ends_ns));
        let others = close_ns.into_iter().chain(votes);
        let others = others.chain(self.state.emergencies.iter().map(|found| found.until_ns));
        self.due_ns = self.state.changes.iter().map(due).chain(others).min().unwrap_or(NEVER_NS);
    }

    #[inline(always)]
    pub(crate) fn is_due(&self, now_ns: u64) -> bool {
        now_ns >= self.due_ns
    }

    /// The change of a market that is announced.
    pub(crate) fn change_of(&self, kind: MarketKind, target: u32) -> Option<&PendingChange> {
        self.state.changes.iter().find(|pending| (pending.kind, pending.target) == (kind, target))
    }
}

impl Engine {
    /// Time passed: trading closes, settlement prices are measured, and changes whose time has come take effect.
    #[cold]
    pub(crate) fn govern(&mut self, step: &mut Step, before_ns: u64) {
        self.close_trading(step);
        self.measure(before_ns, step.time_ns);
        self.run_last_auctions(step);
        self.run_votes(step);
        loop {
            let due = |pending: &&PendingChange| pending.effective_ns <= step.time_ns;
            let changes = self.governance.state.changes.iter();
            let changes = changes.filter(due).filter(|pending| !self.awaits_auction(pending));
            let Some(next) = changes.min_by_key(|pending| (pending.effective_ns, pending.id)) else {
                return;
            };
            let id = next.id;
            let first = step.events.len();
            self.take_effect(step, id);
            step.events[first..].iter_mut().for_each(|event| event.flags |= EventFlags::OF_TIME);
        }
    }

    fn take_effect(&mut self, step: &mut Step, id: u64) {
        let Some(pending) = self.take_change(id) else { return };
        if !self.still_stands(&pending) {
            push_change(step, EventKind::ChangeWithdrawn, &pending);
            return;
        }
        let target = pending.target;
        match &pending.change {
            Change::Delisting(price) => self.begin_closing(step, &pending, *price),
            Change::Instrument(spec) => {
                push_change(step, EventKind::ChangeEffective, &pending);
                self.retune_instrument(InstrumentId(target), spec);
            }
            Change::Venue(spec) => {
                push_change(step, EventKind::ChangeEffective, &pending);
                self.admission.restricts |= spec.lists.is_some();
                self.charges_apart |= !spec.tiers.is_empty();
                self.venues[target as usize - 1] = (**spec).clone();
            }
            Change::Terms(terms) => {
                push_change(step, EventKind::ChangeEffective, &pending);
                self.retune_question(QuestionId(target), terms);
            }
        }
    }

    /// Takes a change off the list, and lifts what it held its market to.
    fn take_change(&mut self, id: u64) -> Option<PendingChange> {
        let at = self.governance.state.changes.iter().position(|pending| pending.id == id)?;
        let pending = self.governance.state.changes.remove(at);
        self.governance.refresh();
        if matches!(pending.change, Change::Delisting(_)) {
            self.curb(pending.kind, pending.target, false);
        }
        Some(pending)
    }

    fn announce_change(&mut self, pending: PendingChange) {
        if matches!(pending.change, Change::Delisting(_)) {
            self.curb(pending.kind, pending.target, true);
        }
        // One that was voted on has the id of its proposal.
        let changes = &mut self.governance.state.changes;
        let place = changes.partition_point(|other| other.id < pending.id);
        changes.insert(place, pending);
        self.governance.refresh();
    }

    /// Announced changes, markets that are being closed, and what else governs markets.
    pub fn governance(&self) -> &GovernanceState {
        &self.governance.state
    }

    /// A restored state names markets that stand, each once, and changes in order.
    pub(crate) fn knows_what_it_governs(&self) -> bool {
        let state = &self.governance.state;
        let count = |kind| match kind {
            MarketKind::Instrument => self.instruments.len(),
            MarketKind::Venue => self.venues.len(),
            MarketKind::Question => self.questions.len(),
        };
        let stands = |kind, target: u32| target >= 1 && target as usize <= count(kind);
        state.changes.is_sorted_by_key(|pending| pending.id)
            && state.changes.iter().all(|pending| stands(pending.kind, pending.target))
            && state.closing.iter().all(|closing| stands(MarketKind::Instrument, closing.instrument))
            && state.auctions.iter().all(|auction| stands(MarketKind::Instrument, auction.instrument))
            && state.closed_venues.iter().all(|venue| stands(MarketKind::Venue, *venue))
            && state.auctions.is_sorted_by(|one, next| one.instrument < next.instrument)
            && self.knows_whom_it_charges()
            && self.knows_what_is_voted_on()
            && state.simulated.iter().all(|id| *id >= 1 && *id as usize <= self.accounts.len())
    }
}

/// An event about a change.
fn push_change(step: &mut Step, kind: EventKind, pending: &PendingChange) {
    let event = step.push(kind);
    event.side = pending.kind.code();
    event.account = pending.account;
    event.instrument = pending.target;
    event.order_id = pending.id;
    event.counter_amount = Int128::new(pending.effective_ns.into());
}

/// Whoever names a number that is none is told the newest one.
fn check_standing(id: u32, standing: usize, reject: Reject) -> Result<(), Refused> {
    if id == 0 || id as usize > standing {
        return refused(reject, id, standing as i128);
    }
    Ok(())
}
