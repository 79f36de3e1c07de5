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
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};

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
use crate::lake_place::LakePlace;
use crate::remote::Remote;
use crate::tiering::{self, EvictReport};
use crate::{MigrateOptions, RelationalStore, StoreStatus, SystemClock};

const MARKER: &str = "relstore.json";
const FORMAT: u32 = 1;

/// What takes the log to where it is kept: for [`Settings::log_held_for`] of stores that are to be archived.
pub const LOG_HELD_FOR: &[&str] = &[SegmentSink::CURSOR, ARCHIVE_CURSOR];

#[derive(Serialize, Deserialize)]
struct Marker {
    format: u32,
}

/// An installation.
pub struct Fleet {
    dir: PathBuf,
    lake: Arc<LakePlace>,
    settings: RwLock<Settings>,
    open: Mutex<BTreeMap<Namespace, Held>>,
    /// What every store is to have when it is opened.
    migrations: Option<(MigrationFolder, MigrateOptions)>,
}

/// A store that is open for writing.
enum Held {
    /// By the fleet, until it is closed as idle.
    Kept(Arc<RelationalStore>),
    /// By whoever asked for it with settings of its own, until that one drops it.
    Lent(Weak<RelationalStore>),
}

impl Held {
    fn handle(&self) -> Option<Arc<RelationalStore>> {
        match self {
            Self::Kept(store) => Some(Arc::clone(store)),
            Self::Lent(store) => store.upgrade(),
        }
    }
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
        let fleet = Self::assemble(dir);
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
    ///
    /// # Errors
    /// As [`Fleet::open`] and [`Fleet::create`].
    pub fn open_or_create(dir: &Path) -> Result<Self> {
        match Self::open_now(dir) {
            Err(e) if e.kind() == ErrorKind::NotFound => Self::create_now(dir),
            result => result,
        }
    }

    /// How the stores that are opened from now on are opened.
    #[must_use]
    pub fn with_settings(self, settings: Settings) -> Self {
        self.set_settings(settings);
        self
    }

    /// As [`Fleet::with_settings`], of a fleet that is in use.
    pub fn set_settings(&self, settings: Settings) {
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = settings;
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
        Ok(Self::assemble(dir))
    }

    fn assemble(dir: PathBuf) -> Self {
        let lake = Arc::new(LakePlace::new(&dir));
        Self { dir, lake, settings: RwLock::default(), open: Mutex::default(), migrations: None }
    }

