//! A piece of SQL text with what fills its `?`.

use relstore_model::{Error, Result, Value};

use crate::types::{ColumnType, IntoValue, Slot, Unfit, refused};

/// SQL text and, in the order of its `?`, what fills them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fragment {
    sql: String,
    slots: Vec<Slot>,
    refusal: Option<Refusal>,
    /// Whether it names the row that an insert could not insert.
    names_excluded: bool,
}

/// The first value that no cell can hold.
#[derive(Clone, Debug, PartialEq)]
struct Refusal {
    unfit: Unfit,
    expected: &'static str,
    table: String,
    column: String,
}

impl Fragment {
    /// A fragment of text alone.
    #[must_use]
    pub fn text(sql: impl Into<String>) -> Self {
        Self { sql: sql.into(), ..Self::default() }
    }

    /// Makes room for `additional` bytes of text.
    pub(crate) fn reserve(&mut self, additional: usize) {
        self.sql.reserve(additional);
    }

    /// Appends text that has no `?`.
    pub fn push(&mut self, sql: &str) {
        self.sql.push_str(sql);
    }

    /// Appends `name` as an identifier.
    pub(crate) fn push_name(&mut self, name: &str) {
        self.sql.push('"');
        if name.contains('"') {
            self.sql.push_str(&name.replace('"', "\"\""));
        } else {
            self.sql.push_str(name);
        }
        self.sql.push('"');
    }

    /// Appends a `?` that `slot` fills.
    pub fn push_slot(&mut self, slot: Slot) {
        self.sql.push('?');
        self.slots.push(slot);
    }

    /// Appends a `?` that stands for `value`, which goes where `V` goes. A value that no cell can hold is told when the statement runs.
    pub(crate) fn push_value<V: ColumnType>(&mut self, value: impl IntoValue<V>) {
        match value.into_value() {
            Ok(slot) => self.push_slot(slot),
            Err(unfit) => self.refuse(unfit, V::EXPECTED),
        }
    }

    /// Remembers that it names the row that an insert could not insert, which only `ON CONFLICT` has.
    pub(crate) fn mark_excluded(&mut self) {
        self.names_excluded = true;
    }

    /// Whether it names the row that an insert could not insert.
    pub(crate) fn names_excluded(&self) -> bool {
        self.names_excluded
    }

    /// Remembers that a value was refused, and puts NULL in its place.
    pub(crate) fn refuse(&mut self, unfit: Unfit, expected: &'static str) {
        self.push_slot(Slot::Value(Value::Null));
        self.refusal.get_or_insert(Refusal { unfit, expected, table: "(parameter)".to_owned(), column: self.slots.len().to_string() });
    }

    /// Says what the value appended last, if it was refused, was compared with or stored in.
    pub(crate) fn place_refusal(&mut self, place: impl FnOnce() -> (String, String)) {
        if let Some(refusal) = self.refusal.as_mut().filter(|refusal| refusal.table == "(parameter)") {
            (refusal.table, refusal.column) = place();
        }
    }

    /// Appends `other`.
    pub fn append(&mut self, other: Self) {
        self.sql.push_str(&other.sql);
        self.slots.extend(other.slots);
        self.names_excluded |= other.names_excluded;
        if self.refusal.is_none() {
            self.refusal = other.refusal;
        }
    }

    /// Appends a copy of `other`.
    pub(crate) fn append_copy(&mut self, other: &Self) {
        self.sql.push_str(&other.sql);
        self.slots.extend_from_slice(&other.slots);
        self.names_excluded |= other.names_excluded;
        if self.refusal.is_none() {
            self.refusal.clone_from(&other.refusal);
        }
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

    /// A statement of this text and these slots, refused if this one is.
    pub(crate) fn with_text(&self, sql: String, slots: Vec<Slot>) -> Self {
        Self { sql, slots, ..self.clone() }
    }

    /// How many `?` there are.
    pub(crate) fn slot_count(&self) -> usize {
        self.slots.len()
    }

    /// What fills the `?`.
    pub(crate) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// Text and slots of a statement that is about to be prepared.
    ///
    /// # Errors
    /// `Constraint` if a value was refused.
    pub(crate) fn into_slots(self) -> Result<(String, Vec<Slot>)> {
        match self.refusal {
            None => Ok((self.sql, self.slots)),
            Some(Refusal { unfit, expected, table, column }) => Err(refused(&unfit, expected, &table, &column)),
        }
    }

    /// Text and parameters of a statement that is about to run.
    ///
    /// # Errors
    /// `Constraint` if a value was refused; `Invalid` if a parameter of a prepared statement has no argument.
    pub(crate) fn into_statement(self) -> Result<(String, Vec<Value>)> {
        let (sql, slots) = self.into_slots()?;
        let params = values_of(slots).map_err(|error| error.with("sql", &sql))?;
        Ok((sql, params))
    }

    /// Text and parameters to look at. What a prepared statement is called with is NULL here.
    pub(crate) fn into_parts(self) -> (String, Vec<Value>) {
        let value = |slot| match slot {
            Slot::Value(value) => value,
            Slot::Argument(_) => Value::Null,
        };
        (self.sql, self.slots.into_iter().map(value).collect())
    }
}

/// The values of slots outside of a prepared statement.
///
/// # Errors
/// `Invalid` if one is an argument.
pub(crate) fn values_of(slots: Vec<Slot>) -> Result<Vec<Value>> {
    let value = |slot| match slot {
        Slot::Value(value) => Ok(value),
        Slot::Argument(number) => Err(Error::invalid("a parameter of a prepared statement in one that is not prepared")
            .with("parameter", number)
            .with_hint("build the statement inside prepare(|…| …) and call what that gives")),
    };
    slots.into_iter().map(value).collect()
}
