//! Snapshots: the state at one sequence, in one file, complete or absent.
//!
//! ```text
//! offset size field              offset size field
//!      0    4 magic "XOSS"           56   32 state_hash
//!      4    2 version                88   32 chain_hash
//!      6    2 reserved, zero        120    8 body_len
//!      8    8 sequence              128   32 body_hash (BLAKE3)
//!     16    8 time_ns               160    4 crc32c of bytes 0..160
//!     24   32 genesis               164      zeros up to 192, then the body
//! ```

use std::sync::Arc;

use crate::disk::{Access, Disk, DiskFile};
use crate::error::JournalError;
use crate::frame::{FORMAT_VERSION, Hash, Position, hash_at, u16_at, u32_at, u64_at};
use crate::segment::{GenesisId, TEMPORARY, parse_numbered, read_exact, write_all};

/// Size of a snapshot's header.
pub const SNAPSHOT_HEADER_BYTES: u64 = 192;

const MAGIC: u32 = u32::from_le_bytes(*b"XOSS");
const CRC_AT: usize = 160;
const BUFFER_BYTES: usize = 1 << 20;

/// What a snapshot's header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotInfo {
    /// The file.
    pub file: String,
    /// The log position whose effects the state contains.
    pub at: Position,
    /// The hash of the state, as the caller computed it.
    pub state_hash: Hash,
    /// Size of the body.
    pub body_bytes: u64,
    /// BLAKE3 of the body.
    pub body_hash: Hash,
}

/// The name of the snapshot at a sequence.
pub fn snapshot_name(sequence: u64) -> String {
    format!("snapshot-{sequence:020}.xoss")
}

pub(crate) fn parse_name(name: &str) -> Option<u64> {
    parse_numbered(name, "snapshot-", ".xoss")
}

