//! Funding of perpetuals: premiums sampled on ticks, a rate at the end of each interval, and its settlement: at once in
//! everybody's equity, in cash account by account.

use crate::account::Stand;
use crate::admission::Reach;
use crate::defence::Defence;
use crate::engine::Engine;
use crate::instrument::Instrument;
use crate::oracle::NS_PER_S;
use crate::step::{Step, wide};
use std::collections::VecDeque;
use xos_ledger::{Party, Reason, SETTLEMENT};
use xos_protocol::{
    EventKind, FUNDING_HISTORY_MAX, FUNDING_LEVELS_MAX, FundingSpec, InstrumentState, Int128, Side,
};
use xos_risk::{FundingTerms, funding_rate, impact_of, payment, premium};
use xos_units::{AccountId, Amount, InstrumentId, Price, Rate};

/// More samples of one interval are not counted.
const SAMPLES_MAX: u32 = 1_000_000;
const SECONDS_PER_HOUR: u64 = 3_600;

/// What an interval came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FundingRecord {
    /// When it ended.
    pub time_ns: u64,
    /// Mean of its samples.
    pub premium: Rate,
    /// What long positions paid, of their value at the index.
    pub rate: Rate,
    /// The index of the payments.
    pub index: Price,
}

/// The running interval, the settlement under way, and what was before.
#[derive(Clone, Debug)]
pub(crate) struct Funding {
    pub(crate) terms: FundingTerms,
    impact_notional: Amount,
    sample_s: u64,
    /// Sum and number of the samples of the running interval.
    pub(crate) sum: i64,
    pub(crate) samples: u32,
    /// Numbers, from one, of the last sampled stretch of `sample_s` and of the running interval; 0: none yet.
    pub(crate) slot: u64,
    pub(crate) interval: u64,
    /// Rate and index of the settlement under way, or of the last one.
    pub(crate) rate: Rate,
    pub(crate) index: Price,
    /// The account that a settlement looks at next; 0: none is under way.
    pub(crate) cursor: u32,
    /// Accounts that paid or received in it.
    pub(crate) payments: u32,
    /// What came in less what went out.
    pub(crate) held: Amount,
    pub(crate) history: VecDeque<FundingRecord>,
}

impl Funding {
    pub(crate) fn new(spec: &FundingSpec) -> Self {
        Self {
            terms: FundingTerms {
                interval_h: spec.interval_h,
                interest: Rate(spec.interest),
                clamp: Rate(spec.clamp),
                cap: Rate(spec.cap),
            },
            impact_notional: spec.impact_notional,
            sample_s: u64::from(spec.sample_s),
            sum: 0,
            samples: 0,
            slot: 0,
            interval: 0,
            rate: Rate(0),
            index: Price::ZERO,
            cursor: 0,
            payments: 0,
            held: Amount::ZERO,
            history: VecDeque::new(),
        }
    }

    /// Other terms; the interval stays.
    pub(crate) fn retune(&mut self, spec: &FundingSpec) {
        let anew = Self::new(spec);
        (self.terms, self.impact_notional, self.sample_s) = (anew.terms, anew.impact_notional, anew.sample_s);
    }

    /// Mean of the samples so far, rounded towards zero.
    pub(crate) fn premium(&self) -> Option<Rate> {
        (self.samples > 0).then(|| Rate(self.sum / i64::from(self.samples)))
    }

    fn interval_s(&self) -> u64 {
        u64::from(self.terms.interval_h) * SECONDS_PER_HOUR
    }

    /// End of the running interval, nanoseconds; none before the first tick.
    pub(crate) fn ends_ns(&self) -> Option<u64> {
        (self.interval > 0).then(|| self.interval.saturating_mul(self.interval_s() * NS_PER_S))
    }
}

impl Instrument {
    /// Premium of the book over the index, from what filling the impact notional costs on each side.
    fn premium(&self, notional: Amount, public: Reach) -> Rate {
        let impact = |side| {
            let levels =
                self.levels(side, public).take(FUNDING_LEVELS_MAX).map(|level| (level.price, level.lots));
            impact_of(levels, notional, self.k)
        };
        premium(self.index, impact(Side::Buy), impact(Side::Sell))
    }

