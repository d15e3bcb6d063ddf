//! Sections 30.6 and 30.7: votes, what they decide, and slashing.

use super::deploy::bound;
use super::events::Cause;
use super::refusal::{Refusal, check, check_id, refuse};
use super::state::{House, Party, World};
use xos_protocol::{
    Act, Change, CommandRecord, EventFlags, EventKind, EventRecord, GovernanceSpec, Harm, Int128, MarketKind,
    MeasuredPrice, PendingChange, Proposal, ProposeAct, Reject, Vote, VotingSpec,
};
use xos_units::AMOUNT_ATOMS_BOUND;

const SECOND_NS: u64 = 1_000_000_000;
const ONE: i128 = 1_000_000;

/// An amount that somebody asks for.
fn check_amount(amount: i128) -> Result<(), Refusal> {
    check(amount >= 1, Reject::AmountNotPositive, amount, 1)?;
    check(amount < AMOUNT_ATOMS_BOUND, Reject::AmountAboveMax, amount, AMOUNT_ATOMS_BOUND - 1)
}

impl World {
    pub(super) fn voting(&self) -> Option<VotingSpec> {
        let terms = self.governance.terms.as_ref()?;
        terms.voting.as_deref().cloned()
    }

    pub(super) fn is_operator_bound(&self) -> bool {
        self.voting().is_some_and(|voting| voting.binds_operator)
    }

    pub(super) fn check_voting(&self, spec: &VotingSpec) -> Result<(), Refusal> {
        let is_number = |account: u32| account >= 1 && account <= self.limits.accounts_max;
        bound(184, spec.voters.len() as i128, (1..=64).contains(&spec.voters.len()))?;
        for (at, voter) in spec.voters.iter().enumerate() {
            let is_next = at == 0 || spec.voters[at - 1].account < voter.account;
            bound(187, voter.account, is_number(voter.account) && is_next)?;
            bound(203, voter.weight, voter.weight >= 1)?;
        }
        bound(204, spec.quorum_ppm, (1..=1_000_000).contains(&spec.quorum_ppm))?;
        bound(205, spec.majority_ppm, (500_001..=1_000_000).contains(&spec.majority_ppm))?;
        bound(206, spec.voting_s, (1..=2_592_000).contains(&spec.voting_s))?;
        let least = self.limits.change_delay_s_min;
        bound(207, spec.time_lock_s, spec.time_lock_s >= least && spec.time_lock_s <= 31_536_000)?;
        bound(208, spec.guardians.len() as i128, spec.guardians.len() <= 16)?;
        for (at, guardian) in spec.guardians.iter().enumerate() {
            let is_next = at == 0 || spec.guardians[at - 1] < *guardian;
            bound(208, *guardian, is_number(*guardian) && is_next)?;
        }
        let is_needed = spec.emergency_s > 0 || spec.guardians.is_empty();
        bound(209, spec.emergency_s, spec.emergency_s <= 604_800 && is_needed)
    }

    fn weight(&self, account: u32) -> i64 {
        let voters = self.voting().map_or(Vec::new(), |voting| voting.voters);
        voters.iter().filter(|voter| voter.account == account).map(|voter| i64::from(voter.weight)).sum()
    }

