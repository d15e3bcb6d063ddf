//! Chaos: a small world in which everything collides, and every kind of command, right and wrong.

mod accounts;
mod auctions;
mod commands;
mod crash;
mod credentials;
mod debt;
mod deployers;
mod dispute;
mod fees;
mod giant;
mod governance;
mod hedge;
mod implied;
mod interval;
mod later;
mod melt;
mod prices;
mod simulated;
mod squeeze;
mod triggers;
mod votes;

pub(super) use self::deployers::spoil_governed;
use super::admission;
use super::collateral;
use super::deployments::{self, Scale};
use super::live::Live;
use super::{Body, Frame, command};
use crate::rng::Rng;
use std::collections::VecDeque;
use xos_protocol::{CommandKind, CommandRecord, DeployCommand, EventKind, EventRecord, Product};

/// What the generator remembers of an instrument.
#[derive(Clone, Copy, Debug)]
struct Known {
    question: u32,
    price_max: i64,
    qty_min: i64,
    qty_max: i64,
    is_settled: bool,
    is_perpetual: bool,
    /// An outcome of a question with implied liquidity.
    is_implied: bool,
    /// The asset, if it is collateral that may be converted here.
    converted: u32,
    atoms_per_lot: u64,
    /// Publishers that are its sources: the first so many.
    sources: u32,
}

/// A source of frames that looks at the events of the frames before.
#[derive(Clone, Debug)]
pub struct Chaos {
    rng: Rng,
    scale: Scale,
    /// Percent of the usual amounts.
    wealth: i128,
    /// Few mistakes and disturbances, so that books grow deep.
    calm: bool,
    apart: simulated::Apart,
    /// Many makers on questions with implied liquidity.
    crowd: bool,
    time_ns: u64,
    next_sequence: u64,
    set_up: VecDeque<Frame>,
    live: Live,
    instruments: Vec<Known>,
    assets: u32,
    venues: u16,
    publishers: u32,
    classes: u32,
    questions: u32,
    /// Underlyings that stand: number, first perpetual and its highest price.
    groups: Vec<(u32, u32, i64)>,
    /// Two perpetuals of each that has two.
    hedges: Vec<(u32, u32)>,
    deployments: usize,
    fresh_client_ids: u64,
    recent: Vec<CommandRecord>,
    pending: Option<DeployCommand>,
    /// Questions with resolvers that are not decided.
    resolvable: Vec<dispute::Resolvable>,
    governed: governance::Governed,
    /// Questions that take more outcomes, and their any_other.
    takers: Vec<(u32, u32)>,
    /// The market of fine prices whose liquidation grows.
    melting: Option<u32>,
}

impl Chaos {
    /// The chaos of this seed.
    pub fn new(seed: u64) -> Self {
        Self::with(Rng::new(seed), false, false)
    }

    /// A chaos with many makers on questions with implied liquidity.
    pub fn of_crowd(seed: u64) -> Self {
        Self::with(Rng::new(seed), true, false)
    }

    fn with(mut rng: Rng, of_crowd: bool, of_play: bool) -> Self {
        let scale = Scale::draw(&mut rng);
        let wealth = *rng.pick(&[3, 8, 25, 100]);
        let (calm, is_apart) = (rng.one_in(3), rng.one_in(6) || of_play);
        let crowd = rng.one_in(6) || of_crowd;
        let time_ns = 1_000_000 + rng.below(1_000);
        let mut chaos = Self {
            rng,
            scale,
            wealth,
            calm,
            apart: simulated::Apart { is_on: is_apart, ..Default::default() },
            crowd,
            time_ns,
            next_sequence: 1,
            set_up: VecDeque::new(),
            live: Live::default(),
            instruments: Vec::new(),
            assets: 0,
            venues: 0,
            publishers: 0,
            classes: 0,
            questions: 0,
            groups: Vec::new(),
            hedges: Vec::new(),
            deployments: 0,
            fresh_client_ids: 0,
            recent: Vec::new(),
            pending: None,
            resolvable: Vec::new(),
            governed: governance::Governed::default(),
            takers: Vec::new(),
            melting: None,
        };
        chaos.plan_set_up();
        chaos
    }

