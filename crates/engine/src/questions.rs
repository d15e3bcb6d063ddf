//! Questions: their state, and the commands that settle them.

mod later;
mod resolution;
mod settlement;
mod terms;

pub(crate) use self::later::Adding;
pub use self::resolution::{Claim, Resolution};
use crate::account::{Account, Class, StandKey};
use crate::engine::Engine;
use crate::holders::AccountSet;
use crate::implied::Implied;
use crate::step::{Refused, Step, refused};
use xos_protocol::{
    CommandRecord, DecidedBy, EventKind, InstrumentState, QuestionPayouts, QuestionSpec, Reject,
};
use xos_units::{AccountId, Amount, InstrumentId, PPM_ONE, Ppm, Price, Qty, QuestionId, Requirement};

/// A question.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) spec: Box<QuestionSpec>,
    pub(crate) first: InstrumentId,
    /// Outcomes that it has; one that is being added does not count yet.
    pub(crate) outcomes: u32,
    /// Payout of one lot of an outcome with all of the unit.
    pub(crate) unit: Amount,
    /// Complete sets outstanding.
    pub(crate) sets: i64,
    /// Best prices of all outcomes, where it has implied liquidity.
    pub(crate) implied: Option<Box<Implied>>,
    /// Accounts that stand in it.
    pub(crate) holders: AccountSet,
    /// BLAKE3 of the rule of its resolvers.
    pub(crate) rule_hash: Option<[u8; 32]>,
    /// How far its resolvers are; none: it has no resolvers.
    pub(crate) resolution: Option<Box<Resolution>>,
    pub(crate) settlement: Option<Box<Settlement>>,
    /// How far an outcome is that is being added.
    pub(crate) adding: Option<Adding>,
}

/// How a question was decided, and how far everybody is paid.
#[derive(Debug)]
pub(crate) struct Settlement {
    /// Each outcome's share of the unit.
    pub(crate) payouts: Box<[Ppm]>,
    /// Accounts paid so far.
    pub(crate) paid: u32,
    /// Nobody is left.
    pub(crate) is_done: bool,
}

impl Settlement {
    /// Place of the outcome with all of the unit.
    pub(crate) fn winner(&self) -> Option<usize> {
        self.payouts.iter().position(|share| share.0 == PPM_ONE)
    }
}

impl Question {
    pub(crate) fn new(spec: QuestionSpec, first: InstrumentId) -> Self {
        let unit =
            xos_units::notional(Price(spec.ticks_per_unit), Qty(1), spec.terms.quote_atoms_per_tick_lot);
        let outcomes = u32::try_from(spec.outcomes.len()).expect("bounded by a limit");
        let terms = spec.resolution.as_deref();
        let rule_hash = terms.map(|terms| *blake3::hash(terms.rule.as_bytes()).as_bytes());
        let resolution = terms.map(|spec| Box::new(Resolution::new(spec)));
        let implied = spec.implied.then(|| Box::new(Implied::of(spec.outcomes.len())));
        Self {
            spec: Box::new(spec),
            first,
            outcomes,
            unit,
            sets: 0,
            implied,
            holders: AccountSet::default(),
            rule_hash,
            resolution,
            settlement: None,
            adding: None,
        }
    }

    pub(crate) fn instruments(&self) -> impl Iterator<Item = InstrumentId> + use<> {
        (self.first.0..self.first.0 + self.outcomes).map(InstrumentId)
    }

    /// Reserved ones too.
    pub(crate) fn all_instruments(&self) -> impl Iterator<Item = InstrumentId> + use<> {
        let count = u32::try_from(self.spec.outcomes_most()).expect("bounded by a limit");
        (self.first.0..self.first.0 + count).map(InstrumentId)
    }

    /// The outcome that pays all of the unit, once it is decided.
    pub(crate) fn paying(&self) -> Option<InstrumentId> {
        let winner = self.settlement.as_ref()?.winner()?;
        self.instruments().nth(winner)
    }

    /// Whether it is decided and not everybody is paid.
    pub(crate) fn is_settling(&self) -> bool {
        self.settlement.as_ref().is_some_and(|settlement| !settlement.is_done)
    }

    /// What an account is paid: each position times its outcome's share of the unit, rounded down as a whole.
    pub(crate) fn payout_of(&self, account: &Account) -> Amount {
        let Some(settlement) = &self.settlement else { return Amount::ZERO };
        let first = StandKey::new(Class::Outcome, self.first).0;
        let mut payout = Requirement::ZERO;
        for stand in account.outcomes(self.first, self.outcomes) {
            let share = settlement.payouts[(stand.key.0 - first) as usize];
            payout += self.unit.times_lots(Qty(stand.lots)).times(share);
        }
        payout.floor()
    }
}

