//! Changes of markets that stand: announced, wrong, taken back, and delistings.

use super::Chaos;
use crate::rng::Rng;
use crate::workload::{command, deployments};
use std::collections::BTreeMap;
use xos_protocol::{
    Change, CommandKind, CommandRecord, DeployCommand, EventKind, EventRecord, InstrumentSpec,
    InstrumentTerms, InstrumentUpdate, MarketKind, Product, QuestionUpdate, VenueSpec, VenueUpdate,
};

/// What stands and can change.
#[derive(Clone, Debug, Default)]
pub(super) struct Governed {
    /// By instrument; an outcome has none.
    instruments: Vec<Option<InstrumentSpec>>,
    venues: Vec<VenueSpec>,
    questions: Vec<InstrumentTerms>,
    /// Announced changes.
    changes: Vec<(u64, MarketKind, u32, Option<Change>)>,
    pub(super) voted: super::votes::Voted,
    /// What accounts have staked.
    pub(super) stakes: BTreeMap<u32, i128>,
    /// Markets of deployers.
    pub(super) markets: Vec<(u32, MarketKind, u32)>,
}

impl Governed {
    /// Perpetuals that take isolated accounts only.
    pub(super) fn isolated(&self) -> Vec<u32> {
        let isolated = |spec: &Option<InstrumentSpec>| spec.as_ref().is_some_and(|spec| spec.isolated_only);
        (1..).zip(&self.instruments).filter(|(_, spec)| isolated(spec)).map(|(id, _)| id).collect()
    }

    /// One of them takes orders of every account from now on.
    pub(super) fn admit(&mut self, instrument: u32) {
        if let Some(Some(spec)) = self.instruments.get_mut(instrument as usize - 1) {
            spec.isolated_only = false;
        }
    }
}

impl Chaos {
    pub(super) fn observe_governance(&mut self, event: &EventRecord) {
        let governed = &mut self.governed;
        match (event.kind(), &self.pending) {
            (Some(EventKind::InstrumentDeployed), Some(DeployCommand::Instrument(spec))) => {
                governed.instruments.push(Some(spec.clone()));
            }
            (Some(EventKind::InstrumentDeployed), _) => governed.instruments.push(None),
            (Some(EventKind::VenueDeployed), Some(DeployCommand::Venue(spec))) => {
                governed.venues.push(spec.clone());
            }
            (Some(EventKind::QuestionDeployed), Some(DeployCommand::Question(spec))) => {
                governed.questions.push(spec.terms.clone());
            }
            (Some(EventKind::ChangeAnnounced | EventKind::DelistingAnnounced), pending) => {
                let kind = MarketKind::from_code(event.side).expect("a kind of market");
                let change = match pending {
                    Some(DeployCommand::UpdateInstrument(update)) => {
                        Some(Change::Instrument(Box::new(update.spec.clone())))
                    }
                    Some(DeployCommand::UpdateVenue(update)) => {
                        Some(Change::Venue(Box::new(update.spec.clone())))
                    }
                    Some(DeployCommand::UpdateQuestion(update)) => {
                        Some(Change::Terms(Box::new(update.terms.clone())))
                    }
                    _ => governed.voted.change_of(event.order_id),
                };
                governed.changes.push((event.order_id, kind, event.instrument, change));
            }
            (Some(EventKind::StakeLocked), _) => {
                let kind = MarketKind::from_code(event.side).expect("a kind of market");
                governed.markets.push((event.account, kind, event.instrument));
            }
            (Some(EventKind::ChangeWithdrawn), _) => {
                governed.changes.retain(|(id, ..)| *id != event.order_id);
            }
            (Some(EventKind::ChangeEffective), _) => {
                let at = governed.changes.iter().position(|(id, ..)| *id == event.order_id);
                let Some(at) = at else { return };
                let (_, _, target, change) = governed.changes.remove(at);
                match change {
                    Some(Change::Instrument(mut spec)) => {
                        let stands = &mut governed.instruments[target as usize - 1];
                        spec.isolated_only = stands.as_ref().is_some_and(|stands| stands.isolated_only);
                        *stands = Some(*spec);
                    }
                    Some(Change::Venue(spec)) => governed.venues[target as usize - 1] = *spec,
                    Some(Change::Terms(terms)) => governed.questions[target as usize - 1] = *terms,
                    _ => {}
                }
            }
            (Some(EventKind::DelistingBegun), _) => {
                governed.changes.retain(|(id, ..)| *id != event.order_id);
                if event.side == MarketKind::Instrument.code() {
                    self.instruments[event.instrument as usize - 1].is_settled = true;
                }
            }
            _ => {}
        }
    }

