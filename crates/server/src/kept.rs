//! The frames of late, for who comes back and wants what it missed.

use crate::frame::DurableFrame;
use std::collections::VecDeque;
use std::sync::Arc;
use xos_node::ReplayedEvents;
use xos_protocol::Resumption;

/// The last frames, bounded by the events in them.
#[derive(Debug)]
pub struct KeptFrames {
    frames: VecDeque<Arc<DurableFrame>>,
    events: usize,
    events_max: usize,
    /// Everything up to here is no longer kept.
    floor: u64,
}

impl KeptFrames {
    /// Nothing of what the log already holds is kept.
    pub fn new(sequence: u64, events_max: usize) -> Self {
        Self { frames: VecDeque::new(), events: 0, events_max, floor: sequence }
    }

    /// With the last frames of the log as opening executed them again: who was away over a restart misses nothing.
    pub fn with_replayed(sequence: u64, events_max: usize, replayed: Vec<ReplayedEvents>) -> Self {
        let mut kept = Self::new(sequence, events_max);
        if let Some(first) = replayed.first() {
            kept.floor = first.first_sequence - 1;
        }
        for frame in replayed {
            let ReplayedEvents { first_sequence: mark, events } = frame;
            kept.push(Arc::new(DurableFrame { mark, events, ..DurableFrame::default() }));
        }
        kept
    }

    /// Keeps a frame and lets go of the oldest beyond the limit.
    pub fn push(&mut self, frame: Arc<DurableFrame>) {
        self.events += frame.events.len();
        self.frames.push_back(frame);
        while self.events > self.events_max
            && let Some(old) = self.frames.pop_front()
        {
            self.events -= old.events.len();
            // The next frame's mark less one: the last sequence that is gone.
            self.floor = self.frames.front().map_or(old.mark, |next| next.mark - 1);
        }
    }

    /// The oldest mark that can be resumed from.
    pub fn oldest_mark(&self) -> u64 {
        self.floor
    }

    /// Whether everything behind a mark is here. The sequence that comes next is a mark too: nothing of it was received.
    pub fn judge(&self, mark: u64, index: u32, durable_sequence: u64) -> Resumption {
        let next = durable_sequence + 1;
        if mark > next || (mark == next && index > 0) {
            Resumption::NotInThisLog
        } else if mark < self.floor {
            Resumption::TooOld
        } else {
            Resumption::Resumed
        }
    }

    /// The frames from a mark on, its own among them.
    pub fn from(&self, mark: u64) -> impl Iterator<Item = &Arc<DurableFrame>> {
        let at = self.frames.partition_point(|frame| frame.mark < mark);
        self.frames.range(at..)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use xos_protocol::EventRecord;

    #[test]
    fn the_last_events_stay_and_a_mark_before_them_is_too_old() {
        let frame = |mark, events| {
            Arc::new(DurableFrame { mark, events: vec![EventRecord::ZERO; events], ..Default::default() })
        };
        let mut kept = KeptFrames::new(10, 4);
        assert_eq!(kept.judge(10, 3, 10), Resumption::Resumed);
        assert_eq!(kept.judge(9, 3, 10), Resumption::TooOld);
        assert_eq!(kept.judge(11, 0, 10), Resumption::Resumed);
        assert_eq!(kept.judge(11, 1, 10), Resumption::NotInThisLog);
        assert_eq!(kept.judge(12, 0, 10), Resumption::NotInThisLog);
        kept.push(frame(11, 2));
        kept.push(frame(15, 2));
        assert_eq!((kept.oldest_mark(), kept.from(11).count(), kept.from(12).count()), (10, 2, 1));
        kept.push(frame(20, 1));
        // The frame of mark 11 held the sequences up to 14.
        assert_eq!((kept.oldest_mark(), kept.from(0).count()), (14, 2));
        assert_eq!((kept.judge(11, 0, 20), kept.judge(15, 0, 20)), (Resumption::TooOld, Resumption::Resumed));
    }

    #[test]
    fn what_opening_executed_again_is_kept_up_to_the_limit() {
        let frame = |first_sequence, events| ReplayedEvents {
            first_sequence,
            events: vec![EventRecord::ZERO; events],
        };
        let all = || vec![frame(6, 2), frame(8, 2), frame(10, 1)];
        let kept = KeptFrames::with_replayed(10, 5, all());
        assert_eq!(
            (kept.oldest_mark(), kept.judge(5, 9, 10), kept.from(5).count()),
            (5, Resumption::Resumed, 3)
        );
        let kept = KeptFrames::with_replayed(10, 4, all());
        assert_eq!((kept.oldest_mark(), kept.judge(5, 9, 10)), (7, Resumption::TooOld));
        assert_eq!(KeptFrames::with_replayed(10, 4, Vec::new()).oldest_mark(), 10);
    }
}
