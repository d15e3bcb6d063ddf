//! The tricky rules, one small table each, on the naive engine.

use xos_protocol::{
    AssetSpec, CancelReason, CommandKind, CommandRecord, DeployCommand, EventFlags, EventKind, EventRecord,
    Fees, Flags, InstrumentSpec, InstrumentTerms, Int128, Limits, Matching, Product, Reject, SelfTrade, Side,
    Split, Tif, VenueSpec,
};
use xos_sim::naive::NaiveEngine;
use xos_units::Amount;

const BUY: u8 = Side::Buy as u8;
const SELL: u8 = Side::Sell as u8;

/// One perpetual with mark 10; accounts 1 and 2 of one owner, 3 and 4 of their own, all rich; venue 1 with a large
/// rebate.
struct Desk {
    engine: NaiveEngine,
    next: u64,
}

impl Desk {
    fn new(limits: Limits) -> Self {
        let mut desk = Self { engine: NaiveEngine::new(), next: 1 };
        desk.deploy(&DeployCommand::Genesis(limits));
        desk.deploy(&DeployCommand::Asset(AssetSpec::new("USD".into(), 6)));
        let rebate = Fees { maker_ppm: -100_000, taker_ppm: 100_000, ceiling_ppm: 0 };
        desk.deploy(&DeployCommand::Venue(VenueSpec {
            symbol: "MAKERS".into(),
            fees: Some(rebate),
            ..Default::default()
        }));
        desk.deploy(&DeployCommand::Instrument(perpetual()));
        for (account, owner) in [(1, 7), (2, 7), (3, 8), (4, 9)] {
            let mut open = command(CommandKind::OpenAccount, 0);
            open.client_id[0] = owner;
            desk.send(open);
            let amount = Int128::new(1_000_000_000);
            desk.send(CommandRecord { instrument: 1, amount, ..command(CommandKind::Deposit, account) });
        }
        desk.send(CommandRecord { instrument: 1, price: 10, ..command(CommandKind::SetMark, 0) });
        desk
    }

    fn deploy(&mut self, body: &DeployCommand) {
        let mut events = Vec::new();
        self.engine.apply_deploy(self.next, 1, &body.to_bytes(), &mut events).expect("the log is whole");
        self.next += 1;
        assert!(events.iter().all(|event| event.kind() != Some(EventKind::Rejected)), "{events:?}");
    }

    fn send(&mut self, record: CommandRecord) -> Vec<EventRecord> {
        let mut events = Vec::new();
        self.engine.apply_records(self.next, 1, &[record], &mut events).expect("the log is whole");
        self.next += 1;
        self.engine.check_invariants().expect("the invariants hold");
        events
    }

    /// Places a good-till-cancelled order; its id.
    fn rest(&mut self, account: u32, side: u8, price: i64, qty: i64) -> u64 {
        let events = self.send(order(account, side, price, qty));
        assert_eq!(events.len(), 1, "it rests: {events:?}");
        events[0].order_id
    }

    fn amend(&mut self, account: u32, order_id: u64, price: i64, qty: i64) -> Vec<EventRecord> {
        self.send(CommandRecord { order_id, price, qty, ..command(CommandKind::Amend, account) })
    }
}

fn perpetual() -> InstrumentSpec {
    InstrumentSpec {
        conversion_slippage_ppm: None,
        symbol: "PERP".into(),
        margin: None,
        isolated_only: false,
        oracle: None,
        funding: None,
        collateral: Vec::new(),
        liquidation: None,
        halt: None,
        product: Product::Perpetual { initial_margin_ppm: 100_000, maintenance_margin_ppm: 50_000 },
        terms: InstrumentTerms {
            quote_atoms_per_tick_lot: 1,
            tick_size: "1".into(),
            lot_size: "1".into(),
            price_max_ticks: 1_000,
            qty_min_lots: 1,
            qty_max_lots: 1_000,
            notional_min: Amount(0),
            notional_max: Amount(1_000_000),
            position_max_lots: 10_000,
            orders_per_account_max: 10,
            band_ppm: 0,
            fees: Fees { maker_ppm: 0, taker_ppm: 500, ceiling_ppm: 0 },
            split: Split::default(),
            matching: Matching::Arrival,
            fees_to: 0,
            venue: 0,
            phases: xos_protocol::Phases::default(),
        },
    }
}

fn command(kind: CommandKind, account: u32) -> CommandRecord {
    CommandRecord { kind: kind.code(), account, ..CommandRecord::default() }
}

