//! What user SQL may not do: drive transactions, attach files, turn safety off, touch the engine's own tables, or hide tables behind temporary
//! ones, which nobody captures. Each refusal says the way out.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use relstore_model::identifier::is_reserved;
use relstore_model::{Error, ErrorKind};
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

use crate::sql;

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
    /// The way out of what was refused last.
    refused: Mutex<Option<&'static str>>,
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
        // A look is cheaper than a swap, and the answer is almost always no.
        self.saw_ddl.load(Ordering::Relaxed) && self.saw_ddl.swap(false, Ordering::Relaxed)
    }

    /// The table that a `DROP TABLE` prepared since the last call drops.
    pub(crate) fn take_dropped(&self) -> Option<String> {
        self.dropped.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Adds the way out to the error of a statement that was refused.
    pub(crate) fn explain(&self, error: Error) -> Error {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner).take();
        match refused {
            Some(hint) if error.kind() == ErrorKind::Unsupported => error.with_hint(hint),
            _ => error,
        }
    }

    fn decide(&self, context: &AuthContext<'_>) -> Authorization {
        let decision = self.permit(context);
        if decision == Authorization::Deny {
            *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(way_out(&context.action));
        }
        decision
    }

    fn permit(&self, context: &AuthContext<'_>) -> Authorization {
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
            AuthAction::CreateTrigger { table_name, trigger_name } | AuthAction::DropTrigger { table_name, trigger_name } => {
                match shape(table_name) {
                    Authorization::Allow => allow_if(!is_reserved(trigger_name)),
                    refused => refused,
                }
            }
            AuthAction::CreateView { view_name } | AuthAction::DropView { view_name } => shape(view_name),
            _ if is_temporary(&context.action) => Authorization::Deny,
            AuthAction::Function { function_name } => allow_if(!function_name.eq_ignore_ascii_case("load_extension")),
            AuthAction::Pragma { pragma_name, pragma_value } => {
                let named = |list: &[&str]| list.iter().any(|p| p.eq_ignore_ascii_case(pragma_name));
                allow_if(named(PRAGMAS) || (pragma_value.is_none() && named(PRAGMAS_TO_READ)))
            }
            _ => Authorization::Allow,
        }
    }
}

fn is_temporary(action: &AuthAction<'_>) -> bool {
    matches!(
        action,
        AuthAction::CreateTempTable { .. }
            | AuthAction::CreateTempIndex { .. }
            | AuthAction::CreateTempTrigger { .. }
            | AuthAction::CreateTempView { .. }
            | AuthAction::DropTempTable { .. }
            | AuthAction::DropTempIndex { .. }
            | AuthAction::DropTempTrigger { .. }
            | AuthAction::DropTempView { .. }
    )
}

const NO_TEMPORARY: &str = "temporary tables would hide tables whose changes are captured: use WITH, or an ordinary table that you drop";

/// Refuses DDL that names the temp schema. SQLite tells the authorizer of `CREATE TEMP TRIGGER` and not of `CREATE TRIGGER temp.name`.
pub(crate) fn refuse_temporary(text: &str) -> relstore_model::Result<()> {
    let tokens = sql::tokens(text);
    let is_temp =
        |t: &sql::Token| matches!(t.kind, sql::TokenKind::Word | sql::TokenKind::Quoted) && t.name(text).eq_ignore_ascii_case("temp");
    if tokens.windows(2).any(|pair| is_temp(&pair[0]) && pair[1].text(text) == ".") {
        return Err(Error::unsupported("not authorized").with("sql", text).with_hint(NO_TEMPORARY));
    }
    Ok(())
}

/// What to do instead of what was refused.
fn way_out(action: &AuthAction<'_>) -> &'static str {
    match action {
        AuthAction::Transaction { .. } | AuthAction::Savepoint { .. } => {
            "use Database::transaction, and Transaction::transaction for one inside it: they also roll back when the program panics"
        }
        AuthAction::Attach { .. } | AuthAction::Detach { .. } => {
            "open the other file as a store of its own, copy one with Database::backup, or ask all stores at once with relstore query"
        }
        _ if is_temporary(action) => NO_TEMPORARY,
        AuthAction::Function { .. } => "extensions are not loaded: they could change the store unseen. Compute it in the program",
        AuthAction::Pragma { pragma_name, .. } => pragma_way_out(pragma_name),
        _ => "names that begin with _rs_ are the engine's: commits_after, cursors, statistics and schema give what its tables hold",
    }
}

fn pragma_way_out(name: &str) -> &'static str {
    match name.to_ascii_lowercase().as_str() {
        "journal_mode" | "synchronous" | "locking_mode" | "fullfsync" | "checkpoint_fullfsync" => {
            "what a commit survives is chosen when the store is opened: Settings::durability"
        }
        "foreign_keys" => "foreign keys always hold; PRAGMA defer_foreign_keys=ON puts them off until the commit",
        "wal_checkpoint" | "wal_autocheckpoint" => "the engine takes the WAL into the file by itself",
        "optimize" => "call Database::optimize",
        "cache_size" | "mmap_size" | "page_size" | "auto_vacuum" => "set it when the store is opened, where Settings has it",
        "incremental_vacuum" => "call Database::vacuum",
        "writable_schema" | "schema_version" => "change the schema by CREATE, ALTER and DROP, which are recorded",
        "recursive_triggers" | "ignore_check_constraints" | "legacy_alter_table" | "trusted_schema" | "query_only" => {
            "the log rests on how SQLite works by default here: it stays so"
        }
        _ => "only PRAGMAs that look are allowed in SQL; settings are given when the store is opened",
    }
}
