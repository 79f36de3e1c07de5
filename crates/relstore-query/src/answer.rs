//! An answer: Arrow batches as cells, and as JSON.

use std::collections::HashSet;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, Schema, TimeUnit, TimestampMicrosecondType, UInt64Type};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use datafusion::common::{DataFusionError, Result as PlanResult};
use relstore_model::{Row, Timestamp, Value};
use serde_json::{Map, Value as Json};

/// A column of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerColumn {
    /// The name as the query gives it; two columns may have one name.
    pub name: String,
    /// What the cells mean: `boolean`, `integer`, `real`, `text`, `blob`, `timestamp` (cells are microseconds since 1970 in UTC),
    /// `date` (cells are text, `2013-01-01`), `list` or `object` (cells are JSON as text), `null`, or Arrow's name for what is none of
    /// these (cells are text).
    pub type_name: String,
}

impl AnswerColumn {
    /// The cell as a person reads it: a moment as ISO 8601, a boolean as `true`, NULL as `NULL`, bytes as `x'00ff'`.
    #[must_use]
    pub fn text(&self, cell: &Value) -> String {
        match (self.type_name.as_str(), cell) {
            ("boolean", Value::Integer(i)) => (*i != 0).to_string(),
            ("timestamp", Value::Integer(i)) => iso(*i),
            (_, Value::Null) => "NULL".to_owned(),
            (_, Value::Integer(i)) => i.to_string(),
            (_, Value::Real(r)) => r.to_string(),
            (_, Value::Text(t)) => t.clone(),
            (_, Value::Blob(b)) => format!("x'{}'", b.iter().map(|x| format!("{x:02x}")).collect::<String>()),
        }
    }
}

/// The answer to a query: columns in the order of its SELECT, rows in the order of its ORDER BY, or in no order.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The columns.
    pub columns: Vec<AnswerColumn>,
    /// The rows; each has a cell for each column.
    pub rows: Vec<Row>,
}

/// The batches, which have `schema`, as cells.
pub(crate) fn cells(schema: &Schema, batches: &[RecordBatch]) -> PlanResult<Answer> {
    let columns = schema.fields().iter().map(|f| AnswerColumn { name: f.name().clone(), type_name: type_name(f.data_type()) }).collect();
    let mut rows = Vec::with_capacity(batches.iter().map(RecordBatch::num_rows).sum());
    for batch in batches {
        let columns = batch.columns().iter().map(plain).collect::<PlanResult<Vec<_>>>()?;
        for row in 0..batch.num_rows() {
            rows.push(columns.iter().map(|c| value(c, row)).collect::<PlanResult<Row>>()?);
        }
    }
    Ok(Answer { columns, rows })
}

/// The batches as an array of objects whose members are in the order of the columns. The second column of one name becomes `name_2`.
pub(crate) fn json_rows(schema: &Schema, batches: &[RecordBatch]) -> PlanResult<Vec<Json>> {
    let names = distinct_names(schema);
    let mut rows = Vec::with_capacity(batches.iter().map(RecordBatch::num_rows).sum());
    for batch in batches {
        let columns = batch.columns().iter().map(plain).collect::<PlanResult<Vec<_>>>()?;
        for row in 0..batch.num_rows() {
            let mut object = Map::with_capacity(names.len());
            for (name, column) in names.iter().zip(&columns) {
                object.insert(name.clone(), json(column, row)?);
            }
            rows.push(Json::Object(object));
        }
    }
    Ok(rows)
}

fn distinct_names(schema: &Schema) -> Vec<String> {
    let mut taken: HashSet<String> = schema.fields().iter().map(|f| f.name().clone()).collect();
    let mut seen = HashSet::new();
    let mut names = Vec::with_capacity(taken.len());
    for field in schema.fields() {
        let mut name = field.name().clone();
        if !seen.insert(name.clone()) {
            name = (2..).map(|i| format!("{}_{i}", field.name())).find(|n| !taken.contains(n)).unwrap_or(name);
            taken.insert(name.clone());
        }
        names.push(name);
    }
    names
}

fn type_name(data_type: &DataType) -> String {
    let name = match data_type {
        DataType::Null => "null",
        DataType::Boolean => "boolean",
        d if d.is_integer() => "integer",
        DataType::Float16 | DataType::Float32 | DataType::Float64 => "real",
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text",
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => "blob",
        DataType::Timestamp(..) => "timestamp",
        DataType::Date32 | DataType::Date64 => "date",
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) => "list",
        DataType::Struct(_) | DataType::Map(..) => "object",
        DataType::Dictionary(_, values) => return type_name(values),
        other => return other.to_string().to_lowercase(),
    };
    name.to_owned()
}

