//! Plays a scenario on a stage: an engine, or whatever leads to one.

use super::columns::{self, Names, integer, short_bytes};
use super::commands::{Desk, check_columns};
use super::state_rows::Sight;
use super::table::{Table, difference};
use super::{Action, Failure, Scenario, Step, specs};
use std::collections::BTreeMap;
use xos_engine::{Engine, FrameHeader};
use xos_protocol::{CommandKind, CommandRecord, EventKind, EventRecord, Int128};

/// Where a scenario is played.
pub trait Stage {
    /// Takes a frame of commands; their events are appended.
    fn submit(
        &mut self,
        time_ns: u64,
        commands: &[CommandRecord],
        events: &mut Vec<EventRecord>,
    ) -> Result<(), String>;

    /// Takes a deployment; its events are appended.
    fn deploy(&mut self, time_ns: u64, body: &[u8], events: &mut Vec<EventRecord>) -> Result<(), String>;

    /// Called before something is looked at.
    fn before_then(&mut self) -> Result<(), String> {
        Ok(())
    }

    /// The engine to look at.
    fn engine(&self) -> &Engine;
}

/// The engine itself, audited each time something is looked at.
#[derive(Default)]
pub struct Direct {
    engine: Engine,
}

impl Stage for Direct {
    fn submit(
        &mut self,
        time_ns: u64,
        commands: &[CommandRecord],
        events: &mut Vec<EventRecord>,
    ) -> Result<(), String> {
        let header = FrameHeader { first_sequence: self.engine.sequence() + 1, time_ns };
        self.engine.apply_records(header, commands, events).map_err(|error| error.to_string())
    }

    fn deploy(&mut self, time_ns: u64, body: &[u8], events: &mut Vec<EventRecord>) -> Result<(), String> {
        let header = FrameHeader { first_sequence: self.engine.sequence() + 1, time_ns };
        self.engine.apply_deploy(header, body, events).map_err(|error| error.to_string())
    }

    fn before_then(&mut self) -> Result<(), String> {
        self.engine.audit().map(|_| ()).map_err(|violation| format!("audit: {violation:?}"))
    }

    fn engine(&self) -> &Engine {
        &self.engine
    }
}

/// One frame as it was played, and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// Sequence of its first command.
    pub first_sequence: u64,
    /// Its time.
    pub time_ns: u64,
    /// The commands, or none if it is a deployment.
    pub commands: Vec<CommandRecord>,
    /// The deployment, if it is one.
    pub deployment: Option<Vec<u8>>,
    /// The events it gave.
    pub events: Vec<EventRecord>,
}

/// What playing a scenario left behind.
#[derive(Clone, Debug, Default)]
pub struct Played {
    /// Every frame.
    pub frames: Vec<Logged>,
    /// The events that a table of the scenario spoke of.
    pub checked: Vec<EventRecord>,
    /// Tables looked at.
    pub tables: usize,
}

struct Actor<'a, S> {
    scenario: &'a Scenario,
    stage: &'a mut S,
    names: Names,
    kinds: BTreeMap<u64, u16>,
    time_ns: u64,
    /// Events of the commands since the last `then`.
    events: Vec<EventRecord>,
    looking: bool,
    played: Played,
}

/// Plays a scenario from its first given to its last then; the first difference is the failure.
pub fn play<S: Stage>(scenario: &Scenario, stage: &mut S) -> Result<Played, Failure> {
    let mut actor = Actor {
        scenario,
        stage,
        names: Names::default(),
        kinds: BTreeMap::new(),
        time_ns: 0,
        events: Vec::new(),
        looking: false,
        played: Played::default(),
    };
    for step in &scenario.steps {
        actor.step(step)?;
    }
    Ok(actor.played)
}

