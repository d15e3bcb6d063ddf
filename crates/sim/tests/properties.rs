//! Properties of the naive engine over whole runs of chaos, from its commands and events alone.

use std::collections::BTreeMap;
use xos_protocol::{
    CommandKind, CommandRecord, DeployCommand, Deployable, EventFlags, EventKind, EventRecord, Reject, Tif,
};
use xos_sim::differential::{Machine, event_text};
use xos_sim::naive::NaiveEngine;
use xos_sim::workload::{Body, Chaos, Frame};
use zerocopy::IntoBytes;

fn seeds() -> std::ops::Range<u64> {
    if std::env::var_os("XOS_LONG").is_some() { 0..1_000 } else { 0..25 }
}

/// One admitted frame of a run of chaos.
struct Seen<'a> {
    seed: u64,
    first_sequence: u64,
    frame: &'a Frame,
    before: &'a NaiveEngine,
    after: &'a NaiveEngine,
    events: &'a [EventRecord],
}

fn watch(look: impl FnMut(&Seen<'_>)) {
    watch_worlds(Chaos::new, look);
}

fn watch_worlds(world: impl Fn(u64) -> Chaos, mut look: impl FnMut(&Seen<'_>)) {
    for seed in seeds() {
        let mut chaos = world(seed);
        let mut engine = NaiveEngine::new();
        let mut first_sequence = 1;
        for _ in 0..600 {
            let frame = chaos.next_frame();
            let before = engine.clone();
            let mut events = Vec::new();
            let admitted = engine.apply(first_sequence, &frame, &mut events).is_ok();
            chaos.observe(&frame, admitted, &events);
            if !admitted {
                assert!(events.is_empty(), "seed {seed}: a refused frame has events");
                assert_eq!(engine.state_bytes(), before.state_bytes(), "seed {seed}");
                continue;
            }
            let (before, after, frame, events) = (&before, &engine, &frame, &events[..]);
            look(&Seen { seed, first_sequence, frame, before, after, events });
            first_sequence += frame.sequences();
        }
    }
}

fn single(frame: &Frame) -> Option<&CommandRecord> {
    match &frame.body {
        Body::Commands(commands) if commands.len() == 1 => commands.first(),
        _ => None,
    }
}

/// The state if a command of no kind had come in the place of this one.
fn after_nothing(seen: &Seen) -> Vec<u8> {
    let mut world = seen.before.clone();
    let nothing = Frame::commands(seen.frame.time_ns, vec![CommandRecord::default()]);
    world.apply(seen.first_sequence, &nothing, &mut Vec::new()).expect("it follows");
    world.state_bytes()
}

#[test]
fn a_rejected_command_changes_nothing() {
    let mut rejected = 0;
    watch(|seen| {
        let outcome = seen.events.iter().find(|event| !event.is_of_time());
        let is_rejected = outcome.is_some_and(|event| event.kind() == Some(EventKind::Rejected));
        if seen.frame.sequences() != 1 || !is_rejected {
            return;
        }
        rejected += 1;
        // Time alone may change the state, and the end of any command: orders expire, and waiting ones fire.
        let nothing = after_nothing(seen);
        assert_eq!(seen.after.state_bytes(), nothing, "seed {}: {:?}", seen.seed, seen.frame);
    });
    assert!(rejected > 1_000, "only {rejected} rejects");
}

#[test]
fn a_retry_changes_nothing_and_returns_the_first_answer() {
    let mut retries = 0;
    let mut seed = u64::MAX;
    let mut answers: BTreeMap<(u32, [u8; 32]), EventRecord> = BTreeMap::new();
    let mut taken = 0;
    let mut first_commands: BTreeMap<u64, CommandRecord> = BTreeMap::new();
    watch(|seen| {
        if seen.seed != seed {
            seed = seen.seed;
            answers.clear();
            first_commands.clear();
        }
        let Body::Commands(commands) = &seen.frame.body else { return };
        for (at, command) in commands.iter().enumerate().filter(|(_, command)| command.has_client_id()) {
            let sequence = seen.first_sequence + at as u64;
            let outcome = seen.events.iter().find(|event| event.sequence == sequence && !event.is_of_time());
            let is_first = |event: &&EventRecord| {
                event.client_id() == command.client_id
                    && !matches!(
                        event.kind(),
                        Some(EventKind::Trade | EventKind::ImpliedTrade | EventKind::ImpliedLeg)
                    )
                    && event.flags & EventFlags::RETRY == 0
                    // Refused before the client id was looked at.
                    && !(event.kind() == Some(EventKind::Rejected) && event.reason < 200)
            };
            if let Some(outcome) = outcome.filter(is_first)
                && is_remembered(command)
            {
                answers.insert((command.account, command.client_id), *outcome);
                first_commands.insert(sequence, *command);
            }
        }
        let is_taken = |event: &&EventRecord| {
            event.kind() == Some(EventKind::Rejected) && event.reason == Reject::ClientIdTaken.code()
        };
        for refused in seen.events.iter().filter(is_taken) {
            // The very same command is always known again.
            taken += 1;
            let first = first_commands[&(refused.amount.get() as u64)];
            let command = &commands[(refused.sequence - seen.first_sequence) as usize];
            assert_eq!((first.account, first.client_id), (command.account, command.client_id));
            let field = match refused.counter_amount.get() as usize {
                0 => 0..2,
                2 => 2..3,
                12 => 12..16,
                at @ (24 | 32 | 40) => at..at + 8,
                at => at..at + 16,
            };
            let bytes = |command: &CommandRecord| command.as_bytes()[field.clone()].to_vec();
            assert_ne!(bytes(&first), bytes(command), "seed {seed}: {command:?} is not {first:?}");
        }
        for event in seen.events.iter().filter(|event| event.flags & EventFlags::RETRY != 0) {
            retries += 1;
            let mut first = answers[&(event.account, event.client_id())];
            first.flags |= EventFlags::RETRY;
            assert_eq!(*event, first, "seed {seed}: {}", event_text(event));
        }
        if let Some(command) = single(seen.frame)
            && seen.events.last().is_some_and(|event| event.flags & EventFlags::RETRY != 0)
        {
            assert_eq!(seen.after.state_bytes(), after_nothing(seen), "seed {seed}: {command:?}");
        }
    });
    assert!(retries > 100, "only {retries} retries");
    assert!(taken > 100, "only {taken} ids of other commands");
}

fn is_remembered(command: &CommandRecord) -> bool {
    use CommandKind::{Deposit, MergeSet, Place, PlaceBracket, PlaceTrigger, SplitSet, Transfer, Withdraw};
    matches!(
        command.kind(),
        Some(Place | PlaceTrigger | PlaceBracket | Deposit | Withdraw | Transfer | SplitSet | MergeSet)
    )
}

#[test]
fn a_fill_or_kill_order_fills_whole_or_not_at_all() {
    let mut accepted = 0;
    watch(|seen| {
        let Body::Commands(commands) = &seen.frame.body else { return };
        for (at, command) in commands.iter().enumerate() {
            let is_fok = command.kind() == Some(CommandKind::Place) && command.tif() == Some(Tif::Fok);
            let sequence = seen.first_sequence + at as u64;
            let is_own = |event: &&EventRecord| event.sequence == sequence && event.order_id == sequence;
            let own: Vec<&EventRecord> = seen.events.iter().filter(is_own).collect();
            let outcome = own.iter().find(|event| event.kind() == Some(EventKind::OrderAccepted));
            let (true, Some(outcome)) = (is_fok, outcome) else { continue };
            accepted += 1;
            let by_it = |event: &&&EventRecord| event.order_id == sequence;
            let trades = |event: &&&EventRecord| {
                matches!(event.kind(), Some(EventKind::Trade | EventKind::ImpliedTrade))
            };
            let traded = own.iter().filter(trades).filter(by_it);
            let lots: i64 = traded.map(|event| event.qty).sum();
            assert_eq!(lots, outcome.qty, "seed {}: {:?}", seen.seed, command);
        }
    });
    assert!(accepted > 50, "only {accepted} fill-or-kill orders");
}

/// Lots of every order as its events tell: accepted, amended, filled, cancelled.
#[test]
fn events_alone_tell_which_orders_rest() {
    let mut seed = u64::MAX;
    let mut lots: BTreeMap<u64, i64> = BTreeMap::new();
    watch(|seen| {
        if seen.seed != seed {
            seed = seen.seed;
            lots.clear();
        }
        for event in seen.events.iter().filter(|event| event.flags & EventFlags::RETRY == 0) {
            match event.kind() {
                Some(
                    EventKind::OrderAccepted
                    | EventKind::OrderAmended
                    | EventKind::OrderCancelled
                    | EventKind::ImpliedTrade
                    | EventKind::ImpliedLeg,
                ) => {
                    lots.insert(event.order_id, event.remaining);
                }
                Some(EventKind::Trade) => {
                    lots.insert(event.order_id, event.remaining);
                    lots.insert(event.counter_order_id(), event.counter_remaining());
                }
                _ => {}
            }
        }
        // Order 0 is a liquidation order: it never rests.
        lots.retain(|id, left| *id > 0 && *left > 0);
        assert_eq!(seen.after.resting_lots(), lots, "seed {seed}: {:?}", seen.frame);
    });
}

/// What a reader of events knows of icebergs.
#[derive(Default)]
struct Shown {
    /// Display quantity, lots left, lots shown.
    orders: BTreeMap<u64, (i64, i64, i64)>,
    /// The order that matches, and does not rest yet; the command that made it.
    incoming: u64,
    sequence: u64,
}

impl Shown {
    /// The incoming order has come to rest.
    fn settle(&mut self) {
        if let Some((display, left, shown)) = self.orders.get_mut(&self.incoming) {
            *shown = *display.min(left);
        }
        self.incoming = 0;
    }

    /// Lots of an order went, by trade or without.
    fn lose(&mut self, id: u64, lots: i64, left_now: i64) {
        if let Some((_, left, shown)) = self.orders.get_mut(&id) {
            *left = left_now;
            *shown -= if id == self.incoming { 0 } else { lots };
        }
    }

    fn observe(&mut self, event: &EventRecord) {
        let display = event.amount.low as i64;
        if event.sequence != self.sequence {
            self.settle();
            self.sequence = event.sequence;
        }
        match event.kind() {
            Some(EventKind::OrderAmended) if event.flags & EventFlags::KEPT_PRIORITY != 0 => {
                if let Some(known) = self.orders.get_mut(&event.order_id) {
                    *known = (display, event.remaining, known.2.min(display).min(event.remaining));
                }
            }
            Some(EventKind::OrderAccepted | EventKind::OrderAmended) => {
                self.settle();
                self.incoming = event.order_id;
                self.orders.insert(event.order_id, (display, event.remaining, 0));
            }
            Some(EventKind::OrderCancelled) => self.lose(event.order_id, event.qty, event.remaining),
            Some(EventKind::OrderReplenished) => {
                let known = self.orders.get_mut(&event.order_id).expect("it was accepted");
                assert_eq!((known.1, known.2), (event.remaining, 0), "{event:?}");
                known.2 = event.qty;
            }
            Some(EventKind::Trade) => {
                self.lose(event.order_id, event.qty, event.remaining);
                self.lose(event.counter_order_id(), event.qty, event.counter_remaining());
            }
            Some(EventKind::ImpliedTrade | EventKind::ImpliedLeg) => {
                self.lose(event.order_id, event.qty, event.remaining);
            }
            _ => {}
        }
    }
}

/// What icebergs show, as their events tell it.
#[test]
fn events_alone_tell_what_icebergs_show() {
    let mut seed = u64::MAX;
    let (mut shown, mut icebergs) = (Shown::default(), 0);
    watch(|seen| {
        if seen.seed != seed {
            (seed, shown) = (seen.seed, Shown::default());
        }
        for event in seen.events.iter().filter(|event| event.flags & EventFlags::RETRY == 0) {
            shown.observe(event);
        }
        shown.settle();
        shown.orders.retain(|_, (_, left, _)| *left > 0);
        let of_icebergs = shown.orders.iter().filter(|(_, (display, ..))| *display > 0);
        let found: BTreeMap<u64, i64> = of_icebergs.map(|(&id, &(_, _, shown))| (id, shown)).collect();
        icebergs += found.len();
        assert_eq!(seen.after.shown_lots(), found, "seed {seed}: {:?}", seen.frame);
    });
    assert!(icebergs > 100, "only {icebergs} icebergs seen");
}

/// Invariant 22 over whole runs: a deposit never lowers what an account can do, a cancel never does, and an order that
/// only rests never raises it.
#[test]
fn margin_is_monotone() {
    use EventKind as Kind;
    let mut checked = BTreeMap::new();
    watch(|seen| {
        let Some(command) = single(seen.frame) else { return };
        let at = (command.account as usize).wrapping_sub(1);
        let (before, after) = (seen.before.margins(), seen.after.margins());
        let (Some(before), Some(after)) = (before.get(at), after.get(at)) else { return };
        let only = |kinds: &[Kind]| seen.events.iter().all(|e| e.kind().is_some_and(|k| kinds.contains(&k)));
        let kind = command.kind();
        let rises = match kind {
            Some(CommandKind::Deposit) if only(&[Kind::Deposited]) => true,
            Some(CommandKind::Cancel | CommandKind::MassCancel)
                if only(&[Kind::OrderCancelled, Kind::MassCancelled]) =>
            {
                true
            }
            Some(CommandKind::Place) if only(&[Kind::OrderAccepted]) => false,
            _ => return,
        };
        let (less, more) = if rises { (before, after) } else { (after, before) };
        let at = format!("seed {}: {command:?}: {before:?} then {after:?}", seen.seed);
        assert!(more.headroom >= less.headroom && more.withdrawable >= less.withdrawable, "{at}");
        assert!(more.equity >= less.equity, "{at}");
        *checked.entry(kind.expect("one of these")).or_insert(0) += 1;
    });
    assert!(checked.len() == 4 && checked.values().all(|count| *count > 5), "{checked:?}");
}

/// Every step adds up to one unit, trades the same lots on every outcome, and gives nobody a worse price than its limit;
/// sets outstanding move by the lots.
#[test]
fn a_step_keeps_every_limit_and_adds_up_to_one_unit() {
    let (mut seed, mut steps, mut legs_seen) = (u64::MAX, [0, 0], 0);
    let mut limits: BTreeMap<u64, i64> = BTreeMap::new();
    let mut units: BTreeMap<u32, i64> = BTreeMap::new();
    watch_worlds(Chaos::of_crowd, |seen| {
        if seen.seed != seed {
            seed = seen.seed;
            limits.clear();
            units.clear();
        }
        if let (Body::Deploy(body), Some(deployed)) = (
            &seen.frame.body,
            seen.events.iter().find(|event| event.kind() == Some(EventKind::QuestionDeployed)),
        ) {
            let spec = match DeployCommand::from_bytes(body) {
                Ok(DeployCommand::Question(spec)) => spec,
                Ok(DeployCommand::DeployAs(asked)) => match asked.market {
                    Deployable::Question(spec) => spec,
                    other => panic!("a question, not {other:?}"),
                },
                other => panic!("a question, not {other:?}"),
            };
            for at in 0..spec.outcomes_most() as u32 {
                units.insert(deployed.order_id as u32 + at, spec.ticks_per_unit);
            }
        }
        for (at, event) in seen.events.iter().enumerate() {
            match event.kind() {
                Some(EventKind::OrderAccepted | EventKind::OrderAmended) => {
                    limits.insert(event.order_id, event.price);
                }
                Some(EventKind::ImpliedTrade) => {
                    let unit = units[&event.instrument];
                    // Outcomes that were added later have a leg too.
                    let after = seen.events[at + 1..].iter();
                    let of_step = after.take_while(|next| next.kind() != Some(EventKind::ImpliedTrade));
                    let legs: Vec<_> =
                        of_step.filter(|leg| leg.kind() == Some(EventKind::ImpliedLeg)).collect();
                    let sum: i64 = event.price + legs.iter().map(|leg| leg.price).sum::<i64>();
                    assert_eq!(sum, unit, "seed {seed}: {}", event_text(event));
                    let worse =
                        |limit: i64| if event.side == 0 { event.price > limit } else { event.price < limit };
                    assert!(!worse(limits[&event.order_id]), "seed {seed}: {}", event_text(event));
                    for (number, leg) in (1..).zip(legs) {
                        assert_eq!(
                            (leg.qty, leg.side),
                            (event.qty, event.side),
                            "seed {seed}: {}",
                            event_text(leg)
                        );
                        assert_eq!(leg.price, limits[&leg.order_id], "seed {seed}: {}", event_text(leg));
                        assert_eq!(leg.trade_id(), event.trade_id() + number);
                        assert_eq!(leg.counter_order_id(), event.order_id);
                        legs_seen += 1;
                    }
                    steps[usize::from(event.side)] += 1;
                }
                _ => {}
            }
        }
    });
    println!("steps that created and redeemed sets: {steps:?}, with {legs_seen} legs");
    assert!(steps[0] > 20 && steps[1] > 20, "{steps:?}");
}

/// Resting orders come to cross each other over the outcomes only while the implied price of some outcome does not exist.
#[test]
fn no_resting_orders_cross_over_the_outcomes_unless_the_price_did_not_exist() {
    let (mut seed, mut free, mut excused, mut looked) = (u64::MAX, 0, 0, 0);
    let mut before: Vec<(u32, xos_protocol::Side)> = Vec::new();
    watch_worlds(Chaos::of_crowd, |seen| {
        if seen.seed != seed {
            seed = seen.seed;
            before.clear();
        }
        let crosses = seen.after.implied_crosses();
        for cross in &crosses {
            let is_new = !before.contains(&(cross.question, cross.side));
            excused += usize::from(!cross.exists);
            // Of a frame of several commands one may have ended what kept the price from existing.
            if is_new && cross.exists && single(seen.frame).is_some() {
                panic!("seed {seed}: {cross:?} after {:?}", seen.frame);
            }
        }
        before = crosses.iter().map(|cross| (cross.question, cross.side)).collect();
        looked += 1;
        free += usize::from(crosses.is_empty());
    });
    println!("{looked} looks, {free} without a cross, {excused} crosses while a price did not exist");
    assert!(free > 1_000 && excused > 100, "{free} {excused}");
}
