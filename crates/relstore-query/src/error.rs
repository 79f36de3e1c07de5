//! DataFusion's and Iceberg's errors as ours: a kind that says what to do, the place in the SQL, the nearest name.

use std::error::Error as StdError;
use std::io;

use datafusion::common::{DataFusionError, SchemaError};
use datafusion::object_store;
use datafusion::sql::sqlparser::parser::ParserError;
use relstore_lake::iceberg::{Error as IcebergError, ErrorKind as IcebergKind};
use relstore_model::identifier::nearest;
use relstore_model::{Error, ErrorKind};

use crate::names::Names;

/// An Iceberg error on its way through DataFusion; [`from_datafusion`] finds it again.
pub(crate) fn external(e: IcebergError) -> DataFusionError {
    DataFusionError::External(Box::new(e))
}

/// The error `e` of the query `sql` over the tables of `names`.
pub(crate) fn from_datafusion(e: DataFusionError, sql: &str, names: &Names) -> Error {
    let error = Judge { sql, names, place: None }.judge(&e);
    // What says all there is to say keeps no source: a log would print it twice.
    match error.kind() {
        ErrorKind::Internal | ErrorKind::Unavailable | ErrorKind::Corrupt => error.with_source(e),
        _ => error,
    }
}

struct Judge<'a> {
    sql: &'a str,
    names: &'a Names,
    /// Line and column from 1, in characters.
    place: Option<(u64, u64)>,
}