    /// What a stand is still to receive of the settlement under way; negative: to pay.
    #[cold]
    pub(crate) fn unsettled(&self, stand: &Stand) -> Amount {
        match &self.funding {
            Some(funding) if self.is_due(stand) => payment(stand.lots, funding.index, self.k, funding.rate),
            _ => Amount::ZERO,
        }
    }

    /// Whether a stand is not settled yet, if it has a position.
    pub(crate) fn is_due(&self, stand: &Stand) -> bool {
        self.settling && stand.epoch != self.epoch
    }
}

impl Engine {
    /// Time passed: samples are taken, intervals end, settlements go on.
    #[cold]
    pub(crate) fn run_funding(&mut self, step: &mut Step) {
        let mut left = self.limits.funding_settlements_per_command_max;
        for at in 0..self.instruments.len() {
            if self.instruments[at].funding.is_none() {
                continue;
            }
            if self.instruments[at].state != InstrumentState::Settled {
                self.sample_premium(step.time_ns, at);
                self.end_interval(step, at);
            }
            self.settle_some(step, at, &mut left);
        }
    }

    fn sample_premium(&mut self, time_ns: u64, at: usize) {
        let instrument = &self.instruments[at];
        let Some(funding) = &instrument.funding else { return };
        let slot = time_ns / NS_PER_S / funding.sample_s + 1;
        let is_due = slot > funding.slot && funding.samples < SAMPLES_MAX;
        if !is_due || instrument.index == Price::ZERO || !instrument.has_fresh_prices() {
            return;
        }
        let is_priced = self.defends(Defence::ImpactNotional);
        let premium = instrument
            .premium(if is_priced { funding.impact_notional } else { Amount(1) }, self.public_reach());
        if let Some(funding) = &mut self.instruments[at].funding {
            funding.slot = slot;
            funding.sum += premium.0;
            funding.samples += 1;
        }
    }

    /// At the first tick behind the end of an interval, unless prices are stale or the last one is still being settled.
    fn end_interval(&mut self, step: &mut Step, at: usize) {
        let instrument = &mut self.instruments[at];
        let (index, is_fresh) = (instrument.index, instrument.has_fresh_prices());
        let Some(funding) = &mut instrument.funding else { return };
        let interval = step.time_ns / NS_PER_S / funding.interval_s() + 1;
        if funding.interval == 0 {
            funding.interval = interval;
        }
        if interval <= funding.interval || funding.cursor != 0 || !is_fresh {
            return;
        }
        funding.interval = interval;
        let Some(premium) = funding.premium() else { return };
        (funding.sum, funding.samples) = (0, 0);
        let rate = funding_rate(premium, &funding.terms);
        if funding.history.len() == FUNDING_HISTORY_MAX {
            funding.history.pop_front();
        }
        funding.history.push_back(FundingRecord { time_ns: step.time_ns, premium, rate, index });
        if rate != Rate(0) {
            (funding.rate, funding.index, funding.cursor) = (rate, index, 1);
            funding.payments = 0;
            instrument.epoch += 1;
            instrument.settling = true;
            // From here on it counts in everybody's equity.
            self.look_at_holders(at);
        }
        let instrument = &self.instruments[at];
        let event = step.push(EventKind::FundingSet);
        event.instrument = instrument.id.0;
        event.price = index.0;
        event.amount = Int128::new(rate.0.into());
        event.counter_amount = Int128::new(premium.0.into());
    }

    /// Goes on with a settlement, holder by holder, as far as `left` reaches.
    fn settle_some(&mut self, step: &mut Step, at: usize, left: &mut u32) {
        loop {
            let instrument = &self.instruments[at];
            let cursor = instrument.funding.as_ref().map_or(0, |funding| funding.cursor);
            if cursor == 0 {
                return;
            }
            let Some(account) = instrument.holders.first_from(AccountId(cursor)) else {
                return self.finish_settlement(step.sequence, at);
            };
            if *left == 0 {
                return;
            }
            *left -= 1;
            self.settle_funding(step, at, account);
            if let Some(funding) = &mut self.instruments[at].funding {
                funding.cursor = account.0 + 1;
            }
        }
    }

