//! Who decides a question: proposals, challenges, votes, the passing of time, and their bonds.

use super::{Question, check_payouts, push_payout};
use crate::engine::Engine;
use crate::oracle::NS_PER_S;
use crate::step::{Refused, Step, refused, wide};
use xos_ledger::{Party, Reason, SETTLEMENT};
use xos_protocol::{
    CommandRecord, DecidedBy, EventFlags, EventKind, Int128, QuestionPayouts, Reject, ResolutionSpec,
    ResolutionStage,
};
use xos_units::division::portion_down;
use xos_units::{AccountId, Amount, Ppm, Qty, QuestionId};

/// How far a question with resolvers is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// Its stage.
    pub stage: ResolutionStage,
    /// When the stage ends by itself, logged nanoseconds; 0 once it is decided.
    pub until_ns: u64,
    /// What was proposed, and by whom.
    pub proposal: Option<Claim>,
    /// Who challenged it.
    pub challenger: Option<AccountId>,
    /// Votes of the second set, in order of arrival.
    pub votes: Vec<Claim>,
    /// When it was proposed, challenged and decided; 0: not yet.
    pub times_ns: [u64; 3],
    /// How it was decided, once it is.
    pub decided_by: DecidedBy,
}

/// Payouts that an account stands for with a bond.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Whose it is.
    pub account: AccountId,
    /// Share of the unit by outcome, ppm.
    pub payouts_ppm: Vec<i32>,
}

impl Resolution {
    pub(crate) fn new(spec: &ResolutionSpec) -> Self {
        Self {
            stage: ResolutionStage::Open,
            until_ns: spec.close_ns,
            proposal: None,
            challenger: None,
            votes: Vec::new(),
            times_ns: [0; 3],
            decided_by: DecidedBy::Operator,
        }
    }
}

const PROPOSED: usize = 0;
const CHALLENGED: usize = 1;
const DECIDED: usize = 2;

fn after(time_ns: u64, seconds: u32) -> u64 {
    time_ns.saturating_add(u64::from(seconds) * NS_PER_S)
}

impl Question {
    /// Its terms of resolution and how far it is.
    fn resolvable(&self, id: QuestionId) -> Result<(&ResolutionSpec, &Resolution), Refused> {
        match (&self.spec.resolution, &self.resolution) {
            (Some(spec), Some(resolution)) => Ok((spec, resolution)),
            _ => refused(Reject::NotResolvable, id.0, 0),
        }
    }
}

/// Bond of a proposal: what is at stake decides it, and it is never less than what the terms declare.
fn bond_now(question: &Question, spec: &ResolutionSpec) -> Amount {
    let at_stake = question.unit.times_lots(Qty(question.sets));
    spec.bond.max(at_stake.times(Ppm(spec.bond_share_ppm)).ceil())
}

impl Engine {
    /// The operator settles questions without resolvers only.
    pub(super) fn check_no_resolvers(&self, id: QuestionId) -> Result<(), Refused> {
        match self.questions[id.index()].resolution {
            Some(_) => refused(Reject::HasResolvers, id.0, 0),
            None => Ok(()),
        }
    }

    fn check_resolver(&self, id: QuestionId, account: u32, set: &[u32]) -> Result<AccountId, Refused> {
        let newest = self.accounts.len();
        if account == 0 || account as usize > newest {
            return refused(Reject::UnknownAccount, account, newest as i128);
        }
        if !set.contains(&account) {
            return refused(Reject::NotAResolver, account, id.0);
        }
        Ok(AccountId(account))
    }

    fn check_bond(&self, account: AccountId, bond: Amount) -> Result<(), Refused> {
        let available = self.withdrawable(account);
        if bond > available {
            return refused(Reject::InsufficientBalance, bond.0, available.0);
        }
        Ok(())
    }

    fn is_of_one_owner(&self, account: AccountId, other: AccountId) -> bool {
        self.accounts[account.index()].owner == self.accounts[other.index()].owner
    }

    /// Whoever decides a question, or has an owner who does, holds nothing in it.
    pub(crate) fn check_no_resolver(&self, account: AccountId, id: QuestionId) -> Result<(), Refused> {
        let Some(spec) = &self.questions[id.index()].spec.resolution else { return Ok(()) };
        let decides = |other: &u32| self.is_of_one_owner(account, AccountId(*other));
        if spec.resolvers.iter().chain(&spec.second_resolvers).any(decides) {
            return refused(Reject::ResolverMayNotStand, account.0, id.0);
        }
        Ok(())
    }

