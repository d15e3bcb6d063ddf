//! What this machine can do at best: its disk's write and sync, its loopback's echo.

use crate::latency::percentiles;
use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Instant;

/// Syncs measured.
const SYNCS: usize = 500;
/// Echoes measured.
const ECHOES: usize = 5_000;
/// Bytes that go and come back: a command and its header.
const ECHO_BYTES: usize = 128;

/// Some percentiles, nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Percentiles {
    /// Values.
    pub count: u64,
    /// Half are at most this.
    pub p50_ns: u64,
    /// 90 of 100.
    pub p90_ns: u64,
    /// 99 of 100.
    pub p99_ns: u64,
    /// 999 of 1,000.
    pub p999_ns: u64,
    /// The largest.
    pub max_ns: u64,
}

/// The bounds of a machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of one write.
    pub write_bytes: u64,
    /// Write into a file whose blocks are there already, and `fdatasync`.
    pub sync: Percentiles,
    /// A message to another thread and back over TCP.
    pub echo: Percentiles,
}

impl Bounds {
    /// Measures both; writes are as long as an average frame of the log.
    pub(crate) fn measure(folder: &Path, write_bytes: usize) -> io::Result<Self> {
        Ok(Self { write_bytes: write_bytes as u64, sync: sync(folder, write_bytes)?, echo: echo()? })
    }

    /// What one durable answer takes at least, if it does not have to wait for anything: one sync, one echo.
    pub fn p50_ns(&self) -> u64 {
        self.sync.p50_ns + self.echo.p50_ns
    }
}

fn sync(folder: &Path, write_bytes: usize) -> io::Result<Percentiles> {
    let path = folder.join("bound");
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path)?;
    let write_bytes = write_bytes.max(512);
    file.write_all_at(&vec![0; write_bytes * SYNCS], 0)?;
    file.sync_all()?;
    let bytes = vec![0x5a; write_bytes];
    let mut taken = Vec::with_capacity(SYNCS);
    for at in 0..SYNCS {
        let begun = Instant::now();
        file.write_all_at(&bytes, (at * write_bytes) as u64)?;
        file.sync_data()?;
        taken.push(elapsed_ns(begun));
    }
    std::fs::remove_file(path)?;
    Ok(percentiles(taken.into_iter()))
}

fn echo() -> io::Result<Percentiles> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut near = TcpStream::connect(listener.local_addr()?)?;
    let (mut far, _) = listener.accept()?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let thread = std::thread::spawn(move || -> io::Result<()> {
        let mut bytes = [0; ECHO_BYTES];
        while far.read_exact(&mut bytes).is_ok() {
            far.write_all(&bytes)?;
        }
        Ok(())
    });
    let mut bytes = [7; ECHO_BYTES];
    let mut taken = Vec::with_capacity(ECHOES);
    for _ in 0..ECHOES {
        let begun = Instant::now();
        near.write_all(&bytes)?;
        near.read_exact(&mut bytes)?;
        taken.push(elapsed_ns(begun));
    }
    drop(near);
    let _ = thread.join();
    Ok(percentiles(taken.into_iter()))
}

pub(crate) fn elapsed_ns(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX)
}
