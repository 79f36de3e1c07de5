//! One history table while it is being archived into: what it has, what it is to get, and the rows that wait.

use std::collections::{BTreeMap, HashMap};

use iceberg::spec::DataFile;
use iceberg::table::Table;
use relstore_model::{Column, Error, ErrorKind, Lsn, Namespace, Result};

use super::buffer::PartitionBuffer;
use super::schema::{self, PRIMARY_KEY_PROPERTY, SCHEMA_TABLE, WantedColumn};
use crate::commit::offsets_of;
use crate::types::iceberg_type;

/// What is to happen to one history table.
pub(super) struct TablePlan {
    pub(super) name: String,
    /// The table as it was loaded; `None` until it is created.
    pub(super) table: Option<Table>,
    /// The offsets that the rows to skip were judged by. A commit goes through only while they stand.
    pub(super) base: BTreeMap<Namespace, Lsn>,
    /// The key's column names; `None` while no store has said.
    pub(super) primary_key: Option<Vec<String>>,
    /// The user columns that the waiting rows have, by planned position.
    pub(super) columns: Vec<WantedColumn>,
    partitions: Vec<PartitionBuffer>,
    by_partition: HashMap<(i32, i32), usize>,
    /// Files written and not yet committed.
    pub(super) files: Vec<DataFile>,
    /// The stores that have rows in them.
    pub(super) stores: std::collections::BTreeSet<Namespace>,
}

impl TablePlan {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            table: None,
            base: BTreeMap::new(),
            primary_key: None,
            columns: Vec::new(),
            partitions: Vec::new(),
            by_partition: HashMap::new(),
            files: Vec::new(),
            stores: Default::default(),
        }
    }

    /// The planned position of a store's column, which is added if it is new.
    ///
    /// # Errors
    /// `Incompatible` if the name is one of history's own, or planned with another type.
    pub(super) fn column(&mut self, column: &Column) -> Result<usize> {
        let Some(at) = self.columns.iter().position(|c| c.name.eq_ignore_ascii_case(&column.name)) else {
            schema::check_name(&self.name, &column.name)?;
            self.columns.push(WantedColumn { name: column.name.clone(), logical: column.logical, id: column.id.0 });
            return Ok(self.columns.len() - 1);
        };
        let planned = &self.columns[at];
        if iceberg_type(planned.logical) == iceberg_type(column.logical) {
            return Ok(at);
        }
        Err(Error::new(ErrorKind::Incompatible, "two stores have this column with different types")
            .with("table", &self.name)
            .with("column", &column.name)
            .with("first", planned.logical.name())
            .with("second", column.logical.name())
            .with_hint("give one of the columns another name"))
    }

    /// The position of the partition's buffer, which is made if it is new.
    pub(super) fn partition(&mut self, bucket: i32, day: i32) -> usize {
        let partitions = &mut self.partitions;
        *self.by_partition.entry((bucket, day)).or_insert_with(|| {
            partitions.push(PartitionBuffer::new(bucket, day));
            partitions.len() - 1
        })
    }

    pub(super) fn buffer(&mut self, partition: usize) -> (&mut PartitionBuffer, &[WantedColumn]) {
        (&mut self.partitions[partition], &self.columns)
    }

    /// The waiting rows; none wait after.
    pub(super) fn take_buffers(&mut self) -> Vec<PartitionBuffer> {
        self.by_partition.clear();
        std::mem::take(&mut self.partitions)
    }

    pub(super) fn has_rows(&self) -> bool {
        !self.partitions.is_empty()
    }
}

/// All history tables, by name whatever its case: SQLite takes `Users` and `users` for one table.
pub(super) struct Plans {
    pub(super) tables: Vec<TablePlan>,
    by_name: HashMap<String, usize>,
    /// Rows that wait in all buffers.
    pub(super) rows: usize,
    /// How large they were in their segments.
    pub(super) bytes: usize,
}

impl Plans {
    pub(super) fn of(tables: Vec<Table>) -> Result<Self> {
        let mut plans = Self { tables: Vec::new(), by_name: HashMap::new(), rows: 0, bytes: 0 };
        for table in tables {
            let at = plans.named(table.identifier().name());
            let plan = &mut plans.tables[at];
            plan.base = offsets_of(table.metadata())?;
            plan.primary_key = Some(primary_key(&table));
            plan.table = Some(table);
        }
        Ok(plans)
    }

    /// The position of the plan of a store's table.
    ///
    /// # Errors
    /// `Incompatible` if history has a table of its own under this name.
    pub(super) fn user_table(&mut self, name: &str) -> Result<usize> {
        if name.eq_ignore_ascii_case(SCHEMA_TABLE) {
            return Err(Error::new(ErrorKind::Incompatible, "history has a table of its own under this name")
                .with("table", name)
                .with_hint(format!("rename the table: ALTER TABLE {name} RENAME TO …")));
        }
        Ok(self.named(name))
    }

    /// The position of the plan of the table of schema changes.
    pub(super) fn schema_table(&mut self) -> usize {
        self.named(SCHEMA_TABLE)
    }

    fn named(&mut self, name: &str) -> usize {
        let tables = &mut self.tables;
        *self.by_name.entry(name.to_ascii_lowercase()).or_insert_with(|| {
            tables.push(TablePlan::new(name));
            tables.len() - 1
        })
    }
}

/// The names of a history table's key columns, in order; empty where `_rowid` tells rows apart.
pub(crate) fn primary_key(table: &Table) -> Vec<String> {
    let text = table.metadata().properties().get(PRIMARY_KEY_PROPERTY).map_or("", String::as_str);
    text.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}
