//! Time of a command, on average over windows of 100 ms: what a reader of the feed would notice.

use std::time::Duration;

const WINDOW: Duration = Duration::from_millis(100);

/// Windows of a run; a frame belongs to the one in which it ends.
#[derive(Debug, Default)]
pub(crate) struct Windows {
    full: Vec<u64>,
    began: Duration,
    commands: u64,
    last_ns: u64,
}

impl Windows {
    /// A frame of so many commands ended so long after the start.
    pub(crate) fn add(&mut self, commands: usize, at: Duration) {
        self.commands += commands as u64;
        let took = at - self.began;
        self.last_ns = took.as_nanos() as u64 / self.commands;
        if took >= WINDOW {
            self.full.push(self.last_ns);
            (self.began, self.commands) = (at, 0);
        }
    }

    /// The 99th percentile of the means, nanoseconds a command; of a run shorter than a window its own.
    pub(crate) fn p99_ns(&mut self) -> u64 {
        self.full.sort_unstable();
        match self.full.len() {
            0 => self.last_ns,
            count => self.full[(count - 1) * 99 / 100 + usize::from((count - 1) * 99 % 100 != 0)],
        }
    }
}
