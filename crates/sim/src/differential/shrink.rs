//! A shorter log that still shows a difference.

use super::Difference;
use crate::workload::{Body, Frame};
use std::collections::BTreeMap;
use xos_protocol::{CommandKind, CommandRecord};

/// Runs that one shrinking may take.
const RUNS_MAX: usize = 4_000;

/// One command or deployment of the original log.
#[derive(Clone, Debug)]
struct Step {
    time_ns: u64,
    /// Steps of the same frame have the same number.
    frame: usize,
    /// The sequence it had.
    sequence: u64,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    Command(CommandRecord),
    Deploy(Vec<u8>),
}

/// Drops what is not needed while the machines still differ, in whatever way. The rest, and how it differs.
pub(super) fn shrink(
    log: Vec<Frame>,
    difference: Difference,
    differ: impl Fn(&[Frame]) -> Option<(usize, Difference)>,
) -> (Vec<Frame>, Difference) {
    let mut best = (log, difference);
    let mut steps = steps_of(&best.0);
    // A log with a frame that is refused as a whole keeps it: steps have no such thing.
    if let Some((_, found)) = differ(&frames_of(&steps)) {
        best = (frames_of(&steps), found);
    } else {
        return best;
    }
    let mut runs = 0;
    let mut chunk = steps.len().div_ceil(2);
    while runs < RUNS_MAX {
        let mut dropped_any = false;
        let mut start = steps.len().saturating_sub(chunk);
        loop {
            let end = (start + chunk).min(steps.len());
            let mut fewer = steps.clone();
            fewer.drain(start..end);
            let frames = frames_of(&fewer);
            runs += 1;
            if let Some((at, found)) = differ(&frames) {
                let kept = frames[..=at].to_vec();
                let count: u64 = kept.iter().map(Frame::sequences).sum();
                fewer.truncate(count as usize);
                steps = fewer;
                best = (kept, found);
                dropped_any = true;
            }
            if start == 0 || runs >= RUNS_MAX {
                break;
            }
            start = start.min(steps.len()).saturating_sub(chunk);
        }
        if chunk == 1 && !dropped_any {
            break;
        }
        chunk = if dropped_any { chunk.min(steps.len().max(1)) } else { chunk.div_ceil(2) };
    }
    best
}

fn steps_of(log: &[Frame]) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut sequence = 1;
    let mut latest_ns = 0;
    for (at, frame) in log.iter().enumerate() {
        // Frames that were refused as a whole have no sequence numbers.
        if frame.sequences() == 0 || frame.sequences() > 20 || frame.time_ns < latest_ns {
            continue;
        }
        latest_ns = frame.time_ns;
        let mut push = |what| {
            steps.push(Step { time_ns: frame.time_ns, frame: at, sequence, what });
            sequence += 1;
        };
        match &frame.body {
            Body::Commands(commands) => {
                commands.iter().for_each(|command| push(What::Command(*command)));
            }
            Body::Deploy(body) => push(What::Deploy(body.clone())),
        }
    }
    steps
}

/// Frames of the steps that are left; orders are named by the sequence that their place has now.
fn frames_of(steps: &[Step]) -> Vec<Frame> {
    let now: BTreeMap<u64, u64> = (1..).zip(steps).map(|(new, step)| (step.sequence, new)).collect();
    let mut frames: Vec<(usize, Frame)> = Vec::new();
    for step in steps {
        match &step.what {
            What::Deploy(body) => {
                let body = Body::Deploy(body.clone());
                frames.push((step.frame, Frame { time_ns: step.time_ns, body }));
            }
            What::Command(command) => {
                let command = renamed(command, &now);
                match frames.last_mut() {
                    Some((frame, Frame { body: Body::Commands(commands), .. })) if *frame == step.frame => {
                        commands.push(command);
                    }
                    _ => frames.push((step.frame, Frame::commands(step.time_ns, vec![command]))),
                }
            }
        }
    }
    frames.into_iter().map(|(_, frame)| frame).collect()
}

fn renamed(command: &CommandRecord, now: &BTreeMap<u64, u64>) -> CommandRecord {
    let names_order = matches!(command.kind(), Some(CommandKind::Amend | CommandKind::Cancel));
    if !names_order || command.order_id == 0 {
        return *command;
    }
    // An order whose place was dropped gets a name that nobody has.
    let order_id = now.get(&command.order_id).copied().unwrap_or(command.order_id | 1 << 60);
    CommandRecord { order_id, ..*command }
}