fn encode(info: &SnapshotInfo, genesis: GenesisId) -> [u8; SNAPSHOT_HEADER_BYTES as usize] {
    let mut bytes = [0; SNAPSHOT_HEADER_BYTES as usize];
    bytes[..4].copy_from_slice(&MAGIC.to_le_bytes());
    bytes[4..6].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    bytes[8..16].copy_from_slice(&info.at.sequence.to_le_bytes());
    bytes[16..24].copy_from_slice(&info.at.time_ns.to_le_bytes());
    bytes[24..56].copy_from_slice(&genesis.0);
    bytes[56..88].copy_from_slice(&info.state_hash);
    bytes[88..120].copy_from_slice(&info.at.hash);
    bytes[120..128].copy_from_slice(&info.body_bytes.to_le_bytes());
    bytes[128..160].copy_from_slice(&info.body_hash);
    let crc = crc32c::crc32c(&bytes[..CRC_AT]);
    bytes[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// Reads a snapshot's header. A damaged one is `CorruptSnapshot`; a sound one of another journal or
/// version is an error of its own kind.
pub(crate) fn read_header(
    disk: &dyn Disk,
    name: &str,
    sequence: u64,
    genesis: GenesisId,
) -> Result<SnapshotInfo, JournalError> {
    let corrupt = |offset, why: &str| {
        Err(JournalError::CorruptSnapshot { file: name.to_string(), offset, sequence, why: why.to_string() })
    };
    let file = disk.open(name, Access::Read).map_err(|e| JournalError::io("open", name, 0, e))?;
    let size = file.size().map_err(|e| JournalError::io("read the size of", name, 0, e))?;
    if size < SNAPSHOT_HEADER_BYTES {
        return corrupt(size, "the file is shorter than a header");
    }
    let mut bytes = [0; SNAPSHOT_HEADER_BYTES as usize];
    read_exact(&*file, name, &mut bytes, 0)?;
    if u32_at(&bytes, 0) != MAGIC || u32_at(&bytes, CRC_AT) != crc32c::crc32c(&bytes[..CRC_AT]) {
        return corrupt(0, "the checksum of its header differs from the content");
    }
    let version = u16_at(&bytes, 4);
    if version != FORMAT_VERSION {
        let file = name.to_string();
        return Err(JournalError::WrongVersion { file, found: version, supported: FORMAT_VERSION });
    }
    if hash_at(&bytes, 24) != genesis.0 {
        let (file, found) = (name.to_string(), hash_at(&bytes, 24));
        return Err(JournalError::WrongGenesis { file, found, expected: genesis.0 });
    }
    let info = SnapshotInfo {
        file: name.to_string(),
        at: Position { sequence: u64_at(&bytes, 8), time_ns: u64_at(&bytes, 16), hash: hash_at(&bytes, 88) },
        state_hash: hash_at(&bytes, 56),
        body_bytes: u64_at(&bytes, 120),
        body_hash: hash_at(&bytes, 128),
    };
    if info.at.sequence != sequence {
        return corrupt(8, "its header holds another sequence than its name");
    }
    if SNAPSHOT_HEADER_BYTES.checked_add(info.body_bytes) != Some(size) {
        return corrupt(size, "the file's length differs from the one in its header");
    }
    Ok(info)
}

/// Reads a snapshot's body in pieces and checks its hash at the end. Until this returns `Ok`, the
/// pieces may be damaged.
pub(crate) fn read_body(
    disk: &dyn Disk,
    info: &SnapshotInfo,
    mut take: impl FnMut(&[u8]),
) -> Result<(), JournalError> {
    let name = &info.file;
    let file = disk.open(name, Access::Read).map_err(|e| JournalError::io("open", name, 0, e))?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; BUFFER_BYTES.min(info.body_bytes as usize)];
    let mut done = 0;
    while done < info.body_bytes {
        let piece = buffer.len().min((info.body_bytes - done) as usize);
        read_exact(&*file, name, &mut buffer[..piece], SNAPSHOT_HEADER_BYTES + done)?;
        hasher.update(&buffer[..piece]);
        take(&buffer[..piece]);
        done += piece as u64;
    }
    check_hash(info, &hasher)
}

/// Reads a whole body, each byte to the place where it stays, and checks its hash.
pub(crate) fn whole_body(disk: &dyn Disk, info: &SnapshotInfo) -> Result<Vec<u8>, JournalError> {
    let name = &info.file;
    let file = disk.open(name, Access::Read).map_err(|e| JournalError::io("open", name, 0, e))?;
    let mut hasher = blake3::Hasher::new();
    let mut body = vec![0; info.body_bytes as usize];
    let mut done = 0;
    for piece in body.chunks_mut(BUFFER_BYTES) {
        read_exact(&*file, name, piece, SNAPSHOT_HEADER_BYTES + done)?;
        hasher.update(piece);
        done += piece.len() as u64;
    }
    check_hash(info, &hasher).map(|()| body)
}

fn check_hash(info: &SnapshotInfo, body: &blake3::Hasher) -> Result<(), JournalError> {
    if *body.finalize().as_bytes() == info.body_hash {
        return Ok(());
    }
    let (file, sequence) = (info.file.clone(), info.at.sequence);
    let why = "the hash of its body differs from the content".to_string();
    Err(JournalError::CorruptSnapshot { file, offset: SNAPSHOT_HEADER_BYTES, sequence, why })
}

/// Writes one snapshot, piece by piece; it may move to another thread. Until
/// [`SnapshotWriter::finish`] has returned there is only a temporary file, which the next start
/// removes. A failure here does not harm the log.
pub struct SnapshotWriter {
    disk: Arc<dyn Disk>,
    file: Arc<dyn DiskFile>,
    temporary: String,
    info: SnapshotInfo,
    genesis: GenesisId,
    hasher: blake3::Hasher,
    buffer: Vec<u8>,
    written: u64,
}

impl SnapshotWriter {
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        genesis: GenesisId,
        at: Position,
        state_hash: Hash,
    ) -> Result<Self, JournalError> {
        let file = snapshot_name(at.sequence);
        let temporary = format!("{file}{TEMPORARY}");
        let handle = disk.create(&temporary).map_err(|e| JournalError::io("create", &temporary, 0, e))?;
        Ok(Self {
            disk,
            file: handle,
            temporary,
            info: SnapshotInfo { file, at, state_hash, body_bytes: 0, body_hash: [0; 32] },
            genesis,
            hasher: blake3::Hasher::new(),
            buffer: Vec::with_capacity(BUFFER_BYTES),
            written: 0,
        })
    }

    /// Appends to the body.
    pub fn write(&mut self, mut bytes: &[u8]) -> Result<(), JournalError> {
        self.hasher.update(bytes);
        self.info.body_bytes += bytes.len() as u64;
        while !bytes.is_empty() {
            let take = bytes.len().min(BUFFER_BYTES - self.buffer.len());
            self.buffer.extend_from_slice(&bytes[..take]);
            bytes = &bytes[take..];
            if self.buffer.len() == BUFFER_BYTES {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), JournalError> {
        let at = SNAPSHOT_HEADER_BYTES + self.written;
        write_all(&*self.file, &self.temporary, &self.buffer, at)?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// Completes the snapshot: header, fsync, rename, fsync of the directory. Hand the result to
    /// `Journal::finish_snapshot`, which lets go of the oldest snapshots.
    pub fn finish(mut self) -> Result<SnapshotInfo, JournalError> {
        self.flush()?;
        self.info.body_hash = *self.hasher.finalize().as_bytes();
        write_all(&*self.file, &self.temporary, &encode(&self.info, self.genesis), 0)?;
        let io = |action, error| JournalError::io(action, &self.temporary, 0, error);
        self.file.sync_all().map_err(|e| io("sync", e))?;
        self.disk.rename(&self.temporary, &self.info.file).map_err(|e| io("rename", e))?;
        self.disk.sync_dir().map_err(|e| io("sync the directory of", e))?;
        Ok(self.info)
    }
}

/// The newest snapshot of the list (newest first) whose body is sound, and what was wrong with the
/// newer ones.
pub(crate) fn newest(
    disk: &dyn Disk,
    snapshots: &[SnapshotInfo],
) -> (Option<(SnapshotInfo, Vec<u8>)>, Vec<JournalError>) {
    let mut skipped = Vec::new();
    for info in snapshots {
        match whole_body(disk, info) {
            Ok(body) => return (Some((info.clone(), body)), skipped),
            Err(error) => skipped.push(error),
        }
    }
    (None, skipped)
}
