//! Going through the frames of one segment, and judging what stands where they stop.

use std::sync::Arc;

use crate::disk::DiskFile;
use crate::error::JournalError;
use crate::frame::{self, FRAME_ALIGN, FRAME_HEADER_BYTES, Flaw, FrameHeader, Position, u32_at};
use crate::segment::{SECTOR_BYTES, SEGMENT_HEADER_BYTES, SegmentHeader, read_exact};

/// Read ahead by this much: large enough for the disk, small enough for the cache.
const CHUNK_BYTES: usize = 1 << 20;

/// What stands at the cursor.
pub(crate) enum Step {
    /// A sound frame that continues the log.
    Frame(FrameHeader, Position),
    /// Nothing, up to the end of the segment.
    End,
    /// Something else.
    Bad(Flaw),
}

/// Walks the frames of one segment with one reused buffer.
pub(crate) struct FrameCursor {
    pub(crate) file: Arc<dyn DiskFile>,
    pub(crate) name: String,
    seed: u32,
    capacity: u64,
    /// Where the next frame is expected.
    pub(crate) offset: u64,
    buffer: Vec<u8>,
    /// The file offset of `buffer[0]`.
    base: u64,
    /// The last frame in the buffer.
    frame: std::ops::Range<usize>,
}

impl FrameCursor {
    pub(crate) fn new(file: Arc<dyn DiskFile>, name: &str, header: &SegmentHeader, buffer: Vec<u8>) -> Self {
        let mut cursor = Self {
            file,
            name: name.to_string(),
            seed: header.seed(),
            capacity: header.capacity,
            offset: SEGMENT_HEADER_BYTES,
            buffer,
            base: SEGMENT_HEADER_BYTES,
            frame: 0..0,
        };
        cursor.buffer.clear();
        cursor
    }

    /// Gives the buffer to the next segment's cursor.
    pub(crate) fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }

    /// The payload of the last frame.
    pub(crate) fn payload(&self, header: &FrameHeader) -> &[u8] {
        &self.buffer[self.frame.clone()][FRAME_HEADER_BYTES..][..header.payload_len as usize]
    }

    /// Looks at the next frame and, if it is sound, passes it.
    pub(crate) fn step(&mut self, previous: &Position, chained: bool) -> Result<Step, JournalError> {
        let room = self.capacity - self.offset;
        if room < FRAME_HEADER_BYTES as u64 {
            let zero = self.rest_is_zero()?;
            return Ok(if zero { Step::End } else { Step::Bad(Flaw::Magic) });
        }
        let at = self.fill(FRAME_HEADER_BYTES)?;
        let mut bytes = [0; FRAME_HEADER_BYTES];
        bytes.copy_from_slice(&self.buffer[at..at + FRAME_HEADER_BYTES]);
        if u32_at(&bytes, 0) == 0 {
            let zero = self.rest_is_zero()?;
            return Ok(if zero { Step::End } else { Step::Bad(Flaw::Missing) });
        }
        let header = match frame::decode(&bytes, room) {
            Ok(header) => header,
            Err(flaw) => return Ok(Step::Bad(flaw)),
        };
        let size = header.frame_bytes() as usize;
        let at = self.fill(size)?;
        let whole = &self.buffer[at..at + size];
        let next = frame::check(&header, self.seed, whole)
            .and_then(|()| frame::follow(&header, whole, previous, chained));
        match next {
            Ok(position) => {
                self.frame = at..at + size;
                self.offset += size as u64;
                Ok(Step::Frame(header, position))
            }
            Err(flaw) => Ok(Step::Bad(flaw)),
        }
    }

    /// The next frame of a log that is being written, if it stands there whole. What was read ahead may be older than
    /// what stands there by now, so nothing is concluded from it.
    pub(crate) fn step_behind_writer(
        &mut self,
        previous: &Position,
    ) -> Result<Option<(FrameHeader, Position)>, JournalError> {
        if self.capacity - self.offset < FRAME_HEADER_BYTES as u64 {
            return Ok(None);
        }
        if let Some(found) = self.whole_frame(previous)? {
            return Ok(Some(found));
        }
        self.buffer.clear();
        self.base = self.offset;
        let mut magic = [0; 4];
        read_exact(&*self.file, &self.name, &mut magic, self.offset)?;
        if magic == [0; 4] { Ok(None) } else { self.whole_frame(previous) }
    }

    fn whole_frame(&mut self, previous: &Position) -> Result<Option<(FrameHeader, Position)>, JournalError> {
        let at = self.fill(FRAME_HEADER_BYTES)?;
        let mut bytes = [0; FRAME_HEADER_BYTES];
        bytes.copy_from_slice(&self.buffer[at..at + FRAME_HEADER_BYTES]);
        let Ok(header) = frame::decode(&bytes, self.capacity - self.offset) else { return Ok(None) };
        let size = header.frame_bytes() as usize;
        let at = self.fill(size)?;
        let whole = &self.buffer[at..at + size];
        let next = frame::check(&header, self.seed, whole)
            .and_then(|()| frame::follow(&header, whole, previous, true));
        let Ok(position) = next else { return Ok(None) };
        self.frame = at..at + size;
        self.offset += size as u64;
        Ok(Some((header, position)))
    }

    /// Makes `need` bytes from `offset` on available and returns where they begin in the buffer.
    fn fill(&mut self, need: usize) -> Result<usize, JournalError> {
        let at = (self.offset - self.base) as usize;
        if at + need <= self.buffer.len() {
            return Ok(at);
        }
        self.buffer.copy_within(at.., 0);
        let kept = self.buffer.len() - at;
        self.base = self.offset;
        let want = need.max(CHUNK_BYTES).min((self.capacity - self.offset) as usize);
        self.buffer.resize(want, 0);
        read_exact(&*self.file, &self.name, &mut self.buffer[kept..], self.offset + kept as u64)?;
        Ok(0)
    }

    fn rest_is_zero(&self) -> Result<bool, JournalError> {
        let mut at = self.offset;
        let mut chunk = vec![0; CHUNK_BYTES.min((self.capacity - at) as usize)];
        while at < self.capacity {
            let take = chunk.len().min((self.capacity - at) as usize);
            read_exact(&*self.file, &self.name, &mut chunk[..take], at)?;
            if !is_zero(&chunk[..take]) {
                return Ok(false);
            }
            at += take as u64;
        }
        Ok(true)
    }

    /// Judges what stands at the cursor after [`Step::Bad`].
    pub(crate) fn inspect(&self, expected: u64) -> Result<Damage, JournalError> {
        let mut rest = vec![0; (self.capacity - self.offset) as usize];
        read_exact(&*self.file, &self.name, &mut rest, self.offset)?;
        let dirty = rest.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        let mut later = None;
        let mut durable_sequence = 0;
        let mut at = 0;
        while at + FRAME_HEADER_BYTES <= dirty {
            let Some(header) = sound_frame(&rest, at, self.seed) else {
                at += FRAME_ALIGN;
                continue;
            };
            durable_sequence = durable_sequence.max(header.durable_sequence);
            if header.last_sequence() >= expected && later.is_none() {
                later = Some((at, header.first_sequence));
            }
            at += header.frame_bytes() as usize;
        }
        let damaged = later.map_or(dirty, |(at, _)| at);
        Ok(Damage {
            later: later.map(|(at, sequence)| (self.offset + at as u64, sequence)),
            durable_sequence,
            hole: has_hole(&rest[..damaged], self.offset),
            dirty_end: self.offset + dirty as u64,
        })
    }
}

