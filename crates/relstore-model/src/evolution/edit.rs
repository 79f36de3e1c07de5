//! One change as a value, and as the JSON that programs write it in.
//!
//! `{"type": "ADD_COLUMN", "table", "column": {"name", "type", "nullable"?, "default"?}}`, `{"type": "DROP_COLUMN", "table", "column"}`,
//! `{"type": "RENAME_COLUMN", "table", "from", "to"}`, `{"type": "MODIFY_COLUMN", "table", "column", "changes": {"type"?, "nullable"?,
//! "default"?}}`. A default is a JSON string, number, boolean or null, and means that constant; `{"sql": "unixepoch()"}` is an expression.

use serde_json::{Map, Value as Json};

use crate::identifier::{nearest, quote_literal};
use crate::schema::{Cell, ColumnFacts, DefaultExpression, TableFacts};
use crate::{Column, ColumnId, Error, LogicalType, Result, Schema, Table, Value};

/// One change of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Edit {
    /// A column is added at the end of its table.
    AddColumn {
        /// The table.
        table: String,
        /// The column.
        column: NewColumn,
    },
    /// A column is dropped.
    DropColumn {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// A column is renamed.
    RenameColumn {
        /// The table.
        table: String,
        /// Its name.
        from: String,
        /// Its name afterwards.
        to: String,
    },
    /// A column's definition changes.
    ModifyColumn {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// What changes.
        changes: ColumnChanges,
    },
}

/// A column to add.
#[derive(Clone, Debug, PartialEq)]
pub struct NewColumn {
    /// Its name.
    pub name: String,
    /// Its type as in DDL; empty for none.
    pub declared: String,
    /// Whether it takes NULL.
    pub nullable: bool,
    /// Its default as SQL.
    pub default: Option<String>,
}

/// What changes of a column; `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ColumnChanges {
    /// Its type as in DDL.
    pub declared: Option<String>,
    /// Whether it takes NULL.
    pub nullable: Option<bool>,
    /// Its default as SQL; `Some(None)` takes it away.
    pub default: Option<Option<String>>,
}

/// How the fields of one kind of change are read.
type Read = fn(&Map<String, Json>) -> Result<Edit>;

const TYPES: [&str; 4] = ["ADD_COLUMN", "DROP_COLUMN", "RENAME_COLUMN", "MODIFY_COLUMN"];

impl Edit {
    /// Reads a change from JSON.
    ///
    /// # Errors
    /// `Invalid`, with the field, what was given and what is expected.
    pub fn from_json(json: &Json) -> Result<Self> {
        let fields = object(json, "the change")?;
        let kind = text(fields, "", "type")?;
        let (known, read): (&[&str], Read) = match kind.as_str() {
            "ADD_COLUMN" => (&["type", "table", "column"], |f| {
                let column = object(field(f, "", "column", "an object with name and type")?, "column")?;
                only(column, "column.", &["name", "type", "nullable", "default"])?;
                Ok(Self::AddColumn {
                    table: text(f, "", "table")?,
                    column: NewColumn {
                        name: text(column, "column.", "name")?,
                        declared: text(column, "column.", "type")?,
                        nullable: flag(column, "column.", "nullable")?.unwrap_or(true),
                        default: default(column, "column.")?.flatten(),
                    },
                })
            }),
            "DROP_COLUMN" => {
                (&["type", "table", "column"], |f| Ok(Self::DropColumn { table: text(f, "", "table")?, column: text(f, "", "column")? }))
            }
            "RENAME_COLUMN" => (&["type", "table", "from", "to"], |f| {
                Ok(Self::RenameColumn { table: text(f, "", "table")?, from: text(f, "", "from")?, to: text(f, "", "to")? })
            }),
            "MODIFY_COLUMN" => (&["type", "table", "column", "changes"], |f| {
                let changes = object(field(f, "", "changes", "an object with type, nullable or default")?, "changes")?;
                only(changes, "changes.", &["type", "nullable", "default"])?;
                if changes.is_empty() {
                    return Err(expected("changes", "{}", "an object with type, nullable or default"));
                }
                Ok(Self::ModifyColumn {
                    table: text(f, "", "table")?,
                    column: text(f, "", "column")?,
                    changes: ColumnChanges {
                        declared: changes.contains_key("type").then(|| text(changes, "changes.", "type")).transpose()?,
                        nullable: flag(changes, "changes.", "nullable")?,
                        default: default(changes, "changes.")?,
                    },
                })
            }),
            other => {
                let error = expected("type", &format!("\"{other}\""), &format!("one of {}", TYPES.join(", ")));
                return Err(match nearest(other, TYPES) {
                    Some(near) => error.with_hint(format!("did you mean {near}?")),
                    None => error,
                });
            }
        };
        only(fields, "", known)?;
        read(fields)
    }

