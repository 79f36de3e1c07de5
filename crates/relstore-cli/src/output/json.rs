//! Rows as JSON for programs.

use std::collections::HashSet;
use std::io::{self, Write};

use relstore::model::types::json::to_json;
use relstore::model::{LogicalType, Value};
use serde_json::{Map, Value as Json};

/// The rows that a statement gave, as objects whose members are in the order of the columns.
pub(crate) fn of_rows(columns: &[String], rows: &[Vec<Value>]) -> Vec<Json> {
    let names = distinct(columns.iter().map(String::as_str));
    rows.iter().map(|row| object(&names, row.iter().map(|cell| to_json(LogicalType::Any, cell.as_ref())))).collect()
}

/// Writes an array with an element a line.
pub(crate) fn write_array(out: &mut impl Write, elements: &[Json]) -> io::Result<()> {
    out.write_all(b"[")?;
    for (i, element) in elements.iter().enumerate() {
        out.write_all(if i == 0 { b"\n" } else { b",\n" })?;
        serde_json::to_writer(&mut *out, element)?;
    }
    out.write_all(if elements.is_empty() { b"]\n" } else { b"\n]\n" })
}

fn object(names: &[String], cells: impl Iterator<Item = Json>) -> Json {
    Json::Object(names.iter().cloned().zip(cells).collect::<Map<_, _>>())
}

/// The names, each once: the second `n` is `n_2`.
fn distinct<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Vec<String> {
    let mut taken: HashSet<String> = names.clone().map(str::to_owned).collect();
    let mut seen = HashSet::new();
    let unique = |name: &str| {
        if seen.insert(name.to_owned()) {
            return name.to_owned();
        }
        let mut number = 2;
        loop {
            let candidate = format!("{name}_{number}");
            if taken.insert(candidate.clone()) {
                return candidate;
            }
            number += 1;
        }
    };
    names.map(unique).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_columns_of_one_name_are_both_there() {
        let columns = ["n", "n", "n_2", "n"].map(str::to_owned);
        let rows = of_rows(&columns, &[vec![Value::from(1_i64), Value::from(2_i64), Value::from("x"), Value::Null]]);
        let mut out = Vec::new();
        write_array(&mut out, &rows).expect("memory can be written");
        assert_eq!(String::from_utf8_lossy(&out), "[\n{\"n\":1,\"n_3\":2,\"n_2\":\"x\",\"n_4\":null}\n]\n");
    }
}
