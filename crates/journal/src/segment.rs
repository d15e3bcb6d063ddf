//! Segment files: their names, their header, their creation and a careful way to read and write.
//!
//! ```text
//! offset size field              offset size field
//!      0    4 magic "XOSJ"           32    8 previous_time_ns
//!      4    2 version                40   32 previous_hash
//!      6    2 reserved, zero         72   32 genesis
//!      8    8 index                 104   20 reserved, zero
//!     16    8 first_sequence        124    4 crc32c of bytes 0..124
//!     24    8 capacity              128      frames, then zeros up to capacity
//! ```
//!
//! A segment is renamed to its name only after its predecessor is durable. So a segment's mere
//! existence proves that every record before it was durable.

use std::sync::{Arc, Mutex, PoisonError};

use crate::disk::{Disk, DiskFile};
use crate::error::JournalError;
use crate::frame::{FORMAT_VERSION, Hash, Position, hash_at, u16_at, u32_at, u64_at};

/// Size of a segment's header.
pub const SEGMENT_HEADER_BYTES: u64 = 128;
/// The smallest allowed segment.
pub const SEGMENT_BYTES_LEAST: u64 = 1024;
/// The largest allowed segment.
pub const SEGMENT_BYTES_MOST: u64 = 4 << 30;
/// The disk's unit of writing: it is lost or kept as a whole.
pub const SECTOR_BYTES: u64 = 512;

/// A temporary file carries this after its name until it is complete.
pub(crate) const TEMPORARY: &str = ".tmp";
const MAGIC: u32 = u32::from_le_bytes(*b"XOSJ");
const CRC_AT: usize = 124;
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// Names one journal: the same in all of its files, different in every other journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GenesisId(pub [u8; 32]);

impl GenesisId {
    /// Derives an id from whatever defines the exchange: its genesis file, its name.
    pub fn derive(from: &[u8]) -> Self {
        Self(*blake3::hash(from).as_bytes())
    }

    /// The position before the first record.
    pub fn origin(&self) -> Position {
        Position { sequence: 0, time_ns: 0, hash: blake3::derive_key("xos-journal 1 genesis", &self.0) }
    }
}

/// The header of a segment, decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentHeader {
    /// 0 for the first segment, then one more each.
    pub index: u64,
    /// Sequence of the first record.
    pub first_sequence: u64,
    /// Size of the whole file.
    pub capacity: u64,
    /// Time of the frame before the first one.
    pub previous_time_ns: u64,
    /// Chain hash of the frame before the first one.
    pub previous_hash: Hash,
    /// The journal it belongs to.
    pub genesis: GenesisId,
}

impl SegmentHeader {
    /// The position just before the first frame.
    pub fn start(&self) -> Position {
        Position {
            sequence: self.first_sequence - 1,
            time_ns: self.previous_time_ns,
            hash: self.previous_hash,
        }
    }

