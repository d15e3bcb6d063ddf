//! A disk in memory that fails on purpose, the same way every time.
//!
//! Each file has two contents: what the processes see (the page cache) and what a power cut leaves
//! (the durable image), with the unsynced writes between them in order. Names behave alike: creating,
//! renaming and removing are durable only after the directory was synced. Everything that changes
//! something is an operation with a number, and a [`Fault`] can be planned at each number.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use xos_journal::{Disk, SECTOR_BYTES};

pub mod axes;
mod handles;

/// What goes wrong at an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The process or machine stops before the operation. It depends on [`SimDisk::restart`] which.
    Stop,
    /// It stops when this many bytes of a write have reached the page cache.
    StopAfter(usize),
    /// A write takes only this many bytes, and says so.
    ShortWrite(usize),
    /// A signal interrupts the call before it does anything.
    Interrupted,
    /// The operation fails; of a write this many bytes arrived all the same.
    Error(io::ErrorKind, usize),
    /// A sync fails and, as Linux does, forgets what it should have written: the page cache keeps
    /// showing it, no later sync will write it. With `true` the bytes did reach the disk.
    SyncError(bool),
}

/// What is left after a stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// kill -9: only the process is gone, the page cache is not.
    Process,
    /// A power cut. Of the unsynced name changes the first so many survive, and of the unsynced
    /// sectors some.
    Power(usize, Sectors),
}

/// Which unsynced sectors survive a power cut. They are counted in the order in which they were
/// written, over all files. A sector that was written several times survives in one of its versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sectors {
    /// Nothing.
    None,
    /// Everything.
    All,
    /// The first so many.
    First(usize),
    /// All from this one on.
    From(usize),
    /// One alone.
    Only(usize),
    /// All but one.
    AllBut(usize),
    /// Each by the toss of a seeded coin.
    Random(u64),
}

/// The kinds of operation that are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OperationKind {
    /// `Disk::create`
    Create,
    /// `DiskFile::write_at`
    Write,
    /// `DiskFile::sync_data` and `DiskFile::sync_all`
    Sync,
    /// `Disk::rename`
    Rename,
    /// `Disk::remove`
    Remove,
    /// `Disk::sync_dir`
    SyncDir,
}

/// One operation, as recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// What it was.
    pub kind: OperationKind,
    /// On which file; empty for the directory.
    pub file: String,
    /// Offset of a write.
    pub offset: u64,
    /// Length of a write.
    pub bytes: usize,
}

#[derive(Debug, Clone, Default)]
struct Inode {
    cache: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<PendingWrite>,
}

#[derive(Debug, Clone)]
struct PendingWrite {
    serial: u64,
    offset: usize,
    bytes: Vec<u8>,
}

#[derive(Debug, Clone, Hash)]
enum NameChange {
    Create(String, usize),
    Rename(String, String),
    Remove(String),
}

#[derive(Debug, Clone, Default)]
struct State {
    inodes: Vec<Inode>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    pending_names: Vec<NameChange>,
    operation_count: u64,
    operations: Option<Vec<Operation>>,
    faults: BTreeMap<u64, Fault>,
    write_serial: u64,
    stopped: bool,
    /// Handles and locks of an earlier life are dead.
    life: u64,
    locked: bool,
}

/// The simulated disk: one directory. Clones share it, [`SimDisk::fork`] copies it.
#[derive(Debug, Clone, Default)]
pub struct SimDisk(Arc<Mutex<State>>);

impl SimDisk {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// A copy that goes its own way. Open files and locks stay with the original.
    pub fn fork(&self) -> Self {
        let mut state = self.state().clone();
        state.life += 1;
        state.locked = false;
        Self(Arc::new(Mutex::new(state)))
    }

    /// The same as the type the journal takes.
    pub fn as_disk(&self) -> Arc<dyn Disk> {
        Arc::new(self.clone())
    }

    /// Plans a fault at the operation with this number, counted from 0.
    pub fn plan(&self, operation: u64, fault: Fault) {
        self.state().faults.insert(operation, fault);
    }

    /// The number that the next operation will have.
    pub fn operation_count(&self) -> u64 {
        self.state().operation_count
    }

