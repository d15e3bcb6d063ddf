//! What the journal costs beyond the disk itself, in one run on one disk:
//! `cargo run --release -p xos-journal --example disk_speed -- FOLDER`
//!
//! Prints append + sync of one 96-byte record beside a bare pwrite + fdatasync of the same size into a
//! pre-allocated file (taken in turn, so that a noisy neighbour hits both), the throughput of 384 KiB
//! frames, and how fast the log is read back.

use std::fs::File;
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use xos_journal::{Check, GenesisId, Journal, Options, RealDisk, frame_bytes};

type Failure = Box<dyn std::error::Error>;

const RECORD: [u8; 96] = [7; 96];
const SMALL_ROUNDS: usize = 4000;
const LARGE_FRAMES: u64 = 4096;
const LARGE_BYTES: usize = 384 << 10;

fn main() -> Result<(), Failure> {
    let folder =
        std::env::args().nth(1).map_or_else(std::env::temp_dir, PathBuf::from).join("journal-disk-speed");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    small(&folder.join("small"))?;
    large(&folder.join("large"))?;
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

fn open(folder: &Path) -> Result<Journal, Failure> {
    let options = Options::new(GenesisId::derive(b"disk speed"));
    Ok(Journal::open(Arc::new(RealDisk::new(folder)?), options)?)
}

fn small(folder: &Path) -> Result<(), Failure> {
    let mut journal = open(folder)?;
    let raw = File::create(folder.join("raw"))?;
    let frame = vec![7; frame_bytes(RECORD.len() as u64) as usize];
    raw.write_all_at(&vec![0; frame.len() * SMALL_ROUNDS], 0)?;
    raw.sync_all()?;
    let (mut ours, mut bare, mut append) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..SMALL_ROUNDS as u64 {
        let begun = Instant::now();
        journal.append(0, round + 1, round, 1, &[&RECORD])?;
        append.push(begun.elapsed().as_nanos());
        journal.sync()?;
        ours.push(begun.elapsed().as_nanos());
        let begun = Instant::now();
        raw.write_all_at(&frame, round * frame.len() as u64)?;
        raw.sync_data()?;
        bare.push(begun.elapsed().as_nanos());
    }
    println!("{SMALL_ROUNDS} records of 96 bytes, one sync each   p50 us   p90 us   p99 us");
    for (name, times) in
        [("journal append + sync", ours), ("pwrite + fdatasync", bare), ("append alone", append)]
    {
        print_quantiles(name, times);
    }
    Ok(())
}

fn print_quantiles(name: &str, mut times: Vec<u128>) {
    times.sort_unstable();
    let at = |percent: usize| times[times.len() * percent / 100] as f64 / 1000.0;
    println!("  {name:<42} {:>8.1} {:>8.1} {:>8.1}", at(50), at(90), at(99));
}

fn large(folder: &Path) -> Result<(), Failure> {
    let mut journal = open(folder)?;
    let payload: Vec<u8> = (0..LARGE_BYTES).map(|at| (at * 31 % 251) as u8).collect();
    let gigabytes = (LARGE_FRAMES as usize * LARGE_BYTES) as f64 / 1e9;
    let (mut rolls, mut begun_all) = (0.0, Instant::now());
    let mut in_append = 0.0;
    for number in 0..LARGE_FRAMES {
        // The next segment is made ahead, as a second thread would, and not counted.
        if let Some(ticket) = journal.begin_spare() {
            let begun = Instant::now();
            let outcome = ticket.run();
            journal.finish_spare(outcome)?;
            rolls += begun.elapsed().as_secs_f64();
        }
        let begun = Instant::now();
        journal.append(0, journal.position().sequence + 1, number, 4096, &[&payload])?;
        in_append += begun.elapsed().as_secs_f64();
        if number % 8 == 7 {
            journal.sync()?;
        }
    }
    let all = begun_all.elapsed().as_secs_f64() - rolls;
    println!("{LARGE_FRAMES} frames of 384 KiB ({gigabytes:.2} GB)                 GB/s");
    println!("  append (rolls included)                    {:>8.2}", gigabytes / in_append);
    println!("  append and a sync every 8 frames           {:>8.2}", gigabytes / all);
    println!("  pre-allocating segments, on another thread {:>8.2}", gigabytes / rolls);
    for (name, check) in [("read, checksums", Check::Crc), ("read, checksums and hash chain", Check::Full)] {
        begun_all = Instant::now();
        let mut reader = journal.read_from(1, check)?;
        while let Some(frame) = reader.next_frame()? {
            black_box(frame.payload);
        }
        println!("  {name:<42} {:>8.2}", gigabytes / begun_all.elapsed().as_secs_f64());
    }
    drop(journal);
    begun_all = Instant::now();
    let journal = open(folder)?;
    println!(
        "  open after a crash, full scan              {:>8.2}",
        gigabytes / begun_all.elapsed().as_secs_f64()
    );
    println!("  {}", journal.report());
    Ok(())
}
