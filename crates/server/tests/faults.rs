//! What goes wrong around a server: disks that fail, clients that send garbage, trickle, flood or never read. What
//! was acknowledged is in the log, and nobody else notices.

mod desk;

use desk::{Desk, cancel, disk_options, goodbye, market, open_rates, place, submit};
use proptest::prelude::*;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use xos_node::Exchange;
use xos_protocol::{
    CommandRecord, EventKind, MESSAGE_BYTES_MAX, MessageHeader, MessageKind, SessionCode, Subscription,
};
use xos_server::{Client, ClientError, Rate, ServerOptions};
use xos_sim::disk::{Fault, Loss, SimDisk};
use zerocopy::IntoBytes;

/// A market on a simulated disk, so that a fault can be planned at any later operation.
fn on(disk: &SimDisk) -> Exchange {
    Exchange::open_on(disk.as_disk(), disk_options()).expect("an exchange")
}

#[test]
fn a_disk_that_fails_or_is_full_ends_everything_and_nothing_acknowledged_is_lost() {
    let faults = [
        Fault::SyncError(false),
        Fault::Error(ErrorKind::StorageFull, 0),
        Fault::Error(ErrorKind::Other, 100),
    ];
    let mut halts = 0;
    for fault in faults {
        for later in 0..8 {
            let disk = SimDisk::new();
            let mut exchange = on(&disk);
            market(&mut exchange);
            let desk = Desk::over(exchange, open_rates());
            let mut anna = desk.anna();
            submit(&mut anna, &[place(1, 0, 49_000, 1)]);
            disk.plan(disk.operation_count() + later, fault);
            let mut acknowledged = Vec::new();
            let ended = loop {
                anna.queue_commands(&[place(1, 0, 48_000, 1)]);
                match anna.send().map_err(ClientError::from).and_then(|()| anna.wait_outcomes(1)) {
                    Ok(outcomes) => acknowledged.push(outcomes.taken[0].first_sequence),
                    Err(error) => break error,
                }
                // A fault that no write or sync meets does not come to pass.
                if acknowledged.len() > 50 {
                    break ClientError::Unexpected(0);
                }
            };
            if matches!(ended, ClientError::Unexpected(0)) {
                continue;
            }
            halts += 1;
            // The goodbye may be lost with the connection, the end may not.
            if let ClientError::Goodbye(told) = &ended {
                assert_eq!(told.code, SessionCode::Halted.code());
            }
            assert!(desk.server.stop().is_err(), "{fault:?} {later}");
            disk.restart(Loss::Process);
            let exchange = on(&disk);
            for sequence in acknowledged {
                let order = exchange.engine().order(xos_units::OrderId(sequence));
                assert!(order.is_some(), "{fault:?} {later}: order {sequence} was acknowledged");
            }
        }
    }
    assert!(halts >= 12, "only {halts} of 24 faults were met");
}

#[test]
fn a_client_that_sends_a_byte_at_a_time_is_served() {
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

#[test]
fn garbage_ends_the_connection_that_sent_it_and_no_other() {
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
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Whatever the bytes: a message, too few of them, or a refusal, and never more records than the length has.
    #[test]
    fn reading_any_bytes_never_goes_wrong(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..200),
        starts_well in any::<bool>(),
        count in any::<u16>(),
    ) {
        if starts_well && bytes.len() >= 32 {
            let header = MessageHeader::new(MessageKind::Commands, 1, 0, 96, count);
            bytes[..32].copy_from_slice(header.as_bytes());
        }
        match MessageHeader::read(&bytes, MESSAGE_BYTES_MAX) {
            Ok(Some(header)) => {
                let records = u32::from(header.record_bytes) * u32::from(header.count);
                prop_assert_eq!(header.length, 32 + records);
                prop_assert!(header.length <= MESSAGE_BYTES_MAX);
            }
            Ok(None) => prop_assert!(bytes.len() < 32),
            Err(bad) => prop_assert!(bad.value != bad.limit),
        }
    }
}

#[test]
fn a_flood_is_throttled_and_others_do_not_notice() {
    let rate = Rate { per_s: 1_000, burst: 100 };
    let desk = Desk::new(ServerOptions { session_rate: rate, ..open_rates() });
    let (mut anna, mut bert) = (desk.anna(), desk.bert());
    // A hundred times its rate at once: what is beyond the burst is told and does not reach the log.
    let before = desk.server.ask(|exchange| exchange.engine().sequence()).expect("running");
    let mut taken = 0;
    for _ in 0..100 {
        let outcomes = submit(&mut anna, &[place(1, 0, 49_000, 1); 600]);
        taken += outcomes.taken.iter().map(|run| u64::from(run.count)).sum::<u64>();
        let refused: u32 = outcomes.refused.iter().map(|run| run.count).sum();
        assert!(refused > 0, "600 at once are beyond a burst of 100");
        let order = submit(&mut bert, &[place(3, 1, 51_000, 1)]);
        submit(&mut bert, &[cancel(3, order.taken[0].first_sequence)]);
    }
    let after = desk.server.ask(|exchange| exchange.engine().sequence()).expect("running");
    assert_eq!(after - before, taken + 200, "accepted equals logged");
}

#[test]
fn who_never_reads_is_cut_with_a_reason_and_others_go_on() {
    let desk = Desk::new(ServerOptions { outbox_bytes_max: 1 << 20, ..open_rates() });
    let (mut stalls, mut anna) = (desk.anna(), desk.bert());
    // Its own answers are what it does not read: more of them than sockets and the limit hold.
    let cut = || desk.server.stats().cut.load(std::sync::atomic::Ordering::Relaxed);
    let mut sent = 0;
    while cut() == 0 {
        stalls.queue_commands(&[cancel(1, 1); 600]);
        sent += 600;
        assert!(sent < 10_000_000, "it is never cut");
        if stalls.send().is_err() {
            break;
        }
        submit(&mut anna, &[place(3, 0, 40_000, 1)]);
        let order = desk.server.ask(|exchange| exchange.engine().sequence()).expect("running");
        submit(&mut anna, &[cancel(3, order)]);
    }
    submit(&mut anna, &[place(3, 0, 48_000, 1)]);
    assert_eq!(cut(), 1);
}

#[test]
fn subscriptions_are_bounded_and_a_goodbye_is_answered() {
    let desk = Desk::new(ServerOptions { subscriptions_max: 1, ..open_rates() });
    let mut anna = desk.anna();
    let wish = |level| Subscription { instrument: 1, level, ..Default::default() };
    anna.queue(MessageKind::Subscribe, 0, &[wish(2), wish(3)]);
    anna.send().expect("sent");
    let refused = loop {
        let (header, records) = anna.wait_message().expect("a message");
        if header.kind == MessageKind::Refused.code() {
            break xos_server::each::<xos_protocol::Refused>(&records).next().expect("a refusal");
        }
    };
    assert_eq!((refused.code, refused.limit), (SessionCode::TooManySubscriptions.code(), 1));
    anna.queue::<xos_protocol::Goodbye>(MessageKind::Goodbye, 0, &[Default::default()]);
    anna.send().expect("sent");
    let told = loop {
        match anna.wait_message() {
            Ok(_) => {}
            Err(error) => break goodbye(error),
        }
    };
    assert_eq!(told, Some(SessionCode::Farewell));
    let still: Result<Client, _> = Client::connect(desk.server.address(), desk::WAIT);
    assert!(still.is_ok());
}
