//! How fast a log is executed again, apart from what it took to write it.

use super::{BenchError, Mix, open_market};
use crate::body;
use crate::exchange::Exchange;
use crate::options::Options;
use crate::replay::{ReplayOptions, elapsed_ns, open_for_reading, per_second, replay};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use xos_journal::{Check, RealDisk};

/// A replay, measured: medians of several runs over one log that is in the page cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayMeasurement {
    /// Commands in the log, those that set the market up included.
    pub commands: u64,
    /// Frames they stand in.
    pub frames: u64,
    /// Commands of one frame.
    pub batch: u64,
    /// Events they give.
    pub events: u64,
    /// Reading alone: checksums, hash chain, decoding.
    pub read_ns: u64,
    /// Reading and executing, with the hash of the state at the end.
    pub replay_ns: u64,
    /// Opening the directory without a snapshot: the log is read twice, its chain checked once.
    pub open_ns: u64,
}

impl ReplayMeasurement {
    /// Commands a second of the replay.
    pub fn commands_per_s(&self) -> u64 {
        per_second(self.commands, self.replay_ns)
    }

    /// Commands a second of reading alone.
    pub fn read_commands_per_s(&self) -> u64 {
        per_second(self.commands, self.read_ns)
    }

    /// Commands a second of opening.
    pub fn open_commands_per_s(&self) -> u64 {
        per_second(self.commands, self.open_ns)
    }
}

impl fmt::Display for ReplayMeasurement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "replay: {} commands in {} frames of {}: {} per second; reading alone {}, opening {}; {} events",
            self.commands,
            self.frames,
            self.batch,
            self.commands_per_s(),
            self.read_commands_per_s(),
            self.open_commands_per_s(),
            self.events
        )
    }
}

/// Writes a log of so many commands in frames of one size into a new directory, and executes it again `runs` times.
/// Each run must end in the state of the exchange that wrote it.
pub fn durable_replay(
    path: &Path,
    commands: usize,
    batch: usize,
    accounts: u32,
    runs: usize,
) -> Result<ReplayMeasurement, BenchError> {
    let options = Options { durable: false, ..Options::default() };
    let mut mix = Mix::new(1, accounts).for_frames(batch as u64);
    let mut exchange = open_market(path, &mut mix, options.clone())?;
    let (batch, mut events) = (batch.max(1), Vec::new());
    for frame in mix.commands(commands.max(1)).chunks(batch) {
        events.clear();
        exchange.submit(frame, None, &mut events)?;
    }
    exchange.engine().audit().map_err(BenchError::Unsound)?;
    let written = (exchange.engine().state_hash(), exchange.engine().sequence());
    exchange.close()?;
    let (mut reads, mut replays, mut opens) = (Vec::new(), Vec::new(), Vec::new());
    let mut counted = (0, 0);
    for _ in 0..runs.max(1) {
        reads.push(read(path)?);
        let report = replay(path, &ReplayOptions::default(), &mut |_| ())?;
        replays.push(report.elapsed_ns);
        counted = (report.frames, report.events);
        let begun = Instant::now();
        let again = Exchange::open(path, options.clone())?;
        opens.push(elapsed_ns(begun));
        for found in [
            (report.state_hash, report.end.sequence),
            (again.engine().state_hash(), again.engine().sequence()),
        ] {
            if found != written {
                return Err(BenchError::Wrong(format!("{} replays to another state", path.display())));
            }
        }
        again.close()?;
    }
    Ok(ReplayMeasurement {
        commands: written.1,
        frames: counted.0,
        batch: batch as u64,
        events: counted.1,
        read_ns: median(reads),
        replay_ns: median(replays),
        open_ns: median(opens),
    })
}

fn read(path: &Path) -> Result<u64, BenchError> {
    let journal = open_for_reading(Arc::new(RealDisk::existing(path)))?;
    let begun = Instant::now();
    let wrong = |why: String| BenchError::Wrong(format!("{}: {why}", path.display()));
    let mut reader = journal.read_from(1, Check::Full).map_err(|error| wrong(error.to_string()))?;
    while let Some(frame) = reader.next_frame().map_err(|error| wrong(error.to_string()))? {
        body::decode(&frame).map_err(wrong)?;
    }
    Ok(elapsed_ns(begun))
}

fn median(mut values: Vec<u64>) -> u64 {
    values.sort_unstable();
    values[values.len() / 2]
}
