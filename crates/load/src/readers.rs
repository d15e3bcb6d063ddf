//! Readers of market data beside the load: one thread that takes what all of them are sent, as cheaply as it can, and
//! follows every number: how fast a server is means nothing if a reader misses a change.

use crate::lanes::lane_request;
use crate::processor::own_ns;
use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;
use xos_protocol::{FeedAction, FeedRecord, MESSAGE_HEADER_BYTES, MessageHeader, MessageKind, Subscription};
use xos_server::{Client, ClientError};
use zerocopy::FromBytes;

const PAUSE: Duration = Duration::from_millis(1);
/// One for all readers, so that it stays in the processor's cache.
const ROOM_BYTES: usize = 256 << 10;

/// What all readers read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    /// Changes, without the lines of whole books.
    pub(crate) changes: u64,
    /// Whole books: the first one of each reader, and one for each time that it was left out.
    pub(crate) books: u64,
    /// Changes whose number is not one more than that of the one before.
    pub(crate) gaps: u64,
    /// Readers that were cut, or read what is no message.
    pub(crate) lost: u64,
    /// Processor time that reading took, nanoseconds.
    pub(crate) processor_ns: u64,
}

/// One reader: where it stands within what is sent.
#[derive(Debug, Default)]
struct Follower {
    /// The beginning of a header or record whose rest has not come.
    cut: Vec<u8>,
    /// Bytes that are left of the message, and whether they are changes.
    left: usize,
    is_feed: bool,
    number: u64,
    in_book: bool,
}

impl Follower {
    /// Reads what came and keeps what is not whole; false if it is no message.
    fn read(&mut self, mut bytes: &[u8], heard: &mut Heard) -> bool {
        loop {
            let unit = match (self.left, self.is_feed) {
                (0, _) => MESSAGE_HEADER_BYTES,
                (_, true) => size_of::<FeedRecord>(),
                (left, false) => {
                    let skipped = left.min(bytes.len());
                    (self.left, bytes) = (left - skipped, &bytes[skipped..]);
                    if self.left > 0 {
                        return true;
                    }
                    continue;
                }
            };
            let Some((whole, rest)) = bytes.split_at_checked(unit) else {
                self.cut.clear();
                self.cut.extend_from_slice(bytes);
                return true;
            };
            bytes = rest;
            if self.left == 0 {
                let Ok(Some(header)) = MessageHeader::read(whole, u32::MAX) else { return false };
                self.left = header.length as usize - MESSAGE_HEADER_BYTES;
                self.is_feed = header.kind == MessageKind::Feed.code();
            } else {
                self.left -= unit;
                let Ok(record) = FeedRecord::read_from_bytes(whole) else { return false };
                self.follow(&record, heard);
            }
        }
    }

    #[inline]
    fn follow(&mut self, record: &FeedRecord, heard: &mut Heard) {
        if record.action == FeedAction::Clear.code() {
            (self.number, self.in_book) = (record.number, true);
            heard.books += 1;
        } else if record.action == FeedAction::Ready.code() {
            self.in_book = false;
        } else if !self.in_book {
            heard.changes += 1;
            heard.gaps += u64::from(record.number != self.number + 1);
            self.number = record.number;
        }
    }
}

/// The readers.
pub(crate) struct Readers {
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<Heard>>,
}

impl Readers {
    /// Subscribes so many to instrument 1, by order, under the key behind those of the lanes.
    pub(crate) fn start(address: SocketAddr, lanes: usize, count: usize) -> Result<Self, ClientError> {
        let mut streams = Vec::new();
        for reader in 0..count {
            let mut request = lane_request(lanes);
            request.session = reader as u32;
            let mut client = Client::log_on(address, &request, Duration::from_secs(10))?;
            let wish = Subscription { instrument: 1, level: 3, ..Default::default() };
            client.queue(MessageKind::Subscribe, 0, &[wish]);
            client.send()?;
            let (stream, came) = client.into_stream();
            stream.set_nonblocking(true)?;
            streams.push((stream, came));
        }
        let stopping = Arc::new(AtomicBool::new(false));
        let told = stopping.clone();
        let work = move || read_all(streams, &told);
        let thread = match count {
            0 => None,
            _ => Some(std::thread::Builder::new().name("xos-readers".into()).spawn(work)?),
        };
        Ok(Self { stopping, thread })
    }

