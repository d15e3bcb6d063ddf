//! Properties of matching among eligible orders, from commands and events alone: who traded might, nobody who might was
//! passed over, and where everybody may trade with everybody nothing is different.

use std::collections::BTreeMap;
use xos_engine::Engine;
use xos_protocol::{
    ClassRule, ClassSpec, CommandKind, CommandRecord, DeployCommand, Deployable, EventFlags, EventKind,
    EventRecord, PublisherSpec,
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
    /// Classes, rules and credentials were told beforehand: what the log says of them is not read.
    is_told: bool,
    faults: Faults,
}

/// What must not be. The tests below break the rules on purpose and see each of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Faults {
    /// Trades, and legs, of orders that do not accept each other.
    ineligible: u64,
    /// Orders that might have traded, with a better claim than the one that did.
    slighted: u64,
    /// Skips told of orders that might have traded, or of another price than theirs.
    mistold: u64,
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
            Some(
                EventKind::ClassDeployed
                | EventKind::VenueDeployed
                | EventKind::CredentialsSet
                | EventKind::CredentialsExpired,
            ) if self.is_told => {}
            Some(EventKind::ClassDeployed) => {
                let Some(DeployCommand::Class(spec)) = self.pending.take() else {
                    panic!("a class was asked for")
                };
                self.classes.push(spec);
            }
            Some(EventKind::VenueDeployed) => {
                let spec = match self.pending.take() {
                    Some(DeployCommand::Venue(spec)) => spec,
                    Some(DeployCommand::DeployAs(asked)) => match asked.market {
                        Deployable::Venue(spec) => spec,
                        other => panic!("a venue was asked for, not {other:?}"),
                    },
                    other => panic!("a venue was asked for, not {other:?}"),
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
                let mut is_right = are_eligible(profile, (0, ClassRule::NONE));
                if let Some(order) = self.orders.get_mut(&event.order_id) {
                    let is_leg = event.kind() == Some(EventKind::ImpliedLeg);
                    is_right &= !is_leg || order.profile == (0, ClassRule::NONE);
                    order.remaining = event.remaining;
                }
                self.faults.ineligible += u64::from(!is_right);
            }
            Some(EventKind::LiquiditySkipped) => {
                let (first, taker) =
                    (self.orders[&event.counter_order_id()], self.profile(event.account, event.venue));
                let is_right = !are_eligible(taker, first.profile)
                    && (first.price, first.side) == (event.price, 1 - event.side);
                self.faults.mistold += u64::from(!is_right);
                self.told += 1;
            }
            _ => {}
        }
        self.orders.retain(|_, order| order.remaining > 0);
    }

    fn traded(&mut self, event: &EventRecord) {
        // In an auction the taker has rested, perhaps since before its account's classes changed.
        let rested = self.orders.get(&event.order_id).map(|order| order.profile);
        let taker = rested.unwrap_or_else(|| self.profile(event.account, event.venue));
        let maker = self.orders[&event.counter_order_id()];
        self.faults.ineligible += u64::from(!are_eligible(taker, maker.profile));
        let sign = if event.side == 0 { 1 } else { -1 };
        for order in self.orders.values() {
            let is_before = (order.price * sign, order.time) < (maker.price * sign, maker.time);
            if order.instrument == event.instrument && order.side == maker.side && is_before {
                let is_slighted = are_eligible(taker, order.profile);
                self.faults.slighted += u64::from(is_slighted);
                self.passed_over += u64::from(!is_slighted);
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
    let seeds = if std::env::var_os("XOS_LONG").is_some() { 0..2_000 } else { 0..900 };
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
        assert_eq!(reader.faults, Faults::default(), "in the world of seed {seed}");
    }
    println!(
        "{trades} trades, all of eligible pairs, {mixed} of two profiles; {passed_over} times an order with a better \
         claim was passed over, never an eligible one; {told} skips told"
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
    println!(
        "{} trades, {} of two profiles, {} skips told: {:?}",
        reader.trades, reader.mixed, reader.told, reader.faults
    );
    assert_eq!(reader.faults, Faults::default());
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

/// A reader who knows beforehand who has which classes, and the rules, or believes that there are none.
fn told(frames: &[Frame], with_rules: bool) -> Reader {
    let mut reader = Reader { is_told: true, ..Reader::default() };
    for frame in frames {
        match &frame.body {
            Body::Deploy(body) => match DeployCommand::from_bytes(body).expect("it was written") {
                DeployCommand::Class(spec) => reader.classes.push(spec),
                DeployCommand::Venue(spec) => {
                    reader.rules.push(if with_rules { spec.counterparty } else { ClassRule::NONE })
                }
                _ => {}
            },
            Body::Commands(commands) => {
                for command in commands {
                    if command.kind() == Some(CommandKind::SetCredentials) {
                        reader.held.insert(command.account, command.qty as u32);
                    }
                }
            }
        }
    }
    reader
}

#[test]
fn an_engine_that_does_not_know_the_rules_is_found_out() {
    let market = Market::named("thirds", SHAPE).expect("it is named");
    let frames = frames(&market);
    let (mut engine, mut reader) = (Engine::new(), told(&frames, true));
    for (first_sequence, frame) in (1..).zip(&frames) {
        reader.read(&mut engine, first_sequence, without(frame).as_ref().unwrap_or(frame));
    }
    println!("rules left out: {} trades, {:?}", reader.trades, reader.faults);
    assert!(reader.faults.ineligible * 10 > reader.trades);
}

#[test]
fn an_engine_that_skips_whom_it_may_not_skip_is_found_out() {
    let market = Market::named("thirds", SHAPE).expect("it is named");
    let frames = frames(&market);
    let (mut engine, mut reader) = (Engine::new(), told(&frames, false));
    for (first_sequence, frame) in (1..).zip(&frames) {
        reader.read(&mut engine, first_sequence, frame);
    }
    println!("skips without a rule: {} trades, {:?}", reader.trades, reader.faults);
    assert!(reader.faults.slighted * 10 > reader.trades);
    assert_eq!((reader.faults.ineligible, reader.faults.mistold), (0, reader.told));
}

/// Events of two engines, one of them without classes, up to the first that differs.
struct Comparison {
    alike: usize,
    trades: usize,
    differs_at: Option<u64>,
}

fn compared_with_a_world_without_classes(market: &Market) -> Comparison {
    let (mut with, mut plain) = (Engine::new(), Engine::new());
    let mut found = Comparison { alike: 0, trades: 0, differs_at: None };
    for (first_sequence, frame) in (1..).zip(&frames(market)) {
        let (mut events, mut others) = (Vec::new(), Vec::new());
        let other = without(frame);
        Machine::apply(&mut with, first_sequence, frame, &mut events).expect("the log is whole");
        let same = other.as_ref().unwrap_or(frame);
        Machine::apply(&mut plain, first_sequence, same, &mut others).expect("the log is whole");
        if other.is_some() {
            continue;
        }
        if events != others {
            found.differs_at = Some(first_sequence);
            return found;
        }
        found.alike += events.len();
        found.trades += events.iter().filter(|event| event.kind() == Some(EventKind::Trade)).count();
    }
    found
}

#[test]
fn where_all_are_eligible_the_events_are_those_of_a_world_without_classes() {
    let market = Market::named("eligible", SHAPE).expect("it is named");
    let found = compared_with_a_world_without_classes(&market);
    println!("{} events alike to the byte, {} of them trades", found.alike, found.trades);
    assert_eq!(found.differs_at, None);
    assert!(found.alike > 20_000 && found.trades > 1_000);
}

#[test]
fn where_not_all_are_eligible_they_are_not() {
    let found = compared_with_a_world_without_classes(&Market::named("thirds", SHAPE).expect("it is named"));
    println!("{} events alike, then not at sequence {:?}", found.alike, found.differs_at);
    assert!(found.differs_at.is_some());
}
