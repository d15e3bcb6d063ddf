//! Which rejects, reasons, kinds of events and rare turns a run has reached.

use std::collections::{BTreeMap, BTreeSet};
use xos_protocol::{
    CancelReason, DecidedBy, DeployCommand, EventFlags, EventKind, EventRecord, LiquidationPolicy,
    PriceStatus, Reject,
};

/// Counts of what happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// By code of reject.
    pub rejects: BTreeMap<u16, u64>,
    /// By code of cancel reason.
    pub reasons: BTreeMap<u16, u64>,
    /// By kind of event.
    pub kinds: BTreeMap<u16, u64>,
    /// By field number of a refused specification.
    pub fields: BTreeMap<i128, u64>,
    /// Sequence of the last payment of funding.
    paid_by: u64,
    /// Accounts in liquidation, and what the last conversion was to bring.
    in_liquidation: BTreeSet<u32>,
    needed: i128,
    /// Sequence and order of the last replenishment; the order that lost lots last without a trade.
    replenished: (u64, u64),
    decremented: (u64, u64),
    /// Markets whose liquidation grows, and of accounts in liquidation the time of the first order there and whether lots
    /// were closed since.
    growing: BTreeSet<u32>,
    sliced: BTreeMap<u32, (u64, bool)>,
    /// Marks; and the sequence and account of the last maker at a price worse than its mark.
    marks: BTreeMap<u32, i64>,
    losing: (u64, u32),
    /// Sequence that decided a question that is not settled.
    decided: BTreeMap<u32, u64>,
    added: BTreeMap<u32, u64>,
    /// Sequence of the last step of implied liquidity.
    stepped_by: u64,
    /// By name of a rare turn.
    pub turns: BTreeMap<&'static str, u64>,
}

/// The rare turns that [`Coverage::turns`] counts.
pub const TURNS: &[&str] = &[
    "answer given again",
    "prices stale",
    "funding received",
    "funding paid before a fill",
    "prices live again",
    "reopening after a restart",
    "amend that kept its place",
    "amend that traded",
    "rebate",
    "rebate capped by the taker's fee",
    "trade of an account with itself",
    "position flipped",
    "payout taken from an account",
    "settlement total below zero",
    "decrement that left the resting order",
    "iceberg met again by one order",
    "iceberg replenished after a decrement",
    "iceberg amended in its place",
    "exits fired",
    "split beyond the bound of money",
    "liquidation at the start of a frame",
    "deleveraged in part",
    "deleveraged other than a queue would",
    "deleveraged at the mark: insurance had paid",
    "tranche took a part",
    "settlement in more than one turn",
    "an outcome was added in more than one turn",
    "any_other that was short was credited",
    "payouts left something to rounding",
    "a proposal stood unchallenged",
    "votes decided a dispute",
    "a question became void by time",
    "sets created by implied liquidity",
    "sets redeemed by implied liquidity",
    "steps of one order, two or more",
    "implied leg of the taker's own account",
    "rebate of an implied leg",
    "trade that is not public",
    "part of a step that is not public",
    "collateral converted outside a liquidation",
    "collateral converted in a liquidation",
    "conversion that found less than was needed",
    "second growing slice",
    "a maker reduced at a loss",
];