    /// The next frame; [`Self::observe`] its outcome before asking for another.
    pub fn next_frame(&mut self) -> Frame {
        if self.set_up.is_empty() && self.live.accounts > 1 && self.rng.one_in(70) {
            self.plan_debt();
        } else if self.set_up.is_empty() && self.live.accounts > 1 && self.rng.one_in(80) {
            self.plan_deployer();
        } else if self.set_up.is_empty() && self.live.accounts > 2 && self.rng.one_in(60) {
            self.plan_act();
        } else if self.set_up.is_empty() && !self.hedges.is_empty() && self.rng.one_in(40) {
            self.plan_hedge();
        } else if self.set_up.is_empty() && self.live.accounts > 1 && self.rng.one_in(300) {
            self.plan_melt();
        }
        if self.set_up.is_empty() && self.live.accounts > 0 && self.rng.one_in(50) {
            if self.rng.one_in(3) {
                self.plan_dispute();
            } else if self.rng.one_in(4) {
                self.plan_interval();
            } else if self.rng.one_in(16) {
                self.plan_giant();
            } else if self.rng.percent(40) {
                self.plan_crash();
            } else {
                self.plan_squeeze();
            }
        }
        let planned = self.set_up.pop_front();
        let frame = planned.unwrap_or_else(|| self.draw_frame());
        let frame = self.with_phases(frame);
        self.pending = match &frame.body {
            Body::Deploy(body) => DeployCommand::from_bytes(body).ok().map(deployers::brought),
            Body::Commands(_) => None,
        };
        frame
    }

    /// What became of a frame: whether it was admitted, and its events.
    pub fn observe(&mut self, frame: &Frame, admitted: bool, events: &[EventRecord]) {
        if !admitted {
            return;
        }
        self.time_ns = frame.time_ns;
        self.next_sequence += frame.sequences();
        for event in events {
            self.live.observe(event);
            self.observe_deployment(event);
            self.observe_governance(event);
            self.observe_stakes(event);
            self.observe_votes(event);
            self.observe_apart(event);
            self.observe_melting(event);
        }
    }

