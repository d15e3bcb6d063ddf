//! Worlds with terms of governance: deployers stake, buy slots and bring markets.

use super::Chaos;
use crate::rng::Rng;
use crate::workload::{Frame, admission, command, deployments};
use xos_protocol::{
    Act, CommandKind, CommandRecord, DeployAs, DeployCommand, Deployable, GovernanceSpec, Int128,
    LiquidationSpec, MarketBounds, MarketKind, Slots, Stakes,
};
use xos_units::Amount;

/// What a deployer brings, as if the operator had brought it.
pub(super) fn brought(command: DeployCommand) -> DeployCommand {
    match command {
        DeployCommand::DeployAs(asked) => match asked.market {
            Deployable::Instrument(spec) => DeployCommand::Instrument(spec),
            Deployable::Question(spec) => DeployCommand::Question(spec),
            Deployable::Venue(spec) => DeployCommand::Venue(spec),
        },
        other => other,
    }
}

/// Makes one thing wrong in a change, in what a deployer brings, or in terms of governance.
pub(in crate::workload) fn spoil_governed(rng: &mut Rng, command: &mut DeployCommand) {
    match command {
        DeployCommand::Governance(spec) => spoil_governance(rng, spec),
        DeployCommand::DeployAs(asked) => match &mut asked.market {
            Deployable::Instrument(spec) if rng.one_in(2) => spec.isolated_only = false,
            _ => asked.account = *rng.pick(&[0, 99]),
        },
        DeployCommand::UpdateInstrument(update) => {
            let mut inner = DeployCommand::Instrument(update.spec.clone());
            deployments::spoil(rng, &mut inner);
            if let DeployCommand::Instrument(spec) = inner {
                update.spec = spec;
            }
        }
        DeployCommand::ProposeAct(asked) => match &mut asked.act {
            Act::UpdateVenue { spec, .. } => spec.fees = Some(deployments::bad_fees(rng)),
            Act::UpdateQuestion { terms, .. } => terms.fees = deployments::bad_fees(rng),
            Act::Terms(spec) => spoil_governance(rng, spec),
            _ => asked.account = *rng.pick(&[0, 99]),
        },
        DeployCommand::UpdateVenue(update) => update.spec.fees = Some(deployments::bad_fees(rng)),
        DeployCommand::UpdateQuestion(update) => update.terms.fees = deployments::bad_fees(rng),
        _ => {}
    }
}

/// Makes one thing wrong in terms of governance.
fn spoil_governance(rng: &mut Rng, spec: &mut GovernanceSpec) {
    let too_much = Amount(1 << 96);
    if let Some(voting) = &mut spec.voting
        && rng.one_in(2)
    {
        return super::votes::spoil_voting(rng, voting);
    }
    match rng.below(13) {
        0 => spec.stake_asset = *rng.pick(&[0, 99]),
        1 => spec.stakes.question = *rng.pick(&[Amount(-1), too_much]),
        2 => spec.slot_price_min = *rng.pick(&[Amount(0), too_much]),
        3 => spec.slot_auction_s = *rng.pick(&[0, 2_592_001]),
        4 => spec.release_wait_s = 31_536_001,
        5 => spec.bounds.leverage_max = 1_000_001,
        6 => spec.bounds.maintenance_ppm_min = *rng.pick(&[-1, 1_000_001]),
        7 => spec.bounds.fee_ppm_max = *rng.pick(&[-1, 100_001]),
        8 => spec.bounds.band_ppm_max = *rng.pick(&[-1, 1_000_000]),
        9 => spec.bounds.mark_band_ppm_max = *rng.pick(&[-1, 1_000_000]),
        10 => spec.bounds.sources_min = 17,
        11 => spec.bounds.funding_cap_max = -1,
        _ => spec.bounds.insurance_draw_max = *rng.pick(&[Amount(-1), too_much]),
    }
}