impl Coverage {
    /// Counts one event.
    pub fn observe(&mut self, event: &EventRecord) {
        *self.kinds.entry(event.kind).or_default() += 1;
        let (amount, counter) = (event.amount.get(), event.counter_amount.get());
        match event.kind() {
            Some(EventKind::Rejected) => {
                *self.rejects.entry(event.reason).or_default() += 1;
                let is_supply = event.reason == Reject::SupplyLimit.code();
                self.turn("split beyond the bound of money", is_supply && event.qty > 0);
                if event.reason == Reject::SpecOutOfBounds.code() {
                    *self.fields.entry(counter).or_default() += 1;
                }
            }
            Some(EventKind::TriggerCancelled) => {
                *self.reasons.entry(event.reason).or_default() += 1;
            }
            Some(EventKind::TriggerFired) => {
                self.turn("exits fired", event.order_id >= xos_protocol::EXITS_BIT);
            }
            Some(EventKind::OrderCancelled) => {
                *self.reasons.entry(event.reason).or_default() += 1;
                let is_self_trade = event.reason == CancelReason::SelfTrade.code();
                self.turn("decrement that left the resting order", is_self_trade && event.remaining > 0);
                self.decremented = (event.sequence, event.order_id);
            }
            Some(EventKind::OrderAmended) => {
                let kept = event.flags & EventFlags::KEPT_PRIORITY != 0;
                self.turn("amend that kept its place", kept);
                self.turn("iceberg amended in its place", kept && amount > 0);
            }
            Some(EventKind::OrderReplenished) => {
                self.replenished = (event.sequence, event.order_id);
                let decremented = self.decremented == self.replenished;
                self.turn("iceberg replenished after a decrement", decremented);
            }
            Some(EventKind::Trade) => {
                self.turn("funding paid before a fill", event.sequence == self.paid_by);
                let met_again = self.replenished == (event.sequence, event.counter_order_id());
                self.turn("iceberg met again by one order", met_again);
                self.turn("rebate", counter < 0);
                self.turn("rebate capped by the taker's fee", counter < 0 && -counter == amount);
                self.turn("trade of an account with itself", event.account == event.counter_account());
                self.turn("amend that traded", event.order_id != event.sequence);
                self.turn("trade that is not public", event.flags == EventFlags::NOT_PUBLIC);
                // The maker is on the other side.
                let away = self.marks.get(&event.instrument).map_or(0, |mark| event.price - mark);
                let is_worse = if event.side == 0 { away < 0 } else { away > 0 };
                self.losing = if is_worse { (event.sequence, event.counter_account()) } else { (0, 0) };
            }
            Some(EventKind::ImpliedTrade) => {
                self.turn("sets created by implied liquidity", event.side == 0);
                self.turn("sets redeemed by implied liquidity", event.side == 1);
                self.turn("steps of one order, two or more", event.sequence == self.stepped_by);
                self.stepped_by = event.sequence;
            }
            Some(EventKind::ImpliedLeg) => {
                self.turn("implied leg of the taker's own account", event.account == event.counter_account());
                self.turn("rebate of an implied leg", amount < 0);
                self.turn("part of a step that is not public", event.flags == EventFlags::NOT_PUBLIC);
            }
            Some(EventKind::PnlRealised) => {
                let opposite = if event.side == 0 { 1 } else { -1 };
                self.turn("position flipped", event.remaining.signum() == opposite);
                let is_losing = self.losing == (event.sequence, event.account) && amount < 0;
                self.turn("a maker reduced at a loss", is_losing);
                if let Some((_, has_closed)) = self.sliced.get_mut(&event.account) {
                    *has_closed = true;
                }
            }
            _ => {
                self.observe_question(event, amount, counter);
                self.observe_account(event, amount, counter);
            }
        }
        self.turn("answer given again", event.flags & EventFlags::RETRY != 0);
    }

    /// Prices, funding, liquidation and conversion.
    fn observe_account(&mut self, event: &EventRecord, amount: i128, counter: i128) {
        match event.kind() {
            Some(EventKind::PriceStatusSet) => {
                let status = PriceStatus::from_code(event.side);
                self.turn("prices stale", status == Some(PriceStatus::Stale));
                self.turn("prices live again", status == Some(PriceStatus::Live));
                self.turn("reopening after a restart", status == Some(PriceStatus::Reopening));
            }
            Some(EventKind::FundingPaid) => {
                self.turn("funding received", amount > 0);
                self.paid_by = event.sequence;
            }
            Some(EventKind::LiquidationStarted) => {
                self.turn("liquidation at the start of a frame", event.is_of_time());
                self.in_liquidation.insert(event.account);
                self.sliced.remove(&event.account);
            }
            Some(EventKind::LiquidationEnded) => {
                self.in_liquidation.remove(&event.account);
            }
            Some(EventKind::LiquidationOrder) => self.observe_slice(event),
            Some(EventKind::MarkSet) => {
                self.marks.insert(event.instrument, event.price);
            }
            Some(EventKind::ConversionOrder) => self.needed = amount,
            Some(EventKind::CollateralConverted) => {
                let is_liquidated = self.in_liquidation.contains(&event.account);
                self.turn("collateral converted outside a liquidation", !is_liquidated);
                self.turn("collateral converted in a liquidation", is_liquidated);
                self.turn("conversion that found less than was needed", amount < self.needed);
            }
            Some(EventKind::Deleveraged) => {
                self.turn("deleveraged in part", event.remaining != 0);
                self.turn("deleveraged other than a queue would", event.receipt().queue_lots != event.qty);
                self.turn("deleveraged at the mark: insurance had paid", counter == 0);
            }
            Some(EventKind::TrancheTookOver) => self.turn("tranche took a part", event.remaining != 0),
            _ => {}
        }
    }

    /// The life of questions.
    fn observe_question(&mut self, event: &EventRecord, amount: i128, counter: i128) {
        match event.kind() {
            Some(EventKind::QuestionSettled) => {
                self.turn("payouts left something to rounding", amount > 0);
                let decided = self.decided.remove(&event.instrument);
                self.turn("settlement in more than one turn", decided != Some(event.sequence));
            }
            Some(EventKind::OutcomeAdded) => {
                self.added.insert(event.instrument, event.sequence);
            }
            Some(EventKind::OutcomeOpened) => {
                let added = self.added.remove(&event.instrument);
                self.turn("an outcome was added in more than one turn", added != Some(event.sequence));
            }
            Some(EventKind::OutcomeCredited) => {
                self.turn("any_other that was short was credited", event.qty < 0);
            }
            Some(EventKind::QuestionResolved) => {
                self.decided.insert(event.instrument, event.sequence);
                let by = DecidedBy::from_code(event.side);
                self.turn("a proposal stood unchallenged", by == Some(DecidedBy::Proposal));
                self.turn("votes decided a dispute", by == Some(DecidedBy::Votes));
                self.turn("a question became void by time", by == Some(DecidedBy::Time));
            }
            Some(EventKind::Payout) => {
                self.turn("payout taken from an account", amount < 0);
                self.turn("settlement total below zero", counter < 0);
            }
            _ => {}
        }
    }

