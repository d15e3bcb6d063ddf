//! Questions with resolvers: deployed, closed, proposed, challenged and decided, in time and too late.

use super::{Chaos, later};
use crate::workload::{Frame, command, deployments, questions};
use xos_protocol::{
    CommandKind, CommandRecord, DeployCommand, QuestionPayouts, QuestionSpec, ResolutionSpec,
};

const SECOND_NS: u64 = 1_000_000_000;

/// A question with resolvers that is not decided.
#[derive(Clone, Debug)]
pub(super) struct Resolvable {
    pub(super) question: u32,
    pub(super) spec: ResolutionSpec,
}

impl Chaos {
    /// Deploys such a question, or takes one some way; commands of all kinds come between the steps.
    pub(super) fn plan_dispute(&mut self) {
        if !self.takers.is_empty() && self.rng.one_in(3) {
            return self.plan_addition();
        }
        if self.resolvable.is_empty() || self.rng.one_in(6) {
            for is_sound in [false, true] {
                let mut body = DeployCommand::Question(self.resolvable_question());
                if !is_sound {
                    deployments::spoil(&mut self.rng, &mut body);
                }
                self.set_up.push_back(Frame::deploy(self.time_ns, &body));
            }
            return;
        }
        let Resolvable { question, spec } = self.rng.pick(&self.resolvable).clone();
        let mut time_ns = self.time_ns;
        if self.rng.percent(80) {
            time_ns = time_ns.max(spec.close_ns) + self.rng.below(3);
        }
        if self.rng.one_in(4) {
            // Often one without resolvers.
            let any = 1 + self.rng.below(u64::from(self.questions)) as u32;
            let account = self.account();
            self.push_fixed(time_ns, CommandKind::ChallengeResolution, any, account);
        }
        if self.rng.one_in(5) {
            let account = *self.rng.pick(&spec.second_resolvers);
            self.push_fixed(time_ns, CommandKind::VoidQuestion, question, account);
        }
        let outcomes = self.outcomes_of(question).len();
        let proposed = questions::payouts(&mut self.rng, outcomes);
        for _ in 0..1 + self.rng.below(2) {
            let account = self.one_of_or_any(&spec.resolvers);
            self.push_payouts(time_ns, question, account, proposed.clone(), DeployCommand::ProposeResolution);
            self.push_noise(time_ns);
        }
        let late = self.step_ns(spec.challenge_s);
        if self.rng.percent(75) {
            time_ns += if self.rng.one_in(4) { late } else { self.rng.below(9) };
            for _ in 0..1 + self.rng.below(4) {
                let account = self.account();
                self.push_fixed(time_ns, CommandKind::ChallengeResolution, question, account);
            }
            self.push_noise(time_ns);
            if self.rng.percent(80) {
                self.plan_votes(time_ns, question, &spec, &proposed);
            }
        }
        time_ns += self.step_ns(spec.decide_s.max(spec.challenge_s).max(spec.propose_s));
        for _ in 0..1 + self.rng.below(4) {
            self.set_up.push_back(Frame::commands(time_ns, vec![command(CommandKind::Tick)]));
            self.push_noise(time_ns);
        }
    }

    /// Mostly all of one mind; now and then of another, of none, or too late.
    fn plan_votes(&mut self, time_ns: u64, question: u32, spec: &ResolutionSpec, proposed: &[i32]) {
        let time_ns = time_ns + if self.rng.one_in(8) { self.step_ns(spec.decide_s) } else { 0 };
        let mut mind = proposed.to_vec();
        if self.rng.one_in(2) {
            mind = questions::payouts(&mut self.rng, proposed.len());
        }
        let mut voters = spec.second_resolvers.clone();
        voters.push(self.account());
        voters.push(*self.rng.pick(&spec.second_resolvers));
        for account in voters {
            match self.rng.below(6) {
                0 => self.push_fixed(time_ns, CommandKind::VoidQuestion, question, account),
                1 => {
                    let other = questions::payouts(&mut self.rng, proposed.len());
                    self.push_payouts(time_ns, question, account, other, DeployCommand::DecideResolution);
                }
                _ => self.push_payouts(
                    time_ns,
                    question,
                    account,
                    mind.clone(),
                    DeployCommand::DecideResolution,
                ),
            }
        }
    }

    /// Just before the end of a step of so many seconds, at it, or after it.
    fn step_ns(&mut self, seconds: u32) -> u64 {
        (u64::from(seconds) * SECOND_NS + self.rng.below(3)).saturating_sub(1)
    }

    fn one_of_or_any(&mut self, accounts: &[u32]) -> u32 {
        if self.rng.one_in(6) { self.account() } else { *self.rng.pick(accounts) }
    }

    fn push_fixed(&mut self, time_ns: u64, kind: CommandKind, instrument: u32, account: u32) {
        let record = CommandRecord { account, instrument, ..command(kind) };
        self.set_up.push_back(Frame::commands(time_ns, vec![record]));
    }

    fn push_payouts(
        &mut self,
        time_ns: u64,
        question: u32,
        account: u32,
        payouts_ppm: Vec<i32>,
        of: fn(QuestionPayouts) -> DeployCommand,
    ) {
        let mut asked = QuestionPayouts { question, account, payouts_ppm };
        if self.rng.one_in(16) {
            questions::spoil_payouts(&mut self.rng, &mut asked);
        }
        self.set_up.push_back(Frame::deploy(time_ns, &of(asked)));
    }

    fn push_noise(&mut self, time_ns: u64) {
        for at in 0..self.rng.below(4) {
            let record = self.draw_command(at);
            self.set_up.push_back(Frame::commands(time_ns, vec![record]));
        }
    }

    /// Its resolvers are accounts of different owners, if there are enough.
    pub(super) fn resolvable_question(&mut self) -> QuestionSpec {
        self.deployments += 1;
        let outcomes = 2 + self.rng.below(3) as usize;
        let number = 10 + self.deployments;
        let mut spec = deployments::question(&mut self.rng, self.scale, number, outcomes);
        let accounts = self.live.accounts;
        let mut terms = questions::resolution(&mut self.rng, self.time_ns, outcomes, accounts);
        let mut owners = Vec::new();
        let mut chosen = Vec::new();
        for _ in 0..12 {
            let account = self.account();
            if let Some(owner) = self.live.owners.get(&account)
                && !self.live.isolated.contains_key(&account)
                && !owners.contains(owner)
            {
                owners.push(*owner);
                chosen.push(account);
            }
        }
        if chosen.len() > 1 && !self.rng.one_in(12) {
            let first = 1 + usize::from(chosen.len() > 3 && self.rng.one_in(3));
            terms.resolvers = chosen[..first].to_vec();
            terms.second_resolvers = chosen[first..].iter().copied().take(3).collect();
            terms.quorum = terms.second_resolvers.len() as u32 / 2 + 1;
        }
        spec.resolution = Some(Box::new(terms));
        later::maybe_later(&mut self.rng, &mut spec, 3);
        spec
    }
}
