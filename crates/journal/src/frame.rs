//! One frame: a fixed header and its payload, checked by CRC32C and chained by BLAKE3.
//!
//! ```text
//! offset size field              offset size field
//!      0    4 magic "XOSF"           28    4 payload_len
//!      4    2 version                32    8 durable_sequence
//!      6    2 kind                   40    4 crc32c
//!      8    8 first_sequence         44    4 reserved, zero
//!     16    8 time_ns                48   32 hash
//!     24    4 count                  80      payload, zero-padded to a multiple of 8
//! ```
//!
//! `hash` = BLAKE3(previous frame's hash, bytes 0..48 with a zero crc32c, payload).
//! `crc32c` covers the header (with itself zero) and the payload, and is seeded with the checksum of
//! the segment's header: a frame that strayed in from another segment, or that somebody put inside
//! a payload, is not taken for a frame of this segment.

use std::fmt;

/// A BLAKE3 hash.
pub type Hash = [u8; 32];

/// Size of a frame's header.
pub const FRAME_HEADER_BYTES: usize = 80;
/// The version of frames and segments that this crate writes and reads.
pub const FORMAT_VERSION: u16 = 1;
/// Frames begin at multiples of this.
pub const FRAME_ALIGN: usize = 8;

const MAGIC: u32 = u32::from_le_bytes(*b"XOSF");
const CRC_AT: usize = 40;
const HASH_AT: usize = 48;

/// A point in the log: everything up to and including `sequence`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The last record's sequence; 0 before the first record.
    pub sequence: u64,
    /// The last frame's time.
    pub time_ns: u64,
    /// The last frame's chain hash; derived from the genesis id before the first frame.
    pub hash: Hash,
}

/// The header of a frame, decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHeader {
    /// What the payload is; the journal does not look at it.
    pub kind: u16,
    /// Sequence of the first record.
    pub first_sequence: u64,
    /// Time given by the sequencer.
    pub time_ns: u64,
    /// Number of records, at least 1.
    pub count: u32,
    /// Payload size in bytes, without padding.
    pub payload_len: u32,
    /// The highest sequence known to be durable when the frame was written.
    pub durable_sequence: u64,
    /// Checksum over header and payload.
    pub crc32c: u32,
    /// Chain hash.
    pub hash: Hash,
}

impl FrameHeader {
    /// Sequence of the last record.
    pub fn last_sequence(&self) -> u64 {
        self.first_sequence + (u64::from(self.count) - 1)
    }

    /// Bytes on disk: header, payload, padding.
    pub fn frame_bytes(&self) -> u64 {
        frame_bytes(u64::from(self.payload_len))
    }

    fn position(&self) -> Position {
        Position { sequence: self.last_sequence(), time_ns: self.time_ns, hash: self.hash }
    }
}

/// Bytes on disk of a frame with a payload of the given size.
pub fn frame_bytes(payload_bytes: u64) -> u64 {
    (FRAME_HEADER_BYTES as u64 + payload_bytes).next_multiple_of(FRAME_ALIGN as u64)
}

/// What is wrong with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// Zeros where a frame was expected, and something after them.
    Missing,
    /// No frame begins here.
    Magic,
    /// A version this program does not know.
    Version(u16),
    /// A field that must have one value has another.
    Field,
    /// The payload would pass the end of the segment.
    Length(u32),
    /// Checksum and content differ.
    Checksum,
    /// The padding after the payload is not zero.
    Padding,
    /// The frame is sound but its first sequence is not the next one.
    Sequence(u64),
    /// The frame is sound but older than its predecessor.
    Time(u64),
    /// The frame is sound but does not continue the hash chain.
    Chain,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => write!(f, "zeros where a frame should be"),
            Self::Magic => write!(f, "no frame begins here"),
            Self::Version(found) => write!(f, "frame version {found}, expected {FORMAT_VERSION}"),
            Self::Field => write!(f, "a fixed field of the header has a wrong value"),
            Self::Length(bytes) => write!(f, "a payload of {bytes} bytes would pass the end of the segment"),
            Self::Checksum => write!(f, "the checksum differs from the content"),
            Self::Padding => write!(f, "the padding is not zero"),
            Self::Sequence(found) => write!(f, "a sound frame with first sequence {found} stands here"),
            Self::Time(found) => write!(f, "a sound frame with the earlier time {found} ns stands here"),
            Self::Chain => write!(f, "a sound frame stands here that does not continue the hash chain"),
        }
    }
}

