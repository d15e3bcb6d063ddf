//! The embedded exchange on a real directory: what it takes, refuses, keeps and finds again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use xos_journal::JournalError;
use xos_node::{Clock, Exchange, Failpoint, NodeError, OpenError, Options};
use xos_protocol::{
    AssetSpec, CommandKind, CommandRecord, DeployCommand, EventFlags, EventKind, EventRecord, Limits,
    OracleSpec, PriceStatus, Product, PublisherSpec, SourceSpec,
};
use xos_units::InstrumentId;

mod market;

use market::{TIME, mix, options, trade};

fn tick() -> CommandRecord {
    CommandRecord { kind: CommandKind::Tick.code(), ..Default::default() }
}

/// A directory with somebody else's files is not made an exchange, and not touched.
#[test]
fn a_directory_with_other_files_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("holiday.jpg"), b"sun").unwrap();
    let error = Exchange::open(folder.path(), Options::default()).err().expect("not an exchange");
    assert_eq!(error.code(), 629);
    let text = error.to_string();
    assert!(text.contains("holds holiday.jpg") && text.contains(folder.path().to_str().unwrap()), "{text}");
    let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["holiday.jpg"]);
    // In a directory of its own the other file does no harm.
    let own = folder.path().join("new");
    Exchange::open(&own, Options::default()).unwrap().close().unwrap();
    std::fs::write(own.join("holiday.jpg"), b"sun").unwrap();
    Exchange::open(&own, Options::default()).unwrap().close().unwrap();
}

#[test]
fn in_memory_and_on_disk_answer_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let mut on_disk = Exchange::open(folder.path(), options()).unwrap();
    let mut in_memory = Exchange::in_memory_with(options()).unwrap();
    let (one, other) = (trade(&mut on_disk, &mut mix(), 1_000), trade(&mut in_memory, &mut mix(), 1_000));
    assert!(one == other);
    assert!(one.iter().any(|event| event.kind() == Some(EventKind::Trade)));
    assert_eq!(on_disk.engine().state_hash(), in_memory.engine().state_hash());
    assert_eq!(on_disk.durable_sequence(), on_disk.engine().sequence());
    assert_eq!(in_memory.snapshot().unwrap_err(), NodeError::InMemory);
    assert_eq!(in_memory.close().unwrap(), None);
}

#[test]
fn it_is_the_same_after_opening_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut exchange = Exchange::open(folder.path(), options()).unwrap();
    trade(&mut exchange, &mut mix(), 2_000);
    let (hash, sequence) = (exchange.engine().state_hash(), exchange.engine().sequence());
    let snapshot = exchange.engine().snapshot_bytes();
    let end = exchange.close().unwrap().unwrap();
    assert_eq!(end.sequence, sequence);

    let exchange = Exchange::open(folder.path(), options()).unwrap();
    assert_eq!((exchange.engine().state_hash(), exchange.engine().sequence()), (hash, sequence));
    assert!(exchange.engine().snapshot_bytes() == snapshot);
    let recovery = exchange.recovery().unwrap();
    assert_eq!((recovery.snapshot_sequence, recovery.commands_replayed), (None, sequence));
    assert!(recovery.to_string().contains(&format!("{sequence} commands replayed")), "{recovery}");
    assert!(matches!(
        Exchange::open(folder.path(), options()).err().unwrap(),
        OpenError::Journal(JournalError::AlreadyOpen { .. })
    ));
}

#[test]
fn a_snapshot_shortens_the_tail_and_an_older_one_stands_in() {
    let folder = tempfile::tempdir().unwrap();
    let mut exchange = Exchange::open(folder.path(), options()).unwrap();
    let mut mix = mix();
    trade(&mut exchange, &mut mix, 500);
    let first = exchange.snapshot().unwrap();
    trade(&mut exchange, &mut mix, 500);
    let second = exchange.snapshot().unwrap();
    trade(&mut exchange, &mut mix, 200);
    let hash = exchange.engine().state_hash();
    drop(exchange);

    let exchange = Exchange::open(folder.path(), options()).unwrap();
    let recovery = exchange.recovery().unwrap();
    assert_eq!((recovery.snapshot_sequence, recovery.commands_replayed), (Some(second.at.sequence), 200));
    assert_eq!(exchange.engine().state_hash(), hash);
    drop(exchange);

    let path = folder.path().join(&second.file);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let exchange = Exchange::open(folder.path(), options()).unwrap();
    let recovery = exchange.recovery().unwrap();
    assert_eq!((recovery.snapshot_sequence, recovery.commands_replayed), (Some(first.at.sequence), 700));
    assert_eq!(recovery.snapshots_skipped.len(), 1);
    assert!(recovery.to_string().contains(&second.file));
    assert_eq!(exchange.engine().state_hash(), hash);
}

