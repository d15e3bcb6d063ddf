//! Worlds in which acts of governance are voted on, and guardians act.

use super::Chaos;
use crate::rng::Rng;
use crate::workload::{Frame, command};
use xos_protocol::{
    Act, Change, CommandKind, CommandRecord, DeployCommand, EventKind, EventRecord, GovernanceSpec, Harm,
    Int128, MarketKind, ProposeAct, Voter, VotingSpec,
};
use xos_units::Amount;

const SECOND_NS: u64 = 1_000_000_000;

/// What is voted on.
#[derive(Clone, Debug, Default)]
pub(super) struct Voted {
    /// Terms that stand.
    terms: Option<GovernanceSpec>,
    /// Proposals that are neither failed nor effective.
    proposals: Vec<(u64, Act)>,
}

impl Voted {
    fn voting(&self) -> Option<&VotingSpec> {
        self.terms.as_ref()?.voting.as_deref()
    }

    /// The change of a market that a proposal with this id is.
    pub(super) fn change_of(&self, id: u64) -> Option<Change> {
        let (_, act) = self.proposals.iter().find(|(of, _)| *of == id)?;
        match act {
            Act::UpdateInstrument { spec, .. } => Some(Change::Instrument(spec.clone())),
            Act::UpdateVenue { spec, .. } => Some(Change::Venue(spec.clone())),
            Act::UpdateQuestion { terms, .. } => Some(Change::Terms(terms.clone())),
            _ => None,
        }
    }
}

/// Voters and guardians among the first accounts.
pub(super) fn voting(rng: &mut Rng) -> VotingSpec {
    let mut voters: Vec<Voter> =
        (1..=3).map(|account| Voter { account, weight: 1 + rng.below(4) as u32 }).collect();
    voters.truncate(1 + rng.below(3) as usize);
    let mut guardians = vec![1, 2, 3];
    guardians.truncate(rng.below(4) as usize);
    VotingSpec {
        voters,
        quorum_ppm: *rng.pick(&[1, 333_333, 500_000, 1_000_000]),
        majority_ppm: *rng.pick(&[500_001, 666_667, 1_000_000]),
        voting_s: 1 + rng.below(2) as u32,
        time_lock_s: if rng.one_in(4) { 86_400 } else { rng.below(3) as u32 },
        binds_operator: rng.one_in(10),
        emergency_s: if guardians.is_empty() { 0 } else { 1 + rng.below(2) as u32 },
        guardians,
    }
}

/// Makes one thing wrong in it.
pub(super) fn spoil_voting(rng: &mut Rng, spec: &mut VotingSpec) {
    let many = |count: u32| (1..=count).collect::<Vec<_>>();
    match rng.below(10) {
        0 => spec.voters.clear(),
        1 => spec.voters = many(65).into_iter().map(|account| Voter { account, weight: 1 }).collect(),
        2 => spec.voters.insert(0, Voter { account: *rng.pick(&[0, 1, 99]), weight: 1 }),
        3 => spec.voters[0].weight = 0,
        4 => spec.quorum_ppm = *rng.pick(&[0, 1_000_001]),
        5 => spec.majority_ppm = *rng.pick(&[500_000, 1_000_001]),
        6 => spec.voting_s = *rng.pick(&[0, 2_592_001]),
        7 => spec.time_lock_s = 31_536_001,
        8 => spec.guardians = rng.pick(&[vec![2, 2], vec![0], many(17)]).clone(),
        _ => (spec.guardians, spec.emergency_s) = (vec![1], *rng.pick(&[0, 604_801])),
    }
}

impl Chaos {
    pub(super) fn observe_votes(&mut self, event: &EventRecord) {
        let voted = &mut self.governed.voted;
        match (event.kind(), &self.pending) {
            (Some(EventKind::GovernanceDeployed), Some(DeployCommand::Governance(spec))) => {
                voted.terms = Some((**spec).clone());
            }
            (Some(EventKind::ProposalMade), Some(DeployCommand::ProposeAct(asked))) => {
                voted.proposals.push((event.order_id, asked.act.clone()));
            }
            (Some(EventKind::ProposalFailed), _) => voted.proposals.retain(|(id, _)| *id != event.order_id),
            (Some(EventKind::ProposalEffective), _) => {
                let at = voted.proposals.iter().position(|(id, _)| *id == event.order_id);
                match at.map(|at| voted.proposals.remove(at).1) {
                    Some(Act::Terms(spec)) => voted.terms = Some(*spec),
                    Some(Act::Admit { instrument }) => self.governed.admit(instrument),
                    _ => {}
                }
            }
            (
                Some(EventKind::ChangeEffective | EventKind::DelistingBegun | EventKind::ChangeWithdrawn),
                _,
            ) => {
                voted.proposals.retain(|(id, _)| *id != event.order_id);
            }
            _ => {}
        }
    }

