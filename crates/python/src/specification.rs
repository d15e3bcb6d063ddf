//! What is deployed, as one body of MessagePack.

use crate::layout::AllLimits;
use serde::Serialize;
use xos_engine::Engine;
use xos_protocol::DeployCommand;
use xos_units::{InstrumentId, QuestionId};

/// Everything deployed: bodies in order of id, instruments that are no outcome with their id, questions with the id
/// of their first outcome.
#[derive(Serialize)]
pub(crate) struct Specification {
    limits: AllLimits,
    assets: Vec<DeployCommand>,
    venues: Vec<DeployCommand>,
    publishers: Vec<DeployCommand>,
    classes: Vec<DeployCommand>,
    underlyings: Vec<DeployCommand>,
    instruments: Vec<(u32, DeployCommand)>,
    questions: Vec<(u32, DeployCommand)>,
    governance: Vec<DeployCommand>,
}

impl Specification {
    pub(crate) fn of(engine: &Engine) -> Self {
        let instrument = |index| {
            let view = engine.instrument(InstrumentId::from_index(index))?;
            Some((view.id.0, DeployCommand::Instrument(view.spec?.clone())))
        };
        let question = |index| {
            let view = engine.question(QuestionId::from_index(index))?;
            Some((view.first.0, DeployCommand::Question(view.spec.clone())))
        };
        Self {
            limits: AllLimits::of(engine.limits().clone()),
            assets: engine.assets().iter().cloned().map(DeployCommand::Asset).collect(),
            venues: engine.venues().iter().cloned().map(DeployCommand::Venue).collect(),
            publishers: engine.publishers().iter().cloned().map(DeployCommand::Publisher).collect(),
            classes: engine.classes().iter().cloned().map(DeployCommand::Class).collect(),
            underlyings: engine.underlyings().cloned().map(DeployCommand::Underlying).collect(),
            instruments: (0..engine.instrument_count()).filter_map(instrument).collect(),
            questions: (0..engine.question_count()).filter_map(question).collect(),
            governance: engine.governance().terms.iter().cloned().map(DeployCommand::Governance).collect(),
        }
    }
}
