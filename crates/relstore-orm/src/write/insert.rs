//! `INSERT`.

use std::iter::{self, Peekable};
use std::marker::PhantomData;

use relstore_model::identifier::quote;
use relstore_model::{Error, Result, Value};

use super::conflict::{OnConflict, Resolution};
use super::row::{Insertable, NewRow, Shape};
use super::{models, projected, returning_all, returning_of};
use crate::column::ColumnsOf;
use crate::definition::quoted_list;
use crate::executor::Executor;
use crate::fragment::Fragment;
use crate::scope::Only;
use crate::select::Projection;
use crate::table::Table;

/// How many `?` SQLite takes in one statement.
const PARAMS_MAX: usize = 32_766;

type Rows<'e> = Box<dyn Iterator<Item = NewRow> + 'e>;

/// An `INSERT` into the table of `T`.
///
/// Rows are taken from their iterator when the statement runs, so any number can be inserted in little memory. Consecutive rows that
/// give the same columns go together; each such run is atomic by itself. To make rows that give different columns succeed or fail
/// together, insert them in a transaction.
#[must_use = "an insert does nothing until it is run"]
pub struct Insert<'e, T> {
    executor: &'e dyn Executor,
    sources: Vec<Rows<'e>>,
    resolution: Option<Resolution>,
    table: PhantomData<fn() -> T>,
}

impl<'e, T: Table> Insert<'e, T> {
    pub(crate) fn new(executor: &'e dyn Executor) -> Self {
        Self { executor, sources: Vec::new(), resolution: None, table: PhantomData }
    }

    /// One row: a model or its `New…`.
    pub fn value<R: Insertable<T>>(mut self, row: R) -> Self {
        self.sources.push(Box::new(iter::once(row.into_row())));
        self
    }

    /// Rows: models or their `New…`, after those given before. No rows at all are no error; then nothing runs.
    pub fn values<I>(mut self, rows: I) -> Self
    where
        I: IntoIterator,
        I::IntoIter: 'e,
        I::Item: Insertable<T> + 'e,
    {
        self.sources.push(Box::new(rows.into_iter().map(Insertable::into_row)));
        self
    }

    /// What to do when a row is there already with the same values in `columns`, which must be the primary key or unique: one column
    /// or a tuple. `()` stands for any key.
    pub fn on_conflict(self, columns: impl ColumnsOf<T>) -> OnConflict<'e, T> {
        OnConflict::new(self, columns.names())
    }

    pub(super) fn resolving(self, resolution: Resolution) -> Self {
        Self { resolution: Some(resolution), ..self }
    }

    /// Inserts the rows and gives the number of rows inserted or, on conflict, updated.
    ///
    /// # Errors
    /// `Constraint` if a row breaks one; `Invalid` if `do_update` sets nothing, or if there is `on_conflict` and a row gives no column;
    /// else what the executor gives.
    pub fn execute(self) -> Result<u64> {
        let tail = Tail::new::<T>(self.resolution, "")?;
        let mut rows = self.sources.into_iter().flatten().peekable();
        let mut changed_count = 0;
        while let Some(NewRow { shape, values }) = rows.next() {
            let sql = insert_sql::<T>(&shape, 1, &tail)?;
            let params = tail.completed(values);
            changed_count += if rows.peek().is_some_and(|row| row.shape == shape) {
                let rest = iter::from_fn(|| rows.next_if(|row| row.shape == shape)).map(|row| tail.completed(row.values));
                self.executor.execute_many(&sql, &mut iter::once(params).chain(rest))?
            } else {
                self.executor.execute(&sql, &params)?
            };
        }
        Ok(changed_count)
    }

    /// Inserts the rows and gives them back as the table has them now, defaults filled in.
    ///
    /// Several rows go into one statement, as many as fit into SQLite's 32,766 parameters, and each statement is atomic. SQLite does
    /// not promise the order of the rows.
    ///
    /// # Errors
    /// As [`Insert::execute`]; `Constraint` if a cell does not have the type of its column.
    pub fn returning(self) -> Result<Vec<T>> {
        let mut found = Vec::new();
        let tail = Tail::new::<T>(self.resolution, &returning_all::<T>())?;
        let mut rows = self.sources.into_iter().flatten().peekable();
        while let Some(statement) = next_chunk::<T>(&mut rows, &tail)? {
            models(self.executor, &statement, &mut found)?;
        }
        Ok(found)
    }

    /// Inserts the rows and gives a column of each, or a tuple of columns. Otherwise as [`Insert::returning`].
    ///
    /// # Errors
    /// As [`Insert::returning`].
    pub fn returning_cols<P, Row, Proof>(self, projection: P) -> Result<Vec<Row>>
    where
        P: Projection<Only<T>, Proof, Row = Row>,
    {
        let mut found = Vec::new();
        let tail = Tail::new::<T>(self.resolution, &returning_of::<T, _, _>(&projection))?;
        let mut rows = self.sources.into_iter().flatten().peekable();
        while let Some(statement) = next_chunk::<T>(&mut rows, &tail)? {
            projected::<T, _, _>(self.executor, &statement, &projection, &mut found)?;
        }
        Ok(found)
    }
}

