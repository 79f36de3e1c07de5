//! A disk that can lose power, fail and fill up, under SQLite.
//!
//! A [`Disk`] is attached to a folder. From then on every file that SQLite opens there goes through it (the [`vfs`] shim is the default
//! VFS of the process; files elsewhere are not touched). It notes every write, truncation, creation, deletion and sync in order; from
//! the notes [`PowerCuts`] makes, for any moment, a folder that a real disk could hold if the power went then. It also fails the calls
//! that a test names ([`Fault`]), and takes no more bytes than it is told.
//!
//! What a disk may do here: a write that was not synced is kept, lost or torn at a sector's edge, whatever came after it; a sync that fails
//! loses some of what it should have kept, and a later sync that succeeds does not bring it back (the kernel forgets a page that failed);
//! a name made or deleted is kept for sure only when the folder was synced, as SQLite does with a new journal or WAL. A `-shm` file is
//! not kept. Writes do not damage their neighbours in the same sector, as SQLite assumes by default (`SQLITE_POWERSAFE_OVERWRITE`).

mod cut;
mod fault;
mod vfs;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

pub use cut::PowerCuts;
pub use fault::{Call, Failure, Fault, Part};

use fault::Faults;

/// A file, whatever its name: a name that is deleted and made again is another file.
type FileId = usize;

/// What happened to the disk, in order. A change that a sync covers has a position before `upto`.
#[derive(Clone, Debug)]
enum Event {
    Create { name: String, file: FileId },
    Delete { name: String },
    Write { file: FileId, at: u64, bytes: Arc<[u8]> },
    Truncate { file: FileId, size: u64 },
    Sync { file: FileId, upto: usize },
    SyncFailed { file: FileId, upto: usize },
    SyncFolder { upto: usize },
}

/// A folder whose SQLite files are shimmed while this lives.
#[derive(Debug)]
pub struct Disk {
    folder: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The files that were there at first, which count as synced: by id.
    first: Vec<(String, Vec<u8>)>,
    names: HashMap<String, FileId>,
    sizes: Vec<u64>,
    events: Vec<Event>,
    faults: Faults,
    capacity_bytes: Option<u64>,
    sync_takes: Duration,
}

/// The attached folders.
static ATTACHED: RwLock<Vec<Arc<Disk>>> = RwLock::new(Vec::new());

/// Detaches its disk when dropped.
#[derive(Debug)]
pub struct Attached(Arc<Disk>);

impl std::ops::Deref for Attached {
    type Target = Arc<Disk>;

    fn deref(&self) -> &Arc<Disk> {
        &self.0
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        ATTACHED.write().unwrap_or_else(PoisonError::into_inner).retain(|d| !Arc::ptr_eq(d, &self.0));
    }
}

impl Disk {
    /// Puts a disk under `folder`, which exists. What lies there now counts as synced. SQLite files opened there before are not seen.
    ///
    /// # Panics
    /// If the folder cannot be read, or SQLite refuses the shim.
    #[must_use]
    pub fn attach(folder: &Path) -> Attached {
        vfs::register();
        let folder = folder.canonicalize().expect("the folder exists");
        let mut state = State::default();
        for entry in std::fs::read_dir(&folder).expect("the folder can be read") {
            let entry = entry.expect("the folder can be read");
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.path().is_file() && is_kept(&name) {
                let bytes = std::fs::read(entry.path()).expect("the file can be read");
                state.names.insert(name.clone(), state.sizes.len());
                state.sizes.push(bytes.len() as u64);
                state.first.push((name, bytes));
            }
        }
        let disk = Arc::new(Self { folder, state: Mutex::new(state) });
        ATTACHED.write().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&disk));
        Attached(disk)
    }

    /// How much has happened: the position of the next event. What was acknowledged before this call is to survive a power cut at it.
    #[must_use]
    pub fn position(&self) -> usize {
        self.lock().events.len()
    }

    /// The power cuts that could have come so far.
    #[must_use]
    pub fn power_cuts(&self) -> PowerCuts {
        let state = self.lock();
        PowerCuts::new(&state.first, state.events.clone())
    }

    /// Fails the calls that `fault` names, counted from now.
    pub fn fail(&self, fault: Fault) {
        self.lock().faults.add(fault);
    }

    /// Ends all faults and lifts the limit of [`Disk::set_capacity`]; gives how many calls had failed.
    pub fn heal(&self) -> u64 {
        let mut state = self.lock();
        state.capacity_bytes = None;
        state.faults.clear()
    }

    /// How many calls have failed since the last [`Disk::heal`].
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.lock().faults.failed()
    }

    /// How many calls of this kind were made on this part so far.
    #[must_use]
    pub fn calls(&self, call: Call, part: Part) -> u64 {
        self.lock().faults.calls(call, part)
    }

    /// Lets all files together grow to `bytes` at the most; a write beyond is cut there and says that the disk is full.
    pub fn set_capacity(&self, bytes: u64) {
        self.lock().capacity_bytes = Some(bytes);
    }

    /// How many bytes all files have together.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        let state = self.lock();
        state.names.values().map(|file| state.sizes[*file]).sum()
    }

    /// Makes each sync take this long, as a disk's does, so that callers meet in it.
    pub fn set_sync_takes(&self, time: Duration) {
        self.lock().sync_takes = time;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The disk under `path` and the file's name there.
    fn under(path: &Path) -> Option<(Arc<Self>, String)> {
        let (folder, name) = (path.parent()?, path.file_name()?.to_str()?);
        let attached = ATTACHED.read().unwrap_or_else(PoisonError::into_inner);
        attached.iter().find(|d| d.folder == folder).map(|d| (Arc::clone(d), name.to_owned()))
    }
}

