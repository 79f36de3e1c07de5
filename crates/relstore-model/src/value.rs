//! One cell, owned or borrowed, in SQLite's five storage classes.

/// One cell.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// SQL NULL.
    Null,
    /// A 64-bit signed integer.
    Integer(i64),
    /// A 64-bit IEEE float; never NaN, which SQLite keeps as NULL.
    Real(f64),
    /// UTF-8 text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

/// The cells of one row, in the column order of its table.
pub type Row = Vec<Value>;

/// One cell, borrowed.
#[derive(Clone, Copy, Debug)]
pub enum ValueRef<'a> {
    /// SQL NULL.
    Null,
    /// A 64-bit signed integer.
    Integer(i64),
    /// A 64-bit IEEE float.
    Real(f64),
    /// UTF-8 text. SQLite does not check it, so neither does the type: [`ValueRef::to_value`] replaces what is not UTF-8.
    Text(&'a [u8]),
    /// Bytes.
    Blob(&'a [u8]),
}

impl Value {
    /// The cell, borrowed.
    #[must_use]
    pub fn as_ref(&self) -> ValueRef<'_> {
        match self {
            Self::Null => ValueRef::Null,
            Self::Integer(i) => ValueRef::Integer(*i),
            Self::Real(r) => ValueRef::Real(*r),
            Self::Text(t) => ValueRef::Text(t.as_bytes()),
            Self::Blob(b) => ValueRef::Blob(b),
        }
    }

    /// The storage class in SQLite's words: `null`, `integer`, `real`, `text` or `blob`.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        self.as_ref().type_name()
    }
}

impl<'a> ValueRef<'a> {
    /// The cell, owned.
    #[must_use]
    pub fn to_value(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Integer(i) => Value::Integer(i),
            Self::Real(r) => Value::Real(r),
            Self::Text(t) => Value::Text(String::from_utf8_lossy(t).into_owned()),
            Self::Blob(b) => Value::Blob(b.to_vec()),
        }
    }

    /// The storage class in SQLite's words.
    #[must_use]
    pub fn type_name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Integer(_) => "integer",
            Self::Real(_) => "real",
            Self::Text(_) => "text",
            Self::Blob(_) => "blob",
        }
    }

    /// Whether both are the same cell: same class, same bits. `-0.0` and `0.0` differ, `1` and `1.0` differ.
    #[must_use]
    pub fn same(self, other: ValueRef<'_>) -> bool {
        match (self, other) {
            (Self::Null, ValueRef::Null) => true,
            (Self::Integer(a), ValueRef::Integer(b)) => a == b,
            (Self::Real(a), ValueRef::Real(b)) => a.to_bits() == b.to_bits(),
            (Self::Text(a), ValueRef::Text(b)) | (Self::Blob(a), ValueRef::Blob(b)) => a == b,
            _ => false,
        }
    }
}

macro_rules! value_from {
    ($($from:ty => |$v:ident| $to:expr;)*) => { $(
        impl From<$from> for Value {
            fn from($v: $from) -> Self { $to }
        }
    )* };
}
value_from! {
    i64 => |v| Self::Integer(v);
    i32 => |v| Self::Integer(i64::from(v));
    f64 => |v| if v.is_nan() { Self::Null } else { Self::Real(v) };
    bool => |v| Self::Integer(i64::from(v));
    String => |v| Self::Text(v);
    &str => |v| Self::Text(v.to_owned());
    Vec<u8> => |v| Self::Blob(v);
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(v: Option<T>) -> Self {
        v.map_or(Self::Null, Into::into)
    }
}