    fn lake(&self) -> Result<Arc<Lake>> {
        self.lake.open()
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<Namespace, Held>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The handle that this process has to the store, if it has it open for writing.
    fn handle(&self, ns: &Namespace) -> Option<Arc<RelationalStore>> {
        self.held().get(ns).and_then(Held::handle)
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
        let mut open = self.held();
        if let Some(store) = open.get(ns).and_then(Held::handle) {
            return Ok(store);
        }
        let store = self.open_store(ns, self.store_settings())?;
        self.migrate_opened(&store)?;
        open.insert(ns.clone(), Held::Kept(Arc::clone(&store)));
        Ok(store)
    }

    /// As [`Fleet::store`], with settings of its own, for one holder: the store is closed when the handle is dropped. Until then the fleet works on
    /// the same handle. [`Settings::log_held_for`] is as it is given: without it the log may be trimmed before the store was ever archived.
    ///
    /// # Errors
    /// As [`Fleet::store`]; `Unavailable` too if it is open in this process: for another holder, or because the fleet is at work on it with other
    /// settings.
    pub fn store_with(&self, ns: &Namespace, settings: Settings) -> Result<Arc<RelationalStore>> {
        let mut open = self.held();
        if let Some(Held::Kept(store)) = open.get(ns) {
            if Arc::strong_count(store) == 1 {
                open.remove(ns);
            } else if is_same_but_for_the_log(store.database().settings(), &settings) {
                // What the fleet does on it just now goes on.
                let store = Arc::clone(store);
                open.insert(ns.clone(), Held::Lent(Arc::downgrade(&store)));
                return Ok(store);
            } else {
                return Err(Error::unavailable("the fleet is at work on the store, with other settings")
                    .with("ns", ns)
                    .with_hint("try again when that is done, or give the fleet the same settings"));
            }
        }
        let store = self.open_store(ns, settings)?;
        self.migrate_opened(&store)?;
        open.insert(ns.clone(), Held::Lent(Arc::downgrade(&store)));
        Ok(store)
    }

    fn migrate_opened(&self, store: &RelationalStore) -> Result<()> {
        let Some((folder, options)) = &self.migrations else { return Ok(()) };
        store.apply_migrations(folder, options, None).map(|_| ())
    }

    /// Closes the stores that the fleet alone has a handle to, and gives how many: each has some files open, of which a process may have so many
    /// and no more. They are opened again when they are asked for.
    pub fn close_idle(&self) -> usize {
        let mut open = self.held();
        let before = open.len();
        open.retain(|_, held| match held {
            Held::Kept(store) => Arc::strong_count(store) > 1,
            Held::Lent(store) => store.strong_count() > 0,
        });
        before - open.len()
    }

    /// A handle to the store `ns` for a short while: the fleet's own, if it has one, and otherwise one that is closed when it is dropped.
    pub(crate) fn store_apart(&self, ns: &Namespace) -> Result<Arc<RelationalStore>> {
        self.handle(ns).map_or_else(|| self.open_store(ns, self.store_settings()), Ok)
    }

    fn open_store(&self, ns: &Namespace, settings: Settings) -> Result<Arc<RelationalStore>> {
        let path = self.hot_path(ns);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|e| unusable(folder, e).with("ns", ns))?;
        }
        let (durability, timeout) = (settings.durability, settings.remote_timeout);
        let db = Arc::new(Database::open(&path, settings, Arc::new(SystemClock)).map_err(|e| e.with("ns", ns))?);
        let remote = match durability {
            Durability::Normal | Durability::Full => None,
            Durability::Remote => Some(Remote::start(&db, ns, archive::segment_sink(&*self.lake()?, ns), timeout)?),
        };
        let store = Arc::new(RelationalStore::new(ns.clone(), db, remote));
        tiering::connect(&self.lake, &store);
        Ok(store)
    }

    fn store_settings(&self) -> Settings {
        // The log is kept until it is in history, also before the first archive.
        Settings { log_held_for: LOG_HELD_FOR, ..self.settings() }
    }

    fn settings(&self) -> Settings {
        self.settings.read().unwrap_or_else(PoisonError::into_inner).clone()
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
        let settings = Settings { durability: Durability::Normal, ..self.settings() };
        let db = Database::open_read_only(&path, settings).map_err(|e| e.with("ns", ns))?;
        let store = RelationalStore::new(ns.clone(), Arc::new(db), None);
        tiering::connect(&self.lake, &store);
        Ok(store)
    }

    /// The store `ns` for reading: this process's own handle, or else one that only reads.
    fn readable(&self, ns: &Namespace) -> Result<Arc<RelationalStore>> {
        self.handle(ns).map_or_else(|| self.read_store(ns).map(Arc::new), Ok)
    }

    fn hot_path(&self, ns: &Namespace) -> PathBuf {
        self.dir.join("hot").join(ns.to_path()).join("store.db")
    }

    /// Every store as it is now.
    ///
    /// # Errors
    /// As [`Fleet::read_store`].
    pub async fn stores(&self) -> Result<Vec<StoreStatus>> {
        self.namespaces()?.iter().map(|ns| self.readable(ns)?.status()).collect()
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
    /// and named, and so are those whose log was trimmed before they were ever archived: their history would have a hole.
    ///
    /// # Errors
    /// `Unavailable` by the bucket, `Corrupt` if a segment is damaged (it is named): what was done before stays done, the rest is done by
    /// the next run.
    pub async fn archive(&self) -> Result<ArchiveReport> {
        let lake = self.lake()?;
        let (stores, busy) = self.writable()?;
        let (mut whole, mut trimmed) = (Vec::new(), Vec::new());
        for store in stores {
            match archive::reaches_back(&store, &lake).await? {
                true => whole.push(store),
                false => trimmed.push(store.namespace().clone()),
            }
        }
        let report = archive::archive(&lake, &whole).await?;
        Ok(ArchiveReport { busy, trimmed, ..report })
    }

    /// As [`Fleet::archive`], of the one store `ns`, which is made if it is not there.
    ///
    /// # Errors
    /// As [`Fleet::archive`] and [`Fleet::store`]; `NotFound` if the store's log was trimmed before the store was ever archived.
    pub async fn archive_store(&self, ns: &Namespace) -> Result<ArchiveReport> {
        archive::archive(&*self.lake()?, &[self.store(ns)?]).await
    }

    /// Every history table, by name.
    ///
    /// # Errors
    /// `Unavailable` if the catalog or the bucket cannot be read.
    pub async fn history(&self) -> Result<Vec<HistoryTable>> {
        self.lake()?.tables().await
    }

    /// How many segments the bucket holds, and their bytes.
    ///
    /// # Errors
    /// `Unavailable` by the bucket.
    pub async fn segments(&self) -> Result<(u64, u64)> {
        let objects = self.lake()?.bucket().list("stores").await?;
        let segments = objects.iter().filter(|o| o.path.ends_with(".seg"));
        Ok(segments.fold((0, 0), |(count, bytes), o| (count + 1, bytes + o.size_bytes)))
    }

    /// Brings a view up to what the stores are now, over all stores; it is made if it is not there.
    ///
    /// # Errors
    /// `Invalid` if its SQL is wrong or has no column `dt`; `Conflict` if another refresh was faster; `Unavailable` by the bucket.
    pub async fn refresh_view(&self, view: &ViewDefinition) -> Result<ViewReport> {
        let readable = |ns: Namespace| self.readable(&ns).map(|store| (ns, Arc::clone(store.database())));
        let stores: Result<Vec<_>> = self.namespaces()?.into_iter().map(readable).collect();
        view::refresh(self.lake()?.bucket(), view, &stores?).await
    }

    /// Moves the rows of `table` for which `predicate`, an SQL expression over its columns, is true out of the hot file of `ns`. No
    /// statement's answer changes by it, and no event is emitted. What is not archived yet is archived first.
    ///
    /// # Errors
    /// `Unsupported` if the table is of a kind whose eviction could be noticed, with the reason; `Conflict` if rows changed meanwhile;
    /// `Unavailable` by the bucket.
    pub async fn evict(&self, ns: &Namespace, table: &str, predicate: &str) -> Result<EvictReport> {
        let store = self.store(ns)?;
        let lake = self.lake()?;
        archive::archive(&lake, std::slice::from_ref(&store)).await?;
        tiering::evict(lake.bucket(), &store, table, predicate).await
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
        relstore_query::session_of(&*self.lake()?).await
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
        let partial = Partial::beside(&to);
        let report = self.restore_into(&plan, ns, &partial.0).await?;
        // An empty folder may be in the way; rename replaces it.
        std::fs::rename(&partial.0, &to).map_err(|e| unusable(&to, e))?;
        Ok(report)
    }

    async fn restore_into(&self, plan: &Restore, ns: &Namespace, dir: &Path) -> Result<RestoreReport> {
        let fleet = Self::create(dir).await?;
        let store = fleet.store(ns)?;
        plan.fill(&*self.lake()?, store.database()).await
    }

    /// What [`Fleet::restore`] would restore, without doing it.
    ///
    /// # Errors
    /// As [`Fleet::restore`].
    pub async fn plan_restore(&self, ns: &Namespace, at: At) -> Result<Restore> {
        if self.hot_path(ns).exists() {
            match self.store(ns) {
                Ok(store) => archive::archive(&*self.lake()?, &[store]).await.map(|_| ())?,
                Err(e) if e.kind() == ErrorKind::Unavailable => {}
                Err(e) => return Err(e),
            }
        }
        Restore::plan(&*self.lake()?, ns, at).await
    }
}

/// A folder under construction: what is half done goes away, also if nobody waits for it any more.
struct Partial(PathBuf);

impl Partial {
    fn beside(to: &Path) -> Self {
        let mut partial = to.to_owned().into_os_string();
        partial.push(format!(".partial-{}", std::process::id()));
        Self(partial.into())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // Nothing is there once it was moved; that it may fail to go is no second error.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn is_same_but_for_the_log(a: &Settings, b: &Settings) -> bool {
    Settings { log_held_for: b.log_held_for, ..a.clone() } == *b
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
