//! `+ - * / %` on columns and other expressions.
//!
//! Both sides have the same number type; [`cast`](super::cast) makes one of another. A quotient is NULL where the divisor is 0, so `/` and
//! `%` give an `Option`. An integer result that does not fit its type is an error when the row is read.

use std::ops::{Add, Div, Mul, Rem, Sub};

use super::{Aggregate, Expr, Expression, Numeric, Operand, rendered};
use crate::column::{Column, Excluded};
use crate::fragment::Fragment;
use crate::scope::{Both, Concat, Conflicting, Cons, Nil, Nullness, Optional, Seen, Uses};
use crate::table::{Source, Table};
use crate::types::ColumnType;

fn calculated<L, R, B>(left: &L, operator: &str, right: R) -> Fragment
where
    L: Expression,
    R: Operand<B>,
{
    let mut fragment = Fragment::text("(");
    fragment.append(rendered(left));
    fragment.push(operator);
    right.render(&mut fragment);
    fragment.place_refusal(|| left.place());
    fragment.push(")");
    fragment
}

macro_rules! operator {
    ($trait:ident $method:ident $sql:literal ($out:ident), <$G:ident $(: $bound:path)?> $type:ident => $tables:ty) => {
        impl<$G $(: $bound)?, V: ColumnType, R> $trait<R> for $type<$G, V>
        where
            V::Base: Numeric,
            R: Operand<V::Base>,
            $tables: Concat<R::Tables>,
        {
            type Output = Expr<$out<V, R::Nullness>, Both<$tables, R::Tables>>;

            fn $method(self, right: R) -> Self::Output {
                Expr::new(calculated::<Self, R, V::Base>(&self, $sql, right))
            }
        }
    };
    ($trait:ident $method:ident $sql:literal ($out:ident), $type:ident) => {
        impl<Ts, V: ColumnType, R> $trait<R> for $type<V, Ts>
        where
            V::Base: Numeric,
            R: Operand<V::Base>,
            Ts: Concat<R::Tables>,
        {
            type Output = Expr<$out<V, R::Nullness>, Both<Ts, R::Tables>>;

            fn $method(self, right: R) -> Self::Output {
                Expr::new(calculated::<Self, R, V::Base>(&self, $sql, right))
            }
        }
    };
}

/// The value of a quotient, whatever its sides.
type Quotient<V, N> = Seen<V, <Optional as Nullness>::Or<N>>;

macro_rules! operators {
    ($($trait:ident $method:ident $sql:literal $out:ident;)+) => { $(
        operator!($trait $method $sql ($out), <T: Source> Column => Cons<Uses<T>, Nil>);
        operator!($trait $method $sql ($out), <T: Table> Excluded => Cons<Uses<Conflicting<T>>, Nil>);
        operator!($trait $method $sql ($out), Expr);
        operator!($trait $method $sql ($out), Aggregate);
    )+ };
}
operators! {
    Add add " + " Seen;
    Sub sub " - " Seen;
    Mul mul " * " Seen;
    Div div " / " Quotient;
    Rem rem " % " Quotient;
}
