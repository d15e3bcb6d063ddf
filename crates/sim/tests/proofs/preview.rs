//! What a preview says is what placing the order does: the same reject with the same numbers, or the same fills, fees
//! and margin; for isolated accounts that pull from their parent too.

use crate::desk::{of, seeds};
use std::collections::BTreeMap;
use xos_engine::{Engine, FrameHeader, Preview};
use xos_protocol::{
    CancelReason, CommandKind, CommandRecord, EventFlags, EventKind, EventRecord, InstrumentSpec, Product,
    Reject,
};
use xos_sim::workload::{Body, Chaos, Frame};
use xos_units::{AccountId, InstrumentId};

/// A run of chaos, each frame with a single place looked at first.
struct Run {
    seed: u64,
    engine: Engine,
    next: u64,
    counts: BTreeMap<&'static str, u64>,
}

impl Run {
    fn apply(&mut self, time_ns: u64, body: &Body, events: &mut Vec<EventRecord>) -> bool {
        let header = FrameHeader { first_sequence: self.next, time_ns };
        let (result, count) = match body {
            Body::Commands(commands) => {
                (self.engine.apply_records(header, commands, events).is_ok(), commands.len() as u64)
            }
            Body::Deploy(body) => (self.engine.apply_deploy(header, body, events).is_ok(), 1),
        };
        if result {
            self.next += count;
        }
        result
    }

    fn frame(&mut self, chaos: &mut Chaos) {
        let frame = chaos.next_frame();
        let place = single_place(&frame).filter(|_| frame.time_ns >= self.engine.time_ns());
        if place.is_some() {
            // What time does is done before the question.
            let nothing = Body::Commands(vec![CommandRecord::default()]);
            self.apply(frame.time_ns, &nothing, &mut Vec::new());
        }
        let quiet = self.engine.pending_risk_checks() == 0 && self.engine.violation().is_none();
        let asked = place.filter(|_| quiet).and_then(|place| Some((place, self.engine.preview(&place)?)));
        let (sequence, mut events) = (self.next, Vec::new());
        let admitted = self.apply(frame.time_ns, &frame.body, &mut events);
        chaos.observe(&frame, admitted, &events);
        if let Some((place, preview)) = asked.filter(|_| admitted) {
            let own: Vec<EventRecord> = events
                .iter()
                .filter(|event| event.sequence == sequence && !event.is_of_time())
                .copied()
                .collect();
            self.compare(&place, &preview, &own);
        }
    }

    fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    fn compare(&mut self, place: &CommandRecord, preview: &Preview, events: &[EventRecord]) {
        // A retry gives the first answer, with its sequence.
        let Some(outcome) = events.first() else { return };
        let at = format!("seed {}: {place:?}: {preview:?}: {events:?}", self.seed);
        let by_client_id = [Reject::ClientIdTaken.code(), Reject::ClientIdsExhausted.code()];
        let is_rejected = outcome.kind() == Some(EventKind::Rejected);
        if outcome.flags & EventFlags::RETRY != 0 || is_rejected && by_client_id.contains(&outcome.reason) {
            return;
        }
        let told = preview.reject.map(|(reject, value, limit)| (reject.code(), value, limit));
        let got = is_rejected.then(|| (outcome.reason, outcome.amount.get(), outcome.counter_amount.get()));
        assert_eq!(told, got, "{at}");
        if is_rejected {
            return self.count("refused");
        }
        self.count("accepted");
        let id = outcome.order_id;
        let expected = |event: &EventRecord| match event.kind() {
            Some(EventKind::OrderAccepted | EventKind::FundingPaid) => true,
            Some(EventKind::Trade) => event.counter_account() != place.account,
            Some(EventKind::PnlRealised) => true,
            Some(EventKind::OrderCancelled) => {
                event.order_id == id && event.reason == CancelReason::IocRemainder.code()
            }
            Some(EventKind::Transferred) => event.order_id == u64::from(place.account),
            _ => false,
        };
        // Self-trade prevention, makers that cannot pay, the limit of matches, waiting orders and money that goes back at once are not foreseen.
        if !events.iter().all(expected) {
            return self.count("with more than it foresees");
        }
        let trades = || of(events, EventKind::Trade);
        assert_eq!(trades().map(|trade| trade.qty).sum::<i64>(), preview.taken.0, "{at}");
        assert_eq!(trades().map(|trade| trade.amount.get()).sum::<i128>(), preview.fee.0, "{at}");
        let pulled = of(events, EventKind::Transferred).count() > 0;
        self.count(if pulled { "pulled" } else { "as foreseen" });
        let instrument = self.engine.instrument(InstrumentId(place.instrument)).expect("it was looked up");
        let Some(spec) = instrument.spec.filter(|spec| matches!(spec.product, Product::Perpetual { .. }))
        else {
            return;
        };
        let scales = |spec: &InstrumentSpec| {
            spec.margin.as_ref().is_some_and(|margin| margin.open_interest_scaling.is_some())
        };
        let risk = self.engine.risk(AccountId(place.account)).expect("it stands");
        assert_eq!(risk.maintenance, preview.maintenance.1, "{at}");
        if !scales(spec) {
            assert_eq!(risk.initial, preview.initial.1, "{at}");
        }
        let positions = self.engine.positions(AccountId(place.account));
        let position = positions.iter().find(|position| position.instrument.0 == place.instrument);
        let liquidation_price = position.and_then(|position| position.liquidation_price);
        assert_eq!(liquidation_price, preview.liquidation_price, "{at}");
        if position.is_some_and(|position| position.lots != 0) {
            self.count("with a position");
        }
    }
}

fn single_place(frame: &Frame) -> Option<CommandRecord> {
    match &frame.body {
        Body::Commands(commands) if commands.len() == 1 => {
            commands.first().filter(|command| command.kind() == Some(CommandKind::Place)).copied()
        }
        _ => None,
    }
}

#[test]
fn placing_does_what_the_preview_says() {
    let mut counts: BTreeMap<&'static str, u64> = BTreeMap::new();
    for seed in seeds(60) {
        let mut run = Run { seed, engine: Engine::new(), next: 1, counts: BTreeMap::new() };
        let mut chaos = Chaos::new(seed);
        for _ in 0..900 {
            run.frame(&mut chaos);
        }
        for (what, count) in run.counts {
            *counts.entry(what).or_default() += count;
        }
    }
    println!("{counts:?}");
    for what in ["refused", "accepted", "as foreseen", "pulled", "with a position"] {
        assert!(counts.get(what).is_some_and(|count| *count > 10), "{what}: {counts:?}");
    }
}
