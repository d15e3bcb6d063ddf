//! Clients that send garbage, trickle, flood or never read.

use crate::desk::{self, Desk, cancel, open_rates, place, submit};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};
use xos_protocol::{
    CommandRecord, EventKind, FeedAction, FeedRecord, MESSAGE_BYTES_MAX, MessageHeader, MessageKind,
    Subscription,
};
use xos_server::{Client, ClientError, Rate, ServerOptions, each};
use zerocopy::IntoBytes;

pub(crate) fn a_byte_at_a_time() -> String {
    let desk = Desk::new(open_rates());
    let mut anna = desk.anna();
    let header = MessageHeader::new(MessageKind::Commands, 1, 0, 96, 2);
    let commands = [place(1, 0, 49_000, 1), place(1, 0, 49_001, 1)];
    let bytes = [header.as_bytes(), commands.as_bytes()].concat();
    for byte in bytes {
        (&mut anna.stream()).write_all(&[byte]).expect("sent");
    }
    let outcomes = anna.wait_outcomes(2).expect("outcomes");
    let kinds: Vec<_> = outcomes.events.iter().filter_map(|(_, event)| event.kind()).collect();
    assert_eq!(kinds, [EventKind::OrderAccepted; 2]);
    "224 bytes one by one: 2 orders accepted".into()
}

/// Reads until the other side hangs up; it has to, within the timeout.
fn read_to_the_end(stream: &mut TcpStream) {
    let mut bytes = [0; 4_096];
    stream.set_read_timeout(Some(desk::WAIT)).expect("a timeout");
    loop {
        match stream.read(&mut bytes) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return,
            Err(error) => panic!("it was not hung up: {error}"),
        }
    }
}

pub(crate) fn garbage() -> String {
    let desk = Desk::new(open_rates());
    let mut bert = desk.bert();
    let mut lies = vec![vec![0xff; 64], b"GET / HTTP/1.1\r\nHost: somewhere\r\n\r\n".to_vec()];
    let mut long = MessageHeader::new(MessageKind::Commands, 1, 0, 96, 1);
    long.length = MESSAGE_BYTES_MAX + 1;
    lies.push(long.as_bytes().to_vec());
    // Sound, but not before a logon; and one that only a server sends.
    let early = MessageHeader::new(MessageKind::Commands, 1, 0, 96, 1);
    lies.push([early.as_bytes(), CommandRecord::default().as_bytes()].concat());
    lies.push(MessageHeader::new(MessageKind::Events, 1, 0, 128, 0).as_bytes().to_vec());
    let count = lies.len();
    for lie in lies {
        let mut nobody = TcpStream::connect(desk.server.address()).expect("connected");
        nobody.write_all(&lie).expect("sent");
        read_to_the_end(&mut nobody);
        let mut anna = desk.anna();
        (&mut anna.stream()).write_all(&lie[..lie.len().min(32)]).expect("sent");
        (&mut anna.stream()).write_all(&[0xee; 96]).expect("sent");
        // Commands of garbage are read as commands, whose number or content is refused.
        loop {
            match anna.wait_message() {
                Ok((header, _)) if header.kind == MessageKind::Refused.code() => break,
                Ok(_) => {}
                Err(ClientError::Goodbye(_)) => break,
                Err(error) => {
                    assert!(matches!(error, ClientError::Io(_)), "{error}");
                    break;
                }
            }
        }
    }
    submit(&mut bert, &[place(3, 0, 48_000, 1)]);
    format!("{count} kinds of garbage, each before and behind a logon; the other session went on")
}

/// Round trips of a client that behaves, an order and its cancel each; the median of both.
fn median_trip(client: &mut Client, trips: usize) -> Duration {
    let mut taken: Vec<_> = (0..trips)
        .map(|_| {
            let begun = Instant::now();
            let order = submit(client, &[place(3, 1, 51_000, 1)]);
            submit(client, &[cancel(3, order.taken[0].first_sequence)]);
            begun.elapsed()
        })
        .collect();
    taken.sort_unstable();
    taken[trips / 2]
}

/// A flood costs the time of reading it; a client that behaves may wait this much longer, and no more.
const TIMES_SLOWER_MAX: u32 = 20;
/// The least that is held against anybody: a machine with other work stalls this long by itself.
const TRIP_LEAST: Duration = Duration::from_millis(2);

