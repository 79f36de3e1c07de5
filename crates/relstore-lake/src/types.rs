//! Logical types as Arrow and as Iceberg, and cells on their way into and out of Arrow arrays.
//!
//! | logical               | Arrow                      | Iceberg     |
//! |-----------------------|----------------------------|-------------|
//! | Integer               | Int64                      | long        |
//! | Real                  | Float64                    | double      |
//! | Text, Json, Any       | Utf8                       | string      |
//! | Blob                  | LargeBinary                | binary      |
//! | Boolean               | Boolean                    | boolean     |
//! | Timestamp, TimestampMs| Timestamp(µs, "+00:00")    | timestamptz |
//!
//! The Arrow types are those that the iceberg crate makes of its own. A cell that does not fit its column is refused by
//! [`ColumnBuilder::push`], which puts a stand-in there: NULL, or the number's text in a column of text, so that a query of a column
//! without a type shows something true. The caller keeps the raw cell elsewhere, so that nothing is lost.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanBuilder, Float64Builder, Int64Builder, LargeBinaryBuilder, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType};
use iceberg::spec::{PrimitiveType, Type};
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;
use relstore_model::{Column, LogicalType, Value, ValueRef};

/// The zone that the iceberg crate writes for `timestamptz`.
const UTC: &str = "+00:00";

/// The Arrow type of a logical type.
#[must_use]
pub fn arrow_type(logical: LogicalType) -> DataType {
    match logical {
        LogicalType::Integer => DataType::Int64,
        LogicalType::Real => DataType::Float64,
        LogicalType::Text | LogicalType::Json | LogicalType::Any => DataType::Utf8,
        LogicalType::Blob => DataType::LargeBinary,
        LogicalType::Boolean => DataType::Boolean,
        LogicalType::Timestamp | LogicalType::TimestampMs => DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into())),
    }
}

/// The Iceberg type of a logical type.
#[must_use]
pub fn iceberg_type(logical: LogicalType) -> Type {
    Type::Primitive(match logical {
        LogicalType::Integer => PrimitiveType::Long,
        LogicalType::Real => PrimitiveType::Double,
        LogicalType::Text | LogicalType::Json | LogicalType::Any => PrimitiveType::String,
        LogicalType::Blob => PrimitiveType::Binary,
        LogicalType::Boolean => PrimitiveType::Boolean,
        LogicalType::Timestamp | LogicalType::TimestampMs => PrimitiveType::Timestamptz,
    })
}

/// A logical type whose cells an Iceberg column of type `kind` holds; `None` for a type that history does not use. `doc`, the column's
/// documentation, tells apart those that share a type: [`column_doc`] writes it.
#[must_use]
pub fn logical_type(kind: &Type, doc: Option<&str>) -> Option<LogicalType> {
    const ALL: [LogicalType; 9] = [
        LogicalType::Integer,
        LogicalType::Real,
        LogicalType::Text,
        LogicalType::Blob,
        LogicalType::Boolean,
        LogicalType::TimestampMs,
        LogicalType::Timestamp,
        LogicalType::Json,
        LogicalType::Any,
    ];
    let mut alike = ALL.into_iter().filter(|logical| iceberg_type(*logical) == *kind);
    let first = alike.clone().next();
    alike.find(|logical| doc == Some(logical.name())).or(first)
}

/// What a column of history says in its documentation: the logical type's name.
#[must_use]
pub fn column_doc(logical: LogicalType) -> &'static str {
    logical.name()
}

/// The Arrow field of a column: always nullable, its id under `PARQUET:field_id`.
#[must_use]
pub fn field(column: &Column) -> Field {
    let id = (PARQUET_FIELD_ID_META_KEY.to_owned(), column.id.0.to_string());
    Field::new(&column.name, arrow_type(column.logical), true).with_metadata([id].into())
}

/// Builds the Arrow array of one column, a cell at a time.
#[derive(Debug)]
pub struct ColumnBuilder {
    logical: LogicalType,
    cells: Cells,
}

#[derive(Debug)]
enum Cells {
    Integer(Int64Builder),
    Real(Float64Builder),
    Text(StringBuilder),
    Blob(LargeBinaryBuilder),
    Boolean(BooleanBuilder),
    Moment { cells: TimestampMicrosecondBuilder, micros_per_unit: i64 },
}

/// How many bytes a text or blob cell is expected to take: a wrong guess costs a reallocation.
const BYTES_PER_CELL: usize = 16;