    fn draw_delay_s(&mut self) -> u32 {
        let default_limits = self.rng.one_in(4);
        match self.rng.below(12) {
            _ if default_limits => *self.rng.pick(&[86_399, 86_400]),
            0 => 31_536_001,
            1..4 => 1,
            4..6 => 2,
            _ => 0,
        }
    }

    fn draw_announcer(&mut self) -> u32 {
        if self.rng.one_in(12) { self.account() } else { 0 }
    }

    /// The deployer of a market, now and then.
    fn draw_deployer(&mut self, kind: MarketKind, target: u32, drawn: u32) -> u32 {
        let own = self.governed.markets.iter().find(|(_, of, number)| (*of, *number) == (kind, target));
        match own {
            Some((account, ..)) if self.rng.percent(60) => *account,
            _ => drawn,
        }
    }

    /// A change of a market, most often one that passes.
    pub(super) fn draw_update(&mut self) -> DeployCommand {
        let mut update = self.draw_any_update();
        match &mut update {
            DeployCommand::UpdateInstrument(update) => {
                update.account =
                    self.draw_deployer(MarketKind::Instrument, update.instrument, update.account);
            }
            DeployCommand::UpdateVenue(update) => {
                update.account = self.draw_deployer(MarketKind::Venue, update.venue, update.account);
            }
            DeployCommand::UpdateQuestion(update) => {
                update.account = self.draw_deployer(MarketKind::Question, update.question, update.account);
            }
            _ => {}
        }
        update
    }

    fn draw_any_update(&mut self) -> DeployCommand {
        let (account, delay_s) = (self.draw_announcer(), self.draw_delay_s());
        let (rng, scale) = (&mut self.rng, self.scale);
        match rng.below(8) {
            0 if !self.governed.venues.is_empty() => {
                let venue = 1 + rng.below(self.governed.venues.len() as u64) as u32;
                let mut spec = self.governed.venues[venue as usize - 1].clone();
                if rng.one_in(4) {
                    crate::workload::fees::business(rng, &mut spec);
                }
                match (spec.fees, rng.below(12)) {
                    (_, 0) => spec.symbol.push('x'),
                    (_, 1) => spec.admission.forbids ^= 1,
                    (_, 2) => spec.counterparty.forbids ^= 1,
                    (Some(fees), 3) => {
                        spec.fees = Some(xos_protocol::Fees { ceiling_ppm: fees.highest_ppm() + 1, ..fees });
                    }
                    (Some(_), _) => spec.fees = Some(deployments::fees(rng)),
                    (None, 4) => spec.fees = Some(deployments::fees(rng)),
                    (None, _) => {}
                }
                crate::workload::fees::tiers(rng, &mut spec);
                let venue = if rng.one_in(20) { 99 } else { venue };
                DeployCommand::UpdateVenue(Box::new(VenueUpdate { venue, account, delay_s, spec }))
            }
            1 if !self.governed.questions.is_empty() => {
                let question = 1 + rng.below(self.governed.questions.len() as u64) as u32;
                let old = &self.governed.questions[question as usize - 1];
                let mut terms = deployments::terms(rng, scale);
                keep_terms(rng, old, &mut terms);
                terms.band_ppm = if rng.one_in(20) { 1 } else { 0 };
                let question = if rng.one_in(20) { 99 } else { question };
                DeployCommand::UpdateQuestion(Box::new(QuestionUpdate { question, account, delay_s, terms }))
            }
            _ => {
                let count = self.governed.instruments.len().max(1) as u64;
                let mut instrument = 1 + rng.below(count) as u32;
                let found = self.governed.instruments.iter().enumerate().cycle();
                let spec = found.skip(instrument as usize - 1).take(count as usize).find_map(|(at, spec)| {
                    let spec = spec.clone()?;
                    instrument = at as u32 + 1;
                    Some(spec)
                });
                let mut spec = spec.unwrap_or_else(|| deployments::perpetual(rng, scale, "P0".into()));
                vary(rng, scale, self.publishers, &mut spec);
                if rng.one_in(20) {
                    instrument = *rng.pick(&[0, 99, 1, count as u32]);
                }
                DeployCommand::UpdateInstrument(Box::new(InstrumentUpdate {
                    instrument,
                    account,
                    delay_s,
                    spec,
                }))
            }
        }
    }

