//! Properties of auctions, from commands and events alone: the price against every other one, limits, priority, and what
//! is left.

use std::collections::BTreeMap;
use xos_engine::{Engine, FrameHeader};
use xos_protocol::{
    AssetSpec, ClassRule, ClassSpec, CommandKind, CommandRecord, DeployCommand, EventKind, EventRecord, Fees,
    InstrumentSpec, InstrumentTerms, Int128, Limits, Matching, Product, Side, Split, VenueSpec,
};
use xos_sim::rng::Rng;
use xos_units::{AccountId, Amount, InstrumentId};

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

/// Classes of counterparty rules, one bit each.
const CLASSES: u32 = 2;

/// An order as the model keeps it; `place` is when it came to the back of its price.
#[derive(Clone, Copy, Debug)]
struct Resting {
    id: u64,
    account: u32,
    side: Side,
    price: i64,
    remaining: i64,
    display: i64,
    shown: i64,
    place: usize,
    classes: u32,
    rule: ClassRule,
}

impl Resting {
    fn accepts(&self, classes: u32) -> bool {
        classes & self.rule.requires == self.rule.requires && classes & self.rule.forbids == 0
    }

    fn may_trade_with(&self, other: &Self) -> bool {
        self.accepts(other.classes) && other.accepts(self.classes)
    }
}

/// A book that nobody matches, with the rules of who may trade with whom.
#[derive(Default)]
struct Model {
    orders: Vec<Resting>,
    places: usize,
}

impl Model {
    /// A side in order of priority.
    fn side(&self, side: Side) -> Vec<Resting> {
        let mut orders: Vec<Resting> = self.orders.iter().copied().filter(|o| o.side == side).collect();
        orders.sort_by_key(|order| (-order.price * side.sign(), order.place));
        orders
    }

    /// The first buy that finds a sell which it may trade with, at one price or, without one, where they cross; and that
    /// sell, by trying every pair.
    fn first_pair(&self, price: Option<i64>) -> Option<(Resting, Resting)> {
        let sells = self.side(Side::Sell);
        self.side(Side::Buy).into_iter().find_map(|buy| {
            let limit = price.unwrap_or(buy.price);
            let met = sells.iter().find(|sell| sell.price <= limit && buy.may_trade_with(sell));
            met.filter(|_| buy.price >= limit).map(|sell| (buy, *sell))
        })
    }

    fn lots(&self, side: Side, accepts: impl Fn(i64) -> bool) -> i64 {
        self.orders.iter().filter(|o| o.side == side && accepts(o.price)).map(|o| o.remaining).sum()
    }

    /// Lots that trade at a price, and what buyers want more.
    fn at(&self, price: i64) -> (i64, i64) {
        let (bought, sold) =
            (self.lots(Side::Buy, |bid| bid >= price), self.lots(Side::Sell, |ask| ask <= price));
        (bought.min(sold), bought - sold)
    }

    /// The price with most lots, then the least imbalance, then the nearest to the reference, then the lowest; of all ticks
    /// at which an order stands.
    fn price(&self, reference: i64) -> i64 {
        let ticks = (1..=PRICE_MAX).filter(|tick| self.orders.iter().any(|order| order.price == *tick));
        let best = ticks.filter(|tick| self.at(*tick).0 > 0).min_by_key(|tick| {
            let (lots, imbalance) = self.at(*tick);
            (-lots, imbalance.abs(), (tick - reference).abs(), *tick)
        });
        best.unwrap_or(0)
    }

    /// One of the two gives up lots; an iceberg whose shown lots are gone shows more, behind all others.
    fn fill(&mut self, id: u64, lots: i64) -> i64 {
        self.places += 1;
        let place = self.places;
        let order = self.orders.iter_mut().find(|order| order.id == id).expect("it rests");
        order.remaining -= lots;
        order.shown -= lots;
        if order.shown == 0 && order.remaining > 0 {
            (order.shown, order.place) = (order.display.min(order.remaining), place);
        }
        let left = order.remaining;
        self.orders.retain(|order| order.remaining > 0);
        left
    }
}

/// A desk with classes, venues whose orders trade with some of them, and accounts that have some of them.
fn divided_desk(rng: &mut Rng) -> (Desk, Vec<ClassRule>, Vec<u32>) {
    let mut desk = Desk::new(1 + rng.below(4) as u32);
    for class in 1..=CLASSES {
        let spec = ClassSpec { symbol: format!("CLASS{class}"), counterparty: true };
        desk.deploy(&DeployCommand::Class(spec));
    }
    let mut rules = vec![ClassRule::default()];
    for venue in 1..=3 {
        let (requires, forbids) = *rng.pick(&[(0, 0), (1, 0), (2, 0), (0, 1), (0, 2), (1, 2), (2, 1)]);
        let counterparty = ClassRule { requires, forbids };
        rules.push(counterparty);
        let symbol = format!("VENUE{venue}");
        desk.deploy(&DeployCommand::Venue(VenueSpec { symbol, counterparty, ..VenueSpec::default() }));
    }
    let classes: Vec<u32> = (0..=ACCOUNTS).map(|_| rng.below(1 << CLASSES) as u32).collect();
    for account in 1..=ACCOUNTS {
        let held = classes[account as usize];
        if held != 0 {
            let given = CommandRecord { qty: held.into(), expires_ns: 1 << 40, ..CommandRecord::default() };
            let kind = CommandKind::SetCredentials.code();
            let events = desk.send(CommandRecord { kind, account, order_id: 1, client_id: [7; 32], ..given });
            assert_eq!(events[0].kind(), Some(EventKind::CredentialsSet), "{events:?}");
        }
    }
    (desk, rules, classes)
}

