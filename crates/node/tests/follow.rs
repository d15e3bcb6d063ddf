//! Following a log while it is written: frame by frame, over segments, and what does not stand there whole.

use std::fs;
use std::os::unix::fs::FileExt;
use xos_node::{Exchange, Follower, Options};
use xos_protocol::{AssetSpec, CommandKind, CommandRecord, DeployCommand, EventRecord, Int128};

fn opened(path: &std::path::Path) -> Exchange {
    Exchange::open(path, Options { segment_bytes: 8 << 20, durable: false, ..Options::default() })
        .expect("a log")
}

fn command(kind: CommandKind, account: u32, atoms: i128) -> CommandRecord {
    CommandRecord {
        kind: kind.code(),
        account,
        instrument: u32::from(kind == CommandKind::Deposit),
        amount: Int128::new(atoms),
        ..Default::default()
    }
}

fn begin(exchange: &mut Exchange) -> Vec<EventRecord> {
    let mut events = Vec::new();
    let asset = DeployCommand::Asset(AssetSpec::new("USDC".into(), 6));
    exchange.deploy(&asset.to_bytes(), None, &mut events).expect("an asset");
    exchange.submit(&[command(CommandKind::OpenAccount, 0, 0)], None, &mut events).expect("an account");
    events
}

/// All events that there are by now, and how many postings.
fn read(follower: &mut Follower) -> (Vec<EventRecord>, usize) {
    let (mut events, mut postings) = (Vec::new(), 0);
    let mut take = |frame: &xos_node::FollowedFrame<'_>| {
        events.extend_from_slice(frame.events);
        postings += frame.postings.len();
    };
    while follower.advance(&mut take).expect("a sound log") {}
    (events, postings)
}

#[test]
fn frames_are_followed_as_they_are_written_over_segments_and_restarts() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut exchange = opened(folder.path());
    let mut written = begin(&mut exchange);
    let mut follower = Follower::open(folder.path(), 0).expect("a log");
    let mut followed = read(&mut follower).0;
    let batch = vec![command(CommandKind::Deposit, 1, 5); 4_000];
    for round in 0..60 {
        exchange.submit(&batch, None, &mut written).expect("deposits");
        let (events, postings) = read(&mut follower);
        followed.extend(events);
        assert_eq!(postings, batch.len());
        if round == 30 {
            exchange.close().expect("closed");
            exchange = opened(folder.path());
            follower = Follower::open(folder.path(), follower.sequence()).expect("from there on");
        }
    }
    assert!(followed == written);
    assert!(fs::read_dir(folder.path()).expect("files").count() > 3, "segments");
    assert_eq!(follower.engine().state_hash(), exchange.engine().state_hash());
    assert_eq!(Some(follower.position()), exchange.position());
    assert!(Follower::open(folder.path(), follower.sequence() + 1).is_err());
}

#[test]
fn a_frame_that_is_not_whole_is_not_there_yet() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut exchange = opened(folder.path());
    let mut events = begin(&mut exchange);
    let mut follower = Follower::open(folder.path(), 0).expect("a log");
    read(&mut follower);
    let file = fs::read_dir(folder.path()).expect("files").flatten();
    let path = file.map(|file| file.path()).find(|path| path.extension().is_some_and(|end| end == "xosj"));
    let path = path.expect("a segment");
    let before = fs::read(&path).expect("bytes");
    exchange.submit(&vec![command(CommandKind::Deposit, 1, 5); 100], None, &mut events).expect("deposits");
    exchange.close().expect("closed");
    let after = fs::read(&path).expect("bytes");
    let (first, last) = (
        before.iter().zip(&after).position(|(a, b)| a != b).expect("written"),
        before.iter().zip(&after).rposition(|(a, b)| a != b).expect("written"),
    );
    let file = fs::OpenOptions::new().write(true).open(&path).expect("the segment");
    for part in [0, 4, 40, 96, 200, (last - first) / 2, last - first] {
        file.write_all_at(&before[first..=last], first as u64).expect("as it was");
        file.write_all_at(&after[first..first + part], first as u64).expect("a part of the frame");
        assert!(!follower.advance(&mut |_| ()).expect("not yet"), "{part} bytes");
    }
    file.write_all_at(&after[first..=last], first as u64).expect("all of it");
    assert_eq!(read(&mut follower).1, 100);
}