    /// A venue ends: most often the last one, which seldom has instruments of its own.
    fn draw_end_of_venue(&mut self) -> CommandRecord {
        let venues = self.governed.venues.len() as u32;
        let instrument = match self.rng.below(12) {
            0 => *self.rng.pick(&[0, 99]),
            1..4 => 1 + self.rng.below(u64::from(venues.max(1))) as u32,
            _ => venues,
        };
        let announcer = self.draw_announcer();
        let account = self.draw_deployer(MarketKind::Venue, instrument, announcer);
        let qty = self.draw_delay_s().into();
        let side = MarketKind::Venue.code();
        CommandRecord { side, account, instrument, qty, ..command(CommandKind::Delist) }
    }

    /// A change is taken back, or a market is delisted.
    pub(super) fn draw_governance(&mut self) -> CommandRecord {
        let account = self.draw_announcer();
        if self.rng.one_in(3) {
            return self.draw_vote();
        }
        if self.rng.one_in(2) {
            return self.draw_stake();
        }
        if self.rng.one_in(2) {
            let ids: Vec<u64> = self.governed.changes.iter().map(|(id, ..)| *id).collect();
            let order_id = if ids.is_empty() || self.rng.one_in(12) { 7 } else { *self.rng.pick(&ids) };
            return CommandRecord { account, order_id, ..command(CommandKind::WithdrawChange) };
        }
        if self.rng.one_in(8) {
            return self.draw_end_of_venue();
        }
        let is_question = self.rng.one_in(2) && !self.resolvable.is_empty();
        let instrument = match is_question {
            true => self.rng.pick(&self.resolvable).question,
            false if self.rng.one_in(20) => 99,
            false => self.instrument(),
        };
        let side = match self.rng.below(20) {
            0 => 1,
            1 => 3,
            2 => {
                if is_question {
                    0
                } else {
                    2
                }
            }
            _ => {
                if is_question {
                    2
                } else {
                    0
                }
            }
        };
        let delay_s = self.draw_delay_s();
        let qty = if self.rng.one_in(20) { -1 } else { delay_s.into() };
        let kind = if is_question { MarketKind::Question } else { MarketKind::Instrument };
        let account = self.draw_deployer(kind, instrument, account);
        CommandRecord { side, account, instrument, qty, ..command(CommandKind::Delist) }
    }
}

/// Fixed terms stay; at times one does not.
fn keep_terms(rng: &mut Rng, old: &InstrumentTerms, terms: &mut InstrumentTerms) {
    terms.quote_atoms_per_tick_lot = old.quote_atoms_per_tick_lot;
    terms.price_max_ticks = old.price_max_ticks;
    terms.matching = old.matching;
    terms.venue = if rng.one_in(40) { old.venue ^ 1 } else { old.venue };
    let reopen_auction_s = *rng.pick(&[old.phases.reopen_auction_s, old.phases.reopen_auction_s, 0, 1, 2]);
    terms.phases = xos_protocol::Phases { reopen_auction_s, ..old.phases };
    terms.fees.ceiling_ppm = if rng.one_in(2) { 0 } else { old.fees.highest_ppm() };
    let highest = old.fees.highest_ppm();
    if !rng.one_in(5) {
        terms.fees.taker_ppm = terms.fees.taker_ppm.min(highest);
        terms.fees.maker_ppm = terms.fees.maker_ppm.min(terms.fees.taker_ppm).max(-terms.fees.taker_ppm);
    }
    match rng.below(44) {
        40 => terms.phases.pre_open_until_ns ^= 1,
        41 => terms.phases.close_ns ^= 1,
        0 => terms.quote_atoms_per_tick_lot ^= 1,
        1 => terms.price_max_ticks += 1,
        2 => terms.lot_size = "0.5".into(),
        3 => {
            terms.matching = if old.matching.code() == 0 {
                xos_protocol::Matching::MakerFirst
            } else {
                xos_protocol::Matching::Arrival
            }
        }
        4 => terms.fees.ceiling_ppm = highest + 1,
        5 => *terms = old.clone(),
        6..12 if highest < 100_000 => {
            (terms.fees.taker_ppm, terms.fees.ceiling_ppm) = (highest + 1, 0);
        }
        _ => {}
    }
}

