//! Sessions over real sockets on the loopback: who may log on, what they get to see, what is refused before the log.

mod desk;

use desk::{ANNA, BERT, Desk, SECRET, WAIT, berts_request, cancel, goodbye, of, open_rates, place, submit};
use std::collections::HashMap;
use std::time::{Duration, Instant};
use xos_protocol::{
    CommandKind, CommandRecord, DEPLOY_PART_BYTES, DeployCommand, EventKind, EventRecord, InstrumentSpec,
    LogonFlags, MessageKind, OracleSpec, PublisherSpec, Resumption, SessionCode, SourceSpec,
};
use xos_server::{Client, ClientError, Credential, LogonRequest, Outcomes, Rate, ServerOptions, public_half};
use xos_units::InstrumentId;

fn kinds(outcomes: &Outcomes) -> Vec<EventKind> {
    outcomes.events.iter().filter_map(|(_, event)| event.kind()).collect()
}

fn wait_event(client: &mut Client, kind: EventKind) -> EventRecord {
    let mut outcomes = Outcomes::default();
    loop {
        if let Some((_, event)) = outcomes.events.iter().find(|(_, event)| event.kind() == Some(kind)) {
            return *event;
        }
        let (header, records) = client.wait_message().expect("a message");
        outcomes.note(&header, &records);
    }
}

#[test]
fn keys_of_both_schemes_log_on_and_nobody_else_does() {
    let desk = Desk::new(open_rates());
    let (anna, bert, operator) = (desk.anna(), desk.bert(), desk.operator());
    assert_eq!((anna.logged_on.owner, bert.logged_on.owner), (ANNA, BERT));
    assert_eq!((operator.logged_on.owner, operator.logged_on.next_number), ([0; 32], 1));
    let with = |key: &str, credential| LogonRequest { credential, ..LogonRequest::with_secret(key, SECRET) };
    for wrong in [
        with("anna", Credential::Secret(b"another secret of some length".to_vec())),
        with("anna", Credential::Private([7; 32])),
        with("bert", Credential::Private([8; 32])),
        with("bert", Credential::Secret(SECRET.to_vec())),
        with("nobody", Credential::Secret(SECRET.to_vec())),
    ] {
        let refused = desk.log_on(&wrong).err().and_then(goodbye);
        assert_eq!(refused, Some(SessionCode::LogonRefused), "{}", wrong.key);
    }
}

#[test]
fn both_sides_of_a_trade_hear_of_it_and_not_of_each_other() {
    let desk = Desk::new(open_rates());
    let (mut anna, mut bert) = (desk.anna(), desk.bert());
    let rested = submit(&mut anna, &[place(1, 0, 49_990, 5)]);
    assert_eq!(kinds(&rested), [EventKind::OrderAccepted]);
    let order_id = rested.taken[0].first_sequence;
    let filled = submit(&mut bert, &[place(3, 1, 49_990, 2)]);
    let (_, seen) =
        filled.events.iter().find(|(_, event)| event.kind == EventKind::Trade.code()).expect("a trade");
    assert_eq!((seen.account, seen.counter_account(), seen.counter_order_id()), (3, 0, order_id));
    assert!(seen.amount.get() > 0 && seen.counter_amount.get() == 0);
    assert!(filled.events.iter().all(|(_, event)| event.account == 3), "{:?}", filled.events);
    let theirs = wait_event(&mut anna, EventKind::Trade);
    assert_eq!((theirs.account, theirs.counter_account(), theirs.counter_remaining()), (0, 1, 3));
    assert!(theirs.amount.get() == 0 && theirs.counter_amount.get() > 0);
    // A trade between two accounts of one owner hides nothing from it.
    let own = submit(&mut anna, &[place(2, 1, 49_990, 1)]);
    let trades: Vec<_> =
        own.events.iter().filter(|(_, event)| event.kind == EventKind::Trade.code()).collect();
    assert_eq!((trades.len(), trades[0].1.account, trades[0].1.counter_account()), (1, 2, 1));
}