#[test]
fn a_snapshot_is_made_beside_the_log_by_a_second_engine() {
    let folder = tempfile::tempdir().unwrap();
    let automatic = Options { snapshot_every_commands: Some(1_000), ..options() };
    let mut exchange = Exchange::open(folder.path(), automatic.clone()).unwrap();
    exchange.make_snapshots_beside(true);
    let mut mix = mix();
    let mut due = Vec::new();
    for _ in 0..3 {
        trade(&mut exchange, &mut mix, 1_000);
        // It is begun here and written at any later time; closing waits for the last one.
        due.push(exchange.engine().sequence());
        exchange.snapshot_if_due();
    }
    let hash = exchange.engine().state_hash();
    assert_eq!(exchange.snapshot_failure(), None);
    drop(exchange);
    let exchange = Exchange::open(folder.path(), automatic.clone()).unwrap();
    let made = exchange.recovery().unwrap().snapshot_sequence.expect("a snapshot");
    assert!(due.contains(&made), "{made} of {due:?}");
    assert_eq!(exchange.engine().state_hash(), hash);
    drop(exchange);
    xos_node::verify(folder.path(), &mut |_, _| {}, &xos_node::VerifyOptions::default()).unwrap();

    // A snapshot that is damaged is no base, and the one beside the log is sound all the same.
    let path = folder.path().join(xos_journal::snapshot_name(made));
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let mut exchange = Exchange::open(folder.path(), automatic.clone()).unwrap();
    exchange.make_snapshots_beside(true);
    trade(&mut exchange, &mut mix, 4_000);
    let at = exchange.engine().sequence();
    exchange.snapshot_if_due();
    let hash = exchange.engine().state_hash();
    drop(exchange);
    let exchange = Exchange::open(folder.path(), automatic).unwrap();
    let recovery = exchange.recovery().unwrap();
    assert_eq!((recovery.snapshot_sequence, recovery.commands_replayed), (Some(at), 0));
    assert_eq!(exchange.engine().state_hash(), hash);
}

#[test]
fn snapshots_come_by_themselves_and_the_oldest_go() {
    let folder = tempfile::tempdir().unwrap();
    let automatic = Options { snapshot_every_commands: Some(300), ..options() };
    let mut exchange = Exchange::open(folder.path(), automatic.clone()).unwrap();
    trade(&mut exchange, &mut mix(), 2_000);
    assert_eq!(exchange.snapshot_failure(), None);
    let hash = exchange.engine().state_hash();
    drop(exchange);
    let names = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(names.filter(|name| name.to_str().unwrap().starts_with("snapshot-")).count(), 2);
    let exchange = Exchange::open(folder.path(), automatic).unwrap();
    assert!(exchange.recovery().unwrap().commands_replayed < 300);
    assert_eq!(exchange.engine().state_hash(), hash);
}

#[test]
fn a_retry_after_a_restart_gets_the_first_answer() {
    for with_snapshot in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let mut exchange = Exchange::open(folder.path(), options()).unwrap();
        let mut mix = mix();
        let events = trade(&mut exchange, &mut mix, 300);
        if with_snapshot {
            exchange.snapshot().unwrap();
        }
        let first = events.iter().rev().find(|event| event.kind() == Some(EventKind::OrderAccepted)).unwrap();
        drop(exchange);

        let mut exchange = Exchange::open(folder.path(), options()).unwrap();
        let (trades, orders) = (exchange.engine().trades(), exchange.engine().orders_resting());
        let hash = exchange.engine().state_hash();
        let again = CommandRecord {
            kind: CommandKind::Place.code(),
            account: first.account,
            client_id: first.client_id(),
            side: first.side,
            instrument: first.instrument,
            price: first.price,
            qty: first.qty,
            ..Default::default()
        };
        let mut answer = Vec::new();
        exchange.submit(&[again], None, &mut answer).unwrap();
        assert_eq!(answer, [EventRecord { flags: first.flags | EventFlags::RETRY, ..*first }]);
        assert_eq!((exchange.engine().trades(), exchange.engine().orders_resting()), (trades, orders));
        assert_eq!(exchange.engine().state_hash(), hash);
    }
}

