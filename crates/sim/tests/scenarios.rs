//! Every scenario of `spec/`, against the engine, against the naive engine, and against a log that is opened
//! again before every look, from its first command and from snapshots. What all of them together must reach.

use std::path::{Path, PathBuf};
use tempfile::TempDir;
use xos_engine::Engine;
use xos_node::{Clock, Exchange, Options, ReplayOptions, replay};
use xos_protocol::{CommandRecord, DeployCommand, EventRecord};
use xos_sim::coverage::Coverage;
use xos_sim::naive::NaiveEngine;
use xos_sim::scenario::{Action, Direct, Failure, Logged, Played, Scenario, Stage, load, parse, play};

fn spec() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec")
}

fn scenarios() -> Vec<Scenario> {
    load(&spec()).unwrap_or_else(|failure| panic!("{failure}"))
}

/// Plays every scenario and reports every failure, not the first.
fn all_pass(mut act: impl FnMut(&Scenario) -> Result<(), Failure>) -> usize {
    let scenarios = scenarios();
    let failures: Vec<String> = scenarios
        .iter()
        .filter_map(|scenario| act(scenario).err())
        .map(|failure| failure.to_string())
        .collect();
    assert!(failures.is_empty(), "{} scenarios failed\n\n{}", failures.len(), failures.join("\n"));
    scenarios.len()
}

#[test]
fn every_scenario_holds_on_the_engine_and_together_they_reach_everything() {
    let mut coverage = Coverage::default();
    let mut tables = 0;
    let count = all_pass(|scenario| {
        let played = play(scenario, &mut Direct::default())?;
        tables += played.tables;
        let mut own = Coverage::default();
        for frame in &played.frames {
            if let Some(Ok(body)) = frame.deployment.as_deref().map(DeployCommand::from_bytes) {
                own.observe_deployed(&body, &frame.events);
            }
        }
        // Only what a table spoke of counts as reached.
        played.checked.iter().for_each(|event| own.observe(event));
        coverage.add(&own);
        Ok(())
    });
    println!("{count} scenarios, {tables} tables");
    assert!(count >= 90, "{count} scenarios");
    assert!(coverage.missing().is_empty(), "no table speaks of: {:#?}", coverage.missing());
}

#[test]
fn every_scenario_gives_the_same_events_and_state_on_the_naive_engine() {
    all_pass(|scenario| {
        let mut direct = Direct::default();
        let played = play(scenario, &mut direct)?;
        let mut naive = NaiveEngine::new();
        for frame in &played.frames {
            let mut events = Vec::new();
            let (first, time_ns) = (frame.first_sequence, frame.time_ns);
            match &frame.deployment {
                Some(body) => naive.apply_deploy(first, time_ns, body, &mut events),
                None => naive.apply_records(first, time_ns, &frame.commands, &mut events),
            }
            .unwrap_or_else(|error| panic!("{}: {error:?}", scenario.title));
            assert_eq!(events, frame.events, "{}: frame at {first}", scenario.title);
        }
        assert_eq!(naive.state_hash(), direct.engine().state_hash(), "{}", scenario.title);
        Ok(())
    });
}

/// A log on a disk that is closed and opened again before every look.
struct Reopened {
    folder: TempDir,
    exchange: Option<Exchange>,
    frames: u64,
    /// A snapshot is taken after each so many frames.
    snapshot_every: Option<u64>,
    snapshots: u64,
}

fn options() -> Options {
    Options {
        segment_bytes: 8 << 20,
        durable: false,
        clock: Clock::new(|| 0),
        says_restart: false,
        ..Options::default()
    }
}

impl Reopened {
    fn new(snapshot_every: Option<u64>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let exchange = Exchange::open(folder.path(), options()).expect("a new log");
        Self { folder, exchange: Some(exchange), frames: 0, snapshot_every, snapshots: 0 }
    }

    fn exchange(&mut self) -> &mut Exchange {
        self.exchange.as_mut().expect("open between calls")
    }

