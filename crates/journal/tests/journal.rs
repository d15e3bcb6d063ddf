//! The journal on a real directory: what it takes, what it refuses, what it gives back.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use xos_journal::{
    Check, Defences, FRAME_HEADER_BYTES, FrameReader, GenesisId, Journal, JournalError, Options,
    ReadOnlyJournal, RealDisk, SEGMENT_HEADER_BYTES, frame_bytes, segment_name, snapshot_name, verify,
};

fn options() -> Options {
    Options { segment_bytes: 1024, ..Options::new(GenesisId::derive(b"test")) }
}

fn open_with(folder: &Path, options: Options) -> Result<Journal, JournalError> {
    Journal::open(Arc::new(RealDisk::new(folder).unwrap()), options)
}

fn open(folder: &Path) -> Result<Journal, JournalError> {
    open_with(folder, options())
}

fn disk(folder: &Path) -> Arc<RealDisk> {
    Arc::new(RealDisk::existing(folder))
}

fn contents(mut reader: FrameReader) -> Result<Vec<(u64, Vec<u8>)>, JournalError> {
    let mut frames = Vec::new();
    while let Some(frame) = reader.next_frame()? {
        frames.push((frame.header.first_sequence, frame.payload.to_vec()));
    }
    Ok(frames)
}

/// Appends frames of two records with 96 bytes each: five to a segment of 1024 bytes.
fn fill(journal: &mut Journal, frames: u64) {
    for _ in 0..frames {
        let first = journal.position().sequence + 1;
        journal.append(0, first, first * 10, 2, &[&[first as u8; 56], &[7; 40]]).unwrap();
    }
}

fn flip(file: &Path, offset: u64) {
    let file = OpenOptions::new().read(true).write(true).open(file).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).unwrap();
    file.write_all_at(&[byte[0] ^ 0x10], offset).unwrap();
}

#[test]
fn what_was_synced_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(folder.path()).unwrap();
    assert!(journal.report().created);
    assert_eq!(journal.sync().unwrap(), 0);
    fill(&mut journal, 12);
    assert_eq!(journal.sync().unwrap(), 24);
    assert_eq!(journal.segments().len(), 3);
    let written = contents(journal.read_from(1, Check::Full).unwrap()).unwrap();
    let end = journal.close().unwrap();

    let journal = open(folder.path()).unwrap();
    assert!(!journal.report().created);
    assert_eq!(journal.report().torn_tail, None);
    assert_eq!(journal.position(), end);
    assert_eq!(journal.durable_sequence(), 24);
    assert_eq!(contents(journal.read_from(1, Check::Crc).unwrap()).unwrap(), written);
    // From the middle of a frame on, the frame that holds the sequence comes first.
    let tail = contents(journal.read_from(16, Check::Full).unwrap()).unwrap();
    assert_eq!(tail.iter().map(|frame| frame.0).collect::<Vec<_>>(), [15, 17, 19, 21, 23]);
    assert!(contents(journal.read_from(25, Check::Full).unwrap()).unwrap().is_empty());
    let refused = journal.read_from(26, Check::Full).err();
    assert_eq!(refused, Some(JournalError::OutOfRange { sequence: 26, first: 1, end: 24 }));
}

#[test]
fn a_second_writer_is_refused_and_readers_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(folder.path()).unwrap();
    fill(&mut journal, 1);
    journal.sync().unwrap();
    let second = open(folder.path()).err().unwrap();
    assert!(matches!(second, JournalError::AlreadyOpen { .. }), "{second}");
    assert_eq!(second.code(), 4);
    let reader = ReadOnlyJournal::open(disk(folder.path()), &Options::default()).unwrap();
    assert_eq!(reader.position(), journal.position());
    drop(journal);
    open(folder.path()).unwrap();
}

#[test]
fn refused_appends_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(folder.path()).unwrap();
    fill(&mut journal, 1);
    let before = journal.position();
    let gap = journal.append(0, 4, 99, 1, &[b"x"]).unwrap_err();
    assert_eq!(gap, JournalError::SequenceGap { given: 4, expected: 3 });
    let time = journal.append(0, 3, 9, 1, &[b"x"]).unwrap_err();
    assert_eq!(time, JournalError::TimeBackwards { given_ns: 9, previous_ns: 10 });
    assert_eq!(time.to_string(), "the frame's time 9 ns is before its predecessor's 10 ns");
    assert_eq!(journal.append(0, 3, 99, 0, &[b"x"]).unwrap_err(), JournalError::EmptyFrame);
    assert_eq!(journal.position(), before);
    journal.append(0, 3, 10, 1, &[]).unwrap();
    assert_eq!(journal.sync().unwrap(), 3);
}

