//! Client ids that took effect, with their first answers.

use std::collections::{HashMap, VecDeque};
use xos_protocol::{ClientId, EventRecord};
use xos_units::AccountId;

pub(crate) type IdKey = (AccountId, ClientId);

/// The table. It is looked up, never iterated by hash: canonical order is the queue's and, for the permanent ones, the
/// key's.
#[derive(Debug, Default)]
pub(crate) struct ClientIds {
    answers: HashMap<IdKey, EventRecord>,
    /// Ids that can be forgotten, in order of their time.
    queue: VecDeque<(u64, IdKey)>,
}

impl ClientIds {
    pub(crate) fn answer(&self, key: &IdKey) -> Option<&EventRecord> {
        self.answers.get(key)
    }

    /// Ids that count towards the limit.
    pub(crate) fn remembered(&self) -> usize {
        self.queue.len()
    }

    pub(crate) fn remember(&mut self, key: IdKey, answer: EventRecord, time_ns: u64, for_ever: bool) {
        self.answers.insert(key, answer);
        if !for_ever {
            self.queue.push_back((time_ns, key));
        }
    }

    /// Forgets ids whose retention has passed; those whose order rests start anew.
    pub(crate) fn forget(&mut self, now_ns: u64, retention_ns: u64, rests: impl Fn(&EventRecord) -> bool) {
        let mut left = self.queue.len();
        while left > 0
            && let Some(&(time_ns, key)) = self.queue.front()
            && time_ns.saturating_add(retention_ns) <= now_ns
        {
            left -= 1;
            self.queue.pop_front();
            if self.answers.get(&key).is_some_and(&rests) {
                self.queue.push_back((now_ns, key));
            } else {
                self.answers.remove(&key);
            }
        }
    }

    /// Those that can be forgotten, in order.
    pub(crate) fn passing(&self) -> impl Iterator<Item = (u64, &IdKey, &EventRecord)> {
        self.queue.iter().map(|(time_ns, key)| (*time_ns, key, &self.answers[key]))
    }

    /// Those that stay for ever, in order of key.
    pub(crate) fn permanent(&self) -> Vec<(&IdKey, &EventRecord)> {
        let passing: std::collections::HashSet<_> = self.queue.iter().map(|(_, key)| key).collect();
        let mut rest: Vec<_> = self.answers.iter().filter(|(key, _)| !passing.contains(key)).collect();
        rest.sort_unstable_by_key(|(key, _)| **key);
        rest
    }
}
