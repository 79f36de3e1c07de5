//! SQL that this crate has no words for: [`sql!`](crate::sql).

use super::{Aggregate, Condition, Expr, Expression};
use crate::column::{Column, Excluded};
use crate::fragment::Fragment;
use crate::prepared::Param;
use crate::scope::{Both, Concat, Conflicting, Cons, Nil, Uses};
use crate::table::{Source, Table};
use crate::types::{ColumnType, Slot, SqlType};

/// SQL text with holes, each filled with a column, another expression, or a value: see [`sql!`](crate::sql).
pub struct Sql<Ts> {
    fragment: Fragment,
    rest: &'static str,
    tables: std::marker::PhantomData<fn() -> Ts>,
}

/// A piece of raw SQL with typed holes.
///
/// Each `{}` takes an expression, which is written as it is, or a value, which travels as a parameter and never in the text. What comes
/// out says by [`Sql::of`] which type it has, or by [`Sql::condition`] that it is a condition. The tables of the expressions are checked
/// against the query as everywhere. The text must not have a `?` outside of quotes.
///
/// ```
/// # use relstore_orm::{Executor, Table, Typed, sql};
/// # #[derive(Table)] #[table(name = "users")] struct User { #[column(primary_key)] id: i64, email: String }
/// # fn example(store: &dyn Executor) -> relstore_model::Result<()> {
/// let domain = sql!("substr({}, instr({}, {}) + 1)", users.email, users.email, "@").of::<String>();
/// let found: Vec<(i64, String)> =
///     store.select_cols((users.id, domain)).from(users).where_(sql!("{} % {} = 1", users.id, 2).condition()).all()?;
/// # Ok(()) }
/// ```
#[macro_export]
macro_rules! sql {
    ($text:literal $(, $part:expr)* $(,)?) => {{
        const HOLES: usize = <[&str]>::len(&[$(stringify!($part)),*]);
        const _: () = $crate::check_template($text, HOLES);
        $crate::Sql::new($text)$(.part($part))*
    }};
}

/// Refuses, while compiling, a template whose holes are not as many as its parts, or that has a `?` outside of quotes.
#[doc(hidden)]
pub const fn check_template(text: &str, part_count: usize) {
    let bytes = text.as_bytes();
    let (mut at, mut hole_count, mut quote) = (0, 0, 0);
    while at < bytes.len() {
        let byte = bytes[at];
        if quote != 0 {
            if byte == quote {
                quote = 0;
            }
        } else if byte == b'\'' || byte == b'"' || byte == b'`' {
            quote = byte;
        } else if byte == b'{' && at + 1 < bytes.len() && bytes[at + 1] == b'}' {
            hole_count += 1;
        }
        assert!(quote != 0 || byte != b'?', "write {{}} for a parameter, not ?");
        at += 1;
    }
    assert!(hole_count == part_count, "sql! needs as many parts as its text has {{}}");
}

impl Sql<Nil> {
    /// The text, no hole filled yet.
    #[doc(hidden)]
    #[must_use]
    pub fn new(text: &'static str) -> Self {
        Self { fragment: Fragment::default(), rest: text, tables: std::marker::PhantomData }
    }
}

impl<Ts> Sql<Ts> {
    /// Fills the next hole.
    #[doc(hidden)]
    #[must_use]
    pub fn part<P: Part>(mut self, part: P) -> Sql<Both<Ts, P::Tables>>
    where
        Ts: Concat<P::Tables>,
    {
        let hole = hole(self.rest).unwrap_or(self.rest.len());
        self.fragment.push(&self.rest[..hole]);
        part.render(&mut self.fragment);
        Sql { fragment: self.fragment, rest: self.rest.get(hole + 2..).unwrap_or(""), tables: std::marker::PhantomData }
    }

    /// As an expression of type `V`, which is not checked: a cell of another type is an error when the row is read.
    #[must_use]
    pub fn of<V: ColumnType>(self) -> Expr<V, Ts> {
        let mut fragment = Fragment::text("(");
        fragment.append(self.fragment);
        fragment.push(self.rest);
        fragment.push(")");
        Expr::new(fragment)
    }

    /// As a condition.
    #[must_use]
    pub fn condition(self) -> Condition<Ts> {
        let whole: Expr<bool, Ts> = self.of();
        Condition::new(super::rendered(&whole))
    }
}

/// Where the next hole is, outside of quotes.
fn hole(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, byte) in text.bytes().enumerate() {
        match quote {
            Some(open) if open == byte => quote = None,
            Some(_) => {}
            None if matches!(byte, b'\'' | b'"' | b'`') => quote = Some(byte),
            None if byte == b'{' && text.as_bytes().get(at + 1) == Some(&b'}') => return Some(at),
            None => {}
        }
    }
    None
}

/// What fills a hole of [`sql!`](crate::sql): an expression, or a value.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot stand in SQL",
    label = "a column, another expression, or a value of a column type is expected"
)]
pub trait Part {
    /// What it uses, as a list of [`scope`](crate::scope).
    type Tables;

    /// Appends it.
    fn render(self, out: &mut Fragment);
}

impl<V: SqlType> Part for V {
    type Tables = Nil;

    fn render(self, out: &mut Fragment) {
        out.push_value::<V>(self);
    }
}

impl Part for &str {
    type Tables = Nil;

    fn render(self, out: &mut Fragment) {
        out.push_value::<String>(self);
    }
}

impl<V> Part for Param<V> {
    type Tables = Nil;

    fn render(self, out: &mut Fragment) {
        out.push_slot(Slot::Argument(self.number()));
    }
}

macro_rules! expression_part {
    ($(<$($G:ident $(: $bound:path)?),+> $type:ty => $tables:ty;)+) => { $(
        impl<$($G $(: $bound)?),+> Part for $type {
            type Tables = $tables;

            fn render(self, out: &mut Fragment) {
                Expression::render(&self, out);
            }
        }
    )+ };
}
expression_part! {
    <T: Source, V: ColumnType> Column<T, V> => Cons<Uses<T>, Nil>;
    <T: Table, V: ColumnType> Excluded<T, V> => Cons<Uses<Conflicting<T>>, Nil>;
    <V: ColumnType, Ts> Expr<V, Ts> => Ts;
    <V: ColumnType, Ts> Aggregate<V, Ts> => Ts;
    <Ts> Condition<Ts> => Ts;
}