/// What stands after the values: the conflict clause and `RETURNING`.
struct Tail {
    sql: Fragment,
    resolves_conflicts: bool,
}

impl Tail {
    fn new<T: Table>(resolution: Option<Resolution>, returning: &str) -> Result<Self> {
        let resolves_conflicts = resolution.is_some();
        let mut sql = match resolution {
            Some(resolution) => resolution.render(T::NAME)?,
            None => Fragment::default(),
        };
        sql.push(returning);
        Ok(Self { sql, resolves_conflicts })
    }

    /// The parameters of a statement that inserts `values`.
    fn completed(&self, mut values: Vec<Value>) -> Vec<Value> {
        values.extend_from_slice(self.sql.params());
        values
    }
}

/// The text of an insert of `row_count` rows.
///
/// A row that gives no column at all goes alone, since SQLite has no form for several, and without a conflict clause, since SQLite has
/// none for it: then it is `Invalid`.
fn insert_sql<T: Table>(shape: &Shape, row_count: usize, tail: &Tail) -> Result<String> {
    let names = shape.names::<T>();
    let table = quote(T::NAME);
    if names.is_empty() && tail.resolves_conflicts {
        return Err(Error::invalid("on_conflict(…) with a row that gives no column")
            .with("table", T::NAME)
            .with_hint("give the row at least one column, such as the one that may be there already"));
    }
    let tail = tail.sql.sql();
    if names.is_empty() {
        return Ok(format!("INSERT INTO {table} DEFAULT VALUES{tail}"));
    }
    let row = format!("({})", vec!["?"; names.len()].join(", "));
    Ok(format!("INSERT INTO {table} ({}) VALUES {}{tail}", quoted_list(&names), vec![row.as_str(); row_count].join(", ")))
}

/// One statement for as many of the next rows as go together.
fn next_chunk<T: Table>(rows: &mut Peekable<impl Iterator<Item = NewRow>>, tail: &Tail) -> Result<Option<Fragment>> {
    let Some(NewRow { shape, mut values }) = rows.next() else { return Ok(None) };
    let width = values.len();
    let row_count_max = match width {
        0 => 1,
        _ => (PARAMS_MAX.saturating_sub(tail.sql.params().len()) / width).max(1),
    };
    let mut row_count = 1;
    while row_count < row_count_max {
        let Some(row) = rows.next_if(|row| row.shape == shape) else { break };
        values.extend(row.values);
        row_count += 1;
    }
    let sql = insert_sql::<T>(&shape, row_count, tail)?;
    Ok(Some(Fragment::new(sql, tail.completed(values))))
}