#[test]
fn nobody_acts_for_another_or_beyond_a_scope() {
    let desk = Desk::new(open_rates());
    let (mut anna, mut operator) = (desk.anna(), desk.operator());
    let deposit = CommandRecord { account: 1, instrument: 1, ..of(CommandKind::Deposit) };
    let withdraw = CommandRecord { account: 1, instrument: 1, ..of(CommandKind::Withdraw) };
    let unknown = CommandRecord { kind: 60_000, account: 1, ..Default::default() };
    let before = desk.server.ask(|exchange| exchange.engine().sequence()).expect("running");
    let outcomes = submit(
        &mut anna,
        &[place(3, 0, 49_000, 1), place(3, 0, 49_000, 1), place(0, 0, 49_000, 1), deposit, withdraw, unknown],
    );
    let refused: Vec<_> = outcomes
        .refused
        .iter()
        .map(|refused| {
            (refused.first_number, refused.count, SessionCode::from_code(refused.code), refused.value)
        })
        .collect();
    let (yours, permitted) = (Some(SessionCode::NotYourAccount), Some(SessionCode::NotPermitted));
    assert_eq!(
        refused,
        [
            (1, 2, yours, 3),
            (3, 1, yours, 0),
            (4, 1, permitted, u64::from(CommandKind::Deposit.code())),
            (5, 1, permitted, u64::from(CommandKind::Withdraw.code())),
            (6, 1, permitted, 60_000),
        ]
    );
    let after = desk.server.ask(|exchange| exchange.engine().sequence()).expect("running");
    assert_eq!(before, after, "what is refused never reaches the log");
    let mark = CommandRecord { instrument: 1, price: 50_100, ..of(CommandKind::SetMark) };
    assert_eq!(kinds(&submit(&mut operator, &[mark])), [EventKind::MarkSet]);
    operator.queue_deployment(b"no deployment");
    operator.send().expect("sent");
    assert_eq!(kinds(&operator.wait_outcomes(1).expect("an outcome")), [EventKind::Rejected]);
    anna.queue_deployment(b"no deployment");
    anna.send().expect("sent");
    assert_eq!(anna.wait_outcomes(1).expect("an outcome").refused[0].code, SessionCode::NotPermitted.code());
}

#[test]
fn a_publisher_speaks_for_itself_alone() {
    let desk = Desk::new(open_rates());
    let mut operator = desk.operator();
    let hex = |key: [u8; 32]| key.iter().map(|byte| format!("{byte:02X}")).collect::<String>();
    let others = public_half(&[9; 32]);
    let publisher =
        |symbol: &str, key| DeployCommand::Publisher(PublisherSpec { symbol: symbol.into(), key: hex(key) });
    let asked = desk.server.ask(|exchange| {
        let view = exchange.engine().instrument(InstrumentId(1)).expect("it stands");
        (view.spec.cloned().expect("it is no outcome"), exchange.engine().time_ns())
    });
    let (standing, now_ns) = asked.expect("running");
    let source = |publisher| SourceSpec { publisher, weight: 1 };
    let told = InstrumentSpec {
        symbol: "TOLD".into(),
        oracle: Some(OracleSpec {
            sources: vec![source(1), source(2)],
            sources_min: 1,
            stale_after_ms: 3_600_000,
            deviation_ppm: 50_000,
            step_max_ppm: 0,
            mark_band_ppm: 50_000,
            reopen_ms: 0,
        }),
        ..standing
    };
    let instrument = DeployCommand::Instrument(told);
    for body in
        [publisher("FOX", public_half(&desk::BERTS_PRIVATE_KEY)), publisher("OWL", others), instrument]
    {
        operator.queue_deployment(&body.to_bytes());
        operator.send().expect("sent");
        assert_ne!(kinds(&operator.wait_outcomes(1).expect("an outcome"))[0], EventKind::Rejected);
    }
    let price = |account| CommandRecord {
        account,
        instrument: 2,
        price: 50_000,
        expires_ns: now_ns,
        ..of(CommandKind::PublishPrice)
    };
    // Bert's public key is that of the first. A secret is nobody's key, whatever its scopes.
    let told = submit(&mut desk.bert(), &[price(1), price(2), price(0), price(3)]);
    let index =
        desk.server.ask(|exchange| exchange.engine().instrument(InstrumentId(2)).expect("it stands").index);
    assert_eq!(index.expect("running").0, 50_000, "its own was taken");
    let refused = |outcomes: &Outcomes| -> Vec<(u64, Option<SessionCode>, u64)> {
        let row = |refused: &xos_protocol::Refused| {
            (refused.first_number, SessionCode::from_code(refused.code), refused.value)
        };
        outcomes.refused.iter().map(row).collect()
    };
    let yours = Some(SessionCode::NotYourAccount);
    assert_eq!(refused(&told), [(2, yours, 2), (3, yours, 0), (4, yours, 3)]);
    let mut teller = desk.log_on(&LogonRequest::with_secret("teller", SECRET)).expect("a logon");
    assert_eq!(refused(&submit(&mut teller, &[price(1)])), [(1, yours, 1)]);
    assert_eq!(
        refused(&submit(&mut desk.anna(), &[price(1)])),
        [(1, Some(SessionCode::NotPermitted), u64::from(CommandKind::PublishPrice.code()))]
    );
    assert_eq!(kinds(&submit(&mut operator, &[price(2)]))[0], EventKind::PricePublished);
}

