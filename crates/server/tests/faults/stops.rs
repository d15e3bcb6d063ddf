//! A server that stands still for a while, at load: SIGSTOP, then SIGCONT.

use crate::kills::judge;
use crate::lives::{Process, Trader, WORD_MS, draw, first_seed, lives, wait_until};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

const EVERY_MS: u32 = 100;
const CLIENTS: u64 = 4;

pub(crate) fn stop_at_load() -> String {
    let (seed, stops) = (first_seed(), lives(40, 4));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("data");
    let mut state = seed;
    let mut traders = Trader::all(seed * 2_000);
    for trader in &mut traders {
        // Twice as long without a word, as the server counts it, and a client is gone: each stop is longer.
        trader.say_every_ms(EVERY_MS);
    }
    let process = Process::start(&path);
    let (stopping, done, said) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for trader in &mut traders {
            let client = trader.connect(process.address);
            scope.spawn(|| trader.load(client, &stopping, &done, &said));
        }
        for _ in 0..stops {
            wait_until(&done, done.load(Relaxed) + 300 + draw(&mut state, 1_000));
            process.signal("-STOP");
            // The clients' own words count the time: none of them says anything faster than it promised.
            let words =
                said.load(Relaxed) + CLIENTS * (2 * u64::from(EVERY_MS) / WORD_MS + 1 + draw(&mut state, 10));
            wait_until(&said, words);
            process.signal("-CONT");
        }
        stopping.store(true, Relaxed);
    });
    process.kill();
    let waiting: usize = traders.iter().map(|trader| trader.waiting.len()).sum();
    assert_eq!(waiting, 0, "a connection was cut: {waiting} commands without an outcome");
    let found = judge(&path, &traders);
    assert_eq!(found.unanswered, 0);
    format!(
        "seed {seed}, {stops} stops of 200 to 300 ms and more: {} commands, all answered and logged once",
        found.logged
    )
}