    /// The schema after the change: the next version.
    ///
    /// # Errors
    /// `NotFound` if the table or column is not there, with the nearest name; `Invalid` if a name is taken already.
    pub fn apply(&self, schema: &Schema) -> Result<Schema> {
        let (Self::AddColumn { table: name, .. }
        | Self::DropColumn { table: name, .. }
        | Self::RenameColumn { table: name, .. }
        | Self::ModifyColumn { table: name, .. }) = self;
        let id = schema.table(name)?.id;
        let mut new = Schema { version: schema.version + 1, ..schema.clone() };
        for table in new.tables.iter_mut().filter(|t| t.id == id) {
            self.apply_to(table, schema.version + 1)?;
        }
        if let Self::RenameColumn { from, to, .. } = self {
            let keys = new.tables.iter_mut().filter_map(|t| t.facts.as_mut()).flat_map(|facts| &mut facts.foreign_keys);
            let to_table = keys.filter(|key| key.parent.eq_ignore_ascii_case(name));
            for column in to_table.flat_map(|key| &mut key.parent_columns).filter(|c| c.eq_ignore_ascii_case(from)) {
                column.clone_from(to);
            }
        }
        Ok(new)
    }

    fn apply_to(&self, table: &mut Table, version: u32) -> Result<()> {
        let at = |table: &Table, name: &str| table.column(name).map(|found| table.columns.iter().position(|c| c.id == found.id));
        match self {
            Self::AddColumn { column, .. } => {
                is_free(table, &column.name)?;
                let default = column.default.clone().map(DefaultExpression);
                let value = default.as_ref().and_then(|d| d.value(&column.declared)).unwrap_or(Value::Null);
                let id = table.next_column_id;
                table.next_column_id = ColumnId(id.0 + 1);
                table.columns.push(Column {
                    id,
                    name: column.name.clone(),
                    declared: column.declared.clone(),
                    logical: LogicalType::from_declared(&column.declared),
                    not_null: !column.nullable,
                    added_in: version,
                    is_virtual: false,
                    is_computed: false,
                    initial_default: Cell::from_value(value),
                });
                if let Some(facts) = &mut table.facts {
                    facts.columns.push(ColumnFacts { default, ..ColumnFacts::default() });
                }
            }
            Self::DropColumn { column, .. } => {
                if let Some(at) = at(table, column)? {
                    drop_column(table, at);
                }
            }
            Self::RenameColumn { from, to, .. } => {
                let found = at(table, from)?;
                if !from.eq_ignore_ascii_case(to) {
                    is_free(table, to)?;
                }
                if let Some(at) = found {
                    table.columns[at].name.clone_from(to);
                }
            }
            Self::ModifyColumn { column, changes, .. } => {
                let Some(at) = at(table, column)? else { return Ok(()) };
                let column = &mut table.columns[at];
                if let Some(declared) = &changes.declared {
                    column.declared.clone_from(declared);
                    column.logical = LogicalType::from_declared(declared);
                }
                column.not_null = changes.nullable.map_or(column.not_null, |nullable| !nullable);
                if let (Some(default), Some(facts)) = (&changes.default, &mut table.facts) {
                    facts.columns[at].default = default.clone().map(DefaultExpression);
                }
            }
        }
        Ok(())
    }
}

fn is_free(table: &Table, name: &str) -> Result<()> {
    match table.position(name) {
        None => Ok(()),
        Some(_) => Err(Error::invalid("the table has a column of this name already")
            .with("table", &table.name)
            .with("column", name)
            .with_hint("choose another name")),
    }
}

/// Takes the column out, and with it what the table promised of it.
fn drop_column(table: &mut Table, dropped: usize) {
    table.columns.remove(dropped);
    let moved = |at: &mut usize| *at -= usize::from(*at > dropped);
    table.primary_key.retain(|at| *at != dropped);
    table.primary_key.iter_mut().for_each(moved);
    if let Some(facts) = &mut table.facts {
        without_column(facts, dropped, moved);
    }
}

