//! The markets for benchmarks on the naive engine: nothing is refused, and the simple books end as it does.

use std::collections::BTreeMap;
use xos_protocol::{CommandKind, EventKind, EventRecord, Flags, Reject, Tif};
use xos_sim::bench::Run;
use xos_sim::naive::NaiveEngine;
use xos_sim::workload::{ImpliedMarket, Market, MarketShape};

/// Runs a market in frames of `frame` commands; all events.
fn run(market: &Market, frame: usize) -> (NaiveEngine, Vec<EventRecord>) {
    let mut engine = NaiveEngine::new();
    let mut events = Vec::new();
    let mut sequence = 1;
    for body in &market.deployments {
        engine.apply_deploy(sequence, sequence, body, &mut events).expect("the log is whole");
        sequence += 1;
    }
    for commands in market.prefill.chunks(frame).chain(market.commands.chunks(frame)) {
        engine.apply_records(sequence, sequence, commands, &mut events).expect("the log is whole");
        sequence += commands.len() as u64;
    }
    engine.check_invariants().expect("the invariants hold");
    (engine, events)
}

/// Shares of the commands in percent: place, cancel, amend, immediate-or-cancel.
const STEADY_MIX: [usize; 4] = [45, 40, 10, 5];

fn check(market: &Market, shares: [usize; 4]) {
    let (_, events) = run(market, 512);
    let of_kind = |kind: EventKind| events.iter().filter(move |event| event.kind() == Some(kind));
    let killed = Reject::FokNotFillable.code();
    let refused: Vec<_> = of_kind(EventKind::Rejected).filter(|e| e.reason != killed).take(3).collect();
    assert!(refused.is_empty(), "{}: {refused:?}", market.name);
    let trades = of_kind(EventKind::Trade).count() as i128;
    let lots: i128 = of_kind(EventKind::Trade).map(|event| i128::from(event.qty)).sum();
    let value: i128 =
        of_kind(EventKind::Trade).map(|event| i128::from(event.qty) * i128::from(event.price)).sum();
    assert!(trades > 0);
    assert_eq!([trades, lots, value], market.expected[..3], "{}", market.name);

    let share = |kind: CommandKind, tif: Tif| {
        let of_kind = market.commands.iter().filter(|c| c.kind() == Some(kind) && c.tif() == Some(tif));
        100 * of_kind.count() / market.commands.len()
    };
    let kinds = [
        (CommandKind::Place, Tif::Gtc),
        (CommandKind::Cancel, Tif::Gtc),
        (CommandKind::Amend, Tif::Gtc),
        (CommandKind::Place, Tif::Ioc),
    ];
    for ((kind, tif), wanted) in kinds.into_iter().zip(shares) {
        let found = share(kind, tif);
        assert!(found.abs_diff(wanted) <= 2, "{}: {found} % {} {}", market.name, kind.name(), tif.name());
    }
}

const SHAPE: MarketShape = MarketShape { seed: 11, accounts: 40, resting: 300, commands: 6_000 };

#[test]
fn steady_is_followed_by_the_simple_book() {
    let market = Market::steady(SHAPE);
    check(&market, STEADY_MIX);
    assert!(market.commands.iter().any(|command| command.flags().has(Flags::MARKET)));
    let resting = market.expected[3];
    assert!((250..350).contains(&resting), "{resting} orders rest at the end");
    assert_eq!(market.commands, Market::steady(SHAPE).commands, "the same seed gives the same commands");
}

#[test]
fn many_trades_every_product() {
    let market = Market::many(SHAPE);
    check(&market, STEADY_MIX);
    let (_, events) = run(&market, 1);
    let traded = |from: u32, to: u32| {
        events.iter().any(|e| e.kind() == Some(EventKind::Trade) && (from..=to).contains(&e.instrument))
    };
    assert!(traded(1, 20) && traded(21, 30) && traded(31, 50), "perpetuals, spot and outcomes trade");
}

#[test]
fn steady_keeps_its_size() {
    let commands = if std::env::var_os("XOS_LONG").is_some() { 10_000_000 } else { 100_000 };
    let market = Market::steady(MarketShape::full(3, commands));
    let resting = market.expected[3];
    assert!((9_500..10_500).contains(&resting), "{resting} orders rest after {commands} commands");
}

#[test]
fn cross_gives_every_account_several_positions() {
    let market = Market::cross(SHAPE);
    check(&market, [48, 37, 8, 7]);
    let (_, events) = run(&market, 512);
    let mut positions: BTreeMap<(u32, u32), i64> = BTreeMap::new();
    for event in events.iter().filter(|event| event.kind() == Some(EventKind::Trade)) {
        let signed = if event.side == 0 { event.qty } else { -event.qty };
        *positions.entry((event.account, event.instrument)).or_default() += signed;
        *positions.entry((event.counter_account(), event.instrument)).or_default() -= signed;
    }
    for account in 1..=SHAPE.accounts {
        let held = positions.iter().filter(|((holder, _), lots)| *holder == account && **lots != 0).count();
        assert!((3..=8).contains(&held), "account {account} holds {held} positions");
    }
    let killed = market.commands.iter().filter(|command| command.tif() == Some(Tif::Fok)).count();
    assert!(killed > 0, "some orders are fill-or-kill");
}

/// The engine of the benchmark and the naive one end a small `implied` in the same state, with steps both ways.
#[test]
fn implied_ends_as_the_naive_engine_says() {
    let shape = MarketShape { seed: 3, accounts: 70, resting: 400, commands: 5_000 };
    let market = ImpliedMarket::new(shape);
    let mut naive = NaiveEngine::new();
    let (mut events, mut sequence) = (Vec::new(), 1);
    for body in &market.deployments {
        naive.apply_deploy(sequence, sequence, body, &mut events).expect("the log is whole");
        sequence += 1;
    }
    for commands in market.prefill.chunks(512).chain(market.commands.chunks(512)) {
        naive.apply_records(sequence, sequence, commands, &mut events).expect("the log is whole");
        sequence += commands.len() as u64;
    }
    naive.check_invariants().expect("the invariants hold");
    let report = xos_sim::bench::run(&Run::of_implied(market), true).expect("it runs");
    assert!(report.passed, "{:?}", report.checks);
    assert!(report.window_p99_ns > 0);
    let hash: String = naive.state_hash().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(report.state_hash, hash);
    let steps = report.ns_by_kind.iter().find(|time| time.kind == "any that takes a step");
    assert!(steps.is_some_and(|time| time.count > 10), "{:?}", report.ns_by_kind);
}

#[test]
fn markets_with_classes_are_followed_too() {
    for name in ["eligible", "thirds"] {
        let market = Market::named(name, SHAPE).expect("it is named");
        check(&market, STEADY_MIX);
        let (_, events) = run(&market, 512);
        let told = events.iter().filter(|event| event.kind() == Some(EventKind::LiquiditySkipped)).count();
        assert_eq!(told > 0, name == "thirds", "{name}: {told} times orders were passed over");
    }
}
