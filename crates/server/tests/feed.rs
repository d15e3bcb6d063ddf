//! Market data: what a feed says is the engine's book, order by order, and nobody waits for who reads it.

mod desk;

use desk::{Desk, cancel, open_rates, place, submit};
use std::collections::BTreeMap;
use xos_engine::{Engine, FrameHeader};
use xos_protocol::{FeedAction, FeedRecord, MessageKind, Refused, SessionCode, Side, Subscription};
use xos_server::{Client, Feed, each};
use xos_sim::workload::{Body, Chaos};
use xos_units::InstrumentId;

/// A reader's book: for each price of a side the orders in their queue, and the same by price.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Reader {
    queues: BTreeMap<(u8, i64), Vec<(u64, i64)>>,
    levels: BTreeMap<(u8, i64), (i64, u32)>,
    number: [u64; 2],
    trades: usize,
}

impl Reader {
    fn read(&mut self, record: &FeedRecord) {
        let action = FeedAction::from_code(record.action).expect("a known action");
        let number = &mut self.number[usize::from(record.level == 3)];
        let at = (record.side, record.price);
        match action {
            FeedAction::Clear => {
                *number = record.number;
                if record.level == 3 {
                    self.queues.clear()
                } else {
                    self.levels.clear()
                }
                return;
            }
            FeedAction::Ready => return assert_eq!(*number, record.number),
            _ if record.number == *number => {} // a line of a whole book
            _ => {
                assert_eq!(record.number, *number + 1, "{record:?}");
                *number = record.number;
            }
        }
        match (action, record.level) {
            (FeedAction::Trade, _) => self.trades += 1,
            (FeedAction::Remove, 2) => assert!(self.levels.remove(&at).is_some(), "{record:?}"),
            (_, 2) => drop(self.levels.insert(at, (record.qty, record.orders))),
            (FeedAction::Add, _) => self.queues.entry(at).or_default().push((record.order_id, record.qty)),
            (FeedAction::Change, _) => {
                let queue = self.queues.get_mut(&at).expect("a level");
                queue.iter_mut().find(|(id, _)| *id == record.order_id).expect("an order").1 = record.qty;
            }
            _ => {
                let queue = self.queues.get_mut(&at).expect("a level");
                let before = queue.len();
                queue.retain(|(id, _)| *id != record.order_id);
                assert_eq!(queue.len() + 1, before, "{record:?}");
                if queue.is_empty() {
                    self.queues.remove(&at);
                }
            }
        }
    }

    fn of(engine: &Engine, instrument: InstrumentId) -> Self {
        let mut book = Self::default();
        for side in [Side::Buy, Side::Sell] {
            for view in engine.queue(instrument, side) {
                let at = (side.code(), view.order.price.0);
                book.queues.entry(at).or_default().push((view.order.id.0, view.shown.0));
                let level = book.levels.entry(at).or_default();
                *level = (level.0 + view.shown.0, level.1 + 1);
            }
        }
        book
    }

    fn same_book(&self, other: &Self) -> bool {
        self.queues == other.queues && self.levels == other.levels
    }
}

#[test]
fn a_feed_follows_the_book_through_chaos() {
    let seeds = if std::env::var_os("XOS_LONG").is_some() { 0..200 } else { 0..12 };
    let (mut compared, mut trades) = (0, 0);
    for seed in seeds {
        let mut chaos = Chaos::new(seed);
        let mut engine = Engine::new();
        let mut feeds: BTreeMap<u32, (Feed, Reader)> = BTreeMap::new();
        for step in 0..500 {
            let frame = chaos.next_frame();
            let header = FrameHeader { first_sequence: engine.sequence() + 1, time_ns: frame.time_ns };
            let mut events = Vec::new();
            let admitted = match &frame.body {
                Body::Commands(commands) => engine.apply_records(header, commands, &mut events).is_ok(),
                Body::Deploy(body) => engine.apply_deploy(header, body, &mut events).is_ok(),
            };
            chaos.observe(&frame, admitted, &events);
            for (instrument, (feed, reader)) in &mut feeds {
                for event in events.iter().filter(|event| event.instrument == *instrument) {
                    feed.hear(event);
                }
                feed.end();
                for level in [2, 3] {
                    feed.page(level)
                        .iter()
                        .flat_map(|page| page.records())
                        .for_each(|record| reader.read(&record));
                }
                let book = Reader::of(&engine, InstrumentId(*instrument));
                assert!(reader.same_book(&book), "seed {seed} step {step}: {reader:?}\n{book:?}");
                compared += book.queues.len();
            }
            // Some begin in the middle of things.
            if step % 50 == 0 {
                for instrument in 1..=engine.instrument_count() as u32 {
                    let mut feed = Feed::of(&engine, instrument).expect("it is there");
                    feed.follow(2);
                    feed.follow(3);
                    let mut reader = Reader::default();
                    for level in [2, 3] {
                        feed.whole(level).iter().for_each(|record| reader.read(record));
                    }
                    assert!(reader.same_book(&Reader::of(&engine, InstrumentId(instrument))));
                    feeds.entry(instrument).or_insert((feed, reader));
                }
            }
        }
        trades += feeds.values().map(|(_, reader)| reader.trades).sum::<usize>();
    }
    assert!(compared > 10_000 && trades > 100, "{compared} levels compared, {trades} trades");
}

