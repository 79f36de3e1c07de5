//! The least and the greatest value of a column, or a bound of it.

use std::cmp::Ordering;

use relstore_model::{Value, ValueRef};

/// The least or the greatest value of a column.
#[derive(Clone, Debug, PartialEq)]
pub struct Extreme {
    /// The value. Text and blobs of more than 256 bytes are cut to a shorter bound, and then `is_exact` is false.
    pub value: Value,
    /// Whether a row has this value. If not, it is a bound: no value lies beyond it, and `analyze` finds the true one. It becomes one when
    /// a row that had it goes or changes.
    pub is_exact: bool,
}

/// Longer values are kept as bounds.
const BYTES_MAX: usize = 256;

/// Which end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Least,
    Greatest,
}

/// SQLite's order of values, that of `COLLATE BINARY`: NULL, numbers by their value, text by its bytes, blobs.
pub(crate) fn order(a: ValueRef<'_>, b: ValueRef<'_>) -> Ordering {
    let class = |v: ValueRef<'_>| match v {
        ValueRef::Null => 0,
        ValueRef::Integer(_) | ValueRef::Real(_) => 1,
        ValueRef::Text(_) => 2,
        ValueRef::Blob(_) => 3,
    };
    match (a, b) {
        (ValueRef::Integer(a), ValueRef::Integer(b)) => a.cmp(&b),
        (ValueRef::Real(a), ValueRef::Real(b)) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
        (ValueRef::Integer(a), ValueRef::Real(b)) => integer_and_real(a, b),
        (ValueRef::Real(a), ValueRef::Integer(b)) => integer_and_real(b, a).reverse(),
        (ValueRef::Text(a), ValueRef::Text(b)) | (ValueRef::Blob(a), ValueRef::Blob(b)) => a.cmp(b),
        _ => class(a).cmp(&class(b)),
    }
}

/// Not by way of `f64`, in which large integers are not exact.
fn integer_and_real(a: i64, b: f64) -> Ordering {
    if b >= 9_223_372_036_854_775_808.0 {
        return Ordering::Less;
    }
    if b < -9_223_372_036_854_775_808.0 {
        return Ordering::Greater;
    }
    let whole = b.trunc();
    a.cmp(&(whole as i64)).then_with(|| whole.partial_cmp(&b).unwrap_or(Ordering::Equal))
}

/// Takes a value that came into account.
pub(super) fn widen(extreme: &mut Option<Extreme>, end: End, value: ValueRef<'_>) {
    let is_further = match extreme {
        None => true,
        Some(e) => {
            let order = order(value, e.value.as_ref());
            let order = if end == End::Least { order } else { order.reverse() };
            order == Ordering::Less || (order == Ordering::Equal && !e.is_exact)
        }
    };
    if is_further {
        *extreme = Some(bounded(end, value));
    }
}

/// Takes a value that went into account.
pub(super) fn narrow(extreme: &mut Option<Extreme>, value: ValueRef<'_>) {
    if let Some(e) = extreme
        && order(value, e.value.as_ref()) == Ordering::Equal
    {
        e.is_exact = false;
    }
}

/// The value, or a bound of it if it is too long to be kept or is text that is no UTF-8.
fn bounded(end: End, value: ValueRef<'_>) -> Extreme {
    let (ValueRef::Text(bytes) | ValueRef::Blob(bytes)) = value else {
        return Extreme { value: value.to_value(), is_exact: true };
    };
    let is_text = matches!(value, ValueRef::Text(_));
    let cut = &bytes[..bytes.len().min(BYTES_MAX)];
    let cut = match std::str::from_utf8(cut) {
        Err(e) if is_text => &cut[..e.valid_up_to()],
        _ => cut,
    };
    let own = |bytes: &[u8]| {
        if is_text { Value::Text(String::from_utf8_lossy(bytes).into_owned()) } else { Value::Blob(bytes.to_vec()) }
    };
    if cut.len() == bytes.len() {
        return Extreme { value: own(cut), is_exact: true };
    }
    let bound = match end {
        End::Least => own(cut),
        // Text that is no UTF-8 may go on with bytes above every character.
        End::Greatest if is_text && std::str::from_utf8(bytes).is_err() => Value::Blob(Vec::new()),
        End::Greatest if is_text => next_text(cut),
        End::Greatest => match next_blob(cut) {
            Some(bound) => bound,
            // No short blob lies above it.
            None => return Extreme { value: own(bytes), is_exact: true },
        },
    };
    Extreme { value: bound, is_exact: false }
}

