//! Acts of governance: as lines, and votes and emergencies as cells and rows.

use super::columns::{self, Names, integer};
use super::commands::Desk;
use super::governance_rows::{market_name, terms};
use super::specs::{Words, deployment};
use xos_engine::Engine;
use xos_protocol::{
    Act, ActKind, DeployCommand, EventKind, EventRecord, Harm, InstrumentState, MarketKind, Proposal,
    ProposeAct, Voter, VotingSpec,
};
use xos_units::Amount;

/// `act slash ann amount=50 harmed=ben:30,cyd:40 by=dan`: what is done, on what, and who proposes it.
pub(super) fn act(line: &[String], desk: &Desk<'_>) -> Result<DeployCommand, String> {
    let kind = line.first().ok_or("an act needs a kind")?.as_str();
    // Other terms have no symbol, an update has the kind of its market before the symbol.
    let named = match kind {
        "terms" => 1,
        "update" => 3,
        _ => 2,
    };
    let symbol = line.get(named - 1).ok_or(format!("{kind} needs a symbol"))?.clone();
    let mut words = Words::new(line.get(named..).unwrap_or_default())?;
    let account = desk.names.account(words.take("by").ok_or("an act needs by=ann")?)?;
    let instrument = || columns::instrument(desk.engine, &symbol);
    let act = match kind {
        "update" => update(&line[1], &symbol, &mut words, desk)?,
        "delist" => delist(&symbol, &mut words, desk)?,
        "admit" => Act::Admit { instrument: instrument()? },
        "confirm" => Act::Confirm { instrument: instrument()? },
        "set_state" => {
            Act::SetState { instrument: instrument()?, state: state(words.text("state", "halted"))? }
        }
        "slash" => Act::Slash {
            account: desk.names.account(&symbol)?,
            amount: Amount(words.number("amount", 0)?),
            harmed: harmed(words.take("harmed").unwrap_or(""), desk)?,
        },
        "terms" => Act::Terms(Box::new(terms(&mut words, desk)?)),
        other => return Err(format!("no act is called {other:?}")),
    };
    words.end()?;
    Ok(DeployCommand::ProposeAct(Box::new(ProposeAct { account, act })))
}

fn update(kind: &str, symbol: &str, words: &mut Words<'_>, desk: &Desk<'_>) -> Result<Act, String> {
    let on = words.text("on", symbol);
    Ok(match deployment(kind, symbol.to_string(), words, desk)? {
        DeployCommand::Instrument(spec) => {
            Act::UpdateInstrument { instrument: columns::instrument(desk.engine, &on)?, spec: Box::new(spec) }
        }
        DeployCommand::Venue(spec) => {
            Act::UpdateVenue { venue: columns::venue(desk.engine, &on)?.into(), spec: Box::new(spec) }
        }
        DeployCommand::Question(spec) => Act::UpdateQuestion {
            question: columns::question(desk.engine, &on)?,
            terms: Box::new(spec.terms),
        },
        _ => return Err("only spot, perpetual, venue and question are updated".into()),
    })
}

fn delist(symbol: &str, words: &mut Words<'_>, desk: &Desk<'_>) -> Result<Act, String> {
    let (kind, target) = match words.take("market").unwrap_or("instrument") {
        "venue" => (MarketKind::Venue, columns::venue(desk.engine, symbol)?.into()),
        "question" => (MarketKind::Question, columns::question(desk.engine, symbol)?),
        _ => (MarketKind::Instrument, columns::instrument(desk.engine, symbol)?),
    };
    Ok(Act::Delist { kind, target })
}

fn state(name: String) -> Result<u8, String> {
    let found = InstrumentState::ALL.iter().find(|state| state.name() == name);
    found.map(|state| state.code()).ok_or(format!("state is {name:?}"))
}

fn harmed(text: &str, desk: &Desk<'_>) -> Result<Vec<Harm>, String> {
    let parts = text.split(',').filter(|part| !part.is_empty());
    let harm = |part: &str| {
        let (name, claim) = part.split_once(':').ok_or("harmed=ben:30")?;
        Ok(Harm { account: desk.names.account(name)?, claim: Amount(integer(claim)?) })
    };
    parts.map(harm).collect()
}

/// `voters=ann:3,ben:1 quorum=50% majority=50.0001% voting_s=10 lock_s=5 guardians=cyd emergency_s=20 binds=yes`.
pub(super) fn voting(words: &mut Words<'_>, desk: &Desk<'_>) -> Result<Option<Box<VotingSpec>>, String> {
    let Some(voters) = words.take("voters") else { return Ok(None) };
    let voter = |part: &str| {
        let (name, weight) = part.split_once(':').unwrap_or((part, "1"));
        Ok(Voter { account: desk.names.account(name)?, weight: integer(weight)? })
    };
    let voters: Result<_, String> = voters.split(',').filter(|part| !part.is_empty()).map(voter).collect();
    let guardians = words.take("guardians").unwrap_or("").split(',').filter(|name| !name.is_empty());
    let guardians: Result<_, String> = guardians.map(|name| desk.names.account(name)).collect();
    Ok(Some(Box::new(VotingSpec {
        voters: voters?,
        quorum_ppm: words.ppm("quorum", 500_000)?,
        majority_ppm: words.ppm("majority", 500_001)?,
        voting_s: words.number("voting_s", 10)?,
        time_lock_s: words.number("lock_s", 5)?,
        binds_operator: words.take("binds").is_some(),
        guardians: guardians?,
        emergency_s: words.number("emergency_s", 0)?,
    })))
}