    pub(crate) fn propose_resolution(
        &mut self,
        step: &mut Step,
        asked: &QuestionPayouts,
    ) -> Result<(), Refused> {
        let id = QuestionId(asked.question);
        let question = self.undecided(id)?;
        let (spec, resolution) = question.resolvable(id)?;
        let account = self.check_resolver(id, asked.account, &spec.resolvers)?;
        check_payouts(&asked.payouts_ppm, question.outcomes as usize)?;
        match resolution.stage {
            ResolutionStage::Open => return refused(Reject::WindowNotOpen, step.time_ns, spec.close_ns),
            ResolutionStage::Closed => {}
            _ => return refused(Reject::AlreadyProposed, id.0, 0),
        }
        if step.time_ns >= resolution.until_ns {
            return refused(Reject::WindowClosed, step.time_ns, resolution.until_ns);
        }
        let (bond, until_ns) = (bond_now(question, spec), after(step.time_ns, spec.challenge_s));
        self.check_bond(account, bond)?;
        // ---- Everything is checked. Below this line nothing fails. ----
        self.give_bond(step, id, account, bond);
        self.advance(step.time_ns, id, ResolutionStage::Proposed, until_ns);
        if let Some(resolution) = &mut self.questions[id.index()].resolution {
            resolution.proposal = Some(Claim { account, payouts_ppm: asked.payouts_ppm.clone() });
        }
        self.push_step(step, EventKind::ResolutionProposed, id, account, bond, until_ns);
        self.push_payouts(step, id, &asked.payouts_ppm);
        Ok(())
    }

    pub(crate) fn challenge_resolution(
        &mut self,
        step: &mut Step,
        command: &CommandRecord,
    ) -> Result<(), Refused> {
        let account = self.known_account(command)?;
        self.check_not_isolated(account)?;
        self.check_money_is_real(account)?;
        let id = command.question();
        let (spec, resolution) = self.undecided(id)?.resolvable(id)?;
        let proposer = match (resolution.stage, &resolution.proposal) {
            (ResolutionStage::Proposed, Some(proposal)) => proposal.account,
            (ResolutionStage::Challenged, _) => return refused(Reject::AlreadyChallenged, id.0, 0),
            _ => return refused(Reject::NothingToDecide, id.0, 0),
        };
        let parties = std::iter::once(proposer.0).chain(spec.second_resolvers.iter().copied());
        for party in parties {
            if self.is_of_one_owner(account, AccountId(party)) {
                return refused(Reject::PartyToDispute, account.0, party);
            }
        }
        if step.time_ns >= resolution.until_ns {
            return refused(Reject::WindowClosed, step.time_ns, resolution.until_ns);
        }
        let (bond, until_ns) = (self.bond_given(id), after(step.time_ns, spec.decide_s));
        self.check_bond(account, bond)?;
        // ---- Everything is checked. Below this line nothing fails. ----
        self.give_bond(step, id, account, bond);
        self.advance(step.time_ns, id, ResolutionStage::Challenged, until_ns);
        if let Some(resolution) = &mut self.questions[id.index()].resolution {
            resolution.challenger = Some(account);
        }
        self.push_step(step, EventKind::ResolutionChallenged, id, account, bond, until_ns);
        Ok(())
    }

    /// A vote for the declared payouts of a void question, at any stage.
    pub(crate) fn void_question(&mut self, step: &mut Step, command: &CommandRecord) -> Result<(), Refused> {
        self.known_account(command)?;
        let id = command.question();
        let (spec, _) = self.undecided(id)?.resolvable(id)?;
        let (question, account, payouts_ppm) = (id.0, command.account, spec.void_payouts_ppm.clone());
        self.vote(step, &QuestionPayouts { question, account, payouts_ppm })
    }

    /// A vote of the second set; a quorum for the same payouts decides.
    pub(crate) fn vote(&mut self, step: &mut Step, asked: &QuestionPayouts) -> Result<(), Refused> {
        let id = QuestionId(asked.question);
        let question = self.undecided(id)?;
        let (spec, resolution) = question.resolvable(id)?;
        let account = self.check_resolver(id, asked.account, &spec.second_resolvers)?;
        check_payouts(&asked.payouts_ppm, question.outcomes as usize)?;
        let is_challenged = resolution.stage == ResolutionStage::Challenged;
        if !is_challenged && asked.payouts_ppm != spec.void_payouts_ppm {
            return refused(Reject::NothingToDecide, id.0, 0);
        }
        if resolution.votes.iter().any(|vote| vote.account == account) {
            return refused(Reject::AlreadyVoted, account.0, id.0);
        }
        if is_challenged && step.time_ns >= resolution.until_ns {
            return refused(Reject::WindowClosed, step.time_ns, resolution.until_ns);
        }
        self.check_bond(account, spec.second_bond)?;
        let (bond, until_ns, quorum) = (spec.second_bond, resolution.until_ns, spec.quorum);
        // ---- Everything is checked. Below this line nothing fails. ----
        self.give_bond(step, id, account, bond);
        let mut agreed = 0;
        if let Some(resolution) = &mut self.questions[id.index()].resolution {
            resolution.votes.push(Claim { account, payouts_ppm: asked.payouts_ppm.clone() });
            agreed = resolution.votes.iter().filter(|vote| vote.payouts_ppm == asked.payouts_ppm).count();
        }
        self.push_step(step, EventKind::ResolutionVoted, id, account, bond, until_ns);
        self.push_payouts(step, id, &asked.payouts_ppm);
        if agreed >= quorum as usize {
            self.conclude(step, id, &asked.payouts_ppm, DecidedBy::Votes);
        }
        Ok(())
    }

