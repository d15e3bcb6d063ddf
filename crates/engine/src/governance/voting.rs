//! Votes: who may propose, what an act is refused for, and how a vote is decided.

use super::{check_standing, push_change};
use crate::deploy::check_bounds;
use crate::engine::Engine;
use crate::oracle::NS_PER_S;
use crate::step::{Refused, Step, refused};
use std::mem::offset_of;
use xos_protocol::{
    Act, CHANGE_DELAY_S_MAX, Change, CommandRecord, DeployCommand, EMERGENCY_S_MAX, EventFlags, EventKind,
    GUARDIANS_MAX, GovernanceSpec, InstrumentState, Int128, MarketKind, MeasuredPrice,
    PROPOSALS_PER_VOTER_MAX, PendingChange, Proposal, ProposeAct, Reject, VOTERS_MAX, VOTING_S_MAX, Vote,
    VotingSpec,
};
use xos_units::{InstrumentId, PPM_ONE};

/// Weights for an act and against it.
#[derive(Clone, Copy, Default)]
struct Tally {
    of_all: i128,
    votes_for: i128,
    votes_against: i128,
}

impl Tally {
    fn of(voting: &VotingSpec, votes: &[Vote]) -> Self {
        let of_all = voting.voters.iter().map(|voter| i128::from(voter.weight)).sum();
        let mut tally = Self { of_all, ..Self::default() };
        for vote in votes {
            let weight = i128::from(voting.weight_of(vote.account));
            *(if vote.is_for { &mut tally.votes_for } else { &mut tally.votes_against }) += weight;
        }
        tally
    }

    fn passes(&self, voting: &VotingSpec) -> bool {
        let (one, cast) = (i128::from(PPM_ONE), self.votes_for + self.votes_against);
        cast * one >= self.of_all * i128::from(voting.quorum_ppm)
            && self.votes_for * one >= cast * i128::from(voting.majority_ppm)
    }

    /// Whether it would pass whatever all others voted.
    fn has_passed(&self, voting: &VotingSpec) -> bool {
        let needed = self.of_all * i128::from(voting.quorum_ppm.max(voting.majority_ppm));
        self.votes_for * i128::from(PPM_ONE) >= needed
    }
}

/// Account numbers in rising order, which need not stand.
fn check_rising(
    accounts: impl Iterator<Item = u32>,
    most: u32,
    field: i128,
    mut and: impl FnMut(usize) -> Result<(), Refused>,
) -> Result<(), Refused> {
    let mut below = 0;
    for (at, account) in accounts.enumerate() {
        check_bounds(account.into(), i128::from(below) + 1..=most.into(), field)?;
        and(at)?;
        below = account;
    }
    Ok(())
}

impl Engine {
    /// Fields 184, 187 and 203 to 209.
    pub(super) fn check_voting(&self, spec: &VotingSpec) -> Result<(), Refused> {
        let most = self.limits.accounts_max;
        check_bounds(spec.voters.len() as i128, 1..=VOTERS_MAX as i128, 184)?;
        let weights = |at: usize| check_bounds(spec.voters[at].weight.into(), 1..=u32::MAX.into(), 203);
        check_rising(spec.voters.iter().map(|voter| voter.account), most, 187, weights)?;
        check_bounds(spec.quorum_ppm.into(), 1..=PPM_ONE.into(), 204)?;
        check_bounds(spec.majority_ppm.into(), i128::from(PPM_ONE) / 2 + 1..=PPM_ONE.into(), 205)?;
        check_bounds(spec.voting_s.into(), 1..=VOTING_S_MAX.into(), 206)?;
        let least = self.limits.change_delay_s_min;
        check_bounds(spec.time_lock_s.into(), least.into()..=CHANGE_DELAY_S_MAX.into(), 207)?;
        let guardians = spec.guardians.len() as i128;
        if guardians > GUARDIANS_MAX as i128 {
            return refused(Reject::SpecOutOfBounds, guardians, 208);
        }
        check_rising(spec.guardians.iter().copied(), most, 208, |_| Ok(()))?;
        check_bounds(spec.emergency_s.into(), guardians.min(1)..=EMERGENCY_S_MAX.into(), 209)
    }