    fn observe_deployment(&mut self, event: &EventRecord) {
        match event.kind() {
            Some(EventKind::AssetDeployed) => self.assets += 1,
            Some(EventKind::VenueDeployed) => self.venues += 1,
            Some(EventKind::PublisherDeployed) => self.publishers += 1,
            Some(EventKind::ClassDeployed) => self.classes += 1,
            Some(EventKind::UnderlyingDeployed) => {
                if let Some(DeployCommand::Underlying(spec)) = &self.pending {
                    let instruments = spec.instruments.clone();
                    self.know_underlying(event.instrument, &instruments);
                }
            }
            Some(EventKind::QuestionDeployed) => {
                self.questions += 1;
                if let Some(DeployCommand::Question(spec)) = &self.pending {
                    let question = event.instrument;
                    if let Some(terms) = &spec.resolution {
                        self.resolvable.push(dispute::Resolvable { question, spec: (**terms).clone() });
                    }
                    if let Some(later) = spec.later {
                        self.takers.push((question, event.order_id as u32 + later.any_other));
                    }
                }
            }
            Some(EventKind::SetSplit) => self.observe_sets(event, event.qty),
            Some(EventKind::SetMerged) => self.observe_sets(event, -event.qty),
            Some(EventKind::QuestionResolved) => {
                let question = event.instrument;
                self.resolvable.retain(|other| other.question != question);
                self.takers.retain(|other| other.0 != question);
                for known in self.instruments.iter_mut().filter(|known| known.question == question) {
                    known.is_settled = true;
                }
                let instruments = &self.instruments;
                self.live.positions.retain(|(_, i), _| instruments[*i as usize - 1].question != question);
            }
            Some(EventKind::InstrumentDeployed) => {
                let mut sources = 0;
                let (question, is_perpetual, terms) = match &self.pending {
                    Some(DeployCommand::Question(spec)) => (self.questions, false, &spec.terms),
                    Some(DeployCommand::Instrument(spec)) => {
                        sources = spec.oracle.as_ref().map_or(0, |oracle| oracle.sources.len() as u32);
                        (0, matches!(spec.product, Product::Perpetual { .. }), &spec.terms)
                    }
                    Some(DeployCommand::AddOutcome(_)) => return self.observe_added(event),
                    _ => return,
                };
                let is_implied = matches!(&self.pending, Some(DeployCommand::Question(spec)) if spec.implied);
                let is_collateral = matches!(&self.pending,
                    Some(DeployCommand::Instrument(spec)) if !spec.collateral.is_empty());
                let (converted, atoms_per_lot) = match &self.pending {
                    Some(DeployCommand::Instrument(spec)) => match spec.product {
                        Product::Spot { base, base_atoms_per_lot, .. }
                            if spec.conversion_slippage_ppm.is_some() =>
                        {
                            (base, base_atoms_per_lot)
                        }
                        _ => (0, 0),
                    },
                    _ => (0, 0),
                };
                let price_max = terms.price_max_ticks;
                let (qty_min, qty_max) = (terms.qty_min_lots, terms.qty_max_lots);
                if sources > 0 {
                    self.plan_first_prices(event.instrument, sources, terms_mark(price_max));
                } else if is_collateral && !self.rng.one_in(6) {
                    let price = terms_mark(price_max);
                    let record = CommandRecord { price, ..command(CommandKind::SetIndex) };
                    let record = CommandRecord { instrument: event.instrument, ..record };
                    self.set_up.push_back(Frame::commands(self.time_ns, vec![record]));
                } else if is_perpetual && !self.rng.one_in(6) {
                    let mark = terms_mark(price_max);
                    self.set_up.push_back(self.mark_frame(event.instrument, mark));
                }
                let is_settled = false;
                let known = Known {
                    question,
                    price_max,
                    qty_min,
                    qty_max,
                    is_settled,
                    is_perpetual,
                    is_implied,
                    converted,
                    atoms_per_lot,
                    sources,
                };
                self.know(event.instrument, known);
            }
            _ => {}
        }
    }