/// Encodes one frame into `out` (which is cleared) and returns the position after it.
pub(crate) fn encode(
    out: &mut Vec<u8>,
    seed: u32,
    previous: &Position,
    header: FrameHeader,
    payload: &[&[u8]],
) -> Position {
    out.clear();
    out.extend_from_slice(&MAGIC.to_le_bytes());
    out.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
    out.extend_from_slice(&header.kind.to_le_bytes());
    out.extend_from_slice(&header.first_sequence.to_le_bytes());
    out.extend_from_slice(&header.time_ns.to_le_bytes());
    out.extend_from_slice(&header.count.to_le_bytes());
    out.extend_from_slice(&header.payload_len.to_le_bytes());
    out.extend_from_slice(&header.durable_sequence.to_le_bytes());
    out.resize(FRAME_HEADER_BYTES, 0);
    for part in payload {
        out.extend_from_slice(part);
    }
    let end = out.len();
    let hash = chain(&previous.hash, &out[..HASH_AT], &out[FRAME_HEADER_BYTES..]);
    out[HASH_AT..FRAME_HEADER_BYTES].copy_from_slice(&hash);
    let crc = crc32c::crc32c_append(seed, out);
    out[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_le_bytes());
    out.resize(end.next_multiple_of(FRAME_ALIGN), 0);
    FrameHeader { hash, ..header }.position()
}

/// Reads a header. Nothing in it may be believed before [`check`] has passed, except that
/// `payload_len` bytes of payload fit into `room`, the bytes left in the segment from the header on.
pub(crate) fn decode(bytes: &[u8; FRAME_HEADER_BYTES], room: u64) -> Result<FrameHeader, Flaw> {
    if u32_at(bytes, 0) != MAGIC {
        return Err(Flaw::Magic);
    }
    let version = u16_at(bytes, 4);
    if version != FORMAT_VERSION {
        return Err(Flaw::Version(version));
    }
    let header = FrameHeader {
        kind: u16_at(bytes, 6),
        first_sequence: u64_at(bytes, 8),
        time_ns: u64_at(bytes, 16),
        count: u32_at(bytes, 24),
        payload_len: u32_at(bytes, 28),
        durable_sequence: u64_at(bytes, 32),
        crc32c: u32_at(bytes, CRC_AT),
        hash: hash_at(bytes, HASH_AT),
    };
    let last = header.first_sequence.checked_add(u64::from(header.count));
    if u32_at(bytes, 44) != 0 || header.count == 0 || header.first_sequence == 0 || last.is_none() {
        return Err(Flaw::Field);
    }
    if header.frame_bytes() > room {
        return Err(Flaw::Length(header.payload_len));
    }
    Ok(header)
}

/// Checks checksum and padding of a whole frame (header, payload, padding).
pub(crate) fn check(header: &FrameHeader, seed: u32, frame: &[u8]) -> Result<(), Flaw> {
    let end = FRAME_HEADER_BYTES + header.payload_len as usize;
    let crc = crc32c::crc32c_append(seed, &frame[..CRC_AT]);
    let crc = crc32c::crc32c_append(crc, &[0; 4]);
    let crc = crc32c::crc32c_append(crc, &frame[CRC_AT + 4..end]);
    if crc != header.crc32c {
        return Err(Flaw::Checksum);
    }
    if frame[end..].iter().any(|&byte| byte != 0) {
        return Err(Flaw::Padding);
    }
    Ok(())
}

/// Checks that a sound frame continues the log, with or without recomputing its chain hash.
pub(crate) fn follow(
    header: &FrameHeader,
    frame: &[u8],
    previous: &Position,
    chained: bool,
) -> Result<Position, Flaw> {
    if previous.sequence.checked_add(1) != Some(header.first_sequence) {
        return Err(Flaw::Sequence(header.first_sequence));
    }
    if header.time_ns < previous.time_ns {
        return Err(Flaw::Time(header.time_ns));
    }
    if chained {
        let mut fields = [0; HASH_AT];
        fields.copy_from_slice(&frame[..HASH_AT]);
        fields[CRC_AT..CRC_AT + 4].fill(0);
        let payload = &frame[FRAME_HEADER_BYTES..FRAME_HEADER_BYTES + header.payload_len as usize];
        if chain(&previous.hash, &fields, payload) != header.hash {
            return Err(Flaw::Chain);
        }
    }
    Ok(header.position())
}

fn chain(previous: &Hash, fields: &[u8], payload: &[u8]) -> Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(previous);
    hasher.update(fields);
    hasher.update(payload);
    *hasher.finalize().as_bytes()
}

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut field = [0; 4];
    field.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(field)
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut field = [0; 8];
    field.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(field)
}

pub(crate) fn hash_at(bytes: &[u8], at: usize) -> Hash {
    let mut field = [0; 32];
    field.copy_from_slice(&bytes[at..at + 32]);
    field
}

/// The short form of a hash for messages: enough to compare by eye.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use fmt::Write;
    let mut text = String::new();
    for byte in bytes.iter().take(8) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}