/// The least short text above every text that begins with `prefix`, or the least blob: blobs come after all text.
fn next_text(prefix: &[u8]) -> Value {
    let mut chars: Vec<char> = String::from_utf8_lossy(prefix).chars().collect();
    while let Some(last) = chars.pop() {
        let next = if last == '\u{d7ff}' { Some('\u{e000}') } else { char::from_u32(last as u32 + 1) };
        if let Some(next) = next {
            chars.push(next);
            return Value::Text(chars.into_iter().collect());
        }
    }
    Value::Blob(Vec::new())
}

/// The least short blob above every blob that begins with `prefix`; `None` if all its bytes are 0xff.
fn next_blob(prefix: &[u8]) -> Option<Value> {
    let mut bytes = prefix.to_vec();
    while let Some(last) = bytes.pop() {
        if last < 0xff {
            bytes.push(last + 1);
            return Some(Value::Blob(bytes));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(values: &[ValueRef<'_>]) -> (Option<Extreme>, Option<Extreme>) {
        let (mut min, mut max) = (None, None);
        for value in values {
            widen(&mut min, End::Least, *value);
            widen(&mut max, End::Greatest, *value);
        }
        (min, max)
    }

    #[test]
    fn values_are_ordered_as_sqlite_orders_them() {
        let big = i64::MAX;
        for (a, b) in [
            (ValueRef::Integer(1), ValueRef::Real(1.5)),
            (ValueRef::Real(-1.5), ValueRef::Integer(-1)),
            (ValueRef::Integer(big), ValueRef::Real(9.3e18)),
            (ValueRef::Integer(big), ValueRef::Text(b"")),
            (ValueRef::Text(b"Z"), ValueRef::Text(b"a")),
            (ValueRef::Text(b"z"), ValueRef::Blob(b"")),
        ] {
            assert_eq!((order(a, b), order(b, a)), (Ordering::Less, Ordering::Greater), "{a:?} {b:?}");
        }
    }

    #[test]
    fn long_values_are_kept_as_short_bounds() {
        let long = "é".repeat(400);
        let (min, max) = both(&[ValueRef::Text(long.as_bytes())]);
        let (min, max) = (min.unwrap(), max.unwrap());
        assert!(!min.is_exact && !max.is_exact);
        assert_eq!(order(min.value.as_ref(), ValueRef::Text(long.as_bytes())), Ordering::Less);
        assert_eq!(order(max.value.as_ref(), ValueRef::Text(long.as_bytes())), Ordering::Greater);
        let torn = [b'a', 0xff, 0xff];
        let (min, max) = both(&[ValueRef::Text(&torn)]);
        assert_eq!(min.unwrap().value, Value::from("a"));
        assert_eq!(order(max.unwrap().value.as_ref(), ValueRef::Text(&torn)), Ordering::Greater);
    }

    #[test]
    fn an_extreme_that_goes_leaves_a_bound_and_a_further_one_is_exact() {
        let (mut min, _) = both(&[ValueRef::Integer(3), ValueRef::Integer(5)]);
        narrow(&mut min, ValueRef::Integer(3));
        assert_eq!(min, Some(Extreme { value: Value::Integer(3), is_exact: false }));
        widen(&mut min, End::Least, ValueRef::Integer(4));
        assert!(!min.as_ref().unwrap().is_exact, "the bound is further than 4");
        widen(&mut min, End::Least, ValueRef::Integer(2));
        assert_eq!(min, Some(Extreme { value: Value::Integer(2), is_exact: true }));
    }

    #[test]
    fn cells_have_sqlites_order() {
        let ordered = [
            ValueRef::Null,
            ValueRef::Real(f64::NEG_INFINITY),
            ValueRef::Integer(i64::MIN),
            ValueRef::Integer(-1),
            ValueRef::Real(-0.5),
            ValueRef::Integer(0),
            ValueRef::Real(0.5),
            ValueRef::Integer((1 << 53) + 1),
            ValueRef::Integer(i64::MAX),
            ValueRef::Real(9.3e18),
            ValueRef::Text(b"a"),
            ValueRef::Text(b"aa"),
            ValueRef::Blob(b""),
        ];
        for (i, a) in ordered.iter().enumerate() {
            for (j, b) in ordered.iter().enumerate() {
                assert_eq!(order(*a, *b), i.cmp(&j), "{a:?} {b:?}");
            }
        }
        assert_eq!(order(ValueRef::Integer(1), ValueRef::Real(1.0)), Ordering::Equal);
    }
}