    fn plan_set_up(&mut self) {
        let (rng, scale) = (&mut self.rng, self.scale);
        let mut bodies = Vec::new();
        if rng.one_in(8) {
            bodies.push(DeployCommand::Venue(admission::venue(rng, 9, 0)));
        }
        let mut limits = deployments::limits(rng);
        if self.crowd {
            limits.instruments_per_account_max += 8;
            limits.matches_per_command_max += rng.below(12) as u32;
        }
        if rng.one_in(12) {
            limits.orders_per_account_max = (1 << 22) + rng.below(2) as u32;
        }
        if rng.one_in(24) {
            limits.profiles_max = *rng.pick(&[0, 64]);
        }
        if rng.one_in(24) {
            limits.triggers_fired_per_command_max = 0;
        }
        if rng.one_in(24) {
            limits.payouts_per_command_max = 0;
        }
        bodies.push(DeployCommand::Genesis(limits));
        let assets = 2 + rng.below(2) as usize;
        if rng.one_in(12) {
            bodies.push(DeployCommand::Asset(collateral::bad_settlement_asset(rng)));
        }
        bodies.push(DeployCommand::Asset(collateral::settlement_asset(rng, scale)));
        bodies.extend((2..=assets).map(|number| DeployCommand::Asset(deployments::asset(number))));
        // In one world in sixteen there are as many as there can be, and more are asked for.
        let classes = if rng.one_in(16) { 32 } else { rng.below(4) as usize };
        bodies.extend((1..=classes).map(|number| DeployCommand::Class(admission::class(rng, number))));
        let classes = classes.min(3) as u32;
        for number in 1..=1 + rng.below(3) as usize {
            bodies.push(DeployCommand::Venue(admission::venue(rng, number, classes)));
        }
        let pairs = [(2, 1), (1, 2), (assets as u32, 2)];
        let base_and_quote = pairs.iter().filter(|(base, quote)| base != quote);
        for (at, &(base, quote)) in base_and_quote.enumerate() {
            if at == 0 || rng.one_in(2) {
                let symbol = format!("SPOT{at}");
                bodies.push(DeployCommand::Instrument(deployments::spot(rng, scale, symbol, base, quote)));
            }
        }
        let publishers = 1 + rng.below(3) as u32;
        bodies.extend((1..=publishers).map(|n| DeployCommand::Publisher(deployments::publisher(n as usize))));
        let spots = |body: &&DeployCommand| matches!(body, DeployCommand::Instrument(_));
        let instruments = bodies.iter().filter(spots).count() as u32;
        let (mut perpetuals, hedged) = (Vec::new(), rng.one_in(3));
        for number in 1..=2 {
            let mut spec = deployments::perpetual(rng, scale, format!("PERP{number}"));
            spec.oracle = rng.one_in(3).then(|| deployments::oracle(rng, publishers));
            spec.funding = rng.one_in(2).then(|| Box::new(deployments::funding(rng, &spec)));
            if number == 2 {
                super::fees::own_venue(rng, 1, &mut spec.terms);
            }
            hedge::ease(rng, &mut spec, hedged);
            perpetuals.push((instruments + number as u32, spec.terms.price_max_ticks));
            bodies.push(DeployCommand::Instrument(spec));
        }
        let many = if rng.one_in(3) && !hedged { 1 } else { 2 };
        let group = perpetuals[..many].iter().map(|(id, _)| *id).collect();
        bodies.push(DeployCommand::Underlying(deployments::underlyings::underlying(rng, 1, group)));
        for number in 70..70 + rng.below(4) {
            let mut spec = deployments::perpetual(rng, scale, format!("P{number}"));
            let mut oracle = deployments::oracle(rng, publishers);
            deployments::spoil_oracle(rng, &mut oracle);
            spec.oracle = Some(oracle);
            bodies.push(DeployCommand::Instrument(spec));
        }
        for number in 1..=1 + rng.below(2) as usize {
            let outcomes = 2 + rng.below(if self.crowd { 5 } else { 4 }) as usize;
            let mut spec = deployments::question(rng, scale, number, outcomes);
            spec.implied |= self.crowd;
            if rng.percent(70) {
                let (id, price_max) = perpetuals[0];
                spec.link = deployments::underlyings::link(rng, 1, id, price_max, outcomes);
            }
            later::maybe_later(rng, &mut spec, 3);
            bodies.push(DeployCommand::Question(spec));
        }
        for number in 50..50 + rng.below(9) as usize {
            let mut body = match rng.below(6) {
                0 => DeployCommand::Asset(deployments::asset(number)),
                1 if rng.one_in(2) => DeployCommand::Publisher(deployments::publisher(number)),
                1 if rng.one_in(3) => DeployCommand::Class(admission::class(rng, number)),
                1 => DeployCommand::Venue(admission::venue(rng, number, classes)),
                2 => DeployCommand::Instrument(deployments::spot(rng, scale, format!("S{number}"), 2, 1)),
                3 => {
                    let mut spec = deployments::perpetual(rng, scale, format!("P{number}"));
                    spec.oracle = Some(deployments::oracle(rng, publishers));
                    spec.funding = Some(Box::new(deployments::funding(rng, &spec)));
                    DeployCommand::Instrument(spec)
                }
                _ => DeployCommand::Question(deployments::question(rng, scale, number, 2)),
            };
            deployments::spoil(rng, &mut body);
            bodies.push(body);
        }
        if self.apart.is_on {
            simulated::set_apart(&mut self.rng, &mut bodies);
        }
        self.plan_governance(&mut bodies);
        self.set_up.extend(bodies.iter().map(|body| Frame::deploy(self.time_ns, body)));
        self.plan_accounts(assets as u32, classes);
    }

    fn draw_frame(&mut self) -> Frame {
        if self.rng.one_in(if self.calm { 300 } else { 60 }) {
            return self.draw_deployment();
        }
        if self.rng.one_in(250) {
            return self.draw_inadmissible();
        }
        let time_ns = self.draw_time();
        let length = if self.rng.one_in(6) { 2 + self.rng.below(19) } else { 1 };
        let mut commands = Vec::new();
        for at in 0..length {
            let record = self.draw_command(at);
            commands.push(record);
        }
        Frame::commands(time_ns, commands)
    }