impl ColumnBuilder {
    /// A builder with room for `capacity` cells of `logical`; it grows beyond.
    #[must_use]
    pub fn new(logical: LogicalType, capacity: usize) -> Self {
        let moments = |micros_per_unit| Cells::Moment {
            cells: TimestampMicrosecondBuilder::with_capacity(capacity).with_timezone(UTC),
            micros_per_unit,
        };
        let cells = match logical {
            LogicalType::Integer => Cells::Integer(Int64Builder::with_capacity(capacity)),
            LogicalType::Real => Cells::Real(Float64Builder::with_capacity(capacity)),
            LogicalType::Text | LogicalType::Json | LogicalType::Any => {
                Cells::Text(StringBuilder::with_capacity(capacity, capacity * BYTES_PER_CELL))
            }
            LogicalType::Blob => Cells::Blob(LargeBinaryBuilder::with_capacity(capacity, capacity * BYTES_PER_CELL)),
            LogicalType::Boolean => Cells::Boolean(BooleanBuilder::with_capacity(capacity)),
            LogicalType::Timestamp => moments(1_000_000),
            LogicalType::TimestampMs => moments(1_000),
        };
        Self { logical, cells }
    }

    /// The type its cells are read as.
    #[must_use]
    pub fn logical(&self) -> LogicalType {
        self.logical
    }

    /// Reads the cells that follow as `logical`, which must have the same Arrow type: stores may mean different units.
    pub(crate) fn read_as(&mut self, logical: LogicalType) {
        assert!(arrow_type(self.logical) == arrow_type(logical), "a column's Arrow type stands");
        self.logical = logical;
        if let Cells::Moment { micros_per_unit, .. } = &mut self.cells {
            *micros_per_unit = if logical == LogicalType::Timestamp { 1_000_000 } else { 1_000 };
        }
    }

    /// How many cells it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        use arrow::array::ArrayBuilder;
        match &self.cells {
            Cells::Integer(b) => b.len(),
            Cells::Real(b) => b.len(),
            Cells::Text(b) => b.len(),
            Cells::Blob(b) => b.len(),
            Cells::Boolean(b) => b.len(),
            Cells::Moment { cells, .. } => cells.len(),
        }
    }

    /// Whether it holds no cell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends `cell`. `false`: it does not fit the type, and a stand-in has its place: a number's text in a column of text, else NULL.
    #[inline]
    pub fn push(&mut self, cell: ValueRef<'_>) -> bool {
        match (&mut self.cells, cell) {
            (Cells::Integer(b), ValueRef::Integer(i)) => b.append_value(i),
            (Cells::Real(b), ValueRef::Real(r)) => b.append_value(r),
            // SQLite keeps whole floats as integers; beyond 2^53 not every integer is a float.
            (Cells::Real(b), ValueRef::Integer(i)) if i.unsigned_abs() <= 1 << 53 => b.append_value(i as f64),
            (Cells::Text(b), ValueRef::Text(t)) => match std::str::from_utf8(t) {
                Ok(text) => b.append_value(text),
                Err(_) => {
                    b.append_null();
                    return false;
                }
            },
            (Cells::Text(b), ValueRef::Integer(i)) => {
                b.append_value(i.to_string());
                return false;
            }
            (Cells::Text(b), ValueRef::Real(r)) => {
                b.append_value(format!("{r:?}"));
                return false;
            }
            (Cells::Blob(b), ValueRef::Blob(bytes)) => b.append_value(bytes),
            (Cells::Boolean(b), ValueRef::Integer(i @ (0 | 1))) => b.append_value(i == 1),
            (Cells::Moment { cells, micros_per_unit }, ValueRef::Integer(i)) => match i.checked_mul(*micros_per_unit) {
                Some(micros) => cells.append_value(micros),
                None => {
                    cells.append_null();
                    return false;
                }
            },
            (_, cell) => {
                self.push_nulls(1);
                return matches!(cell, ValueRef::Null);
            }
        }
        true
    }

    /// Appends `count` NULLs.
    pub fn push_nulls(&mut self, count: usize) {
        match &mut self.cells {
            Cells::Integer(b) => b.append_nulls(count),
            Cells::Real(b) => b.append_nulls(count),
            Cells::Text(b) => (0..count).for_each(|_| b.append_null()),
            Cells::Blob(b) => (0..count).for_each(|_| b.append_null()),
            Cells::Boolean(b) => b.append_nulls(count),
            Cells::Moment { cells, .. } => cells.append_nulls(count),
        }
    }

    /// The cells so far as an array; the builder is empty after.
    pub fn finish(&mut self) -> ArrayRef {
        match &mut self.cells {
            Cells::Integer(b) => Arc::new(b.finish()),
            Cells::Real(b) => Arc::new(b.finish()),
            Cells::Text(b) => Arc::new(b.finish()),
            Cells::Blob(b) => Arc::new(b.finish()),
            Cells::Boolean(b) => Arc::new(b.finish()),
            Cells::Moment { cells, .. } => Arc::new(cells.finish()),
        }
    }
}

