//! Every schema that the store had up to the target: what reads each row, and what the restored store will have.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray};
use arrow::datatypes::Int64Type;
use relstore_cdc::bucket::layout;
use relstore_model::change::codec::ChangeRef;
use relstore_model::segment::Segment;
use relstore_model::{Change, Error, ErrorKind, Lsn, Namespace, Result, Schema};

use crate::Lake;
use crate::archive::{SCHEMA_TABLE, system};

/// The schemas by version.
#[derive(Debug)]
pub(super) struct Schemas {
    by_version: BTreeMap<u32, Schema>,
}

impl Schemas {
    /// The schemas of `ns` that came into force up to `target`.
    pub(super) async fn load(lake: &Lake, ns: &Namespace, target: Lsn) -> Result<Self> {
        let mut by_version = BTreeMap::from([(0, Schema::default())]);
        let mut archived = Lsn::ZERO;
        let read = lake.scan_rows(SCHEMA_TABLE, ns, target, |batch| {
            let missing = || Error::corrupt("the history of schema changes lacks a column");
            let definitions = batch.column_by_name("definition").ok_or_else(missing)?.as_string_opt::<i32>().ok_or_else(missing)?;
            let lsns = batch.column_by_name(system::LSN).ok_or_else(missing)?.as_primitive::<Int64Type>();
            for row in (0..batch.num_rows()).filter(|row| !definitions.is_null(*row)) {
                let schema = Schema::from_json(definitions.value(row)).map_err(|e| e.with("ns", ns).with("lsn", lsns.value(row)))?;
                archived = archived.max(Lsn::from_i64(lsns.value(row))?);
                by_version.insert(schema.version, schema);
            }
            Ok(())
        });
        match read.await {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        // Segments say the same again, and what was not archived yet.
        for object in lake.bucket().list(&layout::log_prefix(ns)).await? {
            let Ok(name) = layout::parse_segment_path(&object.path) else { continue };
            if name.lsn_last <= archived || name.lsn_first > target {
                continue;
            }
            let segment = Segment::decode(&object.path, &lake.bucket().get(&object.path).await?)?;
            segment.each_change(|_, lsn, _, change| {
                if let ChangeRef::Schema(_) = change
                    && lsn <= target
                    && let Change::Schema(new) = change.to_change()?
                {
                    by_version.insert(new.schema.version, new.schema);
                }
                Ok(())
            })?;
        }
        Ok(Self { by_version })
    }

    /// The schema in force at the target.
    pub(super) fn at_target(&self) -> &Schema {
        self.by_version.last_key_value().map(|(_, schema)| schema).expect("version 0 is always there")
    }

    /// The schema of this version.
    pub(super) fn version(&self, version: u32) -> Result<&Schema> {
        self.by_version
            .get(&version)
            .ok_or_else(|| Error::corrupt("history lacks a schema that its rows are read with").with("schema_version", version))
    }

    /// Every name that some table ever had.
    pub(super) fn table_names(&self) -> std::collections::BTreeSet<&str> {
        self.by_version.values().flat_map(|s| s.tables.iter().map(|t| t.name.as_str())).collect()
    }
}