    fn draw_time(&mut self) -> u64 {
        let step = match self.rng.below(40) {
            0..24 => 0,
            24..36 => 1 + self.rng.below(4),
            36 if self.rng.one_in(6) => 1_000_000 * (1 + self.rng.below(5_000)),
            36..39 => 10 + self.rng.below(40),
            _ if self.rng.one_in(4) => 1_000_000 + self.rng.below(2),
            _ => 1 + self.rng.below(2_000),
        };
        self.time_ns + step
    }

    /// A frame that is refused as a whole.
    fn draw_inadmissible(&mut self) -> Frame {
        let tick = command(CommandKind::Tick);
        match self.rng.below(3) {
            0 => Frame::commands(self.time_ns - 1, vec![tick]),
            1 => Frame::commands(self.time_ns, vec![]),
            _ => Frame::commands(self.time_ns, vec![tick; 21]),
        }
    }

    fn draw_deployment(&mut self) -> Frame {
        self.deployments += 1;
        let number = 10 + self.deployments;
        let (rng, scale) = (&mut self.rng, self.scale);
        let mut body = match rng.below(20) {
            0 => DeployCommand::Genesis(deployments::limits(rng)),
            1..3 => DeployCommand::Asset(deployments::asset(number)),
            3 if rng.one_in(2) => {
                let perpetuals = (1..).zip(&self.instruments).filter(|(_, known)| known.is_perpetual);
                let group =
                    perpetuals.map(|(id, _)| id).skip(rng.below(3) as usize).take(2).collect::<Vec<u32>>();
                let group = if group.is_empty() { vec![1] } else { group };
                DeployCommand::Underlying(deployments::underlyings::underlying(rng, number, group))
            }
            3 => DeployCommand::Publisher(deployments::publisher(number)),
            4 if rng.one_in(4) => DeployCommand::Class(admission::class(rng, number)),
            4 => DeployCommand::Venue(admission::venue(rng, number, self.classes.min(3))),
            5..7 => {
                let mut spec = deployments::spot(rng, scale, format!("S{number}"), 2, 1);
                spec.funding = rng.one_in(8).then(|| Box::new(deployments::funding(rng, &spec)));
                spec.isolated_only = rng.one_in(12);
                DeployCommand::Instrument(spec)
            }
            7..9 => {
                let mut spec = deployments::perpetual(rng, scale, format!("P{number}"));
                super::fees::own_venue(rng, 2, &mut spec.terms);
                if self.publishers > 0 && rng.one_in(2) {
                    spec.oracle = Some(deployments::oracle(rng, self.publishers));
                }
                DeployCommand::Instrument(spec)
            }
            9 => self.draw_payouts(),
            13..16 => self.draw_update(),
            16.. if rng.one_in(4) => self.draw_act(),
            16.. => self.draw_market(number),
            _ => {
                let outcomes = 2 + rng.below(6) as usize;
                let mut spec = deployments::question(rng, scale, number, outcomes);
                super::fees::own_venue(rng, 2, &mut spec.terms);
                if let Some(&(underlying, id, price_max)) = self.groups.last() {
                    spec.link = deployments::underlyings::link(rng, underlying, id, price_max, outcomes);
                }
                later::maybe_later(rng, &mut spec, 4);
                DeployCommand::Question(spec)
            }
        };
        let is_settled = matches!(body, DeployCommand::SettleQuestion(_));
        if self.rng.percent(if is_settled { 20 } else { 70 }) {
            deployments::spoil(&mut self.rng, &mut body);
        }
        let mut frame = Frame::deploy(self.draw_time(), &body);
        if self.rng.one_in(12)
            && let Body::Deploy(bytes) = &mut frame.body
        {
            bytes.truncate(self.rng.below(bytes.len() as u64) as usize);
        }
        frame
    }
}

/// The price around which a book starts.
fn terms_mark(price_max: i64) -> i64 {
    1 + price_max / 2
}
