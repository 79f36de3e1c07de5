//! RelationalStore: typed relational storage that captures every change, tiers itself, and keeps its history.
//!
//! A [`Fleet`] is an installation: a folder with the stores, the bucket and the catalog of histories. A [`RelationalStore`] is one store
//! of it: typed statements and SQL go in, rows and events come out, at once and in one process. What lies behind it works by itself or
//! when it is asked: [`Fleet::archive`] moves the log into the bucket and into Iceberg, [`Fleet::refresh_view`] keeps views,
//! [`Fleet::evict`] moves rows that nobody touches out of the hot file, [`Fleet::restore`] brings back any past moment, and
//! [`Fleet::query`] asks all stores at once.
//!
//! ```no_run
//! use relstore::orm::{Table, Typed, eq};
//! use relstore::{Fleet, model::Namespace};
//!
//! #[derive(Table, Clone, Debug)]
//! #[table(name = "users", crate = "relstore::orm")]
//! pub struct User {
//!     #[column(primary_key)]
//!     pub id: String,
//!     pub name: String,
//! }
//!
//! # async fn run() -> relstore::model::Result<()> {
//! let fleet = Fleet::create("./data".as_ref()).await?;
//! let store = fleet.store(&Namespace::new("acme")?)?;
//! store.create_tables(&[User::DEF])?;
//! store.insert(users).value(NewUser::new("user_123", "Alice")).execute()?;
//! store.transaction(|tx| tx.update(users).set(UserSet::new().name("Alice Smith")).where_(eq(users.id, "user_123")).execute())?;
//! fleet.archive().await?;
//! # Ok(())
//! # }
//! ```

mod archive;
mod clock;
mod fleet;
mod fleet_migration;
mod lake_place;
mod migration;
mod remote;
mod status;
mod store;
mod tiering;
mod transaction;
mod upkeep;

pub use archive::ArchiveReport;
pub use clock::SystemClock;
pub use fleet::{Fleet, LOG_HELD_FOR};
pub use fleet_migration::{FleetMigrateOptions, FleetMigrateReport, FleetProgress, StoreMigration};
pub use migration::{MigrateOptions, MigrateReport};
pub use status::StoreStatus;
pub use store::RelationalStore;
pub use tiering::EvictReport;
pub use transaction::Tx;

pub use relstore_cdc as cdc;
pub use relstore_cdc::{Delivery, Follower, Subscribe, Subscriber, Subscription};
pub use relstore_engine as engine;
pub use relstore_engine::{Durability, Once, Outcome, Retry, Settings};
pub use relstore_lake::HistoryTable;
pub use relstore_lake::restore::{At, Restore, RestoreReport};
pub use relstore_lake::view::{ViewDefinition, ViewReport};
pub use relstore_model as model;
pub use relstore_orm as orm;
pub use relstore_query::{Answer, AnswerColumn};
