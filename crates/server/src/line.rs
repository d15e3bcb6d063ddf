//! The sending side of a connection that reads feeds: the gateway and the publisher both write there, whole messages each.

use crate::outbox::Outbox;
use crate::page::{Page, push_lines};
use std::io;
use std::net::TcpStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use xos_protocol::FeedRecord;

/// How sending ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// So many bytes wait for the other side; 0: none.
    Waits(usize),
    /// The connection is broken.
    Failed,
}

#[derive(Debug)]
struct Sending {
    /// `None` once the connection is closed.
    stream: Option<TcpStream>,
    outbox: Outbox,
}

/// Shared by the gateway that has the connection and the publisher.
#[derive(Debug)]
pub(crate) struct Line(Mutex<Sending>);

impl Line {
    /// Over a second handle on the socket, with what waits already.
    pub(crate) fn new(stream: TcpStream, outbox: Outbox) -> Self {
        Self(Mutex::new(Sending { stream: Some(stream), outbox }))
    }

    fn lock(&self) -> MutexGuard<'_, Sending> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues whole messages of the connection alone, empties them, and sends.
    pub(crate) fn say(&self, own: &mut Vec<u8>) -> Sent {
        let mut sending = self.lock();
        sending.outbox.tail.append(own);
        sending.send()
    }

    /// Queues a page that other readers are sent too.
    pub(crate) fn share(&self, page: &Arc<Page>) {
        self.lock().outbox.share(page.clone());
    }

    /// Queues lines of a book for this reader alone.
    pub(crate) fn say_lines(&self, lines: &[FeedRecord]) {
        push_lines(&mut self.lock().outbox.tail, lines);
    }

    /// Sends what goes now; never waits for the other side.
    pub(crate) fn send(&self) -> Sent {
        self.lock().send()
    }

    /// Bytes that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.lock().outbox.waiting()
    }

    /// Whether pages wait: then the publisher sends what there is.
    pub(crate) fn has_pages(&self) -> bool {
        self.lock().outbox.has_pieces()
    }

    /// Lets go of the socket: the publisher notices when it comes by.
    pub(crate) fn close(&self) {
        let mut sending = self.lock();
        sending.stream = None;
        sending.outbox.clear();
    }

    /// Whether it was closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().stream.is_none()
    }
}

impl Sending {
    fn send(&mut self) -> Sent {
        let Some(stream) = &self.stream else { return Sent::Failed };
        match self.outbox.send(&mut &*stream) {
            Ok(()) => Sent::Waits(0),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Sent::Waits(self.outbox.waiting()),
            Err(_) => {
                self.outbox.clear();
                Sent::Failed
            }
        }
    }
}
