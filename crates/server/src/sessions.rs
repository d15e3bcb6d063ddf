//! Sessions: what outlives a connection. A session belongs to a key; its numbers go on when the client comes back.

use crate::frame::{SessionId, TakenRun};
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use xos_protocol::Taken;

/// One session.
#[derive(Debug)]
pub struct Session {
    /// Its number within this run.
    pub id: SessionId,
    /// Place of its key.
    pub key: usize,
    /// Number of the next command; lower ones were taken or refused before.
    next_number: AtomicU64,
    /// The connection that speaks for it; another logon replaces it.
    connection: AtomicU64,
    /// The last commands that were taken, for who comes back.
    taken: Mutex<VecDeque<TakenRun>>,
}

impl Session {
    /// Number of the next command.
    pub fn next_number(&self) -> u64 {
        self.next_number.load(Ordering::Acquire)
    }

    /// Sets it; only the gateway of its connection does.
    pub fn advance_to(&self, number: u64) {
        self.next_number.store(number, Ordering::Release);
    }

    /// Makes a connection the one that speaks for it.
    pub fn bind(&self, connection: u64) {
        self.connection.store(connection, Ordering::Release);
    }

    /// Whether a connection is the one that speaks for it.
    pub fn is_bound_to(&self, connection: u64) -> bool {
        self.connection.load(Ordering::Acquire) == connection
    }

    /// Keeps what was taken, the last so many runs.
    pub fn keep(&self, run: TakenRun, most: usize) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.len() >= most.max(1) {
            taken.pop_front();
        }
        taken.push_back(run);
    }

    /// What was taken of the commands from a number on.
    pub fn taken_from(&self, number: u64) -> Vec<Taken> {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.iter().filter(|run| run.first_number + run.count as u64 > number).map(taken_record).collect()
    }
}

/// As it travels.
pub(crate) fn taken_record(run: &TakenRun) -> Taken {
    Taken {
        first_number: run.first_number,
        first_sequence: run.first_sequence,
        count: run.count as u32,
        reserved: 0,
    }
}

/// All sessions of this run.
#[derive(Debug, Default)]
pub struct Sessions {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    all: Vec<Arc<Session>>,
    by_name: HashMap<(usize, u32), SessionId>,
    of_key: HashMap<usize, usize>,
}

impl Sessions {
    /// The session of a key with this number, a new one at first sight; `None` past `most` of them.
    pub fn open(&self, key: usize, number: u32, next_number: u64, most: usize) -> Option<Arc<Session>> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(&known) = inner.by_name.get(&(key, number)) {
            return Some(inner.all[known as usize].clone());
        }
        let of_key = inner.of_key.entry(key).or_default();
        if *of_key >= most {
            return None;
        }
        *of_key += 1;
        let id = SessionId::try_from(inner.all.len()).ok()?;
        let session = Arc::new(Session {
            id,
            key,
            next_number: AtomicU64::new(next_number),
            connection: AtomicU64::new(0),
            taken: Mutex::default(),
        });
        inner.all.push(session.clone());
        inner.by_name.insert((key, number), id);
        Some(session)
    }

    /// The session of an id.
    pub fn get(&self, id: SessionId) -> Option<Arc<Session>> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.all.get(id as usize).cloned()
    }
}