fn order(account: u32, side: u8, price: i64, qty: i64) -> CommandRecord {
    CommandRecord { side, price, qty, instrument: 1, ..command(CommandKind::Place, account) }
}

/// Events in short: what happened, to which order, lots, lots left.
fn short(events: &[EventRecord]) -> Vec<String> {
    let line = |event: &EventRecord| {
        let (order, qty, left) = (event.order_id, event.qty, event.remaining);
        match event.kind().expect("known") {
            EventKind::OrderAccepted => format!("accepted {qty}"),
            EventKind::Trade => format!("trade {} x {qty} left {left}", event.counter_order_id()),
            EventKind::OrderCancelled => {
                let reason = CancelReason::from_code(event.reason).expect("known").name();
                let whose = if order == event.sequence { "incoming".into() } else { order.to_string() };
                format!("{reason} {whose} {qty} left {left}")
            }
            EventKind::OrderAmended => {
                let kept = if event.flags & EventFlags::KEPT_PRIORITY != 0 { " kept" } else { "" };
                format!("amended {qty} left {left}{kept}")
            }
            EventKind::PnlRealised => format!("realised {} on {qty} at {left}", event.amount.get()),
            EventKind::Rejected => Reject::from_code(event.reason).expect("known").name().into(),
            kind => kind.name().into(),
        }
    };
    events.iter().map(line).collect()
}

fn trades(events: &[EventRecord]) -> Vec<EventRecord> {
    events.iter().filter(|event| event.kind() == Some(EventKind::Trade)).copied().collect()
}

#[test]
fn self_trade_prevention_has_five_modes() {
    // Resting: 5 lots of the same owner (A), then 5 of somebody else (B). Incoming: 8 lots.
    let table: &[(SelfTrade, &[&str])] = &[
        (SelfTrade::None, &["accepted 8", "trade A x 5 left 3", "trade B x 3 left 0"]),
        (SelfTrade::CancelTaker, &["accepted 8", "self_trade incoming 8 left 0"]),
        (SelfTrade::CancelMaker, &["accepted 8", "self_trade A 5 left 0", "trade B x 5 left 3"]),
        (SelfTrade::CancelBoth, &["accepted 8", "self_trade A 5 left 0", "self_trade incoming 8 left 0"]),
        (
            SelfTrade::Decrement,
            &["accepted 8", "self_trade A 5 left 0", "self_trade incoming 5 left 3", "trade B x 3 left 0"],
        ),
    ];
    for (mode, expected) in table {
        let mut desk = Desk::new(Limits::default());
        let a = desk.rest(1, SELL, 10, 5).to_string();
        let b = desk.rest(3, SELL, 10, 5).to_string();
        let events = desk.send(CommandRecord { self_trade: mode.code(), ..order(2, BUY, 10, 8) });
        let expected: Vec<String> =
            expected.iter().map(|line| line.replace('A', &a).replace('B', &b)).collect();
        assert_eq!(short(&events), expected, "{}", mode.name());
    }
}

#[test]
fn a_decrement_that_the_resting_order_survives_keeps_its_place() {
    let mut desk = Desk::new(Limits::default());
    let first = desk.rest(1, SELL, 10, 5);
    desk.rest(3, SELL, 10, 5);
    let decrement = SelfTrade::Decrement.code();
    let events = desk.send(CommandRecord { self_trade: decrement, ..order(2, BUY, 10, 2) });
    let resting = format!("self_trade {first} 2 left 3");
    assert_eq!(short(&events), ["accepted 2".into(), resting, "self_trade incoming 2 left 0".to_string()]);
    let events = desk.send(order(4, BUY, 10, 1));
    assert_eq!(trades(&events)[0].counter_order_id(), first);
}

#[test]
fn an_amend_keeps_its_place_only_when_it_shrinks() {
    // Amend of the first of two orders at one price: new price, new total, whether it is still first.
    let table = [(0, 3, true), (10, 3, true), (0, 7, false), (10, 7, false)];
    for (price, qty, is_first) in table {
        let mut desk = Desk::new(Limits::default());
        let a = desk.rest(1, SELL, 10, 5);
        let b = desk.rest(3, SELL, 10, 5);
        let amended = desk.amend(1, a, price, qty);
        assert_eq!(amended[0].flags == EventFlags::KEPT_PRIORITY, is_first, "{price} {qty}");
        let events = desk.send(order(4, BUY, 10, 1));
        let expected = if is_first { a } else { b };
        assert_eq!(trades(&events)[0].counter_order_id(), expected, "{price} {qty}");
    }
    let mut desk = Desk::new(Limits::default());
    let a = desk.rest(1, SELL, 10, 5);
    let b = desk.rest(3, SELL, 10, 5);
    desk.amend(1, a, 11, 0);
    desk.amend(1, a, 10, 0);
    assert_eq!(trades(&desk.send(order(4, BUY, 10, 1)))[0].counter_order_id(), b, "there and back");
}

