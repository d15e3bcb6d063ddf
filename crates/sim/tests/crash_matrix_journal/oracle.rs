//! What must hold after every crash.

use std::collections::{BTreeMap, BTreeSet};

use xos_journal::{Journal, JournalError, verify};
use xos_sim::disk::{Fault, Loss, Sectors, SimDisk};

use crate::world::{Contents, World, contents, open, options, snapshot_body};

/// How a cell ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// Everything that was issued is there.
    Whole,
    /// A prefix is there, with everything acknowledged.
    Prefix,
    /// The journal refused to start and said why.
    Refused,
}

/// Oracles (a), (b), (c) and (f) after a crash that may cost unacknowledged records and nothing else:
/// the journal must start.
fn check_recovery(world: &World, disk: &SimDisk) -> Result<Outcome, String> {
    let journal = open(disk, world.defences).map_err(|error| format!("did not start: {error}"))?;
    let first = check_contents(world, &journal)?;
    check_snapshots(world, &journal)?;
    drop(journal);
    let report =
        verify(disk.as_disk(), &options(world.defences)).map_err(|e| format!("does not verify: {e}"))?;
    if report.end != first.end || report.torn_tail.is_some() {
        return Err(format!("verify found {report}, recovery {:?}", first.end));
    }
    disk.restart(Loss::Process);
    let journal = open(disk, world.defences).map_err(|error| format!("did not start twice: {error}"))?;
    let again = contents(&journal).map_err(|error| format!("cannot be read twice: {error}"))?;
    let report = journal.report();
    if again != first
        || report.torn_tail.is_some()
        || !report.removed.is_empty()
        || report.rewritten_bytes > 0
    {
        return Err(format!("the second recovery differs: {report}"));
    }
    check_continuation(world, disk, journal, &first)?;
    Ok(if first.frames.len() == world.issued.len() { Outcome::Whole } else { Outcome::Prefix })
}

/// (a) a prefix of what was issued, (b) with all that was acknowledged.
pub(crate) fn check_contents(world: &World, journal: &Journal) -> Result<Contents, String> {
    let found = contents(journal).map_err(|error| format!("cannot be read: {error}"))?;
    let issued: Vec<_> = world.issued.iter().filter(|frame| frame.first_sequence >= found.first).collect();
    if !found.frames.iter().eq(issued.into_iter().take(found.frames.len())) {
        return Err("what was recovered is not a prefix of what was issued".to_string());
    }
    if found.end.sequence < world.acked {
        return Err(format!(
            "lost: sequence {} was acknowledged, {} is the end",
            world.acked, found.end.sequence
        ));
    }
    if found.first > 1 && journal.snapshots().iter().all(|info| info.at.sequence + 1 < found.first) {
        return Err(format!("the log begins at {} and no snapshot covers what was before", found.first));
    }
    Ok(found)
}

fn check_snapshots(world: &World, journal: &Journal) -> Result<(), String> {
    for info in journal.snapshots() {
        let mut body = Vec::new();
        journal.read_snapshot(info, |piece| body.extend_from_slice(piece)).map_err(|e| e.to_string())?;
        if body != snapshot_body(info.at.sequence, body.len())
            || info.at.sequence > journal.position().sequence
        {
            return Err(format!("{} holds something else", info.file));
        }
    }
    let newest = journal.snapshots().first().map_or(0, |info| info.at.sequence);
    if newest < world.snapshot {
        return Err(format!("the snapshot at {} was finished, {newest} is the newest", world.snapshot));
    }
    Ok(())
}

/// What recovery showed to the world must stay, and the journal must work: one more record, then a
/// power cut that takes everything unsynced.
fn check_continuation(
    world: &World,
    disk: &SimDisk,
    mut journal: Journal,
    before: &Contents,
) -> Result<(), String> {
    let end = before.end;
    let go_on =
        journal.append(9, end.sequence + 1, end.time_ns, 1, &[b"goes on"]).and_then(|_| journal.sync());
    if go_on != Ok(end.sequence + 1) {
        return Err(format!("the recovered journal does not go on: {go_on:?}"));
    }
    drop(journal);
    disk.restart(Loss::Power(0, Sectors::None));
    let journal = open(disk, world.defences).map_err(|e| format!("did not start after going on: {e}"))?;
    let after = contents(&journal).map_err(|e| format!("cannot be read after going on: {e}"))?;
    let kept = after.frames.len() == before.frames.len() + 1 && after.frames.starts_with(&before.frames);
    if kept { Ok(()) } else { Err(format!("recovery showed {end:?}, a power cut took some of it")) }
}