    /// Remembers which markets are deployed with a liquidation that grows.
    pub fn observe_deployed(&mut self, body: &DeployCommand, events: &[EventRecord]) {
        let DeployCommand::Instrument(spec) = body else { return };
        if spec.liquidation.as_ref().is_some_and(|terms| terms.policy == LiquidationPolicy::Growing) {
            let is_deployed = |event: &&EventRecord| event.kind() == Some(EventKind::InstrumentDeployed);
            self.growing.extend(events.iter().filter(is_deployed).map(|event| event.instrument));
        }
    }

    /// A second order whose lots the growth of the part decides: an earlier one closed some, time has passed, and more than
    /// half of the requirement is there.
    fn observe_slice(&mut self, event: &EventRecord) {
        if !self.growing.contains(&event.instrument) {
            return;
        }
        let (equity, required) = (event.amount.get(), event.counter_amount.get());
        let first = *self.sliced.entry(event.account).or_insert((event.time_ns, false));
        let is_second = first.1 && event.time_ns > first.0;
        self.turn("second growing slice", is_second && 2 * (required - equity) < required);
    }

    /// Counts a turn that the caller saw, if it `happened`.
    pub fn turn(&mut self, name: &'static str, happened: bool) {
        debug_assert!(TURNS.contains(&name), "{name} is not declared");
        if happened {
            *self.turns.entry(name).or_default() += 1;
        }
    }

    /// Adds the counts of another run.
    pub fn add(&mut self, other: &Self) {
        add_counts(&mut self.rejects, &other.rejects);
        add_counts(&mut self.reasons, &other.reasons);
        add_counts(&mut self.kinds, &other.kinds);
        add_counts(&mut self.fields, &other.fields);
        add_counts(&mut self.turns, &other.turns);
    }

    /// Everything is reached, but for a few rejects and fields that chance may miss: those stand in scenarios, which both
    /// engines play. Which ones changes with every change of the workload.
    pub fn judge(&self) -> Result<(), String> {
        let missing = self.missing();
        if missing.len() > MISSED_MAX {
            return Err(format!("too much was never reached: {missing:#?}"));
        }
        let scenarios = scenarios();
        let missing: Vec<_> = missing.into_iter().filter(|what| !stands_in(&scenarios, what)).collect();
        if !missing.is_empty() {
            return Err(format!("never reached, and in no scenario either: {missing:#?}"));
        }
        Ok(())
    }

    /// What was never reached, by name.
    pub fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        let mut want = |reached: bool, what: String| {
            if !reached {
                missing.push(what);
            }
        };
        for reject in Reject::ALL {
            let name = format!("reject {} {}", reject.code(), reject.name());
            want(self.rejects.contains_key(&reject.code()), name);
        }
        for reason in CancelReason::ALL {
            want(self.reasons.contains_key(&reason.code()), format!("cancel reason {}", reason.name()));
        }
        for kind in EventKind::ALL {
            want(self.kinds.contains_key(&kind.code()), format!("event {}", kind.name()));
        }
        for field in (1..=22)
            .chain(31..=48)
            .chain(51..=62)
            .chain(71..=84)
            .chain(86..=90)
            .chain([91, 94, 169, 211])
            .chain(131..=135)
            .chain(101..=104)
            .chain(151..=165)
            .chain(167..=168)
        {
            want(self.fields.contains_key(&field), format!("specification field {field}"));
        }
        for turn in TURNS {
            want(self.turns.contains_key(turn), format!("turn: {turn}"));
        }
        missing
    }
}

/// Rejects and fields that may be left to scenarios.
const MISSED_MAX: usize = 6;

/// All files of `spec/` as one text.
fn scenarios() -> String {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec");
    let files = std::fs::read_dir(directory).expect("the scenarios are there");
    files.map(|file| std::fs::read_to_string(file.expect("a file").path()).expect("a text")).collect()
}

/// Whether a line of a scenario is refused so, or for the sake of this field.
fn stands_in(scenarios: &str, what: &str) -> bool {
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_string()).collect::<Vec<_>>();
    let has = |of: &dyn Fn(Vec<String>) -> bool| scenarios.lines().any(|line| of(cells(line)));
    if let Some(reject) = what.strip_prefix("reject ") {
        return has(&|cells| cells.iter().any(|cell| cell.ends_with(reject)));
    }
    what.strip_prefix("specification field ").is_some_and(|field| {
        let is_last = |cells: &[String]| cells.len() > 2 && cells[cells.len() - 2] == field;
        has(&|cells| is_last(&cells) && cells.iter().any(|cell| cell.contains("507 ")))
    })
}

fn add_counts<K: Ord + Copy>(to: &mut BTreeMap<K, u64>, from: &BTreeMap<K, u64>) {
    for (&key, count) in from {
        *to.entry(key).or_default() += count;
    }
}
