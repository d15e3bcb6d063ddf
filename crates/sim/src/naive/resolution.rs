//! Section 24, resolution: proposals, challenges, votes, time and bonds.

use super::events::Cause;
use super::refusal::{Refusal, check, check_id, refuse};
use super::state::{House, Party, SETTLEMENT, World};
use xos_protocol::{
    CommandRecord, DecidedBy, EventFlags, EventKind, EventRecord, InstrumentState, Int128, QuestionPayouts,
    Reject, ResolutionSpec, ResolutionStage,
};
use xos_units::AMOUNT_ATOMS_BOUND;

/// How far the resolvers of a question are.
#[derive(Clone, Debug)]
pub(super) struct Resolution {
    pub(super) spec: ResolutionSpec,
    pub(super) stage: ResolutionStage,
    pub(super) decided_by: DecidedBy,
    pub(super) end_ns: u64,
    pub(super) proposed_ns: u64,
    pub(super) challenged_ns: u64,
    pub(super) decided_ns: u64,
    /// Who proposed what.
    pub(super) proposal: Option<(u32, Vec<i32>)>,
    pub(super) challenger: u32,
    /// What the proposer gave.
    pub(super) bond: i128,
    /// Who voted for what, in order of arrival.
    pub(super) votes: Vec<(u32, Vec<i32>)>,
}

impl Resolution {
    pub(super) fn new(spec: ResolutionSpec) -> Self {
        Self {
            stage: ResolutionStage::Open,
            decided_by: DecidedBy::Operator,
            end_ns: spec.close_ns,
            proposed_ns: 0,
            challenged_ns: 0,
            decided_ns: 0,
            proposal: None,
            challenger: 0,
            bond: 0,
            votes: Vec::new(),
            spec,
        }
    }
}

fn seconds_after(time_ns: u64, seconds: u32) -> u64 {
    time_ns.saturating_add(u64::from(seconds) * 1_000_000_000)
}

impl World {
    /// The resolution of a question that has one and is not decided.
    fn resolution(&self, id: u32) -> Result<&Resolution, Refusal> {
        self.check_undecided(id)?;
        match &self.question(id).resolution {
            Some(resolution) => Ok(resolution),
            None => refuse(Reject::NotResolvable, id, 0),
        }
    }

    fn resolution_mut(&mut self, id: u32) -> &mut Resolution {
        self.questions[id as usize - 1].resolution.as_mut().expect("it has resolvers")
    }

    pub(super) fn check_not_resolver(&self, account: u32, question: u32) -> Result<(), Refusal> {
        let Some(resolution) = &self.question(question).resolution else { return Ok(()) };
        let spec = &resolution.spec;
        let mut resolvers = spec.resolvers.iter().chain(&spec.second_resolvers);
        let decides = resolvers.any(|&other| self.has_same_owner(account, other));
        check(!decides, Reject::ResolverMayNotStand, account, question)
    }

    /// Neither settled nor closed.
    pub(super) fn check_not_over(&self, id: u32) -> Result<(), Refusal> {
        let instrument = self.instrument(id);
        let is_settled = instrument.state == InstrumentState::Settled;
        check(!is_settled, Reject::InstrumentSettled, id, 0)?;
        check(!instrument.is_closed && !instrument.is_over, Reject::InstrumentCancelOnly, id, 0)
    }

    fn check_bond(&self, account: u32, bond: i128) -> Result<(), Refusal> {
        let available = self.available(account, SETTLEMENT);
        check(bond <= available, Reject::InsufficientBalance, bond, available)
    }

    fn give_bond(&mut self, id: u32, account: u32, bond: i128) {
        self.post(Party::Account(account), Party::House(House::Bonds(id)), SETTLEMENT, bond);
    }

    fn step_event(&self, cause: &Cause, kind: EventKind, id: u32, account: u32, bond: i128) -> EventRecord {
        let end_ns = self.question(id).resolution.as_ref().map_or(0, |resolution| resolution.end_ns);
        EventRecord {
            account,
            instrument: id,
            amount: Int128::new(bond),
            counter_amount: Int128::new(end_ns.into()),
            ..cause.event(kind)
        }
    }

