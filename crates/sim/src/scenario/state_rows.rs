//! What stands after the commands, as rows: books, balances, positions, orders, margin, the house.

use super::columns::{self, Names, flags_text, short_text};
use super::event_rows::{COLUMNS, Witness, ZERO_IF_ABSENT, reject_text};
use super::table::{Row, Table};
use std::collections::BTreeMap;
use xos_engine::{BookView, Engine};
use xos_ledger::Party;
use xos_protocol::{EventKind, EventRecord, SelfTrade};
use xos_units::{AccountId, AssetId, InstrumentId, QuestionId, VenueId};

/// A subject of `then`: its columns, those that may be left out without being zero, how its rows are found.
struct Subject {
    columns: &'static [&'static str],
    /// May be left out; every other column that is left out must be zero or empty in all rows.
    free: &'static [&'static str],
    ordered: bool,
}

const BOOK: Subject =
    Subject { columns: &["bids", "price", "asks", "orders"], free: &["orders"], ordered: true };
const BALANCES: Subject =
    Subject { columns: &["account", "asset", "total", "held", "free"], free: &["free"], ordered: false };
const POSITIONS: Subject = Subject {
    columns: &["account", "on", "position", "cost", "realised", "unrealised", "buys", "sells"],
    free: &["unrealised"],
    ordered: false,
};
const ORDERS: Subject = Subject {
    columns: &[
        "order",
        "account",
        "on",
        "side",
        "price",
        "qty",
        "left",
        "display",
        "shown",
        "tif",
        "flags",
        "self_trade",
        "venue",
        "id",
    ],
    free: &["qty", "on", "account", "self_trade", "flags", "tif", "venue", "id"],
    ordered: false,
};
const RISK: Subject = Subject {
    columns: &[
        "account",
        "equity",
        "initial",
        "maintenance",
        "reserves",
        "headroom",
        "withdrawable",
        "worst cases",
    ],
    free: &["equity", "initial", "maintenance", "reserves", "headroom", "withdrawable", "worst cases"],
    ordered: false,
};
const HOUSE: Subject = Subject { columns: &["account", "asset", "amount"], free: &[], ordered: false };
const INSTRUMENTS: Subject = Subject {
    columns: &["instrument", "state", "mark", "index", "last", "accepts", "prices"],
    free: &["mark", "index", "state", "last", "accepts", "prices"],
    ordered: false,
};
const QUESTIONS: Subject = Subject {
    columns: &["question", "sets", "paying", "payouts", "settled", "stage", "end"],
    free: &["payouts", "settled", "stage", "end"],
    ordered: false,
};

const CHANGES: Subject = Subject {
    columns: &["change", "what", "on", "account", "effective"],
    free: &["account", "effective"],
    ordered: true,
};

const DEPLOYERS: Subject =
    Subject { columns: &["account", "stake", "locked", "bought"], free: &["bought"], ordered: false };

const PROPOSALS: Subject = Subject {
    columns: &["proposal", "act", "account", "for", "against", "ends", "effective"],
    free: &["act", "account", "ends", "effective"],
    ordered: true,
};

const EMERGENCIES: Subject = Subject {
    columns: &["instrument", "state", "account", "until"],
    free: &["account", "until"],
    ordered: true,
};

const CREDENTIALS: Subject = Subject {
    columns: &["account", "classes", "ends", "issued", "hash"],
    free: &["ends", "issued", "hash"],
    ordered: false,
};

/// What a `then` is checked against.
pub(super) struct Sight<'a> {
    pub(super) engine: &'a Engine,
    pub(super) names: &'a Names,
    pub(super) kinds: &'a BTreeMap<u64, u16>,
    /// Events of the commands since the last `then`.
    pub(super) events: &'a [EventRecord],
}

/// The table as it should be and as it is, with the same columns; and which events it spoke of.
pub(super) struct Judged {
    pub(super) expected: Table,
    pub(super) found: Table,
    pub(super) events: Vec<EventRecord>,
}

type Found = Vec<Vec<String>>;

