//! Questions, their resolvers and their payouts as lines.

use super::columns::{self, integer};
use super::commands::Desk;
use super::parse::nanoseconds;
use super::specs::{Words, ppm, terms};
use super::underlying_specs::link;
use xos_protocol::{
    DeployCommand, LaterOutcomes, OutcomeAddition, OutcomeSpec, QuestionPayouts, QuestionSpec, ResolutionSpec,
};
use xos_units::Amount;

pub(super) fn question(
    symbol: String,
    words: &mut Words<'_>,
    desk: &Desk<'_>,
) -> Result<DeployCommand, String> {
    let names = words.take("outcomes").ok_or("question needs outcomes=A,B")?.to_string();
    let outcomes =
        names.split(',').map(|name| OutcomeSpec { symbol: name.to_string(), name: name.to_string() });
    let outcomes: Vec<OutcomeSpec> = outcomes.filter(|outcome| !outcome.symbol.is_empty()).collect();
    let ticks_per_unit: i64 = words.number("unit", 100)?;
    let text = words.text("text", "which");
    let resolution = resolution(words, desk, outcomes.len())?.map(Box::new);
    Ok(DeployCommand::Question(QuestionSpec {
        text,
        outcomes,
        ticks_per_unit,
        terms: terms(words, ticks_per_unit - 1, desk.time_ns)?,
        link: link(words, desk.engine)?,
        resolution,
        implied: words.take("implied") == Some("yes"),
        later: later(words, &names)?,
        symbol,
    }))
}

/// `any_other=C outcomes_max=5`: more may be added, and C wins if none of the others does.
fn later(words: &mut Words<'_>, outcomes: &str) -> Result<Option<LaterOutcomes>, String> {
    let Some(name) = words.take("any_other") else { return Ok(None) };
    let place = outcomes.split(',').position(|other| other == name).map(|at| at as u32);
    let any_other = place.map_or_else(|| integer(name), Ok)?;
    Ok(Some(LaterOutcomes { any_other, outcomes_max: words.number("outcomes_max", 8)? }))
}

/// `outcome D question=CUP`: one more.
pub(super) fn addition(
    symbol: String,
    words: &mut Words<'_>,
    desk: &Desk<'_>,
) -> Result<DeployCommand, String> {
    let question = words.take("question").ok_or("question=CUP")?;
    let question = columns::question(desk.engine, question)?;
    Ok(DeployCommand::AddOutcome(OutcomeAddition { question, name: symbol.clone(), symbol }))
}

/// `resolvers=ann,ben second=cyd close=+1h`, and the other terms by name.
fn resolution(
    words: &mut Words<'_>,
    desk: &Desk<'_>,
    outcomes: usize,
) -> Result<Option<ResolutionSpec>, String> {
    let Some(resolvers) = words.take("resolvers") else { return Ok(None) };
    let accounts = |text: &str| -> Result<Vec<u32>, String> {
        text.split(',').filter(|name| !name.is_empty()).map(|name| desk.names.account(name)).collect()
    };
    let second_resolvers = accounts(words.take("second").ok_or("second=ann: who decides disputes")?)?;
    let close = words.take("close").ok_or("close=+1h: when trading stops")?;
    let wait_ns = close.strip_prefix('+').and_then(nanoseconds).ok_or("close=+1h")?;
    let standard = QuestionPayouts::all_for(0, outcomes);
    let void = words.take("void").map_or(Ok(standard), shares)?;
    let sources = words.text("sources", "paper");
    Ok(Some(ResolutionSpec {
        rule: words.text("rule", "as-it-happened").repeat(words.number("rule_times", 1)?),
        sources: sources.split(',').filter(|name| !name.is_empty()).map(str::to_string).collect(),
        close_ns: desk.time_ns.saturating_add(wait_ns),
        propose_s: words.number("propose_s", 3_600)?,
        resolvers: accounts(resolvers)?,
        bond: Amount(words.number("bond", 100)?),
        bond_share_ppm: words.take("bond_share").map_or(Ok(0), ppm)?,
        challenge_s: words.number("challenge_s", 7_200)?,
        second_bond: Amount(words.number("second_bond", 500)?),
        quorum: words.number("quorum", second_resolvers.len() as u32 / 2 + 1)?,
        second_resolvers,
        decide_s: words.number("decide_s", 86_400)?,
        void_payouts_ppm: void,
        dispute_risk: words.take("risk") == Some("yes"),
    }))
}

fn shares(text: &str) -> Result<Vec<i32>, String> {
    text.split(',').filter(|share| !share.is_empty()).map(ppm).collect()
}

/// `settle CUP payouts=30%,70%`, and who says so: `by=ann`.
pub(super) fn payouts(
    question: &str,
    words: &mut Words<'_>,
    desk: &Desk<'_>,
) -> Result<QuestionPayouts, String> {
    let payouts_ppm = shares(words.take("payouts").ok_or("payouts=30%,70% by outcome")?)?;
    let question = columns::question(desk.engine, question)?;
    let account = match words.take("by") {
        None => 0,
        Some(text) => integer(text).or_else(|_| desk.names.account(text))?,
    };
    Ok(QuestionPayouts { question, account, payouts_ppm })
}
