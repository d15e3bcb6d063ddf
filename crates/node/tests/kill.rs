//! kill -9 under load, again and again: what was answered is there, once, and the answers stay the same.
//!
//! Twelve times by default, a hundred times with `XOS_LONG=1`, or as often as `XOS_KILL_LOOPS` says.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use xos_node::bench::Mix;
use xos_node::{Clock, Exchange, FrameBody, Options, ReplayOptions, VerifyOptions, inspect, replay, verify};
use xos_protocol::{CommandKind, CommandRecord, EventFlags, EventKind, EventRecord, Limits};
use zerocopy::IntoBytes;

const CHILD_DIRECTORY: &str = "XOS_KILL_CHILD_DIRECTORY";
const CHILD_SEED: &str = "XOS_KILL_CHILD_SEED";
const ACCOUNTS: u32 = 50;

fn options(seed: u64) -> Options {
    Options {
        limits: Some(Limits { frame_commands_max: 256, ..Limits::default() }),
        segment_bytes: 256 << 10,
        snapshot_every_commands: Some(1_500),
        clock: Clock::system(),
        // Every other life syncs in a second thread.
        overlap_commands: if seed.is_multiple_of(2) { 1 } else { usize::MAX },
        ..Options::default()
    }
}

fn digest(events: &[EventRecord]) -> String {
    blake3::hash(events.as_bytes()).to_hex()[..16].to_string()
}

/// SplitMix64.
fn draw(state: &mut u64, end: u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (z ^ (z >> 31)) % end
}

/// What the child does until it is killed: submit, and tell after each answer what was answered.
#[test]
fn child() {
    let Ok(directory) = std::env::var(CHILD_DIRECTORY) else { return };
    let mut seed: u64 = std::env::var(CHILD_SEED).unwrap().parse().unwrap();
    let mut exchange = Exchange::open(directory, options(seed)).unwrap();
    let mut mix = Mix::new(seed, ACCOUNTS).starting_at(exchange.engine().sequence() + 1);
    let mut events = Vec::new();
    if exchange.engine().account_count() == 0 {
        // A kill between these leaves some of them; the next life then makes what is missing.
        for body in mix.deployments().into_iter().skip(exchange.engine().sequence() as usize - 1) {
            exchange.deploy(&body, None, &mut events).unwrap();
        }
        mix = mix.starting_at(exchange.engine().sequence() + 1);
        exchange.submit(&mix.setup(), None, &mut events).unwrap();
        assert_eq!(exchange.engine().account_count(), ACCOUNTS as usize);
    }
    mix = mix.starting_at(exchange.engine().sequence() + 1);
    let mut out = std::io::stdout();
    loop {
        events.clear();
        let batch = mix.commands(1 + draw(&mut seed, 24) as usize);
        let submitted = exchange.submit(&batch, None, &mut events).unwrap();
        let line = format!("\nack {} {} {}\n", submitted.first_sequence, submitted.count, digest(&events));
        out.write_all(line.as_bytes()).unwrap();
        out.flush().unwrap();
    }
}

fn spawn(directory: &Path, seed: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env(CHILD_DIRECTORY, directory)
        .env(CHILD_SEED, seed.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// One batch that the child was told to be safe.
struct Acked {
    first_sequence: u64,
    count: u64,
    digest: String,
}

/// Lets a child live for a while and returns what it was told. Some die while they still open the log.
fn live(directory: &Path, seed: u64, state: &mut u64) -> Vec<Acked> {
    let mut child = spawn(directory, seed);
    let stdout = child.stdout.take().unwrap();
    let (first, answered) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut acked = Vec::new();
        let mut lines = BufReader::new(stdout);
        let mut line = String::new();
        while lines.read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
            if let Some(words) = line.strip_prefix("ack ").and_then(|rest| rest.strip_suffix('\n')) {
                let words: Vec<_> = words.split(' ').collect();
                let _ = first.send(());
                acked.push(Acked {
                    first_sequence: words[0].parse().unwrap(),
                    count: words[1].parse().unwrap(),
                    digest: words[2].to_string(),
                });
            }
            line.clear();
        }
        acked
    });
    if draw(state, 4) > 0 {
        let _ = answered.recv_timeout(Duration::from_secs(30));
    }
    std::thread::sleep(Duration::from_micros(draw(state, 40_000)));
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap()
}

