//! A server that stands still for a while, at load: SIGSTOP, then SIGCONT.

use crate::kills::judge;
use crate::lives::{Process, Trader, draw, first_seed, lives};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

pub(crate) fn stop_at_load() -> String {
    let (seed, stops) = (first_seed(), lives(40, 4));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("data");
    let mut state = seed;
    let mut traders = Trader::all(seed * 2_000);
    for trader in &mut traders {
        // Twice as long without a word, as the server counts it, and a client is gone: each stop is longer.
        trader.say_every_ms(50);
    }
    let process = Process::start(&path);
    let (stopping, done) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for trader in &mut traders {
            let client = trader.connect(process.address);
            scope.spawn(|| trader.load(client, &stopping, &done));
        }
        for _ in 0..stops {
            let before = done.load(Relaxed);
            while done.load(Relaxed) < before + 300 {
                std::thread::yield_now();
            }
            process.signal("-STOP");
            std::thread::sleep(Duration::from_micros(150_000 + draw(&mut state, 150_000)));
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
        "seed {seed}, {stops} stops of 150 to 300 ms: {} commands, all answered and logged once",
        found.logged
    )
}
