//! `INSERT` of rows.

use std::iter::{self, Peekable};
use std::marker::PhantomData;

use relstore_model::identifier::quote;
use relstore_model::{Error, Result, Value};

use super::conflict::{OnConflict, Resolution, Resolve};
use super::insert_select::{Feeds, InsertSelect};
use super::row::{Insertable, NewRow, Shape};
use super::{models, projected, returning_all, returning_of};
use crate::column::ColumnsOf;
use crate::definition::quoted_list;
use crate::executor::Executor;
use crate::fragment::Fragment;
use crate::prepared::{Changes, Preparable, Prepared, prepared_write};
use crate::scope::{Nil, Only};
use crate::select::{Projection, Query};
use crate::table::Table;

/// How many `?` SQLite takes in one statement.
const PARAMS_MAX: usize = 32_766;

type NewRows<'e> = Box<dyn Iterator<Item = NewRow> + 'e>;

/// An `INSERT` into the table of `T`.
///
/// Rows are taken from their iterator when the statement runs, so any number can be inserted in little memory. Consecutive rows that
/// give the same columns go together; each such run is atomic by itself. To make rows that give different columns succeed or fail
/// together, insert them in a transaction.
#[must_use = "an insert does nothing until it is run"]
pub struct Insert<'e, T> {
    executor: &'e dyn Executor,
    sources: Vec<NewRows<'e>>,
    resolution: Option<Resolution>,
    table: PhantomData<fn() -> T>,
}

impl<T: Table> Resolve for Insert<'_, T> {
    fn resolving(self, resolution: Resolution) -> Self {
        Self { resolution: Some(resolution), ..self }
    }
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

    /// The rows that a query gives, into `columns`: one column or a tuple of up to twelve, which the query gives in their order. Rows given
    /// before are left out.
    pub fn from_select<C, Q, Proof>(self, columns: C, query: Q) -> InsertSelect<'e, T>
    where
        C: ColumnsOf<T>,
        Q: Query<Proof, Outer = Nil>,
        Q::Row: Feeds<C::Cells>,
    {
        InsertSelect::new(self.executor, columns.names(), query.into_fragment())
    }

    /// What to do when a row is there already with the same values in `columns`, which must be the primary key or unique: one column
    /// or a tuple. `()` stands for any key.
    pub fn on_conflict(self, columns: impl ColumnsOf<T>) -> OnConflict<Self, T> {
        OnConflict::new(self, columns.names())
    }

    /// Inserts the rows and gives the number of rows inserted or, on conflict, updated.
    ///
    /// # Errors
    /// `Constraint` if a row breaks one, or a value fits no cell; `Invalid` if `do_update` sets nothing, or if there is `on_conflict` and a
    /// row gives no column; else what the executor gives.
    pub fn execute(self) -> Result<u64> {
        let tail = Tail::new::<T>(self.resolution, &Fragment::default())?;
        let mut rows = self.sources.into_iter().flatten().peekable();
        let mut changed_count = 0;
        while let Some(row) = rows.next() {
            let shape = row.shape.clone();
            let sql = insert_sql::<T>(&shape, 1, &tail)?;
            let params = tail.completed(row.into_values::<T>()?)?;
            if rows.peek().is_none_or(|row| row.shape != shape) {
                changed_count += self.executor.execute(&sql, &params)?;
                continue;
            }
            // A row whose values fit no cell goes on as an empty one, which no executor takes: so the rows before it are undone.
            let mut refused = None;
            let mut next = || {
                let row = rows.next_if(|row| row.shape == shape)?;
                let params = row.into_values::<T>().and_then(|values| tail.completed(values));
                Some(params.unwrap_or_else(|error| {
                    refused = Some(error);
                    Vec::new()
                }))
            };
            let run = iter::once(params).chain(iter::from_fn(&mut next));
            let changed = self.executor.execute_many(&sql, &mut { run });
            changed_count += refused.map_or(changed, Err)?;
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
            models(self.executor, statement, &mut found)?;
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
            projected::<T, _, _>(self.executor, statement, &projection, &mut found)?;
        }
        Ok(found)
    }
}