impl Judge<'_> {
    fn judge(mut self, e: &DataFusionError) -> Error {
        match e {
            DataFusionError::Context(_, inner) => self.judge(inner),
            DataFusionError::Shared(inner) => self.judge(inner),
            DataFusionError::Diagnostic(diagnostic, inner) => {
                self.place = diagnostic.span.map(|s| (s.start.line, s.start.column)).or(self.place);
                self.judge(inner)
            }
            DataFusionError::Collection(all) => match all.first() {
                Some(first) => self.judge(first),
                None => Error::internal("the query failed without a reason"),
            },
            DataFusionError::SQL(e, _) => self.syntax(e),
            DataFusionError::SchemaError(e, _) => self.schema(e),
            DataFusionError::Plan(message) => self.plan(message),
            DataFusionError::NotImplemented(message) => self.at(Error::unsupported(first_line(message))),
            // A division by zero, a text that is no number: the rows and the statement do not go together.
            DataFusionError::Execution(message) => Error::invalid(first_line(message)).with("sql", one_line(self.sql)),
            DataFusionError::ResourcesExhausted(message) => Error::unavailable(first_line(message))
                .with("sql", one_line(self.sql))
                .with_hint("the query needs more memory than the session may use: narrow it, or give the session more"),
            DataFusionError::ArrowError(e, _) => self.arrow(e),
            other => self.foreign(other),
        }
    }

    fn arrow(self, e: &arrow::error::ArrowError) -> Error {
        use arrow::error::ArrowError as A;
        match e {
            A::DivideByZero | A::ArithmeticOverflow(_) | A::CastError(_) | A::ParseError(_) | A::ComputeError(_) => {
                Error::invalid(first_line(&e.to_string())).with("sql", one_line(self.sql))
            }
            A::ExternalError(inner) => match inner.downcast_ref::<DataFusionError>() {
                Some(inner) => self.judge(inner),
                None => self.foreign(inner.as_ref()),
            },
            other => self.foreign(other),
        }
    }

    fn syntax(mut self, e: &ParserError) -> Error {
        let text = match e {
            ParserError::ParserError(text) | ParserError::TokenizerError(text) => text,
            ParserError::RecursionLimitExceeded => return Error::invalid("the statement is nested too deeply"),
        };
        let (message, place) = split_place(text);
        self.place = place;
        self.at(Error::invalid(message))
    }

    fn schema(self, e: &SchemaError) -> Error {
        let SchemaError::FieldNotFound { field, valid_fields } = e else {
            return self.at(Error::invalid(first_line(&e.to_string())));
        };
        let error = Error::not_found("no such column").with("column", field.flat_name());
        let valid: Vec<&str> = valid_fields.iter().map(|c| c.name.as_str()).collect();
        let hint = match nearest(&field.name, valid.iter().copied()) {
            Some(name) if name == field.name => valid_fields.iter().find(|c| c.name == name).map(|c| did_you_mean(&c.flat_name())),
            Some(name) => Some(did_you_mean(name)),
            None if valid.is_empty() => None,
            None => Some(format!("the columns here are {}", listed(&valid))),
        };
        let error = if let Some(hint) = hint { error.with_hint(hint) } else { error };
        self.at(error)
    }

    fn plan(self, message: &str) -> Error {
        let message = first_line(message);
        if let Some(name) = message.strip_prefix("table '").and_then(|m| m.strip_suffix("' not found")) {
            return self.no_table(name);
        }
        if let Some(rest) = message.strip_prefix("Invalid function '") {
            let name = rest.split('\'').next().unwrap_or(rest);
            let error = Error::not_found("no such function").with("function", name);
            return self.at(error.with_hint("the SQL is DataFusion's: SELECT * FROM information_schema.routines lists its functions"));
        }
        if message.starts_with("table function '") || message.starts_with("No field named") {
            return self.at(Error::not_found(message));
        }
        self.at(Error::invalid(message))
    }

    fn no_table(self, full: &str) -> Error {
        let mut parts: Vec<&str> = full.split('.').collect();
        // DataFusion gives the resolved name; the catalog is always ours and says nothing.
        if parts.len() == 3 {
            parts.remove(0);
        }
        let (schema, name) = match parts[..] {
            [schema, name] => (schema, name),
            _ => (Names::CURRENT, full),
        };
        let shown = if schema == Names::CURRENT { name.to_owned() } else { format!("{schema}.{name}") };
        let error = Error::not_found("no such table").with("table", shown);
        let known = self.names.tables_of(schema);
        let hint = match nearest(name, known.iter().copied()) {
            Some(near) if schema == Names::CURRENT => did_you_mean(near),
            Some(near) => did_you_mean(&format!("{schema}.{near}")),
            None if known.is_empty() => format!("the schemas are {}", listed(&Names::SCHEMAS)),
            None => format!("the tables are {}", listed(&known)),
        };
        self.at(error.with_hint(hint))
    }

    /// An error from below: the lake, the disk, the bucket.
    fn foreign(self, e: &(dyn StdError + 'static)) -> Error {
        let mut next = Some(e);
        let mut corrupt = None;
        while let Some(e) = next {
            if let Some(io) = e.downcast_ref::<io::Error>() {
                return unavailable(io.to_string(), io.kind() == io::ErrorKind::NotFound);
            }
            if let Some(store) = e.downcast_ref::<object_store::Error>() {
                return unavailable(first_line(&store.to_string()), matches!(store, object_store::Error::NotFound { .. }));
            }
            if let Some(iceberg) = e.downcast_ref::<IcebergError>() {
                match iceberg.kind() {
                    IcebergKind::FeatureUnsupported => return Error::unsupported(iceberg.message().to_owned()),
                    _ if iceberg.retryable() => return unavailable(iceberg.message().to_owned(), false),
                    // Iceberg's own file storage says so of a missing file too, and keeps the disk's words as text only.
                    IcebergKind::DataInvalid if iceberg.message().contains("(os error ") => {
                        return unavailable(iceberg.message().to_owned(), iceberg.message().contains("(os error 2)"));
                    }
                    // What the disk or the bucket says, further down, weighs more: a missing file is not a corrupt one.
                    IcebergKind::DataInvalid => corrupt = Some(iceberg.message().to_owned()),
                    _ => {}
                }
            }
            if let Some(parquet) = e.downcast_ref::<datafusion::parquet::errors::ParquetError>() {
                corrupt = Some(first_line(&parquet.to_string()));
            }
            next = e.source();
        }
        match corrupt {
            Some(message) => Error::corrupt(message),
            None => Error::internal(first_line(&e.to_string())).with("sql", one_line(self.sql)),
        }
    }

    /// Shows the place in the SQL where there is one, else the statement.
    fn at(&self, error: Error) -> Error {
        let Some((line_no, column)) = self.place.filter(|(l, c)| *l > 0 && *c > 0) else {
            return error.with("sql", one_line(self.sql));
        };
        let (line_no, column) = (usize::try_from(line_no).unwrap_or(usize::MAX), usize::try_from(column).unwrap_or(usize::MAX));
        match self.sql.lines().nth(line_no - 1) {
            Some(line) if column <= line.chars().count() + 1 => error.with("at", format!("\n  {line}\n  {}^\n", " ".repeat(column - 1))),
            _ => error.with("sql", one_line(self.sql)),
        }
    }
}

fn unavailable(message: String, gone: bool) -> Error {
    Error::unavailable(message).with_hint(if gone {
        "a file of the table is gone: the table has moved on, so open a new session; if it is still gone, check the bucket"
    } else {
        "the storage did not answer: try again"
    })
}

/// The parser's message without its ` at Line: 1, Column: 8`, and that place.
fn split_place(text: &str) -> (String, Option<(u64, u64)>) {
    let text = first_line(text);
    let Some((message, place)) = text.rsplit_once(" at Line: ") else { return (text, None) };
    let numbers = place.split_once(", Column: ").and_then(|(l, c)| Some((l.parse().ok()?, c.trim().parse().ok()?)));
    match numbers {
        Some(place) => (message.trim_end_matches(',').to_owned(), Some(place)),
        None => (text, None),
    }
}

fn did_you_mean(name: &str) -> String {
    format!("did you mean {name}?")
}

fn listed(names: &[&str]) -> String {
    const COUNT_MAX: usize = 12;
    let shown = names.iter().take(COUNT_MAX).copied().collect::<Vec<_>>().join(", ");
    if names.len() > COUNT_MAX { format!("{shown}, …") } else { shown }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

fn one_line(sql: &str) -> String {
    const CHARS_MAX: usize = 200;
    let mut line: String = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((i, _)) = line.char_indices().nth(CHARS_MAX) {
        line.truncate(i);
        line.push('…');
    }
    line
}
