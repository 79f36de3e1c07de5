//! SQL literals: what a default or a list of allowed values says, if it is a constant.

use crate::Value;

/// The value of an SQL literal: a number with or without a sign, a string, a blob, `NULL`, `TRUE` or `FALSE`, in any number of
/// parentheses. `None` for everything else: such an expression is no constant, which is also SQLite's rule for `ALTER TABLE ADD COLUMN`.
#[must_use]
pub fn literal(sql: &str) -> Option<Value> {
    let text = sql.trim();
    if let Some(inner) = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        return literal(inner);
    }
    if let Some(rest) = text.strip_prefix('-') {
        return match literal(rest)? {
            Value::Integer(i) => Some(i.checked_neg().map_or(Value::Real(-(i as f64)), Value::Integer)),
            // The one number that is an integer with its sign alone.
            Value::Real(9_223_372_036_854_775_808.0) if rest.trim() == "9223372036854775808" => Some(Value::Integer(i64::MIN)),
            Value::Real(r) => Some(Value::Real(-r)),
            Value::Null | Value::Text(_) | Value::Blob(_) => None,
        };
    }
    if let Some(rest) = text.strip_prefix('+') {
        return literal(rest);
    }
    match text.to_ascii_uppercase().as_str() {
        "NULL" => return Some(Value::Null),
        "TRUE" => return Some(Value::Integer(1)),
        "FALSE" => return Some(Value::Integer(0)),
        _ => {}
    }
    if let Some(string) = quoted(text) {
        return Some(Value::Text(string));
    }
    if text.starts_with(['x', 'X']) {
        return blob(quoted(&text[1..])?.as_bytes()).map(Value::Blob);
    }
    if let Some(hex) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return u64::from_str_radix(hex, 16).ok().map(|n| Value::Integer(n as i64));
    }
    let plain: String = text.chars().filter(|c| *c != '_').collect();
    let is_number = plain.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && plain.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    if !is_number {
        return None;
    }
    plain.parse().map(Value::Integer).or_else(|_| plain.parse().map(Value::Real)).ok()
}

/// The string of a literal in single quotes that is the whole text.
fn quoted(text: &str) -> Option<String> {
    let inner = text.strip_prefix('\'')?.strip_suffix('\'')?;
    let is_whole = !inner.replace("''", "").contains('\'');
    is_whole.then(|| inner.replace("''", "'"))
}

fn blob(hex: &[u8]) -> Option<Vec<u8>> {
    let digit = |b: u8| (b as char).to_digit(16);
    let byte = |pair: &[u8]| match pair {
        [high, low] => Some((digit(*high)? << 4 | digit(*low)?) as u8),
        _ => None,
    };
    hex.chunks(2).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_told_from_expressions() {
        for (sql, wanted) in [
            ("5", Some(Value::Integer(5))),
            ("(-5)", Some(Value::Integer(-5))),
            ("-9223372036854775808", Some(Value::Integer(i64::MIN))),
            ("+1.5e3", Some(Value::Real(1500.0))),
            ("0x10", Some(Value::Integer(16))),
            ("1_000", Some(Value::Integer(1000))),
            ("'it''s'", Some(Value::from("it's"))),
            ("''", Some(Value::from(""))),
            ("x'00fF'", Some(Value::Blob(vec![0, 255]))),
            ("null", Some(Value::Null)),
            ("TRUE", Some(Value::Integer(1))),
            ("'a' || 'b'", None),
            ("(1+1)", None),
            ("(unixepoch())", None),
            ("CURRENT_TIMESTAMP", None),
            ("x'0'", None),
            ("e5", None),
            ("", None),
            ("-", None),
            ("(", None),
            ("'", None),
        ] {
            assert_eq!(literal(sql), wanted, "{sql}");
        }
    }
}
