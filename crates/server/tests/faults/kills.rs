//! kill -9 at load, over the wire: clients with open sessions, a restart, the sessions resumed.

use crate::lives::{Process, Trader, draw, first_seed, lives, wait_until};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use xos_node::{FrameBody, ReplayOptions, VerifyOptions, inspect, replay, verify};
use xos_protocol::{CommandRecord, EventFlags, EventKind, EventRecord};
use zerocopy::IntoBytes;

pub(crate) fn kill_at_load() -> String {
    let (seed, kills) = (first_seed(), lives(100, 6));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("data");
    let mut state = seed;
    let mut traders = Trader::all(seed * 1_000);
    let mut answered = 0;
    for life in 0..=kills {
        let process = Process::start(&path);
        let address = process.address;
        let mut process = Some(process);
        let (stopping, done) = (AtomicBool::new(false), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for trader in &mut traders {
                let client = trader.connect(address);
                scope.spawn(|| trader.load(client, &stopping, &done, &AtomicU64::new(0)));
            }
            // At least something is answered, and then in the midst of any batch.
            wait_until(&done, 300 + draw(&mut state, 6_000));
            // In the last life every outcome comes.
            stopping.store(life == kills, Relaxed);
            if life < kills {
                process.take().expect("it lives").kill();
            }
        });
        if let Some(last) = process {
            last.kill();
        }
        answered += done.load(Relaxed);
    }
    let found = judge(&path, &traders);
    let resumed: u64 = traders.iter().map(|trader| trader.resumed).sum();
    let too_old: u64 = traders.iter().map(|trader| trader.too_old).sum();
    assert!(resumed > kills, "{resumed} of {} sessions resumed", kills * 4);
    format!(
        "seed {seed}, {kills} kills: {answered} answered, 0 lost, 0 twice; {} logged, {} of them never answered; \
         {resumed} sessions resumed without a gap, {too_old} too old",
        found.logged, found.unanswered
    )
}

/// What the log has.
pub(crate) struct Found {
    /// Commands of the clients.
    pub(crate) logged: u64,
    /// Those of which no client had an outcome.
    pub(crate) unanswered: u64,
}

/// Compares the log with what clients sent and were told.
pub(crate) fn judge(path: &Path, traders: &[Trader]) -> Found {
    let logged = clients_commands(path);
    for trader in traders {
        for (sequence, command) in &trader.taken {
            assert_eq!(logged.get(sequence), Some(command), "sequence {sequence} was acknowledged");
        }
    }
    // Everything else in the log is a command whose outcome was lost on the way, as often as it was sent at most.
    let mut unknown: HashMap<[u8; 96], u64> = HashMap::new();
    for command in traders.iter().flat_map(|trader| trader.unknown.iter().chain(trader.waiting.values())) {
        *unknown.entry(bytes_of(command)).or_default() += 1;
    }
    let taken: u64 = traders.iter().map(|trader| trader.taken.len() as u64).sum();
    let mut unanswered = 0;
    for (sequence, command) in &logged {
        if traders.iter().any(|trader| trader.taken.contains_key(sequence)) {
            continue;
        }
        unanswered += 1;
        let left = unknown.get_mut(&bytes_of(command));
        let left = left.unwrap_or_else(|| panic!("sequence {sequence} is nobody's: {command:?}"));
        *left = left.checked_sub(1).unwrap_or_else(|| panic!("{command:?} is logged more often than sent"));
    }
    assert_eq!(taken + unanswered, logged.len() as u64, "accepted equals logged");
    compare_events(path, traders);
    verify(path, &mut |_, _| {}, &VerifyOptions::default()).expect("the log is sound");
    Found { logged: logged.len() as u64, unanswered }
}

fn bytes_of(command: &CommandRecord) -> [u8; 96] {
    command.as_bytes().try_into().expect("96 bytes")
}

/// Everything behind the set-up, which is two deployments and seven commands, by sequence.
fn clients_commands(path: &Path) -> BTreeMap<u64, CommandRecord> {
    let mut logged = BTreeMap::new();
    for frame in inspect(path, 1, u64::MAX).expect("a log") {
        let frame = frame.expect("a frame");
        let FrameBody::Commands(commands) = &frame.body else { continue };
        logged.extend((frame.first_sequence..).zip(commands.iter().copied()));
    }
    let own = |command: &CommandRecord| command.has_client_id() && command.client_id[0] <= 3;
    logged.retain(|_, command| own(command));
    logged
}

/// Each client heard exactly what the log gives, and no order took effect twice.
fn compare_events(path: &Path, traders: &[Trader]) {
    let mut all: Vec<(u64, EventRecord)> = Vec::new();
    let mut accepted: HashMap<(u32, [u8; 32]), u64> = HashMap::new();
    replay(path, &ReplayOptions::default(), &mut |frame| {
        all.extend(frame.events.iter().map(|event| (frame.first_sequence, *event)));
    })
    .expect("the log is replayed");
    for (_, event) in &all {
        if event.kind() == Some(EventKind::OrderAccepted)
            && event.flags & EventFlags::RETRY == 0
            && let Some(first) = accepted.insert((event.account, event.client_id()), event.sequence)
        {
            panic!("an order took effect twice, at {first} and {}", event.sequence);
        }
    }
    let plain = |(mark, event): &(u64, EventRecord)| (*mark, event.sequence, event.kind);
    for trader in traders {
        for (heard, begin) in trader.heard.iter().zip(&trader.begins) {
            let due =
                all.iter().filter(|(mark, event)| mark >= begin && trader.concerns(event)).take(heard.len());
            let due: Vec<_> = due.map(plain).collect();
            let heard: Vec<_> = heard.iter().map(plain).collect();
            if let Some(at) = (0..heard.len()).find(|at| heard.get(*at) != due.get(*at)) {
                panic!("event {at} of {}: heard {:?}, due {:?}", heard.len(), heard.get(at), due.get(at));
            }
        }
    }
}