#[test]
fn time_is_given_or_the_clocks_and_never_goes_back() {
    let folder = tempfile::tempdir().unwrap();
    let now = Arc::new(AtomicU64::new(TIME));
    let shown = now.clone();
    let clock = Clock::new(move || shown.load(Ordering::Relaxed));
    let mut exchange = Exchange::open(folder.path(), Options { clock, ..options() }).unwrap();
    let mut events = Vec::new();
    assert_eq!(exchange.submit(&[tick()], Some(TIME + 5), &mut events).unwrap().time_ns, TIME + 5);
    let before = exchange.position();
    let refused = exchange.submit(&[tick()], Some(TIME + 4), &mut events).unwrap_err();
    assert_eq!(refused, NodeError::TimeBackwards { given_ns: TIME + 4, last_ns: TIME + 5 });
    assert_eq!((refused.code(), exchange.position(), events.len()), (603, before, 1));
    assert_eq!(exchange.submit(&[], None, &mut events).unwrap_err(), NodeError::Empty);
    for (shows, stamped) in [(TIME - 9, TIME + 5), (0, TIME + 5), (TIME + 7, TIME + 7)] {
        now.store(shows, Ordering::Relaxed);
        assert_eq!(exchange.submit(&[tick()], None, &mut events).unwrap().time_ns, stamped);
    }
    assert!(events.iter().map(|event| event.time_ns).is_sorted());
}

#[test]
fn one_call_is_one_frame_up_to_the_limit() {
    let mut exchange = Exchange::in_memory_with(options()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut on_disk = Exchange::open(folder.path(), options()).unwrap();
    for (commands, frames) in [(64, 1), (65, 2), (640, 10)] {
        let mut events = Vec::new();
        let batch = vec![tick(); commands];
        let submitted = exchange.submit(&batch, None, &mut events).unwrap();
        assert_eq!((submitted.count, events.len()), (commands as u64, commands));
        on_disk.submit(&batch, None, &mut events).unwrap();
        drop(on_disk);
        on_disk = Exchange::open(folder.path(), options()).unwrap();
        let replayed = on_disk.recovery().unwrap().frames_replayed;
        assert_eq!(replayed, 1 + frames, "frames with the genesis");
        drop(on_disk);
        std::fs::remove_dir_all(folder.path()).unwrap();
        on_disk = Exchange::open(folder.path(), options()).unwrap();
    }
}

#[test]
fn large_batches_are_synced_beside_their_execution() {
    let folder = tempfile::tempdir().unwrap();
    let overlapped = Options { overlap_commands: 1, ..options() };
    let mut exchange = Exchange::open(folder.path(), overlapped).unwrap();
    let mut in_memory = Exchange::in_memory_with(options()).unwrap();
    let (mut one, mut other) = (mix(), mix());
    assert!(trade(&mut exchange, &mut one, 100) == trade(&mut in_memory, &mut other, 100));
    let (mut events, mut expected) = (Vec::new(), Vec::new());
    exchange.submit(&one.commands(10_000), None, &mut events).unwrap();
    in_memory.submit(&other.commands(10_000), None, &mut expected).unwrap();
    assert!(events == expected);
    assert_eq!(exchange.durable_sequence(), exchange.engine().sequence());
    drop(exchange);
    let exchange = Exchange::open(folder.path(), options()).unwrap();
    assert_eq!(exchange.engine().state_hash(), in_memory.engine().state_hash());
}

#[test]
fn limits_are_those_of_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { accounts_max: 3, frame_commands_max: 64, ..Limits::default() };
    let with = |limits| Options { limits, ..options() };
    drop(Exchange::open(folder.path(), with(Some(limits.clone()))).unwrap());
    let exchange = Exchange::open(folder.path(), with(None)).unwrap();
    assert_eq!((exchange.engine().limits(), exchange.engine().sequence()), (&limits, 1));
    drop(exchange);
    let other = Limits { accounts_max: 4, assets_max: 9, ..limits.clone() };
    let error = Exchange::open(folder.path(), with(Some(other))).err().unwrap();
    assert_eq!(error.code(), 623);
    assert!(error.to_string().contains("accounts_max: 3 and not 4, assets_max: 1024 and not 9"), "{error}");
    drop(Exchange::open(folder.path(), with(Some(limits))).unwrap());
}