    /// Begins to record operations, for [`SimDisk::operations`].
    pub fn record(&self) {
        self.state().operations = Some(Vec::new());
    }

    /// The operations since [`SimDisk::record`].
    pub fn operations(&self) -> Vec<Operation> {
        self.state().operations.clone().unwrap_or_default()
    }

    /// Whether a planned stop has happened: every call fails until [`SimDisk::restart`].
    pub fn stopped(&self) -> bool {
        self.state().stopped
    }

    /// How many name changes are not yet durable.
    pub fn pending_names(&self) -> usize {
        self.state().pending_names.len()
    }

    /// How many sector writes are not yet durable.
    pub fn pending_sectors(&self) -> usize {
        self.state().pending_chunks().len()
    }

    /// Starts again after a stop (or without one: then this is the stop). Open files and locks are
    /// gone, and planned faults are forgotten.
    pub fn restart(&self, loss: Loss) {
        let mut state = self.state();
        state.stopped = false;
        state.locked = false;
        state.life += 1;
        state.faults.clear();
        if let Loss::Power(names, sectors) = loss {
            state.cut_power(names, sectors);
        }
    }

    /// The same for two disks with the same files, durable and not: what follows is then the same.
    pub fn fingerprint(&self) -> u64 {
        let state = self.state();
        let mut hasher = DefaultHasher::new();
        for (name, &inode) in state.names.iter().chain(&state.durable_names) {
            let inode = &state.inodes[inode];
            (name, &inode.cache, &inode.durable).hash(&mut hasher);
            for write in &inode.pending {
                (write.offset, &write.bytes).hash(&mut hasher);
            }
        }
        (state.names.len(), &state.pending_names).hash(&mut hasher);
        hasher.finish()
    }

    /// The names of all files, sorted.
    pub fn names(&self) -> Vec<String> {
        self.state().names.keys().cloned().collect()
    }

    /// The content of a file, empty if it does not exist.
    pub fn bytes(&self, name: &str) -> Vec<u8> {
        let state = self.state();
        state.names.get(name).map(|&inode| state.inodes[inode].cache.clone()).unwrap_or_default()
    }

    /// Puts another content into a file, durably and behind everybody's back: decay, an old copy, a
    /// truncation.
    pub fn replace(&self, name: &str, bytes: Vec<u8>) {
        let mut state = self.state();
        let inode = Inode { cache: bytes.clone(), durable: bytes, pending: Vec::new() };
        match state.names.get(name).copied() {
            Some(number) => state.inodes[number] = inode,
            None => {
                state.inodes.push(inode);
                let number = state.inodes.len() - 1;
                state.names.insert(name.to_string(), number);
                state.durable_names.insert(name.to_string(), number);
            }
        }
    }

    /// Flips one bit of a file, in the page cache and on the disk.
    pub fn flip(&self, name: &str, offset: usize, bit: u8) {
        let mut state = self.state();
        let Some(&number) = state.names.get(name) else { return };
        let inode = &mut state.inodes[number];
        inode.cache[offset] ^= 1 << bit;
        if let Some(byte) = inode.durable.get_mut(offset) {
            *byte ^= 1 << bit;
        }
    }