#[test]
fn a_frame_may_fill_a_segment_and_not_a_byte_more() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(folder.path()).unwrap();
    let most = journal.payload_bytes_most();
    assert_eq!(most, 1024 - SEGMENT_HEADER_BYTES - FRAME_HEADER_BYTES as u64);
    let large = vec![1; most as usize + 1];
    let refused = journal.append(0, 1, 1, 1, &[&large]).unwrap_err();
    assert_eq!(refused, JournalError::FrameTooLarge { bytes: frame_bytes(most + 1), limit: 896 });
    for sequence in 1..=3 {
        journal.append(0, sequence, 1, 1, &[&large[1..]]).unwrap();
    }
    journal.close().unwrap();
    let report = verify(disk(folder.path()), &options()).unwrap();
    assert_eq!((report.segments, report.frames, report.end.sequence), (3, 3, 3));
}

#[test]
fn options_have_bounds() {
    let folder = tempfile::tempdir().unwrap();
    for bad in [0, 512, 1000, 1025, (4 << 30) + 512] {
        let refused = open_with(folder.path(), Options { segment_bytes: bad, ..options() }).err().unwrap();
        assert!(matches!(refused, JournalError::BadOption { .. }), "{refused}");
    }
    let refused = open_with(folder.path(), Options { keep_snapshots: 0, ..options() }).err().unwrap();
    assert!(refused.to_string().contains("keep_snapshots is 0"), "{refused}");
    let refused = open_with(folder.path(), Options { create: false, ..options() }).err().unwrap();
    assert!(matches!(refused, JournalError::NothingThere { .. }), "{refused}");
}

#[test]
fn larger_segments_replace_a_last_one_that_is_empty_and_too_small() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()).unwrap());
    let mut journal = open_with(folder.path(), Options { segment_bytes: 4096, ..options() }).unwrap();
    journal.append(0, 1, 1, 1, &[&[5; 2000]]).unwrap();
    journal.close().unwrap();
    assert_eq!(open(folder.path()).unwrap().position().sequence, 1);
}

#[test]
fn a_sync_on_another_thread_covers_what_was_there_when_it_began() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(folder.path()).unwrap();
    fill(&mut journal, 2);
    let ticket = journal.begin_sync().unwrap().unwrap();
    assert_eq!(ticket.covers().sequence, 4);
    let outcome = std::thread::spawn(move || ticket.run());
    fill(&mut journal, 1);
    assert_eq!(journal.durable_sequence(), 0);
    assert_eq!(journal.finish_sync(outcome.join().unwrap()).unwrap(), 4);
    // A roll in between makes the rest durable; the older outcome does not take that back.
    let ticket = journal.begin_sync().unwrap().unwrap();
    let spare = journal.begin_spare().unwrap().run();
    journal.finish_spare(spare).unwrap();
    assert!(journal.begin_spare().is_none());
    fill(&mut journal, 3);
    assert_eq!(journal.segments().len(), 2);
    assert_eq!(journal.durable_sequence(), 10);
    assert_eq!(journal.finish_sync(ticket.run()).unwrap(), 10);
    assert_eq!(journal.sync().unwrap(), 12);
}

#[test]
fn another_journal_and_another_version_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()).unwrap());
    let other = open_with(folder.path(), Options { genesis: Some(GenesisId::derive(b"other")), ..options() });
    assert!(matches!(other.err().unwrap(), JournalError::WrongGenesis { .. }));
    let path = folder.path().join(segment_name(1));
    let mut bytes = fs::read(&path).unwrap();
    bytes[4] = 9;
    let crc = crc32c::crc32c(&bytes[..124]);
    bytes[124..128].copy_from_slice(&crc.to_le_bytes());
    fs::write(&path, bytes).unwrap();
    let version = open(folder.path()).err().unwrap();
    assert_eq!(
        version.to_string(),
        format!("{} has format version 9, this program reads version 1", segment_name(1))
    );
}

