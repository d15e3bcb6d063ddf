//! Proving a log: its chain of hashes, its replay from the beginning, every snapshot on the way, the money at
//! the end.

use crate::error::OpenError;
use crate::machine::{Failpoint, Machine};
use crate::replay::{begin, elapsed_ns, open_for_reading, per_second, replay_frame};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use xos_engine::{AuditReport, Engine, Violation};
use xos_journal::{
    Check, Disk, JournalError, MARKER_NAME, Position, ReadOnlyJournal, RealDisk, SnapshotInfo, TornTail,
};
use xos_units::{Amount, AssetId};

/// What to leave out of a verification.
#[derive(Clone, Debug, Default)]
pub struct VerifyOptions {
    /// Only compare the hashes of snapshots, without their bytes and without an audit at each.
    pub quick: bool,
    #[doc(hidden)]
    pub failpoint: Option<Failpoint>,
}

/// The money of one asset: what users and the house have adds up to zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conservation {
    /// The asset.
    pub asset: AssetId,
    /// Its symbol.
    pub symbol: String,
    /// All users' totals, atoms.
    pub users: Amount,
    /// All house accounts, the outside world among them, atoms.
    pub house: Amount,
    /// Both together.
    pub sum: Amount,
}

/// What was proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyReport {
    /// Where the replay began: 0 is before the log's first command, anything else a snapshot.
    pub from_sequence: u64,
    /// The end of the log; its hash stands for all of it.
    pub end: Position,
    /// Hash of the state there.
    pub state_hash: [u8; 32],
    /// Segments read.
    pub segments: u64,
    /// Frames executed.
    pub frames: u64,
    /// Commands in them.
    pub commands: u64,
    /// Events they gave.
    pub events: u64,
    /// The snapshots that the replay met and found the same.
    pub snapshots: Vec<u64>,
    /// Snapshots that cannot be read, in words.
    pub bad_snapshots: Vec<String>,
    /// What is wrong with the file that says how far the log is durable, in words.
    pub bad_head: Option<String>,
    /// Whether that file is missing; opening makes it anew.
    pub head_missing: bool,
    /// The tail that opening would drop.
    pub torn_tail: Option<TornTail>,
    /// The audit of the last state.
    pub audit: AuditReport,
    /// The money, asset by asset.
    pub conservation: Vec<Conservation>,
    /// How long it took.
    pub elapsed_ns: u64,
}

impl fmt::Display for VerifyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "log: {} segments, {} frames, {} commands, {} events, {} commands per second",
            self.segments,
            self.frames,
            self.commands,
            self.events,
            per_second(self.commands, self.elapsed_ns)
        )?;
        writeln!(f, "replayed from sequence {} to {}", self.from_sequence, self.end.sequence)?;
        writeln!(f, "chain head: {}", hex(&self.end.hash))?;
        writeln!(f, "state hash: {}", hex(&self.state_hash))?;
        for sequence in &self.snapshots {
            writeln!(f, "snapshot of sequence {sequence}: the same state")?;
        }
        for bad in &self.bad_snapshots {
            writeln!(f, "{bad}")?;
        }
        if let Some(bad) = &self.bad_head {
            writeln!(f, "{bad}")?;
        }
        if self.head_missing {
            writeln!(f, "{MARKER_NAME} is missing; opening makes it anew")?;
        }
        if let Some(torn) = &self.torn_tail {
            writeln!(f, "{torn}")?;
        }
        let AuditReport { accounts, orders, stands, .. } = &self.audit;
        write!(f, "audit: {accounts} accounts, {orders} resting orders, {stands} positions and stands")?;
        for Conservation { symbol, users, house, sum, .. } in &self.conservation {
            write!(f, "\n{symbol}: users {} + house {} = {}", users.0, house.0, sum.0)?;
        }
        Ok(())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a verification found to be wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[allow(missing_docs)] // the fields are named in each variant's sentence
pub enum VerifyError {
    /// The log cannot be read or executed.
    Open(OpenError),
    /// A snapshot is sound by itself but is not of this log's state.
    SnapshotDiffers { file: String, sequence: u64, what: &'static str },
    /// The state fails an audit.
    Unsound(Violation),
    /// The money of an asset does not add up.
    NotConserved { symbol: String, users: i128, house: i128 },
}

impl VerifyError {
    /// The number of this kind of error; it never changes its meaning.
    pub fn code(&self) -> u16 {
        match self {
            Self::Open(error) => error.code(),
            Self::SnapshotDiffers { .. } => 641,
            Self::Unsound(_) => 642,
            Self::NotConserved { .. } => 643,
        }
    }
}

impl<E: Into<OpenError>> From<E> for VerifyError {
    fn from(error: E) -> Self {
        Self::Open(error.into())
    }
}

impl std::error::Error for VerifyError {}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(error) => write!(f, "{error}"),
            Self::SnapshotDiffers { file, sequence, what } => write!(
                f,
                "{file} differs from the log at sequence {sequence}: {what}; move it away, an older snapshot and \
                 the log replace it"
            ),
            Self::Unsound(Violation { invariant, sequence, detail }) => {
                write!(f, "the state at sequence {sequence} fails invariant {invariant}: {detail}")
            }
            Self::NotConserved { symbol, users, house } => {
                write!(
                    f,
                    "{symbol}: users have {users} and the house {house} atoms, which is not zero together"
                )
            }
        }
    }
}

/// Verifies the log in a directory. `progress` hears how many of how many bytes are done.
pub fn verify(
    path: impl AsRef<Path>,
    progress: &mut dyn FnMut(u64, u64),
    options: &VerifyOptions,
) -> Result<VerifyReport, VerifyError> {
    verify_on(Arc::new(RealDisk::existing(path.as_ref())), progress, options)
}