    fn push_step(
        &self,
        step: &mut Step,
        kind: EventKind,
        id: QuestionId,
        account: AccountId,
        bond: Amount,
        until_ns: u64,
    ) {
        let event = step.push(kind);
        event.account = account.0;
        event.instrument = id.0;
        event.amount = wide(bond);
        event.counter_amount = Int128::new(until_ns.into());
    }

    fn push_payouts(&self, step: &mut Step, id: QuestionId, payouts_ppm: &[i32]) {
        for (instrument, share) in self.questions[id.index()].instruments().zip(payouts_ppm) {
            if *share > 0 {
                push_payout(step, id, instrument, *share);
            }
        }
    }

    /// The next stage of a question, and when that ends.
    fn advance(&mut self, now_ns: u64, id: QuestionId, stage: ResolutionStage, until_ns: u64) {
        let Some(resolution) = &mut self.questions[id.index()].resolution else { return };
        self.deadlines.remove(&(resolution.until_ns, id));
        (resolution.stage, resolution.until_ns) = (stage, until_ns);
        match stage {
            ResolutionStage::Proposed => resolution.times_ns[PROPOSED] = now_ns,
            ResolutionStage::Challenged => resolution.times_ns[CHALLENGED] = now_ns,
            ResolutionStage::Decided => resolution.times_ns[DECIDED] = now_ns,
            ResolutionStage::Open | ResolutionStage::Closed => {}
        }
        if stage != ResolutionStage::Decided {
            self.deadlines.insert((until_ns, id));
        }
    }

    /// The start of a frame: questions whose close time came trade no more.
    #[cold]
    pub(crate) fn close_questions(&mut self, step: &mut Step) {
        while let Some(&(close_ns, id)) = self.closings.first()
            && close_ns <= step.time_ns
        {
            self.closings.remove(&(close_ns, id));
            let Some(spec) = &self.questions[id.index()].spec.resolution else { continue };
            let until_ns = after(close_ns, spec.propose_s);
            self.advance(step.time_ns, id, ResolutionStage::Closed, until_ns);
            for instrument in self.questions[id.index()].instruments() {
                self.instruments[instrument.index()].close();
            }
            self.unsettled.insert(id);
            let event = step.push(EventKind::QuestionClosed);
            event.flags = EventFlags::OF_TIME;
            event.instrument = id.0;
            event.counter_amount = Int128::new(until_ns.into());
        }
    }

    /// A tick: stages whose time has passed end, the earliest first.
    #[cold]
    pub(crate) fn end_stages(&mut self, step: &mut Step) {
        let is_ready = |id: QuestionId| self.questions[id.index()].adding.is_none();
        let ended = self.deadlines.range(..=(step.time_ns, QuestionId(u32::MAX)));
        let ended: Vec<_> = ended.copied().filter(|(_, id)| is_ready(*id)).collect();
        for (until_ns, id) in ended {
            let question = &self.questions[id.index()];
            let (Some(spec), Some(resolution)) = (&question.spec.resolution, &question.resolution) else {
                self.deadlines.remove(&(until_ns, id));
                continue;
            };
            let (payouts, by) = match (resolution.stage, &resolution.proposal) {
                (ResolutionStage::Proposed, Some(proposal)) => {
                    (proposal.payouts_ppm.clone(), DecidedBy::Proposal)
                }
                _ => (spec.void_payouts_ppm.clone(), DecidedBy::Time),
            };
            self.conclude(step, id, &payouts, by);
        }
    }

    /// It is decided: bonds find their owners, and the settlement begins.
    pub(crate) fn conclude(&mut self, step: &mut Step, id: QuestionId, payouts_ppm: &[i32], by: DecidedBy) {
        if let Some(resolution) = &mut self.questions[id.index()].resolution {
            self.closings.remove(&(resolution.until_ns, id));
            resolution.decided_by = by;
        }
        self.advance(step.time_ns, id, ResolutionStage::Decided, 0);
        self.announce(step, id, payouts_ppm, by);
        self.settle_bonds(step, id, payouts_ppm, by);
        self.begin_settlement(step, id);
    }

