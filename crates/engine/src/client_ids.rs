//! Client ids that took effect, with their first answers.

use std::collections::{BTreeMap, HashMap, VecDeque}; // tidy: lookup only
use xos_protocol::{ClientId, EventRecord};
use xos_units::AccountId;

pub(crate) type IdKey = (AccountId, ClientId);

/// The table. What passes is looked up by hash and walked in the order of its queue; what stays is in order of key.
#[derive(Debug, Default)]
pub(crate) struct ClientIds {
    passing: HashMap<IdKey, EventRecord>,
    /// Ids that can be forgotten, in order of their time.
    queue: VecDeque<(u64, IdKey)>,
    /// Ids that are never forgotten: those of deposits.
    permanent: BTreeMap<IdKey, EventRecord>,
}

impl ClientIds {
    pub(crate) fn answer(&self, key: &IdKey) -> Option<&EventRecord> {
        self.passing.get(key).or_else(|| self.permanent.get(key))
    }

    /// Ids that count towards the limit.
    pub(crate) fn remembered(&self) -> usize {
        self.queue.len()
    }

    pub(crate) fn remember(&mut self, key: IdKey, answer: EventRecord, time_ns: u64, for_ever: bool) {
        if for_ever {
            self.permanent.insert(key, answer);
        } else {
            self.passing.insert(key, answer);
            self.queue.push_back((time_ns, key));
        }
    }

    /// Forgets ids whose retention has passed; those whose order rests start anew.
    pub(crate) fn forget(&mut self, now_ns: u64, retention_ns: u64, rests: impl Fn(&EventRecord) -> bool) {
        let mut left = self.queue.len();
        while left > 0
            && let Some(&(time_ns, key)) = self.queue.front()
            && now_ns.saturating_sub(time_ns) >= retention_ns
        {
            left -= 1;
            self.queue.pop_front();
            if self.passing.get(&key).is_some_and(&rests) {
                self.queue.push_back((now_ns, key));
            } else {
                self.passing.remove(&key);
            }
        }
    }

    /// Those that can be forgotten, in order.
    pub(crate) fn passing(&self) -> impl Iterator<Item = (u64, &IdKey, &EventRecord)> {
        self.queue.iter().map(|(time_ns, key)| (*time_ns, key, &self.passing[key]))
    }

    /// Those that stay for ever, in order of key.
    pub(crate) fn permanent(&self) -> impl ExactSizeIterator<Item = (&IdKey, &EventRecord)> {
        self.permanent.iter()
    }
}