#[test]
fn a_long_deployment_travels_in_parts_up_to_its_limit() {
    let folder = tempfile::tempdir().expect("a folder");
    let desk = Desk::on_disk(folder.path(), open_rates());
    let mut operator = desk.operator();
    let before = desk.server.ask(|exchange| exchange.engine().sequence()).expect("running");
    // Garbage reaches the engine whole, and is rejected by it; one byte past the limit never gets there.
    for (bytes, taken) in [
        (DEPLOY_PART_BYTES - 1, 1),
        (DEPLOY_PART_BYTES, 1),
        (1 << 20, 1),
        ((1 << 20) + 1, 0),
        (3 << 20, 0),
        (5, 1),
    ] {
        operator.queue_deployment(&vec![0xc1; bytes]);
        operator.send().expect("sent");
        let outcomes = operator.wait_outcomes(1).expect("an outcome");
        assert_eq!(outcomes.taken.len(), taken, "{bytes}");
        if let Some(refused) = outcomes.refused.first() {
            assert_eq!(
                (refused.code, refused.limit),
                (SessionCode::MessageTooLong.code(), 1 << 20),
                "{bytes}"
            );
        } else {
            assert_eq!(kinds(&outcomes), [EventKind::Rejected]);
        }
    }
    let after = desk.server.ask(|exchange| exchange.engine().sequence()).expect("running");
    assert_eq!(after - before, 4);
    // Nothing else may stand between two parts.
    operator.queue(MessageKind::Deploy, operator.next_number, &vec![0xc1_u8; DEPLOY_PART_BYTES]);
    operator.queue_commands(&[place(1, 0, 49_000, 1)]);
    operator.send().expect("sent");
    let ended = operator.wait_outcomes(1).err().and_then(goodbye);
    assert_eq!(ended, Some(SessionCode::UnexpectedMessage));
}