/// The files and promises that were already checked, with the outcome. Recovery sees nothing else,
/// so the same ones again give the same again.
#[derive(Default)]
pub(crate) struct Checked {
    outcomes: BTreeMap<Promises, Result<Outcome, String>>,
    crashed: BTreeSet<Promises>,
}

/// Files, issued frames, acknowledged sequence, finished snapshot.
type Promises = (u64, usize, u64, u64);

impl Checked {
    pub(crate) fn recovery(&mut self, world: &World, disk: SimDisk) -> Result<Outcome, String> {
        self.outcomes.entry(promises(world, &disk)).or_insert_with(|| check_recovery(world, &disk)).clone()
    }

    /// Whether the crashes of this recovery have not been checked yet.
    pub(crate) fn crashes_are_new(&mut self, world: &World, disk: &SimDisk) -> bool {
        self.crashed.insert(promises(world, disk))
    }

    pub(crate) fn distinct(&self) -> u64 {
        self.outcomes.len() as u64
    }
}

fn promises(world: &World, disk: &SimDisk) -> Promises {
    (disk.fingerprint(), world.issued.len(), world.acked, world.snapshot)
}

/// (f) once more: the recovery itself crashes, at each of its operations.
pub(crate) fn check_crashing_recovery(
    world: &World,
    crashed: &SimDisk,
    checked: &mut Checked,
) -> Result<u64, String> {
    let trial = crashed.fork();
    let begin = trial.operation_count();
    drop(open(&trial, world.defences));
    let end = trial.operation_count();
    let mut cells = 0;
    for number in begin..end {
        for fault in [Fault::Stop, Fault::StopAfter(100), Fault::SyncError(false)] {
            let stopped = crashed.fork();
            stopped.plan(number, fault);
            if open(&stopped, world.defences).is_ok() {
                continue; // The fault does not apply to this operation.
            }
            for loss in
                [Loss::Process, Loss::Power(0, Sectors::None), Loss::Power(9, Sectors::Random(number))]
            {
                let disk = stopped.fork();
                disk.restart(loss);
                let result = checked.recovery(world, disk);
                result.map_err(|why| format!("recovery, {number} {fault:?} {loss:?}: {why}"))?;
                cells += 1;
            }
        }
    }
    Ok(cells)
}

/// After damage to the medium: identical, a prefix with everything acknowledged, or (g) a refusal
/// that names file, offset, sequence and repair, and that changes nothing.
pub(crate) fn check_damage(world: &World, disk: &SimDisk, except: Option<u64>) -> Result<Outcome, String> {
    let before: Vec<_> = disk.names().into_iter().map(|name| (disk.bytes(&name), name)).collect();
    let journal = match open(disk, world.defences) {
        Ok(journal) => journal,
        Err(error) => {
            let after: Vec<_> = disk.names().into_iter().map(|name| (disk.bytes(&name), name)).collect();
            if before != after {
                return Err(format!("refused with {error}, but changed files"));
            }
            return check_refusal(&error).map(|()| Outcome::Refused);
        }
    };
    let found = check_contents(world, &journal)?;
    let (newest, _) = journal.newest_snapshot();
    let newest = newest.map_or(0, |(info, _)| info.at.sequence);
    if newest < world.snapshot && except.is_none() {
        return Err(format!("the snapshot at {} is gone without a word", world.snapshot));
    }
    Ok(if found.frames.len() == world.issued.len() { Outcome::Whole } else { Outcome::Prefix })
}

pub(crate) fn check_refusal(error: &JournalError) -> Result<(), String> {
    let text = error.to_string();
    let named = ["offset ", "sequence ", "nothing was changed; "].iter().all(|word| text.contains(word));
    let file = ["segment-", "snapshot-"].iter().any(|name| text.contains(name));
    let repair = text.contains("restore") || text.contains("move the wrong copy away");
    let id = matches!(error, JournalError::WrongGenesis { .. } | JournalError::WrongVersion { .. });
    if (error.is_corruption() && named && file && repair) || id {
        Ok(())
    } else {
        Err(format!("a poor refusal: {text}"))
    }
}
