//! Giving out: durable frames become messages to those whom they concern, and to nobody else.

use crate::connection::Connection;
use crate::directory::{Directory, NOBODY};
use crate::frame::{DurableFrame, NODE, SessionId};
use crate::gateway::Gateway;
use crate::sessions::taken_record;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use xos_protocol::{
    EventFlags, EventKind, EventRecord, Int128, MessageKind, Refused, Resumption, SessionCode,
};

/// Whether bytes 56 to 88 of a kind name another account.
#[inline]
fn has_counterpart(kind: u16) -> bool {
    const TRADE: u16 = EventKind::Trade.code();
    const LEG: u16 = EventKind::ImpliedLeg.code();
    const SKIPPED: u16 = EventKind::LiquiditySkipped.code();
    matches!(kind, TRADE | LEG | SKIPPED)
}

/// A trade as one side may see it: the other one's account, venue and fee are not its business.
fn without_maker(event: &EventRecord) -> EventRecord {
    let mut seen = *event;
    let order = event.counter_order_id();
    seen.set_counterpart(order, 0, 0, event.counter_remaining(), event.trade_id());
    if event.kind == EventKind::Trade.code() {
        seen.counter_amount = Int128::default();
    }
    seen
}

/// The same for the side that was there before.
fn without_taker(event: &EventRecord) -> EventRecord {
    EventRecord { account: 0, venue: 0, remaining: 0, amount: Int128::default(), ..*event }
}

impl Gateway {
    /// Tells a durable frame to those whom it concerns.
    pub(crate) fn deliver(&mut self, frame: &Arc<DurableFrame>) {
        let last = frame.taken.iter().map(|run| run.first_sequence + run.count as u64 - 1).max();
        self.durable_sequence = self.durable_sequence.max(last.unwrap_or(frame.mark));
        let mut sent = 0;
        for event in &frame.events {
            self.directory.hear(event);
            sent += self.tell(frame.mark, event);
        }
        for run in frame.taken.iter().filter(|run| run.session != NODE) {
            let Some(session) = self.shared.sessions.get(run.session) else { continue };
            session.keep(*run, self.options.taken_kept);
            if let Some(Some(at)) = self.of_session.get(run.session as usize).copied()
                && let Some(connection) = &mut self.connections[at]
            {
                if connection.owner == NOBODY && !connection.listens_only {
                    let own = run.first_sequence..run.first_sequence + run.count as u64;
                    // The first answer given again has the sequence that it had then.
                    let its = |event: &&EventRecord| {
                        own.contains(&event.sequence) || event.flags & EventFlags::RETRY != 0
                    };
                    for event in frame.events.iter().filter(its) {
                        connection.say_event(frame.mark, event);
                        sent += 1;
                    }
                }
                connection.say(MessageKind::Taken, frame.mark, &[taken_record(run)]);
                self.touched.push(at);
            }
        }
        for (session, number, code) in &frame.refused {
            self.refuse(*session, *number, *code);
        }
        self.shared.stats.events_sent.fetch_add(sent, Relaxed);
        self.publish(frame);
        if !frame.events.is_empty() {
            self.kept.push(frame.clone());
        }
    }

    fn refuse(&mut self, session: SessionId, first_number: u64, error: u16) {
        let Some(Some(at)) = self.of_session.get(session as usize).copied() else { return };
        let Some(connection) = &mut self.connections[at] else { return };
        let code = SessionCode::NodeRefused.code();
        let refused = Refused { first_number, count: 1, code, value: u64::from(error), ..Refused::default() };
        connection.say(MessageKind::Refused, 0, &[refused]);
        self.touched.push(at);
    }