#[test]
fn too_fast_is_told_and_a_cancel_is_always_admitted() {
    let slow = Rate { per_s: 1, burst: 3 };
    let free = Rate { per_s: 0, burst: 0 };
    let cases = [
        (SessionCode::SessionThrottled, [slow, free, free]),
        (SessionCode::AccountThrottled, [free, slow, free]),
        (SessionCode::AddressThrottled, [free, free, slow]),
    ];
    for (code, [session_rate, account_rate, address_rate]) in cases {
        let desk = Desk::new(ServerOptions { session_rate, account_rate, address_rate, ..open_rates() });
        let mut anna = desk.anna();
        let outcomes = submit(&mut anna, &[place(1, 0, 49_000, 1); 5]);
        assert_eq!(outcomes.taken.iter().map(|taken| taken.count).sum::<u32>(), 3, "{code:?}");
        let refused = outcomes.refused[0];
        assert_eq!((refused.first_number, refused.count, refused.code), (4, 2, code.code()));
        assert_eq!(refused.limit, 1);
        assert!((1..=1_000_000_000).contains(&refused.retry_ns), "{refused:?}");
        let order_id = outcomes.taken[0].first_sequence;
        let cancels =
            submit(&mut anna, &[cancel(1, order_id), cancel(1, order_id + 1), cancel(1, order_id + 2)]);
        assert_eq!(kinds(&cancels), [EventKind::OrderCancelled; 3]);
    }
}

#[test]
fn cancels_past_their_budget_are_admitted_and_only_their_session_waits() {
    let cancel_rate = Rate { per_s: 2_000, burst: 100 };
    let desk = Desk::new(ServerOptions { cancel_rate, ..open_rates() });
    let (mut anna, mut bert) = (desk.anna(), desk.bert());
    // Five messages, more than one read takes: 700 past the burst take a third of a second to make up for.
    let begun = Instant::now();
    for _ in 0..5 {
        anna.queue_commands(&[cancel(1, 77); 600]);
    }
    anna.send().expect("sent");
    let rested = submit(&mut bert, &[place(3, 1, 51_000, 1), cancel(3, 1)]);
    assert_eq!((rested.taken.len(), rested.refused.len()), (1, 0));
    let outcomes = anna.wait_outcomes(3_000).expect("outcomes");
    assert_eq!(outcomes.taken.iter().map(|run| run.count).sum::<u32>(), 3_000, "none was refused");
    assert!(begun.elapsed() > Duration::from_millis(300), "it was read later: {:?}", begun.elapsed());
    let stats: HashMap<_, _> = desk.server.stats().read().into_iter().collect();
    assert_eq!((stats["cancels"], stats["throttled"]), (3_001, 0));
    assert!((2_000..=2_900).contains(&stats["cancels_over"]), "{stats:?}");
}

#[test]
fn who_comes_back_gets_what_it_missed_and_sends_nothing_twice() {
    let desk = Desk::new(open_rates());
    let (mut anna, mut bert) = (desk.anna(), desk.bert());
    let first = submit(&mut anna, &[place(1, 0, 49_990, 5), place(1, 0, 49_980, 5)]);
    let (mark, seen) = (first.events[1].0, first.events.len() as u32);
    drop(anna);
    submit(&mut bert, &[place(3, 1, 49_990, 2)]);
    // It has seen one event of the two of its frame, and no outcome of command 2.
    let request = LogonRequest {
        next_number: 2,
        resume: Some((mark, seen - 1)),
        ..LogonRequest::with_secret("anna", SECRET)
    };
    let mut anna = desk.log_on(&request).expect("back");
    assert_eq!(anna.logged_on.resumption, Resumption::Resumed.code());
    assert_eq!(anna.logged_on.next_number, 3);
    // The same command under the same number is passed over; the next one is taken.
    anna.queue(MessageKind::Commands, 2, &[place(1, 0, 49_980, 5), place(1, 0, 49_970, 1)]);
    anna.send().expect("sent");
    let outcomes = anna.wait_outcomes(3).expect("the old outcome and the new one");
    assert_eq!(
        kinds(&outcomes)
            .into_iter()
            .filter(|kind| !matches!(kind, EventKind::PnlRealised))
            .collect::<Vec<_>>(),
        [EventKind::OrderAccepted, EventKind::Trade, EventKind::OrderAccepted]
    );
    assert_eq!(outcomes.taken[0], first.taken[0]);
    assert_eq!(outcomes.taken[1].first_number, 3);
    let resting = desk.server.ask(|exchange| exchange.engine().orders_resting()).expect("running");
    assert_eq!(resting, 3);
}

