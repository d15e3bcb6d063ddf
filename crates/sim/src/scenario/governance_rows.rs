//! Changes of markets: as lines, and what is announced as rows.

use super::columns::{self, Names};
use super::commands::Desk;
use super::specs::Words;
use xos_engine::Engine;
use xos_protocol::{
    Change, DeployCommand, EventKind, EventRecord, InstrumentUpdate, MarketKind, QuestionUpdate, VenueUpdate,
};
use xos_units::VenueId;

/// What `update perpetual BTC ... delay_s=60 by=ann` announces: the words of a deployment, but for the market that stands.
pub(super) fn update(
    symbol: &str,
    deployed: DeployCommand,
    delay_s: u32,
    account: u32,
    desk: &Desk<'_>,
) -> Result<DeployCommand, String> {
    match deployed {
        DeployCommand::Instrument(spec) => {
            let instrument = columns::instrument(desk.engine, symbol)?;
            Ok(DeployCommand::UpdateInstrument(Box::new(InstrumentUpdate {
                instrument,
                account,
                delay_s,
                spec,
            })))
        }
        DeployCommand::Venue(spec) => {
            let venue = columns::venue(desk.engine, symbol)?.into();
            Ok(DeployCommand::UpdateVenue(Box::new(VenueUpdate { venue, account, delay_s, spec })))
        }
        DeployCommand::Question(spec) => {
            let (question, terms) = (columns::question(desk.engine, symbol)?, spec.terms);
            Ok(DeployCommand::UpdateQuestion(Box::new(QuestionUpdate { question, account, delay_s, terms })))
        }
        _ => Err("only spot, perpetual, venue and question are updated".into()),
    }
}

/// `delay_s=60 by=ann`; without `by` the operator.
pub(super) fn announcement(words: &mut Words<'_>, desk: &Desk<'_>) -> Result<(u32, u32), String> {
    let account = words.take("by").map_or(Ok(0), |name| desk.names.account(name))?;
    Ok((words.number("delay_s", 86_400)?, account))
}

/// Whether an event is about a change, or the end, of a market.
pub(super) fn is_of_market(kind: EventKind) -> bool {
    (EventKind::ChangeAnnounced..=EventKind::MarketClosed).contains(&kind)
        && kind != EventKind::PositionSettled
}

/// Whether it names the change by the command that announced it.
pub(super) fn is_of_change(kind: EventKind) -> bool {
    (EventKind::ChangeAnnounced..=EventKind::DelistingBegun).contains(&kind)
}

pub(super) fn market_name(engine: &Engine, kind: u8, target: u32) -> String {
    match MarketKind::from_code(kind) {
        Some(MarketKind::Venue) => columns::venue_name(engine, VenueId(target as u16)),
        Some(MarketKind::Question) => columns::question_name(engine, target),
        _ => columns::instrument_name(engine, target),
    }
}

pub(super) fn target(engine: &Engine, event: &EventRecord) -> String {
    market_name(engine, event.side, event.instrument)
}

/// Rows of `then changes`.
pub(super) fn changes(engine: &Engine, names: &Names) -> Vec<Vec<String>> {
    let changes = engine.governance().changes.iter();
    changes
        .map(|pending| {
            let what = if matches!(pending.change, Change::Delisting(_)) { "delisting" } else { "update" };
            vec![
                names.order_name(pending.id),
                what.to_string(),
                market_name(engine, pending.kind.code(), pending.target),
                names.account_name(pending.account),
                pending.effective_ns.to_string(),
            ]
        })
        .collect()
}
