//! Changes of a book as they are sent: the messages are made once, and every reader is sent the same bytes.

use std::collections::VecDeque;
use std::sync::Arc;
use xos_protocol::{FeedRecord, MESSAGE_HEADER_BYTES, MessageHeader, MessageKind};
use zerocopy::{FromBytes, IntoBytes};

/// Changes of a feed that are kept for who asks from a number.
const KEPT: usize = 65_536;
/// Records of one message at most.
const RECORDS_PER_MESSAGE: usize = 1_024;

/// The header of a message of a feed: its number is that of the first change in it, the same for every reader.
fn feed_header(first: u64, count: usize) -> MessageHeader {
    let kind = MessageKind::Feed;
    MessageHeader::new(kind, first, 0, kind.record_bytes(), count as u16)
}

/// Adds the messages of lines of a book that one reader alone is sent.
pub(crate) fn push_lines(bytes: &mut Vec<u8>, lines: &[FeedRecord]) {
    for piece in lines.chunks(RECORDS_PER_MESSAGE) {
        bytes.extend_from_slice(feed_header(piece[0].number, piece.len()).as_bytes());
        bytes.extend_from_slice(piece.as_bytes());
    }
}

/// The messages that one frame made for a feed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Page {
    first: u64,
    count: usize,
    bytes: Vec<u8>,
}

impl Page {
    /// What is sent.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The changes in it.
    pub fn records(&self) -> impl Iterator<Item = FeedRecord> {
        let size = size_of::<FeedRecord>();
        let messages = self.bytes.chunks(MESSAGE_HEADER_BYTES + RECORDS_PER_MESSAGE * size);
        let records = messages.flat_map(move |message| message[MESSAGE_HEADER_BYTES..].chunks_exact(size));
        records.filter_map(|bytes| FeedRecord::read_from_bytes(bytes).ok())
    }
}

/// The last pages of one level of detail of a feed.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    number: u64,
    kept: VecDeque<Arc<Page>>,
    kept_records: usize,
    /// Of the frame under way.
    fresh: Page,
    /// Where the header of the message under way stands, and how many records it has.
    message_at: usize,
    message_records: usize,
    /// Whether the last frame made a page.
    has_told: bool,
}

impl Pages {
    /// Number of the last change.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Adds a change of the frame under way; it gets the next number.
    #[inline]
    pub(crate) fn push(&mut self, mut record: FeedRecord) {
        if self.message_records == RECORDS_PER_MESSAGE || self.fresh.count == 0 {
            self.begin_message();
        }
        self.number += 1;
        record.number = self.number;
        self.fresh.bytes.extend_from_slice(record.as_bytes());
        self.fresh.count += 1;
        self.message_records += 1;
    }

    fn begin_message(&mut self) {
        self.end_message();
        if self.fresh.count == 0 {
            self.fresh.first = self.number + 1;
        }
        self.message_at = self.fresh.bytes.len();
        self.fresh.bytes.extend_from_slice(&[0; MESSAGE_HEADER_BYTES]);
    }

    fn end_message(&mut self) {
        let count = std::mem::take(&mut self.message_records);
        if count > 0 {
            let header = feed_header(self.number + 1 - count as u64, count);
            let place = self.message_at..self.message_at + MESSAGE_HEADER_BYTES;
            self.fresh.bytes[place].copy_from_slice(header.as_bytes());
        }
    }

    /// Ends a frame: what it changed is a page, if anything.
    pub(crate) fn end(&mut self) {
        self.end_message();
        self.has_told = self.fresh.count > 0;
        if !self.has_told {
            return;
        }
        self.kept_records += self.fresh.count;
        let mut spare = Vec::new();
        while let Some(oldest) = self.kept.front()
            && self.kept_records - oldest.count >= KEPT
        {
            self.kept_records -= oldest.count;
            // Once all have been sent it, its memory is the next one's.
            if let Some(Ok(page)) = self.kept.pop_front().map(Arc::try_unwrap) {
                spare = page.bytes;
            }
        }
        spare.clear();
        let page = std::mem::replace(&mut self.fresh, Page { first: 0, count: 0, bytes: spare });
        self.kept.push_back(Arc::new(page));
    }

    /// The page of the last frame; `None` if it changed nothing.
    pub(crate) fn last(&self) -> Option<&Arc<Page>> {
        self.kept.back().filter(|_| self.has_told)
    }

    /// The changes from a number on; `None` if they are no longer kept, or never were.
    pub(crate) fn from(&self, number: u64) -> Option<Vec<FeedRecord>> {
        let due = self.number + 1;
        if number == 0 || number > due || due - number > self.kept_records as u64 {
            return None;
        }
        let pages = self.kept.iter().filter(|page| page.first + page.count as u64 > number);
        Some(pages.flat_map(|page| page.records()).filter(|record| record.number >= number).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_whole_messages_with_the_number_of_their_first_change() {
        let mut pages = Pages::default();
        pages.end();
        assert!(pages.last().is_none());
        for order_id in 1..=3_000 {
            pages.push(FeedRecord { order_id, ..Default::default() });
        }
        pages.end();
        let page = pages.last().expect("a page").clone();
        let mut rest = page.bytes();
        let mut headers = Vec::new();
        while let Ok(Some(header)) = MessageHeader::read(rest, u32::MAX) {
            headers.push((header.number(), header.count));
            rest = &rest[header.length as usize..];
        }
        assert_eq!((headers, rest.len()), (vec![(1, 1_024), (1_025, 1_024), (2_049, 952)], 0));
        let numbers: Vec<_> = page.records().map(|record| (record.number, record.order_id)).collect();
        assert_eq!(numbers, (1..=3_000).map(|number| (number, number)).collect::<Vec<_>>());
        pages.end();
        assert!(pages.last().is_none(), "a frame without changes has no page");
    }

    #[test]
    fn the_last_changes_are_kept_by_number() {
        let mut pages = Pages::default();
        let frames = 2 * KEPT / 1_000 + 1;
        for _ in 0..frames {
            (0..1_000).for_each(|_| pages.push(FeedRecord::default()));
            pages.end();
        }
        let last = pages.number();
        assert_eq!((last, pages.kept_records), (frames as u64 * 1_000, 66_000));
        let numbers = |from| {
            pages.from(from).map(|records| {
                assert!(records.windows(2).all(|pair| pair[1].number == pair[0].number + 1));
                (records.len(), records.first().map(|record| record.number))
            })
        };
        assert_eq!(numbers(last + 1), Some((0, None)));
        assert_eq!(numbers(last - 1_499), Some((1_500, Some(last - 1_499))));
        assert_eq!(numbers(last - 65_999), Some((66_000, Some(last - 65_999))));
        assert_eq!((numbers(last - 66_000), numbers(last + 2), numbers(0)), (None, None, None));
    }
}