#[test]
fn an_amend_counts_what_was_filled() {
    let mut desk = Desk::new(Limits::default());
    let id = desk.rest(1, SELL, 10, 5);
    desk.send(order(3, BUY, 10, 2));
    assert_eq!(short(&desk.amend(1, id, 0, 5)), ["AmendWithoutChange"]);
    assert_eq!(short(&desk.amend(1, id, 0, 4)), ["amended 4 left 2 kept"]);
    assert_eq!(short(&desk.amend(1, id, 0, 9)), ["amended 9 left 7"]);
    let away = format!("amended_away {id} 7 left 0");
    assert_eq!(short(&desk.amend(1, id, 0, 2)), ["amended 2 left 0".to_string(), away]);
    // An amend that takes: the order keeps its id.
    desk.rest(3, BUY, 9, 3);
    let id = desk.rest(1, SELL, 12, 5);
    let events = desk.amend(1, id, 9, 0);
    assert_eq!(events[0].kind(), Some(EventKind::OrderAmended));
    assert_eq!((trades(&events)[0].order_id, trades(&events)[0].remaining), (id, 2));
    assert_eq!(short(&desk.amend(3, id, 9, 1)), ["UnknownOrder"]);
}

#[test]
fn reduce_only_is_clipped_when_placed_and_when_met() {
    let mut desk = Desk::new(Limits::default());
    let reduce = |account, side, price, qty| CommandRecord {
        flags: Flags::REDUCE_ONLY,
        ..order(account, side, price, qty)
    };
    assert_eq!(short(&desk.send(reduce(3, SELL, 10, 1))), ["NothingToReduce"]);
    desk.rest(4, SELL, 10, 6);
    desk.send(order(3, BUY, 10, 6));
    assert_eq!(short(&desk.send(reduce(3, BUY, 10, 1))), ["NothingToReduce"]);
    let events = desk.send(reduce(3, SELL, 12, 50));
    assert_eq!(short(&events), ["accepted 6"]);
    let id = events[0].order_id;
    // The position shrinks to 2 by another way; the resting order may then trade only 2 and is cancelled.
    desk.rest(4, BUY, 11, 4);
    desk.send(order(3, SELL, 11, 4));
    let events = desk.send(order(1, BUY, 12, 5));
    let expected = [
        "accepted 5".to_string(),
        format!("trade {id} x 2 left 3"),
        "realised 4 on 2 at 0".into(),
        format!("reduce_only {id} 4 left 0"),
    ];
    assert_eq!(short(&events), expected);
}

#[test]
fn fill_or_kill_looks_through_orders_that_it_would_cancel() {
    let table = [
        (SelfTrade::None, 8, true),
        (SelfTrade::CancelMaker, 5, true),
        (SelfTrade::CancelMaker, 6, false),
        (SelfTrade::CancelTaker, 1, false),
        (SelfTrade::Decrement, 1, false),
    ];
    for (mode, qty, fills) in table {
        let mut desk = Desk::new(Limits::default());
        desk.rest(1, SELL, 10, 5);
        desk.rest(3, SELL, 11, 5);
        let fok = CommandRecord { tif: Tif::Fok.code(), self_trade: mode.code(), ..order(2, BUY, 11, qty) };
        let before = desk.engine.state_bytes();
        let events = desk.send(fok);
        if fills {
            let lots: i64 = trades(&events).iter().map(|trade| trade.qty).sum();
            assert_eq!(lots, qty, "{}", mode.name());
        } else {
            assert_eq!(short(&events), ["FokNotFillable"], "{}", mode.name());
            assert_eq!(desk.engine.state_bytes(), before, "a refusal changes nothing");
        }
    }
}

