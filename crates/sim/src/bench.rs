//! The engine under load: command files and seeded workloads, timed, and judged at their end. A run that does not
//! end in the right state has no speed.

mod command_file;
mod model_book;
mod report;
mod windows;

pub use command_file::{CommandFile, FileError};
pub use model_book::ModelBooks;
pub use report::{BenchCheck, BenchReport, KindTime};

use crate::workload::{ImpliedMarket, Market, MarketShape, Storm};
use std::time::Instant;
use windows::Windows;
use xos_engine::{Engine, FrameHeader};
use xos_protocol::{CommandKind, CommandRecord, EventKind, EventRecord, Reject};
use xos_units::{AccountId, AssetId, InstrumentId};

/// Commands of one frame in a run.
pub const FRAME_COMMANDS: usize = 512;
/// Logged time between two frames of a run.
pub const FRAME_NS: u64 = 1_000;

/// A prepared run: what sets the exchange up, what is not timed, what is.
pub struct Run {
    /// Name of the workload.
    pub name: String,
    /// Deployments, in order.
    pub deployments: Vec<Vec<u8>>,
    /// Accounts, deposits, marks; then the part of the workload that only fills the books.
    pub prefill: Vec<CommandRecord>,
    /// What is timed.
    pub commands: Vec<CommandRecord>,
    /// Totals that a right engine ends with: trades, lots, notional in ticks times lots, resting orders.
    pub expected: Option<[i128; 4]>,
    /// Whether a model book can follow the commands (no rejects, no margin effects).
    pub modelled: bool,
    /// Whether the run ends with every account above maintenance or closed.
    pub storms: bool,
    /// Whether it takes steps of implied liquidity, both ways.
    pub implies: bool,
    /// Commands of one frame, and logged nanoseconds between two.
    pub frame_commands: usize,
    /// See there.
    pub frame_ns: u64,
}

impl Run {
    /// A seeded market as a run.
    pub fn of_market(market: Market) -> Self {
        // The model's books know no classes.
        let modelled = market.name != "thirds";
        Self {
            name: market.name.to_string(),
            deployments: market.deployments,
            prefill: market.prefill,
            commands: market.commands,
            expected: Some(market.expected),
            modelled,
            storms: false,
            implies: false,
            frame_commands: FRAME_COMMANDS,
            frame_ns: FRAME_NS,
        }
    }

    /// A question with implied liquidity as a run.
    pub fn of_implied(market: ImpliedMarket) -> Self {
        Self {
            name: "implied".into(),
            deployments: market.deployments,
            prefill: market.prefill,
            commands: market.commands,
            expected: None,
            modelled: false,
            storms: false,
            implies: true,
            frame_commands: FRAME_COMMANDS,
            frame_ns: FRAME_NS,
        }
    }

    /// A gap in leveraged markets as a run: each mark and each tick is a frame of its own, a second apart.
    pub fn of_storm(storm: Storm) -> Self {
        Self {
            name: "storm".into(),
            deployments: storm.deployments,
            prefill: storm.prefill,
            commands: storm.commands,
            expected: None,
            modelled: false,
            storms: true,
            implies: false,
            frame_commands: 1,
            frame_ns: 1_000_000_000,
        }
    }

    /// The seeded workload of this name, if there is one.
    pub fn named(name: &str, shape: MarketShape) -> Option<Self> {
        match name {
            "implied" => Some(Self::of_implied(ImpliedMarket::new(shape))),
            "storm" => Some(Self::of_storm(Storm::new(shape.seed, shape.accounts))),
            _ => Market::named(name, shape).map(Self::of_market),
        }
    }
}

/// Sums over the trades of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Number of trades.
    pub trades: u64,
    /// Lots traded.
    pub lots: i128,
    /// Ticks times lots traded.
    pub notional: i128,
    /// Rejected commands.
    pub rejected: u64,
    /// Those among them that were fill-or-kill orders without enough to fill.
    pub killed: u64,
    /// Events.
    pub events: u64,
    /// Liquidations started, their orders, takeovers, payments of insurance, bankruptcies, accounts deleveraged.
    pub liquidation: [u64; 6],
    /// Steps of implied liquidity that created sets, and that redeemed them.
    pub steps: [u64; 2],
}

const LIQUIDATION: [EventKind; 6] = [
    EventKind::LiquidationStarted,
    EventKind::LiquidationOrder,
    EventKind::TrancheTookOver,
    EventKind::InsurancePaid,
    EventKind::BankruptcyClosed,
    EventKind::Deleveraged,
];