/// Verifies the log on any disk.
pub fn verify_on(
    disk: Arc<dyn Disk>,
    progress: &mut dyn FnMut(u64, u64),
    options: &VerifyOptions,
) -> Result<VerifyReport, VerifyError> {
    let begun = Instant::now();
    let journal = open_for_reading(disk.clone())?;
    let (engine, from_sequence) = begin(&journal, 1, &disk.describe())?;
    let mut machine = Machine::new(engine, options.failpoint);
    let mut reader = journal.read_from(from_sequence + 1, Check::Full)?;
    let mut checks = SnapshotChecks::new(&journal, options.quick);
    checks.reach(&machine, &reader.position())?;
    let mut places = Places::new(&journal);
    let mut buffer = Vec::new();
    let (mut frames, mut commands, mut events) = (0, 0, 0);
    while let Some(frame) = replay_frame(&mut reader, &mut machine, &mut buffer)? {
        frames += 1;
        commands += u64::from(frame.count);
        events += frame.events.len() as u64;
        progress(places.done(frame.file, frame.offset), places.total);
        checks.reach(&machine, &reader.position())?;
    }
    progress(places.total, places.total);
    let engine = machine.engine();
    let audit = engine.audit().map_err(VerifyError::Unsound)?;
    Ok(VerifyReport {
        from_sequence,
        end: reader.position(),
        state_hash: engine.state_hash(),
        segments: journal.segments().len() as u64,
        frames,
        commands,
        events,
        snapshots: checks.same,
        bad_snapshots: checks.bad,
        bad_head: bad_head(journal.report().spoiled_marker_slots),
        head_missing: journal.report().marker_missing,
        torn_tail: journal.report().torn_tail.clone(),
        conservation: conservation(engine, &audit)?,
        audit,
        elapsed_ns: elapsed_ns(begun),
    })
}

fn bad_head(spoiled_slots: usize) -> Option<String> {
    (spoiled_slots > 0).then(|| format!("{MARKER_NAME}: {spoiled_slots} of its 2 slots cannot be read"))
}

fn conservation(engine: &Engine, audit: &AuditReport) -> Result<Vec<Conservation>, VerifyError> {
    let mut lines = Vec::new();
    for (asset, users, house) in &audit.assets {
        let symbol = engine.assets()[asset.index()].symbol.clone();
        let sum = *users + *house;
        if sum != Amount::ZERO {
            return Err(VerifyError::NotConserved { symbol, users: users.0, house: house.0 });
        }
        lines.push(Conservation { asset: *asset, symbol, users: *users, house: *house, sum });
    }
    Ok(lines)
}

/// The snapshots still to be met, and what became of the others.
struct SnapshotChecks<'a> {
    journal: &'a ReadOnlyJournal,
    /// Newest first.
    ahead: Vec<&'a SnapshotInfo>,
    quick: bool,
    same: Vec<u64>,
    bad: Vec<String>,
}

impl<'a> SnapshotChecks<'a> {
    fn new(journal: &'a ReadOnlyJournal, quick: bool) -> Self {
        let bad = journal.report().bad_snapshots.iter().map(ToString::to_string).collect();
        Self { journal, ahead: journal.snapshots().iter().collect(), quick, same: Vec::new(), bad }
    }

    /// Compares the snapshots of this place with the replayed state.
    fn reach(&mut self, machine: &Machine, position: &Position) -> Result<(), VerifyError> {
        while let Some(info) = self.ahead.pop_if(|info| info.at.sequence <= position.sequence) {
            self.compare(info, machine.engine(), position)?;
        }
        Ok(())
    }

    fn compare(
        &mut self,
        info: &SnapshotInfo,
        engine: &Engine,
        position: &Position,
    ) -> Result<(), VerifyError> {
        let differs = |what| {
            let (file, sequence) = (info.file.clone(), info.at.sequence);
            Err(VerifyError::SnapshotDiffers { file, sequence, what })
        };
        if info.at.sequence != position.sequence {
            return differs("no frame ends there");
        }
        if info.at.hash != position.hash || info.at.time_ns != position.time_ns {
            return differs("it follows another chain of hashes");
        }
        if info.state_hash != engine.state_hash() {
            return differs("the replayed state has another hash");
        }
        if !self.quick {
            match self.compare_body(info, engine) {
                Ok(true) => {}
                Ok(false) => return differs("its content is not the replayed state"),
                Err(error @ JournalError::CorruptSnapshot { .. }) => {
                    self.bad.push(error.to_string());
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            }
            engine.audit().map_err(VerifyError::Unsound)?;
        }
        self.same.push(info.at.sequence);
        Ok(())
    }

    /// The whole content, client ids included, byte for byte.
    fn compare_body(&self, info: &SnapshotInfo, engine: &Engine) -> Result<bool, JournalError> {
        let expected = engine.snapshot_bytes();
        let (mut at, mut same) = (0, true);
        self.journal.read_snapshot(info, |piece| {
            same &= expected.get(at..at + piece.len()) == Some(piece);
            at += piece.len();
        })?;
        Ok(same && at == expected.len())
    }
}

/// Where each segment begins in the sum of their bytes.
struct Places {
    begins: BTreeMap<String, u64>,
    total: u64,
}

impl Places {
    fn new(journal: &ReadOnlyJournal) -> Self {
        let (mut begins, mut total) = (BTreeMap::new(), 0);
        for segment in journal.segments() {
            begins.insert(segment.file.clone(), total);
            total += segment.header.capacity;
        }
        Self { begins, total }
    }

    fn done(&mut self, file: &str, offset: u64) -> u64 {
        self.begins.get(file).copied().unwrap_or(0) + offset
    }
}