    pub(super) fn propose(
        &mut self,
        cause: &Cause,
        asked: QuestionPayouts,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Refusal> {
        let (id, account) = (asked.question, asked.account);
        let resolution = self.resolution(id)?.clone();
        check_id(account, self.accounts.len(), Reject::UnknownAccount)?;
        let may = resolution.spec.resolvers.contains(&account);
        check(may, Reject::NotAResolver, account, id)?;
        self.check_payouts(id, &asked.payouts_ppm)?;
        let (now_ns, stage) = (cause.time_ns, resolution.stage);
        check(stage != ResolutionStage::Open, Reject::WindowNotOpen, now_ns, resolution.spec.close_ns)?;
        check(stage == ResolutionStage::Closed, Reject::AlreadyProposed, id, 0)?;
        check(now_ns < resolution.end_ns, Reject::WindowClosed, now_ns, resolution.end_ns)?;
        let question = self.question(id);
        let at_stake = question.unit_value(question.sets) * i128::from(resolution.spec.bond_share_ppm);
        let bond = resolution.spec.bond.0.max((at_stake + 999_999) / 1_000_000);
        self.check_bond(account, bond)?;

        self.give_bond(id, account, bond);
        let resolution = self.resolution_mut(id);
        resolution.bond = bond;
        resolution.stage = ResolutionStage::Proposed;
        resolution.end_ns = seconds_after(now_ns, resolution.spec.challenge_s);
        resolution.proposed_ns = now_ns;
        resolution.proposal = Some((account, asked.payouts_ppm.clone()));
        events.push(self.step_event(cause, EventKind::ResolutionProposed, id, account, bond));
        self.tell_payouts(cause, id, &asked.payouts_ppm, events);
        Ok(())
    }

    pub(super) fn challenge(
        &mut self,
        cause: &Cause,
        command: &CommandRecord,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Refusal> {
        let (id, account, now_ns) = (command.instrument, command.account, cause.time_ns);
        self.check_not_isolated(account)?;
        self.check_real(account)?;
        let resolution = self.resolution(id)?.clone();
        check(resolution.stage != ResolutionStage::Challenged, Reject::AlreadyChallenged, id, 0)?;
        check(resolution.stage == ResolutionStage::Proposed, Reject::NothingToDecide, id, 0)?;
        let mut parties: Vec<u32> = resolution.proposal.iter().map(|(proposer, _)| *proposer).collect();
        parties.extend(&resolution.spec.second_resolvers);
        for party in parties {
            check(!self.has_same_owner(account, party), Reject::PartyToDispute, account, party)?;
        }
        check(now_ns < resolution.end_ns, Reject::WindowClosed, now_ns, resolution.end_ns)?;
        let bond = resolution.bond;
        self.check_bond(account, bond)?;

        self.give_bond(id, account, bond);
        let resolution = self.resolution_mut(id);
        resolution.stage = ResolutionStage::Challenged;
        resolution.end_ns = seconds_after(now_ns, resolution.spec.decide_s);
        resolution.challenged_ns = now_ns;
        resolution.challenger = account;
        events.push(self.step_event(cause, EventKind::ResolutionChallenged, id, account, bond));
        Ok(())
    }

    pub(super) fn vote_void(
        &mut self,
        cause: &Cause,
        command: &CommandRecord,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Refusal> {
        let (question, account) = (command.instrument, command.account);
        let payouts_ppm = self.resolution(question)?.spec.void_payouts_ppm.clone();
        self.vote(cause, QuestionPayouts { question, account, payouts_ppm }, events)
    }

    pub(super) fn vote(
        &mut self,
        cause: &Cause,
        asked: QuestionPayouts,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Refusal> {
        let (id, account, now_ns) = (asked.question, asked.account, cause.time_ns);
        let resolution = self.resolution(id)?.clone();
        let spec = &resolution.spec;
        check_id(account, self.accounts.len(), Reject::UnknownAccount)?;
        check(spec.second_resolvers.contains(&account), Reject::NotAResolver, account, id)?;
        self.check_payouts(id, &asked.payouts_ppm)?;
        let is_challenged = resolution.stage == ResolutionStage::Challenged;
        let is_void = asked.payouts_ppm == spec.void_payouts_ppm;
        check(is_challenged || is_void, Reject::NothingToDecide, id, 0)?;
        let has_voted = resolution.votes.iter().any(|(other, _)| *other == account);
        check(!has_voted, Reject::AlreadyVoted, account, id)?;
        let in_time = !is_challenged || now_ns < resolution.end_ns;
        check(in_time, Reject::WindowClosed, now_ns, resolution.end_ns)?;
        let bond = spec.second_bond.0;
        self.check_bond(account, bond)?;

        self.give_bond(id, account, bond);
        let payouts = asked.payouts_ppm;
        let resolution = self.resolution_mut(id);
        resolution.votes.push((account, payouts.clone()));
        let agreed = resolution.votes.iter().filter(|(_, other)| *other == payouts).count();
        let is_decided = agreed >= resolution.spec.quorum as usize;
        events.push(self.step_event(cause, EventKind::ResolutionVoted, id, account, bond));
        self.tell_payouts(cause, id, &payouts, events);
        if is_decided {
            self.conclude(cause, id, payouts, DecidedBy::Votes, events);
        }
        Ok(())
    }

    /// At the start of a frame.
    pub(super) fn close_questions(&mut self, cause: &Cause, events: &mut Vec<EventRecord>) {
        let mut due: Vec<(u64, u32)> = Vec::new();
        for (id, question) in (1..).zip(&self.questions) {
            if let Some(resolution) = &question.resolution
                && resolution.stage == ResolutionStage::Open
                && resolution.spec.close_ns <= cause.time_ns
            {
                due.push((resolution.spec.close_ns, id));
            }
        }
        due.sort_unstable();
        for (close_ns, id) in due {
            let resolution = self.resolution_mut(id);
            resolution.stage = ResolutionStage::Closed;
            resolution.end_ns = seconds_after(close_ns, resolution.spec.propose_s);
            for instrument in self.question(id).instruments() {
                self.instrument_mut(instrument).is_closed = true;
            }
            let event = self.step_event(cause, EventKind::QuestionClosed, id, 0, 0);
            events.push(EventRecord { flags: EventFlags::OF_TIME, ..event });
        }
    }

    /// With a tick.
    pub(super) fn end_stages(&mut self, cause: &Cause, events: &mut Vec<EventRecord>) {
        let mut due: Vec<(u64, u32)> = Vec::new();
        for (id, question) in (1..).zip(&self.questions) {
            if let Some(resolution) = &question.resolution
                && !matches!(resolution.stage, ResolutionStage::Open | ResolutionStage::Decided)
                && resolution.end_ns <= cause.time_ns
                && question.adding.is_none()
            {
                due.push((resolution.end_ns, id));
            }
        }
        due.sort_unstable();
        for (_, id) in due {
            let resolution = self.resolution_mut(id).clone();
            let (payouts, by) = match (resolution.stage, resolution.proposal) {
                (ResolutionStage::Proposed, Some((_, payouts))) => (payouts, DecidedBy::Proposal),
                _ => (resolution.spec.void_payouts_ppm, DecidedBy::Time),
            };
            self.conclude(cause, id, payouts, by, events);
        }
    }

    pub(super) fn conclude(
        &mut self,
        cause: &Cause,
        id: u32,
        payouts: Vec<i32>,
        by: DecidedBy,
        events: &mut Vec<EventRecord>,
    ) {
        let resolution = self.resolution_mut(id);
        resolution.stage = ResolutionStage::Decided;
        resolution.decided_by = by;
        resolution.decided_ns = cause.time_ns;
        resolution.end_ns = 0;
        let resolution = resolution.clone();
        self.announce(cause, id, payouts.clone(), by, events);
        self.settle_bonds(cause, id, &resolution, &payouts, events);
        self.first_turn(cause, id, events);
    }

    fn settle_bonds(
        &mut self,
        cause: &Cause,
        id: u32,
        resolution: &Resolution,
        payouts: &[i32],
        events: &mut Vec<EventRecord>,
    ) {
        let (bond, second_bond) = (resolution.bond, resolution.spec.second_bond.0);
        let proposer = resolution.proposal.as_ref().map_or(0, |(account, _)| *account);
        let challenger = resolution.challenger;
        let is_dispute = resolution.decided_by == DecidedBy::Votes && challenger != 0;
        let was_right = resolution.proposal.as_ref().is_some_and(|(_, proposed)| proposed == payouts);
        let (winner, loser) = match (is_dispute, was_right) {
            (false, _) => (0, 0),
            (true, true) => (proposer, challenger),
            (true, false) => (challenger, proposer),
        };
        for account in [proposer, challenger] {
            if account == 0 || account == loser {
                continue;
            }
            if account == challenger && resolution.decided_by == DecidedBy::Time {
                self.pay_bond(cause, EventKind::BondReturned, id, account, bond / 2, events);
                self.forfeit(cause, id, account, bond - bond / 2, events);
            } else {
                self.pay_bond(cause, EventKind::BondReturned, id, account, bond, events);
            }
        }
        let mut agreed = Vec::new();
        for (account, voted) in &resolution.votes {
            let agrees = voted == payouts;
            if agrees {
                agreed.push(*account);
            }
            if agrees || !is_dispute {
                self.pay_bond(cause, EventKind::BondReturned, id, *account, second_bond, events);
            } else {
                self.forfeit(cause, id, *account, second_bond, events);
            }
        }
        if is_dispute {
            let half = bond / 2;
            self.pay_bond(cause, EventKind::BondAwarded, id, winner, half, events);
            let part = (bond - half) / agreed.len() as i128;
            for &account in &agreed {
                self.pay_bond(cause, EventKind::BondAwarded, id, account, part, events);
            }
            self.forfeit(cause, id, loser, bond - half - part * agreed.len() as i128, events);
        }
    }

    fn pay_bond(
        &mut self,
        cause: &Cause,
        kind: EventKind,
        id: u32,
        account: u32,
        amount: i128,
        events: &mut Vec<EventRecord>,
    ) {
        self.post(Party::House(House::Bonds(id)), Party::Account(account), SETTLEMENT, amount);
        events.push(EventRecord {
            account,
            instrument: id,
            amount: Int128::new(amount),
            counter_amount: Int128::new(self.total(account, SETTLEMENT)),
            ..cause.event(kind)
        });
    }

    fn forfeit(&mut self, cause: &Cause, id: u32, account: u32, amount: i128, events: &mut Vec<EventRecord>) {
        self.post(Party::House(House::Bonds(id)), Party::House(House::Insurance), SETTLEMENT, amount);
        events.push(EventRecord {
            account,
            instrument: id,
            amount: Int128::new(amount),
            counter_amount: Int128::new(self.house(House::Insurance, SETTLEMENT)),
            ..cause.event(EventKind::BondForfeited)
        });
    }

    /// Bonds are held as long as a question with resolvers is not decided; resolvers hold nothing in it.
    pub(super) fn check_resolution_state(&self, id: u32) -> Result<(), String> {
        let held = self.house(House::Bonds(id), SETTLEMENT);
        let question = self.question(id);
        let Some(resolution) = &question.resolution else {
            return if held == 0 { Ok(()) } else { Err(format!("question {id} holds {held} of bonds")) };
        };
        let is_decided = resolution.stage == ResolutionStage::Decided;
        let parties = i128::from(resolution.proposal.is_some()) + i128::from(resolution.challenger != 0);
        let votes = resolution.votes.len() as i128;
        let given = parties * resolution.bond + votes * resolution.spec.second_bond.0;
        if held != if is_decided { 0 } else { given } || is_decided != question.is_decided() {
            return Err(format!("question {id} holds {held} of {given} bonds"));
        }
        for account in 1..=self.accounts.len() as u32 {
            let stands = question.instruments().any(|instrument| self.stands_in(account, instrument));
            if stands && self.check_not_resolver(account, id).is_err() {
                return Err(format!("account {account} decides question {id} and stands in it"));
            }
        }
        Ok(())
    }

    /// Fields 151 to 165.
    pub(super) fn check_resolution(
        &self,
        cause: &Cause,
        spec: &ResolutionSpec,
        outcomes: usize,
    ) -> Result<(), Refusal> {
        let bound =
            |field: i128, value: i128, holds: bool| check(holds, Reject::SpecOutOfBounds, value, field);
        let is_amount = |amount: i128| (1..AMOUNT_ATOMS_BOUND).contains(&amount);
        bound(151, spec.rule.len() as i128, (1..=65_536).contains(&spec.rule.len()))?;
        bound(152, spec.sources.len() as i128, (1..=16).contains(&spec.sources.len()))?;
        for source in &spec.sources {
            bound(153, source.len() as i128, (1..=256).contains(&source.len()))?;
        }
        bound(154, spec.close_ns.into(), spec.close_ns > cause.time_ns)?;
        bound(155, spec.propose_s.into(), (1..=31_536_000).contains(&spec.propose_s))?;
        let mut named: Vec<u32> = Vec::new();
        for (field, set) in [(156, &spec.resolvers), (160, &spec.second_resolvers)] {
            if field == 160 {
                bound(158, spec.bond.0, is_amount(spec.bond.0))?;
                bound(159, spec.challenge_s.into(), (1..=2_592_000).contains(&spec.challenge_s))?;
            }
            bound(field, set.len() as i128, (1..=16).contains(&set.len()))?;
            for &account in set {
                let stands = account >= 1 && account as usize <= self.accounts.len();
                let is_fit = stands
                    && self.account(account).isolated.is_none()
                    && !self.is_simulated(account)
                    && !named.iter().any(|&other| self.has_same_owner(other, account));
                bound(157, account.into(), is_fit)?;
                named.push(account);
            }
        }
        let (second, quorum) = (spec.second_resolvers.len() as u32, spec.quorum);
        let (bond, second_bond) = (spec.bond.0, spec.second_bond.0);
        bound(161, second_bond, second_bond > bond && is_amount(second_bond))?;
        bound(162, quorum.into(), 2 * u64::from(quorum) > second.into() && quorum <= second)?;
        bound(163, spec.decide_s.into(), (1..=31_536_000).contains(&spec.decide_s))?;
        bound(164, spec.void_payouts_ppm.len() as i128, spec.void_payouts_ppm.len() == outcomes)?;
        for &share in &spec.void_payouts_ppm {
            bound(165, share.into(), (0..=1_000_000).contains(&share))?;
        }
        let sum: i128 = spec.void_payouts_ppm.iter().map(|&share| i128::from(share)).sum();
        bound(165, sum, sum == 1_000_000)?;
        bound(94, spec.bond_share_ppm.into(), (0..=1_000_000).contains(&spec.bond_share_ppm))
    }
}