    /// Makes a file vanish, durably.
    pub fn lose(&self, name: &str) {
        let mut state = self.state();
        state.names.remove(name);
        state.durable_names.remove(name);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A sector's worth of a pending write.
struct Chunk {
    inode: usize,
    sector: usize,
    serial: u64,
    offset: usize,
    bytes: Vec<u8>,
}

impl State {
    /// Counts an operation and says what happens to it.
    fn begin(
        &mut self,
        kind: OperationKind,
        file: &str,
        offset: u64,
        bytes: usize,
    ) -> io::Result<Option<Fault>> {
        if self.stopped {
            return Err(down());
        }
        let number = self.operation_count;
        self.operation_count += 1;
        if let Some(operations) = &mut self.operations {
            operations.push(Operation { kind, file: file.to_string(), offset, bytes });
        }
        match self.faults.remove(&number) {
            Some(Fault::Stop) => {
                self.stopped = true;
                Err(down())
            }
            Some(Fault::Interrupted) => Err(io::ErrorKind::Interrupted.into()),
            Some(Fault::Error(error, _)) if kind != OperationKind::Write => Err(error.into()),
            other => Ok(other),
        }
    }

    fn inode(&self, name: &str) -> io::Result<usize> {
        self.names.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn change_names(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.pending_names.push(change);
    }

    fn write(&mut self, number: usize, bytes: &[u8], offset: usize) {
        self.write_serial += 1;
        let serial = self.write_serial;
        let inode = &mut self.inodes[number];
        put(&mut inode.cache, bytes, offset);
        inode.pending.push(PendingWrite { serial, offset, bytes: bytes.to_vec() });
    }

    fn sync(&mut self, number: usize, reaches_disk: bool) {
        let inode = &mut self.inodes[number];
        for write in std::mem::take(&mut inode.pending) {
            if reaches_disk {
                put(&mut inode.durable, &write.bytes, write.offset);
            }
        }
    }

    fn pending_chunks(&self) -> Vec<Chunk> {
        let mut chunks = Vec::new();
        for (number, inode) in self.inodes.iter().enumerate() {
            for write in &inode.pending {
                let mut offset = write.offset;
                let end = write.offset + write.bytes.len();
                while offset < end {
                    let sector = offset / SECTOR_BYTES as usize;
                    let stop = end.min((sector + 1) * SECTOR_BYTES as usize);
                    let bytes = write.bytes[offset - write.offset..stop - write.offset].to_vec();
                    chunks.push(Chunk { inode: number, sector, serial: write.serial, offset, bytes });
                    offset = stop;
                }
            }
        }
        chunks.sort_by_key(|chunk| (chunk.serial, chunk.offset));
        chunks
    }

    fn cut_power(&mut self, names: usize, sectors: Sectors) {
        for change in std::mem::take(&mut self.pending_names).into_iter().take(names) {
            change.apply(&mut self.durable_names);
        }
        self.names = self.durable_names.clone();
        let chunks = self.pending_chunks();
        let mut versions: BTreeMap<(usize, usize), Vec<usize>> = BTreeMap::new();
        for (index, chunk) in chunks.iter().enumerate() {
            versions.entry((chunk.inode, chunk.sector)).or_default().push(index);
        }
        for (place, (_, indices)) in versions.iter().enumerate() {
            for &index in &indices[..sectors.version(indices, place)] {
                let chunk = &chunks[index];
                put(&mut self.inodes[chunk.inode].durable, &chunk.bytes, chunk.offset);
            }
        }
        for inode in &mut self.inodes {
            inode.pending.clear();
            inode.cache = inode.durable.clone();
        }
    }
}

impl Sectors {
    /// How many of a sector's pending versions, oldest first, are on the disk. The page cache holds
    /// one version of a sector, so a later one always contains the earlier ones.
    fn version(self, indices: &[usize], place: usize) -> usize {
        let until = |end: usize| indices.iter().filter(|&&index| index < end).count();
        match self {
            Self::None => 0,
            Self::All => indices.len(),
            Self::First(count) => until(count),
            Self::From(begin) => {
                if indices.iter().any(|&index| index >= begin) {
                    indices.len()
                } else {
                    0
                }
            }
            Self::Only(one) => {
                if indices.contains(&one) {
                    until(one + 1)
                } else {
                    0
                }
            }
            Self::AllBut(one) => {
                if indices.contains(&one) {
                    until(one)
                } else {
                    indices.len()
                }
            }
            Self::Random(seed) => {
                // SplitMix64: the same seed and place give the same choice everywhere.
                let mut z = seed.wrapping_add((place as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
                z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
                z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
                ((z ^ (z >> 31)) % (indices.len() as u64 + 1)) as usize
            }
        }
    }
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            Self::Create(name, inode) => {
                names.insert(name.clone(), *inode);
            }
            Self::Rename(from, to) => {
                if let Some(inode) = names.remove(from) {
                    names.insert(to.clone(), inode);
                }
            }
            Self::Remove(name) => {
                names.remove(name);
            }
        }
    }
}

fn put(content: &mut Vec<u8>, bytes: &[u8], offset: usize) {
    let end = offset + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[offset..end].copy_from_slice(bytes);
}

fn down() -> io::Error {
    io::Error::other("the simulated machine has stopped")
}