impl Chaos {
    pub(super) fn draw_terms(&mut self) -> GovernanceSpec {
        let unit = self.amount_of_some_orders();
        let rng = &mut self.rng;
        let mut part = |percent: u64| Amount(unit * i128::from(rng.below(percent)) / 100);
        let stakes = Stakes { spot: part(40), perpetual: part(60), question: part(60), venue: part(10) };
        let slot_price_min = Amount(1 + part(10).0);
        let insurance_draw_max = part(20);
        let mut some = |value: i32| if rng.one_in(4) { value } else { 0 };
        let bounds = MarketBounds {
            leverage_max: some(25).unsigned_abs(),
            maintenance_ppm_min: some(20_000),
            fee_ppm_max: some(20_000),
            band_ppm_max: some(300_000),
            mark_band_ppm_max: some(200_000),
            sources_min: u32::from(some(1) == 1 && some(1) == 1),
            funding_cap_max: i64::from(some(1)) * 20_000_000_000,
            insurance_draw_max,
        };
        GovernanceSpec {
            stake_asset: 1 + self.rng.below(2) as u32,
            stakes,
            slots: Slots {
                spot: self.rng.below(2) as u16,
                perpetual: self.rng.below(3) as u16,
                question: self.rng.below(3) as u16,
                venue: 1,
            },
            slot_price_min,
            slot_auction_s: 1 + self.rng.below(10) as u32,
            release_wait_s: *self.rng.pick(&[0, 0, 1, 3]),
            bounds,
            voting: if self.rng.one_in(4) {
                None
            } else {
                Some(Box::new(super::votes::voting(&mut self.rng)))
            },
        }
    }

    /// Terms of governance in half of all worlds, after a wrong one now and then; before or after the markets.
    pub(super) fn plan_governance(&mut self, bodies: &mut Vec<DeployCommand>) {
        if self.rng.one_in(2) {
            return;
        }
        let is_first_asset =
            |body: &DeployCommand| matches!(body, DeployCommand::Venue(_) | DeployCommand::Class(_));
        let assets = bodies.iter().rposition(|body| matches!(body, DeployCommand::Asset(_))).unwrap_or(0);
        let early = self.rng.one_in(2) && bodies.iter().skip(1).any(is_first_asset);
        let place = if early { bodies.len().min(assets + 1) } else { bodies.len() };
        let spec = self.draw_terms();
        if self.rng.one_in(2) {
            let mut wrong = spec.clone();
            spoil_governance(&mut self.rng, &mut wrong);
            bodies.insert(place, DeployCommand::Governance(Box::new(wrong)));
        }
        bodies.insert(place, DeployCommand::Governance(Box::new(spec)));
    }

    /// A market that a deployer brings.
    pub(super) fn draw_market(&mut self, number: usize) -> DeployCommand {
        let account = self.account();
        if self.rng.one_in(30) {
            return DeployCommand::Governance(Box::new(self.draw_terms()));
        }
        let (rng, scale) = (&mut self.rng, self.scale);
        let market = match rng.below(8) {
            0 => {
                let mut spec = admission::venue(rng, number, self.classes.min(3));
                if !rng.one_in(5) {
                    let tiers = spec.tiers.iter_mut().map(|tier| &mut tier.maker_ppm);
                    let rates = spec.fees.iter_mut().map(|fees| &mut fees.maker_ppm).chain(tiers);
                    rates.for_each(|rate| *rate = (*rate).max(0));
                }
                Deployable::Venue(spec)
            }
            1..3 => {
                let mut spec = deployments::spot(rng, scale, format!("S{number}"), 2, 1);
                if !rng.one_in(6) {
                    (spec.collateral, spec.conversion_slippage_ppm) = (Vec::new(), None);
                }
                Deployable::Instrument(spec)
            }
            3..6 => {
                let mut spec = deployments::perpetual(rng, scale, format!("P{number}"));
                spec.isolated_only = !rng.one_in(8);
                if !rng.one_in(8) {
                    spec.liquidation.get_or_insert_default();
                }
                if let Some(liquidation) = &mut spec.liquidation
                    && !rng.one_in(4)
                {
                    liquidation.insurance_draw_max = Amount(0);
                    liquidation.tranche = None;
                }
                Deployable::Instrument(spec)
            }
            _ => {
                let outcomes = 2 + rng.below(2) as usize;
                let mut spec = deployments::question(rng, scale, number, outcomes);
                if let Some(&(underlying, id, price_max)) = self.groups.last()
                    && rng.one_in(6)
                {
                    spec.link = deployments::underlyings::link(rng, underlying, id, price_max, outcomes);
                }
                Deployable::Question(spec)
            }
        };
        let market = self.for_one_venue(account, market);
        DeployCommand::DeployAs(Box::new(DeployAs { account, market }))
    }

