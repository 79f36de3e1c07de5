//! Where stores lie: an installation's folder, of which a process has one fleet, or a temporary one.

use std::collections::HashMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Weak};
use std::thread::ThreadId;

use relstore::Fleet;
use relstore_model::{Error, ErrorKind, Result};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::jobs::STACK_BYTES;
use crate::store::{Shared, lock};

/// The name that asks for a store which goes away when it is closed.
const IN_MEMORY: &str = ":memory:";

/// The folders that are in use, by their paths without links. All threads of the process share a folder's fleet, so that it can work on the stores
/// that they have open.
static HOMES: Mutex<Option<HashMap<PathBuf, Weak<Home>>>> = Mutex::new(None);

/// An installation's folder.
pub(crate) struct Home {
    pub(crate) fleet: Fleet,
    /// What the other tiers run on: started by the first call that needs it.
    runtime: Mutex<Option<Arc<Runtime>>>,
    /// Its stores that are open, by the thread that has them.
    stores: Mutex<Vec<(ThreadId, Weak<Shared>)>>,
    /// Held while something works on the stores of the fleet, one at a time.
    working: Mutex<()>,
    /// Goes away with its files when this is dropped, after everything else.
    temporary: Mutex<Option<TempDir>>,
}

impl Home {
    /// The installation `dir`; it is made if the folder is empty or not there. `:memory:` is a temporary one.
    ///
    /// # Errors
    /// `Conflict` if the folder holds other things; `Unsupported` if a newer version made it; `Corrupt` if its marker cannot be read;
    /// `Unavailable` if the folder cannot be read or written.
    pub(crate) fn open(dir: &str) -> Result<Arc<Self>> {
        let temporary = if dir == IN_MEMORY { Some(temporary()?) } else { None };
        let mut homes = lock(&HOMES);
        let homes = homes.get_or_insert_default();
        let dir = temporary.as_ref().map_or_else(|| Path::new(dir), TempDir::path);
        // What is not there has no links.
        if let Some(home) = dir.canonicalize().ok().and_then(|dir| homes.get(&dir)?.upgrade()) {
            return Ok(home);
        }
        let home = Arc::new(Self::new(Fleet::open_or_create(dir)?, temporary));
        homes.retain(|_, home| home.strong_count() > 0);
        if let Ok(dir) = home.fleet.dir().canonicalize() {
            homes.insert(dir, Arc::downgrade(&home));
        }
        Ok(home)
    }

    /// The installation in a temporary folder, which is nobody else's.
    ///
    /// # Errors
    /// As [`Home::open`].
    pub(crate) fn of_temporary(folder: TempDir) -> Result<Arc<Self>> {
        Ok(Arc::new(Self::new(Fleet::open_or_create(folder.path())?, Some(folder))))
    }

    fn new(fleet: Fleet, temporary: Option<TempDir>) -> Self {
        let (runtime, stores, working) = <(Mutex<_>, Mutex<_>, Mutex<_>)>::default();
        Self { fleet, runtime, stores, working, temporary: Mutex::new(temporary) }
    }

    /// This thread has opened a store.
    pub(crate) fn has(&self, shared: &Arc<Shared>) {
        let mut stores = lock(&self.stores);
        stores.retain(|(_, shared)| shared.strong_count() > 0);
        stores.push((std::thread::current().id(), Arc::downgrade(shared)));
    }

    /// This thread ends: rolls back what it has open, so that nobody waits for it any more.
    pub(crate) fn give_up_transactions(&self) {
        let here = std::thread::current().id();
        let stores: Vec<_> = lock(&self.stores).iter().filter(|(thread, _)| *thread == here).filter_map(|(_, s)| s.upgrade()).collect();
        stores.iter().for_each(|shared| shared.give_up_transaction());
    }

    /// Does `work`, when nothing else works on the fleet. It is given up where it stands when `leaving` says so: whatever it has done by then stays,
    /// and the next that does the like goes on from there.
    ///
    /// # Errors
    /// What `work` gives; `Closed` if it is given up; `Unavailable` if no threads can be started.
    pub(crate) fn work<T>(&self, leaving: &Leaving, work: impl Future<Output = Result<T>>) -> Result<T> {
        let _working = lock(&self.working);
        let done = self.runtime()?.block_on(leaving.unless(work));
        // Stores that were opened for it alone: another process may want them.
        self.fleet.close_idle();
        done
    }

