//! Sockets that are half open, too many, or carry noise behind sound headers.

use crate::desk::{self, Desk, SECRET, berts_request, open_rates, place, submit};
use crate::lives::{draw, first_seed, lives};
use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::Ordering::Relaxed;
use xos_protocol::{LogonFlags, MessageHeader, MessageKind, SessionCode};
use xos_server::{Client, ClientError, LogonRequest, ServerOptions};
use zerocopy::IntoBytes;

/// Three that are gone without a word: one before its logon, one behind it, one that has shut its own half.
pub(crate) fn half_open() -> String {
    let desk = Desk::new(ServerOptions { logon_ms: 100, heartbeat_ms: 20, ..open_rates() });
    let mut anna = desk.anna();
    let silent =
        LogonRequest { heartbeat_ms: 50, flags: LogonFlags::CANCEL_ON_DISCONNECT, ..berts_request() };
    let mut bert = desk.log_on(&silent).expect("Bert's logon");
    submit(&mut bert, &[place(3, 0, 48_000, 1), place(3, 0, 48_001, 1)]);
    let nobody = TcpStream::connect(desk.server.address()).expect("connected");
    let halved = desk.log_on(&LogonRequest { session: 1, ..LogonRequest::with_secret("anna", SECRET) });
    let halved = halved.expect("another session");
    halved.stream().shutdown(Shutdown::Write).expect("its half is shut");
    let open = || desk.server.stats().connections.load(Relaxed);
    let mut trips = 0;
    while open() > 1 {
        let order = submit(&mut anna, &[place(1, 1, 60_000, 1)]).taken[0].first_sequence;
        submit(&mut anna, &[crate::desk::cancel(1, order)]);
        trips += 1;
        assert!(trips < 10_000_000, "{} connections are still open", open());
    }
    // Its cancels come with the next batch.
    submit(&mut anna, &[crate::desk::cancel(1, 1)]);
    let resting = desk.server.ask(|exchange| exchange.engine().orders_resting()).expect("running");
    assert_eq!(resting, 0, "its orders leave with it");
    drop((nobody, halved, bert));
    format!(
        "3 of 4 connections let go, 2 orders of one left with it; {trips} round trips of the fourth meanwhile"
    )
}

pub(crate) fn too_many_connections() -> String {
    let most = 20;
    let desk = Desk::new(ServerOptions { connections_max: most, ..open_rates() });
    let mut anna = desk.anna();
    let mut held = Vec::new();
    let mut told = 0;
    for _ in 0..200 {
        match Client::connect(desk.server.address(), desk::WAIT) {
            Ok(mut client) if held.len() >= most - 1 => {
                let ended = client.wait_message().err().and_then(desk::goodbye);
                assert_eq!(ended, Some(SessionCode::TooManyConnections));
                told += 1;
            }
            Ok(client) => held.push(client),
            Err(ClientError::Goodbye(goodbye)) => {
                assert_eq!(goodbye.code, SessionCode::TooManyConnections.code());
                told += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(told, 200 - (most - 1));
    submit(&mut anna, &[place(1, 0, 48_000, 1)]);
    format!("200 connections on {most} places: {told} told so; the first went on")
}

/// Bodies of random bytes behind headers that are sound, for every kind of message, on sessions that are logged on.
pub(crate) fn noise() -> String {
    let (mut state, messages) = (first_seed(), lives(20_000, 1_000));
    let desk = Desk::new(open_rates());
    let mut bert = desk.bert();
    let kinds: Vec<_> = (0..=u16::from(u8::MAX)).filter_map(MessageKind::from_code).collect();
    let mut anna = desk.anna();
    let mut ends = 0;
    for _ in 0..messages {
        let kind = kinds[draw(&mut state, kinds.len() as u64) as usize];
        let count = draw(&mut state, 4) as u16;
        let number = if draw(&mut state, 4) == 0 { draw(&mut state, u64::MAX) } else { anna.next_number };
        let header = MessageHeader::new(kind, number, 0, kind.record_bytes(), count);
        let body = usize::from(count) * usize::from(kind.record_bytes());
        let mut bytes: Vec<_> = (0..body).map(|_| draw(&mut state, 256) as u8).collect();
        if kind == MessageKind::Commands {
            // A kind that exists, of an account that is its own: what is left to chance is everything else.
            for record in bytes.chunks_mut(96) {
                if draw(&mut state, 2) == 0 {
                    continue;
                }
                let command = place(1 + draw(&mut state, 2) as u32, 0, 48_000, 1);
                record[..16].copy_from_slice(&command.as_bytes()[..16]);
                record[..2].copy_from_slice(&(draw(&mut state, 60) as u16).to_le_bytes());
            }
        }
        let sent = (&mut anna.stream())
            .write_all(header.as_bytes())
            .and_then(|()| (&mut anna.stream()).write_all(&bytes));
        let ended = sent.is_err() || !settles(&mut anna, kind, u64::from(count));
        if ended {
            ends += 1;
            anna = desk.anna();
        }
    }
    let order = submit(&mut bert, &[place(3, 0, 48_000, 1)]);
    assert_eq!(order.taken.len(), 1);
    let sound = desk.server.ask(|exchange| exchange.engine().audit().is_ok());
    assert_eq!(sound, Some(true));
    assert!(ends > 0);
    format!(
        "seed {}, {messages} messages of {} kinds: {ends} connections ended, books and balances audited",
        first_seed(),
        kinds.len()
    )
}

/// Whether the connection lives on: commands are waited for, anything else is followed by a heartbeat and its echo.
fn settles(client: &mut Client, kind: MessageKind, count: u64) -> bool {
    if kind == MessageKind::Commands {
        return client.wait_outcomes(count).map(|_| client.next_number += count).is_ok();
    }
    if kind == MessageKind::Deploy {
        return client.wait_outcomes(1).map(|_| client.next_number += 1).is_ok();
    }
    let heartbeat = xos_protocol::Heartbeat { sent_ns: 77, echo_ns: 0 };
    client.queue(MessageKind::Heartbeat, 0, &[heartbeat]);
    if client.send().is_err() {
        return false;
    }
    loop {
        match client.wait_message() {
            Ok((header, records)) if header.kind == MessageKind::Heartbeat.code() => {
                let echo = xos_server::each::<xos_protocol::Heartbeat>(&records).next();
                if echo.is_some_and(|echo| echo.echo_ns == 77) {
                    return true;
                }
            }
            Ok(_) => {}
            Err(_) => return false,
        }
    }
}