    pub(super) fn voting(&self) -> Option<&VotingSpec> {
        self.governance.state.terms.as_ref()?.voting.as_deref()
    }

    fn votes_bind_operator(&self) -> bool {
        self.voting().is_some_and(|voting| voting.binds_operator)
    }

    /// The operator, account 0, does nothing that is left to votes.
    pub(crate) fn check_unbound(&self, account: u32, about: impl Into<i128>) -> Result<(), Refused> {
        if account == 0 && self.votes_bind_operator() {
            return refused(Reject::NeedsVote, about, 0);
        }
        Ok(())
    }

    /// Where votes bind the operator, what he brings starts as what a deployer brings, and changes no margin that stands.
    pub(crate) fn check_new_of_operator(&self, command: &DeployCommand) -> Result<(), Refused> {
        if !self.votes_bind_operator() {
            return Ok(());
        }
        match command {
            DeployCommand::Instrument(spec) => self.check_isolated_start(0, spec),
            DeployCommand::Question(spec) => self.check_link_of_deployer(0, spec),
            DeployCommand::Underlying(_) => refused(Reject::NeedsVote, 0, 0),
            _ => Ok(()),
        }
    }

    pub(crate) fn propose_act(&mut self, step: &mut Step, asked: ProposeAct) -> Result<(), Refused> {
        let ProposeAct { account, mut act } = asked;
        self.terms_of_governance()?;
        let Some(voting) = self.voting() else { return refused(Reject::NoVoting, 0, 0) };
        if voting.weight_of(account) == 0 {
            return refused(Reject::NotAVoter, account, 0);
        }
        let ends_ns = step.time_ns.saturating_add(u64::from(voting.voting_s) * NS_PER_S);
        let proposals = self.governance.state.proposals.iter();
        let open = proposals.filter(|other| other.account == account && other.effective_ns.is_none()).count();
        if open >= PROPOSALS_PER_VOTER_MAX {
            return refused(Reject::TooManyProposals, open as i128, PROPOSALS_PER_VOTER_MAX as i128);
        }
        self.check_act(&mut act)?;
        if let Act::Slash { account, amount, .. } = &act {
            self.check_slash_is_covered(*account, *amount)?;
        }
        // ---- Everything is checked. Below this line nothing fails. ----
        let proposal =
            Proposal { id: step.sequence, account, act, ends_ns, votes: Vec::new(), effective_ns: None };
        let event = push_proposal(step, EventKind::ProposalMade, &proposal);
        event.counter_amount = Int128::new(ends_ns.into());
        event.detail = *blake3::hash(&proposal.act.to_bytes()).as_bytes();
        self.governance.state.proposals.push(proposal);
        self.governance.refresh();
        Ok(())
    }

    /// What an act is refused for, when it is proposed, decided and takes effect. New fees get their ceiling.
    fn check_act(&self, act: &mut Act) -> Result<(), Refused> {
        match act {
            Act::UpdateInstrument { instrument, spec } => self.check_new_instrument(*instrument, 0, spec),
            Act::UpdateVenue { venue, spec } => self.check_new_venue(*venue, spec),
            Act::UpdateQuestion { question, terms } => self.check_new_terms(*question, terms),
            Act::Delist { kind, target } => self.check_end_of(*kind, *target, 0),
            Act::Admit { instrument } => self.check_admission_to_cross(*instrument),
            Act::SetState { instrument, state } => {
                check_standing(*instrument, self.instruments.len(), Reject::UnknownInstrument)?;
                if *state > InstrumentState::Halted.code() {
                    return refused(
                        Reject::MalformedCommand,
                        *state,
                        offset_of!(CommandRecord, side) as i128,
                    );
                }
                self.check_unsettled(*instrument as usize - 1)
            }
            Act::Slash { account, amount, harmed } => self.check_slash(*account, *amount, harmed),
            Act::Terms(spec) => self.check_new_governance(spec),
            Act::Confirm { instrument } => self.check_confirmation(*instrument),
        }
    }

