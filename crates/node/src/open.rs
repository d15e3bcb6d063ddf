//! Opening: the journal, the engine out of it, and the limits as the first command of a new log.

use crate::error::{NodeError, OpenError};
use crate::exchange::Exchange;
use crate::log::LocalLog;
use crate::machine::Machine;
use crate::options::{Options, check_limits};
use crate::recovery::recover;
use crate::replay::trace_of_a_log;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use xos_engine::Engine;
use xos_journal::{
    Disk, FRAME_HEADER_BYTES, GenesisId, IoFault, Journal, JournalError, RealDisk, SEGMENT_HEADER_BYTES,
    is_journal_file,
};
use xos_protocol::{CommandKind, CommandRecord, DeployCommand, Limits};

impl Exchange {
    /// An exchange that forgets everything when it is dropped. Times are given or the machine's.
    pub fn in_memory(limits: Option<Limits>) -> Result<Self, OpenError> {
        Self::in_memory_with(Options { limits, ..Options::default() })
    }

    /// The same with a clock of one's own; options about the log have no effect.
    pub fn in_memory_with(options: Options) -> Result<Self, OpenError> {
        let machine = Machine::new(Engine::new(), options.failpoint);
        let mut exchange = Self::new(machine, None, None, options);
        exchange.begin_log("memory")?;
        Ok(exchange)
    }

    /// Opens the exchange in a directory, making it if the directory is missing or empty. One process at a time can
    /// have it open.
    pub fn open(path: impl AsRef<Path>, options: Options) -> Result<Self, OpenError> {
        let path = path.as_ref();
        let disk = RealDisk::new(path).map_err(|error| OpenError::Directory {
            path: path.display().to_string(),
            fault: IoFault::from(error),
        })?;
        Self::open_on(Arc::new(disk), options)
    }

    /// Opens the exchange on any disk, a simulated one for instance.
    pub fn open_on(disk: Arc<dyn Disk>, options: Options) -> Result<Self, OpenError> {
        let begun = Instant::now();
        let directory = disk.describe();
        if let Some(limits) = &options.limits {
            check_limits(limits, payload_bytes_most(&options)).map_err(bad_limit)?;
        }
        let journal = open_journal(disk, &options)?;
        let (machine, recovery, tail) = recover(&journal, &options, &directory, begun)?;
        if recovery.sequence > 0 || options.limits.is_none() {
            check_limits(machine.engine().limits(), journal.payload_bytes_most()).map_err(bad_limit)?;
        }
        let log = Box::new(LocalLog::new(journal, &options));
        let mut exchange = Self::new(machine, Some(log), Some(recovery), options);
        exchange.replayed = tail;
        exchange.begin_log(&directory)?;
        exchange.say_restarted(&directory)?;
        Ok(exchange)
    }

    /// Tells the engine that it was started again, if an instrument has an oracle: it opens when prices are fresh.
    fn say_restarted(&mut self, directory: &str) -> Result<(), OpenError> {
        if !self.options.says_restart || !self.engine().needs_restart() {
            return Ok(());
        }
        let restart = CommandRecord { kind: CommandKind::Restart.code(), ..CommandRecord::default() };
        let mut events = Vec::new();
        let said = self.submit(&[restart], None, &mut events).map_err(|error| opening(directory, error))?;
        self.replayed.note(said.first_sequence, &events);
        Ok(())
    }

    /// Declares the limits in a log without a command, and compares them in one with commands.
    fn begin_log(&mut self, directory: &str) -> Result<(), OpenError> {
        let Some(limits) = self.options.limits.clone() else { return Ok(()) };
        if self.engine().sequence() > 0 {
            let differences = differences(self.engine().limits(), &limits);
            let directory = directory.to_string();
            return if differences.is_empty() {
                Ok(())
            } else {
                Err(OpenError::LimitsDiffer { directory, differences })
            };
        }
        let genesis = DeployCommand::Genesis(limits).to_bytes();
        let begun = self.deploy(&genesis, None, &mut Vec::new());
        begun.map(|_| ()).map_err(|error| opening(directory, error))
    }
}

/// What a command of the opening itself can meet.
fn opening(directory: &str, error: NodeError) -> OpenError {
    match error {
        NodeError::Journal(error) => OpenError::Journal(error),
        NodeError::BadLimit { name, value, most } => OpenError::BadLimit { name, value, most },
        NodeError::Halted(violation) => {
            OpenError::Halted { file: directory.to_string(), offset: 0, violation }
        }
        other => unreachable!("a command of the opening cannot meet: {other}"),
    }
}

fn bad_limit((value, most): (u64, u64)) -> OpenError {
    OpenError::BadLimit { name: "frame_commands_max", value, most }
}

/// The room that a segment of the wished size has for one frame's payload.
fn payload_bytes_most(options: &Options) -> u64 {
    options.segment_bytes.saturating_sub(SEGMENT_HEADER_BYTES + FRAME_HEADER_BYTES as u64)
}

/// Opens the journal that is there, or begins one with an id of its own.
fn open_journal(disk: Arc<dyn Disk>, options: &Options) -> Result<Journal, OpenError> {
    let existing = xos_journal::Options {
        segment_bytes: options.segment_bytes,
        keep_snapshots: options.snapshots_kept,
        ..Default::default()
    };
    let directory = disk.describe();
    let names = || {
        let unread = |error| OpenError::Directory { path: directory.clone(), fault: IoFault::from(error) };
        disk.list().map_err(unread)
    };
    let found = names()?;
    if !found.iter().any(|name| is_journal_file(name))
        && let Some(found) = found.into_iter().min()
    {
        return Err(OpenError::NotAnExchange { directory, found });
    }
    match Journal::open(disk.clone(), existing.clone()) {
        Err(JournalError::NothingThere { .. }) => {}
        other => return Ok(other?),
    }
    // A journal gets its marker and its snapshots after its first segment, and never loses its last segment.
    if let Some(witness) = trace_of_a_log(names()?) {
        return Err(OpenError::LogMissing { directory, witness });
    }
    let limits = options.limits.clone().unwrap_or_default();
    check_limits(&limits, payload_bytes_most(options)).map_err(bad_limit)?;
    let mut seed = b"exchange os log ".to_vec();
    seed.extend_from_slice(&options.clock.now_ns().to_le_bytes());
    seed.extend_from_slice(&DeployCommand::Genesis(limits).to_bytes());
    let new = xos_journal::Options { genesis: Some(GenesisId::derive(&seed)), ..existing };
    Ok(Journal::open(disk, new)?)
}

/// The fields in which limits differ, in words.
fn differences(stand: &Limits, asked: &Limits) -> Vec<String> {
    let fields = |limits: &Limits| format!("{limits:#?}");
    let (stand, asked) = (fields(stand), fields(asked));
    let pairs = stand.lines().zip(asked.lines()).filter(|(stand, asked)| stand != asked);
    let sentence = |(stand, asked): (&str, &str)| {
        let value = asked.rsplit(' ').next().unwrap_or_default().trim_end_matches(',');
        format!("{} and not {value}", stand.trim().trim_end_matches(','))
    };
    pairs.map(sentence).collect()
}
