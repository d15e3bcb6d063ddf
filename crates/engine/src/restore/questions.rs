//! Questions as a snapshot has them.

use super::source::{Read, Source};
use crate::engine::Engine;
use crate::questions::Settlement;
use xos_protocol::QuestionSpec;
use xos_units::Ppm;

/// A question before its instruments are read.
pub(super) struct SavedQuestion {
    pub(super) spec: QuestionSpec,
    pub(super) first: u32,
    sets: i64,
    settlement: Option<Box<Settlement>>,
}

pub(super) fn read_question(source: &mut Source) -> Read<SavedQuestion> {
    let spec: QuestionSpec = source.spec("question")?;
    let (first, sets) = (source.u32("first outcome")?, source.i64("sets")?);
    let settlement = read_settlement(source, &spec)?;
    Ok(SavedQuestion { spec, first, sets, settlement })
}

/// How a question was decided, if it is.
fn read_settlement(source: &mut Source, spec: &QuestionSpec) -> Read<Option<Box<Settlement>>> {
    let count = source.count(size_of::<i32>(), "payouts")?;
    if count == 0 {
        return Ok(None);
    }
    let mut payouts = Vec::with_capacity(count);
    for _ in 0..count {
        payouts.push(Ppm(i32::from_le_bytes(source.array("payout")?)));
    }
    if count != spec.outcomes.len() {
        return source.malformed("payouts");
    }
    let paid = source.u32("accounts paid")?;
    let is_done = source.word(|code| (code <= 1).then_some(code == 1), "settled")?;
    Ok(Some(Box::new(Settlement { payouts: payouts.into(), paid, is_done })))
}

impl Engine {
    /// The question with its instruments.
    pub(super) fn restore_question(&mut self, saved: SavedQuestion) {
        let id = self.add_question(saved.spec);
        let question = &mut self.questions[id.index()];
        (question.sets, question.settlement) = (saved.sets, saved.settlement);
        if question.is_settling() {
            self.unsettled.insert(id);
        }
    }
}