    fn check_admission_to_cross(&self, target: u32) -> Result<(), Refused> {
        let instrument = &self.instruments[self.open_instrument(target)?];
        if !instrument.key.is_perpetual() {
            return refused(Reject::NotAPerpetual, target, 0);
        }
        if !instrument.is_restricted {
            return refused(Reject::NothingChanges, target, 0);
        }
        Ok(())
    }

    fn check_new_governance(&self, spec: &GovernanceSpec) -> Result<(), Refused> {
        let before = self.terms_of_governance()?;
        self.check_governance(spec)?;
        if spec.stake_asset != before.stake_asset {
            return refused(Reject::FieldIsFixed, 0, 190);
        }
        if spec.voting.is_none() {
            return refused(Reject::SpecOutOfBounds, 0, 184);
        }
        if spec == before {
            return refused(Reject::NothingChanges, 0, 0);
        }
        Ok(())
    }

    pub(crate) fn cast_vote(&mut self, step: &mut Step, command: &CommandRecord) -> Result<(), Refused> {
        let (account, id) = (self.known_account(command)?.0, command.order_id);
        let is_open = |proposal: &Proposal| proposal.id == id && proposal.effective_ns.is_none();
        let Some(at) = self.governance.state.proposals.iter().position(is_open) else {
            return refused(Reject::NotVotedOn, id, 0);
        };
        let weight = self.voting().map_or(0, |voting| voting.weight_of(account));
        if weight == 0 {
            return refused(Reject::NotAVoter, account, 0);
        }
        // ---- Everything is checked. Below this line nothing fails. ----
        let vote = Vote { account, is_for: command.side == 1 };
        let votes = &mut self.governance.state.proposals[at].votes;
        match votes.binary_search_by_key(&account, |other| other.account) {
            Ok(place) => votes[place] = vote,
            Err(place) => votes.insert(place, vote),
        }
        let event = step.push(EventKind::VoteCast);
        event.account = account;
        event.side = command.side;
        event.order_id = id;
        event.qty = weight.into();
        let proposal = &self.governance.state.proposals[at];
        let voting = self.voting().expect("it has a weight");
        if matches!(proposal.act, Act::Confirm { .. })
            && Tally::of(voting, &proposal.votes).has_passed(voting)
        {
            self.decide(step, at);
            self.governance.refresh();
        }
        Ok(())
    }

    /// The start of a frame: votes end, emergencies end, acts take effect.
    pub(super) fn run_votes(&mut self, step: &mut Step) {
        let first = step.events.len();
        let due = |time_ns: u64| time_ns <= step.time_ns;
        let open = self.governance.state.proposals.iter().filter(|found| found.effective_ns.is_none());
        let ends = open.filter(|found| due(found.ends_ns)).map(|found| (found.ends_ns, found.id));
        for id in in_order(ends) {
            let at = self.place_of_proposal(id);
            self.decide(step, at);
        }
        self.end_emergencies(step);
        let waiting = self.governance.state.proposals.iter();
        let times = waiting.filter_map(|found| Some((found.effective_ns?, found.id)));
        for id in in_order(times.filter(|(time_ns, _)| *time_ns <= step.time_ns)) {
            let at = self.place_of_proposal(id);
            let proposal = self.governance.state.proposals.remove(at);
            self.enact(step, proposal);
        }
        self.governance.refresh();
        step.events[first..].iter_mut().for_each(|event| event.flags |= EventFlags::OF_TIME);
    }

