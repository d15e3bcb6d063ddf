//! Verifying, replaying and inspecting a log that an exchange has written.

mod market;

use market::{mix, options, trade};
use std::collections::BTreeMap;
use std::path::Path;
use xos_journal::JournalError;
use xos_node::{
    Exchange, Failpoint, FrameBody, OpenError, ReplayOptions, VerifyError, VerifyOptions, inspect, replay,
    verify,
};
use xos_protocol::{DeployCommand, EventRecord};

/// An exchange with a history in `folder`: all of its events, its state hash, its sequence.
fn history(folder: &Path) -> (Vec<EventRecord>, [u8; 32], u64) {
    let mut exchange = Exchange::open(folder, options()).unwrap();
    let mut mix = mix();
    let mut events = trade(&mut exchange, &mut mix, 1_000);
    exchange.snapshot().unwrap();
    events.extend(trade(&mut exchange, &mut mix, 1_000));
    exchange.snapshot().unwrap();
    events.extend(trade(&mut exchange, &mut mix, 500));
    (events, exchange.engine().state_hash(), exchange.engine().sequence())
}

fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries
        .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap()))
        .collect()
}

#[test]
fn a_verification_proves_the_chain_the_snapshots_and_the_money() {
    let folder = tempfile::tempdir().unwrap();
    let (events, state_hash, sequence) = history(folder.path());
    let before = contents(folder.path());
    let mut seen = Vec::new();
    let mut progress = |done, total| seen.push((done, total));
    let report = verify(folder.path(), &mut progress, &VerifyOptions::default()).unwrap();
    assert_eq!((report.state_hash, report.end.sequence, report.from_sequence), (state_hash, sequence, 0));
    assert_eq!((report.commands, report.events), (sequence, events.len() as u64 + 1));
    assert_eq!((report.snapshots.len(), report.bad_snapshots.len()), (2, 0));
    assert_eq!((report.conservation.len(), report.conservation[0].sum.0), (1, 0));
    assert!(report.conservation[0].users.0 > 0);
    assert!(seen.is_sorted() && seen.last().is_some_and(|(done, total)| done == total));
    let text = report.to_string();
    assert!(text.contains("USDC: users ") && text.contains("chain head: "), "{text}");
    assert!(before == contents(folder.path()), "verifying changed a file");
    let quick = VerifyOptions { quick: true, ..VerifyOptions::default() };
    assert_eq!(verify(folder.path(), &mut |_, _| (), &quick).unwrap().snapshots, report.snapshots);
}

#[test]
fn a_verification_finds_damage_forgery_and_foreign_snapshots() {
    let folder = tempfile::tempdir().unwrap();
    history(folder.path());
    let files = contents(folder.path());
    let run = || verify(folder.path(), &mut |_, _| (), &VerifyOptions::default());

    let segment = files.keys().find(|name| name.starts_with("segment-")).unwrap();
    let mut bytes = files[segment].clone();
    bytes[1_000] ^= 4;
    std::fs::write(folder.path().join(segment), &bytes).unwrap();
    let error = run().unwrap_err();
    assert!(
        matches!(error, VerifyError::Open(OpenError::Journal(JournalError::CorruptFrame { .. }))),
        "{error}"
    );
    std::fs::write(folder.path().join(segment), &files[segment]).unwrap();

    let snapshot = files.keys().rfind(|name| name.starts_with("snapshot-")).unwrap();
    let mut bytes = files[snapshot].clone();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(folder.path().join(snapshot), &bytes).unwrap();
    let report = run().unwrap();
    assert_eq!((report.snapshots.len(), report.bad_snapshots.len()), (1, 1), "{report}");

    // A snapshot that is sound by itself, of another history: its header gets new checksums.
    let mut bytes = files[snapshot].clone();
    bytes[56] ^= 1; // the state hash
    reseal(&mut bytes);
    std::fs::write(folder.path().join(snapshot), &bytes).unwrap();
    let error = run().unwrap_err();
    assert_eq!(error.code(), 641, "{error}");
    assert!(error.to_string().contains("the replayed state has another hash"), "{error}");

    // One with a session part of its own: the state hash does not cover client ids, the comparison does.
    let mut bytes = files[snapshot].clone();
    let at = bytes.len() - 10;
    bytes[at] ^= 1;
    reseal(&mut bytes);
    std::fs::write(folder.path().join(snapshot), &bytes).unwrap();
    assert!(run().unwrap_err().to_string().contains("its content is not the replayed state"));
    assert!(
        verify(folder.path(), &mut |_, _| (), &VerifyOptions { quick: true, ..Default::default() }).is_ok()
    );
}