pub(crate) fn a_flood() -> String {
    let rate = Rate { per_s: 2_000, burst: 1_000 };
    let desk = Desk::new(ServerOptions { session_rate: rate, ..open_rates() });
    let (mut anna, mut bert) = (desk.anna(), desk.bert());
    let calm = median_trip(&mut bert, 40);
    // A hundred times its rate at once: what is beyond the burst is told and does not reach the log.
    let before = desk.server.ask(|exchange| exchange.engine().sequence()).expect("running");
    let (mut taken, mut told, mut trips) = (0, 0, Vec::new());
    for _ in 0..100 {
        let outcomes = submit(&mut anna, &[place(1, 0, 49_000, 1); 1_000]);
        taken += outcomes.taken.iter().map(|run| u64::from(run.count)).sum::<u64>();
        told += outcomes.refused.iter().map(|run| u64::from(run.count)).sum::<u64>();
        // Its bucket is empty, and its cancel passes.
        let cancelled =
            submit(&mut anna, &[cancel(1, outcomes.taken.first().map_or(1, |run| run.first_sequence))]);
        assert_eq!(cancelled.taken.len(), 1);
        anna.queue_commands(&[place(1, 0, 49_000, 1); 1_000]);
        anna.send().expect("sent");
        trips.push(median_trip(&mut bert, 1));
        let outcomes = anna.wait_outcomes(1_000).expect("outcomes");
        taken += outcomes.taken.iter().map(|run| u64::from(run.count)).sum::<u64>();
        told += outcomes.refused.iter().map(|run| u64::from(run.count)).sum::<u64>();
    }
    let after = desk.server.ask(|exchange| exchange.engine().sequence()).expect("running");
    assert_eq!(after - before, taken + 100 + 200, "accepted equals logged");
    assert_eq!(taken + told, 200_000);
    assert!(taken < 200_000 / 10, "{taken} of 200,000 were taken");
    trips.sort_unstable();
    let flooded = trips[trips.len() / 2];
    assert!(flooded < calm.max(TRIP_LEAST) * TIMES_SLOWER_MAX, "{calm:?} became {flooded:?}");
    format!(
        "200,000 sent, {told} told so, {taken} logged, 100 cancels passed; another's round trip {calm:?} before, \
         {flooded:?} beside it"
    )
}

pub(crate) fn who_never_reads() -> String {
    let limit = 1 << 20;
    let desk = Desk::new(ServerOptions { outbox_bytes_max: limit, ..open_rates() });
    let (mut stalls, mut bert) = (desk.anna(), desk.bert());
    let calm = median_trip(&mut bert, 40);
    // Its own answers are what it does not read: more of them than sockets and the limit hold.
    let cut = || desk.server.stats().cut.load(Relaxed);
    let (mut sent, mut trips) = (0, Vec::new());
    while cut() == 0 {
        stalls.queue_commands(&[cancel(1, 1); 600]);
        sent += 600;
        assert!(sent < 10_000_000, "it is never cut");
        if stalls.send().is_err() {
            break;
        }
        trips.push(median_trip(&mut bert, 1));
    }
    trips.sort_unstable();
    let stalled = trips[trips.len() / 2];
    let after = median_trip(&mut bert, 40);
    assert_eq!(cut(), 1);
    for taken in [stalled, after] {
        assert!(taken < calm.max(TRIP_LEAST) * TIMES_SLOWER_MAX, "{calm:?} became {taken:?}");
    }
    format!(
        "cut after {sent} unread answers, at {limit} bytes; another's round trip {calm:?} before, {stalled:?} beside \
         it, {after:?} after"
    )
}

pub(crate) fn who_never_reads_a_book() -> String {
    let desk = Desk::new(open_rates());
    let (mut stalls, mut bert) = (desk.anna(), desk.bert());
    stalls.queue(
        MessageKind::Subscribe,
        0,
        &[Subscription { instrument: 1, level: 3, ..Default::default() }],
    );
    stalls.send().expect("sent");
    let calm = median_trip(&mut bert, 40);
    let mut orders = 0_u64;
    // More changes than its sockets and its share of the server's memory hold: the rest is left out.
    for _ in 0..250 {
        let batch: Vec<_> = (0..600).map(|at| place(3, 1, 52_000 + at, 1)).collect();
        let resting = submit(&mut bert, &batch);
        let cancels: Vec<_> = resting
            .taken
            .iter()
            .flat_map(|run| run.first_sequence..run.first_sequence + u64::from(run.count))
            .map(|order| cancel(3, order))
            .collect();
        submit(&mut bert, &cancels);
        orders += 600;
    }
    let stalled = median_trip(&mut bert, 40);
    assert!(stalled < calm.max(TRIP_LEAST) * TIMES_SLOWER_MAX, "{calm:?} became {stalled:?}");
    let last = submit(&mut bert, &[place(3, 1, 53_000, 7)]).taken[0].first_sequence;
    let (mut records, mut wholes) = (0_u64, 0);
    let found = loop {
        let (header, bytes) = stalls.wait_message().expect("it is not cut");
        if header.kind != MessageKind::Feed.code() {
            continue;
        }
        let feed: Vec<FeedRecord> = each(&bytes).collect();
        records += feed.len() as u64;
        wholes += feed.iter().filter(|record| record.action == FeedAction::Clear.code()).count();
        if wholes > 1 && feed.iter().any(|record| record.order_id == last) {
            break records;
        }
    };
    assert!(found < 2 * orders, "nothing was left out of {} changes", 2 * orders);
    format!(
        "{} changes, {found} sent, then the whole book; another's round trip {calm:?} before, {stalled:?} beside it",
        2 * orders
    )
}