    fn place_of_proposal(&self, id: u64) -> usize {
        let proposals = &self.governance.state.proposals;
        proposals.iter().position(|found| found.id == id).expect("it was just listed")
    }

    /// A vote ends: its act is announced, waits, or is forgotten.
    fn decide(&mut self, step: &mut Step, at: usize) {
        let mut proposal = self.governance.state.proposals.remove(at);
        let tally = self.voting().map(|voting| (Tally::of(voting, &proposal.votes), voting));
        let (tally, passes, time_lock_s) = tally.map_or((Tally::default(), false, 0), |(tally, voting)| {
            (tally, tally.passes(voting), voting.time_lock_s)
        });
        let failed = if passes { self.refusal_now(&mut proposal.act) } else { Some(0) };
        if let Some(reason) = failed {
            push_proposal(step, EventKind::ProposalFailed, &proposal).tally(tally).reason = reason;
            return;
        }
        let is_at_once = matches!(proposal.act, Act::Confirm { .. });
        let wait_s = if is_at_once { 0 } else { time_lock_s };
        let effective_ns = step.time_ns.saturating_add(u64::from(wait_s) * NS_PER_S);
        let change = change_of(&proposal.act);
        if let Some((kind, target, _)) = &change {
            self.make_room_for(step, *kind, *target);
        }
        let event = push_proposal(step, EventKind::ProposalPassed, &proposal).tally(tally);
        event.counter_amount = Int128::new(effective_ns.into());
        if let Some((kind, target, change)) = change {
            let id = proposal.id;
            let pending =
                PendingChange { id, account: 0, kind, target, effective_ns, change, is_voted: true };
            return self.tell(step, pending);
        }
        if is_at_once {
            return self.enact(step, proposal);
        }
        proposal.effective_ns = Some(effective_ns);
        self.governance.state.proposals.insert(at, proposal);
    }

    /// The number of the reject for which an act that was proposed cannot be done now.
    fn refusal_now(&self, act: &mut Act) -> Option<u16> {
        if let Act::UpdateInstrument { instrument, spec } = act {
            spec.isolated_only = self.instruments[InstrumentId(*instrument).index()].is_restricted;
        }
        if let Err(why) = self.check_act(act) {
            return Some(why.reject.code());
        }
        let (kind, target, _) = change_of(act)?;
        let pending = self.governance.change_of(kind, target)?;
        (!yields(pending, self.time_ns)).then_some(Reject::ChangePending.code())
    }

    /// What a deployer announced gives way to what was voted on.
    fn make_room_for(&mut self, step: &mut Step, kind: MarketKind, target: u32) {
        let id = self.governance.change_of(kind, target).map(|pending| pending.id);
        if let Some(pending) = id.and_then(|id| self.take_change(id)) {
            push_change(step, EventKind::ChangeWithdrawn, &pending);
        }
    }

    /// The time of an act that is no change of a market has come.
    fn enact(&mut self, step: &mut Step, mut proposal: Proposal) {
        if let Some(reason) = self.refusal_now(&mut proposal.act) {
            push_proposal(step, EventKind::ProposalFailed, &proposal).reason = reason;
            return;
        }
        let effective_ns = proposal.effective_ns.unwrap_or(step.time_ns);
        let event = push_proposal(step, EventKind::ProposalEffective, &proposal);
        event.counter_amount = Int128::new(effective_ns.into());
        let id = proposal.id;
        match proposal.act {
            Act::Admit { instrument } => self.admit_to_cross(InstrumentId(instrument)),
            Act::SetState { instrument, state } => {
                let state = InstrumentState::from_code(state).expect("it was checked");
                self.enter_state(step, InstrumentId(instrument).index(), state);
            }
            Act::Slash { account, amount, harmed } => self.slash(step, id, account, amount, &harmed),
            Act::Terms(spec) => self.governance.state.terms = Some(spec),
            Act::Confirm { instrument } => self.confirm_emergency(step, instrument),
            Act::UpdateInstrument { .. }
            | Act::UpdateVenue { .. }
            | Act::UpdateQuestion { .. }
            | Act::Delist { .. } => unreachable!("they are announced as changes"),
        }
    }

