//! Questions as a snapshot has them.

use super::source::{Read, Source};
use crate::engine::Engine;
use crate::questions::{Adding, Claim, Resolution, Settlement};
use xos_protocol::{DecidedBy, QuestionSpec, ResolutionSpec, ResolutionStage};
use xos_units::{AccountId, Ppm};

/// A question before its instruments are read.
pub(super) struct SavedQuestion {
    pub(super) spec: QuestionSpec,
    pub(super) first: u32,
    sets: i64,
    settlement: Option<Box<Settlement>>,
    resolution: Option<Box<Resolution>>,
    adding: Option<Adding>,
}

pub(super) fn read_question(source: &mut Source) -> Read<SavedQuestion> {
    let spec: QuestionSpec = source.spec("question")?;
    let (first, sets) = (source.u32("first outcome")?, source.i64("sets")?);
    let settlement = read_settlement(source, &spec)?;
    let resolution = match &spec.resolution {
        Some(terms) => Some(Box::new(read_resolution(source, terms)?)),
        None => None,
    };
    let adding = if spec.later.is_some() { read_adding(source)? } else { None };
    Ok(SavedQuestion { spec, first, sets, settlement, resolution, adding })
}

/// How far an outcome is that is being added.
fn read_adding(source: &mut Source) -> Read<Option<Adding>> {
    if !source.word(|code| (code <= 1).then_some(code == 1), "whether an outcome is being added")? {
        return Ok(None);
    }
    let looked_at = AccountId(source.u32("account looked at")?);
    Ok(Some(Adding { looked_at, credited: source.u32("accounts credited")? }))
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

fn read_resolution(source: &mut Source, spec: &ResolutionSpec) -> Read<Resolution> {
    let mut resolution = Resolution::new(spec);
    resolution.stage = source.word(ResolutionStage::from_code, "stage of a resolution")?;
    resolution.decided_by = source.word(DecidedBy::from_code, "how a question was decided")?;
    resolution.until_ns = source.u64("end of the stage")?;
    for time_ns in &mut resolution.times_ns {
        *time_ns = source.u64("time of a step")?;
    }
    let challenger = source.u32("challenger")?;
    resolution.challenger = (challenger != 0).then_some(AccountId(challenger));
    resolution.proposal = read_claims(source)?.pop();
    resolution.votes = read_claims(source)?;
    Ok(resolution)
}

fn read_claims(source: &mut Source) -> Read<Vec<Claim>> {
    let mut claims = Vec::new();
    for _ in 0..source.count(2 * size_of::<u32>(), "claims")? {
        let account = AccountId(source.u32("account of a claim")?);
        let mut payouts_ppm = Vec::new();
        for _ in 0..source.count(size_of::<i32>(), "payouts of a claim")? {
            payouts_ppm.push(i32::from_le_bytes(source.array("payout")?));
        }
        claims.push(Claim { account, payouts_ppm });
    }
    Ok(claims)
}

impl Engine {
    /// The question with its instruments.
    pub(super) fn restore_question(&mut self, saved: SavedQuestion) {
        let id = self.add_question(saved.spec);
        let question = &mut self.questions[id.index()];
        (question.sets, question.settlement) = (saved.sets, saved.settlement);
        question.resolution = saved.resolution;
        self.restore_adding(id, saved.adding);
        let question = &self.questions[id.index()];
        if question.is_settling() {
            self.unsettled.insert(id);
        }
        let Some(resolution) = &question.resolution else { return };
        let (stage, until_ns) = (resolution.stage, resolution.until_ns);
        match stage {
            ResolutionStage::Open => drop(self.closings.insert((until_ns, id))),
            ResolutionStage::Decided => {}
            _ => drop(self.deadlines.insert((until_ns, id))),
        }
        if matches!(stage, ResolutionStage::Closed | ResolutionStage::Proposed | ResolutionStage::Challenged)
        {
            for instrument in self.questions[id.index()].instruments() {
                self.instruments[instrument.index()].close();
            }
            // Whatever still rests leaves with the next turn.
            self.unsettled.insert(id);
        }
    }
}