/// The column in one of the few types that [`value`] and [`json`] know: widening, and never losing anything but nanoseconds.
fn plain(column: &ArrayRef) -> PlanResult<ArrayRef> {
    let wanted = match column.data_type() {
        DataType::UInt64 => return Ok(column.clone()),
        d if d.is_integer() => DataType::Int64,
        DataType::Float16 | DataType::Float32 => DataType::Float64,
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => DataType::Binary,
        DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
        DataType::LargeList(field) | DataType::FixedSizeList(field, _) => DataType::List(field.clone()),
        DataType::Dictionary(_, values) => {
            let unpacked = cast(column, values)?;
            return plain(&unpacked);
        }
        _ => return Ok(column.clone()),
    };
    if *column.data_type() == wanted { Ok(column.clone()) } else { Ok(cast(column, &wanted)?) }
}

fn value(column: &ArrayRef, row: usize) -> PlanResult<Value> {
    if column.is_null(row) || *column.data_type() == DataType::Null {
        return Ok(Value::Null);
    }
    Ok(match column.data_type() {
        DataType::Boolean => Value::from(column.as_boolean().value(row)),
        DataType::Int64 => Value::Integer(column.as_primitive::<Int64Type>().value(row)),
        DataType::UInt64 => {
            let n = column.as_primitive::<UInt64Type>().value(row);
            // A text is the one cell that holds it whole.
            i64::try_from(n).map_or_else(|_| Value::Text(n.to_string()), Value::Integer)
        }
        DataType::Float64 => Value::from(column.as_primitive::<Float64Type>().value(row)),
        DataType::Utf8 => Value::Text(column.as_string::<i32>().value(row).to_owned()),
        DataType::Binary => Value::Blob(column.as_binary::<i32>().value(row).to_vec()),
        DataType::Timestamp(..) => Value::Integer(column.as_primitive::<TimestampMicrosecondType>().value(row)),
        DataType::List(_) | DataType::Struct(_) | DataType::Map(..) => Value::Text(json(column, row)?.to_string()),
        _ => Value::Text(display(column, row)?),
    })
}

fn json(column: &ArrayRef, row: usize) -> PlanResult<Json> {
    if column.is_null(row) || *column.data_type() == DataType::Null {
        return Ok(Json::Null);
    }
    Ok(match column.data_type() {
        DataType::Boolean => Json::Bool(column.as_boolean().value(row)),
        DataType::Int64 => Json::from(column.as_primitive::<Int64Type>().value(row)),
        DataType::UInt64 => Json::from(column.as_primitive::<UInt64Type>().value(row)),
        DataType::Float64 => {
            let n = column.as_primitive::<Float64Type>().value(row);
            match serde_json::Number::from_f64(n) {
                Some(n) => Json::Number(n),
                None if n.is_nan() => Json::Null,
                None => Json::String(n.to_string()),
            }
        }
        DataType::Utf8 => Json::String(column.as_string::<i32>().value(row).to_owned()),
        DataType::Binary => Json::String(STANDARD.encode(column.as_binary::<i32>().value(row))),
        DataType::Timestamp(..) => Json::String(iso(column.as_primitive::<TimestampMicrosecondType>().value(row))),
        DataType::List(_) => items(&column.as_list::<i32>().value(row))?,
        DataType::Struct(fields) => {
            let columns = column.as_struct().columns();
            let members = fields.iter().zip(columns).map(|(f, c)| Ok((f.name().clone(), json(&plain(c)?, row)?)));
            Json::Object(members.collect::<PlanResult<Map<_, _>>>()?)
        }
        DataType::Map(..) => {
            let entries = column.as_map().value(row);
            let (keys, values) = (plain(entries.column(0))?, plain(entries.column(1))?);
            let members = (0..entries.len()).map(|i| Ok((display(&keys, i)?, json(&values, i)?)));
            Json::Object(members.collect::<PlanResult<Map<_, _>>>()?)
        }
        _ => Json::String(display(column, row)?),
    })
}

fn items(list: &ArrayRef) -> PlanResult<Json> {
    let list = plain(list)?;
    Ok(Json::Array((0..list.len()).map(|i| json(&list, i)).collect::<PlanResult<_>>()?))
}

fn display(column: &ArrayRef, row: usize) -> PlanResult<String> {
    let options = FormatOptions::default().with_display_error(false);
    let formatter = ArrayFormatter::try_new(column.as_ref(), &options)?;
    formatter.value(row).try_to_string().map_err(DataFusionError::from)
}

/// As `toISOString` gives it, with the microseconds where they say something.
fn iso(micros: i64) -> String {
    let moment = Timestamp::from_micros(micros);
    if micros % 1_000 == 0 { moment.to_iso_millis() } else { moment.to_string() }
}