    /// A vote, or what a guardian does.
    pub(super) fn draw_vote(&mut self) -> CommandRecord {
        let account = if self.rng.one_in(8) { self.account() } else { 1 + self.rng.below(3) as u32 };
        if self.rng.one_in(4) {
            let (instrument, side) = (self.instrument(), self.rng.below(4) as u8);
            return CommandRecord { account, instrument, side, ..command(CommandKind::Emergency) };
        }
        let ids: Vec<u64> = self.governed.voted.proposals.iter().map(|(id, _)| *id).collect();
        let order_id = if ids.is_empty() || self.rng.one_in(16) { 7 } else { *self.rng.pick(&ids) };
        let side = if self.rng.one_in(20) { 2 } else { u8::from(self.rng.percent(75)) };
        CommandRecord { account, order_id, side, ..command(CommandKind::Vote) }
    }

    /// Somebody proposes an act.
    pub(super) fn draw_act(&mut self) -> DeployCommand {
        let account = if self.rng.one_in(8) { self.account() } else { 1 + self.rng.below(3) as u32 };
        let act = self.draw_what();
        DeployCommand::ProposeAct(Box::new(ProposeAct { account, act }))
    }

    fn draw_what(&mut self) -> Act {
        match self.rng.below(14) {
            0..4 => match self.draw_update() {
                DeployCommand::UpdateVenue(update) => {
                    Act::UpdateVenue { venue: update.venue, spec: Box::new(update.spec) }
                }
                DeployCommand::UpdateQuestion(update) => {
                    Act::UpdateQuestion { question: update.question, terms: Box::new(update.terms) }
                }
                DeployCommand::UpdateInstrument(update) => {
                    Act::UpdateInstrument { instrument: update.instrument, spec: Box::new(update.spec) }
                }
                other => unreachable!("no update: {other:?}"),
            },
            4 => {
                let kind = *self.rng.pick(MarketKind::ALL);
                let target = match kind {
                    MarketKind::Question => 1 + self.rng.below(u64::from(self.questions) + 1) as u32,
                    _ => self.instrument(),
                };
                Act::Delist { kind, target }
            }
            5..7 => Act::Admit { instrument: self.isolated_perpetual() },
            7 => Act::SetState { instrument: self.instrument(), state: self.rng.below(5) as u8 },
            8 => self.draw_other_terms(),
            9 => Act::Confirm { instrument: self.instrument() },
            _ => self.draw_slash(),
        }
    }

    /// One that takes isolated accounts only, if there is any.
    fn isolated_perpetual(&mut self) -> u32 {
        let found = self.governed.isolated();
        if found.is_empty() || self.rng.one_in(8) { self.instrument() } else { *self.rng.pick(&found) }
    }

    fn draw_other_terms(&mut self) -> Act {
        let mut spec = self.draw_terms();
        if let Some(old) = &self.governed.voted.terms
            && !self.rng.one_in(8)
        {
            spec = old.clone();
            let rng = &mut self.rng;
            match rng.below(8) {
                0 => spec.stake_asset ^= 3,
                1 => spec.voting = None,
                2 => spec.bounds.leverage_max = 25,
                3 => {}
                4 => {
                    if let Some(terms) = &mut spec.voting {
                        spoil_voting(rng, terms);
                    }
                }
                _ => spec.voting = Some(Box::new(voting(rng))),
            }
        }
        Act::Terms(Box::new(spec))
    }

    /// Of a deployer that has something staked, most often.
    fn draw_slash(&mut self) -> Act {
        let staked: Vec<u32> = self.governed.stakes.keys().copied().collect();
        let account =
            if staked.is_empty() || self.rng.one_in(12) { self.account() } else { *self.rng.pick(&staked) };
        let stake = self.governed.stakes.get(&account).copied().unwrap_or(1).max(1);
        let amount = match self.rng.below(12) {
            0 => *self.rng.pick(&[0, 1 << 96, stake + 1]),
            _ => 1 + i128::from(self.rng.below(100)) * stake / 100,
        };
        let mut harmed = Vec::new();
        for account in 1..=self.live.accounts {
            if self.rng.one_in(3) {
                let claim = 1 + i128::from(self.rng.below(100)) * stake / 150;
                harmed.push(Harm { account, claim: Amount(claim) });
            }
        }
        if !self.rng.one_in(6) {
            let owners = &self.live.owners;
            harmed.retain(|harm| owners.get(&harm.account) != owners.get(&account));
        }
        match self.rng.below(16) {
            0 => harmed.reverse(),
            1 => harmed.push(Harm { account: 99, claim: Amount(1) }),
            2 => harmed.iter_mut().for_each(|harm| harm.claim = Amount(0)),
            3 => harmed = vec![Harm { account, claim: Amount(1) }; 257],
            _ => {}
        }
        Act::Slash { account, amount: Amount(amount), harmed }
    }

