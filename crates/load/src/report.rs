//! What a run says of itself.

use crate::bounds::{Bounds, Percentiles};
use serde_json::{Value, json};
use std::fmt;

/// One closing check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was checked.
    pub name: &'static str,
    /// Whether it holds.
    pub passed: bool,
    /// What was found.
    pub detail: String,
}

impl Check {
    pub(crate) fn new(name: &'static str, passed: bool, detail: String) -> Self {
        Self { name, passed, detail }
    }
}

/// A run and its judgement.
#[derive(Clone, Debug)]
pub struct LoadReport {
    /// Name of the workload.
    pub workload: String,
    /// Connections.
    pub connections: usize,
    /// Commands a second that were due.
    pub offered_per_s: u64,
    /// Commands a second that had their durable answer, until the last of them.
    pub achieved_per_s: u64,
    /// Commands due.
    pub commands: u64,
    /// Those in the log.
    pub taken: u64,
    /// Those refused before it.
    pub refused: u64,
    /// Those without an answer.
    pub unanswered: u64,
    /// Events that the connections heard.
    pub events_heard: u64,
    /// Readers of the book.
    pub subscribers: usize,
    /// Changes of the book that all of them read.
    pub feed_records: u64,
    /// Whole books that they were sent: the first one each, and one for each time that a reader lagged.
    pub feed_books: u64,
    /// Processor time of the server's threads while the load ran, nanoseconds; 0 where the kernel does not count it.
    pub server_processor_ns: u64,
    /// That of the generator.
    pub generator_processor_ns: u64,
    /// That of the readers.
    pub readers_processor_ns: u64,
    /// Trades in all.
    pub trades: u64,
    /// Resting orders at the end.
    pub orders: u64,
    /// Commands of an average frame.
    pub commands_per_frame: u64,
    /// From the time a command was due to its durable answer.
    pub latency: Percentiles,
    /// 99th percentile of each 100 ms, sorted.
    pub windows_p99_ns: Vec<u64>,
    /// How late the generator itself was at worst, nanoseconds.
    pub generator_late_ns_max: u64,
    /// Whether answers waited for the disk.
    pub durable: bool,
    /// What the machine can do at best.
    pub bounds: Bounds,
    /// The closing checks.
    pub checks: Vec<Check>,
}

impl LoadReport {
    /// Whether every check holds.
    pub fn passed(&self) -> bool {
        self.checks.iter().all(|check| check.passed)
    }

    /// Median of the windows.
    pub fn window_p99_ns(&self) -> u64 {
        self.windows_p99_ns.get(self.windows_p99_ns.len() / 2).copied().unwrap_or(0)
    }

    /// How many times the machine's own bound the median is, in hundredths.
    pub fn times_the_bound(&self) -> u64 {
        self.latency.p50_ns * 100 / self.bounds.p50_ns().max(1)
    }

    /// For machines.
    pub fn to_json(&self) -> Value {
        let of = |p: &Percentiles| {
            json!({
                "count": p.count, "p50_ns": p.p50_ns, "p90_ns": p.p90_ns, "p99_ns": p.p99_ns,
                "p99_9_ns": p.p999_ns, "max_ns": p.max_ns
            })
        };
        let checks: Vec<_> = self
            .checks
            .iter()
            .map(|check| json!({"name": check.name, "passed": check.passed, "detail": check.detail}))
            .collect();
        let best = self.windows_p99_ns.get(self.windows_p99_ns.len() / 10).copied().unwrap_or(0);
        json!({
            "workload": self.workload, "connections": self.connections, "durable": self.durable,
            "offered_per_s": self.offered_per_s, "achieved_per_s": self.achieved_per_s,
            "commands": self.commands, "taken": self.taken, "refused": self.refused,
            "unanswered": self.unanswered, "events_heard": self.events_heard, "subscribers": self.subscribers,
            "feed_records": self.feed_records, "feed_books": self.feed_books,
            "server_processor_ns": self.server_processor_ns,
            "generator_processor_ns": self.generator_processor_ns,
            "readers_processor_ns": self.readers_processor_ns, "trades": self.trades,
            "resting_orders": self.orders, "commands_per_frame": self.commands_per_frame,
            "latency": of(&self.latency), "window_p99_ns": self.window_p99_ns(),
            "window_p99_best_decile_ns": best,
            "generator_late_ns_max": self.generator_late_ns_max,
            "bounds": {
                "write_bytes": self.bounds.write_bytes, "sync": of(&self.bounds.sync),
                "echo": of(&self.bounds.echo), "p50_ns": self.bounds.p50_ns()
            },
            "times_the_bound_hundredths": self.times_the_bound(),
            "checks": checks, "passed": self.passed()
        })
    }
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let us = |ns: u64| ns / 1_000;
        writeln!(
            f,
            "{}: {} connections, {} commands/s offered, {} achieved; {} taken, {} refused, {} unanswered",
            self.workload,
            self.connections,
            self.offered_per_s,
            self.achieved_per_s,
            self.taken,
            self.refused,
            self.unanswered
        )?;
        let l = &self.latency;
        writeln!(
            f,
            "durable answer: p50 {} us, p90 {}, p99 {}, p99.9 {}, max {}; p99 of 100 ms, median {} us",
            us(l.p50_ns),
            us(l.p90_ns),
            us(l.p99_ns),
            us(l.p999_ns),
            us(l.max_ns),
            us(self.window_p99_ns())
        )?;
        let (s, e) = (&self.bounds.sync, &self.bounds.echo);
        writeln!(
            f,
            "bounds: write of {} bytes and sync p50 {} us, p99 {}; echo p50 {} us, p99 {}: p50 is {}.{:02} times their sum",
            self.bounds.write_bytes,
            us(s.p50_ns),
            us(s.p99_ns),
            us(e.p50_ns),
            us(e.p99_ns),
            self.times_the_bound() / 100,
            self.times_the_bound() % 100
        )?;
        writeln!(
            f,
            "{} commands a frame, {} events heard, {} trades, {} resting; generator late at most {} us",
            self.commands_per_frame,
            self.events_heard,
            self.trades,
            self.orders,
            us(self.generator_late_ns_max)
        )?;
        writeln!(
            f,
            "processor time: server {} us, generator {}, readers {}",
            us(self.server_processor_ns),
            us(self.generator_processor_ns),
            us(self.readers_processor_ns)
        )?;
        for check in &self.checks {
            let word = if check.passed { "ok" } else { "FAILED" };
            writeln!(f, "{word}: {}: {}", check.name, check.detail)?;
        }
        Ok(())
    }
}
