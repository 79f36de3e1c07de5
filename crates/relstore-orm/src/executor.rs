//! Who runs statements, and the words that start one.

use relstore_model::{Result, Value, ValueRef};

use crate::fragment::Fragment;
use crate::prepared::{Held, Params, Preparable, Prepared};
use crate::scope::Nil;
use crate::select::{Chosen, FromItem, Query, SelectFrom, Whole, With, count_of_rows};
use crate::table::{FilledBy, TableRef};
use crate::write::{Delete, Insert, UpdateTable};

/// Runs statements for the typed layer. The façade implements it for a store and for an open transaction.
///
/// `params` fill the `?` of `sql` from left to right. A statement is atomic: when it fails it has changed nothing.
pub trait Executor {
    /// Runs one statement that gives rows and hands each to `each`, in the statement's order.
    ///
    /// The cells are borrowed and live for one call. A statement with `RETURNING` comes this way too and writes, so implementers MUST
    /// run it to its end even though it gives rows. An error from `each` ends the statement, undoes its writes and is given back.
    ///
    /// # Errors
    /// Whatever the statement or `each` gives.
    fn query(&self, sql: &str, params: &[Value], each: &mut dyn FnMut(&[ValueRef<'_>]) -> Result<()>) -> Result<()>;

    /// Runs one statement that gives no rows; gives the number of rows it changed.
    ///
    /// # Errors
    /// Whatever the statement gives.
    fn execute(&self, sql: &str, params: &[Value]) -> Result<u64>;

    /// Runs one statement once per row of parameters, all in one transaction (nested in the open one, if any); gives the total number
    /// of rows changed.
    ///
    /// Implementers MUST take every row before they give `Ok`, and MUST fail at a row that has not as many values as `sql` has `?`.
    ///
    /// # Errors
    /// What the first statement that fails gives; then none of the rows has changed anything.
    fn execute_many(&self, sql: &str, rows: &mut dyn Iterator<Item = Vec<Value>>) -> Result<u64>;

    /// As [`Executor::query`], for a statement that is called often and whose parameters are borrowed. Implementers may keep what they know
    /// of a statement by [`Held::id`].
    ///
    /// # Errors
    /// As [`Executor::query`].
    fn query_held(&self, statement: &Held, params: &[ValueRef<'_>], each: &mut dyn FnMut(&[ValueRef<'_>]) -> Result<()>) -> Result<()> {
        let params: Vec<Value> = params.iter().map(|cell| cell.to_value()).collect();
        self.query(statement.sql(), &params, each)
    }

    /// As [`Executor::execute`], for a statement that is called often and whose parameters are borrowed.
    ///
    /// # Errors
    /// As [`Executor::execute`].
    fn execute_held(&self, statement: &Held, params: &[ValueRef<'_>]) -> Result<u64> {
        let params: Vec<Value> = params.iter().map(|cell| cell.to_value()).collect();
        self.execute(statement.sql(), &params)
    }
}

/// The words that start a statement, on everything that runs statements.
///
/// It is implemented for every [`Executor`]; you need not, and cannot, implement it yourself.
pub trait Typed {
    /// This, as an executor.
    fn as_executor(&self) -> &dyn Executor;

    /// Starts a `SELECT` of whole rows: one table gives its model, joins give tuples of models.
    fn select(&self) -> SelectFrom<'_, Whole<()>> {
        SelectFrom::new(self.as_executor(), Whole::default())
    }

    /// Starts a `SELECT` of one expression, or of a tuple of up to twelve: columns, [`count`](crate::count()) and other expressions, and
    /// tables, which give their models.
    fn select_cols<P>(&self, projection: P) -> SelectFrom<'_, Chosen<P>> {
        SelectFrom::new(self.as_executor(), Chosen::new(projection))
    }

    /// Names a query for the statement that follows: see [`With`].
    fn with<C, Q, Proof>(&self, table: C, query: Q) -> With<'_>
    where
        C: TableRef,
        Q: Query<Proof, Outer = Nil>,
        C::Model: FilledBy<Q::Row>,
    {
        With::new(self.as_executor()).with(table, query)
    }

    /// The number of rows of a table.
    ///
    /// # Errors
    /// What the executor gives.
    fn count<C: FromItem>(&self, table: C) -> Result<u64> {
        let mut counting = Fragment::text("SELECT count(*) FROM ");
        table.render(&mut counting);
        count_of_rows(self.as_executor(), counting)
    }

    /// Starts an `INSERT`.
    fn insert<C: TableRef>(&self, table: C) -> Insert<'_, C::Model> {
        let _ = table;
        Insert::new(self.as_executor())
    }

    /// Starts an `UPDATE`. Without a condition it updates every row.
    fn update<C: TableRef>(&self, table: C) -> UpdateTable<'_, C::Model> {
        let _ = table;
        UpdateTable::new(self.as_executor())
    }

    /// Starts a `DELETE`. Without a condition it deletes every row.
    fn delete<C: TableRef>(&self, table: C) -> Delete<'_, C::Model> {
        let _ = table;
        Delete::new(self.as_executor())
    }

    /// Writes a statement once, to be called often: see [`Prepared`]. `build` gets the parameters, whose types it names, and gives the
    /// statement that uses them, unrun.
    ///
    /// # Errors
    /// `Constraint` if a value in the statement fits no cell; `Invalid` if the statement sets nothing or inserts other than one row. What
    /// the executor thinks of the statement comes with the first call.
    fn prepare<'e, Ps, Q, Proof>(&'e self, build: impl FnOnce(Ps) -> Q) -> Result<Prepared<'e, Ps, Q::Outcome>>
    where
        Ps: Params,
        Q: Preparable<'e, Proof>,
    {
        build(Ps::numbered(&mut 0)).prepare()
    }
}

impl<E: Executor> Typed for E {
    fn as_executor(&self) -> &dyn Executor {
        self
    }
}

impl Typed for dyn Executor + '_ {
    fn as_executor(&self) -> &dyn Executor {
        self
    }
}