/// Events about proposals.
pub(super) fn is_of_vote(kind: EventKind) -> bool {
    (EventKind::ProposalMade..=EventKind::ProposalEffective).contains(&kind)
}

/// Events about proposals and slashing; their order is a proposal.
pub(super) fn is_of_proposal(kind: EventKind) -> bool {
    is_of_vote(kind) || kind == EventKind::StakeSlashed
}

pub(super) fn is_of_slashing(kind: EventKind) -> bool {
    matches!(kind, EventKind::StakeSlashed | EventKind::HarmPaid)
}

pub(super) fn is_of_emergency(kind: EventKind) -> bool {
    matches!(kind, EventKind::EmergencySet | EventKind::EmergencyEnded)
}

fn is_about_act(kind: EventKind) -> bool {
    is_of_vote(kind) && kind != EventKind::VoteCast
}

/// What a cell of these events says; none: what it says of every event.
pub(super) fn cell(engine: &Engine, names: &Names, event: &EventRecord, column: &str) -> Option<String> {
    let kind = event.kind()?;
    let amount = |number: i128| if number == 0 { String::new() } else { number.to_string() };
    Some(match column {
        "order" if is_of_proposal(kind) => names.order_name(event.order_id),
        "to" if kind == EventKind::HarmPaid => names.account_name(u32::try_from(event.order_id).ok()?),
        "on" if is_about_act(kind) => on(engine, names, event.side, event.instrument),
        "state" if is_about_act(kind) => ActKind::from_code(event.side)?.name().into(),
        "state" if kind == EventKind::VoteCast => if event.side == 1 { "for" } else { "against" }.into(),
        "state" if is_of_emergency(kind) => InstrumentState::from_code(event.side)?.name().into(),
        "qty" | "left" if matches!(kind, EventKind::ProposalPassed | EventKind::ProposalFailed) => {
            if column == "qty" { event.qty.to_string() } else { event.remaining.to_string() }
        }
        "qty" if kind == EventKind::VoteCast => event.qty.to_string(),
        "amount" if is_of_slashing(kind) => event.amount.get().to_string(),
        "amount" if is_about_act(kind) => amount(event.amount.get()),
        "total" if is_about_act(kind) || is_of_slashing(kind) || is_of_emergency(kind) => {
            event.counter_amount.get().to_string()
        }
        "id" if kind == EventKind::ProposalMade => String::new(),
        _ => return None,
    })
}

/// What an act is about.
fn on(engine: &Engine, names: &Names, act: u8, target: u32) -> String {
    match ActKind::from_code(act) {
        Some(ActKind::Slash) => names.account_name(target),
        Some(ActKind::Terms) => String::new(),
        Some(ActKind::UpdateVenue) => market_name(engine, MarketKind::Venue.code(), target),
        Some(ActKind::UpdateQuestion) => market_name(engine, MarketKind::Question.code(), target),
        _ => market_name(engine, MarketKind::Instrument.code(), target),
    }
}

/// Rows of `then proposals`.
pub(super) fn proposals(engine: &Engine, names: &Names) -> Vec<Vec<String>> {
    let accounts = |proposal: &Proposal, is_for: bool| {
        let votes = proposal.votes.iter().filter(|vote| vote.is_for == is_for);
        votes.map(|vote| names.account_name(vote.account)).collect::<Vec<_>>().join(",")
    };
    let row = |proposal: &Proposal| {
        vec![
            names.order_name(proposal.id),
            proposal.act.kind().name().to_string(),
            names.account_name(proposal.account),
            accounts(proposal, true),
            accounts(proposal, false),
            proposal.ends_ns.to_string(),
            proposal.effective_ns.map_or_else(String::new, |time_ns| time_ns.to_string()),
        ]
    };
    engine.governance().proposals.iter().map(row).collect()
}

/// Rows of `then emergencies`; a state of `continuous` rests.
pub(super) fn emergencies(engine: &Engine, names: &Names) -> Vec<Vec<String>> {
    let row = |found: &xos_protocol::Emergency| {
        vec![
            columns::instrument_name(engine, found.instrument),
            InstrumentState::from_code(found.state).map_or_else(String::new, |state| state.name().into()),
            names.account_name(found.account),
            found.until_ns.to_string(),
        ]
    };
    engine.governance().emergencies.iter().map(row).collect()
}
