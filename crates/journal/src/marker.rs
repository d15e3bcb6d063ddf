//! The file `head`: how far the log is known to be durable, written after each completed sync.
//!
//! Two slots, one sector each, written in turn, so that a torn write spoils at most the one being
//! written. The file is not synced each time: after kill -9 the page cache still has it, and after a
//! power cut the frames' own `durable_sequence` stands in for it.
//!
//! ```text
//! offset size field                      offset size field
//!      0    4 magic "XOSM"                   24   32 hash, the chain hash at durable_sequence
//!      4    2 version                        56   32 genesis
//!      6    2 reserved, zero                 88    4 crc32c of bytes 0..88
//!      8    8 generation                     92      zeros up to 512
//!     16    8 durable_sequence
//! ```

use std::sync::Arc;

use crate::disk::{Access, Disk, DiskFile};
use crate::error::JournalError;
use crate::frame::{FORMAT_VERSION, Hash, hash_at, u16_at, u32_at, u64_at};
use crate::segment::{GenesisId, SECTOR_BYTES, preallocate, read_exact, write_all};

/// The name of the marker file.
pub const MARKER_NAME: &str = "head";

const MAGIC: u32 = u32::from_le_bytes(*b"XOSM");
const SLOT_BYTES: usize = 92;
const CRC_AT: usize = 88;
const FILE_BYTES: u64 = 2 * SECTOR_BYTES;

/// The newest good slot, and what was wrong with the other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct MarkerState {
    pub(crate) generation: u64,
    pub(crate) sequence: u64,
    pub(crate) hash: Hash,
    /// Slots that hold something, but nothing sound.
    pub(crate) spoiled_slots: usize,
    pub(crate) found: bool,
}

pub(crate) fn read(disk: &dyn Disk, genesis: GenesisId) -> Result<MarkerState, JournalError> {
    let mut state = MarkerState::default();
    let file = match disk.open(MARKER_NAME, Access::Read) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(state),
        Err(error) => return Err(JournalError::io("open", MARKER_NAME, 0, error)),
    };
    let size = file.size().map_err(|e| JournalError::io("read the size of", MARKER_NAME, 0, e))?;
    for slot in 0..2 {
        let offset = slot * SECTOR_BYTES;
        let mut bytes = [0; SLOT_BYTES];
        let room = size.saturating_sub(offset).min(SLOT_BYTES as u64) as usize;
        read_exact(&*file, MARKER_NAME, &mut bytes[..room], offset)?;
        if bytes.iter().all(|&byte| byte == 0) {
            continue;
        }
        let sound = u32_at(&bytes, 0) == MAGIC && u32_at(&bytes, CRC_AT) == crc32c::crc32c(&bytes[..CRC_AT]);
        if !sound {
            state.spoiled_slots += 1;
            continue;
        }
        let version = u16_at(&bytes, 4);
        if version != FORMAT_VERSION {
            let file = MARKER_NAME.to_string();
            return Err(JournalError::WrongVersion { file, found: version, supported: FORMAT_VERSION });
        }
        if hash_at(&bytes, 56) != genesis.0 {
            let (file, found) = (MARKER_NAME.to_string(), hash_at(&bytes, 56));
            return Err(JournalError::WrongGenesis { file, found, expected: genesis.0 });
        }
        let generation = u64_at(&bytes, 8);
        if !state.found || generation > state.generation {
            state.found = true;
            state.generation = generation;
            state.sequence = u64_at(&bytes, 16);
            state.hash = hash_at(&bytes, 24);
        }
    }
    Ok(state)
}

/// The marker, open for writing.
pub(crate) struct Marker {
    file: Arc<dyn DiskFile>,
    genesis: GenesisId,
    generation: u64,
}

impl Marker {
    /// Opens the marker after its state was read; creates it if missing or of a wrong size.
    pub(crate) fn open(
        disk: &dyn Disk,
        genesis: GenesisId,
        state: &MarkerState,
    ) -> Result<Self, JournalError> {
        let io = |action, error| JournalError::io(action, MARKER_NAME, 0, error);
        let file = match disk.open(MARKER_NAME, Access::Write) {
            Ok(file) if file.size().map_err(|e| io("read the size of", e))? == FILE_BYTES => file,
            Ok(_) => preallocate(disk, MARKER_NAME, FILE_BYTES)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                preallocate(disk, MARKER_NAME, FILE_BYTES)?
            }
            Err(error) => return Err(io("open", error)),
        };
        Ok(Self { file, genesis, generation: state.generation })
    }

    pub(crate) fn write(&mut self, sequence: u64, hash: &Hash) -> Result<(), JournalError> {
        self.generation += 1;
        let mut bytes = [0; SLOT_BYTES];
        bytes[..4].copy_from_slice(&MAGIC.to_le_bytes());
        bytes[4..6].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.generation.to_le_bytes());
        bytes[16..24].copy_from_slice(&sequence.to_le_bytes());
        bytes[24..56].copy_from_slice(hash);
        bytes[56..88].copy_from_slice(&self.genesis.0);
        let crc = crc32c::crc32c(&bytes[..CRC_AT]);
        bytes[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
        write_all(&*self.file, MARKER_NAME, &bytes, (self.generation % 2) * SECTOR_BYTES)
    }

    pub(crate) fn sync(&self) -> Result<(), JournalError> {
        self.file.sync_data().map_err(|e| JournalError::io("sync", MARKER_NAME, 0, e))
    }
}