    /// Everybody who was right, or could not know, has the bond back, but for half of a challenge that found no quorum. Of the bond of whoever lost a dispute half goes to
    /// the other side, the rest in equal parts to the votes that agreed; bonds of votes that did not go to insurance.
    fn settle_bonds(&mut self, step: &mut Step, id: QuestionId, payouts_ppm: &[i32], by: DecidedBy) {
        let question = &self.questions[id.index()];
        let (Some(spec), Some(resolution)) = (&question.spec.resolution, &question.resolution) else {
            return;
        };
        let (bond, second_bond) = (self.bond_given(id), spec.second_bond);
        let is_right = |claim: &Claim| claim.payouts_ppm == payouts_ppm;
        let proposer = resolution.proposal.as_ref().map(|claim| (claim.account, is_right(claim)));
        let (challenger, votes) = (resolution.challenger, resolution.votes.clone());
        let dispute = match (by, proposer, challenger) {
            (DecidedBy::Votes, Some((proposer, is_right)), Some(challenger)) => {
                Some(if is_right { (proposer, challenger) } else { (challenger, proposer) })
            }
            _ => None,
        };
        let agreed: Vec<AccountId> =
            votes.iter().filter(|vote| is_right(vote)).map(|vote| vote.account).collect();
        for account in proposer.map(|(account, _)| account).into_iter().chain(challenger) {
            // A challenge that time decided held everybody up, and nobody knows for what.
            let is_vain = by == DecidedBy::Time && challenger == Some(account);
            let back = if is_vain { portion_down(bond, 1, 2) } else { bond };
            if dispute.is_none_or(|(_, loser)| loser != account) {
                self.move_bond(step, EventKind::BondReturned, id, Some(account), account, back);
            }
            if is_vain {
                self.move_bond(step, EventKind::BondForfeited, id, None, account, bond - back);
            }
        }
        for vote in &votes {
            let (account, is_lost) = (vote.account, dispute.is_some() && !is_right(vote));
            let (kind, to) = if is_lost {
                (EventKind::BondForfeited, None)
            } else {
                (EventKind::BondReturned, Some(account))
            };
            self.move_bond(step, kind, id, to, account, second_bond);
        }
        if let Some((winner, loser)) = dispute {
            let half = portion_down(bond, 1, 2);
            self.move_bond(step, EventKind::BondAwarded, id, Some(winner), winner, half);
            let part = portion_down(bond - half, 1, agreed.len().max(1) as i128);
            let mut left = bond - half;
            for account in agreed {
                self.move_bond(step, EventKind::BondAwarded, id, Some(account), account, part);
                left -= part;
            }
            self.move_bond(step, EventKind::BondForfeited, id, None, loser, left);
        }
        let left = self.ledger.house(Party::Bonds(id), SETTLEMENT);
        if left != Amount::ZERO {
            self.halt(1, step.sequence, format!("question {id} keeps {} atoms of bonds", left.0));
        }
    }

    /// What the proposer gave, and the challenger as much: all that is held without the bonds of votes.
    fn bond_given(&self, id: QuestionId) -> Amount {
        let question = &self.questions[id.index()];
        let (Some(spec), Some(resolution)) = (&question.spec.resolution, &question.resolution) else {
            return Amount::ZERO;
        };
        let of_votes = spec.second_bond.times_lots(Qty(resolution.votes.len() as i64));
        let parties = i128::from(resolution.proposal.is_some()) + i128::from(resolution.challenger.is_some());
        portion_down(self.ledger.house(Party::Bonds(id), SETTLEMENT) - of_votes, 1, parties.max(1))
    }

    fn give_bond(&mut self, step: &mut Step, id: QuestionId, account: AccountId, bond: Amount) {
        let (user, bonds) = (Party::User(account), Party::Bonds(id));
        let result = self.ledger.post(user, bonds, SETTLEMENT, bond, Reason::BondGiven, step.sequence);
        self.money(step.sequence, result);
    }

    /// A bond, or a part of one, goes to an account, or to insurance. `named` is the account that the event names.
    fn move_bond(
        &mut self,
        step: &mut Step,
        kind: EventKind,
        id: QuestionId,
        to: Option<AccountId>,
        named: AccountId,
        amount: Amount,
    ) {
        let party = to.map_or(Party::Insurance, Party::User);
        let reason = if kind == EventKind::BondReturned { Reason::BondReturned } else { Reason::BondLost };
        let result = self.ledger.post(Party::Bonds(id), party, SETTLEMENT, amount, reason, step.sequence);
        self.money(step.sequence, result);
        let after = match to {
            Some(account) => self.ledger.settlement(account).total,
            None => self.ledger.house(Party::Insurance, SETTLEMENT),
        };
        let event = step.push(kind);
        event.account = named.0;
        event.instrument = id.0;
        event.amount = wide(amount);
        event.counter_amount = wide(after);
    }
}