    /// Now and then a market is one venue's own: of the account's, or of another's.
    fn for_one_venue(&mut self, account: u32, mut market: Deployable) -> Deployable {
        let markets = self.governed.markets.iter().filter(|(_, kind, _)| *kind == MarketKind::Venue);
        let own = markets.filter(|(of, ..)| *of == account).map(|(.., venue)| *venue as u16).next_back();
        let venue = if self.rng.percent(80) { own.unwrap_or(0) } else { 1 };
        if self.rng.one_in(6) {
            match &mut market {
                Deployable::Instrument(spec) => spec.terms.venue = venue,
                Deployable::Question(spec) => spec.terms.venue = venue,
                Deployable::Venue(_) => {}
            }
        }
        market
    }

    /// Somebody stakes, brings a market and ends it: a perpetual, or a question in which somebody stands, or nobody.
    pub(super) fn plan_deployer(&mut self) {
        let account = self.account();
        let other = 1 + account % self.live.accounts;
        let unit = 20 * self.amount_of_some_orders();
        let number = 500 + self.deployments;
        self.deployments += 1;
        let is_question = self.rng.one_in(2);
        let market = if is_question {
            let mut spec = self.resolvable_question();
            spec.link = None;
            if let Some(terms) = &mut spec.resolution {
                terms.close_ns = self.time_ns + 1_000_000_000_000;
            }
            Deployable::Question(spec)
        } else {
            let mut spec = deployments::perpetual(&mut self.rng, self.scale, format!("P{number}"));
            let liquidation = LiquidationSpec { insurance_draw_max: Amount(0), ..LiquidationSpec::default() };
            (spec.isolated_only, spec.liquidation) = (true, Some(Box::new(liquidation)));
            Deployable::Instrument(spec)
        };
        let record = |kind, account, amount: i128| CommandRecord {
            account,
            amount: Int128::new(amount),
            ..command(kind)
        };
        let deposit =
            |asset| CommandRecord { instrument: asset, ..record(CommandKind::Deposit, account, 3 * unit) };
        let slot = CommandRecord {
            side: if is_question { 2 } else { 1 },
            ..record(CommandKind::BuySlot, account, unit)
        };
        let stake = record(CommandKind::Stake, account, unit);
        let time_ns = self.time_ns;
        for commands in [vec![deposit(1), deposit(2)], vec![slot], vec![stake]] {
            self.set_up.push_back(Frame::commands(time_ns, commands));
        }
        let body = DeployCommand::DeployAs(Box::new(DeployAs { account, market }));
        self.set_up.push_back(Frame::deploy(time_ns, &body));
        let (instrument, side) = match is_question {
            true => (self.questions + 1, 2),
            false => (self.instruments.len() as u32 + 1, 0),
        };
        if is_question && self.rng.one_in(2) {
            let split =
                CommandRecord { instrument, qty: 2 * self.scale.lot, ..command(CommandKind::SplitSet) };
            let split = CommandRecord { account: other, ..split };
            self.set_up.push_back(Frame::commands(time_ns, vec![split]));
        }
        let delist = CommandRecord { side, account, instrument, ..command(CommandKind::Delist) };
        self.set_up.push_back(Frame::commands(time_ns, vec![delist]));
        for at in 0..3 {
            let tick = command(CommandKind::Tick);
            self.set_up.push_back(Frame::commands(time_ns + at, vec![tick]));
        }
        let unstake = record(CommandKind::Unstake, account, unit);
        self.set_up.push_back(Frame::commands(time_ns + 2, vec![unstake]));
    }

    /// Stakes, what is taken back of them, and slots.
    pub(super) fn draw_stake(&mut self) -> CommandRecord {
        let account = self.account();
        let mut amount = self.amount_of_some_orders() / 4 + 1;
        if self.rng.one_in(20) {
            amount = *self.rng.pick(&[0, -1, 1 << 96, 1]);
        }
        let (kind, side) = match self.rng.below(8) {
            0..4 => (CommandKind::Stake, 0),
            4..6 => (CommandKind::Unstake, 0),
            _ => (CommandKind::BuySlot, self.rng.below(5) as u8),
        };
        CommandRecord { side, account, amount: Int128::new(amount), ..command(kind) }
    }
}
