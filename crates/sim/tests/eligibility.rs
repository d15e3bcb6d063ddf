//! Properties of matching among eligible orders, from commands and events alone: who traded might, nobody who might was
//! passed over, and where everybody may trade with everybody nothing is different.

use std::collections::BTreeMap;
use xos_engine::Engine;
use xos_protocol::{
    ClassRule, ClassSpec, CommandKind, CommandRecord, DeployCommand, EventFlags, EventKind, EventRecord,
    PublisherSpec,
};
use xos_sim::differential::Machine;
use xos_sim::workload::{Body, Chaos, Frame, Market, MarketShape};

#[derive(Clone, Copy, Debug)]
struct Order {
    instrument: u32,
    side: u8,
    price: i64,
    remaining: i64,
    profile: (u32, ClassRule),
    /// When it joined its queue.
    time: u64,
}

/// What a reader of the log knows.
#[derive(Default)]
struct Reader {
    classes: Vec<ClassSpec>,
    rules: Vec<ClassRule>,
    held: BTreeMap<u32, u32>,
    orders: BTreeMap<u64, Order>,
    time: u64,
    pending: Option<DeployCommand>,
    trades: u64,
    /// Trades of two profiles, and orders passed over because they were not eligible.
    mixed: u64,
    passed_over: u64,
    told: u64,
}

fn are_eligible(one: (u32, ClassRule), other: (u32, ClassRule)) -> bool {
    one.1.accepts(other.0) && other.1.accepts(one.0)
}

impl Reader {
    fn profile(&self, account: u32, venue: u16) -> (u32, ClassRule) {
        let dividing = (0..).zip(&self.classes).filter(|(_, class)| class.counterparty);
        let dividing: u32 = dividing.map(|(bit, _)| 1 << bit).sum();
        let rule = if venue == 0 { ClassRule::NONE } else { self.rules[usize::from(venue) - 1] };
        (self.held.get(&account).copied().unwrap_or(0) & dividing, rule)
    }

    fn joins(&mut self, event: &EventRecord) {
        self.time += 1;
        let order = Order {
            instrument: event.instrument,
            side: event.side,
            price: event.price,
            remaining: event.remaining,
            profile: self.profile(event.account, event.venue),
            time: self.time,
        };
        self.orders.insert(event.order_id, order);
    }

    fn observe(&mut self, event: &EventRecord) {
        if event.flags & EventFlags::RETRY != 0 {
            return;
        }
        match event.kind() {
            Some(EventKind::ClassDeployed) => {
                let Some(DeployCommand::Class(spec)) = self.pending.take() else {
                    panic!("a class was asked for")
                };
                self.classes.push(spec);
            }
            Some(EventKind::VenueDeployed) => {
                let Some(DeployCommand::Venue(spec)) = self.pending.take() else {
                    panic!("a venue was asked for")
                };
                self.rules.push(spec.counterparty);
            }
            Some(EventKind::CredentialsSet | EventKind::CredentialsExpired) => {
                self.held.insert(event.account, event.qty as u32);
            }
            Some(EventKind::OrderAccepted) => self.joins(event),
            Some(EventKind::OrderAmended) if event.flags & EventFlags::KEPT_PRIORITY == 0 => {
                self.joins(event)
            }
            Some(EventKind::OrderReplenished) => {
                self.time += 1;
                self.orders.get_mut(&event.order_id).expect("it rests").time = self.time;
            }
            Some(EventKind::OrderAmended | EventKind::OrderCancelled) => {
                if let Some(order) = self.orders.get_mut(&event.order_id) {
                    order.remaining = event.remaining;
                }
            }
            Some(EventKind::Trade) => self.traded(event),
            Some(EventKind::ImpliedTrade | EventKind::ImpliedLeg) => {
                // Legs are plain, and the taker is eligible with plain orders.
                let profile = self.profile(event.account, event.venue);
                assert!(are_eligible(profile, (0, ClassRule::NONE)), "{event:?}");
                if let Some(order) = self.orders.get_mut(&event.order_id) {
                    let is_leg = event.kind() == Some(EventKind::ImpliedLeg);
                    assert!(!is_leg || order.profile == (0, ClassRule::NONE), "{event:?}: {order:?}");
                    order.remaining = event.remaining;
                }
            }
            Some(EventKind::LiquiditySkipped) => {
                let (first, taker) =
                    (self.orders[&event.counter_order_id()], self.profile(event.account, event.venue));
                assert!(!are_eligible(taker, first.profile), "{event:?} passes over an eligible order");
                assert_eq!((first.price, first.side), (event.price, 1 - event.side));
                self.told += 1;
            }
            _ => {}
        }
        self.orders.retain(|_, order| order.remaining > 0);
    }

    fn traded(&mut self, event: &EventRecord) {
        let taker = self.profile(event.account, event.venue);
        let maker = self.orders[&event.counter_order_id()];
        assert!(are_eligible(taker, maker.profile), "{event:?}: {taker:?} and {:?}", maker.profile);
        let sign = if event.side == 0 { 1 } else { -1 };
        for (id, order) in &self.orders {
            let is_before = (order.price * sign, order.time) < (maker.price * sign, maker.time);
            if order.instrument == event.instrument && order.side == maker.side && is_before {
                assert!(!are_eligible(taker, order.profile), "{event:?} passed over order {id}: {order:?}");
                self.passed_over += 1;
            }
        }
        self.trades += 1;
        self.mixed += u64::from(taker != maker.profile);
        for (id, left) in
            [(event.order_id, event.remaining), (event.counter_order_id(), event.counter_remaining())]
        {
            if let Some(order) = self.orders.get_mut(&id) {
                order.remaining = left;
            }
        }
    }