impl Totals {
    fn add(&mut self, events: &[EventRecord]) {
        self.events += events.len() as u64;
        for event in events {
            if event.kind == EventKind::Trade.code() {
                self.trades += 1;
                self.lots += i128::from(event.qty);
                self.notional += i128::from(event.qty) * i128::from(event.price);
            } else if event.kind == EventKind::ImpliedTrade.code() {
                self.steps[usize::from(event.side)] += 1;
            } else if event.kind == EventKind::Rejected.code() {
                self.rejected += 1;
                self.killed += u64::from(event.reason == Reject::FokNotFillable.code());
            } else if let Some(kind) = event.kind()
                && let Some(at) = LIQUIDATION.iter().position(|act| *act == kind)
            {
                self.liquidation[at] += 1;
            }
        }
    }
}

/// Feeds frames to an engine and adds up their events.
struct Feed {
    engine: Engine,
    sequence: u64,
    time_ns: u64,
    events: Vec<EventRecord>,
    totals: Totals,
}

impl Feed {
    fn prepared(run: &Run) -> Result<Self, String> {
        let mut feed = Self {
            engine: Engine::new(),
            sequence: 0,
            time_ns: 1_700_000_000_000_000_000,
            events: Vec::with_capacity(4 * FRAME_COMMANDS),
            totals: Totals::default(),
        };
        for body in &run.deployments {
            let header = FrameHeader { first_sequence: feed.sequence + 1, time_ns: feed.time_ns };
            feed.engine.apply_deploy(header, body, &mut feed.events).map_err(|error| error.to_string())?;
            feed.sequence += 1;
            feed.count();
        }
        run.prefill.chunks(FRAME_COMMANDS).try_for_each(|frame| feed.frame(frame, FRAME_NS))?;
        Ok(feed)
    }

    fn count(&mut self) {
        self.totals.add(&self.events);
        self.events.clear();
    }

    fn frame(&mut self, commands: &[CommandRecord], after_ns: u64) -> Result<(), String> {
        self.time_ns += after_ns;
        let header = FrameHeader { first_sequence: self.sequence + 1, time_ns: self.time_ns };
        self.engine.apply_records(header, commands, &mut self.events).map_err(|error| error.to_string())?;
        self.sequence += commands.len() as u64;
        self.count();
        Ok(())
    }
}

/// Runs a prepared workload: one timed pass in frames, one pass command by command for the times by kind, then the
/// closing checks.
pub fn run(run: &Run, times_by_kind: bool) -> Result<BenchReport, String> {
    let mut feed = Feed::prepared(run)?;
    let memory_before = feed.engine.memory_bytes();
    let start = Instant::now();
    let mut windows = Windows::default();
    for frame in run.commands.chunks(run.frame_commands) {
        feed.frame(frame, run.frame_ns)?;
        windows.add(frame.len(), start.elapsed());
    }
    let seconds = start.elapsed().as_secs_f64();
    let state_hash = feed.engine.state_hash();
    let mut report = BenchReport {
        workload: run.name.clone(),
        commands: run.commands.len() as u64,
        seconds,
        commands_per_s: run.commands.len() as f64 / seconds,
        window_p99_ns: windows.p99_ns(),
        trades: feed.totals.trades,
        traded_qty: feed.totals.lots,
        traded_notional: feed.totals.notional,
        rejected: feed.totals.rejected,
        events: feed.totals.events,
        resting_orders: feed.engine.orders_resting() as u64,
        accounts: feed.engine.account_count() as u64,
        memory_bytes: feed.engine.memory_bytes().max(memory_before),
        state_hash: state_hash.iter().map(|byte| format!("{byte:02x}")).collect(),
        ns_by_kind: Vec::new(),
        checks: Vec::new(),
        passed: false,
    };
    close(run, &feed, &mut report);
    drop(feed);
    if times_by_kind {
        report.ns_by_kind = time_by_kind(run)?;
    }
    Ok(report)
}

/// The closing checks.
fn close(run: &Run, feed: &Feed, report: &mut BenchReport) {
    if let Some(expected) = run.expected {
        let found = [
            i128::from(report.trades),
            report.traded_qty,
            report.traded_notional,
            i128::from(report.resting_orders),
        ];
        report.check(
            "totals equal the reference",
            found == expected,
            format!("{found:?}, {expected:?} expected"),
        );
    }
    if run.modelled {
        let commands = run.prefill.iter().chain(&run.commands);
        let first = run.deployments.len() as u64 + 1;
        let books = ModelBooks::replay(first, commands);
        let difference = books.difference(&feed.engine);
        report.check("the books equal the model's", difference.is_none(), difference.unwrap_or_default());
        let others = report.rejected - feed.totals.killed;
        report.check("nothing but a kill was rejected", others == 0, format!("{others} other rejects"));
    }
    if run.storms {
        close_storm(feed, report);
    }
    if run.implies {
        let [created, redeemed] = feed.totals.steps;
        let detail = format!("{created} steps created sets, {redeemed} redeemed them");
        report.check("steps were taken both ways", created > 0 && redeemed > 0, detail);
        report.check("nothing was rejected", report.rejected == 0, format!("{} rejects", report.rejected));
    }
    match feed.engine.audit() {
        Ok(audit) => {
            let sums: Vec<_> =
                audit.assets.iter().map(|(AssetId(id), users, house)| (*id, users.0, house.0)).collect();
            let zero = audit.assets.iter().all(|(_, users, house)| (*users + *house).0 == 0);
            report.check("every asset adds up to zero", zero, format!("{sums:?} (asset, users, house)"));
            report.check(
                "the full audit passes",
                true,
                format!("{} stands, {} orders", audit.stands, audit.orders),
            );
        }
        Err(violation) => report.check("the full audit passes", false, violation.detail),
    }
    report.passed = report.checks.iter().all(|check| check.passed);
}

