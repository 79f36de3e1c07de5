//! Rows as a table for people.

use comfy_table::modifiers::UTF8_ROUND_CORNERS;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, ContentArrangement};
use relstore::model::Value;
use relstore::{Answer, AnswerColumn};

/// A table of texts: numbers to the right.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
    /// By column: whether every cell but NULL is a number.
    are_numbers: Vec<bool>,
}

impl Table {
    /// A table with these columns and no rows yet.
    pub(crate) fn new(columns: &[&str]) -> Self {
        Self::of_names(columns.iter().map(|c| (*c).to_owned()).collect())
    }

    fn of_names(columns: Vec<String>) -> Self {
        let are_numbers = vec![true; columns.len()];
        Self { columns, rows: Vec::new(), are_numbers }
    }

    /// Adds a row of texts, of which those that read as numbers (`1,234`, `12 ms`) go to the right where their whole column does.
    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        for (is_number, cell) in self.are_numbers.iter_mut().zip(&cells) {
            *is_number &= cell.is_empty() || cell == "NULL" || cell.trim_start_matches('-').starts_with(|c: char| c.is_ascii_digit());
        }
        self.rows.push(cells.into());
    }

    /// The rows that a statement gave.
    pub(crate) fn of_rows(columns: &[String], rows: &[Vec<Value>]) -> Self {
        let mut table = Self::of_names(columns.to_vec());
        for row in rows {
            table.mark_numbers(row);
            table.rows.push(row.iter().map(text).collect());
        }
        table
    }

    /// The answer to a query over all stores.
    pub(crate) fn of_answer(answer: &Answer) -> Self {
        let mut table = Self::of_names(answer.columns.iter().map(|c| c.name.clone()).collect());
        for row in &answer.rows {
            table.mark_numbers(row);
            table.rows.push(answer.columns.iter().zip(row).map(|(column, cell)| cell_of_answer(column, cell)).collect());
        }
        for (is_number, column) in table.are_numbers.iter_mut().zip(&answer.columns) {
            *is_number &= matches!(column.type_name.as_str(), "integer" | "real");
        }
        table
    }

    fn mark_numbers(&mut self, row: &[Value]) {
        for (is_number, cell) in self.are_numbers.iter_mut().zip(row) {
            *is_number &= matches!(cell, Value::Integer(_) | Value::Real(_) | Value::Null);
        }
    }

    /// The table as lines, without a newline at the end.
    pub(crate) fn render(&self) -> String {
        let mut table = comfy_table::Table::new();
        table.load_preset(UTF8_FULL_CONDENSED).apply_modifier(UTF8_ROUND_CORNERS).set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(self.columns.iter().map(|name| printable(name)));
        table.add_rows(self.rows.iter().map(|row| row.iter().map(|cell| printable(cell))));
        for (i, _) in self.are_numbers.iter().enumerate().filter(|(_, is_number)| **is_number) {
            if let Some(column) = table.column_mut(i) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table.to_string()
    }
}

/// As [`text`], where the column says more than the cell.
fn cell_of_answer(column: &AnswerColumn, cell: &Value) -> String {
    match cell {
        Value::Real(_) => text(cell),
        _ => column.text(cell),
    }
}

/// A cell as people read it.
pub(crate) fn text(cell: &Value) -> String {
    match cell {
        Value::Null => "NULL".to_owned(),
        Value::Integer(i) => i.to_string(),
        // With a point, as SQLite shows it, so that it is not taken for an integer.
        Value::Real(r) => format!("{r:?}"),
        Value::Text(t) => t.clone(),
        Value::Blob(b) => format!("x'{}'", b.iter().map(|x| format!("{x:02x}")).collect::<String>()),
    }
}

/// `text` without what would move the cursor or speak to the terminal.
pub(crate) fn printable(text: &str) -> String {
    let is_plain = |c: char| c == '\n' || !c.is_control();
    if text.chars().all(is_plain) {
        return text.to_owned();
    }
    text.chars().map(|c| if is_plain(c) { c.to_string() } else { c.escape_default().to_string() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_to_the_right_and_nothing_speaks_to_the_terminal() {
        let columns = ["name".to_owned(), "n".to_owned()];
        let rows = [vec![Value::from("a\x1b[31m"), Value::from(7_i64)], vec![Value::from("two\nlines"), Value::Null]];
        let lines = Table::of_rows(&columns, &rows).render();
        assert!(lines.contains("│ a\\u{1b}[31m ┆    7 │"), "{lines}");
        assert!(lines.contains("│ two         ┆ NULL │"), "{lines}");
    }
}