#[test]
fn a_position_that_is_gone_or_never_was_is_told_apart() {
    let desk = Desk::new(ServerOptions { events_kept: 2, ..open_rates() });
    let mut anna = desk.anna();
    let marks: Vec<_> =
        (0..5).map(|at| submit(&mut anna, &[place(1, 0, 49_000 + at, 1)]).events[0].0).collect();
    drop(anna);
    for (mark, expected) in [
        (marks[0], Resumption::TooOld),
        (marks[3], Resumption::Resumed),
        (marks[4], Resumption::Resumed),
        (marks[4] + 100, Resumption::NotInThisLog),
    ] {
        let request = LogonRequest { resume: Some((mark, 1)), ..LogonRequest::with_secret("anna", SECRET) };
        let anna = desk.log_on(&request).expect("back");
        assert_eq!(Resumption::from_code(anna.logged_on.resumption), Some(expected), "{mark}");
    }
}

#[test]
fn more_than_may_wait_for_a_connection_is_not_resumed_but_told() {
    // Half of the room is for 32 events.
    let desk = Desk::new(ServerOptions { outbox_bytes_max: 64 * 128, ..open_rates() });
    let mut anna = desk.anna();
    let mark = submit(&mut anna, &[place(1, 0, 49_000, 1)]).events[0].0;
    for (more, expected) in [(31, Resumption::Resumed), (1, Resumption::Resumed), (1, Resumption::TooOld)] {
        for _ in 0..more {
            submit(&mut anna, &[place(1, 0, 49_000, 1)]);
        }
        let request = LogonRequest {
            session: 1,
            // The first frame has been received.
            resume: Some((mark + 1, 0)),
            ..LogonRequest::with_secret("anna", SECRET)
        };
        let again = desk.log_on(&request).expect("back");
        assert_eq!(Resumption::from_code(again.logged_on.resumption), Some(expected));
    }
}

#[test]
fn a_gap_in_the_numbers_ends_the_connection() {
    let desk = Desk::new(open_rates());
    let mut anna = desk.anna();
    anna.queue(MessageKind::Commands, 2, &[place(1, 0, 49_000, 1)]);
    anna.send().expect("sent");
    let ClientError::Goodbye(told) = anna.wait_message().expect_err("a goodbye") else {
        panic!("no goodbye")
    };
    assert_eq!((told.code, told.value, told.limit), (SessionCode::NumberGap.code(), 2, 1));
}

#[test]
fn another_logon_to_the_same_session_replaces_the_first() {
    let desk = Desk::new(open_rates());
    let mut first = desk.anna();
    let mut other_session = desk
        .log_on(&LogonRequest { session: 1, ..LogonRequest::with_secret("anna", SECRET) })
        .expect("another");
    let mut second = desk.anna();
    assert_eq!(first.wait_message().err().and_then(goodbye), Some(SessionCode::Replaced));
    submit(&mut second, &[place(1, 0, 49_000, 1)]);
    // Another session of the key goes on, and hears of the account too.
    assert_eq!(wait_event(&mut other_session, EventKind::OrderAccepted).account, 1);
}

#[test]
fn a_drop_copy_hears_of_its_owner_and_cannot_act() {
    let desk = Desk::new(open_rates());
    let listens = |key: &str| LogonRequest {
        session: 9,
        flags: LogonFlags::DROP_COPY,
        ..LogonRequest::with_secret(key, SECRET)
    };
    let mut annas = desk.log_on(&listens("anna")).expect("a drop copy");
    let mut everyones = desk.log_on(&listens("operator")).expect("a drop copy of all");
    let (mut anna, mut bert) = (desk.anna(), desk.bert());
    submit(&mut bert, &[place(3, 0, 48_000, 1)]);
    submit(&mut anna, &[place(2, 0, 49_000, 1)]);
    assert_eq!(wait_event(&mut annas, EventKind::OrderAccepted).account, 2);
    assert_eq!(wait_event(&mut everyones, EventKind::OrderAccepted).account, 3);
    let refused = submit(&mut annas, &[cancel(2, 1)]).refused;
    assert_eq!(refused[0].code, SessionCode::ListensOnly.code());
}