    pub(crate) fn encode(&self) -> [u8; SEGMENT_HEADER_BYTES as usize] {
        let mut bytes = [0; SEGMENT_HEADER_BYTES as usize];
        bytes[..4].copy_from_slice(&MAGIC.to_le_bytes());
        bytes[4..6].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.index.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.first_sequence.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.capacity.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.previous_time_ns.to_le_bytes());
        bytes[40..72].copy_from_slice(&self.previous_hash);
        bytes[72..104].copy_from_slice(&self.genesis.0);
        let crc = crc32c::crc32c(&bytes[..CRC_AT]);
        bytes[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// The seed of the checksums of this segment's frames.
    pub(crate) fn seed(&self) -> u32 {
        crc32c::crc32c(&self.encode())
    }
}

/// The name of the segment that begins with a sequence.
pub fn segment_name(first_sequence: u64) -> String {
    format!("segment-{first_sequence:020}.xosj")
}

/// The first sequence in a segment's name; `None` if the name is not a segment's.
pub(crate) fn parse_name(name: &str) -> Option<u64> {
    parse_numbered(name, "segment-", ".xosj")
}

/// The number in `<prefix><20 digits><suffix>`.
pub(crate) fn parse_numbered(name: &str, prefix: &str, suffix: &str) -> Option<u64> {
    let digits = name.strip_prefix(prefix)?.strip_suffix(suffix)?;
    if digits.len() != 20 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

/// Reads and checks the header of a segment.
pub(crate) fn read_header(
    file: &dyn DiskFile,
    name: &str,
    sequence: u64,
    genesis: Option<GenesisId>,
) -> Result<SegmentHeader, JournalError> {
    let size = file.size().map_err(|e| JournalError::io("read the size of", name, 0, e))?;
    if size < SEGMENT_HEADER_BYTES {
        return Err(JournalError::segment(name, size, sequence, format!("the file has only {size} bytes")));
    }
    let mut bytes = [0; SEGMENT_HEADER_BYTES as usize];
    read_exact(file, name, &mut bytes, 0)?;
    if u32_at(&bytes, 0) != MAGIC {
        return Err(JournalError::segment(
            name,
            0,
            sequence,
            "its header does not begin with the magic number",
        ));
    }
    if u32_at(&bytes, CRC_AT) != crc32c::crc32c(&bytes[..CRC_AT]) {
        return Err(JournalError::segment(
            name,
            0,
            sequence,
            "the checksum of its header differs from the content",
        ));
    }
    let version = u16_at(&bytes, 4);
    if version != FORMAT_VERSION {
        let file = name.to_string();
        return Err(JournalError::WrongVersion { file, found: version, supported: FORMAT_VERSION });
    }
    let header = SegmentHeader {
        index: u64_at(&bytes, 8),
        first_sequence: u64_at(&bytes, 16),
        capacity: u64_at(&bytes, 24),
        previous_time_ns: u64_at(&bytes, 32),
        previous_hash: hash_at(&bytes, 40),
        genesis: GenesisId(hash_at(&bytes, 72)),
    };
    if let Some(expected) = genesis.filter(|expected| *expected != header.genesis) {
        let (file, found) = (name.to_string(), header.genesis.0);
        return Err(JournalError::WrongGenesis { file, found, expected: expected.0 });
    }
    if header.capacity != size {
        let why = format!("the file has {size} bytes, its header says {}", header.capacity);
        return Err(JournalError::segment(name, size.min(header.capacity), sequence, why));
    }
    if header.first_sequence == 0 {
        return Err(JournalError::segment(name, 16, sequence, "its first sequence is 0, the least is 1"));
    }
    Ok(header)
}

/// Creates a file of zeros under a temporary name. Zeros now mean that a later `fdatasync` has no
/// metadata to write, which halves its cost.
pub(crate) fn preallocate(
    disk: &dyn Disk,
    name: &str,
    bytes: u64,
) -> Result<Arc<dyn DiskFile>, JournalError> {
    let file = disk.create(name).map_err(|e| JournalError::io("create", name, 0, e))?;
    if let Err(error) = write_zeros(&*file, name, 0, bytes) {
        // A full disk shall not stay full of zeros that nobody needs. The next start would remove it, too.
        let _ = disk.remove(name);
        return Err(error);
    }
    Ok(file)
}

pub(crate) fn write_zeros(file: &dyn DiskFile, name: &str, from: u64, to: u64) -> Result<(), JournalError> {
    let mut at = from;
    while at < to {
        let take = (to - at).min(ZEROS.len() as u64) as usize;
        write_all(file, name, &ZEROS[..take], at)?;
        at += take as u64;
    }
    Ok(())
}

/// Writes all bytes, going on after a short or interrupted write.
pub(crate) fn write_all(file: &dyn DiskFile, name: &str, bytes: &[u8], at: u64) -> Result<(), JournalError> {
    let mut done = 0;
    while done < bytes.len() {
        let offset = at + done as u64;
        match file.write_at(&bytes[done..], offset) {
            Ok(0) => {
                return Err(JournalError::io("write", name, offset, std::io::ErrorKind::WriteZero.into()));
            }
            Ok(written) => done += written,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(JournalError::io("write", name, offset, error)),
        }
    }
    Ok(())
}

/// Fills the whole buffer, going on after a short or interrupted read.
pub(crate) fn read_exact(
    file: &dyn DiskFile,
    name: &str,
    buffer: &mut [u8],
    at: u64,
) -> Result<(), JournalError> {
    let mut done = 0;
    while done < buffer.len() {
        let offset = at + done as u64;
        match file.read_at(&mut buffer[done..], offset) {
            Ok(0) => {
                return Err(JournalError::io("read", name, offset, std::io::ErrorKind::UnexpectedEof.into()));
            }
            Ok(read) => done += read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(JournalError::io("read", name, offset, error)),
        }
    }
    Ok(())
}

/// A segment being written. Its syncs go one after the other, and after the first failed one none is
/// tried again: the kernel may have marked the lost pages clean, and a second `fdatasync` would
/// report success for bytes that are gone.
pub(crate) struct SyncedFile {
    pub(crate) file: Arc<dyn DiskFile>,
    pub(crate) name: String,
    failure: Mutex<Option<JournalError>>,
    /// Off only in negative controls: then a failed sync is forgotten and may be tried again.
    remember: bool,
}

impl SyncedFile {
    pub(crate) fn new(file: Arc<dyn DiskFile>, name: String, remember: bool) -> Arc<Self> {
        Arc::new(Self { file, name, failure: Mutex::new(None), remember })
    }

    pub(crate) fn sync_data(&self) -> Result<(), JournalError> {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(first) = &*failure {
            return Err(JournalError::Poisoned { first: Box::new(first.clone()) });
        }
        self.file.sync_data().map_err(|error| {
            let error = JournalError::io("sync", &self.name, 0, error);
            *failure = self.remember.then(|| error.clone());
            error
        })
    }
}
