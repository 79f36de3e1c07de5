//! An installation: a folder with stores, a bucket, and a catalog.
//!
//! ```text
//! relstore.json            what the folder is
//! hot/<ns>/store.db        the hot file of each store
//! bucket/                  segments, evicted rows, views, history
//! catalog.db               the Iceberg catalog (JDBC layout)
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use relstore_cdc::bucket::Bucket;
use relstore_cdc::sink::SegmentSink;
use relstore_engine::migration::MigrationFolder;
use relstore_engine::{Adopted, BackupProgress, Database, Durability, Settings};
use relstore_lake::restore::{At, Restore, RestoreReport};
use relstore_lake::view::{self, ViewDefinition, ViewReport};
use relstore_lake::{HistoryTable, Lake};
use relstore_model::{Error, ErrorKind, Namespace, Result, identifier};
use relstore_query::{Answer, Session};
use serde::{Deserialize, Serialize};

use crate::archive::{self, ARCHIVE_CURSOR, ArchiveReport};
use crate::remote::Remote;
use crate::tiering::{self, EvictReport};
use crate::{MigrateOptions, RelationalStore, StoreStatus, SystemClock};

const MARKER: &str = "relstore.json";
const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Marker {
    format: u32,
}

/// An installation.
pub struct Fleet {
    dir: PathBuf,
    lake: Arc<Lake>,
    settings: Settings,
    open: Mutex<BTreeMap<Namespace, Arc<RelationalStore>>>,
    /// What every store is to have when it is opened.
    migrations: Option<(MigrationFolder, MigrateOptions)>,
}

impl Fleet {
    /// Makes an installation of the empty or missing folder `dir`.
    ///
    /// # Errors
    /// `Conflict` if there is something in the folder; `Unavailable` if it cannot be written.
    pub async fn create(dir: &Path) -> Result<Self> {
        Self::create_now(dir)
    }

    fn create_now(dir: &Path) -> Result<Self> {
        let dir = absolute(dir)?;
        match std::fs::read_dir(&dir).map(|mut entries| entries.next().is_some()) {
            Ok(true) => {
                let is_installation = dir.join(MARKER).exists();
                let what = if is_installation { "the folder holds an installation already" } else { "the folder is not empty" };
                return Err(Error::new(ErrorKind::Conflict, what)
                    .with("dir", dir.display())
                    .with_hint("choose a new folder, or remove this one first"));
            }
            Ok(false) => {}
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(unusable(&dir, e)),
        }
        std::fs::create_dir_all(dir.join("hot")).map_err(|e| unusable(&dir, e))?;
        let fleet = Self::assemble(dir)?;
        // Last: a folder without its marker is no installation, and making one can be tried again.
        let marker =
            serde_json::to_vec(&Marker { format: FORMAT }).map_err(|e| Error::internal("a marker cannot be written").with_source(e))?;
        std::fs::write(fleet.dir.join(MARKER), marker).map_err(|e| unusable(&fleet.dir, e))?;
        Ok(fleet)
    }

    /// Opens the installation `dir`.
    ///
    /// # Errors
    /// `NotFound` if the folder is none; `Unsupported` if a newer version made it; `Unavailable` if it cannot be read.
    pub async fn open(dir: &Path) -> Result<Self> {
        Self::open_now(dir)
    }

    /// Opens the installation `dir`; it is made if the folder is empty or not there.
    pub(crate) fn open_or_create(dir: &Path) -> Result<Self> {
        match Self::open_now(dir) {
            Err(e) if e.kind() == ErrorKind::NotFound => Self::create_now(dir),
            result => result,
        }
    }

    /// How the stores that are opened from now on are opened.
    #[must_use]
    pub fn with_settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Applies the folder to each store that is opened for writing from now on, if it is behind. One that cannot be migrated cannot be opened.
    #[must_use]
    pub fn migrate_on_open(mut self, folder: MigrationFolder, options: MigrateOptions) -> Self {
        self.migrations = Some((folder, options));
        self
    }

    fn open_now(dir: &Path) -> Result<Self> {
        let dir = absolute(dir)?;
        let marker = match std::fs::read(dir.join(MARKER)) {
            Ok(bytes) => bytes,
            Err(e) if matches!(e.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
                return Err(Error::not_found("not an installation: it has no relstore.json")
                    .with("dir", dir.display())
                    .with_hint("give --dir the folder that relstore demo, or a first write by relstore sql, has made"));
            }
            Err(e) => return Err(unusable(&dir, e)),
        };
        let marker: Marker = serde_json::from_slice(&marker)
            .map_err(|e| Error::corrupt("relstore.json cannot be read").with("dir", dir.display()).with_source(e))?;
        if marker.format != FORMAT {
            return Err(Error::unsupported("an installation of another format")
                .with("format", marker.format)
                .with_hint("use a newer relstore"));
        }
        Self::assemble(dir)
    }

