//! Latencies of a run, whole and by windows.

use crate::bounds::Percentiles;
use hdrhistogram::Histogram;

/// Windows of the run by the time at which commands were due.
pub(crate) const WINDOW_NS: u64 = 100_000_000;

/// One place for each command: when it was due, and how long its durable answer took.
pub(crate) struct Latencies {
    interval_ps: u64,
    /// Nanoseconds; `u64::MAX`: no answer.
    taken_ns: Vec<u64>,
}

impl Latencies {
    pub(crate) fn new(commands: u64, rate_per_s: u64) -> Self {
        Self { interval_ps: 1_000_000_000_000 / rate_per_s, taken_ns: vec![u64::MAX; commands as usize] }
    }

    /// When a command is due, nanoseconds after the begin.
    #[inline]
    pub(crate) fn due_ns(&self, at: u64) -> u64 {
        at * self.interval_ps / 1_000
    }

    /// How many are due at a time.
    #[inline]
    pub(crate) fn due_by(&self, now_ns: u64) -> u64 {
        (now_ns * 1_000 / self.interval_ps + 1).min(self.taken_ns.len() as u64)
    }

    /// Notes an answer.
    #[inline]
    pub(crate) fn answered(&mut self, at: u64, now_ns: u64) {
        self.taken_ns[at as usize] = now_ns.saturating_sub(self.due_ns(at));
    }

    /// Commands without an answer.
    pub(crate) fn unanswered(&self) -> u64 {
        self.taken_ns.iter().filter(|taken| **taken == u64::MAX).count() as u64
    }

    /// Percentiles of everything that was answered.
    pub(crate) fn whole(&self) -> Percentiles {
        percentiles(self.taken_ns.iter().copied().filter(|taken| *taken != u64::MAX))
    }

    /// 99th percentile of each window, sorted.
    pub(crate) fn windows_p99_ns(&self) -> Vec<u64> {
        let per_window = (WINDOW_NS * 1_000 / self.interval_ps).max(1) as usize;
        let mut windows: Vec<u64> = self
            .taken_ns
            .chunks(per_window)
            .map(|window| percentiles(window.iter().copied()).p99_ns)
            .collect();
        windows.sort_unstable();
        windows
    }
}

/// Percentiles through a histogram with three significant digits.
pub(crate) fn percentiles(values_ns: impl Iterator<Item = u64>) -> Percentiles {
    let mut histogram =
        Histogram::<u64>::new_with_bounds(1, 60_000_000_000, 3).expect("the bounds are in order");
    for value in values_ns {
        histogram.saturating_record(value.max(1));
    }
    Percentiles {
        count: histogram.len(),
        p50_ns: histogram.value_at_quantile(0.5),
        p90_ns: histogram.value_at_quantile(0.9),
        p99_ns: histogram.value_at_quantile(0.99),
        p999_ns: histogram.value_at_quantile(0.999),
        max_ns: histogram.max(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stall_is_paid_by_all_who_were_due_in_it() {
        // 1,000 a second; the server answers at once but for the second half of each second.
        let mut latencies = Latencies::new(2_000, 1_000);
        for at in 0..2_000 {
            let due = latencies.due_ns(at);
            let answered = if due % 1_000_000_000 >= 500_000_000 {
                (due / 1_000_000_000 + 1) * 1_000_000_000
            } else {
                due
            };
            latencies.answered(at, answered);
        }
        let whole = latencies.whole();
        assert_eq!((whole.count, latencies.unanswered()), (2_000, 0));
        // A generator that waited for the stall to end would have seen one slow command in each second.
        assert!(whole.p90_ns > 390_000_000 && whole.p50_ns <= 1_001_000, "{whole:?}");
        let windows = latencies.windows_p99_ns();
        assert_eq!(windows.len(), 20);
        assert!(windows[9] < 1_000 && windows[10] > 90_000_000, "{windows:?}");
    }
}
