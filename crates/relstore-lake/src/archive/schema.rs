//! The shape of a history table: system columns of fixed ids, then the stores' own columns.

use std::collections::HashMap;

use iceberg::spec::{
    FormatVersion, ListType, NestedField, NestedFieldRef, PrimitiveType, Schema, SortOrder, TableMetadata, TableMetadataBuilder, Transform,
    Type, UnboundPartitionSpec,
};
use relstore_model::{Error, ErrorKind, LogicalType, Result};

use crate::error::from_iceberg;
use crate::types;

/// The history table of schema changes: a row for each, with the whole schema as JSON and the statement that made it.
pub const SCHEMA_TABLE: &str = "_schema";

/// The table property with the key's column names, separated by commas; empty where `_rowid` tells rows apart.
pub const PRIMARY_KEY_PROPERTY: &str = "relstore.primary-key";

/// Names and ids of the columns that history adds.
pub mod system {
    /// The store. Id 1.
    pub const NS: &str = "_ns";
    /// The position of the change in the store's log. Id 2.
    pub const LSN: &str = "_lsn";
    /// `c`, `u`, `d` or `r`; `s` in the table of schema changes. Id 3.
    pub const OP: &str = "_op";
    /// When the transaction was committed. Id 4.
    pub const TS: &str = "_ts";
    /// The id of the transaction. Id 5.
    pub const TXID: &str = "_txid";
    /// The version of the schema that the row is read with. Id 6.
    pub const SCHEMA_VERSION: &str = "_schema_version";
    /// The rowid, where the row has no other key. Id 7.
    pub const ROWID: &str = "_rowid";
    /// The ids of the columns that an update changed; NULL for other changes. Id 8, of its elements 9.
    pub const CHANGED: &str = "_changed";
    /// A JSON object `{"<column id>": cell}` of the cells that do not fit their column's type; NULL if all do. Id 10.
    pub const OVERFLOW: &str = "_overflow";
}

/// The system columns, in the order of the table.
pub const SYSTEM_COLUMNS: [&str; 9] = [
    system::NS,
    system::LSN,
    system::OP,
    system::TS,
    system::TXID,
    system::SCHEMA_VERSION,
    system::ROWID,
    system::CHANGED,
    system::OVERFLOW,
];

/// How many buckets stores are spread over.
pub(super) const NS_BUCKETS: u32 = 16;

const NS_BUCKET: &str = "_ns_bucket";
const TS_DAY: &str = "_ts_day";

/// The ids below are the system's own.
const USER_COLUMN_ID_MIN: i32 = relstore_model::ColumnId::FIRST.0;

fn system_fields() -> Vec<NestedFieldRef> {
    let required = |id, name, kind| NestedField::required(id, name, Type::Primitive(kind)).into();
    let optional = |id, name, kind| NestedField::optional(id, name, Type::Primitive(kind)).into();
    let changed = ListType::new(NestedField::list_element(9, Type::Primitive(PrimitiveType::Int), true).into());
    vec![
        required(1, system::NS, PrimitiveType::String),
        required(2, system::LSN, PrimitiveType::Long),
        required(3, system::OP, PrimitiveType::String),
        required(4, system::TS, PrimitiveType::Timestamptz),
        required(5, system::TXID, PrimitiveType::String),
        required(6, system::SCHEMA_VERSION, PrimitiveType::Int),
        optional(7, system::ROWID, PrimitiveType::Long),
        NestedField::optional(8, system::CHANGED, Type::List(changed)).into(),
        optional(10, system::OVERFLOW, PrimitiveType::String),
    ]
}

/// The metadata of a new history table without user columns.
pub(super) fn new_metadata(name: &str, location: String, primary_key: &str) -> Result<TableMetadata> {
    let build = || {
        let fields = system_fields();
        // The builder of new tables gives ids of its own, in order: of the first columns those are ours, and the partitions' sources
        // are among them. The schema added after keeps its ids.
        let first = Schema::builder().with_fields(fields[..7].to_vec()).build()?;
        let partitions = UnboundPartitionSpec::builder()
            .add_partition_field(1, NS_BUCKET, Transform::Bucket(NS_BUCKETS))?
            .add_partition_field(4, TS_DAY, Transform::Day)?
            .build();
        let properties = HashMap::from([
            (PRIMARY_KEY_PROPERTY.to_owned(), primary_key.to_owned()),
            ("write.metadata.delete-after-commit.enabled".to_owned(), "true".to_owned()),
            ("write.metadata.previous-versions-max".to_owned(), "50".to_owned()),
            ("write.parquet.compression-codec".to_owned(), "zstd".to_owned()),
        ]);
        let unsorted = SortOrder::unsorted_order();
        let builder = TableMetadataBuilder::new(first, partitions, unsorted, location, FormatVersion::V2, properties)?;
        let whole = Schema::builder().with_fields(fields).build()?;
        builder.add_current_schema(whole)?.remove_schemas(&[0])?.build()
    };
    build().map(|built| built.metadata).map_err(|e| from_iceberg(e, name))
}