    /// As [`Home::work`], for what only reads and needs no turn.
    ///
    /// # Errors
    /// As [`Home::work`].
    pub(crate) fn look<T>(&self, leaving: &Leaving, work: impl Future<Output = Result<T>>) -> Result<T> {
        self.runtime()?.block_on(leaving.unless(work))
    }

    /// Waits until nothing works on the fleet.
    pub(crate) fn settled(&self) {
        drop(lock(&self.working));
    }

    fn runtime(&self) -> Result<Arc<Runtime>> {
        let mut runtime = lock(&self.runtime);
        if let Some(runtime) = &*runtime {
            return Ok(Arc::clone(runtime));
        }
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let started = builder.thread_name("relstore-tiers").thread_stack_size(STACK_BYTES).enable_all().build();
        let started = Arc::new(started.map_err(|e| Error::unavailable("the threads of the other tiers cannot be started").with_source(e))?);
        *runtime = Some(Arc::clone(&started));
        Ok(started)
    }

    /// Takes a temporary folder away at once.
    pub(crate) fn remove_temporary(&self) {
        drop(lock(&self.temporary).take());
    }
}

/// A new temporary folder.
///
/// # Errors
/// `Unavailable` if none can be made.
pub(crate) fn temporary() -> Result<TempDir> {
    let made = tempfile::Builder::new().prefix("relstore-").tempdir();
    made.map_err(|e| Error::unavailable("no temporary folder can be made").with_source(e))
}

/// Says that whoever asked for work is leaving.
pub(crate) struct Leaving(watch::Sender<bool>);

impl Default for Leaving {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl Leaving {
    pub(crate) fn leave(&self) {
        self.0.send_replace(true);
    }

    async fn unless<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let mut left = self.0.subscribe();
        tokio::select! {
            biased;
            _ = left.wait_for(|left| *left) => Err(Error::new(ErrorKind::Closed, "it was given up, because its thread ends")),
            done = work => done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_made_found_again_or_refused() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name).display().to_string();
        let home = Home::open(&at("new")).unwrap();
        assert!(root.path().join("new/relstore.json").exists());
        assert!(!root.path().join("new/catalog.db").exists(), "what no store needs is not made");
        std::os::unix::fs::symlink(root.path().join("new"), root.path().join("link")).unwrap();
        for same in ["new", "./new/", "link"] {
            assert!(Arc::ptr_eq(&home, &Home::open(&at(same)).unwrap()), "{same}");
        }
        drop(home);
        assert!(Home::open(&at("new")).is_ok());
        std::fs::create_dir(root.path().join("other")).unwrap();
        std::fs::write(root.path().join("other/letter.txt"), "dear").unwrap();
        std::fs::create_dir(root.path().join("newer")).unwrap();
        std::fs::write(root.path().join("newer/relstore.json"), r#"{"format":2}"#).unwrap();
        let kind = |name: &str| Home::open(&at(name)).err().unwrap().kind();
        assert_eq!(
            (kind("other"), kind("newer"), kind("other/letter.txt")),
            (ErrorKind::Conflict, ErrorKind::Unsupported, ErrorKind::Unavailable)
        );
    }

    #[test]
    fn a_temporary_folder_goes_away() {
        let home = Home::open(IN_MEMORY).unwrap();
        let dir = home.fleet.dir().to_owned();
        assert!(dir.join("relstore.json").exists());
        assert!(Arc::ptr_eq(&home, &Home::open(&dir.display().to_string()).unwrap()));
        assert!(!Arc::ptr_eq(&home, &Home::open(IN_MEMORY).unwrap()));
        drop(home);
        assert!(!dir.exists());
    }

    #[test]
    fn work_is_given_up_when_its_thread_leaves() {
        let (home, leaving) = (Home::open(IN_MEMORY).unwrap(), Leaving::default());
        assert_eq!(home.work(&leaving, async { Ok(1) }).unwrap(), 1);
        leaving.leave();
        let never = std::future::pending::<Result<()>>();
        assert_eq!(home.work(&leaving, never).unwrap_err().kind(), ErrorKind::Closed);
        home.settled();
    }
}
