//! From the text of a file to its scenarios.

use super::table::{Row, Table, cells};
use super::{Action, Failure, Scenario, Step};

/// What the lines being read belong to.
#[derive(Clone, PartialEq)]
enum Block {
    Nothing,
    Given,
    When { one_frame: bool },
    Then(Vec<String>),
}

struct Reader<'a> {
    file: &'a str,
    line: usize,
    block: Block,
    /// Line of the block's heading.
    opened: usize,
    /// The block's table: of a `then`, and of commands that form one frame.
    table: Table,
    background: Vec<Step>,
    scenarios: Vec<Scenario>,
}

/// Reads a file; the first mistake is reported with its line.
pub fn parse(file: &str, text: &str) -> Result<Vec<Scenario>, Failure> {
    let mut reader = Reader {
        file,
        line: 0,
        block: Block::Nothing,
        opened: 0,
        table: Table::default(),
        background: Vec::new(),
        scenarios: Vec::new(),
    };
    for (at, line) in text.lines().enumerate() {
        reader.line = at + 1;
        let line = line.trim();
        if !line.is_empty() && !line.starts_with('#') {
            reader.read(line)?;
        }
    }
    reader.line += 1;
    reader.close()?;
    match reader.scenarios.iter().find(|scenario| !scenario.steps.iter().any(is_then)) {
        Some(empty) => {
            let what = format!("the scenario {:?} expects nothing", empty.title);
            Err(Failure { file: file.to_string(), line: empty.line, what })
        }
        None => Ok(reader.scenarios),
    }
}

fn is_then(step: &Step) -> bool {
    matches!(step.action, Action::Then(..))
}

impl Reader<'_> {
    fn fail<T>(&self, what: impl Into<String>) -> Result<T, Failure> {
        Err(Failure { file: self.file.to_string(), line: self.line, what: what.into() })
    }

    fn read(&mut self, line: &str) -> Result<(), Failure> {
        let (first, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim();
        match first {
            "scenario" => self.begin_scenario(rest),
            "given" if rest.is_empty() => self.begin(Block::Given),
            "when" if rest.is_empty() => self.begin(Block::When { one_frame: false }),
            "when" if rest == "in one frame" => self.begin(Block::When { one_frame: true }),
            "then" if !rest.is_empty() => self.begin(Block::Then(words(rest))),
            "given" | "when" | "then" => self.fail(format!(
                "{line:?}: expected \"given\", \"when\", \"when in one frame\" or \"then <what>\""
            )),
            _ if line.starts_with('|') => self.row(line),
            _ => self.sentence(line),
        }
    }

    fn begin_scenario(&mut self, title: &str) -> Result<(), Failure> {
        self.close()?;
        self.block = Block::Nothing;
        if title.is_empty() {
            return self.fail("a scenario has a title");
        }
        if let Some(first) = self.scenarios.iter().find(|scenario| scenario.title == title) {
            return self.fail(format!("line {} has a scenario of this title", first.line));
        }
        self.scenarios.push(Scenario {
            file: self.file.to_string(),
            line: self.line,
            title: title.to_string(),
            steps: self.background.clone(),
        });
        Ok(())
    }

    fn begin(&mut self, block: Block) -> Result<(), Failure> {
        self.close()?;
        match (&block, self.scenarios.last()) {
            (Block::Given, Some(scenario)) if scenario.steps.iter().any(|step| !step.given) => {
                return self.fail("what is given stands before the first \"when\"");
            }
            (Block::When { .. } | Block::Then(_), None) => {
                return self.fail("a \"scenario\" line comes before \"when\" and \"then\"");
            }
            _ => {}
        }
        self.block = block;
        self.opened = self.line;
        Ok(())
    }

    /// Ends a block: what was collected becomes a step.
    fn close(&mut self) -> Result<(), Failure> {
        let table = std::mem::take(&mut self.table);
        match self.block.clone() {
            Block::Then(what) if table.columns.is_empty() => {
                self.line = self.opened;
                self.fail(format!(
                    "\"then {}\" has no table; nothing is a table without rows",
                    what.join(" ")
                ))
            }
            Block::Then(what) => {
                self.push(self.opened, Action::Then(what, table));
                Ok(())
            }
            Block::When { one_frame: true } if table.rows.is_empty() => {
                self.line = self.opened;
                self.fail("a frame has at least one command")
            }
            Block::When { one_frame: true } => {
                self.push(self.opened, Action::Frame(table));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn push(&mut self, line: usize, action: Action) {
        let step = Step { line, given: self.block == Block::Given, action };
        match self.scenarios.last_mut() {
            Some(scenario) => scenario.steps.push(step),
            None => self.background.push(step),
        }
    }

    fn row(&mut self, line: &str) -> Result<(), Failure> {
        let Some(cells) = cells(line) else { return self.fail("a row of a table ends with |") };
        if self.block == Block::Nothing {
            return self.fail("a table stands under \"given\", \"when\" or \"then\"");
        }
        if self.table.columns.is_empty() {
            self.table.columns = cells;
            return Ok(());
        }
        let (columns, found) = (self.table.columns.len(), cells.len());
        if columns != found {
            return self.fail(format!("the row has {found} cells, the table has {columns} columns"));
        }
        let row = Row { line: self.line, cells };
        match self.block {
            Block::Given | Block::When { one_frame: false } => {
                let frame = Table { columns: self.table.columns.clone(), rows: vec![row] };
                self.push(self.line, Action::Frame(frame));
            }
            _ => self.table.rows.push(row),
        }
        Ok(())
    }

    /// A line that is neither heading nor row.
    fn sentence(&mut self, line: &str) -> Result<(), Failure> {
        match self.block {
            Block::Nothing | Block::Then(_) => {
                return self.fail(format!("{line:?} is neither a heading nor a row of a table"));
            }
            Block::When { one_frame: true } => {
                return self.fail("a frame of commands holds only commands");
            }
            _ => {}
        }
        let mut words = words(line);
        let label = match words[0].strip_suffix(':') {
            Some(label) => {
                let label = label.to_string();
                words.remove(0);
                label
            }
            None => String::new(),
        };
        let Some(first) = words.first() else { return self.fail("after a label comes a deployment") };
        let action = match first.as_str() {
            "time" => Action::Wait(self.wait(&words)?),
            "account" if words.len() > 1 => Action::Account(words[1..].to_vec()),
            "mark" | "index" if words.len() == 3 => Action::Price(words),
            "limits" | "asset" | "class" | "venue" | "publisher" | "spot" | "perpetual" | "underlying"
            | "question" | "outcome" | "update" | "act" | "governance" | "settle" | "propose" | "decide"
            | "bytes" => Action::Deploy(label, words),
            _ => return self.fail(format!("{line:?} is not understood")),
        };
        self.push(self.line, action);
        Ok(())
    }

    fn wait(&self, words: &[String]) -> Result<u64, Failure> {
        let given = words.get(1).and_then(|word| word.strip_prefix('+'));
        match given.and_then(nanoseconds) {
            Some(wait_ns) if words.len() == 2 => Ok(wait_ns),
            _ => self.fail("time passes as in \"time +5s\"; units are ns, ms, s, m, h"),
        }
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_string).collect()
}

/// `5s`, `20ms`, `24h` in nanoseconds.
pub(super) fn nanoseconds(text: &str) -> Option<u64> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit())?;
    let (count, unit) = text.split_at(unit_at);
    let unit_ns = match unit {
        "ns" => 1,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    };
    count.parse::<u64>().ok()?.checked_mul(unit_ns)
}
