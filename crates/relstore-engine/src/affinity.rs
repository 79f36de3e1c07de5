//! What SQLite makes of a value that is stored in a column: its affinity, applied to the default of an added column.
//!
//! Rows that were there before the column read as its default *in the column's affinity*: `ADD COLUMN x REAL DEFAULT 1` reads 1.0. So the
//! default that is frozen with the column must be that value, not the one that the expression has by itself.

use relstore_model::{Result, Value};

use crate::sqlite::Connection;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Affinity {
    Integer,
    Text,
    Blob,
    Real,
    Numeric,
}

/// <https://www.sqlite.org/datatype3.html#determination_of_column_affinity>
fn of(declared: &str) -> Affinity {
    let declared = declared.to_ascii_uppercase();
    let has = |words: &[&str]| words.iter().any(|w| declared.contains(w));
    if has(&["INT"]) {
        Affinity::Integer
    } else if has(&["CHAR", "CLOB", "TEXT"]) {
        Affinity::Text
    } else if declared.is_empty() || has(&["BLOB"]) {
        Affinity::Blob
    } else if has(&["REAL", "FLOA", "DOUB"]) {
        Affinity::Real
    } else {
        Affinity::Numeric
    }
}

/// Whether a column of this declared type holds whole numbers as floats.
pub(crate) fn is_real(declared: &str) -> bool {
    of(declared) == Affinity::Real
}

/// The value of the default `expression`, which by itself is `value`, as a column of this declared type has it.
pub(crate) fn stored(connection: &Connection, declared: &str, expression: &str, value: Value) -> Result<Value> {
    let cast = |to: &str, value: Value| {
        let rows = connection.query(&format!("/*rs*/ SELECT CAST(? AS {to})"), std::slice::from_ref(&value))?;
        Ok(rows.into_iter().next().and_then(|row| row.into_iter().next()).unwrap_or(value))
    };
    let is_numeric = |t: &str| {
        let t = t.trim_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c']);
        t.parse::<f64>().is_ok() && t.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E'))
    };
    match (of(declared), value) {
        // A float that becomes text keeps the digits that it was written with.
        (Affinity::Text, Value::Real(_)) if is_numeric(expression) => Ok(Value::from(expression.trim().trim_start_matches('+'))),
        (Affinity::Text, value @ (Value::Integer(_) | Value::Real(_))) => cast("TEXT", value),
        (Affinity::Real, Value::Integer(i)) => Ok(Value::Real(i as f64)),
        (Affinity::Real, Value::Text(t)) if is_numeric(&t) => cast("REAL", Value::Text(t)),
        (Affinity::Integer | Affinity::Numeric, Value::Text(t)) if is_numeric(&t) => cast("NUMERIC", Value::Text(t)),
        // A whole float becomes an integer where none is lost.
        (Affinity::Integer | Affinity::Numeric, Value::Real(r)) if r.trunc() == r && r.abs() < 9_007_199_254_740_992.0 => {
            Ok(Value::Integer(r as i64))
        }
        (_, value) => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_is_what_sqlite_reads_from_rows_that_were_there() {
        let dir = tempfile::tempdir().unwrap();
        let connection = Connection::open(&dir.path().join("x.db")).unwrap();
        for (i, (declared, default)) in ["INTEGER", "TEXT", "", "BLOB", "REAL", "NUMERIC", "DATETIME", "VARCHAR(3)", "DOUBLE", "BOOLEAN"]
            .iter()
            .flat_map(|d| {
                [
                    "1", "1.0", "2.5", "'7'", "' 7 '", "'7.0'", "'1e3'", "'x'", "''", "x'00'", "'0x10'", "1e20", "'inf'", "-1", "-1.50",
                    "+1.50", "1.50", "007", "+2", "0x10",
                ]
                .map(|v| (d, v))
            })
            .enumerate()
        {
            let sql =
                format!("CREATE TABLE t{i}(a); INSERT INTO t{i} VALUES(1); ALTER TABLE t{i} ADD COLUMN b {declared} DEFAULT {default}");
            connection.execute_batch(&sql).unwrap();
            let wanted = connection.query(&format!("SELECT b, {default} FROM t{i}"), &[]).unwrap().remove(0);
            let given = stored(&connection, declared, default, wanted[1].clone()).unwrap();
            assert_eq!(given, wanted[0], "{declared} DEFAULT {default}");
        }
    }
}