#[test]
fn missing_and_doubled_segments_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(folder.path()).unwrap();
    fill(&mut journal, 12);
    let names: Vec<_> = journal.segments().iter().map(|segment| segment.file.clone()).collect();
    journal.close().unwrap();
    let path = |name: &str| folder.path().join(name);

    fs::rename(path(&names[1]), path("aside")).unwrap();
    let missing = open(folder.path()).err().unwrap();
    assert!(matches!(missing, JournalError::MissingSegment { expected: 11, found: 21, .. }), "{missing}");
    fs::rename(path("aside"), path(&names[1])).unwrap();

    fs::copy(path(&names[0]), path(&segment_name(5))).unwrap();
    let doubled = open(folder.path()).err().unwrap();
    assert!(matches!(doubled, JournalError::DuplicateSegment { .. }), "{doubled}");
    fs::remove_file(path(&segment_name(5))).unwrap();

    fs::rename(path(&names[2]), path("aside")).unwrap();
    let lost = open(folder.path()).err().unwrap();
    assert!(matches!(lost, JournalError::LostRecords { sequence: 21, last: 24, .. }), "{lost}");
    fs::rename(path("aside"), path(&names[2])).unwrap();

    fs::rename(path(&names[0]), path("aside")).unwrap();
    let beginning = open(folder.path()).err().unwrap();
    assert!(matches!(beginning, JournalError::MissingSegment { expected: 1, .. }), "{beginning}");
    fs::rename(path("aside"), path(&names[0])).unwrap();

    fs::create_dir(path("away")).unwrap();
    for name in &names {
        fs::rename(path(name), path("away").join(name)).unwrap();
    }
    let all = open(folder.path()).err().unwrap();
    assert!(matches!(all, JournalError::LostRecords { sequence: 1, last: 24, .. }), "{all}");
}

#[test]
fn snapshots_fall_back_to_the_older_one_and_a_longer_tail() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(folder.path()).unwrap();
    for body in [b"one", b"two", b"san"] {
        fill(&mut journal, 6);
        let at = journal.position();
        let early = journal.begin_snapshot(at, [1; 32]).err().unwrap();
        assert!(matches!(early, JournalError::SnapshotNotDurable { .. }), "{early}");
        journal.sync().unwrap();
        journal.write_snapshot(at, [1; 32], &[body, &[9; 3000]]).unwrap();
    }
    let kept: Vec<_> = journal.snapshots().iter().map(|info| info.at.sequence).collect();
    assert_eq!(kept, [36, 24]);
    let (newest, skipped) = journal.newest_snapshot();
    assert_eq!(&newest.unwrap().1[..3], b"san");
    assert!(skipped.is_empty());
    journal.close().unwrap();

    flip(&folder.path().join(snapshot_name(36)), 1000);
    let report = verify(disk(folder.path()), &options()).unwrap();
    assert_eq!((report.snapshots, report.bad_snapshots.len()), (vec![24], 1));
    let journal = open(folder.path()).unwrap();
    let (newest, skipped) = journal.newest_snapshot();
    let (info, body) = newest.unwrap();
    assert_eq!((info.at.sequence, &body[..3], skipped.len()), (24, &b"two"[..], 1));
    assert_eq!(contents(journal.read_from(25, Check::Full).unwrap()).unwrap().len(), 6);
    drop(journal);
    // A damaged header: not even listed, and still a witness that the log was that long.
    flip(&folder.path().join(snapshot_name(36)), 10);
    let journal = open(folder.path()).unwrap();
    assert_eq!(journal.snapshots().len(), 1);
    assert_eq!(journal.report().bad_snapshots.len(), 1);
}

#[test]
fn segments_go_only_when_every_kept_snapshot_is_newer() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(folder.path()).unwrap();
    for _ in 0..2 {
        fill(&mut journal, 11);
        journal.sync().unwrap();
        let refused = journal.remove_segments_before(5).unwrap_err();
        assert!(matches!(refused, JournalError::StillNeeded { .. }), "{refused}");
        journal.write_snapshot(journal.position(), [0; 32], &[b"state"]).unwrap();
    }
    assert_eq!(journal.segments().len(), 5);
    assert!(journal.remove_segments_before(24).is_err());
    assert_eq!(journal.remove_segments_before(23).unwrap(), 2);
    assert_eq!(journal.first_sequence(), 21);
    assert!(matches!(journal.read_from(1, Check::Full), Err(JournalError::OutOfRange { first: 21, .. })));
    journal.close().unwrap();
    let journal = open_with(folder.path(), Options { full_scan: true, ..options() }).unwrap();
    assert_eq!(contents(journal.read_from(23, Check::Full).unwrap()).unwrap().len(), 11);
}