/// A random order of the divided book, in the model too.
fn place(seed: u64, rng: &mut Rng, desk: &mut Desk, model: &mut Model, rules: &[ClassRule], classes: &[u32]) {
    let side = if rng.one_in(2) { Side::Buy } else { Side::Sell };
    let (price, qty) = (rng.between(8, 14), rng.between(1, 12));
    let account = 1 + rng.below(u64::from(ACCOUNTS)) as u32;
    let venue = rng.below(rules.len() as u64) as u16;
    let display = if rng.one_in(3) && qty > 1 { rng.between(1, qty - 1) } else { 0 };
    let order =
        CommandRecord { side: side.code(), price, qty, venue, instrument: 1, ..CommandRecord::default() };
    let amount = Int128::new(display.into());
    let events = desk.send(CommandRecord { kind: CommandKind::Place.code(), account, amount, ..order });
    assert_eq!(events.len(), 1, "seed {seed}: it rests: {events:?}");
    model.places += 1;
    model.orders.push(Resting {
        id: events[0].order_id,
        account,
        side,
        price,
        remaining: qty,
        display: if display == 0 { qty } else { display },
        shown: if display == 0 { qty } else { display },
        place: model.places,
        classes: classes[account as usize],
        rule: rules[usize::from(venue)],
    });
}

#[test]
fn divided_books_with_icebergs_fill_as_the_model_that_tries_every_pair() {
    let (mut at_one_price, mut beyond, mut replenished, mut passed_over) = (0, 0, 0, 0);
    for seed in 0..600 {
        let mut rng = Rng::new(seed);
        let (mut desk, rules, classes) = divided_desk(&mut rng);
        let mut model = Model::default();
        desk.send(CommandRecord { instrument: 1, expires_ns: 5, ..command(CommandKind::StartAuction, 0) });
        for _ in 0..2 + rng.below(16) {
            place(seed, &mut rng, &mut desk, &mut model, &rules, &classes);
        }
        let view = desk.engine.auction_view(InstrumentId(1)).expect("it collects");
        let price = model.price(10);
        let (lots, imbalance) = if price == 0 { (0, 0) } else { model.at(price) };
        desk.time_ns = 5;
        let mut events = desk.send(command(CommandKind::Tick, 0));
        while events.last().and_then(EventRecord::kind) != Some(EventKind::AuctionClosed) {
            events.extend(desk.send(command(CommandKind::Tick, 0)));
        }
        let told = events.iter().find(|e| e.kind() == Some(EventKind::AuctionPriced)).expect("it is priced");
        assert_eq!((told.price, told.qty, told.amount.get()), (price, lots, imbalance.into()), "seed {seed}");
        let seen = (view.at.price.0, view.at.lots, view.at.imbalance);
        assert_eq!(seen, (price, lots.into(), imbalance.into()), "seed {seed}: as it was seen before");
        let best_lots = (1..=PRICE_MAX).map(|tick| model.at(tick).0).max();
        assert_eq!(best_lots, Some(lots), "seed {seed}: no tick trades more");
        let mut positions = BTreeMap::<u32, i64>::new();
        for event in events.iter().filter(|event| event.kind() == Some(EventKind::Trade)) {
            let fixed = model.first_pair(Some(price)).filter(|_| price > 0);
            let (buy, sell) = fixed.or_else(|| model.first_pair(None)).expect("a pair that may trade");
            let elder = if buy.id < sell.id { buy } else { sell };
            let younger = if buy.id < sell.id { sell } else { buy };
            let expected = if fixed.is_some() { price } else { elder.price };
            let lots = buy.shown.min(sell.shown);
            let pair = (event.order_id, event.counter_order_id());
            assert_eq!(pair, (younger.id, elder.id), "seed {seed}: {event:?}");
            assert_eq!((event.price, event.qty), (expected, lots), "seed {seed}: {event:?}");
            assert!(buy.price >= expected && sell.price <= expected, "seed {seed}: within both limits");
            let fee = (i128::from(expected) * i128::from(lots) * 100 + 999_999) / 1_000_000;
            let fees = (event.amount.get(), event.counter_amount.get());
            assert_eq!(fees, (fee, fee), "seed {seed}: both pay the maker rate");
            let first_buy = model.side(Side::Buy)[0].id;
            passed_over += u32::from(first_buy != buy.id);
            at_one_price += u32::from(fixed.is_some());
            beyond += u32::from(fixed.is_none());
            let left = [younger.id, elder.id].map(|id| model.fill(id, lots));
            assert_eq!([event.remaining, event.counter_remaining()], left, "seed {seed}: {event:?}");
            *positions.entry(buy.account).or_default() += lots;
            *positions.entry(sell.account).or_default() -= lots;
        }
        replenished += events.iter().filter(|e| e.kind() == Some(EventKind::OrderReplenished)).count();
        assert!(model.first_pair(None).is_none(), "seed {seed}: two are left that would still trade");
        let resting: i64 = (1..=ACCOUNTS)
            .flat_map(|account| desk.engine.orders(AccountId(account)))
            .map(|view| view.order.remaining.0)
            .sum();
        assert_eq!(resting, model.orders.iter().map(|order| order.remaining).sum::<i64>(), "seed {seed}");
        for account in 1..=ACCOUNTS {
            let held: i64 = desk.engine.positions(AccountId(account)).iter().map(|p| p.lots).sum();
            assert_eq!(held, positions.get(&account).copied().unwrap_or(0), "seed {seed}: account {account}");
        }
        assert_eq!(positions.values().sum::<i64>(), 0, "seed {seed}: what is bought is sold");
    }
    println!(
        "{at_one_price} trades at one price, {beyond} beyond, {replenished} replenished, {passed_over} passed over"
    );
    assert!(at_one_price > 1_000 && beyond > 50 && replenished > 300 && passed_over > 50);
}