fn without_column(facts: &mut TableFacts, dropped: usize, moved: impl Fn(&mut usize)) {
    use crate::schema::{Expression, ExpressionPart, UniquePart};
    let names = |expression: &Expression| expression.columns().any(|at| at == dropped);
    let shift = |expression: &mut Expression| {
        for part in &mut expression.0 {
            if let ExpressionPart::Column(at) = part {
                moved(at);
            }
        }
    };
    facts.columns.remove(dropped);
    for generated in facts.columns.iter_mut().filter_map(|c| c.generated.as_mut()) {
        // One that named the dropped column is refused by SQLite; here it must still be of columns that are there.
        generated.0.retain(|part| *part != ExpressionPart::Column(dropped));
        shift(generated);
    }
    facts.checks.retain(|check| !names(check));
    facts.checks.iter_mut().for_each(shift);
    facts.unique.retain(|unique| {
        let is_part = |part: &UniquePart| match part {
            UniquePart::Column(at, _) => *at == dropped,
            UniquePart::Expression(expression) => names(expression),
        };
        !unique.parts.iter().any(is_part) && !unique.condition.as_ref().is_some_and(names)
    });
    for unique in &mut facts.unique {
        for part in &mut unique.parts {
            match part {
                UniquePart::Column(at, _) => moved(at),
                UniquePart::Expression(expression) => shift(expression),
            }
        }
        unique.condition.iter_mut().for_each(shift);
    }
    facts.foreign_keys.retain(|key| !key.columns.contains(&dropped));
    facts.foreign_keys.iter_mut().flat_map(|key| &mut key.columns).for_each(moved);
}

fn expected(field: &str, given: &str, expected: &str) -> Error {
    Error::invalid("a change is not of the form that is expected").with("field", field).with("given", given).with("expected", expected)
}

/// What was given, short enough for a message.
fn shown(json: Option<&Json>) -> String {
    let text = json.map_or("nothing".to_owned(), Json::to_string);
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn object<'a>(json: &'a Json, name: &str) -> Result<&'a Map<String, Json>> {
    json.as_object().ok_or_else(|| expected(name, &shown(Some(json)), "an object"))
}

fn field<'a>(fields: &'a Map<String, Json>, place: &str, name: &str, what: &str) -> Result<&'a Json> {
    fields.get(name).ok_or_else(|| expected(&format!("{place}{name}"), "nothing", what))
}

fn text(fields: &Map<String, Json>, place: &str, name: &str) -> Result<String> {
    match fields.get(name) {
        Some(Json::String(text)) if !text.is_empty() => Ok(text.clone()),
        other => Err(expected(&format!("{place}{name}"), &shown(other), "a string that is not empty")),
    }
}

fn flag(fields: &Map<String, Json>, place: &str, name: &str) -> Result<Option<bool>> {
    match fields.get(name) {
        None => Ok(None),
        Some(Json::Bool(flag)) => Ok(Some(*flag)),
        other => Err(expected(&format!("{place}{name}"), &shown(other), "true or false")),
    }
}

/// The default as SQL: `None` if nothing is said, `Some(None)` if there is to be none.
fn default(fields: &Map<String, Json>, place: &str) -> Result<Option<Option<String>>> {
    let wrong = |given: &Json| {
        expected(&format!("{place}default"), &shown(Some(given)), "a string, number, boolean or null, or {\"sql\": \"an expression\"}")
    };
    Ok(match fields.get("default") {
        None => None,
        Some(Json::Null) => Some(None),
        Some(Json::Bool(flag)) => Some(Some(i64::from(*flag).to_string())),
        Some(Json::Number(number)) => Some(Some(number.to_string())),
        Some(Json::String(text)) => Some(Some(quote_literal(text))),
        Some(given @ Json::Object(inner)) => match inner.get("sql") {
            Some(Json::String(sql)) if inner.len() == 1 && !sql.trim().is_empty() => Some(Some(sql.clone())),
            _ => return Err(wrong(given)),
        },
        Some(given @ Json::Array(_)) => return Err(wrong(given)),
    })
}

