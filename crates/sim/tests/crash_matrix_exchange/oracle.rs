//! What must hold after every crash.

use std::collections::{BTreeMap, BTreeSet};

use xos_engine::FrameHeader;
use xos_journal::JournalError;
use xos_node::{
    Exchange, FrameBody, OpenError, ReplayOptions, VerifyOptions, inspect_on, replay_on, verify_on,
};
use xos_protocol::{CommandKind, CommandRecord, EventFlags, EventKind, EventRecord};
use xos_sim::disk::{Fault, Loss, Sectors, SimDisk};

use crate::world::{Issued, World, open};

/// How a cell ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// Everything that was issued is there.
    Whole,
    /// A prefix is there, with everything answered.
    Prefix,
    /// It refused to start and said why.
    Refused,
    /// It started up to where the engine had stopped, and said so.
    Halted,
}

/// Oracles (a) to (f) after a crash that may cost unanswered commands and nothing else.
pub(crate) fn check_recovery(world: &World, disk: &SimDisk) -> Result<Outcome, String> {
    let exchange = open(disk, None).map_err(|error| format!("did not start: {error}"))?;
    let frames = check_state(world, &exchange)?;
    let recovered = exchange.recovery().and_then(|recovery| recovery.snapshot_sequence);
    if recovered.unwrap_or(0) < world.snapshot {
        return Err(format!("the snapshot at {} was finished, {recovered:?} was used", world.snapshot));
    }
    drop(exchange);
    check_log(world, disk, frames)?;
    check_again(world, disk, frames)?;
    Ok(if frames == world.issued.len() { Outcome::Whole } else { Outcome::Prefix })
}

/// (a), (b), (d): the state is that of a prefix of what was issued, with all that was answered. Returns how many
/// frames the prefix has.
fn check_state(world: &World, exchange: &Exchange) -> Result<usize, String> {
    let sequence = exchange.engine().sequence();
    if sequence < world.acked {
        return Err(format!("lost: sequence {} was answered, {sequence} is the end", world.acked));
    }
    let at = world.issued.iter().position(|frame| frame.last_sequence() == sequence);
    let Some(at) = at else { return Err(format!("sequence {sequence} is the end of no frame")) };
    if exchange.engine().snapshot_bytes() != world.issued[at].after {
        return Err(format!("the state at sequence {sequence} is not the one of the model"));
    }
    exchange.engine().audit().map_err(|violation| format!("the state is unsound: {violation:?}"))?;
    Ok(at + 1)
}

/// (a), (c), (e): the log holds the prefix byte for byte, its chain and its snapshots are proven by a replay, and
/// that replay gives the events that were given before.
fn check_log(world: &World, disk: &SimDisk, frames: usize) -> Result<(), String> {
    let mut inspector =
        inspect_on(disk.as_disk(), 1, u64::MAX).map_err(|e| format!("cannot be read: {e}"))?;
    for issued in &world.issued[..frames] {
        let logged = inspector.next().ok_or("the log is shorter than the state")?;
        let logged = logged.map_err(|error| format!("cannot be read: {error}"))?;
        let header = FrameHeader { first_sequence: logged.first_sequence, time_ns: logged.time_ns };
        if header != issued.header || logged.body != issued.body {
            return Err(format!("the frame of sequence {} is not what was issued", header.first_sequence));
        }
    }
    if inspector.next().is_some() {
        return Err("the log is longer than the state".to_string());
    }
    let report = verify_on(disk.as_disk(), &mut |_, _| (), &VerifyOptions::default())
        .map_err(|error| format!("does not verify: {error}"))?;
    if report.torn_tail.is_some() || !report.bad_snapshots.is_empty() {
        return Err(format!("verify found: {report}"));
    }
    let mut again: Vec<EventRecord> = Vec::new();
    replay_on(disk.as_disk(), &ReplayOptions::default(), &mut |frame| again.extend_from_slice(frame.events))
        .map_err(|error| format!("does not replay: {error}"))?;
    if !again.iter().eq(world.issued[..frames].iter().flat_map(|frame| &frame.events)) {
        return Err("the replayed events are not those that were given".to_string());
    }
    Ok(())
}

/// (f): a second recovery finds nothing left to do and the same state; what it showed stays through a power cut;
/// the exchange works, and an answered order that is sent again gets its first answer.
fn check_again(world: &World, disk: &SimDisk, frames: usize) -> Result<(), String> {
    disk.restart(Loss::Process);
    let mut exchange = open(disk, None).map_err(|error| format!("did not start twice: {error}"))?;
    if check_state(world, &exchange)? != frames {
        return Err("the second recovery has another state".to_string());
    }
    let report = exchange.recovery().map(|recovery| recovery.journal.clone());
    let idle = report.is_some_and(|report| {
        report.torn_tail.is_none() && report.removed.is_empty() && report.rewritten_bytes == 0
    });
    if !idle {
        return Err(format!("the second recovery had work: {:?}", exchange.recovery()));
    }
    let (mut events, last) = (Vec::new(), exchange.engine().sequence());
    let tick = CommandRecord { kind: CommandKind::Tick.code(), ..Default::default() };
    let mut commands = vec![tick];
    let first = answered_order(&world.issued[..frames]);
    commands.extend(first.map(|(command, _)| command));
    exchange.submit(&commands, None, &mut events).map_err(|error| format!("does not go on: {error}"))?;
    if let Some((_, answer)) = first
        && events.last() != Some(&EventRecord { flags: answer.flags | EventFlags::RETRY, ..answer })
    {
        return Err(format!("a retry was answered with {:?}", events.last()));
    }
    let state = exchange.engine().snapshot_bytes();
    drop(exchange);
    disk.restart(Loss::Power(0, Sectors::None));
    let exchange = open(disk, None).map_err(|error| format!("did not start after going on: {error}"))?;
    let sequence = exchange.engine().sequence();
    if sequence != last + commands.len() as u64 || exchange.engine().snapshot_bytes() != state {
        return Err(format!("recovery showed sequence {last}, a power cut left {sequence}"));
    }
    Ok(())
}

