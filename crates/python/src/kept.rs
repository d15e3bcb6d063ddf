//! Recent events in bounded memory: for looking back, and for subscribers.

use std::collections::VecDeque;
use xos_protocol::{EventKind, EventRecord};
use zerocopy::IntoBytes;

/// The newest records, up to a limit; what one call added is always there in full until the next call.
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

    fn make_room(&mut self, coming: usize) {
        let excess = (self.records.len() + coming).saturating_sub(self.most).min(self.records.len());
        if excess == 0 {
            return;
        }
        for gone in self.records.drain(..excess) {
            self.gone_to = self.gone_to.max(gone.sequence);
        }
        self.dropped += excess as u64;
        if self.records.capacity() > 4 * self.most.max(coming) {
            self.records.shrink_to(self.most.max(coming));
        }
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
    /// Number of the first event that subscribers have not seen.
    unpublished: u64,
}

impl Kept {
    /// Nothing yet; `gone_to` is the sequence up to which the log stood before.
    pub(crate) fn new(events_most: usize, trades_most: usize, gone_to: u64) -> Self {
        Self {
            events: Ring::new(events_most, gone_to),
            trades: Ring::new(trades_most, gone_to),
            unpublished: 0,
        }
    }

    /// Remembers what a call gave.
    pub(crate) fn record(&mut self, events: &[EventRecord]) {
        self.events.make_room(events.len());
        self.events.records.extend(events);
        let is_trade = |event: &&EventRecord| event.kind == EventKind::Trade.code();
        let trades = events.iter().filter(is_trade).count();
        if trades > 0 {
            self.trades.make_room(trades);
            self.trades.records.extend(events.iter().filter(is_trade));
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

    /// Subscribers get what comes from now on.
    pub(crate) fn publish_from_here(&mut self) {
        self.unpublished = self.events.count_ever();
    }

    /// How many events left before subscribers saw them, and those that they have not seen yet.
    pub(crate) fn take_unpublished(&mut self) -> (u64, Vec<u8>) {
        let lost = self.events.dropped.saturating_sub(self.unpublished);
        let bytes = self.events.bytes_from(self.unpublished);
        self.unpublished = self.events.count_ever();
        (lost, bytes)
    }
}