#[test]
fn fill_or_kill_meets_a_used_up_reduce_only_order_once() {
    // Resting: a reduce-only order that can trade 2 of its 6, then 5 lots. The first leaves when it is used up, which is
    // no second meeting, so two meetings reach the second.
    for (meetings, fills) in [(1, false), (2, true)] {
        let mut desk = Desk::new(Limits { matches_per_command_max: meetings, ..Limits::default() });
        desk.rest(4, SELL, 10, 6);
        desk.send(order(3, BUY, 10, 6));
        desk.send(CommandRecord { flags: Flags::REDUCE_ONLY, ..order(3, SELL, 12, 6) });
        desk.rest(4, BUY, 11, 4);
        desk.send(order(3, SELL, 11, 4));
        desk.rest(4, SELL, 12, 5);
        let events = desk.send(CommandRecord { tif: Tif::Fok.code(), ..order(1, BUY, 12, 7) });
        assert_eq!(events[0].kind() == Some(EventKind::OrderAccepted), fills, "{:?}", short(&events));
        let lots: i64 = trades(&events).iter().map(|trade| trade.qty).sum();
        assert_eq!(lots, if fills { 7 } else { 0 });
    }
}

#[test]
fn a_command_meets_the_declared_number_of_orders() {
    for (orders, expected) in [(3, "trade"), (4, "match_limit")] {
        let mut desk = Desk::new(Limits { matches_per_command_max: 3, ..Limits::default() });
        for _ in 0..orders {
            desk.rest(3, SELL, 10, 1);
        }
        let events = desk.send(order(1, BUY, 10, 9));
        let last = short(&events).pop().expect("events");
        assert!(last.starts_with(expected), "{orders} orders: {last}");
        assert_eq!(trades(&events).len(), 3);
    }
}

#[test]
fn a_rebate_never_exceeds_the_fee_that_pays_it() {
    // Venue of the maker, venue of the taker, fee of the taker, fee of the maker, for 100 lots at 10.
    let table = [(0, 0, 1, 0), (1, 0, 1, -1), (1, 1, 100, -100), (0, 1, 100, 0)];
    for (maker_venue, taker_venue, taker_fee, maker_fee) in table {
        let mut desk = Desk::new(Limits::default());
        desk.send(CommandRecord { venue: maker_venue, ..order(3, SELL, 10, 100) });
        let events = desk.send(CommandRecord { venue: taker_venue, ..order(4, BUY, 10, 100) });
        let trade = trades(&events)[0];
        assert_eq!((trade.amount.get(), trade.counter_amount.get()), (taker_fee, maker_fee));
    }
}

#[test]
fn a_position_flips_and_its_cost_rounds_against_profit() {
    let mut desk = Desk::new(Limits::default());
    // Account 3 buys 2 at 10 and 1 at 11: 3 lots that cost 31.
    desk.rest(4, SELL, 10, 2);
    desk.rest(4, SELL, 11, 1);
    desk.send(order(3, BUY, 11, 3));
    // One lot leaves with a cost of 31/3 rounded up, 11.
    desk.rest(1, BUY, 12, 1);
    let events = desk.send(order(3, SELL, 12, 1));
    assert_eq!(short(&events)[2..], ["realised 1 on 1 at 2"]);
    // Five more: two close at 14 against the cost of 20 that is left, three open a short at 14.
    desk.rest(1, BUY, 14, 5);
    let events = desk.send(order(3, SELL, 14, 5));
    assert_eq!(short(&events)[2..], ["realised 8 on 2 at -3"]);
    assert_eq!(events[2].counter_amount.get(), 9, "both profits together");
    // The short buys back one lot: a third of -42 leaves.
    desk.rest(1, SELL, 15, 1);
    let events = desk.send(order(3, BUY, 15, 1));
    assert_eq!(short(&events)[2], "realised -1 on 1 at -2");
}

#[test]
fn a_rejected_command_repeats_what_it_asked_for() {
    let mut desk = Desk::new(Limits::default());
    let record = CommandRecord { venue: 1, flags: 0xfa, self_trade: 1, ..order(3, SELL, 10, 4) };
    let event = desk.send(record)[0];
    assert_eq!(Reject::from_code(event.reason), Some(Reject::MalformedCommand));
    assert_eq!((event.amount.get(), event.counter_amount.get()), (0xfa, 4));
    let known = Flags::REDUCE_ONLY | Flags::PROTECTED;
    assert_eq!((event.side, event.flags, event.venue), (SELL, known, 1));
    assert_eq!((event.account, event.instrument, event.price, event.qty), (3, 1, 10, 4));
}