/// Gives a changed snapshot file checksums that fit, as a forger would.
fn reseal(bytes: &mut [u8]) {
    let body = *blake3::hash(&bytes[192..]).as_bytes();
    bytes[128..160].copy_from_slice(&body);
    let crc = crc32c::crc32c(&bytes[..160]);
    bytes[160..164].copy_from_slice(&crc.to_le_bytes());
}

#[test]
fn opening_passes_over_a_snapshot_of_another_state() {
    let folder = tempfile::tempdir().unwrap();
    let (_, state_hash, _) = history(folder.path());
    let files = contents(folder.path());
    let snapshot = files.keys().rfind(|name| name.starts_with("snapshot-")).unwrap();
    let mut bytes = files[snapshot].clone();
    bytes[56] ^= 1;
    reseal(&mut bytes);
    std::fs::write(folder.path().join(snapshot), &bytes).unwrap();
    let exchange = Exchange::open(folder.path(), options()).unwrap();
    let recovery = exchange.recovery().unwrap();
    assert_eq!((recovery.snapshots_skipped.len(), exchange.engine().state_hash()), (1, state_hash));
    assert!(recovery.snapshots_skipped[0].contains("another hash than its header says"));
}

#[test]
fn a_replay_gives_the_same_events_from_anywhere() {
    let folder = tempfile::tempdir().unwrap();
    let (events, state_hash, sequence) = history(folder.path());
    for (from_sequence, use_snapshots) in
        [(0, false), (2, false), (1_500, false), (1_500, true), (sequence, true)]
    {
        let options = ReplayOptions { from_sequence, use_snapshots, ..ReplayOptions::default() };
        let mut again = Vec::new();
        let report =
            replay(folder.path(), &options, &mut |frame| again.extend_from_slice(frame.events)).unwrap();
        assert_eq!((report.state_hash, report.end.sequence), (state_hash, sequence));
        assert_eq!(report.snapshot_sequence > 0, use_snapshots, "{report:?}");
        let first = again[0].sequence.min(from_sequence.max(1));
        assert!(first <= from_sequence.max(1));
        // The genesis' event was given to nobody.
        let expected = events.iter().filter(|event| event.sequence >= again[0].sequence);
        assert!(again.iter().filter(|event| event.sequence > 1).eq(expected));
    }
    let options = ReplayOptions { to_sequence: Some(1_000), ..ReplayOptions::default() };
    let report = replay(folder.path(), &options, &mut |_| ()).unwrap();
    assert!((1_000..1_064).contains(&report.end.sequence));
    assert!(report.commands_per_s() > 0);
}

#[test]
fn a_replay_shows_a_halt_and_names_where() {
    let folder = tempfile::tempdir().unwrap();
    history(folder.path());
    let failpoint = Some(Failpoint { sequence: 700, panics: false });
    let options = ReplayOptions { failpoint, ..ReplayOptions::default() };
    let error = replay(folder.path(), &options, &mut |_| ()).unwrap_err();
    assert!(error.to_string().contains("sequence 700") && error.to_string().contains("segment-"), "{error}");
    let options = VerifyOptions { failpoint, ..VerifyOptions::default() };
    assert_eq!(verify(folder.path(), &mut |_, _| (), &options).unwrap_err().code(), 627);
}

#[test]
fn inspecting_shows_frames_and_commands() {
    let folder = tempfile::tempdir().unwrap();
    let (_, _, sequence) = history(folder.path());
    let frames: Vec<_> = inspect(folder.path(), 1, u64::MAX).unwrap().map(Result::unwrap).collect();
    assert!(matches!(frames[0].deployment(), Some(Ok(DeployCommand::Genesis(_)))));
    assert!(matches!(frames[1].deployment(), Some(Ok(DeployCommand::Asset(_)))));
    let mut next = 1;
    for frame in &frames {
        assert_eq!(frame.first_sequence, next);
        next += u64::from(frame.count);
        assert!(frame.durable_sequence < frame.first_sequence);
    }
    assert_eq!(next, sequence + 1);
    let few: Vec<_> = inspect(folder.path(), 100, 120).unwrap().map(Result::unwrap).collect();
    assert!(few[0].first_sequence <= 100 && few[0].first_sequence + u64::from(few[0].count) > 100);
    assert!(few.last().unwrap().first_sequence <= 120);
    let FrameBody::Commands(commands) = &few[0].body else { panic!("{:?}", few[0]) };
    assert_eq!(commands.len(), few[0].count as usize);
    assert!(inspect(folder.path(), sequence + 2, u64::MAX).is_err());
    assert!(inspect(folder.path().join("nothing"), 1, 2).is_err());
}
