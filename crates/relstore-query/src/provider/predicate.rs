//! DataFusion's filters as Iceberg's predicates, where they mean the same.
//!
//! A filter that cannot be said in Iceberg's words is left out, which prunes less and changes no answer; so every doubt ends in
//! leaving it out.

use std::collections::HashMap;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Between, BinaryExpr, Expr, Operator};
use relstore_lake::iceberg::expr::{Predicate, Reference};
use relstore_lake::iceberg::spec::{Datum, PrimitiveType, Schema, Type};

/// Longer lists cost more to judge for each file than they prune.
const LIST_COUNT_MAX: usize = 200;

/// The filters that a scan takes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pushed {
    /// All of them at once; `None` where there is none.
    pub(crate) predicate: Option<Predicate>,
}

/// The columns that filters may speak of: the name in the catalog, and name and type in the snapshot.
#[derive(Debug)]
pub(crate) struct Vocabulary(HashMap<String, (String, PrimitiveType)>);

impl Vocabulary {
    /// The columns of `current` that `snapshot` has too, with the same type: a bound on a column that was widened since may be
    /// written in the narrow type, and is not judged.
    pub(crate) fn new(current: &Schema, snapshot: &Schema) -> Self {
        let mut words = HashMap::new();
        for field in current.as_struct().fields() {
            let Some(old) = snapshot.as_struct().field_by_id(field.id) else { continue };
            if let (Type::Primitive(new), Type::Primitive(was)) = (field.field_type.as_ref(), old.field_type.as_ref())
                && new == was
            {
                words.insert(field.name.clone(), (old.name.clone(), new.clone()));
            }
        }
        Self(words)
    }

    /// What of `filters`, which all hold, can be said.
    pub(crate) fn translate_all(&self, filters: &[Expr]) -> Pushed {
        let predicate = filters.iter().flat_map(split_conjunction).filter_map(|f| self.translate(f)).reduce(Predicate::and);
        Pushed { predicate }
    }

    /// `filter` in Iceberg's words: exactly it, or something that holds wherever it holds. `None` where it cannot be said.
    pub(crate) fn translate(&self, filter: &Expr) -> Option<Predicate> {
        match filter {
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => match (self.translate(left), self.translate(right)) {
                (Some(a), Some(b)) => Some(a.and(b)),
                (one, other) => one.or(other),
            },
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => Some(self.translate(left)?.or(self.translate(right)?)),
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
                self.comparison(left, *op, right).or_else(|| self.comparison(right, op.swap()?, left))
            }
            Expr::InList(list) => self.in_list(list),
            Expr::Between(Between { expr, negated: false, low, high }) => {
                let low = self.comparison(expr, Operator::GtEq, low)?;
                Some(low.and(self.comparison(expr, Operator::LtEq, high)?))
            }
            Expr::IsNull(column) => Some(self.column(column)?.0.is_null()),
            Expr::IsNotNull(column) => Some(self.column(column)?.0.is_not_null()),
            // A boolean column alone is a condition.
            Expr::Column(_) => self.flag(filter, true),
            Expr::Not(column) => self.flag(column, false),
            _ => None,
        }
    }

    fn flag(&self, column: &Expr, wanted: bool) -> Option<Predicate> {
        let (column, kind) = self.column(column)?;
        (kind == PrimitiveType::Boolean).then(|| column.equal_to(Datum::bool(wanted)))
    }

    fn comparison(&self, column: &Expr, op: Operator, literal: &Expr) -> Option<Predicate> {
        let (column, kind) = self.column(column)?;
        let datum = datum(&kind, literal)?;
        Some(match op {
            Operator::Eq => column.equal_to(datum),
            Operator::NotEq => column.not_equal_to(datum),
            Operator::Lt => column.less_than(datum),
            Operator::LtEq => column.less_than_or_equal_to(datum),
            Operator::Gt => column.greater_than(datum),
            Operator::GtEq => column.greater_than_or_equal_to(datum),
            _ => return None,
        })
    }

    fn in_list(&self, list: &InList) -> Option<Predicate> {
        let (column, kind) = self.column(&list.expr)?;
        if list.list.is_empty() || list.list.len() > LIST_COUNT_MAX {
            return None;
        }
        // NULL in a list is no datum, so such a list is not pushed: NOT IN with a NULL is never true, and Iceberg has no such notion.
        let datums: Vec<Datum> = list.list.iter().map(|e| datum(&kind, e)).collect::<Option<_>>()?;
        Some(if list.negated { column.is_not_in(datums) } else { column.is_in(datums) })
    }

    fn column(&self, expr: &Expr) -> Option<(Reference, PrimitiveType)> {
        let Expr::Column(column) = expr else { return None };
        let (name, kind) = self.0.get(&column.name)?;
        Some((Reference::new(name), kind.clone()))
    }
}

/// The literal as a datum of exactly the column's type.
fn datum(kind: &PrimitiveType, literal: &Expr) -> Option<Datum> {
    let Expr::Literal(value, _) = literal else { return None };
    Some(match (kind, value) {
        (PrimitiveType::Boolean, ScalarValue::Boolean(Some(v))) => Datum::bool(*v),
        (PrimitiveType::Int, ScalarValue::Int32(Some(v))) => Datum::int(*v),
        (PrimitiveType::Long, ScalarValue::Int64(Some(v))) => Datum::long(*v),
        // Zero has two signs and NaN no order, which Iceberg's bounds and Arrow's comparisons see differently.
        (PrimitiveType::Double, ScalarValue::Float64(Some(v))) if !v.is_nan() && *v != 0.0 => Datum::double(*v),
        (PrimitiveType::String, ScalarValue::Utf8(Some(v)) | ScalarValue::Utf8View(Some(v)) | ScalarValue::LargeUtf8(Some(v))) => {
            Datum::string(v)
        }
        (PrimitiveType::Date, ScalarValue::Date32(Some(v))) => Datum::date(*v),
        (PrimitiveType::Timestamptz, ScalarValue::TimestampMicrosecond(Some(v), Some(_))) => Datum::timestamptz_micros(*v),
        (PrimitiveType::Timestamp, ScalarValue::TimestampMicrosecond(Some(v), None)) => Datum::timestamp_micros(*v),
        _ => return None,
    })
}