    /// Settles what an account is due on an instrument. While it settles, whatever changes a position calls this before,
    /// so that the position is that of the end of the interval.
    #[cold]
    pub(crate) fn settle_funding(&mut self, step: &mut Step, at: usize, account: AccountId) {
        let instrument = &mut self.instruments[at];
        let stand = self.accounts[account.index()].stand_mut(instrument.key);
        let (lots, amount) = (stand.lots, instrument.unsettled(stand));
        let is_due = instrument.is_due(stand) && lots != 0;
        stand.epoch = instrument.epoch;
        let Some(funding) = &mut instrument.funding else { return };
        if !is_due {
            return;
        }
        funding.payments += 1;
        funding.held -= amount;
        // Clearing holds it meanwhile; the sum of costs mirrors clearing.
        instrument.cost_sum += amount;
        let (index, id) = (funding.index, instrument.id);
        let (user, clearing) = (Party::User(account), Party::Clearing(id));
        let (from, to) = if amount >= Amount::ZERO { (clearing, user) } else { (user, clearing) };
        let result = self.ledger.post(from, to, SETTLEMENT, amount.abs(), Reason::Funding, step.sequence);
        self.money(step.sequence, result);
        self.look_at_debt(account);
        let total = self.ledger.settlement(account).total;
        let event = step.push(EventKind::FundingPaid);
        event.account = account.0;
        event.instrument = id.0;
        event.price = index.0;
        event.qty = lots;
        event.amount = wide(amount);
        event.counter_amount = wide(total);
    }

    /// Both sides of a fill, before it.
    #[cold]
    pub(crate) fn settle_both(&mut self, step: &mut Step, at: usize, taker: AccountId, maker: AccountId) {
        if taker != maker {
            self.settle_funding(step, at, taker);
            self.settle_funding(step, at, maker);
        }
    }

    /// Invariant 19: what came in covers what went out, and no more is left than rounding took, below an atom each.
    pub(crate) fn finish_settlement(&mut self, sequence: u64, at: usize) {
        let instrument = &mut self.instruments[at];
        let id = instrument.id;
        let Some(funding) = &mut instrument.funding else { return };
        let (left, payments) = (std::mem::take(&mut funding.held), funding.payments);
        funding.cursor = 0;
        instrument.settling = false;
        instrument.cost_sum += left;
        if left < Amount::ZERO || left.0 > i128::from(payments) {
            let detail = format!("funding of instrument {id}: {} atoms left of {payments} payments", left.0);
            return self.halt(19, sequence, detail);
        }
        let (clearing, rounding) = (Party::Clearing(id), self.rounding_of(id));
        let result = self.ledger.post(clearing, rounding, SETTLEMENT, left, Reason::Funding, sequence);
        self.money(sequence, result);
    }

    /// Funding of a perpetual that has it.
    pub fn funding(&self, id: InstrumentId) -> Option<FundingView> {
        let instrument = self.instruments.get(id.index())?;
        let funding = instrument.funding.as_ref()?;
        let premium = funding.premium();
        Some(FundingView {
            terms: funding.terms,
            premium,
            predicted: premium.map(|premium| funding_rate(premium, &funding.terms)),
            samples: funding.samples,
            ends_ns: funding.ends_ns(),
            is_settling: funding.cursor != 0,
            history: funding.history.iter().copied().collect(),
        })
    }
}

/// Funding as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FundingView {
    /// Interval, interest, clamp and cap.
    pub terms: FundingTerms,
    /// Mean of the samples so far; none before the first.
    pub premium: Option<Rate>,
    /// The rate if the interval ended now.
    pub predicted: Option<Rate>,
    /// Samples so far.
    pub samples: u32,
    /// End of the running interval, nanoseconds since 1970 UTC; none before the first tick.
    pub ends_ns: Option<u64>,
    /// Whether the last interval is still being settled.
    pub is_settling: bool,
    /// Past intervals, the oldest first.
    pub history: Vec<FundingRecord>,
}