    fn count_frame(&mut self) -> Result<(), String> {
        self.frames += 1;
        if self.snapshot_every.is_some_and(|every| self.frames.is_multiple_of(every)) {
            self.snapshots += 1;
            self.exchange().snapshot().map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}

impl Stage for Reopened {
    fn submit(
        &mut self,
        time_ns: u64,
        commands: &[CommandRecord],
        events: &mut Vec<EventRecord>,
    ) -> Result<(), String> {
        let submitted = self.exchange().submit(commands, Some(time_ns), events);
        submitted.map_err(|error| error.to_string())?;
        self.count_frame()
    }

    fn deploy(&mut self, time_ns: u64, body: &[u8], events: &mut Vec<EventRecord>) -> Result<(), String> {
        self.exchange().deploy(body, Some(time_ns), events).map_err(|error| error.to_string())?;
        self.count_frame()
    }

    fn before_then(&mut self) -> Result<(), String> {
        let before = self.engine().state_hash();
        let closed = self.exchange.take().expect("open between calls").close();
        closed.map_err(|error| error.to_string())?;
        let exchange = Exchange::open(self.folder.path(), options()).map_err(|error| error.to_string())?;
        let recovery = exchange.recovery().expect("it is on a disk");
        assert_eq!(recovery.snapshot_sequence.is_some(), self.snapshots > 0, "{recovery}");
        if self.snapshots == 0 {
            assert_eq!(recovery.frames_replayed, self.frames, "{recovery}");
        }
        assert_eq!(exchange.engine().state_hash(), before, "{recovery}");
        self.exchange = Some(exchange);
        Ok(())
    }

    fn engine(&self) -> &Engine {
        self.exchange.as_ref().expect("open between calls").engine()
    }
}

/// The log executed once more gives the same events, frame by frame, and ends in the same state.
fn replays_the_same(stage: Reopened, played: &Played, title: &str) {
    let Reopened { folder, exchange, .. } = stage;
    let exchange = exchange.expect("open between calls");
    let hash = exchange.engine().state_hash();
    exchange.close().expect("it closes");
    let mut frames = played.frames.iter();
    let report = replay(folder.path(), &ReplayOptions::default(), &mut |frame| {
        let Some(Logged { first_sequence, time_ns, events, .. }) = frames.next() else {
            panic!("{title}: the log has more frames than were sent")
        };
        assert_eq!((frame.first_sequence, frame.time_ns), (*first_sequence, *time_ns), "{title}");
        assert_eq!(frame.events, events.as_slice(), "{title}");
    });
    assert_eq!(report.expect("it replays").state_hash, hash, "{title}");
    assert!(frames.next().is_none(), "{title}: the log has fewer frames than were sent");
}

#[test]
fn every_scenario_holds_on_a_log_replayed_from_its_first_command() {
    all_pass(|scenario| {
        let mut stage = Reopened::new(None);
        let played = play(scenario, &mut stage)?;
        replays_the_same(stage, &played, &scenario.title);
        Ok(())
    });
}

#[test]
fn every_scenario_holds_on_a_log_with_snapshots_in_the_middle() {
    all_pass(|scenario| {
        let frames = play(scenario, &mut Direct::default())?.frames.len() as u64;
        let mut stage = Reopened::new(Some((frames / 2).max(1)));
        let played = play(scenario, &mut stage)?;
        assert!(stage.snapshots > 0, "{}", scenario.title);
        replays_the_same(stage, &played, &scenario.title);
        Ok(())
    });
}

const CONTROL: &str = "
given
  asset     USD
  perpetual BTC taker=1%
  account   alice USD=1000
  account   bob   USD=1000
  mark      BTC 100

scenario a trade
when
  | # | account | do    | side | qty | price |
  | a | alice   | place | sell | 2   | 100   |
  | b | bob     | place | buy  | 3   | 100   |
  | c | bob     | place | buy  | 0   | 100   |
then events
  | by | event                       | order | qty | left | taker fee |
  | a  | order_accepted              | a     | 2   | 2    |           |
  | b  | order_accepted              | b     | 3   | 3    |           |
  | b  | trade                       | b     | 2   | 1    | 2         |
  | c  | rejected 309 QtyNotPositive |       |     |      |           |
then rejected
  | by | reject             | value | limit |
  | c  | 309 QtyNotPositive | 0     | 1     |
then book BTC
  | bids | price | asks |
  | 1    | 100   |      |
then balances
  | account | asset | total |
  | alice   | USD   | 1_000 |
  | bob     | USD   | 998   |
then positions
  | account | on  | position | cost | buys |
  | alice   | BTC | -2       | -200 |      |
  | bob     | BTC | 2        | 200  | 1    |
";

fn verdict(text: &str) -> Result<Played, Failure> {
    play(&parse("control", text)?[0], &mut Direct::default())
}

/// Each wrong expectation, and a mistake of grammar, is found: line and words of the failure.
#[test]
fn a_wrong_scenario_fails() {
    verdict(CONTROL).unwrap_or_else(|failure| panic!("the control itself: {failure}"));
    let wrong: &[(&str, &str, usize, &str)] = &[
        ("| b     | 2   | 1    | 2 ", "| b     | 2   | 1    | 3 ", 15, "-> | b  | trade"),
        ("  | a  | order_accepted              | a     | 2   | 2    |           |\n", "", 15, "expected"),
        ("then rejected\n", "then trades\n", 21, "no column \"reject\""),
        ("309 QtyNotPositive | 0     | 1", "310 QtyBelowMin    | 0     | 1", 21, "310 QtyBelowMin"),
        ("  | c  | 309 QtyNotPositive | 0     | 1     |\n", "", 21, "| c  | 309"),
        ("| 1    | 100   |      |", "| 2    | 100   |      |", 24, "then book BTC differs"),
        ("| 1    | 100   |      |", "|      | 100   | 1    |", 24, "then book BTC differs"),
        ("| bob     | USD   | 998   |", "| bob     | USD   | 999   |", 27, "-> | bob"),
        ("  | alice   | USD   | 1_000 |\n", "", 27, "alice"),
        ("| alice   | BTC | -2  ", "| alice   | BTC | 2   ", 31, "-> | alice"),
        ("| a | alice   | place | sell | 2", "| a | carol   | place | sell | 2", 12, "no account \"carol\""),
        (
            "| a | alice   | place | sell | 2",
            "| b | alice   | place | sell | 2",
            13,
            "two commands are labelled",
        ),
        ("mark      BTC 100", "mark      BTC 0", 7, "given was refused: 307 PriceNotPositive"),
        ("taker=1%", "taken=1%", 4, "\"taken\" is not known here"),
        ("| # | account | do    |", "| # | account | does  |", 12, "no column \"does\""),
        ("then balances", "then balance", 27, "nothing is called \"balance\""),
        ("| 1    | 100   |      |", "| 1    | 100   |", 26, "3 columns"),
    ];
    for (right, mistaken, line, words) in wrong {
        let text = CONTROL.replacen(right, mistaken, 1);
        assert_ne!(text, CONTROL, "{right:?} is not there");
        let failure = verdict(&text).expect_err(mistaken);
        assert_eq!(failure.line, *line, "{mistaken:?}: {failure}");
        assert!(failure.to_string().contains(words), "{mistaken:?}: {failure}");
    }
}

/// The scenarios with one cell of one expectation changed, one after the other.
fn with_each_cell_changed(scenario: &Scenario, mut act: impl FnMut(&Scenario, &str)) {
    let mut changed = scenario.clone();
    for at in 0..changed.steps.len() {
        let Action::Then(_, table) = &scenario.steps[at].action else { continue };
        for (row, cells) in table.rows.iter().enumerate() {
            for (cell, text) in cells.cells.iter().enumerate() {
                let other = if text.is_empty() { "7".to_string() } else { format!("{text}1") };
                let write = |scenario: &mut Scenario, text: &str| {
                    let Action::Then(_, table) = &mut scenario.steps[at].action else { unreachable!() };
                    table.rows[row].cells[cell] = text.to_string();
                };
                write(&mut changed, &other);
                let name =
                    format!("{}:{} {}: {text} -> {other}", scenario.file, cells.line, table.columns[cell]);
                act(&changed, &name);
                write(&mut changed, text);
            }
        }
    }
}

/// Every cell of every expectation counts: none can be changed without a failure in its table.
#[test]
fn a_change_of_any_expected_cell_fails() {
    let mut cells = 0;
    let mut unnoticed = Vec::new();
    for scenario in scenarios() {
        with_each_cell_changed(&scenario, |changed, name| {
            cells += 1;
            if play(changed, &mut Direct::default()).is_ok() {
                unnoticed.push(name.to_string());
            }
        });
    }
    println!("{cells} cells");
    assert!(cells > 2_000 && unnoticed.is_empty(), "of {cells} unnoticed: {unnoticed:#?}");
}

/// A column that a table leaves out has to be zero: a fee, a hold, resting lots.
#[test]
fn what_a_table_leaves_out_has_to_be_zero() {
    let fees = CONTROL.replace(" taker fee |", " total     |");
    let failure = verdict(&fees).expect_err("the fee of 2 is left out");
    assert!(failure.what.contains("taker fee"), "{failure}");
    let buys = CONTROL
        .replace(" buys |\n", "\n")
        .replace("| -200 |      |", "| -200 |")
        .replace("| 200  | 1    |", "| 200  |");
    let failure = verdict(&buys.replace("| cost\n", "| cost |\n")).expect_err("the resting buy is left out");
    assert!(failure.what.contains("buys"), "{failure}");
}

#[test]
fn a_failure_shows_both_tables_side_by_side() {
    let text = CONTROL.replace("| bob     | USD   | 998   |", "| bob     | USD   | 999   |");
    let failure = verdict(&text).expect_err("998 and not 999").to_string();
    let shown = "control:27: a trade
  then balances differs
    expected                      found
    | account | asset | total |   | account | asset | total |
    | alice   | USD   | 1000  |   | alice   | USD   | 1000  |
 -> | bob     | USD   | 999   |   | bob     | USD   | 998   |
";
    assert_eq!(failure, shown);
}