    fn admit_to_cross(&mut self, id: InstrumentId) {
        let instrument = &mut self.instruments[id.index()];
        instrument.is_restricted = false;
        if let Some(spec) = &mut instrument.spec {
            spec.isolated_only = false;
        }
    }

    /// A restored state has proposals in order, about what stands.
    pub(super) fn knows_what_is_voted_on(&self) -> bool {
        let state = &self.governance.state;
        let stands = |instrument: u32| instrument >= 1 && instrument as usize <= self.instruments.len();
        let is_known = |act: &Act| match act {
            Act::UpdateInstrument { instrument, .. }
            | Act::Admit { instrument }
            | Act::SetState { instrument, .. }
            | Act::Confirm { instrument } => stands(*instrument),
            Act::UpdateVenue { venue, .. } => *venue >= 1 && *venue as usize <= self.venues.len(),
            Act::Slash { account, harmed, .. } => {
                let mut named = harmed.iter().map(|harm| harm.account).chain([*account]);
                named.all(|id| id >= 1 && id as usize <= self.accounts.len())
            }
            _ => true,
        };
        state.proposals.is_sorted_by_key(|proposal| proposal.id)
            && state.proposals.iter().all(|proposal| is_known(&proposal.act))
            && state.emergencies.is_sorted_by(|one, next| one.instrument < next.instrument)
            && state.emergencies.iter().all(|emergency| stands(emergency.instrument))
            && (state.proposals.is_empty() && state.emergencies.is_empty() || self.voting().is_some())
    }
}

/// Ids in order of (time, id).
fn in_order(times: impl Iterator<Item = (u64, u64)>) -> Vec<u64> {
    let mut times: Vec<_> = times.collect();
    times.sort_unstable();
    times.into_iter().map(|(_, id)| id).collect()
}

/// Whether an announced change is a deployer's own, and its market does not end now: else a deployer could stand in the
/// way of every vote.
fn yields(pending: &PendingChange, now_ns: u64) -> bool {
    let ends_now = matches!(pending.change, Change::Delisting(_)) && pending.effective_ns <= now_ns;
    pending.account != 0 && !ends_now
}

/// The change of a market that an act is.
fn change_of(act: &Act) -> Option<(MarketKind, u32, Change)> {
    Some(match act {
        Act::UpdateInstrument { instrument, spec } => {
            (MarketKind::Instrument, *instrument, Change::Instrument(spec.clone()))
        }
        Act::UpdateVenue { venue, spec } => (MarketKind::Venue, *venue, Change::Venue(spec.clone())),
        Act::UpdateQuestion { question, terms } => {
            (MarketKind::Question, *question, Change::Terms(terms.clone()))
        }
        Act::Delist { kind, target } => (*kind, *target, Change::Delisting(MeasuredPrice::default())),
        _ => return None,
    })
}

fn push_proposal<'a>(
    step: &'a mut Step,
    kind: EventKind,
    proposal: &Proposal,
) -> &'a mut xos_protocol::EventRecord {
    let event = step.push(kind);
    event.account = proposal.account;
    event.side = proposal.act.kind().code();
    event.instrument = proposal.act.target();
    event.order_id = proposal.id;
    if let Act::Slash { amount, .. } = &proposal.act {
        event.amount = crate::step::wide(*amount);
    }
    event
}

trait Tallied {
    fn tally(&mut self, tally: Tally) -> &mut Self;
}

impl Tallied for xos_protocol::EventRecord {
    /// Weights of 64 voters are far inside 64 bits.
    fn tally(&mut self, tally: Tally) -> &mut Self {
        self.qty = tally.votes_for as i64;
        self.remaining = tally.votes_against as i64;
        self
    }
}