#[test]
fn orders_leave_with_the_connection_that_asked_for_it() {
    let desk = Desk::new(open_rates());
    let request = LogonRequest { flags: LogonFlags::CANCEL_ON_DISCONNECT, ..berts_request() };
    let mut bert = desk.log_on(&request).expect("Bert's logon");
    let mut anna = desk.anna();
    submit(&mut bert, &[place(3, 0, 48_000, 1), place(3, 0, 48_001, 1)]);
    submit(&mut anna, &[place(1, 0, 48_002, 1)]);
    let listens = LogonRequest { session: 9, flags: LogonFlags::DROP_COPY, ..berts_request() };
    let mut copy = desk.log_on(&listens).expect("a drop copy");
    drop(bert);
    assert_eq!(wait_event(&mut copy, EventKind::OrderCancelled).account, 3);
    assert_eq!(desk.server.ask(|exchange| exchange.engine().orders_resting()), Some(1));
    drop(anna);
    assert_eq!(desk.server.ask(|exchange| exchange.engine().orders_resting()), Some(1));
}

#[test]
fn who_does_not_log_on_or_falls_silent_is_let_go() {
    let desk = Desk::new(ServerOptions { logon_ms: 100, heartbeat_ms: 50, ..open_rates() });
    let mut nobody = Client::connect(desk.server.address(), WAIT).expect("connected");
    assert_eq!(nobody.wait_message().err().and_then(goodbye), Some(SessionCode::LogonLate));
    let silent = LogonRequest { heartbeat_ms: 50, ..LogonRequest::with_secret("anna", SECRET) };
    let mut anna = desk.log_on(&silent).expect("Anna's logon");
    let mut heartbeats = 0;
    let told = loop {
        match anna.wait_message() {
            Ok((header, _)) => heartbeats += u32::from(header.kind == MessageKind::Heartbeat.code()),
            Err(error) => break goodbye(error),
        }
    };
    assert_eq!(told, Some(SessionCode::Silent));
    assert!(heartbeats > 0);
}

#[test]
fn connections_and_sessions_are_bounded() {
    let desk = Desk::new(ServerOptions { connections_max: 2, sessions_per_key_max: 2, ..open_rates() });
    let with = |session| LogonRequest { session, ..LogonRequest::with_secret("anna", SECRET) };
    let first = desk.log_on(&with(0)).expect("one");
    let _second = desk.log_on(&with(1)).expect("two");
    assert_eq!(desk.log_on(&with(0)).err().and_then(goodbye), Some(SessionCode::TooManyConnections));
    drop(first);
    // The server learns of the end by reading; a question makes sure that it has.
    while desk.server.stats().connections.load(std::sync::atomic::Ordering::Relaxed) > 1 {
        desk.server.ask(|_| ());
    }
    assert_eq!(desk.log_on(&with(2)).err().and_then(goodbye), Some(SessionCode::TooManySessions));
}

#[test]
fn stopping_tells_everyone_and_loses_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let desk = Desk::on_disk(folder.path(), open_rates());
    let mut anna = desk.anna();
    let taken = submit(&mut anna, &[place(1, 0, 49_000, 1)]).taken[0];
    let exchange = desk.server.stop().expect("stopped");
    assert_eq!(anna.wait_message().err().and_then(goodbye), Some(SessionCode::ShuttingDown));
    assert_eq!(exchange.durable_sequence(), taken.first_sequence);
    let end = exchange.close().expect("closed").expect("a log");
    let desk = Desk::on_disk(folder.path(), open_rates());
    assert_eq!(desk.anna().challenge.durable_sequence, end.sequence);
}
