//! Properties of auctions, from commands and events alone: the price against every other one, limits, priority, and what
//! is left.

use std::collections::BTreeMap;
use xos_engine::{Engine, FrameHeader};
use xos_protocol::{
    AssetSpec, CommandKind, CommandRecord, DeployCommand, EventKind, EventRecord, Fees, InstrumentSpec,
    InstrumentTerms, Int128, Limits, Matching, Product, Side, Split,
};
use xos_sim::rng::Rng;
use xos_units::Amount;

const PRICE_MAX: i64 = 30;
const ACCOUNTS: u32 = 6;

struct Desk {
    engine: Engine,
    next: u64,
    time_ns: u64,
}

impl Desk {
    fn new(matches_per_command_max: u32) -> Self {
        let mut desk = Self { engine: Engine::new(), next: 1, time_ns: 1 };
        desk.deploy(&DeployCommand::Genesis(Limits { matches_per_command_max, ..Limits::default() }));
        desk.deploy(&DeployCommand::Asset(AssetSpec::new("USD".into(), 6)));
        desk.deploy(&DeployCommand::Instrument(perpetual()));
        for owner in 1..=ACCOUNTS {
            let mut open = command(CommandKind::OpenAccount, 0);
            open.client_id[0] = owner as u8;
            desk.send(open);
            let amount = Int128::new(1_000_000_000);
            desk.send(CommandRecord { instrument: 1, amount, ..command(CommandKind::Deposit, owner) });
        }
        desk.send(CommandRecord { instrument: 1, price: 10, ..command(CommandKind::SetMark, 0) });
        desk
    }

    fn header(&mut self) -> FrameHeader {
        self.next += 1;
        FrameHeader { first_sequence: self.next - 1, time_ns: self.time_ns }
    }

    fn deploy(&mut self, body: &DeployCommand) {
        let (header, mut events) = (self.header(), Vec::new());
        self.engine.apply_deploy(header, &body.to_bytes(), &mut events).expect("the log is whole");
        assert!(events.iter().all(|event| event.kind() != Some(EventKind::Rejected)), "{events:?}");
    }

    fn send(&mut self, record: CommandRecord) -> Vec<EventRecord> {
        let (header, mut events) = (self.header(), Vec::new());
        self.engine.apply_records(header, &[record], &mut events).expect("the log is whole");
        self.engine.audit().expect("the invariants hold");
        events
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
            price_max_ticks: PRICE_MAX,
            qty_min_lots: 1,
            qty_max_lots: 1_000,
            notional_min: Amount(0),
            notional_max: Amount(1_000_000),
            position_max_lots: 10_000,
            orders_per_account_max: 100,
            fees_to: 0,
            venue: 0,
            phases: xos_protocol::Phases::default(),
            band_ppm: 0,
            fees: Fees { maker_ppm: 100, taker_ppm: 500, ceiling_ppm: 0 },
            split: Split::default(),
            matching: Matching::Arrival,
        },
    }
}

fn command(kind: CommandKind, account: u32) -> CommandRecord {
    CommandRecord { kind: kind.code(), account, ..CommandRecord::default() }
}

#[derive(Clone, Copy, Debug)]
struct Order {
    side: Side,
    price: i64,
    qty: i64,
    filled: i64,
}

fn lots_at(orders: &BTreeMap<u64, Order>, price: i64) -> (i64, i64) {
    let bought = orders.values().filter(|o| o.side == Side::Buy && o.price >= price).map(|o| o.qty).sum();
    let sold = orders.values().filter(|o| o.side == Side::Sell && o.price <= price).map(|o| o.qty).sum();
    (bought, sold)
}

