//! Recent events in bounded memory: for looking back, and for subscribers.

use std::collections::VecDeque;
use xos_protocol::{EventKind, EventRecord};
use zerocopy::IntoBytes;

/// The newest records, up to a limit.
pub(crate) struct Ring {
    records: VecDeque<EventRecord>,
    most: usize,
    /// Records that have left.
    dropped: u64,
    /// Highest sequence among them.
    gone_to: u64,
}

impl Ring {
    fn new(most: usize, gone_to: u64) -> Self {
        Self { records: VecDeque::new(), most, dropped: 0, gone_to }
    }

    /// Takes the newest in; with `whole` all of them, even where they are more than the limit.
    fn add(&mut self, coming: &[EventRecord], whole: bool) {
        let skipped = if whole { 0 } else { coming.len().saturating_sub(self.most) };
        let (over, coming) = coming.split_at(skipped);
        let excess = (self.records.len() + coming.len()).saturating_sub(self.most).min(self.records.len());
        let gone = self.records.drain(..excess).map(|gone| gone.sequence);
        self.gone_to = gone.chain(over.iter().map(|gone| gone.sequence)).fold(self.gone_to, u64::max);
        self.dropped += (excess + skipped) as u64;
        if self.records.capacity() / 2 > self.most.max(coming.len()) {
            self.records.shrink_to(self.most.max(coming.len()));
        }
        self.records.extend(coming);
    }

    /// The records from the `from`-th ever on, as bytes.
    fn bytes_from(&self, from: u64) -> Vec<u8> {
        let skip = usize::try_from(from.saturating_sub(self.dropped)).unwrap_or(usize::MAX);
        let (first, second) = self.records.as_slices();
        let mut bytes =
            Vec::with_capacity(self.records.len().saturating_sub(skip) * size_of::<EventRecord>());
        bytes.extend_from_slice(first[skip.min(first.len())..].as_bytes());
        bytes.extend_from_slice(second[skip.saturating_sub(first.len()).min(second.len())..].as_bytes());
        bytes
    }

    fn count_ever(&self) -> u64 {
        self.dropped + self.records.len() as u64
    }
}

/// Events and trades of the recent past.
pub(crate) struct Kept {
    events: Ring,
    trades: Ring,
    /// Number of the first event that subscribers have not seen; without subscribers `None`.
    unpublished: Option<u64>,
}

impl Kept {
    /// Nothing yet; `gone_to` is the sequence up to which the log stood before.
    pub(crate) fn new(events_most: usize, trades_most: usize, gone_to: u64) -> Self {
        Self {
            events: Ring::new(events_most, gone_to),
            trades: Ring::new(trades_most, gone_to),
            unpublished: None,
        }
    }

    /// Remembers what a call gave. With subscribers, all of it stays until the next call.
    pub(crate) fn record(&mut self, events: &[EventRecord]) {
        self.events.add(events, self.unpublished.is_some());
        let mut rest = events;
        while let Some(at) = rest.iter().position(is_trade) {
            let run = rest[at..].iter().take_while(|event| is_trade(event)).count();
            self.trades.add(&rest[at..at + run], false);
            rest = &rest[at + run..];
        }
    }

    /// The sequence up to which events have left, and those that are kept.
    pub(crate) fn events(&self) -> (u64, Vec<u8>) {
        (self.events.gone_to, self.events.bytes_from(0))
    }

    /// The trades that are kept.
    pub(crate) fn trades(&self) -> Vec<u8> {
        self.trades.bytes_from(0)
    }

    /// Subscribers get what comes from now on; or there are none.
    pub(crate) fn publish(&mut self, on: bool) {
        self.unpublished = on.then(|| self.events.count_ever());
    }

    /// How many events left before subscribers saw them, and those that they have not seen yet.
    pub(crate) fn take_unpublished(&mut self) -> (u64, Vec<u8>) {
        let Some(from) = self.unpublished else { return (0, Vec::new()) };
        self.unpublished = Some(self.events.count_ever());
        (self.events.dropped.saturating_sub(from), self.events.bytes_from(from))
    }
}

/// Whether lots changed hands on its instrument, by a match or by a part of a step of implied liquidity.
pub(crate) fn is_trade(event: &EventRecord) -> bool {
    let kind = event.kind();
    matches!(kind, Some(EventKind::Trade | EventKind::ImpliedTrade | EventKind::ImpliedLeg))
}
