//! What a table promises beyond names and types: defaults, allowed values, keys, references, checks.
//!
//! The engine reads them from SQLite when a table's statements change, and they are kept with the schema. Columns are meant by their
//! position in [`Table::columns`](crate::Table::columns), so that a rename leaves them as they are. A schema that was kept before there
//! were facts has none; nobody may conclude from that that the table promises nothing.

use serde::{Deserialize, Serialize};

use super::Cell;
use super::literal::literal;
use crate::Value;
use crate::types::Affinity;

/// What a table promises beyond its columns' names and types.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TableFacts {
    /// Of each column, in the order of the table's.
    pub columns: Vec<ColumnFacts>,
    /// `STRICT`: a cell is of its column's storage class, or it is refused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub strict: bool,
    /// `AUTOINCREMENT`: the rowid of a deleted row is not given again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub autoincrement: bool,
    /// What no two rows have the same of: `UNIQUE` constraints and unique indexes, the primary key left out. In no order that means
    /// something.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unique: Vec<Unique>,
    /// Foreign keys, in the order they were written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub foreign_keys: Vec<ForeignKey>,
    /// `CHECK`s, in the order they were written, those left out that are a column's [`ColumnFacts::allowed`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Expression>,
}

/// What a column promises beyond its name and type.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ColumnFacts {
    /// Its default, as it is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<DefaultExpression>,
    /// The expression that computes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generated: Option<Expression>,
    /// How its text is compared, if not `BINARY`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collation: Option<String>,
    /// The values that a `CHECK (column IN (…))` allows beside NULL, in the order they were written: what an enum is in SQLite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed: Option<Vec<Cell>>,
}

/// A default as SQL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DefaultExpression(pub String);

impl DefaultExpression {
    /// Whether every row gets the same value from it.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        literal(&self.0).is_some()
    }

    /// The cell that a column of this declared type gets from it. `None` if it is no constant.
    #[must_use]
    pub fn value(&self, declared: &str) -> Option<Value> {
        literal(&self.0).map(|value| Affinity::of(declared).convert(value))
    }
}

/// What no two rows have the same of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Unique {
    /// Its parts, in order.
    pub parts: Vec<UniquePart>,
    /// The rows that it speaks of, where it is a partial index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Expression>,
}

/// A part of what is unique.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UniquePart {
    /// A column, by its position, and how its text is compared.
    Column(usize, String),
    /// Something computed.
    Expression(Expression),
}

/// A foreign key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignKey {
    /// The positions of its columns.
    pub columns: Vec<usize>,
    /// The name of the table that it points to.
    pub parent: String,
    /// The names of the columns there, in the same order; empty for its primary key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parent_columns: Vec<String>,
    /// What a delete of the parent does.
    #[serde(default, skip_serializing_if = "ReferentialAction::is_none")]
    pub on_delete: ReferentialAction,
    /// What an update of the parent's key does.
    #[serde(default, skip_serializing_if = "ReferentialAction::is_none")]
    pub on_update: ReferentialAction,
    /// Whether it is looked at when the transaction ends (`DEFERRABLE INITIALLY DEFERRED`), not with each statement.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_deferred: bool,
}

/// What happens to children as their parent goes or moves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReferentialAction {
    /// The statement fails, if nothing else brings a parent.
    #[default]
    NoAction,
    /// The statement fails at once.
    Restrict,
    /// The children point to nothing.
    SetNull,
    /// The children get their default.
    SetDefault,
    /// The children go or move too.
    Cascade,
}

impl ReferentialAction {
    /// The action of SQLite's words.
    #[must_use]
    pub fn parse(words: &str) -> Option<Self> {
        Some(match words.to_ascii_uppercase().as_str() {
            "NO ACTION" => Self::NoAction,
            "RESTRICT" => Self::Restrict,
            "SET NULL" => Self::SetNull,
            "SET DEFAULT" => Self::SetDefault,
            "CASCADE" => Self::Cascade,
            _ => return None,
        })
    }

    fn is_none(&self) -> bool {
        *self == Self::NoAction
    }
}

/// An expression over a row's columns, in a form that does not depend on their names or on white space.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Expression(pub Vec<ExpressionPart>);

/// A part of an expression.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ExpressionPart {
    /// A column, by its position.
    Column(usize),
    /// One token or more: words in lower case, a space between them.
    Sql(String),
}

impl Expression {
    /// The positions of the columns in it, in order, each as often as it is there.
    pub fn columns(&self) -> impl Iterator<Item = usize> {
        self.0.iter().filter_map(|part| if let ExpressionPart::Column(at) = part { Some(*at) } else { None })
    }

    /// The expression as SQL, with columns named by `name`.
    pub fn sql<'a>(&self, name: impl Fn(usize) -> &'a str) -> String {
        let part = |part: &ExpressionPart| match part {
            ExpressionPart::Column(at) => name(*at).to_owned(),
            ExpressionPart::Sql(sql) => sql.clone(),
        };
        self.0.iter().map(part).collect::<Vec<_>>().join(" ")
    }
}

impl TableFacts {
    /// Whether every column that it speaks of is there.
    pub(super) fn holds_for(&self, columns: usize) -> bool {
        let within = |expression: &Expression| expression.columns().all(|at| at < columns);
        let part = |part: &UniquePart| match part {
            UniquePart::Column(at, _) => *at < columns,
            UniquePart::Expression(expression) => within(expression),
        };
        self.columns.len() == columns
            && self.columns.iter().filter_map(|c| c.generated.as_ref()).chain(&self.checks).all(within)
            && self.unique.iter().all(|u| u.parts.iter().all(part) && u.condition.as_ref().is_none_or(within))
            && self.foreign_keys.iter().flat_map(|key| &key.columns).all(|at| *at < columns)
    }
}