#[test]
fn a_forged_frame_with_a_right_checksum_breaks_the_chain() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(folder.path()).unwrap();
    fill(&mut journal, 3);
    journal.close().unwrap();
    let path = folder.path().join(segment_name(1));
    let mut bytes = fs::read(&path).unwrap();
    let (at, size) = (SEGMENT_HEADER_BYTES as usize + 176, FRAME_HEADER_BYTES + 96);
    bytes[at + FRAME_HEADER_BYTES] ^= 1;
    bytes[at + 40..at + 44].fill(0);
    let seed = crc32c::crc32c(&bytes[..128]);
    let crc = crc32c::crc32c_append(seed, &bytes[at..at + size]);
    bytes[at + 40..at + 44].copy_from_slice(&crc.to_le_bytes());
    fs::write(&path, bytes).unwrap();
    let refused = open(folder.path()).err().unwrap();
    assert!(refused.is_corruption(), "{refused}");
    let text = refused.to_string();
    assert!(text.contains("offset 304, sequence 3") && text.contains("hash chain"), "{text}");
    // Negative control: without the chain the forgery would be read as the truth.
    let defences = Defences { chain: false, ..Defences::default() };
    assert_eq!(open_with(folder.path(), Options { defences, ..options() }).unwrap().position().sequence, 6);
}

#[test]
fn damage_found_while_reading_is_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(folder.path()).unwrap();
    fill(&mut journal, 12);
    journal.sync().unwrap();
    flip(&folder.path().join(segment_name(11)), 200);
    let mut reader = journal.read_from(1, Check::Crc).unwrap();
    let mut frames = 0;
    let first = loop {
        match reader.next_frame() {
            Ok(frame) => frames += u64::from(frame.is_some()),
            Err(error) => break error,
        }
    };
    assert_eq!(frames, 5);
    assert!(matches!(first, JournalError::CorruptFrame { offset: 128, sequence: 11, .. }), "{first}");
    assert_eq!(reader.next_frame().unwrap_err(), first);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_frames_come_back_as_they_were(
        frames in proptest::collection::vec((any::<u16>(), 1u32..1000, 0u64..5, proptest::collection::vec(any::<u8>(), 0..700), any::<bool>()), 0..40),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = open(folder.path()).unwrap();
        let mut issued = Vec::new();
        for (kind, count, later, payload, sync) in frames {
            let before = journal.position();
            let time = before.time_ns + later;
            let (left, right) = payload.split_at(payload.len() / 3);
            journal.append(kind, before.sequence + 1, time, count, &[left, right]).unwrap();
            issued.push((kind, before.sequence + 1, time, count, payload));
            if sync {
                prop_assert_eq!(journal.sync().unwrap(), journal.position().sequence);
            }
        }
        drop(journal);
        let journal = open(folder.path()).unwrap();
        let mut reader = journal.read_from(1, Check::Full).unwrap();
        for (kind, first, time, count, payload) in issued {
            let frame = reader.next_frame().unwrap().unwrap();
            let header = frame.header;
            prop_assert_eq!((header.kind, header.first_sequence, header.time_ns, header.count), (kind, first, time, count));
            prop_assert_eq!(frame.payload, &payload[..]);
            prop_assert!(header.durable_sequence < first);
        }
        prop_assert!(reader.next_frame().unwrap().is_none());
    }

    /// Several places overwritten at once: whatever comes, it is a prefix or a refusal, never a panic.
    #[test]
    fn scribbled_files_are_read_as_a_prefix_or_refused(
        scribbles in proptest::collection::vec((0usize..4, 0usize..1100, proptest::collection::vec(any::<u8>(), 1..40)), 1..6),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = open(folder.path()).unwrap();
        fill(&mut journal, 7);
        journal.sync().unwrap();
        journal.write_snapshot(journal.position(), [0; 32], &[&[6; 400]]).unwrap();
        let written = contents(journal.read_from(1, Check::Full).unwrap()).unwrap();
        drop(journal);
        let names = [segment_name(1), segment_name(11), snapshot_name(14), "head".to_string()];
        for (file, at, bytes) in scribbles {
            let file = OpenOptions::new().write(true).open(folder.path().join(&names[file])).unwrap();
            file.write_all_at(&bytes, at as u64).unwrap();
        }
        let options = Options { full_scan: true, ..options() };
        match open_with(folder.path(), options) {
            Ok(journal) => {
                let found = contents(journal.read_from(1, Check::Full).unwrap()).unwrap();
                prop_assert!(written.starts_with(&found));
                let _ = journal.newest_snapshot();
            }
            Err(error) => prop_assert!(error.is_corruption(), "{}", error),
        }
    }
}