/// An order with a client id, and its first answer.
fn answered_order(issued: &[Issued]) -> Option<(CommandRecord, EventRecord)> {
    issued.iter().rev().find_map(|frame| {
        let FrameBody::Commands(commands) = &frame.body else { return None };
        let place = |command: &&CommandRecord| command.kind() == Some(CommandKind::Place);
        let command = *commands.iter().find(place)?;
        let accepted = |event: &&EventRecord| {
            event.kind() == Some(EventKind::OrderAccepted) && event.client_id() == command.client_id
        };
        frame.events.iter().find(accepted).map(|event| (command, *event))
    })
}

/// The disks and promises that were already checked, with the outcome: recovery sees nothing else.
#[derive(Default)]
pub(crate) struct Checked {
    outcomes: BTreeMap<Promises, Result<Outcome, String>>,
    crashed: BTreeSet<Promises>,
}

/// Files, issued frames, answered sequence, finished snapshot.
type Promises = (u64, usize, u64, u64);

fn promises(world: &World, disk: &SimDisk) -> Promises {
    (disk.fingerprint(), world.issued.len(), world.acked, world.snapshot)
}

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

/// (f) once more: the recovery itself crashes, at each of its operations.
pub(crate) fn check_crashing_recovery(
    world: &World,
    crashed: &SimDisk,
    checked: &mut Checked,
) -> Result<Vec<Outcome>, String> {
    let trial = crashed.fork();
    let begin = trial.operation_count();
    drop(open(&trial, None));
    let end = trial.operation_count();
    let mut outcomes = Vec::new();
    for number in begin..end {
        for fault in [Fault::Stop, Fault::SyncError(false)] {
            let stopped = crashed.fork();
            stopped.plan(number, fault);
            if open(&stopped, None).is_ok() {
                continue; // The fault does not apply to this operation.
            }
            for loss in [Loss::Process, Loss::Power(0, Sectors::None)] {
                let disk = stopped.fork();
                disk.restart(loss);
                let result = checked.recovery(world, disk);
                outcomes.push(result.map_err(|why| format!("recovery, {number} {fault:?} {loss:?}: {why}"))?);
            }
        }
    }
    Ok(outcomes)
}

/// After the engine stopped in the frame of a sequence: the same build stops there again, if the frame is in the
/// log; a build without the defect goes on as if nothing had happened.
pub(crate) fn check_stop(world: &World, disk: &SimDisk, sequence: u64) -> Result<Outcome, String> {
    let stopped = open(&disk.fork(), world.failpoint);
    let cured = disk.fork();
    let outcome = check_recovery(world, &cured)?;
    let exchange = open(&disk.fork(), None).map_err(|error| error.to_string())?;
    let in_log = exchange.engine().sequence() >= sequence;
    match stopped {
        Err(OpenError::Halted { violation, .. }) if in_log || sequence == 1 => {
            let frame = world.issued.iter().find(|frame| frame.last_sequence() == sequence);
            let named = frame
                .is_some_and(|frame| (frame.header.first_sequence..=sequence).contains(&violation.sequence));
            if named { Ok(Outcome::Halted) } else { Err(format!("another stop: {violation:?}")) }
        }
        Ok(_) if !in_log => Ok(outcome),
        Ok(_) => Err(format!("sequence {sequence} is in the log and did not stop the engine again")),
        Err(error) => Err(format!("sequence {sequence}, in the log: {in_log}, yet {error}")),
    }
}

/// After damage to the medium: everything, a prefix with everything answered, or (g) a refusal that names file,
/// offset, sequence and repair, and that changes nothing.
pub(crate) fn check_damage(world: &World, disk: &SimDisk) -> Result<Outcome, String> {
    let before: Vec<_> = disk.names().into_iter().map(|name| (disk.bytes(&name), name)).collect();
    match open(disk, None) {
        Ok(exchange) => {
            let frames = check_state(world, &exchange)?;
            Ok(if frames == world.issued.len() { Outcome::Whole } else { Outcome::Prefix })
        }
        Err(error) => {
            let after: Vec<_> = disk.names().into_iter().map(|name| (disk.bytes(&name), name)).collect();
            if before != after {
                return Err(format!("refused with {error}, but changed files"));
            }
            check_refusal(&error).map(|()| Outcome::Refused)
        }
    }
}

fn check_refusal(error: &OpenError) -> Result<(), String> {
    let text = error.to_string();
    let repair = text.contains("restore") || text.contains("move the wrong copy away");
    let named = ["offset ", "sequence ", "nothing was changed; "].iter().all(|word| text.contains(word));
    let good = match error {
        OpenError::Journal(JournalError::WrongGenesis { .. } | JournalError::WrongVersion { .. }) => true,
        OpenError::Journal(error) => error.is_corruption() && named && repair && text.contains("segment-"),
        OpenError::LogMissing { .. } => repair && text.contains("nothing was changed"),
        _ => false,
    };
    if good { Ok(()) } else { Err(format!("a poor refusal: {text}")) }
}