/// Refuses fields that nothing knows: a misspelt one would be passed over.
fn only(fields: &Map<String, Json>, place: &str, known: &[&str]) -> Result<()> {
    let Some((name, given)) = fields.iter().find(|(name, _)| !known.contains(&name.as_str())) else { return Ok(()) };
    let error = expected(&format!("{place}{name}"), &shown(Some(given)), &format!("one of the fields {}", known.join(", ")));
    Err(match nearest(name, known.iter().copied()) {
        Some(near) => error.with_hint(format!("did you mean {near}?")),
        None => error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Edit> {
        Edit::from_json(&serde_json::from_str(json).unwrap())
    }

    #[test]
    fn changes_read_from_json() {
        let add = read(r#"{"type":"ADD_COLUMN","table":"users","column":{"name":"age","type":"INTEGER","nullable":false,"default":0}}"#);
        let column = NewColumn { name: "age".into(), declared: "INTEGER".into(), nullable: false, default: Some("0".into()) };
        assert_eq!(add.unwrap(), Edit::AddColumn { table: "users".into(), column });
        let modify = read(r#"{"type":"MODIFY_COLUMN","table":"users","column":"age","changes":{"nullable":true,"default":null}}"#);
        let changes = ColumnChanges { declared: None, nullable: Some(true), default: Some(None) };
        assert_eq!(modify.unwrap(), Edit::ModifyColumn { table: "users".into(), column: "age".into(), changes });
        let text = read(r#"{"type":"ADD_COLUMN","table":"u","column":{"name":"n","type":"TEXT","default":"it's"}}"#).unwrap();
        assert!(matches!(&text, Edit::AddColumn { column, .. } if column.default.as_deref() == Some("'it''s'") && column.nullable));
        let sql =
            read(r#"{"type":"ADD_COLUMN","table":"u","column":{"name":"n","type":"INTEGER","default":{"sql":"unixepoch()"}}}"#).unwrap();
        assert!(matches!(&sql, Edit::AddColumn { column, .. } if column.default.as_deref() == Some("unixepoch()")));
        assert!(read(r#"{"type":"DROP_COLUMN","table":"users","column":"age"}"#).is_ok());
        assert!(read(r#"{"type":"RENAME_COLUMN","table":"users","from":"a","to":"b"}"#).is_ok());
    }

    #[test]
    fn a_wrong_shape_names_field_given_and_expected() {
        for (json, field, given, wanted) in [
            ("[]", "the change", "[]", "an object"),
            ("{}", "type", "nothing", "a string"),
            (r#"{"type":"ADD_COLUMM"}"#, "type", "\"ADD_COLUMM\"", "one of ADD_COLUMN, DROP_COLUMN, RENAME_COLUMN, MODIFY_COLUMN"),
            (r#"{"type":"DROP_COLUMN","table":7,"column":"a"}"#, "table", "7", "a string"),
            (r#"{"type":"DROP_COLUMN","table":"t","column":{"name":"a"}}"#, "column", "{\"name\":\"a\"}", "a string"),
            (r#"{"type":"ADD_COLUMN","table":"t","column":"a"}"#, "column", "\"a\"", "an object"),
            (r#"{"type":"ADD_COLUMN","table":"t"}"#, "column", "nothing", "an object with name and type"),
            (r#"{"type":"ADD_COLUMN","table":"t","column":{"name":"a"}}"#, "column.type", "nothing", "a string"),
            (
                r#"{"type":"ADD_COLUMN","table":"t","column":{"name":"a","type":"INT","nullable":"no"}}"#,
                "column.nullable",
                "\"no\"",
                "true",
            ),
            (r#"{"type":"ADD_COLUMN","table":"t","column":{"name":"a","type":"INT","default":[1]}}"#, "column.default", "[1]", "a string"),
            (r#"{"type":"ADD_COLUMN","table":"t","column":{"name":"a","type":"INT","nulable":true}}"#, "column.nulable", "true", "one of"),
            (r#"{"type":"MODIFY_COLUMN","table":"t","column":"a","changes":{}}"#, "changes", "{}", "an object with"),
            (r#"{"type":"RENAME_COLUMN","table":"t","from":"a"}"#, "to", "nothing", "a string"),
        ] {
            let error = read(json).unwrap_err();
            let [("field", f), ("given", g), ("expected", e)] = error.context() else { panic!("{error:?}") };
            assert_eq!((f.as_str(), g.as_str()), (field, given), "{json}");
            assert!(e.starts_with(wanted), "{json}: {e}");
        }
        assert_eq!(read(r#"{"type":"ADD_COLUMM"}"#).unwrap_err().hint(), Some("did you mean ADD_COLUMN?"));
    }
}