    fn assemble(dir: PathBuf) -> Result<Self> {
        let bucket = Bucket::local(&dir.join("bucket"))?;
        let lake = Arc::new(Lake::open(bucket, &dir.join("catalog.db"))?);
        Ok(Self { dir, lake, settings: Settings::default(), open: Mutex::default(), migrations: None })
    }

    /// The folder, as an absolute path.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The Iceberg catalog's file.
    #[must_use]
    pub fn catalog_path(&self) -> PathBuf {
        self.dir.join("catalog.db")
    }

    /// The stores that exist, sorted by name.
    ///
    /// # Errors
    /// `Unavailable` if the folder cannot be read.
    pub fn namespaces(&self) -> Result<Vec<Namespace>> {
        let entries = std::fs::read_dir(self.dir.join("hot")).map_err(|e| unusable(&self.dir, e))?;
        let mut out = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|e| unusable(&self.dir, e))?;
            if let Ok(ns) = Namespace::from_path(&entry.file_name().to_string_lossy())
                && entry.path().join("store.db").exists()
            {
                out.push(ns);
            }
        }
        out.sort();
        Ok(out)
    }

    /// The store `ns`, for reading and writing; it is made if it is not there. A fleet has one handle to each.
    ///
    /// # Errors
    /// `Unavailable` if another process has it open for writing, or the disk cannot be written; `Corrupt` if the file is no store.
    pub fn store(&self, ns: &Namespace) -> Result<Arc<RelationalStore>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = open.get(ns) {
            return Ok(Arc::clone(store));
        }
        let store = Arc::new(self.open_store(ns)?);
        tiering::connect(self.lake.bucket(), &store);
        if let Some((folder, options)) = &self.migrations {
            store.apply_migrations(folder, options, None)?;
        }
        open.insert(ns.clone(), Arc::clone(&store));
        Ok(store)
    }

    /// Closes the stores that the fleet alone has a handle to, and gives how many: each has some files open, of which a process may have so many
    /// and no more. They are opened again when they are asked for.
    pub fn close_idle(&self) -> usize {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let before = open.len();
        open.retain(|_, store| Arc::strong_count(store) > 1);
        before - open.len()
    }

    /// A handle to the store `ns` for a short while: the fleet's own, if it has one, and otherwise one that is closed when it is dropped.
    pub(crate) fn store_apart(&self, ns: &Namespace) -> Result<Arc<RelationalStore>> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner).get(ns).cloned();
        open.map_or_else(
            || {
                let store = Arc::new(self.open_store(ns)?);
                tiering::connect(self.lake.bucket(), &store);
                Ok(store)
            },
            Ok,
        )
    }

    fn open_store(&self, ns: &Namespace) -> Result<RelationalStore> {
        let path = self.hot_path(ns);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|e| unusable(folder, e).with("ns", ns))?;
        }
        let settings = self.store_settings();
        let (durability, timeout) = (settings.durability, settings.remote_timeout);
        let db = Arc::new(Database::open(&path, settings, Arc::new(SystemClock)).map_err(|e| e.with("ns", ns))?);
        let remote = match durability {
            Durability::Normal | Durability::Full => None,
            Durability::Remote => Some(Remote::start(&db, ns, archive::segment_sink(&self.lake, ns), timeout)?),
        };
        Ok(RelationalStore::new(ns.clone(), db, remote))
    }

    fn store_settings(&self) -> Settings {
        // The log is kept until it is in history, also before the first archive.
        Settings { log_held_for: &[SegmentSink::CURSOR, ARCHIVE_CURSOR], ..self.settings.clone() }
    }

    /// Makes the new store `ns` of the SQLite file `from`, which is only read: its schema is version 1, and its rows are the beginning of the
    /// log. `progress` hears how far the copy has come.
    ///
    /// # Errors
    /// As [`Database::adopt`]. Nothing is left then.
    pub fn adopt(&self, ns: &Namespace, from: &Path, progress: &mut dyn FnMut(BackupProgress)) -> Result<Adopted> {
        let path = self.hot_path(ns);
        let folder = path.parent().unwrap_or(&self.dir);
        std::fs::create_dir_all(folder).map_err(|e| unusable(folder, e).with("ns", ns))?;
        let adopted = Database::adopt(from, &path, &self.store_settings(), Arc::new(SystemClock), progress).map_err(|e| e.with("ns", ns));
        if adopted.is_err() {
            // It goes if it is empty: it was made for this.
            let _ = std::fs::remove_dir(folder);
        }
        adopted
    }

    /// The store `ns` for reading alone, also while another process writes it.
    ///
    /// # Errors
    /// `NotFound`, with the nearest name, if there is none; `Unavailable` or `Corrupt` by the disk.
    pub fn read_store(&self, ns: &Namespace) -> Result<RelationalStore> {
        let path = self.hot_path(ns);
        if !path.exists() {
            let names = self.namespaces()?;
            let error = Error::not_found("no such store").with("ns", ns);
            return Err(match identifier::nearest(ns.as_str(), names.iter().map(Namespace::as_str)) {
                Some(near) => error.with_hint(format!("did you mean {near}?")),
                None => error.with_hint("its first write makes it; relstore stores lists those there are"),
            });
        }
        let settings = Settings { durability: Durability::Normal, ..self.settings.clone() };
        let db = Database::open_read_only(&path, settings).map_err(|e| e.with("ns", ns))?;
        let store = RelationalStore::new(ns.clone(), Arc::new(db), None);
        tiering::connect(self.lake.bucket(), &store);
        Ok(store)
    }

    fn hot_path(&self, ns: &Namespace) -> PathBuf {
        self.dir.join("hot").join(ns.to_path()).join("store.db")
    }

    /// Every store as it is now.
    ///
    /// # Errors
    /// As [`Fleet::read_store`].
    pub async fn stores(&self) -> Result<Vec<StoreStatus>> {
        self.namespaces()?.iter().map(|ns| StoreStatus::of(&self.read_store(ns)?)).collect()
    }

    /// The stores of the fleet that this process can write, and those that another has open.
    fn writable(&self) -> Result<(Vec<Arc<RelationalStore>>, Vec<Namespace>)> {
        let (mut stores, mut busy) = (Vec::new(), Vec::new());
        for ns in self.namespaces()? {
            match self.store(&ns) {
                Ok(store) => stores.push(store),
                Err(e) if e.context().iter().any(|(key, _)| *key == "held_by") => busy.push(ns),
                Err(e) => return Err(e),
            }
        }
        Ok((stores, busy))
    }

    /// Ships the log of every store into the bucket and brings history up to it. Stores that another process has open are passed over
    /// and named.
    ///
    /// # Errors
    /// `Unavailable` by the bucket, `Corrupt` if a segment is damaged (it is named): what was done before stays done, the rest is done by
    /// the next run.
    pub async fn archive(&self) -> Result<ArchiveReport> {
        let (stores, busy) = self.writable()?;
        let mut report = archive::archive(&self.lake, &stores).await?;
        report.busy = busy;
        Ok(report)
    }

    /// Every history table, by name.
    ///
    /// # Errors
    /// `Unavailable` if the catalog or the bucket cannot be read.
    pub async fn history(&self) -> Result<Vec<HistoryTable>> {
        self.lake.tables().await
    }

    /// How many segments the bucket holds, and their bytes.
    ///
    /// # Errors
    /// `Unavailable` by the bucket.
    pub async fn segments(&self) -> Result<(u64, u64)> {
        let objects = self.lake.bucket().list("stores").await?;
        let segments = objects.iter().filter(|o| o.path.ends_with(".seg"));
        Ok(segments.fold((0, 0), |(count, bytes), o| (count + 1, bytes + o.size_bytes)))
    }

    /// Brings a view up to what the stores are now, over all stores; it is made if it is not there.
    ///
    /// # Errors
    /// `Invalid` if its SQL is wrong or has no column `dt`; `Conflict` if another refresh was faster; `Unavailable` by the bucket.
    pub async fn refresh_view(&self, view: &ViewDefinition) -> Result<ViewReport> {
        let stores: Result<Vec<_>> = self
            .namespaces()?
            .into_iter()
            .map(|ns| {
                let own = self.open.lock().unwrap_or_else(PoisonError::into_inner).get(&ns).map(|s| Arc::clone(s.database()));
                let db = own.map_or_else(|| self.read_store(&ns).map(|s| Arc::clone(s.database())), Ok)?;
                Ok((ns, db))
            })
            .collect();
        view::refresh(self.lake.bucket(), view, &stores?).await
    }

    /// Moves the rows of `table` for which `predicate`, an SQL expression over its columns, is true out of the hot file of `ns`. No
    /// statement's answer changes by it, and no event is emitted. What is not archived yet is archived first.
    ///
    /// # Errors
    /// `Unsupported` if the table is of a kind whose eviction could be noticed, with the reason; `Conflict` if rows changed meanwhile;
    /// `Unavailable` by the bucket.
    pub async fn evict(&self, ns: &Namespace, table: &str, predicate: &str) -> Result<EvictReport> {
        let store = self.store(ns)?;
        archive::archive(&self.lake, std::slice::from_ref(&store)).await?;
        tiering::evict(self.lake.bucket(), &store, table, predicate).await
    }

    /// Asks all stores at once, in SQL as DataFusion has it: `flights` is every store's current rows with their store in `_ns`,
    /// `history.flights` every version, `views.name` or `name` a view. What was not archived yet is not seen.
    ///
    /// # Errors
    /// `Invalid`, with the place, if the SQL is wrong; `NotFound`, with the nearest name; `Unsupported` if it is no query.
    pub async fn query(&self, sql: &str) -> Result<Answer> {
        self.session().await?.query(sql).await
    }

    /// As [`Fleet::query`], the rows as JSON objects with their columns in order.
    ///
    /// # Errors
    /// As [`Fleet::query`].
    pub async fn query_json(&self, sql: &str) -> Result<Vec<serde_json::Value>> {
        self.session().await?.json(sql).await
    }

    /// How [`Fleet::query`] would go about it.
    ///
    /// # Errors
    /// As [`Fleet::query`].
    pub async fn explain(&self, sql: &str) -> Result<String> {
        self.session().await?.explain(sql).await
    }

    async fn session(&self) -> Result<Session> {
        relstore_query::session_of(&self.lake).await
    }

    /// Makes of the missing or empty folder `to` an installation with the one store `ns`, as it was `at`. What was not archived yet is
    /// archived first, unless another process has the store open.
    ///
    /// The work is done beside `to` and moved there when it is whole.
    ///
    /// # Errors
    /// `NotFound` if nothing of the store was archived; `Invalid` if `at` lies outside its history, with the range; `Conflict` if there
    /// is something in `to`; `Corrupt` if history is damaged.
    pub async fn restore(&self, ns: &Namespace, at: At, to: &Path) -> Result<RestoreReport> {
        let plan = self.plan_restore(ns, at).await?;
        let to = absolute(to)?;
        if std::fs::read_dir(&to).is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(Error::new(ErrorKind::Conflict, "the folder to restore into is not empty")
                .with("to", to.display())
                .with_hint("give a new folder"));
        }
        let mut partial = to.clone().into_os_string();
        partial.push(format!(".partial-{}", std::process::id()));
        let partial = PathBuf::from(partial);
        let result = self.restore_into(&plan, ns, &partial).await;
        let moved = match result {
            // An empty folder may be in the way; rename replaces it.
            Ok(report) => std::fs::rename(&partial, &to).map(|()| report).map_err(|e| unusable(&to, e)),
            Err(e) => Err(e),
        };
        if moved.is_err() {
            // Nothing that is half done stays; that it may fail to go is no second error.
            let _ = std::fs::remove_dir_all(&partial);
        }
        moved
    }

    async fn restore_into(&self, plan: &Restore, ns: &Namespace, dir: &Path) -> Result<RestoreReport> {
        let fleet = Self::create(dir).await?;
        let store = fleet.store(ns)?;
        plan.fill(&self.lake, store.database()).await
    }

    /// What [`Fleet::restore`] would restore, without doing it.
    ///
    /// # Errors
    /// As [`Fleet::restore`].
    pub async fn plan_restore(&self, ns: &Namespace, at: At) -> Result<Restore> {
        if self.hot_path(ns).exists() {
            match self.store(ns) {
                Ok(store) => archive::archive(&self.lake, &[store]).await.map(|_| ())?,
                Err(e) if e.kind() == ErrorKind::Unavailable => {}
                Err(e) => return Err(e),
            }
        }
        Restore::plan(&self.lake, ns, at).await
    }
}

fn absolute(dir: &Path) -> Result<PathBuf> {
    std::path::absolute(dir).map_err(|e| unusable(dir, e))
}

fn unusable(dir: &Path, e: std::io::Error) -> Error {
    let hint = match e.kind() {
        std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => "make it writable, or choose another folder",
        std::io::ErrorKind::StorageFull => "free some space on the disk",
        _ => "check that the folder exists and may be used",
    };
    Error::unavailable("the folder cannot be used").with("dir", dir.display()).with_hint(hint).with_source(e)
}