/// A user column that a history table is to have.
#[derive(Clone, Debug)]
pub(super) struct WantedColumn {
    /// Its name.
    pub(super) name: String,
    /// What its cells mean.
    pub(super) logical: LogicalType,
    /// The id it should have if that is free: the store's own.
    pub(super) id: i32,
}

/// Refuses names that history needs for itself.
pub(super) fn check_name(table: &str, column: &str) -> Result<()> {
    let reserved = SYSTEM_COLUMNS.iter().chain(&[NS_BUCKET, TS_DAY]).any(|name| name.eq_ignore_ascii_case(column));
    if !reserved {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Incompatible, "history has a column of its own under this name")
        .with("table", table)
        .with("column", column)
        .with_hint(format!("rename the column: ALTER TABLE {table} RENAME COLUMN {column} TO …")))
}

/// The ids that `schema` has for the columns, in their order; a column it lacks gives `None`.
///
/// # Errors
/// `Incompatible` if a column is there with another type.
pub(super) fn resolve(table: &str, schema: &Schema, wanted: &[WantedColumn]) -> Result<Vec<Option<i32>>> {
    wanted
        .iter()
        .map(|column| {
            let Some(field) = schema.as_struct().fields().iter().find(|f| f.name.eq_ignore_ascii_case(&column.name)) else {
                return Ok(None);
            };
            if *field.field_type == types::iceberg_type(column.logical) {
                return Ok(Some(field.id));
            }
            let known = types::logical_type(&field.field_type, field.doc.as_deref());
            Err(Error::new(ErrorKind::Incompatible, "history has this column with another type")
                .with("table", table)
                .with("column", &column.name)
                .with("history", known.map_or_else(|| field.field_type.to_string(), |logical| logical.name().to_owned()))
                .with("store", column.logical.name())
                .with_hint("give the column of the new type another name: history keeps the old one"))
        })
        .collect()
}

/// The schema with `missing` added at its end. A store's id that another column has already is replaced by the next free one.
pub(super) fn extended(schema: &Schema, last_column_id: i32, missing: &[&WantedColumn]) -> iceberg::Result<Schema> {
    let mut fields: Vec<NestedFieldRef> = schema.as_struct().fields().to_vec();
    let mut next = last_column_id.max(USER_COLUMN_ID_MIN - 1) + 1;
    let wanted_max = missing.iter().map(|c| c.id).max().unwrap_or_default();
    next = next.max(wanted_max + 1);
    for column in missing {
        // Ids once given to a column that is gone must not come back either: all of those are at most `last_column_id`.
        let is_free = column.id > last_column_id && column.id >= USER_COLUMN_ID_MIN && !fields.iter().any(|f| f.id == column.id);
        let id = if is_free { column.id } else { next };
        next += i32::from(!is_free);
        let field = NestedField::optional(id, &column.name, types::iceberg_type(column.logical));
        fields.push(field.with_doc(types::column_doc(column.logical)).into());
    }
    Schema::builder().with_fields(fields).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_table_has_our_ids() {
        let metadata = new_metadata("t", "memory:///lake/t".into(), "id").unwrap();
        let schema = metadata.current_schema();
        let ids: Vec<(i32, &str)> = schema.as_struct().fields().iter().map(|f| (f.id, f.name.as_str())).collect();
        assert_eq!(ids.iter().map(|(_, name)| *name).collect::<Vec<_>>(), SYSTEM_COLUMNS);
        assert_eq!(ids.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 7, 8, 10]);
        assert_eq!(schema.name_by_field_id(9), Some("_changed.element"));
        assert_eq!(metadata.schemas_iter().len(), 1);
        let sources: Vec<i32> = metadata.default_partition_spec().fields().iter().map(|f| f.source_id).collect();
        assert_eq!(sources, [1, 4]);
    }

    #[test]
    fn an_added_column_keeps_the_store_s_id_if_it_is_free() {
        let metadata = new_metadata("t", "memory:///lake/t".into(), "").unwrap();
        let column = |name: &str, id| WantedColumn { name: name.into(), logical: LogicalType::Text, id };
        let (a, b, c) = (column("a", 101), column("b", 102), column("c", 101));
        let schema = extended(metadata.current_schema(), metadata.last_column_id(), &[&a, &b, &c]).unwrap();
        let resolved = resolve("t", &schema, &[a, b, c, column("d", 103)]).unwrap();
        assert_eq!(resolved, [Some(101), Some(102), Some(103), None]);
        let other = WantedColumn { name: "A".into(), logical: LogicalType::Integer, id: 101 };
        let error = resolve("t", &schema, &[other]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Incompatible);
        assert!(error.to_string().contains("history: text, store: integer"), "{error}");
    }
}