impl Engine {
    /// A question that is not decided yet, and to which no outcome is being added.
    pub(crate) fn undecided(&self, id: QuestionId) -> Result<&Question, Refused> {
        let Some(question) = self.questions.get(id.index()) else {
            return refused(Reject::UnknownQuestion, id.0, self.questions.len() as i128);
        };
        if question.settlement.is_some() {
            return refused(Reject::QuestionResolved, id.0, 0);
        }
        if let Some(instrument) = question.being_added() {
            return refused(Reject::OutcomeBeingAdded, id.0, instrument.0);
        }
        Ok(question)
    }

    pub(crate) fn resolve_question(
        &mut self,
        step: &mut Step,
        command: &CommandRecord,
    ) -> Result<(), Refused> {
        let id = command.question();
        let question = self.undecided(id)?;
        let paying = question.instruments().position(|id| u64::from(id.0) == command.order_id);
        let Some(paying) = paying else {
            return refused(Reject::NotAnOutcome, command.order_id, command.instrument);
        };
        let payouts = QuestionPayouts::all_for(paying, question.outcomes as usize);
        self.check_no_resolvers(id)?;
        // ---- Everything is checked. Below this line nothing fails. ----
        self.announce(step, id, &payouts, DecidedBy::Operator);
        self.begin_settlement(step, id);
        Ok(())
    }

    /// The operator settles a question.
    pub(crate) fn settle_question(
        &mut self,
        step: &mut Step,
        asked: &QuestionPayouts,
    ) -> Result<(), Refused> {
        let id = QuestionId(asked.question);
        let question = self.undecided(id)?;
        if asked.account != 0 {
            return refused(Reject::UnknownAccount, asked.account, 0);
        }
        check_payouts(&asked.payouts_ppm, question.outcomes as usize)?;
        self.check_no_resolvers(id)?;
        // ---- Everything is checked. Below this line nothing fails. ----
        self.announce(step, id, &asked.payouts_ppm, DecidedBy::Operator);
        self.begin_settlement(step, id);
        Ok(())
    }

    /// The payouts stand: nothing trades any more, and everybody's equity counts them.
    fn announce(&mut self, step: &mut Step, id: QuestionId, payouts_ppm: &[i32], by: DecidedBy) {
        let payouts: Box<[Ppm]> = payouts_ppm.iter().map(|share| Ppm(*share)).collect();
        let question = &mut self.questions[id.index()];
        question.settlement = Some(Box::new(Settlement { payouts, paid: 0, is_done: false }));
        question.sets = 0;
        let (paying, instruments) = (question.paying(), question.instruments());
        let event = step.push(EventKind::QuestionResolved);
        event.side = by.code();
        event.instrument = id.0;
        event.order_id = paying.map_or(0, |id| id.0.into());
        for (instrument, share) in instruments.zip(payouts_ppm) {
            if paying.is_none() && *share > 0 {
                push_payout(step, id, instrument, *share);
            }
            self.instruments[instrument.index()].set_state(InstrumentState::Settled);
        }
        self.unsettled.insert(id);
    }

    /// The first turn of payments.
    fn begin_settlement(&mut self, step: &mut Step, id: QuestionId) {
        self.settle_some_of(step, id, &mut i64::from(self.limits.payouts_per_command_max));
    }

    /// Worst cases of all questions of an account; of a question that is being settled its payout.
    #[inline(always)]
    pub(crate) fn worst_cases(&self, id: AccountId) -> Amount {
        let account = &self.accounts[id.index()];
        match account.worst_cases() {
            None => Amount::ZERO,
            Some(sum) if self.unsettled.is_empty() => sum,
            Some(sum) => self.with_payouts(account, sum),
        }
    }

    #[cold]
    fn with_payouts(&self, account: &Account, mut sum: Amount) -> Amount {
        for (id, worst) in account.questions() {
            let question = &self.questions[id.index()];
            if question.is_settling() {
                sum += question.payout_of(account) - *worst;
            }
        }
        sum
    }
}

/// Announces an outcome's share of the unit.
fn push_payout(step: &mut Step, id: QuestionId, instrument: InstrumentId, share_ppm: i32) {
    let event = step.push(EventKind::OutcomePayout);
    event.instrument = instrument.0;
    event.order_id = id.0.into();
    event.amount = xos_protocol::Int128::new(share_ppm.into());
}

/// As many payouts as outcomes, each a share of the unit, all together one.
fn check_payouts(payouts_ppm: &[i32], outcomes: usize) -> Result<(), Refused> {
    if payouts_ppm.len() != outcomes {
        return refused(Reject::PayoutsMisnumbered, payouts_ppm.len() as i128, outcomes as i128);
    }
    let outside = payouts_ppm.iter().find(|share| !(0..=PPM_ONE).contains(*share));
    let sum: i128 = payouts_ppm.iter().map(|share| i128::from(*share)).sum();
    match outside {
        Some(share) => refused(Reject::PayoutsNotOne, *share, PPM_ONE),
        None if sum != i128::from(PPM_ONE) => refused(Reject::PayoutsNotOne, sum, PPM_ONE),
        None => Ok(()),
    }
}