impl<S: Stage> Actor<'_, S> {
    fn failure(&self, line: usize, what: String) -> Failure {
        let what = format!("{}\n  {what}", self.scenario.title);
        Failure { file: self.scenario.file.clone(), line, what }
    }

    fn step(&mut self, step: &Step) -> Result<(), Failure> {
        let line = step.line;
        if let Action::Then(what, table) = &step.action {
            return self.look(line, what, table);
        }
        if std::mem::take(&mut self.looking) {
            self.events.clear();
        }
        match &step.action {
            Action::Wait(wait_ns) => self.time_ns += wait_ns,
            Action::Deploy(label, words) => {
                let desk = Desk { engine: self.stage.engine(), names: &self.names, time_ns: self.time_ns };
                let body = specs::body(words, &desk).map_err(|what| self.failure(line, what))?;
                self.send(step, vec![(label.clone(), String::new())], Vec::new(), Some(body))?;
            }
            Action::Account(words) => self.open(step, words)?,
            Action::Price(words) => self.price(step, words)?,
            Action::Frame(table) => self.frame(step, table)?,
            Action::Then(..) => {}
        }
        Ok(())
    }

    /// One frame goes to the stage. `whose`: the label of each command, and the account that it opens.
    fn send(
        &mut self,
        step: &Step,
        whose: Vec<(String, String)>,
        commands: Vec<CommandRecord>,
        deployment: Option<Vec<u8>>,
    ) -> Result<(), Failure> {
        let first_sequence = self.stage.engine().sequence() + 1;
        let mut events = Vec::new();
        let sent = match &deployment {
            Some(body) => self.stage.deploy(self.time_ns, body, &mut events),
            None => self.stage.submit(self.time_ns, &commands, &mut events),
        };
        sent.map_err(|what| self.failure(step.line, what))?;
        for (at, (label, account)) in whose.into_iter().enumerate() {
            let sequence = first_sequence + at as u64;
            let kind = commands.get(at).map_or(CommandKind::Deploy.code(), |command| command.kind);
            self.kinds.insert(sequence, kind);
            self.label(step.line, &label, sequence)?;
            let opened = |event: &&EventRecord| {
                event.sequence == sequence && event.kind() == Some(EventKind::AccountOpened)
            };
            if let Some(opened) = events.iter().find(opened) {
                self.names.accounts.push((account, opened.account));
            }
        }
        if step.given {
            if let Some(refused) = events.iter().find(|event| event.kind() == Some(EventKind::Rejected)) {
                let reject = super::event_rows::reject_text(refused.reason);
                let numbers = (refused.amount.get(), refused.counter_amount.get());
                return Err(self.failure(step.line, format!("given was refused: {reject} {numbers:?}")));
            }
        } else {
            self.events.extend_from_slice(&events);
        }
        let time_ns = self.time_ns;
        self.played.frames.push(Logged { first_sequence, time_ns, commands, deployment, events });
        Ok(())
    }

    fn label(&mut self, line: usize, label: &str, sequence: u64) -> Result<(), Failure> {
        if label.is_empty() {
            return Ok(());
        }
        if self.names.labels.iter().any(|(found, at)| found == label && *at != sequence) {
            return Err(self.failure(line, format!("two commands are labelled {label:?}")));
        }
        self.names.labels.push((label.to_string(), sequence));
        Ok(())
    }

    fn frame(&mut self, step: &Step, table: &Table) -> Result<(), Failure> {
        check_columns(table).map_err(|what| self.failure(step.line, what))?;
        let first_sequence = self.stage.engine().sequence() + 1;
        let mut whose = Vec::new();
        for (at, row) in table.rows.iter().enumerate() {
            self.label(row.line, table.cell(row, "#"), first_sequence + at as u64)?;
            whose.push((String::new(), table.cell(row, "account").to_string()));
        }
        let mut commands = Vec::new();
        for row in &table.rows {
            let desk = Desk { engine: self.stage.engine(), names: &self.names, time_ns: self.time_ns };
            commands.push(desk.record(table, row).map_err(|what| self.failure(row.line, what))?);
        }
        self.send(step, whose, commands, None)
    }

    /// `alice USD=100 owner=smith`: opens and credits.
    fn open(&mut self, step: &Step, words: &[String]) -> Result<(), Failure> {
        let name = words[0].clone();
        let mut owner = name.clone();
        let (mut credits, mut side) = (Vec::new(), 0);
        for word in &words[1..] {
            match word.split_once('=') {
                Some(("owner", text)) => owner = text.to_string(),
                Some(credit) => credits.push(credit),
                None if word == "simulated" => side = 1,
                None => return Err(self.failure(step.line, format!("{word:?} is not asset=amount"))),
            }
        }
        let client_id = short_bytes(&owner).map_err(|what| self.failure(step.line, what))?;
        let kind = CommandKind::OpenAccount.code();
        let record = CommandRecord { kind, side, client_id, ..CommandRecord::default() };
        self.send(step, vec![(String::new(), name.clone())], vec![record], None)?;
        for (asset, amount) in credits {
            let deposit = || {
                Ok(CommandRecord {
                    kind: CommandKind::Deposit.code(),
                    account: self.names.account(&name)?,
                    instrument: columns::asset(self.stage.engine(), asset)?,
                    amount: Int128::new(integer(amount)?),
                    ..CommandRecord::default()
                })
            };
            let record = deposit().map_err(|what| self.failure(step.line, what))?;
            self.send(step, vec![(String::new(), String::new())], vec![record], None)?;
        }
        Ok(())
    }

    /// `mark BTC 100` or `index BTC 100`.
    fn price(&mut self, step: &Step, words: &[String]) -> Result<(), Failure> {
        let kind = if words[0] == "mark" { CommandKind::SetMark } else { CommandKind::SetIndex };
        let record = || {
            Ok(CommandRecord {
                kind: kind.code(),
                instrument: columns::instrument(self.stage.engine(), &words[1])?,
                price: integer(&words[2])?,
                ..CommandRecord::default()
            })
        };
        let record = record().map_err(|what| self.failure(step.line, what))?;
        self.send(step, vec![(String::new(), String::new())], vec![record], None)
    }

    fn look(&mut self, line: usize, what: &[String], table: &Table) -> Result<(), Failure> {
        if !std::mem::replace(&mut self.looking, true) {
            self.stage.before_then().map_err(|what| self.failure(line, what))?;
        }
        let sight = Sight {
            engine: self.stage.engine(),
            names: &self.names,
            kinds: &self.kinds,
            events: &self.events,
        };
        let judged = sight.judge(what, table).map_err(|what| self.failure(line, what))?;
        if let Some(tables) = difference(&judged.expected, &judged.found) {
            return Err(self.failure(line, format!("then {} differs\n{tables}", what.join(" "))));
        }
        self.played.checked.extend(judged.events);
        self.played.tables += 1;
        Ok(())
    }
}