impl Sight<'_> {
    /// Looks at what a `then` names.
    pub(super) fn judge(&self, what: &[String], expected: &Table) -> Result<Judged, String> {
        let words: Vec<&str> = what.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["events" | "trades" | "rejected"] => self.judge_events(words[0], expected),
            ["book", name] => {
                let id = columns::instrument(self.engine, name)?;
                compared(&BOOK, expected, rows_of(&self.engine.book(InstrumentId(id), usize::MAX)))
            }
            // What an account with these classes (`-`: none) reaches through a venue (`-`: none).
            ["book", name, "for", classes, "through", venue] => {
                let id = columns::instrument(self.engine, name)?;
                let classes = columns::classes(self.engine, classes.trim_matches('-'))?;
                let venue = if *venue == "-" { 0 } else { columns::venue(self.engine, venue)? };
                let book = self.engine.depth(InstrumentId(id), usize::MAX, classes, VenueId(venue));
                compared(&BOOK, expected, rows_of(&book))
            }
            ["house"] => compared(&HOUSE, expected, self.house()),
            ["instruments"] => compared(&INSTRUMENTS, expected, self.instruments()),
            ["changes"] => {
                compared(&CHANGES, expected, super::governance_rows::changes(self.engine, self.names))
            }
            ["deployers"] => {
                compared(&DEPLOYERS, expected, super::governance_rows::deployers(self.engine, self.names))
            }
            ["proposals"] => {
                compared(&PROPOSALS, expected, super::vote_rows::proposals(self.engine, self.names))
            }
            ["emergencies"] => {
                compared(&EMERGENCIES, expected, super::vote_rows::emergencies(self.engine, self.names))
            }
            ["questions"] => compared(&QUESTIONS, expected, self.questions()),
            [subject @ ("balances" | "positions" | "orders" | "risk" | "credentials"), whose @ ..] => {
                let accounts = self.accounts(whose)?;
                match *subject {
                    "balances" => compared(&BALANCES, expected, self.balances(&accounts)),
                    "positions" => compared(&POSITIONS, expected, self.positions(&accounts)),
                    "credentials" => compared(&CREDENTIALS, expected, self.credentials(&accounts)),
                    "orders" => compared(&ORDERS, expected, self.orders(&accounts)),
                    _ => compared(&RISK, expected, self.risk(&accounts)),
                }
            }
            _ => Err(format!("nothing is called {:?}", what.join(" "))),
        }
    }

    /// All accounts, or those after `of`.
    fn accounts(&self, whose: &[&str]) -> Result<Vec<AccountId>, String> {
        match whose {
            [] => Ok((0..self.engine.account_count()).map(AccountId::from_index).collect()),
            ["of", names @ ..] if !names.is_empty() => names
                .iter()
                .map(|name| self.names.account(name.trim_end_matches(',')).map(AccountId))
                .collect(),
            _ => Err("after the subject comes \"of\" and names of accounts, or nothing".into()),
        }
    }

    fn judge_events(&self, which: &str, expected: &Table) -> Result<Judged, String> {
        let wanted = |event: &&EventRecord| match which {
            "trades" => event.kind() == Some(EventKind::Trade),
            "rejected" => event.kind() == Some(EventKind::Rejected),
            _ => true,
        };
        let events: Vec<EventRecord> = self.events.iter().filter(wanted).copied().collect();
        let is_rejected = which == "rejected";
        let mut columns = expected.columns.clone();
        let known = |name: &str| COLUMNS.contains(&name) || is_rejected && name == "reject";
        if let Some(unknown) = columns.iter().find(|name| !known(name)) {
            return Err(format!("no column {unknown:?} in events; there are {}", COLUMNS.join(", ")));
        }
        match which {
            "events" if !columns.iter().any(|name| name == "event") => {
                return Err("a table of events has a column \"event\"".into());
            }
            "rejected" if !columns.iter().any(|name| name == "reject") => {
                return Err("a table of rejects has a column \"reject\"".into());
            }
            _ => {}
        }
        let mut expected = expected.clone();
        let witness = Witness { engine: self.engine, names: self.names, kinds: self.kinds };
        for absent in ZERO_IF_ABSENT {
            let stands = columns.iter().any(|column| column == absent);
            let zero = |event: &EventRecord| matches!(witness.cell(event, absent).as_str(), "" | "0");
            if !stands && !events.iter().all(zero) {
                columns.push((*absent).to_string());
                expected.columns.push((*absent).to_string());
                expected.rows.iter_mut().for_each(|row| row.cells.push("0".into()));
            }
        }
        let cell = |event: &EventRecord, column: &String| match column.as_str() {
            "reject" => reject_text(event.reason),
            column => witness.cell(event, column),
        };
        let row = |event: &EventRecord| columns.iter().map(|column| cell(event, column)).collect();
        let found = table_of(columns.clone(), events.iter().map(row).collect());
        Ok(Judged { expected, found, events })
    }

    fn balances(&self, accounts: &[AccountId]) -> Found {
        let mut rows = Vec::new();
        for account in accounts {
            for balance in self.engine.balances(*account) {
                let (total, held) = (balance.total.0, balance.held.0);
                rows.push(vec![
                    self.names.account_name(account.0),
                    columns::asset_name(self.engine, balance.asset.0),
                    text(total),
                    text(held),
                    text(total - held),
                ]);
            }
        }
        rows
    }

    fn positions(&self, accounts: &[AccountId]) -> Found {
        let mut rows = Vec::new();
        for account in accounts {
            for view in self.engine.positions(*account) {
                rows.push(vec![
                    self.names.account_name(account.0),
                    columns::instrument_name(self.engine, view.instrument.0),
                    text(view.lots),
                    text(view.cost.0),
                    text(view.realised.0),
                    text(view.unrealised.0),
                    text(view.buys.0),
                    text(view.sells.0),
                ]);
            }
        }
        rows
    }

    fn orders(&self, accounts: &[AccountId]) -> Found {
        let views = accounts.iter().flat_map(|account| self.engine.orders(*account));
        let row = |view: xos_engine::OrderView| {
            let order = view.order;
            vec![
                self.names.order_name(order.id.0),
                self.names.account_name(order.account.0),
                columns::instrument_name(self.engine, order.instrument.0),
                order.side.name().into(),
                text(order.price.0),
                text(order.total.0),
                text(order.remaining.0),
                text(view.display.0),
                if view.display.0 == 0 { String::new() } else { text(view.shown.0) },
                order.tif.name().into(),
                flags_text(order.flags),
                if order.self_trade == SelfTrade::None {
                    String::new()
                } else {
                    order.self_trade.name().into()
                },
                columns::venue_name(self.engine, order.venue),
                short_text(&view.client_id),
            ]
        };
        views.map(row).collect()
    }

    /// Of the accounts whose classes were ever set.
    fn credentials(&self, accounts: &[AccountId]) -> Found {
        let views = accounts.iter().filter_map(|account| Some((account, self.engine.credential(*account)?)));
        let row = |(account, view): (&AccountId, xos_engine::CredentialView)| {
            vec![
                self.names.account_name(account.0),
                columns::classes_text(self.engine, view.classes.into()),
                text(view.ends_ns),
                text(view.issued_ns),
                short_text(&view.hash),
            ]
        };
        views.map(row).collect()
    }

    fn risk(&self, accounts: &[AccountId]) -> Found {
        let mut rows = Vec::new();
        for account in accounts {
            let Some(risk) = self.engine.risk(*account) else { continue };
            let worst = risk.worst_cases.iter();
            let worst = worst
                .map(|(id, amount)| format!("{}={}", columns::question_name(self.engine, id.0), amount.0));
            rows.push(vec![
                self.names.account_name(account.0),
                text(risk.equity.0),
                text(risk.initial.0),
                text(risk.maintenance.0),
                text(risk.order_reserves.0),
                text(risk.headroom.0),
                text(risk.withdrawable.0),
                worst.collect::<Vec<_>>().join(" "),
            ]);
        }
        rows
    }

    fn house(&self) -> Found {
        let mut rows = Vec::new();
        for at in 0..self.engine.assets().len() {
            let asset = AssetId::from_index(at);
            for (party, amount) in self.engine.house(asset).into_iter().filter(|(_, amount)| amount.0 != 0) {
                let name = match party {
                    Party::User(id) => self.names.account_name(id.0),
                    Party::External => "external".into(),
                    Party::Protocol => "protocol".into(),
                    Party::Insurance => "insurance".into(),
                    Party::Rounding => "rounding".into(),
                    Party::Venue(id) if id.0 == 0 => "venue 0".into(),
                    Party::Venue(id) => format!("venue {}", columns::venue_name(self.engine, id)),
                    Party::Deployer(id) => {
                        format!("deployer {}", columns::instrument_name(self.engine, id.0))
                    }
                    Party::Clearing(id) => {
                        format!("clearing {}", columns::instrument_name(self.engine, id.0))
                    }
                    Party::Question(id) => format!("question {}", columns::question_name(self.engine, id.0)),
                    Party::Stakes => "stakes".into(),
                    Party::Simulated => "simulated".into(),
                    Party::Bonds(id) => format!("bonds {}", columns::question_name(self.engine, id.0)),
                };
                rows.push(vec![name, columns::asset_name(self.engine, asset.0), text(amount.0)]);
            }
        }
        rows
    }

    fn instruments(&self) -> Found {
        let views = (0..self.engine.instrument_count()).map(InstrumentId::from_index);
        let row = |view: xos_engine::InstrumentView<'_>| {
            vec![
                view.symbol.to_string(),
                view.state.name().into(),
                text(view.mark.0),
                text(view.index.0),
                text(view.last.0),
                view.gate.name().into(),
                view.prices.map_or_else(String::new, |status| status.name().into()),
            ]
        };
        // Reserved instruments have no symbol.
        let named = views.filter_map(|id| self.engine.instrument(id)).filter(|view| !view.symbol.is_empty());
        named.map(row).collect()
    }

    fn questions(&self) -> Found {
        let views = (0..self.engine.question_count()).map(QuestionId::from_index);
        let row = |view: xos_engine::QuestionView<'_>| {
            let paying =
                view.paying.map_or_else(String::new, |id| columns::instrument_name(self.engine, id.0));
            let payouts: Vec<String> = view.payouts.iter().map(|share| share.0.to_string()).collect();
            let settled = if view.is_settled { "yes" } else { "" };
            let stage = view.resolution.as_ref().map_or("", |resolution| resolution.stage.name());
            let end = view.resolution.as_ref().map_or(0, |resolution| resolution.until_ns);
            vec![
                view.spec.symbol.clone(),
                text(view.sets),
                paying,
                payouts.join(","),
                settled.to_string(),
                stage.to_string(),
                if end == 0 { String::new() } else { text(end) },
            ]
        };
        views.filter_map(|id| self.engine.question(id).map(row)).collect()
    }
}