    /// Something is proposed, all vote, and time passes until it takes effect.
    pub(super) fn plan_act(&mut self) {
        let Some(voting) = self.governed.voted.voting().cloned() else { return };
        let time_ns = self.time_ns;
        let proposer = voting.voters[0].account;
        if self.rng.one_in(3) && !voting.guardians.is_empty() {
            return self.plan_emergency(&voting);
        }
        let (count, before) = if self.rng.one_in(10) { (9, 0) } else { (1, self.plan_stake()) };
        for _ in 0..count {
            let act = if before > 0 { self.draw_slash() } else { self.draw_what() };
            let body = DeployCommand::ProposeAct(Box::new(ProposeAct { account: proposer, act }));
            self.set_up.push_back(Frame::deploy(time_ns, &body));
        }
        // The frames with proposals have a command each.
        let id = self.next_sequence + before + count - 1;
        self.plan_all_votes(&voting, id, time_ns);
        let tick = || vec![command(CommandKind::Tick)];
        let ended_ns = time_ns + u64::from(voting.voting_s) * SECOND_NS;
        self.set_up.push_back(Frame::commands(ended_ns, tick()));
        if !self.rng.one_in(4) {
            let effective_ns = ended_ns + u64::from(voting.time_lock_s.min(3)) * SECOND_NS;
            self.set_up.push_back(Frame::commands(effective_ns, tick()));
        }
    }

    /// Somebody stakes what is slashed then, now and then; the number of commands.
    fn plan_stake(&mut self) -> u64 {
        if !self.rng.one_in(3) {
            return 0;
        }
        let (account, time_ns) = (self.account(), self.time_ns);
        let unit = 20 * self.amount_of_some_orders();
        let record = |kind, instrument| CommandRecord {
            account,
            instrument,
            amount: Int128::new(unit),
            ..command(kind)
        };
        let deposits = [1, 2].map(|asset| record(CommandKind::Deposit, asset));
        self.set_up.push_back(Frame::commands(time_ns, deposits.to_vec()));
        self.set_up.push_back(Frame::commands(time_ns, vec![record(CommandKind::Stake, 0)]));
        // As if it stood already: what is slashed is drawn now.
        *self.governed.stakes.entry(account).or_default() += unit;
        3
    }

    fn plan_all_votes(&mut self, voting: &VotingSpec, order_id: u64, time_ns: u64) {
        let is_unlikely = self.rng.one_in(5);
        for voter in &voting.voters {
            let side = u8::from(!(is_unlikely && self.rng.one_in(2)));
            let vote = CommandRecord { account: voter.account, order_id, side, ..command(CommandKind::Vote) };
            self.set_up.push_back(Frame::commands(time_ns, vec![vote]));
        }
    }

    /// A guardian acts; it lapses, is ended, or confirmed.
    fn plan_emergency(&mut self, voting: &VotingSpec) {
        let (instrument, side) = (self.instrument(), 1 + self.rng.below(3) as u8);
        let (account, time_ns) = (voting.guardians[0], self.time_ns);
        let set = CommandRecord { account, instrument, side, ..command(CommandKind::Emergency) };
        let over_ns = time_ns + u64::from(voting.emergency_s) * SECOND_NS;
        self.set_up.push_back(Frame::commands(time_ns, vec![set]));
        match self.rng.below(3) {
            0 => {
                let end = CommandRecord { side: 0, ..set };
                self.set_up.push_back(Frame::commands(time_ns, vec![end, end]));
            }
            1 => {
                let act = Act::Confirm { instrument };
                let account = voting.voters[0].account;
                let body = DeployCommand::ProposeAct(Box::new(ProposeAct { account, act }));
                self.set_up.push_back(Frame::deploy(time_ns, &body));
                self.plan_all_votes(voting, self.next_sequence + 1, time_ns);
            }
            _ => {
                self.set_up.push_back(Frame::commands(over_ns, vec![set]));
                let rested_ns = over_ns + u64::from(voting.emergency_s) * SECOND_NS;
                self.set_up.push_back(Frame::commands(rested_ns, vec![command(CommandKind::Tick)]));
            }
        }
    }

    /// What deployers have staked.
    pub(super) fn observe_stakes(&mut self, event: &EventRecord) {
        if let Some(EventKind::Staked | EventKind::Unstaked | EventKind::StakeSlashed) = event.kind() {
            self.governed.stakes.insert(event.account, event.counter_amount.get());
        }
    }
}