    pub(super) fn propose_act(
        &mut self,
        cause: &Cause,
        asked: ProposeAct,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Refusal> {
        let ProposeAct { account, act } = asked;
        check(self.governance.terms.is_some(), Reject::NoGovernance, 0, 0)?;
        let Some(voting) = self.voting() else { return refuse(Reject::NoVoting, 0, 0) };
        check(self.weight(account) > 0, Reject::NotAVoter, account, 0)?;
        let is_voted_on = |p: &&Proposal| p.account == account && p.effective_ns.is_none();
        let open = self.governance.proposals.iter().filter(is_voted_on).count() as i128;
        check(open < 8, Reject::TooManyProposals, open, 8)?;
        let act = self.check_act(act)?;
        if let Act::Slash { account, amount, .. } = &act {
            let stake = self.deployer_of(*account).0;
            check(amount.0 <= stake, Reject::StakeTooSmall, amount.0, stake)?;
        }
        let ends_ns = cause.time_ns.saturating_add(u64::from(voting.voting_s) * SECOND_NS);
        let bytes = rmp_serde::to_vec_named(&act).expect("an act always serialises");
        let detail = *blake3::hash(&bytes).as_bytes();
        let proposal =
            Proposal { id: cause.sequence, account, act, ends_ns, votes: Vec::new(), effective_ns: None };
        let event = of_proposal(cause, EventKind::ProposalMade, &proposal);
        events.push(EventRecord { counter_amount: Int128::new(ends_ns.into()), detail, ..event });
        self.governance.proposals.push(proposal);
        Ok(())
    }

    /// What an act is refused for; fees in it get their ceiling.
    fn check_act(&self, act: Act) -> Result<Act, Refusal> {
        match act {
            Act::UpdateInstrument { instrument, spec } => {
                let spec = Box::new(self.check_update_of_instrument(instrument, 0, *spec)?);
                return Ok(Act::UpdateInstrument { instrument, spec });
            }
            Act::UpdateVenue { venue, spec } => {
                let spec = Box::new(self.check_update_of_venue(venue, *spec)?);
                return Ok(Act::UpdateVenue { venue, spec });
            }
            Act::UpdateQuestion { question, terms } => {
                let terms = Box::new(self.check_update_of_question(question, *terms)?);
                return Ok(Act::UpdateQuestion { question, terms });
            }
            Act::Delist { kind, target } => self.check_end_of(kind, target, 0)?,
            Act::Admit { instrument } => {
                self.check_own(instrument)?;
                let found = self.instrument(instrument);
                check(found.is_perpetual(), Reject::NotAPerpetual, instrument, 0)?;
                let is_isolated = found.spec.as_ref().is_some_and(|spec| spec.isolated_only);
                check(is_isolated, Reject::NothingChanges, instrument, 0)?;
            }
            Act::SetState { instrument, state } => self.check_state(instrument, state)?,
            Act::Slash { account, amount, ref harmed } => self.check_slash(account, amount.0, harmed)?,
            Act::Terms(ref spec) => self.check_other_terms(spec)?,
            Act::Confirm { instrument } => self.check_confirmation(instrument)?,
        }
        Ok(act)
    }

    fn check_slash(&self, account: u32, amount: i128, harmed: &[Harm]) -> Result<(), Refusal> {
        check_id(account, self.accounts.len(), Reject::UnknownAccount)?;
        check_amount(amount)?;
        check(harmed.len() <= 256, Reject::HarmedOutOfOrder, harmed.len() as i128, 256)?;
        for (at, harm) in harmed.iter().enumerate() {
            check_id(harm.account, self.accounts.len(), Reject::UnknownAccount)?;
            let is_next = at == 0 || harmed[at - 1].account < harm.account;
            check(is_next, Reject::HarmedOutOfOrder, harm.account, 256)?;
            self.check_real(harm.account)?;
            let is_own = self.has_same_owner(harm.account, account);
            check(!is_own, Reject::HarmOfDeployer, harm.account, account)?;
            check_amount(harm.claim.0)?;
        }
        Ok(())
    }

    fn check_other_terms(&self, spec: &GovernanceSpec) -> Result<(), Refusal> {
        let old = self.governance.terms.as_ref().expect("asked with terms");
        self.check_governance(spec)?;
        check(spec.stake_asset == old.stake_asset, Reject::FieldIsFixed, 0, 190)?;
        bound(184, 0, spec.voting.is_some())?;
        check(*spec != **old, Reject::NothingChanges, 0, 0)
    }

    pub(super) fn cast_vote(
        &mut self,
        cause: &Cause,
        command: &CommandRecord,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Refusal> {
        let (account, id) = (command.account, command.order_id);
        let found = self.governance.proposals.iter().position(|p| p.id == id && p.effective_ns.is_none());
        let Some(at) = found else { return refuse(Reject::NotVotedOn, id, 0) };
        let qty = self.weight(account);
        check(qty > 0, Reject::NotAVoter, account, 0)?;
        let proposal = &mut self.governance.proposals[at];
        proposal.votes.retain(|vote| vote.account != account);
        proposal.votes.push(Vote { account, is_for: command.side == 1 });
        proposal.votes.sort_by_key(|vote| vote.account);
        let is_confirmation = matches!(proposal.act, Act::Confirm { .. });
        let votes = proposal.votes.clone();
        let vote = cause.event(EventKind::VoteCast);
        events.push(EventRecord { account, side: command.side, order_id: id, qty, ..vote });
        let voting = self.voting().expect("it has voters");
        let (votes_for, _, of_all) = self.tally(&votes);
        let quorum = of_all * i128::from(voting.quorum_ppm);
        let majority = of_all * i128::from(voting.majority_ppm);
        if is_confirmation && votes_for * ONE >= quorum && votes_for * ONE >= majority {
            self.decide(cause, id, events);
        }
        Ok(())
    }

    /// Weights for, against, and of all voters.
    fn tally(&self, votes: &[Vote]) -> (i128, i128, i128) {
        let weights = |is_for: bool| {
            let these = votes.iter().filter(|vote| vote.is_for == is_for);
            these.map(|vote| i128::from(self.weight(vote.account))).sum()
        };
        let voting = self.voting().expect("there is something to vote on");
        (weights(true), weights(false), voting.voters.iter().map(|voter| i128::from(voter.weight)).sum())
    }

    /// The start of a frame.
    pub(super) fn run_votes(&mut self, cause: &Cause, events: &mut Vec<EventRecord>) {
        let first = events.len();
        let mut ended: Vec<(u64, u64)> = Vec::new();
        for proposal in &self.governance.proposals {
            if proposal.effective_ns.is_none() && proposal.ends_ns <= cause.time_ns {
                ended.push((proposal.ends_ns, proposal.id));
            }
        }
        ended.sort_unstable();
        for (_, id) in ended {
            self.decide(cause, id, events);
        }
        self.end_emergencies(cause, events);
        let mut due: Vec<(u64, u64)> = Vec::new();
        for proposal in &self.governance.proposals {
            if let Some(time_ns) = proposal.effective_ns.filter(|time_ns| *time_ns <= cause.time_ns) {
                due.push((time_ns, proposal.id));
            }
        }
        due.sort_unstable();
        for (time_ns, id) in due {
            self.enact(cause, id, time_ns, events);
        }
        for event in &mut events[first..] {
            event.flags |= EventFlags::OF_TIME;
        }
    }

    fn take_proposal(&mut self, id: u64) -> Proposal {
        let at = self.governance.proposals.iter().position(|p| p.id == id).expect("it is listed");
        self.governance.proposals.remove(at)
    }

    fn decide(&mut self, cause: &Cause, id: u64, events: &mut Vec<EventRecord>) {
        let mut proposal = self.take_proposal(id);
        let voting = self.voting().expect("there is something to vote on");
        let (votes_for, votes_against, of_all) = self.tally(&proposal.votes);
        let cast = votes_for + votes_against;
        let enough = cast * ONE >= of_all * i128::from(voting.quorum_ppm);
        let most = votes_for * ONE >= cast * i128::from(voting.majority_ppm);
        let (qty, remaining) = (votes_for as i64, votes_against as i64);
        let failed =
            EventRecord { qty, remaining, ..of_proposal(cause, EventKind::ProposalFailed, &proposal) };
        if !enough || !most {
            events.push(failed);
            return;
        }
        let change = match self.check_now(proposal.act.clone()) {
            Ok((act, change)) => {
                proposal.act = act;
                change
            }
            Err(refusal) => {
                events.push(EventRecord { reason: refusal.reject.code(), ..failed });
                return;
            }
        };
        if let Some((kind, target, _)) = &change
            && let Some(at) =
                self.governance.changes.iter().position(|p| (p.kind, p.target) == (*kind, *target))
        {
            self.take_back(cause, at, events);
        }
        let is_confirmation = matches!(proposal.act, Act::Confirm { .. });
        let wait_s = if is_confirmation { 0 } else { voting.time_lock_s };
        let time_ns = cause.time_ns.saturating_add(u64::from(wait_s) * SECOND_NS);
        let passed = of_proposal(cause, EventKind::ProposalPassed, &proposal);
        events.push(EventRecord { qty, remaining, counter_amount: Int128::new(time_ns.into()), ..passed });
        if let Some((kind, target, change)) = change {
            let (account, is_voted) = (0, true);
            let pending =
                PendingChange { id, account, kind, target, effective_ns: time_ns, change, is_voted };
            return self.list_change(cause, pending, events);
        }
        proposal.effective_ns = Some(time_ns);
        self.governance.proposals.push(proposal);
        self.governance.proposals.sort_by_key(|proposal| proposal.id);
        if is_confirmation {
            self.enact(cause, id, time_ns, events);
        }
    }

    /// An act as it would be done now, and the change of a market that it is.
    #[allow(clippy::type_complexity)]
    fn check_now(&self, mut act: Act) -> Result<(Act, Option<(MarketKind, u32, Change)>), Refusal> {
        if let Act::UpdateInstrument { instrument, spec } = &mut act {
            let stands = self.instrument(*instrument).spec.as_ref();
            spec.isolated_only = stands.is_some_and(|stands| stands.isolated_only);
        }
        let act = self.check_act(act)?;
        let change = match &act {
            Act::UpdateInstrument { instrument, spec } => {
                Some((MarketKind::Instrument, *instrument, Change::Instrument(spec.clone())))
            }
            Act::UpdateVenue { venue, spec } => {
                Some((MarketKind::Venue, *venue, Change::Venue(spec.clone())))
            }
            Act::UpdateQuestion { question, terms } => {
                Some((MarketKind::Question, *question, Change::Terms(terms.clone())))
            }
            Act::Delist { kind, target } => {
                Some((*kind, *target, Change::Delisting(MeasuredPrice::default())))
            }
            _ => None,
        };
        if let Some((kind, target, _)) = &change
            && let Some(pending) = self.pending_on(*kind, *target)
        {
            let is_delisting = matches!(pending.change, Change::Delisting(_));
            let is_over = is_delisting && pending.effective_ns <= self.time_ns;
            let yields = pending.account != 0 && !is_over;
            check(yields, Reject::ChangePending, *target, pending.id)?;
        }
        Ok((act, change))
    }

    fn enact(&mut self, cause: &Cause, id: u64, time_ns: u64, events: &mut Vec<EventRecord>) {
        let proposal = self.take_proposal(id);
        if let Err(refusal) = self.check_now(proposal.act.clone()) {
            let reason = refusal.reject.code();
            events.push(EventRecord { reason, ..of_proposal(cause, EventKind::ProposalFailed, &proposal) });
            return;
        }
        let event = of_proposal(cause, EventKind::ProposalEffective, &proposal);
        events.push(EventRecord { counter_amount: Int128::new(time_ns.into()), ..event });
        match proposal.act {
            Act::Admit { instrument } => {
                let spec = self.instrument_mut(instrument).spec.as_mut().expect("no outcome");
                spec.isolated_only = false;
            }
            Act::SetState { instrument, state } => self.enter_state(cause, instrument, state, events),
            Act::Terms(spec) => self.governance.terms = Some(spec),
            Act::Confirm { instrument } => self.confirm(cause, instrument, events),
            Act::Slash { account, amount, harmed } => {
                self.slash(cause, id, account, amount.0, &harmed, events);
            }
            _ => unreachable!("changes of markets are listed as such"),
        }
    }

    /// What open proposals would take of a stake.
    pub(super) fn slashes_of(&self, account: u32) -> i128 {
        let amount = |proposal: &Proposal| match &proposal.act {
            Act::Slash { account: of, amount, .. } if *of == account => amount.0,
            _ => 0,
        };
        self.governance.proposals.iter().map(amount).sum()
    }

    fn slash(
        &mut self,
        cause: &Cause,
        id: u64,
        account: u32,
        amount: i128,
        harmed: &[Harm],
        events: &mut Vec<EventRecord>,
    ) {
        let asset = self.governance.terms.as_ref().expect("asked with terms").stake_asset;
        let stake = self.deployer_of(account).0;
        let taken = if amount < stake { amount } else { stake };
        self.deployer_mut(account).stake.0 -= taken;
        events.push(EventRecord {
            account,
            order_id: id,
            amount: Int128::new(taken),
            counter_amount: Int128::new(stake - taken),
            ..cause.event(EventKind::StakeSlashed)
        });
        let claims: i128 = harmed.iter().map(|harm| harm.claim.0).sum();
        let mut paid = 0;
        for harm in harmed {
            let claim = harm.claim.0;
            let share = if taken >= claims { claim } else { part_of(taken, claim, claims) };
            let receiver = self.account(harm.account).isolated.map_or(harm.account, |(parent, _)| parent);
            self.post(Party::House(House::Stakes), Party::Account(receiver), asset, share);
            self.look_at_debt(receiver);
            paid += share;
            events.push(EventRecord {
                account: receiver,
                order_id: harm.account.into(),
                amount: Int128::new(share),
                counter_amount: Int128::new(claim),
                ..cause.event(EventKind::HarmPaid)
            });
        }
        self.post(Party::House(House::Stakes), Party::House(House::Insurance), asset, taken - paid);
    }
}

/// floor(whole x part / parts): bit by bit, because the product may be too wide.
fn part_of(whole: i128, part: i128, parts: i128) -> i128 {
    let (mut quotient, mut rest) = (0, 0);
    for bit in (0..96).rev() {
        // whole = 2 (bits so far) + this one; each bit adds its part.
        (quotient, rest) = (2 * quotient, 2 * rest);
        if whole & (1 << bit) != 0 {
            rest += part;
        }
        quotient += rest / parts;
        rest %= parts;
    }
    quotient
}

fn of_proposal(cause: &Cause, kind: EventKind, proposal: &Proposal) -> EventRecord {
    let amount = match &proposal.act {
        Act::Slash { amount, .. } => amount.0,
        _ => 0,
    };
    EventRecord {
        account: proposal.account,
        side: proposal.act.kind().code(),
        instrument: proposal.act.target(),
        order_id: proposal.id,
        amount: Int128::new(amount),
        ..cause.event(kind)
    }
}