#[test]
fn limits_that_the_log_cannot_hold_are_refused_before_anything_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("exchange");
    let room = (64 << 10) - 128 - 80;
    for frame_commands_max in [0, room / 96 + 1] {
        let limits = Some(Limits { frame_commands_max, ..Limits::default() });
        let error = Exchange::open(&path, Options { limits, ..options() }).err().unwrap();
        assert_eq!((error.code(), std::fs::read_dir(&path).unwrap().count()), (624, 0), "{error}");
    }
    let limits = Some(Limits { frame_commands_max: room / 96, ..Limits::default() });
    let mut exchange = Exchange::open(&path, Options { limits, ..options() }).unwrap();
    exchange.submit(&vec![tick(); room as usize / 96], None, &mut Vec::new()).unwrap();

    let mut fresh = Exchange::in_memory(None).unwrap();
    let genesis = DeployCommand::Genesis(Limits { frame_commands_max: 0, ..Limits::default() }).to_bytes();
    assert_eq!(fresh.deploy(&genesis, None, &mut Vec::new()).unwrap_err().code(), 605);
}

#[test]
fn a_deployment_longer_than_a_segment_is_refused_and_an_unreadable_one_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let mut exchange = Exchange::open(folder.path(), options()).unwrap();
    let (before, mut events) = (exchange.position(), Vec::new());
    let limit = (64 << 10) - 128 - 80;
    let error = exchange.deploy(&vec![0; limit + 1], None, &mut events).unwrap_err();
    assert_eq!(error, NodeError::DeployTooLarge { bytes: limit as u64 + 1, limit: limit as u64 });
    assert_eq!(exchange.position(), before);
    exchange.deploy(&vec![0; limit], None, &mut events).unwrap();
    assert_eq!((events[0].kind(), events[0].reason), (Some(EventKind::Rejected), 502));
    let asset = DeployCommand::Asset(AssetSpec::new("A".into(), 0)).to_bytes();
    exchange.deploy(&asset, None, &mut events).unwrap();
    drop(exchange);
    assert_eq!(Exchange::open(folder.path(), options()).unwrap().engine().assets().len(), 1);
}

#[test]
fn a_log_without_its_segments_does_not_begin_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut exchange = Exchange::open(folder.path(), options()).unwrap();
    trade(&mut exchange, &mut mix(), 10);
    drop(exchange);
    for entry in std::fs::read_dir(folder.path()).unwrap().map(Result::unwrap) {
        if entry.file_name().to_str().unwrap().starts_with("segment-") {
            std::fs::remove_file(entry.path()).unwrap();
        }
    }
    let error = Exchange::open(folder.path(), options()).err().unwrap();
    assert_eq!(error.code(), 625, "{error}");
    assert!(error.to_string().contains("has head but no segment"), "{error}");
}

#[test]
fn an_engine_that_stops_takes_the_exchange_with_it_and_a_replay_shows_it_again() {
    for panics in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let failing = Options { failpoint: Some(Failpoint { sequence: 150, panics }), ..options() };
        let mut exchange = Exchange::open(folder.path(), failing.clone()).unwrap();
        let mut mix = mix();
        let mut events = trade(&mut exchange, &mut mix, 100);
        let (answered, sequence) = (events.len(), exchange.engine().sequence());
        let error = exchange.submit(&mix.commands(60), None, &mut events).unwrap_err();
        let NodeError::Halted(violation) = &error else { panic!("{error}") };
        assert!((sequence + 1..=150).contains(&violation.sequence), "{violation:?}");
        assert_eq!(events.len(), answered, "events of the frame stay inside");
        for again in [
            exchange.submit(&[tick()], None, &mut events).map(|_| ()),
            exchange.deploy(b"", None, &mut events).map(|_| ()),
            exchange.snapshot().map(|_| ()),
        ] {
            assert_eq!(again.unwrap_err(), error);
        }
        drop(exchange);

        let reopened = Exchange::open(folder.path(), failing).err().unwrap();
        let OpenError::Halted { violation: again, .. } = &reopened else { panic!("{reopened}") };
        assert_eq!((again, reopened.code()), (violation, 627));
        let cured = Exchange::open(folder.path(), options()).unwrap();
        assert_eq!(cured.engine().sequence(), sequence + 60);
    }
}