    /// Hangs up; what they read.
    pub(crate) fn stop(self) -> Heard {
        self.stopping.store(true, Relaxed);
        self.thread.and_then(|thread| thread.join().ok()).unwrap_or_default()
    }
}

fn read_all(streams: Vec<(TcpStream, Vec<u8>)>, stopping: &AtomicBool) -> Heard {
    let mut heard = Heard::default();
    let mut room = vec![0; ROOM_BYTES];
    let mut readers = Vec::new();
    for (stream, came) in streams {
        let mut follower = Follower::default();
        heard.lost += u64::from(!follower.read(&came, &mut heard));
        readers.push((stream, follower));
    }
    while !stopping.load(Relaxed) {
        readers.retain_mut(|(stream, follower)| {
            let stays = take(stream, follower, &mut room, &mut heard);
            heard.lost += u64::from(!stays);
            stays
        });
        std::thread::sleep(PAUSE);
    }
    heard.processor_ns = own_ns();
    heard
}

/// Takes what has come for one reader; whether it is still there.
fn take(stream: &mut TcpStream, follower: &mut Follower, room: &mut [u8], heard: &mut Heard) -> bool {
    loop {
        let cut = std::mem::take(&mut follower.cut);
        room[..cut.len()].copy_from_slice(&cut);
        let (done, filled) = match stream.read(&mut room[cut.len()..]) {
            Ok(0) => return false,
            Ok(bytes) => (cut.len() + bytes, cut.len() + bytes == room.len()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                follower.cut = cut;
                return true;
            }
            Err(_) => return false,
        };
        if !follower.read(&room[..done], heard) {
            return false;
        }
        if !filled {
            return true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zerocopy::IntoBytes;

    fn message(numbers: &[(u64, FeedAction)]) -> Vec<u8> {
        let kind = MessageKind::Feed;
        let header = MessageHeader::new(kind, 1, 0, kind.record_bytes(), numbers.len() as u16);
        let mut bytes = header.as_bytes().to_vec();
        for (number, action) in numbers {
            let record = FeedRecord { number: *number, action: action.code(), ..Default::default() };
            bytes.extend_from_slice(record.as_bytes());
        }
        bytes
    }

    #[test]
    fn every_number_is_followed_however_the_bytes_are_cut() {
        use FeedAction::{Add, Clear, Ready, Remove};
        let mut all = message(&[(7, Clear), (7, Add), (7, Ready), (8, Add)]);
        all.extend_from_slice(MessageHeader::new(MessageKind::Heartbeat, 1, 0, 16, 1).as_bytes());
        all.extend_from_slice(&[0; 16]);
        all.extend(message(&[(9, Remove), (10, Add)]));
        for piece in 1..all.len() {
            let (mut follower, mut heard) = (Follower::default(), Heard::default());
            for bytes in all.chunks(piece) {
                let mut came = std::mem::take(&mut follower.cut);
                came.extend_from_slice(bytes);
                assert!(follower.read(&came, &mut heard));
            }
            assert_eq!((heard.changes, heard.books, heard.gaps), (3, 1, 0), "pieces of {piece}");
        }
        let (mut follower, mut heard) = (Follower::default(), Heard::default());
        assert!(
            follower.read(&message(&[(7, Clear), (7, Ready), (9, Add), (10, Add), (10, Add)]), &mut heard)
        );
        assert_eq!((heard.changes, heard.gaps), (3, 2));
        assert!(!follower.read(&[255; 64], &mut heard));
    }
}