    /// Applies a frame and reads its events.
    fn read(&mut self, engine: &mut Engine, first_sequence: u64, frame: &Frame) -> (bool, Vec<EventRecord>) {
        if let Body::Deploy(body) = &frame.body {
            self.pending = DeployCommand::from_bytes(body).ok();
        }
        let mut events = Vec::new();
        let admitted = Machine::apply(engine, first_sequence, frame, &mut events).is_ok();
        events.iter().for_each(|event| self.observe(event));
        (admitted, events)
    }
}

#[test]
fn who_traded_might_and_nobody_who_might_was_passed_over() {
    let seeds = if std::env::var_os("XOS_LONG").is_some() { 0..2_000 } else { 0..300 };
    let (mut trades, mut mixed, mut passed_over, mut told) = (0, 0, 0, 0);
    for seed in seeds {
        let (mut chaos, mut engine, mut reader) = (Chaos::new(seed), Engine::new(), Reader::default());
        let mut first_sequence = 1;
        for _ in 0..900 {
            let frame = chaos.next_frame();
            let (admitted, events) = reader.read(&mut engine, first_sequence, &frame);
            chaos.observe(&frame, admitted, &events);
            first_sequence += if admitted { frame.sequences() } else { 0 };
        }
        trades += reader.trades;
        mixed += reader.mixed;
        passed_over += reader.passed_over;
        told += reader.told;
    }
    println!(
        "{trades} trades, {mixed} of two profiles, {passed_over} times an order was passed over, {told} told"
    );
    assert!(trades > 15_000 && mixed > 3_000 && passed_over > 500 && told > 3_000);
}

const SHAPE: MarketShape = MarketShape { seed: 5, accounts: 60, resting: 400, commands: 20_000 };

fn frames(market: &Market) -> Vec<Frame> {
    let deployments =
        market.deployments.iter().map(|body| Frame { time_ns: 1, body: Body::Deploy(body.clone()) });
    let commands = market.prefill.iter().chain(&market.commands);
    deployments.chain(commands.map(|command| Frame::commands(2, vec![*command]))).collect()
}

#[test]
fn a_market_of_three_classes_trades_as_its_rules_say() {
    let market = Market::named("thirds", SHAPE).expect("it is named");
    let (mut engine, mut reader) = (Engine::new(), Reader::default());
    for (first_sequence, frame) in (1..).zip(&frames(&market)) {
        assert!(reader.read(&mut engine, first_sequence, frame).0);
    }
    println!("{} trades, {} of two profiles, {} told", reader.trades, reader.mixed, reader.told);
    assert!(reader.mixed * 4 > reader.trades && reader.told * 10 > reader.trades);
    assert_eq!(i128::from(reader.trades), market.expected[0]);
}

/// The same log without the feature: no classes, no rules; other commands in their places, so that numbers are the same.
fn without(frame: &Frame) -> Option<Frame> {
    match &frame.body {
        Body::Deploy(body) => {
            let other = match DeployCommand::from_bytes(body).expect("it was written") {
                DeployCommand::Class(spec) => {
                    DeployCommand::Publisher(PublisherSpec { symbol: spec.symbol, key: "0".repeat(64) })
                }
                DeployCommand::Venue(mut spec) if spec.counterparty != ClassRule::NONE => {
                    spec.counterparty = ClassRule::NONE;
                    DeployCommand::Venue(spec)
                }
                _ => return None,
            };
            Some(Frame::deploy(frame.time_ns, &other))
        }
        Body::Commands(commands) if commands[0].kind() == Some(CommandKind::SetCredentials) => {
            let tick = CommandRecord { kind: CommandKind::Tick.code(), ..CommandRecord::default() };
            Some(Frame::commands(frame.time_ns, vec![tick]))
        }
        Body::Commands(_) => None,
    }
}

#[test]
fn where_all_are_eligible_the_events_are_those_of_a_world_without_classes() {
    let market = Market::named("eligible", SHAPE).expect("it is named");
    let (mut with, mut plain) = (Engine::new(), Engine::new());
    let (mut compared, mut trades) = (0, 0);
    for (first_sequence, frame) in (1..).zip(&frames(&market)) {
        let (mut events, mut others) = (Vec::new(), Vec::new());
        let other = without(frame);
        Machine::apply(&mut with, first_sequence, frame, &mut events).expect("the log is whole");
        let same = other.as_ref().unwrap_or(frame);
        Machine::apply(&mut plain, first_sequence, same, &mut others).expect("the log is whole");
        if other.is_none() {
            assert_eq!(events, others, "at sequence {first_sequence}");
            compared += events.len();
            trades += events.iter().filter(|event| event.kind() == Some(EventKind::Trade)).count();
        }
    }
    println!("{compared} events alike, {trades} of them trades");
    assert!(compared > 20_000 && trades > 1_000);
}