#[test]
fn without_durability_a_close_still_syncs() {
    let folder = tempfile::tempdir().unwrap();
    let fast = Options { durable: false, ..options() };
    let mut exchange = Exchange::open(folder.path(), fast).unwrap();
    trade(&mut exchange, &mut mix(), 100);
    assert!(exchange.durable_sequence() < exchange.engine().sequence());
    exchange.snapshot().unwrap();
    assert_eq!(exchange.durable_sequence(), exchange.engine().sequence());
    let end = exchange.close().unwrap().unwrap();
    let exchange = Exchange::open(folder.path(), options()).unwrap();
    assert_eq!(exchange.position(), Some(end));
}

#[test]
fn large_segments_follow_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Some(Limits { frame_commands_max: 4_096, ..Limits::default() });
    let large = Options { limits, segment_bytes: 4 << 20, ..options() };
    let mut exchange = Exchange::open(folder.path(), large.clone()).unwrap();
    let (batch, mut events) = (vec![tick(); 4_096], Vec::new());
    for _ in 0..35 {
        events.clear();
        exchange.submit(&batch, None, &mut events).unwrap();
    }
    let end = exchange.close().unwrap();
    let names = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(names.filter(|name| name.to_str().unwrap().starts_with("segment-")).count(), 4);
    assert_eq!(Exchange::open(folder.path(), large).unwrap().position(), end);
}

/// The perpetual of the mix, priced by one publisher.
fn with_oracle(exchange: &mut Exchange) {
    let mut events = Vec::new();
    let bodies = mix().deployments();
    exchange.deploy(&bodies[0], None, &mut events).unwrap();
    let publisher = PublisherSpec { symbol: "FOX".into(), key: "0".repeat(64) };
    exchange.deploy(&DeployCommand::Publisher(publisher).to_bytes(), None, &mut events).unwrap();
    let instrument = bodies.iter().find_map(|body| match DeployCommand::from_bytes(body) {
        Ok(DeployCommand::Instrument(spec)) if matches!(spec.product, Product::Perpetual { .. }) => {
            Some(spec)
        }
        _ => None,
    });
    let mut spec = instrument.unwrap();
    spec.oracle = Some(OracleSpec {
        sources: vec![SourceSpec { publisher: 1, weight: 1 }],
        sources_min: 1,
        stale_after_ms: 10_000,
        deviation_ppm: 50_000,
        step_max_ppm: 0,
        mark_band_ppm: 50_000,
        reopen_ms: 0,
    });
    exchange.deploy(&DeployCommand::Instrument(spec).to_bytes(), None, &mut events).unwrap();
    assert!(events.iter().all(|event| event.kind() != Some(EventKind::Rejected)), "{events:?}");
}

#[test]
fn after_a_restart_prices_must_be_told_anew() {
    let folder = tempfile::tempdir().unwrap();
    let mut exchange = Exchange::open(folder.path(), options()).unwrap();
    with_oracle(&mut exchange);
    let publish = |time_ns| CommandRecord {
        kind: CommandKind::PublishPrice.code(),
        account: 1,
        instrument: 1,
        price: 1_000,
        expires_ns: time_ns,
        ..Default::default()
    };
    let status = |exchange: &Exchange| exchange.engine().instrument(InstrumentId(1)).unwrap().prices;
    exchange.submit(&[publish(TIME)], None, &mut Vec::new()).unwrap();
    assert_eq!(status(&exchange), Some(PriceStatus::Live));
    let sequence = exchange.engine().sequence();
    exchange.close().unwrap();

    let mut exchange = Exchange::open(folder.path(), options()).unwrap();
    assert_eq!(exchange.engine().sequence(), sequence + 1);
    assert_eq!(status(&exchange), Some(PriceStatus::Recovering));
    let mut events = Vec::new();
    exchange.submit(&[publish(TIME), publish(TIME + 1)], Some(TIME + 1), &mut events).unwrap();
    assert_eq!(events[0].reason, xos_protocol::Reject::PublishedNotNewer.code());
    assert_eq!(status(&exchange), Some(PriceStatus::Live));
    exchange.close().unwrap();

    // The restart is in the log: whoever reads it sees the same.
    let exchange = Exchange::open(folder.path(), options()).unwrap();
    assert_eq!(status(&exchange), Some(PriceStatus::Recovering));
}
