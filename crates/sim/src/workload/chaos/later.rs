//! Outcomes that are added to questions: while they trade, too late, too many.

use super::{Chaos, Known};
use crate::rng::Rng;
use crate::workload::{Frame, command, deployments};
use xos_protocol::{
    CommandKind, CommandRecord, DeployCommand, EventFlags, EventRecord, LaterOutcomes, OutcomeAddition,
    QuestionSpec,
};

/// Room for more outcomes, in one of so many questions.
pub(super) fn maybe_later(rng: &mut Rng, spec: &mut QuestionSpec, one_in: u64) {
    if !rng.one_in(one_in) {
        return;
    }
    let outcomes = spec.outcomes.len() as u64;
    let any_other = rng.below(outcomes) as u32;
    let outcomes_max = (outcomes + 1 + rng.below(3)) as u32;
    spec.later = Some(LaterOutcomes { any_other, outcomes_max });
    if !rng.one_in(8) {
        spec.link = None;
    }
}

impl Chaos {
    /// Somebody trades and holds any_other; an outcome is added, with commands of all kinds in the turns.
    pub(super) fn plan_addition(&mut self) {
        let (question, any_other) = *self.rng.pick(&self.takers);
        for _ in 0..6 + self.rng.below(14) {
            let record = CommandRecord {
                account: self.account(),
                instrument: any_other,
                side: self.rng.below(2) as u8,
                price: self.price(any_other),
                qty: self.qty(any_other),
                ..command(CommandKind::Place)
            };
            self.set_up.push_back(Frame::commands(self.time_ns, vec![record]));
        }
        for _ in 0..1 + self.rng.below(2) {
            self.deployments += 1;
            let symbol = format!("L{}", self.deployments);
            let added = OutcomeAddition { question, name: symbol.to_lowercase(), symbol };
            let mut body = DeployCommand::AddOutcome(added);
            if self.rng.one_in(6) {
                deployments::spoil(&mut self.rng, &mut body);
            }
            self.set_up.push_back(Frame::deploy(self.time_ns, &body));
            for at in 0..2 + self.rng.below(5) {
                let record = if self.rng.one_in(3) {
                    let sets = [CommandKind::SplitSet, CommandKind::MergeSet];
                    let kind = *self.rng.pick(&sets);
                    CommandRecord { account: self.account(), instrument: question, qty: 1, ..command(kind) }
                } else {
                    self.draw_command(at)
                };
                self.set_up.push_back(Frame::commands(self.time_ns, vec![record]));
                if self.rng.one_in(3) {
                    self.set_up.push_back(Frame::commands(self.time_ns, vec![command(CommandKind::Tick)]));
                }
            }
        }
    }

    /// An outcome is like the others of its question.
    pub(super) fn observe_added(&mut self, event: &EventRecord) {
        let others = self.outcomes_of(event.order_id as u32);
        if let Some(&first) = others.first() {
            let known = self.known(first);
            self.know(event.instrument, known);
        }
    }

    /// Reserved instruments before it are nobody's.
    pub(super) fn know(&mut self, instrument: u32, known: Known) {
        let at = instrument as usize - 1;
        if at >= self.instruments.len() {
            let reserved = Known { question: 0, is_implied: false, is_settled: true, ..known };
            self.instruments.resize(at + 1, reserved);
        }
        self.instruments[at] = known;
    }

    pub(super) fn observe_sets(&mut self, event: &EventRecord, lots: i64) {
        if event.flags & EventFlags::RETRY != 0 {
            return;
        }
        for instrument in self.outcomes_of(event.instrument) {
            *self.live.positions.entry((event.account, instrument)).or_default() += lots;
        }
    }

    pub(super) fn outcomes_of(&self, question: u32) -> Vec<u32> {
        let of_question = (1..).zip(&self.instruments).filter(|(_, known)| known.question == question);
        of_question.map(|(instrument, _)| instrument).collect()
    }
}
