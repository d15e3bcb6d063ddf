//! Questions of clients that somebody beside the gateway answers, and the answers on their way back.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;
use xos_protocol::ClientId;

/// Questions that may wait; one past that is refused.
pub const QUESTIONS_MAX: usize = 1_024;

/// What a client asked.
#[derive(Clone, Debug)]
pub struct Question {
    /// Place of the connection in its gateway.
    pub(crate) at: usize,
    /// The connection.
    pub(crate) connection: u64,
    /// The client's number for it.
    pub(crate) number: u64,
    /// Owner of the key's accounts; `None`: it acts for all.
    pub owner: Option<ClientId>,
    /// Whether the key operates.
    pub operates: bool,
    /// What it says.
    pub body: Vec<u8>,
}

/// Questions and answers.
#[derive(Debug, Default)]
pub struct Questions {
    waiting: Mutex<VecDeque<Question>>,
    came: Condvar,
    answers: Mutex<Vec<(Question, Vec<u8>)>>,
}

impl Questions {
    /// Brings a question; `false`: too many wait.
    pub(crate) fn bring(&self, question: Question) -> bool {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= QUESTIONS_MAX {
            return false;
        }
        waiting.push_back(question);
        self.came.notify_one();
        true
    }

    /// The next question, if one comes in time.
    pub fn wait(&self, timeout: Duration) -> Option<Question> {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut waiting, _) = self
            .came
            .wait_timeout_while(waiting, timeout, |waiting| waiting.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        waiting.pop_front()
    }

    /// Brings an answer; the gateway takes it up when it is woken.
    pub(crate) fn answer(&self, question: &Question, body: Vec<u8>) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.push((Question { body: Vec::new(), ..question.clone() }, body));
    }

    /// The answers that have come.
    pub(crate) fn answers(&self) -> Vec<(Question, Vec<u8>)> {
        std::mem::take(&mut self.answers.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