/// The cell at `row` as SQLite holds it: the inverse of [`ColumnBuilder::push`]. An array of another type than `logical` asks for gives
/// what it holds, as nearly as SQLite can; a type that history does not use gives NULL.
///
/// # Panics
/// If `row` is beyond the array.
#[must_use]
pub fn cell_at(array: &dyn Array, logical: LogicalType, row: usize) -> Value {
    if array.is_null(row) {
        return Value::Null;
    }
    match array.data_type() {
        DataType::Int64 => Value::Integer(array.as_primitive::<Int64Type>().value(row)),
        DataType::Float64 => Value::Real(array.as_primitive::<Float64Type>().value(row)),
        DataType::Boolean => Value::Integer(i64::from(array.as_boolean().value(row))),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let micros = array.as_primitive::<TimestampMicrosecondType>().value(row);
            let micros_per_unit = if logical == LogicalType::Timestamp { 1_000_000 } else { 1_000 };
            Value::Integer(micros.div_euclid(micros_per_unit))
        }
        DataType::Utf8 => Value::Text(array.as_string::<i32>().value(row).to_owned()),
        DataType::LargeUtf8 => Value::Text(array.as_string::<i64>().value(row).to_owned()),
        DataType::Utf8View => Value::Text(array.as_string_view().value(row).to_owned()),
        DataType::Binary => Value::Blob(array.as_binary::<i32>().value(row).to_vec()),
        DataType::LargeBinary => Value::Blob(array.as_binary::<i64>().value(row).to_vec()),
        DataType::BinaryView => Value::Blob(array.as_binary_view().value(row).to_vec()),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPES: [LogicalType; 9] = [
        LogicalType::Integer,
        LogicalType::Real,
        LogicalType::Text,
        LogicalType::Blob,
        LogicalType::Boolean,
        LogicalType::Timestamp,
        LogicalType::TimestampMs,
        LogicalType::Json,
        LogicalType::Any,
    ];

    /// Whether both are one cell to SQLite in a column of the type: there, a whole float and its integer are.
    fn is_same(logical: LogicalType, a: &Value, b: &Value) -> bool {
        match (logical, a, b) {
            (LogicalType::Real, Value::Integer(i), Value::Real(r)) => *i as f64 == *r && *r as i64 == *i,
            _ => a.as_ref().same(b.as_ref()),
        }
    }

    #[test]
    fn a_cell_of_any_type_comes_back_or_is_refused() {
        let cells = [
            Value::Null,
            Value::Integer(0),
            Value::Integer(1),
            Value::Integer(-7),
            Value::Integer(i64::MAX),
            Value::Integer(i64::MIN),
            Value::Integer((1 << 53) + 1),
            Value::Integer(1_357_017_420_123),
            Value::Real(0.0),
            Value::Real(-0.0),
            Value::Real(f64::INFINITY),
            Value::Real(1.5e300),
            Value::Text(String::new()),
            Value::Text("é {\"a\":1}".into()),
            Value::Blob(vec![]),
            Value::Blob(vec![0, 255]),
        ];
        for logical in TYPES {
            let mut builder = ColumnBuilder::new(logical, 0);
            let fitted: Vec<bool> = cells.iter().map(|cell| builder.push(cell.as_ref())).collect();
            assert_eq!(builder.len(), cells.len());
            let array = builder.finish();
            assert_eq!(array.data_type(), &arrow_type(logical));
            assert!(builder.is_empty());
            for (row, (cell, fitted)) in cells.iter().zip(fitted).enumerate() {
                let read = cell_at(&array, logical, row);
                if fitted {
                    assert!(is_same(logical, cell, &read), "{logical:?} {cell:?} came back as {read:?}");
                    assert!(logical == LogicalType::Any || logical.fits(cell.as_ref()), "{logical:?} {cell:?}");
                } else {
                    let stand_in = match cell {
                        Value::Integer(i) if arrow_type(logical) == DataType::Utf8 => Value::Text(i.to_string()),
                        Value::Real(r) if arrow_type(logical) == DataType::Utf8 => Value::Text(format!("{r:?}")),
                        _ => Value::Null,
                    };
                    assert_eq!(read, stand_in, "{logical:?} {cell:?}");
                }
            }
        }
    }

    #[test]
    fn text_that_is_not_utf_8_is_refused() {
        let mut builder = ColumnBuilder::new(LogicalType::Text, 1);
        assert!(!builder.push(ValueRef::Text(&[0xff])));
        assert_eq!(cell_at(&builder.finish(), LogicalType::Text, 0), Value::Null);
    }

    #[test]
    fn an_iceberg_column_knows_its_logical_type() {
        for logical in TYPES {
            assert_eq!(logical_type(&iceberg_type(logical), Some(column_doc(logical))), Some(logical));
        }
        assert_eq!(logical_type(&Type::Primitive(PrimitiveType::String), None), Some(LogicalType::Text));
        assert_eq!(logical_type(&Type::Primitive(PrimitiveType::Uuid), None), None);
    }
}
