//! What the journal asks of a disk: one flat directory of named files.
//!
//! The traits are object-safe so that the whole exchange can run on a simulated disk. One virtual
//! call is nothing beside the system call behind it.

use std::any::Any;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Whether a file is opened to be changed or only to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reading only: enough for verify, inspect and replay, also on a read-only file system.
    Read,
    /// Reading and writing.
    Write,
}

/// A held directory lock; dropping it releases the directory.
pub type DirectoryLock = Box<dyn Any + Send + Sync>;

/// One directory of a disk. Names are plain file names, never paths.
pub trait Disk: Send + Sync {
    /// Creates a file open for reading and writing; an existing one is emptied.
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;
    /// Opens an existing file.
    fn open(&self, name: &str, access: Access) -> io::Result<Arc<dyn DiskFile>>;
    /// Renames a file, replacing the target if it exists. Durable after [`Disk::sync_dir`].
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file. Durable after [`Disk::sync_dir`].
    fn remove(&self, name: &str) -> io::Result<()>;
    /// The names of all files, in no particular order.
    fn list(&self) -> io::Result<Vec<String>>;
    /// Makes creations, renames and removals durable.
    fn sync_dir(&self) -> io::Result<()>;
    /// Takes the exclusive lock on the directory; `WouldBlock` if somebody holds it.
    fn lock(&self, name: &str) -> io::Result<DirectoryLock>;
    /// How to name this directory in a message.
    fn describe(&self) -> String;
}

/// One open file of a [`Disk`]. Like `pread` and `pwrite`, a call may move fewer bytes than asked.
pub trait DiskFile: Send + Sync {
    /// Reads some bytes at an offset; zero means the end of the file.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes some bytes at an offset.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;
    /// Makes the content durable (`fdatasync`).
    fn sync_data(&self) -> io::Result<()>;
    /// Makes the content and the file's own metadata durable (`fsync`).
    fn sync_all(&self) -> io::Result<()>;
    /// The length of the file in bytes.
    fn size(&self) -> io::Result<u64>;
}

/// A directory of the real file system.
#[derive(Debug, Clone)]
pub struct RealDisk {
    root: PathBuf,
}

impl RealDisk {
    /// Opens a directory for writing, creating it and its parents if missing. A created directory
    /// is made durable in its parent, or a power cut could take the whole journal with it.
    pub fn new(root: impl Into<PathBuf>) -> io::Result<Self> {
        let root = std::path::absolute(root.into())?;
        if !root.is_dir() {
            std::fs::create_dir_all(&root)?;
            if let Some(parent) = root.parent() {
                File::open(parent)?.sync_all()?;
            }
        }
        Ok(Self { root })
    }

    /// Names an existing directory without touching it; for read-only tools.
    pub fn existing(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        // Of an empty path there is no absolute one; the first call on it says so.
        Self { root: std::path::absolute(&root).unwrap_or(root) }
    }

    /// The directory.
    pub fn root(&self) -> &Path {
        &self.root
    }
}

impl Disk for RealDisk {
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(self.root.join(name))?;
        Ok(Arc::new(RealFile(file)))
    }

    fn open(&self, name: &str, access: Access) -> io::Result<Arc<dyn DiskFile>> {
        let write = access == Access::Write;
        let file = OpenOptions::new().read(true).write(write).open(self.root.join(name))?;
        Ok(Arc::new(RealFile(file)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        std::fs::rename(self.root.join(from), self.root.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        std::fs::remove_file(self.root.join(name))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.root)? {
            // A name that is not UTF-8 is none of ours.
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn sync_dir(&self) -> io::Result<()> {
        File::open(&self.root)?.sync_all()
    }

    fn lock(&self, name: &str) -> io::Result<DirectoryLock> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(self.root.join(name))?;
        match file.try_lock() {
            Ok(()) => Ok(Box::new(RealLock { file, process: std::process::id() })),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn describe(&self) -> String {
        self.root.display().to_string()
    }
}

/// The lock belongs to the open file, which a fork of this process shares: closing it here releases nothing
/// while the fork lives, and unlocking it there would release it here.
struct RealLock {
    file: File,
    process: u32,
}

impl Drop for RealLock {
    fn drop(&mut self) {
        if std::process::id() == self.process {
            // Closing it does the same where no fork has it.
            let _ = self.file.unlock();
        }
    }
}

struct RealFile(File);

impl DiskFile for RealFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.0.write_at(bytes, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.0.sync_all()
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
}
