//! What a run reports.

use serde::Serialize;

/// Time of one kind of command, nanoseconds.
#[derive(Clone, Debug, Serialize)]
pub struct KindTime {
    /// What the command did.
    pub kind: &'static str,
    /// How many.
    pub count: u64,
    /// Mean.
    pub mean_ns: u64,
    /// Median.
    pub p50_ns: u64,
    /// 99th percentile.
    pub p99_ns: u64,
}

impl KindTime {
    pub(crate) fn of(kind: &'static str, ns: &mut [u32]) -> Self {
        ns.sort_unstable();
        let at = |per_mille: usize| u64::from(ns[(ns.len() - 1) * per_mille / 1_000]);
        let sum: u64 = ns.iter().map(|ns| u64::from(*ns)).sum();
        let count = ns.len() as u64;
        Self { kind, count, mean_ns: sum / count, p50_ns: at(500), p99_ns: at(990) }
    }
}

/// One closing check.
#[derive(Clone, Debug, Serialize)]
pub struct BenchCheck {
    /// What is checked.
    pub name: &'static str,
    /// Whether it holds.
    pub passed: bool,
    /// What was found.
    pub detail: String,
}

/// The outcome of a run.
#[derive(Clone, Debug, Serialize)]
pub struct BenchReport {
    /// Name of the workload.
    pub workload: String,
    /// Commands timed.
    pub commands: u64,
    /// Seconds they took.
    pub seconds: f64,
    /// Commands a second.
    pub commands_per_s: f64,
    /// 99th percentile of the mean time of a command over windows of 100 ms.
    pub window_p99_ns: u64,
    /// Trades, prefill included.
    pub trades: u64,
    /// Lots traded.
    pub traded_qty: i128,
    /// Ticks times lots traded.
    pub traded_notional: i128,
    /// Rejected commands.
    pub rejected: u64,
    /// Events.
    pub events: u64,
    /// Resting orders at the end.
    pub resting_orders: u64,
    /// Accounts.
    pub accounts: u64,
    /// Bytes held by orders, by accounts with their balances, by positions.
    pub memory_bytes: [usize; 3],
    /// Canonical state hash, hexadecimal.
    pub state_hash: String,
    /// Times by kind of command, measured one by one in a second pass.
    pub ns_by_kind: Vec<KindTime>,
    /// The closing checks.
    pub checks: Vec<BenchCheck>,
    /// Whether all of them hold.
    pub passed: bool,
}

impl BenchReport {
    pub(crate) fn check(&mut self, name: &'static str, passed: bool, detail: String) {
        self.checks.push(BenchCheck { name, passed, detail });
    }
}
