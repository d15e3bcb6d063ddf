//! Changes of markets: as lines, and what is announced as rows.

use super::columns::integer;
use super::columns::{self, Names};
use super::commands::Desk;
use super::specs::Words;
use xos_engine::Engine;
use xos_protocol::{
    Change, DeployAs, DeployCommand, Deployable, EventKind, EventRecord, GovernanceSpec, InstrumentUpdate,
    MarketBounds, MarketKind, QuestionUpdate, SlotKind, Slots, Stakes, VenueUpdate,
};
use xos_units::{Amount, Ppm, VenueId, division::share_down};

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
    kind == EventKind::TradingClosed
        || (EventKind::ChangeAnnounced..=EventKind::MarketClosed).contains(&kind)
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

/// Who received a fee: deployer, venue, referrer, insurance and protocol, atoms.
pub(super) fn parts_text(event: &EventRecord) -> String {
    let fee = Amount(event.amount.get());
    let parts = event.division().split.parts().map(|ppm| share_down(fee, Ppm(ppm)).0.to_string());
    parts.join(":")
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

/// `governance asset=GOV stakes=10,20,30,5 slots=1,1,1,1` (spot, perpetual, question, venue) and the other terms by name.
pub(super) fn terms(words: &mut Words<'_>, desk: &Desk<'_>) -> Result<GovernanceSpec, String> {
    fn four<T: TryFrom<i128>>(text: &str) -> Result<[T; 4], String> {
        let parts: Result<Vec<T>, String> = text.split(',').map(integer).collect();
        parts?.try_into().map_err(|_| "four numbers: spot, perpetual, question, venue".to_string())
    }
    let [spot, perpetual, question, venue] =
        four::<i128>(words.take("stakes").unwrap_or("0,0,0,0"))?.map(Amount);
    let stakes = Stakes { spot, perpetual, question, venue };
    let [spot, perpetual, question, venue] = four(words.take("slots").unwrap_or("1,1,1,1"))?;
    let bounds = MarketBounds {
        leverage_max: words.number("leverage_max", 0)?,
        maintenance_ppm_min: words.ppm("maintenance_min", 0)?,
        fee_ppm_max: words.ppm("fee_max", 0)?,
        band_ppm_max: words.ppm("band_max", 0)?,
        mark_band_ppm_max: words.ppm("mark_band_max", 0)?,
        sources_min: words.number("sources_min", 0)?,
        funding_cap_max: words.number("funding_cap_max", 0)?,
        insurance_draw_max: Amount(words.number("draw_max", 0)?),
    };
    Ok(GovernanceSpec {
        stake_asset: columns::asset(desk.engine, words.take("asset").ok_or("governance needs asset=GOV")?)?,
        stakes,
        slots: Slots { spot, perpetual, question, venue },
        slot_price_min: Amount(words.number("slot_min", 100)?),
        slot_auction_s: words.number("auction_s", 100)?,
        release_wait_s: words.number("release_s", 60)?,
        bounds,
        voting: super::vote_rows::voting(words, desk)?,
    })
}

/// The same deployment by a deployer.
pub(super) fn brought(account: u32, deployed: DeployCommand) -> Result<DeployCommand, String> {
    let market = match deployed {
        DeployCommand::Instrument(spec) => Deployable::Instrument(spec),
        DeployCommand::Question(spec) => Deployable::Question(spec),
        DeployCommand::Venue(spec) => Deployable::Venue(spec),
        _ => return Err("a deployer brings spot, perpetual, question and venue".into()),
    };
    Ok(DeployCommand::DeployAs(Box::new(DeployAs { account, market })))
}

/// Stakes, slots and what is locked.
pub(super) fn is_of_stake(kind: EventKind) -> bool {
    (EventKind::Staked..=EventKind::StakeReleased).contains(&kind)
}

/// Whether an event about a stake is about a market.
pub(super) fn names_market(kind: EventKind) -> bool {
    is_of_market(kind) || matches!(kind, EventKind::StakeLocked | EventKind::StakeReleased)
}

/// Rows of `then deployers`.
pub(super) fn deployers(engine: &Engine, names: &Names) -> Vec<Vec<String>> {
    let row = |deployer: &xos_protocol::Deployer| {
        let id = xos_units::AccountId(deployer.account);
        vec![
            names.account_name(deployer.account),
            deployer.stake.0.to_string(),
            engine.locked_stake(id, engine.time_ns()).0.to_string(),
            deployer.bought.map(|slots| slots.to_string()).join(","),
        ]
    };
    engine.governance().deployers.iter().map(row).collect()
}

/// `slot=perpetual` of buy_slot.
pub(super) fn slot(text: &str) -> Result<u8, String> {
    let slot = SlotKind::ALL.iter().find(|slot| slot.name() == text);
    slot.map(|slot| slot.code()).ok_or(format!("slot is {text:?}"))
}