/// Nobody is left below maintenance, and nobody owes: what was lost was paid by who is named.
fn close_storm(feed: &Feed, report: &mut BenchReport) {
    let engine = &feed.engine;
    let pending = engine.pending_risk_checks();
    report.check("every account was looked at", pending == 0, format!("{pending} pending"));
    // Who is solvent and finds no bid above its bankruptcy price waits; who is not was closed, down to the last lot.
    let running = engine.liquidations();
    let indebted = running.iter().filter(|view| view.equity.0 < 0).count();
    report.check(
        "nobody in liquidation is in debt",
        indebted == 0,
        format!("{} wait for a bid, {indebted} in debt", running.len()),
    );
    let mut missed = 0;
    for at in 0..engine.account_count() {
        let account = AccountId::from_index(at);
        let (equity, requirement) = engine.maintenance(account);
        let waits = running.iter().any(|view| view.account == account);
        missed += u64::from(equity < requirement && !waits);
    }
    report.check("nobody below maintenance was missed", missed == 0, format!("{missed} accounts"));
    let acts = feed.totals.liquidation;
    let detail = format!(
        "{} started, {} orders, {} takeovers, {} insurance payments, {} bankruptcies, {} deleveraged",
        acts[0], acts[1], acts[2], acts[3], acts[4], acts[5]
    );
    report.check("the storm reached deleveraging", acts[0] > 0 && acts[5] > 0, detail);
}

/// What a command does, for the table of times.
fn kind_of(command: &CommandRecord, events: &[EventRecord]) -> &'static str {
    if events.iter().any(|event| event.kind == EventKind::ImpliedTrade.code()) {
        return "any that takes a step";
    }
    let traded = events.iter().any(|event| event.kind == EventKind::Trade.code());
    let rejected = events.first().is_some_and(|event| event.kind == EventKind::Rejected.code());
    match (command.kind(), rejected, traded) {
        (_, true, _) => "rejected",
        (_, _, true) => "any that trades",
        (Some(CommandKind::Place), ..) if command.tif == 0 || command.tif == 3 => "place, rests",
        (Some(CommandKind::Place), ..) => "place, immediate, nothing to take",
        (Some(CommandKind::Amend), ..) => "amend",
        (Some(CommandKind::Cancel), ..) => "cancel",
        _ => "other",
    }
}

/// Times each command alone; what reading the clock costs is measured and taken off.
fn time_by_kind(run: &Run) -> Result<Vec<KindTime>, String> {
    let mut feed = Feed::prepared(run)?;
    let mut times: std::collections::BTreeMap<&'static str, Vec<u32>> = Default::default();
    let clock_ns = clock_cost_ns();
    for command in run.commands.iter().take(1_000_000) {
        feed.time_ns += if run.storms { run.frame_ns } else { 1 };
        let header = FrameHeader { first_sequence: feed.sequence + 1, time_ns: feed.time_ns };
        let start = Instant::now();
        feed.engine
            .apply_records(header, std::slice::from_ref(command), &mut feed.events)
            .map_err(|error| error.to_string())?;
        let elapsed = start.elapsed().as_nanos() as u64;
        feed.sequence += 1;
        times
            .entry(kind_of(command, &feed.events))
            .or_default()
            .push(elapsed.saturating_sub(clock_ns) as u32);
        feed.events.clear();
    }
    Ok(times.into_iter().map(|(kind, mut ns)| KindTime::of(kind, &mut ns)).collect())
}

fn clock_cost_ns() -> u64 {
    let mut costs: Vec<u64> = (0..10_001)
        .map(|_| {
            let start = Instant::now();
            start.elapsed().as_nanos() as u64
        })
        .collect();
    costs.sort_unstable();
    costs[costs.len() / 2]
}

/// Every resting order of an instrument in price-time order, as (id, price, remaining).
fn engine_orders(
    engine: &Engine,
    instrument: InstrumentId,
    side: xos_protocol::Side,
) -> Vec<(u64, i64, i64)> {
    let orders = engine.queue(instrument, side);
    orders.iter().map(|view| (view.order.id.0, view.order.price.0, view.order.remaining.0)).collect()
}