/// What the shim asks before and tells after each call.
impl Disk {
    /// Whether this call fails, and how.
    fn ask(&self, call: Call, part: Part) -> Option<Failure> {
        self.lock().faults.ask(call, part)
    }

    /// `name` was opened; it is a new file if `created`.
    fn opened(&self, name: &str, created: bool) -> FileId {
        let mut state = self.lock();
        if let Some(file) = state.names.get(name).filter(|_| !created) {
            return *file;
        }
        let file = state.sizes.len();
        state.sizes.push(0);
        state.names.insert(name.to_owned(), file);
        state.events.push(Event::Create { name: name.to_owned(), file });
        file
    }

    fn deleted(&self, name: &str, syncs_folder: bool) {
        let mut state = self.lock();
        if state.names.remove(name).is_some() {
            state.events.push(Event::Delete { name: name.to_owned() });
        }
        if syncs_folder {
            let upto = state.events.len();
            state.events.push(Event::SyncFolder { upto });
        }
    }

    /// How many of the `count` bytes at `at` the disk has room for.
    fn room_for(&self, file: FileId, at: u64, count: usize) -> usize {
        let state = self.lock();
        let Some(capacity) = state.capacity_bytes else { return count };
        let used: u64 = state.names.values().map(|file| state.sizes[*file]).sum();
        let end_max = state.sizes[file] + capacity.saturating_sub(used);
        count.min(usize::try_from(end_max.saturating_sub(at)).unwrap_or(usize::MAX))
    }

    fn written(&self, file: FileId, at: u64, bytes: &[u8]) {
        let mut state = self.lock();
        state.sizes[file] = state.sizes[file].max(at + bytes.len() as u64);
        state.events.push(Event::Write { file, at, bytes: bytes.into() });
    }

    fn truncated(&self, file: FileId, size: u64) {
        let mut state = self.lock();
        state.sizes[file] = size;
        state.events.push(Event::Truncate { file, size });
    }

    /// Syncs: what was written before the call is kept after it.
    fn sync(&self, file: FileId, part: Part, syncs_folder: bool) -> Option<Failure> {
        let (upto, takes, failure) = {
            let mut state = self.lock();
            (state.events.len(), state.sync_takes, state.faults.ask(Call::Sync, part))
        };
        if !takes.is_zero() {
            std::thread::sleep(takes);
        }
        let mut state = self.lock();
        if failure.is_some() {
            state.events.push(Event::SyncFailed { file, upto });
        } else {
            state.events.push(Event::Sync { file, upto });
            if syncs_folder {
                state.events.push(Event::SyncFolder { upto });
            }
        }
        failure
    }
}

/// Whether a file outlives a restart: the WAL's index does not, and the engine's lock is no SQLite file.
fn is_kept(name: &str) -> bool {
    !name.ends_with("-shm") && !name.ends_with(".lock")
}
