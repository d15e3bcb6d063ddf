//! How long the settlement of a question takes: `settlement [HOLDERS] [ORDERS]`. Half of the holders are long the first
//! outcome, half short; so many of them have an order resting on the second. It is settled with parts for three outcomes,
//! then ticks follow until everybody is paid. Prints the commands it took, the longest of them, and the time in all.

use std::time::{Duration, Instant};
use xos_engine::{Engine, FrameHeader};
use xos_protocol::{
    AssetSpec, CommandKind, CommandRecord, DeployCommand, EventKind, EventRecord, Fees, InstrumentTerms,
    Int128, Matching, OutcomeSpec, QuestionPayouts, QuestionSpec, Split, Tif,
};
use xos_units::{Amount, QuestionId};

const FRAME: usize = 512;

struct Feed {
    engine: Engine,
    sequence: u64,
    events: Vec<EventRecord>,
}

impl Feed {
    fn header(&mut self, commands: usize) -> FrameHeader {
        let first_sequence = self.sequence + 1;
        self.sequence += commands as u64;
        FrameHeader { first_sequence, time_ns: 1_700_000_000_000_000_000 + self.sequence }
    }

    fn deploy(&mut self, command: &DeployCommand) {
        self.events.clear();
        let header = self.header(1);
        self.engine.apply_deploy(header, &command.to_bytes(), &mut self.events).expect("it is admitted");
    }

    fn frame(&mut self, commands: &[CommandRecord]) {
        self.events.clear();
        let header = self.header(commands.len());
        self.engine.apply_records(header, commands, &mut self.events).expect("it is admitted");
    }
}

fn question() -> QuestionSpec {
    let terms = InstrumentTerms {
        quote_atoms_per_tick_lot: 10,
        tick_size: "0.01".into(),
        lot_size: "1".into(),
        price_max_ticks: 99,
        qty_min_lots: 1,
        qty_max_lots: 1_000_000,
        notional_min: Amount(0),
        notional_max: Amount(1 << 90),
        position_max_lots: 1 << 30,
        orders_per_account_max: 100,
        band_ppm: 0,
        fees: Fees::default(),
        split: Split::default(),
        matching: Matching::Arrival,
        fees_to: 0,
        venue: 0,
        phases: xos_protocol::Phases::default(),
    };
    let outcomes = ["A", "B", "C"].map(|name| OutcomeSpec { symbol: name.into(), name: name.into() });
    let (symbol, text) = ("Q".into(), "Which of three?".into());
    let (ticks_per_unit, outcomes) = (100, outcomes.into());
    QuestionSpec {
        later: None,
        symbol,
        text,
        outcomes,
        ticks_per_unit,
        terms,
        link: None,
        resolution: None,
        implied: false,
    }
}

fn main() {
    let word = |at: usize, standard: u32| {
        std::env::args().nth(at).map_or(standard, |text| text.parse().expect("a number"))
    };
    let (holders, orders) = (word(1, 1_000_000) & !1, word(2, 100_000));
    let mut feed = Feed { engine: Engine::new(), sequence: 0, events: Vec::new() };
    feed.deploy(&DeployCommand::Asset(AssetSpec::new("USD".into(), 6)));
    feed.deploy(&DeployCommand::Question(question()));
    let of = |kind: CommandKind, account| CommandRecord { kind: kind.code(), account, ..Default::default() };
    let mut commands = Vec::new();
    for account in 1..=holders {
        let mut owner = [0; 32];
        owner[..4].copy_from_slice(&account.to_le_bytes());
        commands.push(CommandRecord { client_id: owner, ..of(CommandKind::OpenAccount, 0) });
        let amount = Int128::new(100_000);
        commands.push(CommandRecord { instrument: 1, amount, ..of(CommandKind::Deposit, account) });
    }
    for pair in 0..holders / 2 {
        // Neighbours in the book are not neighbours in memory.
        let (seller, buyer) = (1 + pair, holders - pair);
        let place = CommandRecord { instrument: 1, qty: 3, price: 40, ..of(CommandKind::Place, 0) };
        commands.push(CommandRecord { account: seller, side: 1, ..place });
        commands.push(CommandRecord { account: buyer, tif: Tif::Ioc.code(), ..place });
    }
    for account in 1..=orders.min(holders) {
        let price = 1 + i64::from(account % 90);
        commands.push(CommandRecord { instrument: 2, qty: 1, price, ..of(CommandKind::Place, account) });
    }
    commands.chunks(FRAME).for_each(|frame| feed.frame(frame));
    let begun = Instant::now();
    let (mut count, mut longest, mut paid) = (0, Duration::ZERO, 0);
    let payouts_ppm = vec![333_333, 333_333, 333_334];
    let settle = DeployCommand::SettleQuestion(QuestionPayouts { question: 1, account: 0, payouts_ppm });
    loop {
        let single = Instant::now();
        if count == 0 {
            feed.deploy(&settle);
        } else {
            feed.frame(&[of(CommandKind::Tick, 0)]);
        }
        longest = longest.max(single.elapsed());
        count += 1;
        paid += feed.events.iter().filter(|event| event.kind == EventKind::Payout.code()).count();
        if feed.engine.question(QuestionId(1)).is_some_and(|question| question.is_settled) {
            break;
        }
    }
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    println!(
        "{paid} holders paid and {} orders gone in {count} commands, the longest {:.3} ms, all {:.1} ms",
        orders.min(holders),
        ms(longest),
        ms(begun.elapsed())
    );
    assert_eq!(paid, holders as usize, "everybody is paid once");
    feed.engine.audit().expect("the state is sound");
}
