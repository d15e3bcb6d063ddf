//! The sequencer: batches become frames of the log, and leave it as durable frames.

use crate::frame::{Batch, Deployment, DurableFrame, Frames, Run, TakenRun};
use std::sync::Arc;
use xos_node::{Exchange, NodeError};
use xos_protocol::{CommandKind, CommandRecord};

const AWAY: &str = "the exchange is lent only while the sequencer waits";

/// The exchange and what it takes to feed it.
pub struct Sequencer {
    /// Away only while somebody has borrowed it, and then the sequencer waits.
    exchange: Option<Exchange>,
    frame_commands: usize,
    tick_ns: u64,
    events_last: usize,
}

impl Sequencer {
    /// Around an open exchange.
    pub fn new(exchange: Exchange, frame_commands_max: usize, tick_ms: u32) -> Self {
        let declared = exchange.engine().limits().frame_commands_max as usize;
        let frame_commands = frame_commands_max.clamp(1, declared);
        Self {
            exchange: Some(exchange),
            frame_commands,
            tick_ns: u64::from(tick_ms) * 1_000_000,
            events_last: 0,
        }
    }

    /// The exchange, for its views.
    pub fn exchange(&self) -> &Exchange {
        self.exchange.as_ref().expect(AWAY)
    }

    /// Lends the exchange and waits until it comes back; whether it did.
    pub fn lend(&mut self, borrow: impl FnOnce(Exchange) -> Option<Exchange>) -> bool {
        self.exchange = self.exchange.take().and_then(borrow);
        self.exchange.is_some()
    }

    /// Gives the exchange back.
    pub fn into_exchange(self) -> Exchange {
        let mut exchange = self.exchange.expect(AWAY);
        exchange.make_snapshots_beside(false);
        exchange
    }

    /// Begins a snapshot beside the log if one is due.
    pub fn snapshot_if_due(&mut self) {
        self.own().snapshot_if_due();
    }

    fn own(&mut self) -> &mut Exchange {
        self.exchange.as_mut().expect(AWAY)
    }

    /// Logs and executes a batch; returns when all of it is durable, with the frames it became. After an error
    /// nothing more is taken, and what the frames before it hold stands.
    pub fn take(&mut self, batch: &Batch, frames: &mut Frames) -> Result<(), NodeError> {
        let mut runs = batch.runs.as_slice();
        let mut from = 0;
        for deployment in &batch.deployments {
            self.take_commands(batch, from..deployment.behind, &mut runs, frames)?;
            from = deployment.behind;
            frames.push(Arc::new(self.take_deployment(deployment)?));
        }
        self.take_commands(batch, from..batch.commands.len(), &mut runs, frames)
    }

    /// What the node refuses by itself was never in the log; everything else is, and the engine judges it.
    fn take_deployment(&mut self, deployment: &Deployment) -> Result<DurableFrame, NodeError> {
        let mut frame = DurableFrame { mark: self.exchange().engine().sequence(), ..Default::default() };
        match self.own().deploy(&deployment.body, None, &mut frame.events) {
            Ok(done) => {
                frame.mark = done.first_sequence;
                frame.taken.push(TakenRun {
                    session: deployment.session,
                    first_number: deployment.number,
                    first_sequence: done.first_sequence,
                    count: 1,
                });
            }
            Err(error) if error.is_final() => return Err(error),
            Err(error) => frame.refused.push((deployment.session, deployment.number, error.code())),
        }
        Ok(frame)
    }

    fn take_commands(
        &mut self,
        batch: &Batch,
        range: std::ops::Range<usize>,
        runs: &mut &[Run],
        frames: &mut Frames,
    ) -> Result<(), NodeError> {
        let mut start = range.start;
        while start < range.end {
            let end = range.end.min(start + self.frame_commands);
            let mut events = Vec::with_capacity(self.events_last + self.events_last / 4);
            let done = self.own().submit(&batch.commands[start..end], None, &mut events)?;
            self.events_last = events.len();
            let taken = taken_of(runs, start..end, done.first_sequence);
            frames.push(Arc::new(DurableFrame {
                mark: done.first_sequence,
                taken,
                events,
                refused: Vec::new(),
            }));
            start = end;
        }
        Ok(())
    }

    /// A command that lets time pass, if nothing has for long enough.
    pub fn tick_due(&self, now_ns: u64) -> Option<CommandRecord> {
        let due = self.tick_ns > 0
            && self.exchange().engine().sequence() > 0
            && now_ns.saturating_sub(self.exchange().engine().time_ns()) >= self.tick_ns;
        due.then(|| CommandRecord { kind: CommandKind::Tick.code(), ..Default::default() })
    }
}

/// The parts of the runs that lie in a range; runs that end in it are done with.
fn taken_of(runs: &mut &[Run], range: std::ops::Range<usize>, first_sequence: u64) -> Vec<TakenRun> {
    let mut taken = Vec::new();
    while let Some((run, rest)) = runs.split_first()
        && run.start < range.end
    {
        let (from, to) = (run.start.max(range.start), (run.start + run.count).min(range.end));
        if from < to {
            taken.push(TakenRun {
                session: run.session,
                first_number: run.first_number + (from - run.start) as u64,
                first_sequence: first_sequence + (from - range.start) as u64,
                count: to - from,
            });
        }
        if run.start + run.count > range.end {
            break;
        }
        *runs = rest;
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_cut_where_a_frame_ends() {
        let run = |session, first_number, start, count| Run { session, first_number, start, count };
        let all = [run(1, 10, 0, 3), run(2, 50, 3, 4), run(1, 13, 7, 1)];
        let mut runs = all.as_slice();
        let taken = |session, first_number, first_sequence, count| TakenRun {
            session,
            first_number,
            first_sequence,
            count,
        };
        assert_eq!(taken_of(&mut runs, 0..5, 100), [taken(1, 10, 100, 3), taken(2, 50, 103, 2)]);
        assert_eq!(taken_of(&mut runs, 5..7, 105), [taken(2, 52, 105, 2)]);
        assert_eq!(taken_of(&mut runs, 7..8, 107), [taken(1, 13, 107, 1)]);
        assert!(runs.is_empty());
    }
}