/// A book, the highest price first.
fn rows_of(book: &BookView) -> Found {
    let asks = book
        .asks
        .iter()
        .rev()
        .map(|level| vec![String::new(), text(level.price.0), text(level.lots), text(level.orders)]);
    let bids = book
        .bids
        .iter()
        .map(|level| vec![text(level.lots), text(level.price.0), String::new(), text(level.orders)]);
    asks.chain(bids).collect()
}

fn text(value: impl ToString) -> String {
    value.to_string()
}

fn table_of(columns: Vec<String>, rows: Found) -> Table {
    Table { columns, rows: rows.into_iter().map(|cells| Row { line: 0, cells }).collect() }
}

/// Expected and found with the columns of the expected one, and with every other column that has to be zero and
/// is not.
fn compared(subject: &Subject, expected: &Table, rows: Found) -> Result<Judged, String> {
    let mut expected = expected.clone();
    if let Some(unknown) = expected.columns.iter().find(|name| !subject.columns.contains(&name.as_str())) {
        return Err(format!("no column {unknown:?} here; there are {}", subject.columns.join(", ")));
    }
    for (at, name) in subject.columns.iter().enumerate() {
        let absent = !expected.columns.iter().any(|column| column == name);
        let zero = rows.iter().all(|row| matches!(row[at].as_str(), "" | "0"));
        if absent && !zero && !subject.free.contains(name) {
            expected.columns.push((*name).to_string());
            expected.rows.iter_mut().for_each(|row| row.cells.push("0".into()));
        }
    }
    let places: Vec<usize> = expected
        .columns
        .iter()
        .filter_map(|column| subject.columns.iter().position(|name| name == column))
        .collect();
    let picked = |row: Vec<String>| places.iter().map(|at| row[*at].clone()).collect();
    let mut found = table_of(expected.columns.clone(), rows.into_iter().map(picked).collect());
    // Here a zero may be left empty.
    for row in expected.rows.iter_mut().chain(&mut found.rows) {
        row.cells.iter_mut().filter(|cell| *cell == "0").for_each(String::clear);
    }
    if !subject.ordered {
        expected.sort();
        found.sort();
    }
    Ok(Judged { expected, found, events: Vec::new() })
}