#[test]
fn the_price_trades_most_and_the_fills_keep_limits_and_priority() {
    let (mut crossed, mut trades_seen, mut turns) = (0, 0, 0);
    for seed in 0..400 {
        let mut rng = Rng::new(seed);
        let mut desk = Desk::new(1 + rng.below(5) as u32);
        let start = CommandRecord { instrument: 1, expires_ns: 5, ..command(CommandKind::StartAuction, 0) };
        desk.send(start);
        let mut orders = BTreeMap::new();
        for _ in 0..2 + rng.below(14) {
            let side = if rng.one_in(2) { Side::Buy } else { Side::Sell };
            let (price, qty) = (rng.between(8, 14), rng.between(1, 9));
            let record =
                CommandRecord { side: side.code(), price, qty, instrument: 1, ..CommandRecord::default() };
            let account = 1 + rng.below(u64::from(ACCOUNTS)) as u32;
            let events = desk.send(CommandRecord { kind: CommandKind::Place.code(), account, ..record });
            assert_eq!(events.len(), 1, "seed {seed}: it rests: {events:?}");
            orders.insert(events[0].order_id, Order { side, price, qty, filled: 0 });
        }
        desk.time_ns = 5;
        let mut events = desk.send(command(CommandKind::Tick, 0));
        while events.last().and_then(EventRecord::kind) != Some(EventKind::AuctionClosed) {
            turns += 1;
            assert!(turns < 100_000, "seed {seed}: the auction does not end");
            events.extend(desk.send(command(CommandKind::Tick, 0)));
        }
        let told = events.iter().find(|e| e.kind() == Some(EventKind::AuctionPriced)).expect("it is priced");
        let (bought, sold) = lots_at(&orders, told.price);
        assert_eq!(told.qty, if told.price == 0 { 0 } else { bought.min(sold) }, "seed {seed}");
        for price in 1..=PRICE_MAX {
            let (bought, sold) = lots_at(&orders, price);
            assert!(bought.min(sold) <= told.qty, "seed {seed}: more lots trade at {price}: {told:?}");
            let as_many = told.qty > 0 && bought.min(sold) == told.qty;
            if as_many && orders.values().any(|order| order.price == price) {
                let rank = |price: i64, imbalance: i64| (imbalance.abs(), (price - 10).abs(), price);
                let here = rank(price, bought - sold);
                assert!(here >= rank(told.price, told.amount.get() as i64), "seed {seed}: {price}, {told:?}");
            }
        }
        crossed += u32::from(told.qty > 0);
        for trade in events.iter().filter(|event| event.kind() == Some(EventKind::Trade)) {
            trades_seen += 1;
            assert_eq!(trade.price, told.price, "seed {seed}: one price");
            for id in [trade.order_id, trade.counter_order_id()] {
                orders.get_mut(&id).expect("it was accepted").filled += trade.qty;
            }
        }
        check_fills(seed, &orders, told);
    }
    println!("{crossed} auctions of 400 crossed, {trades_seen} trades, {turns} turns beyond the first");
    assert!(crossed > 200 && trades_seen > 500 && turns > 100, "{crossed} {trades_seen} {turns}");
}

/// Everything that could trade did, the better price before the worse, the older before the younger.
fn check_fills(seed: u64, orders: &BTreeMap<u64, Order>, told: &EventRecord) {
    let filled = |side| orders.values().filter(|o| o.side == side).map(|o| o.filled).sum::<i64>();
    assert_eq!((filled(Side::Buy), filled(Side::Sell)), (told.qty, told.qty), "seed {seed}");
    for (id, order) in orders {
        let within = match order.side {
            Side::Buy => order.price >= told.price,
            Side::Sell => order.price <= told.price,
        };
        assert!(order.filled <= order.qty && (within || order.filled == 0), "seed {seed}: {id} {order:?}");
        for (other_id, other) in orders.iter().filter(|(_, other)| other.side == order.side) {
            let better = other.price * other.side.sign() > order.price * order.side.sign();
            let first = better || (other.price == order.price && other_id < id);
            let passed_over = first && order.filled > 0 && other.filled < other.qty;
            assert!(!passed_over, "seed {seed}: {id} {order:?} before {other_id} {other:?}");
        }
    }
}