impl<'e, T: Table> Preparable<'e, ()> for Insert<'e, T> {
    type Outcome = Changes;

    fn prepare<Ps>(self) -> Result<Prepared<'e, Ps, Changes>> {
        let tail = Tail::new::<T>(self.resolution, &Fragment::default())?;
        let mut rows = self.sources.into_iter().flatten();
        let (Some(row), None) = (rows.next(), rows.next()) else {
            return Err(Error::invalid("a prepared insert of other than one row")
                .with("table", <T as Table>::NAME)
                .with_hint("give it one .value(…) with parameters, and call it for each row"));
        };
        let mut statement = Fragment::text(insert_head::<T>(&row.shape, &tail)?);
        if row.width() == 0 {
            statement.push(" DEFAULT VALUES");
        } else {
            for (i, slot) in row.into_slots::<T>()?.into_iter().enumerate() {
                statement.push(if i == 0 { " VALUES (" } else { ", " });
                statement.push_slot(slot);
            }
            statement.push(")");
        }
        statement.append(tail.sql);
        prepared_write(self.executor, statement)
    }
}

/// What stands after the values: the conflict clause and `RETURNING`.
struct Tail {
    sql: Fragment,
    resolves_conflicts: bool,
}

impl Tail {
    fn new<T: Table>(resolution: Option<Resolution>, returning: &Fragment) -> Result<Self> {
        let resolves_conflicts = resolution.is_some();
        let mut sql = match resolution {
            Some(resolution) => resolution.render::<T>()?,
            None => Fragment::default(),
        };
        sql.append_copy(returning);
        Ok(Self { sql, resolves_conflicts })
    }

    /// The parameters of a statement that inserts `values`.
    fn completed(&self, mut values: Vec<Value>) -> Result<Vec<Value>> {
        if self.sql.slot_count() > 0 {
            values.extend(self.sql.clone().into_statement()?.1);
        }
        Ok(values)
    }
}

/// The text of an insert up to its values.
///
/// A row that gives no column at all has no conflict clause, since SQLite has none for it: then it is `Invalid`.
fn insert_head<T: Table>(shape: &Shape, tail: &Tail) -> Result<String> {
    let names = shape.names::<T>();
    let table = quote(<T as Table>::NAME);
    if !names.is_empty() {
        return Ok(format!("INSERT INTO {table} ({})", quoted_list(&names)));
    }
    if tail.resolves_conflicts {
        return Err(Error::invalid("on_conflict(…) with a row that gives no column")
            .with("table", <T as Table>::NAME)
            .with_hint("give the row at least one column, such as the one that may be there already"));
    }
    Ok(format!("INSERT INTO {table}"))
}

/// The text of an insert of `row_count` rows. A row that gives no column goes alone: SQLite has no form for several.
fn insert_sql<T: Table>(shape: &Shape, row_count: usize, tail: &Tail) -> Result<String> {
    let mut sql = insert_head::<T>(shape, tail)?;
    match shape.names::<T>().len() {
        0 => sql.push_str(" DEFAULT VALUES"),
        width => {
            let row = format!("({})", vec!["?"; width].join(", "));
            sql.push_str(" VALUES ");
            sql.push_str(&vec![row.as_str(); row_count].join(", "));
        }
    }
    sql.push_str(tail.sql.sql());
    Ok(sql)
}

/// One statement for as many of the next rows as go together.
fn next_chunk<T: Table>(rows: &mut Peekable<impl Iterator<Item = NewRow>>, tail: &Tail) -> Result<Option<Fragment>> {
    let Some(row) = rows.next() else { return Ok(None) };
    let (shape, width) = (row.shape.clone(), row.width());
    let mut slots = row.into_slots::<T>()?;
    let row_count_max = match width {
        0 => 1,
        _ => (PARAMS_MAX.saturating_sub(tail.sql.slot_count()) / width).max(1),
    };
    let mut row_count = 1;
    while row_count < row_count_max {
        let Some(row) = rows.next_if(|row| row.shape == shape) else { break };
        slots.extend(row.into_slots::<T>()?);
        row_count += 1;
    }
    slots.extend_from_slice(tail.sql.slots());
    Ok(Some(tail.sql.with_text(insert_sql::<T>(&shape, row_count, tail)?, slots)))
}
