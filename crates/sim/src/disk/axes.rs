//! The axes of a crash matrix: every fault at an operation, every loss after a stop, every damage to the medium.

use std::io::ErrorKind;

use super::{Fault, Loss, Operation, OperationKind, Sectors, SimDisk};

/// Every fault that can come at an operation.
pub fn faults(operation: &Operation) -> Vec<Fault> {
    let mut faults = vec![Fault::Stop];
    match operation.kind {
        OperationKind::Write => {
            let prefixes = prefixes(operation);
            faults.extend(prefixes.iter().map(|&bytes| Fault::StopAfter(bytes)));
            faults.extend(prefixes.iter().map(|&bytes| Fault::ShortWrite(bytes)));
            faults.push(Fault::Interrupted);
            for bytes in [0, operation.bytes / 2, operation.bytes] {
                faults.push(Fault::Error(ErrorKind::Other, bytes));
                faults.push(Fault::Error(ErrorKind::StorageFull, bytes));
            }
        }
        OperationKind::Sync => faults.extend([false, true].map(Fault::SyncError)),
        _ => faults.extend([ErrorKind::Other, ErrorKind::StorageFull].map(|kind| Fault::Error(kind, 0))),
    }
    faults
}

/// Torn at each sector boundary, at each 8 bytes of the first 96, and one byte before the end.
fn prefixes(operation: &Operation) -> Vec<usize> {
    let sectors =
        (1..=operation.bytes / 512 + 1).map(|sector| sector * 512 - operation.offset as usize % 512);
    let mut prefixes: Vec<_> =
        sectors.chain((0..96).step_by(8)).chain([1, operation.bytes.saturating_sub(1)]).collect();
    prefixes.retain(|&bytes| bytes > 0 && bytes < operation.bytes);
    prefixes.sort_unstable();
    prefixes.dedup();
    prefixes
}

/// Every way to lose what was not synced.
pub fn losses(disk: &SimDisk) -> Vec<Loss> {
    let (names, sectors) = (disk.pending_names(), disk.pending_sectors());
    let mut losses = vec![Loss::Process];
    for some in 0..=names {
        losses.extend([Sectors::None, Sectors::All].map(|which| Loss::Power(some, which)));
    }
    for some in if names == 0 { vec![0] } else { vec![0, names] } {
        for one in 0..sectors {
            let ways =
                [Sectors::First(one + 1), Sectors::From(one), Sectors::Only(one), Sectors::AllBut(one)];
            losses.extend(ways.map(|which| Loss::Power(some, which)));
        }
        if sectors > 1 {
            losses.extend((0..4).map(|seed| Loss::Power(some, Sectors::Random(seed))));
        }
    }
    losses
}

/// One damage to the medium.
#[derive(Debug, Clone)]
pub enum Damage {
    /// One bit of the byte at an offset is another one.
    Flip(String, usize),
    /// Zeros from an offset to the end.
    Zero(String, usize),
    /// The file ends at an offset.
    Truncate(String, usize),
    /// The file has the bytes of an earlier day.
    RollBack(String, Vec<u8>),
    /// The bytes between two offsets stand once more behind the second.
    Duplicate(String, usize, usize),
    /// The file is gone.
    Lose(String),
}

impl Damage {
    /// The file it hits.
    pub fn file(&self) -> &str {
        match self {
            Self::Flip(file, _) | Self::Zero(file, _) | Self::Truncate(file, _) => file,
            Self::RollBack(file, _) | Self::Duplicate(file, _, _) | Self::Lose(file) => file,
        }
    }

    /// Its kind in words.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Flip(..) => "bit flip",
            Self::Zero(..) => "zeroed tail",
            Self::Truncate(..) => "truncation",
            Self::RollBack(..) => "file rollback",
            Self::Duplicate(..) => "duplicate of the last record",
            Self::Lose(..) => "file lost",
        }
    }

    /// Does it, durably.
    pub fn apply(&self, disk: &SimDisk) {
        let mut bytes = disk.bytes(self.file());
        match self {
            Self::Flip(file, at) => return disk.flip(file, *at, 3),
            Self::Lose(file) => return disk.lose(file),
            Self::Zero(_, from) => bytes[*from..].fill(0),
            Self::Truncate(_, length) => bytes.truncate(*length),
            Self::RollBack(_, old) => bytes.clone_from(old),
            Self::Duplicate(_, from, to) => bytes.copy_within(*from..*to, *to),
        }
        disk.replace(self.file(), bytes);
    }
}

/// Every damage to try on what is on the disk. `old` is the disk as it was before the script.
pub fn damages(disk: &SimDisk, old: &SimDisk) -> Vec<Damage> {
    let mut damages = Vec::new();
    for file in disk.names().into_iter().filter(|name| !name.ends_with(".tmp")) {
        let bytes = disk.bytes(&file);
        let starts =
            if file.starts_with("segment-") { frame_starts(&bytes) } else { vec![0, bytes.len() / 2] };
        for &at in &starts {
            let places =
                [at, at + 9, at + 34, at + 41, at + 50, at + 81].into_iter().filter(|&at| at < bytes.len());
            damages.extend(places.map(|at| Damage::Flip(file.clone(), at)));
            damages.extend(
                [at, at + 60]
                    .into_iter()
                    .filter(|&at| at < bytes.len())
                    .map(|at| Damage::Zero(file.clone(), at)),
            );
            damages.push(Damage::Truncate(file.clone(), at));
        }
        if let [.., last, end] = starts[..]
            && file.starts_with("segment-")
            && last > 0
            && end + (end - last) <= bytes.len()
        {
            damages.push(Damage::Duplicate(file.clone(), last, end));
        }
        if old.names().contains(&file) && old.bytes(&file) != bytes {
            damages.push(Damage::RollBack(file.clone(), old.bytes(&file)));
        }
        if file.starts_with("segment-") {
            damages.push(Damage::Lose(file));
        }
    }
    damages
}

/// Where the frames of a segment begin, by their lengths alone; the header and the end included.
fn frame_starts(bytes: &[u8]) -> Vec<usize> {
    let mut starts = vec![0];
    let mut at = 128;
    while at + 80 <= bytes.len() {
        starts.push(at);
        if bytes[at..at + 4] != *b"XOSF" {
            break;
        }
        let payload = u32::from_le_bytes([bytes[at + 28], bytes[at + 29], bytes[at + 30], bytes[at + 31]]);
        at += (80 + payload as usize).next_multiple_of(8);
    }
    starts
}