/// What was found from a bad frame to the end of its segment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Damage {
    /// Offset and first sequence of the first sound frame that carries the expected sequence or a
    /// later one.
    pub(crate) later: Option<(u64, u64)>,
    /// The highest durable sequence that a sound frame in the rest speaks of.
    pub(crate) durable_sequence: u64,
    /// A whole sector of the damaged part is still as pre-allocated: a write that never arrived, as
    /// a power cut leaves it. Bits that rotted leave no such hole.
    pub(crate) hole: bool,
    /// The end of the last byte that is not zero.
    pub(crate) dirty_end: u64,
}

fn sound_frame(rest: &[u8], at: usize, seed: u32) -> Option<FrameHeader> {
    let mut bytes = [0; FRAME_HEADER_BYTES];
    bytes.copy_from_slice(&rest[at..at + FRAME_HEADER_BYTES]);
    let header = frame::decode(&bytes, (rest.len() - at) as u64).ok()?;
    let whole = &rest[at..at + header.frame_bytes() as usize];
    frame::check(&header, seed, whole).ok().map(|()| header)
}

/// Whether one of the sectors that end within the bytes is all zero as far as the bytes cover it. The
/// sector that goes on beyond them holds a later sound frame, so it did arrive.
fn has_hole(bytes: &[u8], offset: u64) -> bool {
    let first = (SECTOR_BYTES - offset % SECTOR_BYTES) as usize;
    let Some((head, body)) = bytes.split_at_checked(first) else { return false };
    is_zero(head) || body.chunks_exact(SECTOR_BYTES as usize).any(is_zero)
}

fn is_zero(bytes: &[u8]) -> bool {
    let (words, rest) = bytes.as_chunks::<8>();
    words.iter().all(|word| u64::from_ne_bytes(*word) == 0) && rest.iter().all(|&byte| byte == 0)
}