/// Opens what the dead left and compares it with what they were told.
fn check(directory: &Path, acked: &[Acked], seed: u64) {
    let Some(last) = acked.last() else {
        drop(Exchange::open(directory, options(seed)).unwrap());
        return;
    };
    let end = last.first_sequence + last.count - 1;
    let exchange = Exchange::open(directory, options(seed)).unwrap();
    assert!(exchange.engine().sequence() >= end, "sequence {end} was answered");
    exchange.engine().audit().unwrap();
    drop(exchange);

    let mut events: BTreeMap<u64, Vec<EventRecord>> = BTreeMap::new();
    let from_sequence = acked[0].first_sequence;
    let options_of_replay = ReplayOptions { from_sequence, use_snapshots: true, ..ReplayOptions::default() };
    replay(directory, &options_of_replay, &mut |frame| {
        events.insert(frame.first_sequence, frame.events.to_vec());
    })
    .unwrap();
    for batch in acked {
        let again = &events[&batch.first_sequence];
        assert_eq!(digest(again), batch.digest, "the answer to sequence {} changed", batch.first_sequence);
    }
    let orders: Vec<_> = inspect(directory, from_sequence, end)
        .unwrap()
        .flat_map(|frame| match frame.unwrap().body {
            FrameBody::Commands(commands) => commands.into_owned(),
            FrameBody::Deploy(_) => Vec::new(),
        })
        .filter(|command| command.kind() == Some(CommandKind::Place))
        .collect();
    let mut first_answers: BTreeMap<[u8; 32], EventRecord> = BTreeMap::new();
    for event in events.values().flatten().filter(|event| event.kind() == Some(EventKind::OrderAccepted)) {
        assert!(first_answers.insert(event.client_id(), *event).is_none(), "an order took effect twice");
    }
    retry(directory, &orders, &first_answers, seed);
}

/// Submits answered orders again: each gets its first answer, and nothing else happens.
fn retry(
    directory: &Path,
    orders: &[CommandRecord],
    first_answers: &BTreeMap<[u8; 32], EventRecord>,
    seed: u64,
) {
    let mut exchange = Exchange::open(directory, options(seed)).unwrap();
    let (hash, trades) = (exchange.engine().state_hash(), exchange.engine().trades());
    let newest = &orders[orders.len().saturating_sub(200)..];
    for chunk in newest.chunks(100) {
        let mut answers = Vec::new();
        exchange.submit(chunk, None, &mut answers).unwrap();
        assert_eq!(answers.len(), chunk.len());
        for answer in answers {
            assert!(answer.flags & EventFlags::RETRY != 0, "{answer:?}");
            if let Some(first) = first_answers.get(&answer.client_id()) {
                assert_eq!(answer, EventRecord { flags: first.flags | EventFlags::RETRY, ..*first });
            }
        }
    }
    assert_eq!((exchange.engine().state_hash(), exchange.engine().trades()), (hash, trades));
    exchange.close().unwrap();
}

#[test]
fn what_was_answered_survives_kill_9() {
    if std::env::var_os(CHILD_DIRECTORY).is_some() {
        return;
    }
    let wished = std::env::var("XOS_KILL_LOOPS").ok().map(|loops| loops.parse().unwrap());
    let loops = wished.unwrap_or(if std::env::var_os("XOS_LONG").is_some() { 100 } else { 12 });
    let start = std::env::var("XOS_KILL_SEED").map_or(1, |seed| seed.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let (mut state, mut batches, mut commands, mut silent) = (start, 0, 0, 0);
    for turn in 0..loops {
        let acked = live(folder.path(), start + turn, &mut state);
        batches += acked.len();
        commands += acked.iter().map(|batch| batch.count).sum::<u64>();
        silent += u64::from(acked.is_empty());
        check(folder.path(), &acked, start + turn);
    }
    let report = verify(folder.path(), &mut |_, _| (), &VerifyOptions::default()).unwrap();
    println!(
        "kill -9: seed {start}, {loops} kills, {silent} before the first answer, {batches} batches with \
         {commands} commands answered, 0 lost, 0 twice; log ends at sequence {}",
        report.end.sequence
    );
    assert!(batches > 0, "no child lived long enough to be answered");
}