    /// Tells one event to the owners that it concerns; returns to how many connections.
    #[inline]
    fn tell(&mut self, mark: u64, event: &EventRecord) -> u64 {
        let mut sent = 0;
        let owner = self.directory.owner_of(event.account);
        if has_counterpart(event.kind) {
            let other = self.directory.owner_of(event.counter_account());
            if owner == other {
                sent += say_to(
                    &mut self.connections,
                    &mut self.touched,
                    self.directory.listeners(owner),
                    mark,
                    event,
                );
            } else {
                let seen = without_maker(event);
                sent += say_to(
                    &mut self.connections,
                    &mut self.touched,
                    self.directory.listeners(owner),
                    mark,
                    &seen,
                );
                if event.kind == EventKind::Trade.code() {
                    let seen = without_taker(event);
                    let listeners = self.directory.listeners(other);
                    sent += say_to(&mut self.connections, &mut self.touched, listeners, mark, &seen);
                }
            }
        } else if owner != NOBODY {
            sent += say_to(
                &mut self.connections,
                &mut self.touched,
                self.directory.listeners(owner),
                mark,
                event,
            );
        }
        let all = self.directory.listeners_to_all();
        if !all.is_empty() {
            sent += say_to(&mut self.connections, &mut self.touched, all, mark, event);
        }
        sent
    }

    /// Sends what waits at the connections that were told something.
    pub(crate) fn flush_touched(&mut self) {
        let now_ns = self.now_ns();
        let mut touched = std::mem::take(&mut self.touched);
        touched.sort_unstable();
        touched.dedup();
        for at in touched.drain(..) {
            if let Some(connection) = &mut self.connections[at] {
                connection.flush(now_ns);
                self.close_if_over(at);
            }
        }
        self.touched = touched;
    }

    /// Whether everything behind a position is here, and is no more than may wait to be sent to one connection.
    pub(crate) fn judge_resumption(&self, at: usize, mark: u64, index: u32) -> Resumption {
        let found = self.kept.judge(mark, index, self.durable_sequence);
        let Some(connection) = &self.connections[at] else { return found };
        if found != Resumption::Resumed {
            return found;
        }
        let events = self.kept.from(mark).flat_map(|frame| &frame.events);
        let missed = events.filter(|event| seen_by(connection, &self.directory, event).is_some()).count();
        let room = self.options.outbox_bytes_max / 2 / size_of::<EventRecord>();
        if missed > room { Resumption::TooOld } else { found }
    }

    /// Sends everything behind a position of which `index` events have been received.
    pub(crate) fn resume(&mut self, at: usize, mark: u64, index: u32) {
        let Some(mut connection) = self.connections[at].take() else { return };
        for frame in self.kept.from(mark) {
            let mut skip = if frame.mark == mark { index } else { 0 };
            for event in &frame.events {
                if let Some(seen) = seen_by(&connection, &self.directory, event) {
                    if skip > 0 {
                        skip -= 1;
                    } else {
                        connection.say_event(frame.mark, &seen);
                    }
                }
            }
        }
        connection.end_events();
        self.connections[at] = Some(connection);
    }
}

/// How a connection sees an event; `None`: it does not.
fn seen_by(connection: &Connection, directory: &Directory, event: &EventRecord) -> Option<EventRecord> {
    if connection.owner == NOBODY {
        return connection.listens_only.then_some(*event);
    }
    let mine = directory.owner_of(event.account) == connection.owner;
    if !has_counterpart(event.kind) {
        return mine.then_some(*event);
    }
    let theirs = directory.owner_of(event.counter_account()) == connection.owner;
    match (mine, theirs) {
        (true, true) => Some(*event),
        (true, false) => Some(without_maker(event)),
        (false, true) if event.kind == EventKind::Trade.code() => Some(without_taker(event)),
        _ => None,
    }
}

#[inline]
fn say_to(
    connections: &mut [Option<Connection>],
    touched: &mut Vec<usize>,
    listeners: &[usize],
    mark: u64,
    event: &EventRecord,
) -> u64 {
    for &at in listeners {
        if let Some(connection) = &mut connections[at] {
            connection.say_event(mark, event);
            if touched.last() != Some(&at) {
                touched.push(at);
            }
        }
    }
    listeners.len() as u64
}
