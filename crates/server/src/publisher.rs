//! The publisher: feeds to those who subscribe, in a thread of its own. The messages of a frame are made once, and all
//! readers are sent the same bytes. Nobody is waited for: who reads too slowly is left out, and gets a whole book once it
//! has read what it was sent.

use crate::feed::Feed;
use crate::frame::DurableFrame;
use crate::line::{Line, Sent};
use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;
use xos_engine::Engine;
use xos_protocol::Subscription;

/// Bytes that may wait to be sent to a subscriber before changes are left out. Readers share them.
const LAG_BYTES: usize = 4 << 20;
/// Frames and wishes that may wait for the publisher; whoever brings one more waits.
const QUEUE: usize = 32;
/// How soon a socket that was full is tried again.
const AGAIN: Duration = Duration::from_millis(1);

/// What the publisher is told, in the order of the log.
enum Note {
    Frame(Arc<DurableFrame>),
    /// The feed is brought with the first wish for it, of the book as it stands behind the frames before.
    Begin(Option<Box<Feed>>, u64, Subscription, Arc<Line>),
    Leave(u64, Subscription),
}

/// The handle of a gateway on its publisher.
pub(crate) struct Publisher {
    notes: Option<SyncSender<Note>>,
    thread: Option<JoinHandle<()>>,
    /// Instruments whose feeds the thread follows.
    followed: HashSet<u32>,
}

impl Publisher {
    /// `outbox_bytes_max` is where a connection is cut: a reader is left out long before.
    pub(crate) fn start(outbox_bytes_max: usize) -> io::Result<Self> {
        let (notes, told) = sync_channel(QUEUE);
        let lag_bytes = LAG_BYTES.min(outbox_bytes_max / 2);
        let thread = std::thread::Builder::new()
            .name("xos-publisher".into())
            .spawn(move || publish(&told, lag_bytes))?;
        Ok(Self { notes: Some(notes), thread: Some(thread), followed: HashSet::new() })
    }

    /// Whether the thread is gone: it panicked, and whoever read is to begin anew.
    pub(crate) fn is_gone(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    fn tell(&self, note: Note) {
        if let Some(notes) = &self.notes {
            // A thread that is gone is noticed by its gateway.
            let _ = notes.send(note);
        }
    }

    /// Begins a subscription; whether there is such an instrument. The engine stands where the last frame told ends.
    pub(crate) fn begin(&mut self, engine: &Engine, id: u64, wish: Subscription, line: Arc<Line>) -> bool {
        let feed = if self.followed.contains(&wish.instrument) {
            None
        } else {
            let Some(feed) = Feed::of(engine, wish.instrument) else { return false };
            self.followed.insert(wish.instrument);
            Some(Box::new(feed))
        };
        self.tell(Note::Begin(feed, id, wish, line));
        true
    }

    /// Ends a subscription of a connection.
    pub(crate) fn leave(&self, connection: u64, subscription: Subscription) {
        self.tell(Note::Leave(connection, subscription));
    }

    /// Lets the feeds follow a frame.
    pub(crate) fn frame(&self, frame: &Arc<DurableFrame>) {
        if !self.followed.is_empty() && !frame.events.is_empty() {
            self.tell(Note::Frame(frame.clone()));
        }
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.notes = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Subscriber {
    connection: u64,
    line: Arc<Line>,
    /// Changes are left out until it has read everything.
    lags: bool,
    /// Something was queued since it was last sent to, or waits.
    waits: bool,
}

#[derive(Default)]
struct Feeds {
    lag_bytes: usize,
    feeds: HashMap<u32, Feed>,
    subscribers: HashMap<(u32, u8), Vec<Subscriber>>,
}

/// Takes notes until nobody is there any more to write them.
fn publish(notes: &Receiver<Note>, lag_bytes: usize) {
    let mut feeds = Feeds { lag_bytes, ..Feeds::default() };
    let mut waits = false;
    loop {
        let first = if waits {
            notes.recv_timeout(AGAIN)
        } else {
            notes.recv().map_err(|_| RecvTimeoutError::Disconnected)
        };
        match first {
            Ok(note) => feeds.take(note),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        // What has come meanwhile goes out with it.
        notes.try_iter().take(QUEUE).for_each(|note| feeds.take(note));
        waits = feeds.send();
    }
}

impl Feeds {
    fn take(&mut self, note: Note) {
        match note {
            Note::Frame(frame) => self.follow(&frame),
            Note::Begin(feed, connection, wish, line) => self.begin(feed, connection, wish, line),
            Note::Leave(connection, at) => {
                if let Some(list) = self.subscribers.get_mut(&(at.instrument, at.level)) {
                    list.retain(|subscriber| subscriber.connection != connection);
                }
            }
        }
    }

    fn begin(&mut self, feed: Option<Box<Feed>>, connection: u64, wish: Subscription, line: Arc<Line>) {
        if let Some(feed) = feed {
            self.feeds.insert(wish.instrument, *feed);
        }
        let Some(feed) = self.feeds.get_mut(&wish.instrument) else { return };
        feed.follow(wish.level);
        let lines = feed.from(wish.level, wish.from_number);
        line.say_lines(&lines.unwrap_or_else(|| feed.whole(wish.level)));
        let list = self.subscribers.entry((wish.instrument, wish.level)).or_default();
        list.retain(|subscriber| subscriber.connection != connection);
        list.push(Subscriber { connection, line, lags: false, waits: true });
    }

    fn follow(&mut self, frame: &DurableFrame) {
        for event in &frame.events {
            if let Some(feed) = self.feeds.get_mut(&event.instrument) {
                feed.hear(event);
            }
        }
        for feed in self.feeds.values_mut() {
            feed.end();
        }
        for ((instrument, level), list) in &mut self.subscribers {
            let Some(page) = self.feeds.get(instrument).and_then(|feed| feed.page(*level)) else { continue };
            for subscriber in list {
                subscriber.lags |= subscriber.line.waiting() > self.lag_bytes;
                if !subscriber.lags {
                    subscriber.line.share(page);
                    subscriber.waits = true;
                }
            }
        }
    }

    /// Sends to everybody; whether something waits. Who was left out and has read everything since gets a whole book.
    fn send(&mut self) -> bool {
        let mut waits = false;
        for ((instrument, level), list) in &mut self.subscribers {
            let Some(feed) = self.feeds.get(instrument) else { continue };
            list.retain_mut(|subscriber| {
                let line = &subscriber.line;
                if !subscriber.waits && !subscriber.lags {
                    return true;
                }
                let sent = match line.send() {
                    Sent::Waits(0) if subscriber.lags => {
                        subscriber.lags = false;
                        line.say_lines(&feed.whole(*level));
                        line.send()
                    }
                    sent => sent,
                };
                subscriber.waits = matches!(sent, Sent::Waits(bytes) if bytes > 0);
                waits |= subscriber.waits;
                // Its gateway hears of a broken socket by itself.
                sent != Sent::Failed
            });
        }
        for list in self.subscribers.values_mut() {
            list.retain(|subscriber| !subscriber.line.is_closed());
        }
        waits
    }
}