/// Other values wherever they may be others, and at times where they may not.
fn vary(rng: &mut Rng, scale: deployments::Scale, publishers: u32, spec: &mut InstrumentSpec) {
    let old = spec.clone();
    let anew = match old.product {
        Product::Spot { base, quote, .. } => deployments::spot(rng, scale, old.symbol.clone(), base, quote),
        Product::Perpetual { .. } => deployments::perpetual(rng, scale, old.symbol.clone()),
    };
    if rng.one_in(2) {
        spec.terms = anew.terms;
        keep_terms(rng, &old.terms, &mut spec.terms);
    }
    if let Product::Perpetual { .. } = old.product
        && rng.one_in(2)
    {
        (spec.product, spec.margin) = (anew.product, anew.margin);
    }
    if old.halt.is_some() && anew.halt.is_some() {
        spec.halt = anew.halt.clone();
    }
    if old.liquidation.is_some() && anew.liquidation.is_some() {
        spec.liquidation = anew.liquidation.clone();
    }
    if !old.collateral.is_empty() && !anew.collateral.is_empty() && rng.one_in(2) {
        spec.collateral = anew.collateral.clone();
        spec.collateral.retain(|tier| tier.up_to_lots <= spec.terms.position_max_lots);
        if spec.collateral.is_empty() {
            spec.collateral = old.collateral.clone();
        }
        let first = spec.collateral[0].haircut_ppm;
        spec.conversion_slippage_ppm = old.conversion_slippage_ppm.map(|slippage| slippage.min(first));
    }
    if old.oracle.is_some() && publishers > 0 && rng.one_in(2) {
        spec.oracle = Some(deployments::oracle(rng, publishers));
    }
    if let Some(funding) = &old.funding
        && rng.one_in(2)
    {
        let mut terms = deployments::funding(rng, &old);
        if !rng.one_in(8) {
            terms.interval_h = funding.interval_h;
        }
        spec.funding = Some(Box::new(terms));
    }
    match rng.below(60) {
        0 => spec.symbol.push('x'),
        1 => {
            spec.oracle =
                if old.oracle.is_some() { None } else { Some(deployments::oracle(rng, publishers.max(1))) }
        }
        2 => {
            spec.funding =
                if old.funding.is_some() { None } else { Some(Box::new(deployments::funding(rng, &old))) }
        }
        3 => spec.collateral = if old.collateral.is_empty() { anew.collateral } else { Vec::new() },
        4 => {
            spec.conversion_slippage_ppm = if old.conversion_slippage_ppm.is_some() { None } else { Some(0) }
        }
        5 => spec.liquidation = if old.liquidation.is_some() { None } else { anew.liquidation },
        6 => spec.isolated_only = !old.isolated_only,
        7 => spec.halt = if old.halt.is_some() { None } else { anew.halt },
        8 => {
            if let Product::Spot { base, .. } = &mut spec.product {
                *base = 3;
            }
        }
        9 => {
            if let Product::Spot { base_atoms_per_lot, .. } = &mut spec.product {
                *base_atoms_per_lot += 1;
            }
        }
        10 => {
            spec.product = match old.product {
                Product::Spot { .. } => {
                    Product::Perpetual { initial_margin_ppm: 10, maintenance_margin_ppm: 5 }
                }
                Product::Perpetual { .. } => Product::Spot { base: 2, quote: 1, base_atoms_per_lot: 1 },
            }
        }
        _ => {}
    }
}
