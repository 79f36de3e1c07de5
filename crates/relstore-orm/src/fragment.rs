//! A piece of SQL text with the parameters of its `?`.

use relstore_model::Value;

/// SQL text and, in the order of its `?`, their values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fragment {
    sql: String,
    params: Vec<Value>,
}

impl Fragment {
    /// Text with the values of its `?`, in order.
    #[must_use]
    pub fn new(sql: String, params: Vec<Value>) -> Self {
        Self { sql, params }
    }

    /// A fragment of text alone.
    #[must_use]
    pub fn text(sql: impl Into<String>) -> Self {
        Self { sql: sql.into(), params: Vec::new() }
    }

    /// Appends text that has no `?`.
    pub fn push(&mut self, sql: &str) {
        self.sql.push_str(sql);
    }

    /// Appends a `?` that stands for `value`.
    pub fn push_param(&mut self, value: Value) {
        self.sql.push('?');
        self.params.push(value);
    }

    /// Appends `other`.
    pub fn append(&mut self, other: Self) {
        self.sql.push_str(&other.sql);
        self.params.extend(other.params);
    }

    /// Whether there is no text yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sql.is_empty()
    }

    /// The text.
    #[must_use]
    pub fn sql(&self) -> &str {
        &self.sql
    }

    /// The parameters.
    #[must_use]
    pub fn params(&self) -> &[Value] {
        &self.params
    }

    /// Text and parameters.
    #[must_use]
    pub fn into_parts(self) -> (String, Vec<Value>) {
        (self.sql, self.params)
    }
}