fn subscribe(client: &mut Client, instrument: u32, level: u8, from_number: u64) {
    let wish = Subscription { instrument, level, reserved: [0; 3], from_number };
    client.queue(MessageKind::Subscribe, 0, &[wish]);
    client.send().expect("sent");
}

/// Reads until a record with this sequence or a later one has come, or the whole book has.
fn read_to(client: &mut Client, reader: &mut Reader, sequence: u64) -> Vec<FeedRecord> {
    let mut all = Vec::new();
    loop {
        let (header, records) = client.wait_message().expect("a message");
        if header.kind == MessageKind::Feed.code() {
            for record in each::<FeedRecord>(&records) {
                reader.read(&record);
                all.push(record);
            }
            let last = all.last().expect("a record");
            if last.sequence >= sequence && (sequence > 0 || last.action == FeedAction::Ready.code()) {
                return all;
            }
        }
    }
}

#[test]
fn a_whole_book_then_changes_then_from_a_number() {
    let desk = Desk::new(open_rates());
    let (mut anna, mut bert, mut reads) = (desk.anna(), desk.bert(), desk.operator());
    submit(&mut anna, &[place(1, 0, 49_990, 5), place(1, 0, 49_990, 7), place(1, 1, 50_010, 3)]);
    subscribe(&mut reads, 1, 3, 0);
    let mut reader = Reader::default();
    read_to(&mut reads, &mut reader, 0);
    assert_eq!(reader.queues[&(0, 49_990)].iter().map(|(_, lots)| *lots).collect::<Vec<_>>(), [5, 7]);
    let taken = submit(&mut bert, &[place(3, 1, 49_990, 6)]).taken[0];
    let changes = read_to(&mut reads, &mut reader, taken.first_sequence);
    assert_eq!(reader.queues[&(0, 49_990)].iter().map(|(_, lots)| *lots).collect::<Vec<_>>(), [6]);
    assert!(
        changes.iter().all(|change| change.order_id != taken.first_sequence),
        "what never rests is not told"
    );
    // Another reader takes up where this one stood before the trade.
    let mut late = desk.operator();
    subscribe(&mut late, 1, 3, changes[0].number);
    let (_, records) = loop {
        let (header, records) = late.wait_message().expect("a message");
        if header.kind == MessageKind::Feed.code() {
            break (header, records);
        }
    };
    assert_eq!(each::<FeedRecord>(&records).collect::<Vec<_>>(), changes);
    // A number that was never given gets a whole book.
    subscribe(&mut late, 1, 3, 1_000_000);
    let mut anew = Reader::default();
    read_to(&mut late, &mut anew, 0);
    assert_eq!(anew.queues, reader.queues);
    subscribe(&mut late, 77, 2, 0);
    let refused = loop {
        let (header, records) = late.wait_message().expect("a message");
        if header.kind == MessageKind::Refused.code() {
            break each::<Refused>(&records).next().expect("a refusal");
        }
    };
    assert_eq!((refused.code, refused.value), (SessionCode::UnknownInstrument.code(), 77));
}

#[test]
fn who_reads_no_feed_holds_nobody_up_and_gets_a_whole_book_later() {
    let desk = Desk::new(open_rates());
    let (mut anna, mut stalls) = (desk.anna(), desk.operator());
    subscribe(&mut stalls, 1, 3, 0);
    subscribe(&mut stalls, 1, 2, 0);
    // Many more bytes than sockets and the limit hold, all of which it leaves unread.
    for _ in 0..200 {
        let orders = submit(&mut anna, &[place(1, 0, 49_000, 1); 600]);
        let first = orders.taken[0].first_sequence;
        let cancels: Vec<_> = (first..first + 600).map(|order_id| cancel(1, order_id)).collect();
        submit(&mut anna, &cancels);
    }
    let last = submit(&mut anna, &[place(1, 0, 49_123, 9)]).taken[0].first_sequence;
    // It reads now: gaps are covered by a whole book, and the end is the engine's book.
    let mut reader = Reader::default();
    let mut books = 0;
    while !reader.queues.contains_key(&(0, 49_123)) || !reader.levels.contains_key(&(0, 49_123)) {
        let (header, records) = stalls.wait_message().expect("it was not cut");
        if header.kind == MessageKind::Feed.code() {
            for record in each::<FeedRecord>(&records) {
                reader.read(&record);
                books += usize::from(record.action == FeedAction::Clear.code());
            }
        }
    }
    assert!(books > 2, "{books} whole books");
    assert_eq!(reader.queues[&(0, 49_123)], [(last, 9)]);
}
