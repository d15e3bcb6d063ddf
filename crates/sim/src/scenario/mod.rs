//! Scenarios: readable tables in `spec/*.scenario` that say what the exchange does. The same files run against the
//! engine, against a log that is opened again, and, from Python, against the public interface. The grammar stands
//! in `docs/reference/scenarios.md`.
//!
//! ```
//! use xos_sim::scenario::{Direct, parse, play};
//!
//! let text = "
//! given
//!   asset   USD
//!   account alice USD=100
//! scenario what is free can be withdrawn
//! when
//!   | # | account | do       | amount |
//!   | a | alice   | withdraw | 40     |
//! then balances
//!   | account | asset | total |
//!   | alice   | USD   | 60    |
//! ";
//! let scenarios = parse("example", text)?;
//! play(&scenarios[0], &mut Direct::default())?;
//! # Ok::<(), xos_sim::scenario::Failure>(())
//! ```

mod columns;
mod commands;
mod event_rows;
mod governance_rows;
mod parse;
mod play;
mod question_specs;
mod specs;
mod state_rows;
mod table;
mod underlying_specs;
mod vote_rows;

pub use parse::parse;
pub use play::{Direct, Logged, Played, Stage, play};
pub use table::{Row, Table};

use std::fmt;
use std::path::Path;

/// Where something stands and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The file.
    pub file: String,
    /// The line.
    pub line: usize,
    /// What is wrong; a difference brings both tables.
    pub what: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.what)
    }
}

impl std::error::Error for Failure {}

/// One scenario: its steps in order, those that the file gives to all of its scenarios included.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The file.
    pub file: String,
    /// The line of its title.
    pub line: usize,
    /// What it shows.
    pub title: String,
    /// What happens and what is then to be seen.
    pub steps: Vec<Step>,
}

/// One step.
#[derive(Clone, Debug)]
pub struct Step {
    /// Where it stands.
    pub line: usize,
    /// Whether it is given: it must succeed, and its events are not looked at.
    pub given: bool,
    /// What it does.
    pub action: Action,
}

/// What a step does.
#[derive(Clone, Debug)]
pub enum Action {
    /// Later commands carry a later time.
    Wait(u64),
    /// A deployment: its label, and the words that describe it.
    Deploy(String, Vec<String>),
    /// Opens an account and credits it: name, then `asset=amount` and `owner=name`.
    Account(Vec<String>),
    /// Sets a price: `mark` or `index`, instrument, ticks.
    Price(Vec<String>),
    /// Commands that form one frame.
    Frame(Table),
    /// What is to be seen: the words after `then`, and the table.
    Then(Vec<String>, Table),
}

/// Reads every `*.scenario` file of a folder, in order of name.
pub fn load(folder: &Path) -> Result<Vec<Scenario>, Failure> {
    let fault = |what: std::io::Error| Failure {
        file: folder.display().to_string(),
        line: 0,
        what: what.to_string(),
    };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(fault)? {
        let path = entry.map_err(fault)?.path();
        if path.extension().is_some_and(|extension| extension == "scenario") {
            paths.push(path);
        }
    }
    paths.sort();
    let mut scenarios = Vec::new();
    for path in paths {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        scenarios.extend(parse(&format!("spec/{name}"), &std::fs::read_to_string(&path).map_err(fault)?)?);
    }
    Ok(scenarios)
}
