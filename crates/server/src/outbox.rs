//! What waits to be sent to one connection: bytes of its own, and pages of feeds that it shares with other readers.

use crate::page::Page;
use std::collections::VecDeque;
use std::io::{self, IoSlice, Write};
use std::sync::Arc;

/// Pieces that one call sends at most.
const PIECES: usize = 32;

#[derive(Debug)]
enum Piece {
    Own(Vec<u8>),
    Shared(Arc<Page>),
}

impl Piece {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Own(bytes) => bytes,
            Self::Shared(page) => page.bytes(),
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Outbox {
    pieces: VecDeque<Piece>,
    /// Behind all pieces; messages are written here.
    pub(crate) tail: Vec<u8>,
    /// Bytes of the first piece, or of the tail if there is none, that are sent.
    sent: usize,
    /// Bytes of all pieces.
    in_pieces: usize,
}

impl Outbox {
    /// Bytes that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.in_pieces + self.tail.len() - self.sent
    }

    /// Whether anything waits before the tail.
    pub(crate) fn has_pieces(&self) -> bool {
        !self.pieces.is_empty()
    }

    /// Adds a page.
    pub(crate) fn share(&mut self, page: Arc<Page>) {
        if !self.tail.is_empty() {
            self.in_pieces += self.tail.len();
            self.pieces.push_back(Piece::Own(std::mem::take(&mut self.tail)));
        }
        self.in_pieces += page.bytes().len();
        self.pieces.push_back(Piece::Shared(page));
    }

    /// Lets go of everything.
    pub(crate) fn clear(&mut self) {
        self.pieces.clear();
        self.tail.clear();
        (self.sent, self.in_pieces) = (0, 0);
    }

    /// Sends until nothing waits or the other side takes no more, which is the error `WouldBlock`.
    pub(crate) fn send(&mut self, stream: &mut impl Write) -> io::Result<()> {
        while self.waiting() > 0 {
            let mut slices = [IoSlice::new(&[]); PIECES];
            let all = self.pieces.iter().map(Piece::bytes).chain([self.tail.as_slice()]);
            let mut used = 0;
            for (slice, bytes) in slices.iter_mut().zip(all) {
                *slice = IoSlice::new(if used == 0 { &bytes[self.sent..] } else { bytes });
                used += 1;
            }
            match stream.write_vectored(&slices[..used]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(bytes) => self.advance(bytes),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn advance(&mut self, bytes: usize) {
        self.sent += bytes;
        while let Some(first) = self.pieces.front()
            && self.sent >= first.bytes().len()
        {
            self.sent -= first.bytes().len();
            self.in_pieces -= first.bytes().len();
            if let Some(Piece::Own(mut done)) = self.pieces.pop_front()
                && self.tail.capacity() == 0
            {
                done.clear();
                self.tail = done;
            }
        }
        if self.pieces.is_empty() {
            if self.sent == self.tail.len() {
                self.tail.clear();
                self.sent = 0;
            } else if self.sent > self.tail.len() / 2 {
                self.tail.drain(..self.sent);
                self.sent = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::Pages;
    use xos_protocol::FeedRecord;

    /// Takes so many bytes at a time, and then no more until it is asked again.
    struct Narrow {
        taken: Vec<u8>,
        room: usize,
        at_once: usize,
    }

    impl Write for Narrow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = bytes.len().min(self.room).min(self.at_once);
            if taken == 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            self.taken.extend_from_slice(&bytes[..taken]);
            self.room -= taken;
            Ok(taken)
        }

        fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
            let all: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
            self.write(&all)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn own_bytes_and_pages_leave_in_order_whatever_the_socket_takes() {
        let mut pages = Pages::default();
        for at_once in [1, 7, 100, 4_096, 1 << 20] {
            let mut outbox = Outbox::default();
            let mut narrow = Narrow { taken: Vec::new(), room: 0, at_once };
            let mut expected = Vec::new();
            for round in 0..200u64 {
                for _ in 0..round % 4 {
                    pages.push(FeedRecord { sequence: round, ..Default::default() });
                }
                pages.end();
                let own = vec![round as u8; (round * 37 % 101) as usize];
                outbox.tail.extend_from_slice(&own);
                expected.extend_from_slice(&own);
                if let Some(page) = pages.last() {
                    outbox.share(page.clone());
                    expected.extend_from_slice(page.bytes());
                }
                assert_eq!(outbox.waiting(), expected.len() - narrow.taken.len());
                narrow.room = (round * 53 % 311) as usize;
                let sent = outbox.send(&mut narrow);
                assert_eq!(sent.is_ok(), outbox.waiting() == 0, "round {round}");
                assert_eq!(outbox.waiting(), expected.len() - narrow.taken.len());
            }
            narrow.room = usize::MAX;
            outbox.send(&mut narrow).expect("it takes everything");
            assert!(narrow.taken == expected && outbox.waiting() == 0 && outbox.pieces.is_empty());
        }
    }
}
