//! What user SQL may not do: drive transactions, attach files, turn safety off, or touch the engine's own tables.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use relstore_model::identifier::is_reserved;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

/// PRAGMAs that only look, or that change nothing a promise rests on.
const PRAGMAS: &[&str] = &[
    "application_id",
    "collation_list",
    "compile_options",
    "data_version",
    "database_list",
    "defer_foreign_keys",
    "foreign_key_check",
    "foreign_key_list",
    "function_list",
    "index_info",
    "index_list",
    "index_xinfo",
    "integrity_check",
    "module_list",
    "pragma_list",
    "quick_check",
    "table_info",
    "table_list",
    "table_xinfo",
    "user_version",
];

/// PRAGMAs that may be read and not set.
const PRAGMAS_TO_READ: &[&str] = &[
    "auto_vacuum",
    "cache_size",
    "encoding",
    "foreign_keys",
    "freelist_count",
    "journal_mode",
    "page_count",
    "page_size",
    "recursive_triggers",
    "schema_version",
    "synchronous",
];

/// The authorizer of one connection.
#[derive(Debug, Default)]
pub(crate) struct Authorizer {
    /// The engine's own statement is being prepared: everything is allowed.
    is_internal: AtomicBool,
    /// A statement that changes the shape was prepared since this was last asked.
    saw_ddl: AtomicBool,
    /// The table of the store that a `DROP TABLE` prepared since this was last asked drops.
    dropped: Mutex<Option<String>>,
}

impl Authorizer {
    /// Sets the authorizer of `connection`.
    pub(crate) fn install(connection: &mut rusqlite::Connection) -> rusqlite::Result<Arc<Self>> {
        let this = Arc::new(Self::default());
        let asked = Arc::clone(&this);
        connection.authorizer(Some(move |context: AuthContext<'_>| asked.decide(&context)))?;
        Ok(this)
    }

    /// Runs `prepare` with everything allowed.
    pub(crate) fn internally<T>(&self, prepare: impl FnOnce() -> T) -> T {
        let before = self.is_internal.swap(true, Ordering::Relaxed);
        let out = prepare();
        self.is_internal.store(before, Ordering::Relaxed);
        out
    }

    /// Whether a statement that changes the shape was prepared since the last call.
    pub(crate) fn take_saw_ddl(&self) -> bool {
        self.saw_ddl.swap(false, Ordering::Relaxed)
    }

    /// The table that a `DROP TABLE` prepared since the last call drops.
    pub(crate) fn take_dropped(&self) -> Option<String> {
        self.dropped.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn decide(&self, context: &AuthContext<'_>) -> Authorization {
        if self.is_internal.load(Ordering::Relaxed) {
            return Authorization::Allow;
        }
        // The engine's own triggers write the engine's tables while a user's statement runs.
        let is_own_trigger = context.accessor.is_some_and(is_reserved);
        let allow_if = |allowed: bool| if allowed { Authorization::Allow } else { Authorization::Deny };
        let shape = |table: &str| {
            self.saw_ddl.store(true, Ordering::Relaxed);
            allow_if(!table.to_ascii_lowercase().starts_with(relstore_model::identifier::RESERVED_PREFIX))
        };
        if let AuthAction::DropTable { table_name } = context.action
            && context.database_name == Some("main")
        {
            *self.dropped.lock().unwrap_or_else(PoisonError::into_inner) = Some(table_name.to_owned());
        }
        match context.action {
            AuthAction::Transaction { .. } | AuthAction::Savepoint { .. } | AuthAction::Attach { .. } | AuthAction::Detach { .. } => {
                Authorization::Deny
            }
            AuthAction::Insert { table_name } | AuthAction::Delete { table_name } | AuthAction::Update { table_name, .. } => {
                // SQLite checks its own writes to sqlite_schema too, as part of DDL; it guards that table by itself.
                allow_if(is_own_trigger || !is_reserved(table_name) || table_name.starts_with("sqlite_"))
            }
            AuthAction::CreateTable { table_name }
            | AuthAction::DropTable { table_name }
            | AuthAction::AlterTable { table_name, .. }
            | AuthAction::CreateIndex { table_name, .. }
            | AuthAction::DropIndex { table_name, .. }
            | AuthAction::CreateVtable { table_name, .. }
            | AuthAction::DropVtable { table_name, .. } => shape(table_name),
            // A trigger of the engine's prefix may write the engine's tables: no user may make one, nor take one away.
            AuthAction::CreateTrigger { table_name, trigger_name }
            | AuthAction::DropTrigger { table_name, trigger_name }
            | AuthAction::CreateTempTrigger { table_name, trigger_name }
            | AuthAction::DropTempTrigger { table_name, trigger_name } => match shape(table_name) {
                Authorization::Allow => allow_if(!is_reserved(trigger_name)),
                refused => refused,
            },
            AuthAction::CreateView { view_name } | AuthAction::DropView { view_name } => shape(view_name),
            AuthAction::Pragma { pragma_name, pragma_value } => {
                let named = |list: &[&str]| list.iter().any(|p| p.eq_ignore_ascii_case(pragma_name));
                allow_if(named(PRAGMAS) || (pragma_value.is_none() && named(PRAGMAS_TO_READ)))
            }
            _ => Authorization::Allow,
        }
    }
}
