//! Tables of cells, and how an expected and a found one are compared and shown.

use std::fmt::Write;

/// A row and the line it stands on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// The line.
    pub line: usize,
    /// One cell for each column.
    pub cells: Vec<String>,
}

/// Named columns and rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<Row>,
}

impl Table {
    /// The cell of a row in a column; empty where there is no such column.
    pub fn cell<'a>(&self, row: &'a Row, column: &str) -> &'a str {
        match self.columns.iter().position(|name| name == column) {
            Some(at) => &row.cells[at],
            None => "",
        }
    }

    /// Rows in order of their cells: for tables in which the order of rows says nothing.
    pub(super) fn sort(&mut self) {
        self.rows.sort_by(|a, b| a.cells.cmp(&b.cells));
    }

    fn texts(&self) -> Vec<String> {
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|at| {
                let cells = self.rows.iter().map(|row| row.cells[at].chars().count());
                cells.chain([self.columns[at].chars().count()]).max().unwrap_or(0)
            })
            .collect();
        let line = |cells: &[String]| {
            let mut text = String::from("|");
            for (cell, width) in cells.iter().zip(&widths) {
                let _ = write!(text, " {cell:<width$} |");
            }
            text
        };
        std::iter::once(line(&self.columns)).chain(self.rows.iter().map(|row| line(&row.cells))).collect()
    }
}

/// Splits `| a | b |` into its cells.
pub(super) fn cells(line: &str) -> Option<Vec<String>> {
    let inner = line.strip_prefix('|')?.strip_suffix('|')?;
    Some(inner.split('|').map(|cell| plain(cell.trim())).collect())
}

/// A number may be written with underscores; everything else stays as it is.
pub(super) fn plain(cell: &str) -> String {
    let digits = cell.strip_prefix('-').unwrap_or(cell);
    let is_number = digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.chars().all(|c| c.is_ascii_digit() || c == '_');
    if is_number { cell.replace('_', "") } else { cell.to_string() }
}

/// Nothing if the tables are equal; otherwise both, side by side, differing rows marked.
pub(super) fn difference(expected: &Table, found: &Table) -> Option<String> {
    let same = expected.rows.len() == found.rows.len()
        && expected.rows.iter().zip(&found.rows).all(|(a, b)| a.cells == b.cells);
    if same {
        return None;
    }
    let (left, right) = (expected.texts(), found.texts());
    let width = left.iter().map(|line| line.chars().count()).max().unwrap_or(0).max("expected".len());
    let mut text = format!("    {:<width$}   found\n", "expected");
    for at in 0..left.len().max(right.len()) {
        let (a, b) = (left.get(at).map_or("", String::as_str), right.get(at).map_or("", String::as_str));
        let equal = at == 0
            || matches!((expected.rows.get(at - 1), found.rows.get(at - 1)), (Some(a), Some(b)) if a.cells == b.cells);
        let mark = if equal { "   " } else { "-> " };
        let _ = writeln!(text, " {mark}{a:<width$}   {b}");
    }
    Some(text)
}
