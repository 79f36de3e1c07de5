//! Parameters of a prepared statement, and the values that a call gives them.

use std::marker::PhantomData;

use relstore_model::{Result, Value, ValueRef};

use crate::types::{ColumnType, IntoValue, Slot, SqlType, Unfit, refused};

/// A parameter of a prepared statement: it stands where a value of type `V` does.
pub struct Param<V> {
    number: usize,
    value: PhantomData<fn() -> V>,
}

impl<V> Param<V> {
    pub(crate) fn number(self) -> usize {
        self.number
    }
}

impl<V> Clone for Param<V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V> Copy for Param<V> {}

impl<V: ColumnType> IntoValue<V> for Param<V> {
    fn into_value(self) -> Result<Slot, Unfit> {
        Ok(Slot::Argument(self.number))
    }
}

impl<V: SqlType> IntoValue<Option<V>> for Param<V> {
    fn into_value(self) -> Result<Slot, Unfit> {
        Ok(Slot::Argument(self.number))
    }
}

/// The parameters of a statement: one [`Param`], a tuple of up to twelve, or `()`.
pub trait Params: Sized {
    /// The parameters, numbered from `next` on.
    #[doc(hidden)]
    fn numbered(next: &mut usize) -> Self;
}

impl<V> Params for Param<V> {
    fn numbered(next: &mut usize) -> Self {
        let number = *next;
        *next += 1;
        Self { number, value: PhantomData }
    }
}

impl Params for () {
    fn numbered(_: &mut usize) -> Self {}
}

macro_rules! params_tuple {
    ($($V:ident $n:tt),+) => {
        impl<$($V),+> Params for ($(Param<$V>,)+) {
            fn numbered(next: &mut usize) -> Self {
                ($(Param::<$V>::numbered(next),)+)
            }
        }
    };
}
crate::tuples::each_tuple!(params_tuple);

/// An argument, owned or borrowed.
#[derive(Debug)]
pub enum Bound<'a> {
    /// As the caller has it.
    Borrowed(ValueRef<'a>),
    /// As it was made of the caller's.
    Owned(Value),
}

/// A value for a parameter of type `V`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no argument for a parameter of type `{V}`",
    label = "a value of type `{V}` is expected"
)]
pub trait Argument<'a, V> {
    /// What is bound.
    ///
    /// # Errors
    /// As [`SqlType::into_cell`].
    fn bound(self) -> Result<Bound<'a>, Unfit>;
}

impl<'a, V: ColumnType> Argument<'a, V> for V {
    fn bound(self) -> Result<Bound<'a>, Unfit> {
        self.encode().map(Bound::Owned)
    }
}

impl<'a, V: SqlType> Argument<'a, Option<V>> for V {
    fn bound(self) -> Result<Bound<'a>, Unfit> {
        SqlType::into_cell(self).map(Bound::Owned)
    }
}

macro_rules! borrowed_argument {
    ($($from:ty => $column:ty, |$value:ident| $cell:expr;)+) => { $(
        impl<'a> Argument<'a, $column> for &'a $from {
            fn bound(self) -> Result<Bound<'a>, Unfit> {
                let $value = self;
                Ok(Bound::Borrowed($cell))
            }
        }

        impl<'a> Argument<'a, Option<$column>> for &'a $from {
            fn bound(self) -> Result<Bound<'a>, Unfit> {
                Argument::<'a, $column>::bound(self)
            }
        }
    )+ };
}
borrowed_argument! {
    str => String, |text| ValueRef::Text(text.as_bytes());
    String => String, |text| ValueRef::Text(text.as_bytes());
    [u8] => Vec<u8>, |bytes| ValueRef::Blob(bytes);
    Vec<u8> => Vec<u8>, |bytes| ValueRef::Blob(bytes);
}

/// Values for the parameters `Ps`: one value for one [`Param`], a tuple for a tuple.
#[diagnostic::on_unimplemented(
    message = "`{Self}` are no arguments for the parameters `{Ps}`",
    label = "as many values as there are parameters are expected, of their types and in their order"
)]
pub trait Arguments<'a, Ps> {
    /// Appends them.
    ///
    /// # Errors
    /// `Constraint` if a value fits no cell.
    #[doc(hidden)]
    fn bind(self, into: &mut Given<'a>) -> Result<()>;
}

/// Room for the arguments of a call.
#[doc(hidden)]
pub struct Given<'a> {
    list: [Bound<'a>; 12],
    count: usize,
}

impl<'a> Given<'a> {
    pub(super) fn new() -> Self {
        Self { list: [const { Bound::Borrowed(ValueRef::Null) }; 12], count: 0 }
    }

    fn push<V: ColumnType>(&mut self, argument: impl Argument<'a, V>) -> Result<()> {
        let number = self.count;
        self.list[number] = argument.bound().map_err(|unfit| refused(&unfit, V::EXPECTED, "(argument)", &number.to_string()))?;
        self.count += 1;
        Ok(())
    }

    /// The cell that fills `slot`.
    pub(super) fn cell<'b>(&'b self, slot: &'b Slot) -> ValueRef<'b> {
        match slot {
            Slot::Value(value) => value.as_ref(),
            Slot::Argument(number) => match &self.list[*number] {
                Bound::Borrowed(cell) => *cell,
                Bound::Owned(value) => value.as_ref(),
            },
        }
    }
}

impl<'a> Arguments<'a, ()> for () {
    fn bind(self, _: &mut Given<'a>) -> Result<()> {
        Ok(())
    }
}

impl<'a, V: ColumnType, A: Argument<'a, V>> Arguments<'a, Param<V>> for A {
    fn bind(self, into: &mut Given<'a>) -> Result<()> {
        into.push::<V>(self)
    }
}

macro_rules! arguments_tuple {
    ($($A:ident $V:ident $n:tt),+) => {
        impl<'a, $($V: ColumnType, $A: Argument<'a, $V>),+> Arguments<'a, ($(Param<$V>,)+)> for ($($A,)+) {
            fn bind(self, into: &mut Given<'a>) -> Result<()> {
                $( into.push::<$V>(self.$n)?; )+
                Ok(())
            }
        }
    };
}
crate::tuples::each_proven_tuple!(arguments_tuple);
