//! The SQL of what a connection has in its temp schema for a table with cold rows.

use relstore_model::TableId;
use relstore_model::identifier::{quote, quote_literal};

use super::definition::{ColdTable, Reference};

/// The table that rows pass through on their way back: which rowids.
pub(super) const MOVING: &str = "CREATE TEMP TABLE IF NOT EXISTS _rs_moving(row INTEGER PRIMARY KEY)";

/// The name of the virtual table.
pub(super) fn cold_name(id: TableId) -> String {
    format!("temp.\"_rs_cold_{}\"", id.0)
}

/// That the row of the cold table `alias` is not hot again.
pub(super) fn alive(id: TableId, alias: &str) -> String {
    format!("NOT EXISTS (SELECT 1 FROM main._rs_reloaded AS _rs_r WHERE _rs_r.table_id={} AND _rs_r.row={alias}.rowid)", id.0)
}

/// The virtual table, and the view that takes the table's name.
pub(super) fn for_reading(table: &ColdTable) -> Vec<String> {
    let (cold, name) = (cold_name(table.id), quote(&table.name));
    let hot_columns: Vec<String> = table.columns.iter().map(|c| quote(c)).collect();
    vec![
        format!("CREATE VIRTUAL TABLE {cold} USING _rs_cold({})", table.id.0),
        format!(
            "CREATE TEMP VIEW {name} AS SELECT {} FROM main.{name} UNION ALL SELECT {} FROM {cold} AS _rs_c WHERE {}",
            hot_columns.join(", "),
            cold_columns(table).join(", "),
            alive(table.id, "_rs_c")
        ),
    ]
}

/// The columns of the cold arm. The rowid comes as `rowid`, so that SQLite knows that the arm is in its order.
fn cold_columns(table: &ColdTable) -> Vec<String> {
    let column = |(i, c): (usize, &String)| if i == table.alias { "_rs_c.rowid".to_owned() } else { format!("_rs_c.{}", quote(c)) };
    table.columns.iter().enumerate().map(column).collect()
}

/// Brings back the rows that `_rs_moving` names. They are cold and alive.
pub(super) fn bring_back(table: &ColdTable) -> Vec<String> {
    let names: Vec<String> = table.columns.iter().map(|c| quote(c)).collect();
    vec![
        format!(
            "INSERT INTO main.{}({}) SELECT {} FROM temp._rs_moving AS _rs_m CROSS JOIN {} AS _rs_c ON _rs_c.rowid=_rs_m.row",
            quote(&table.name),
            names.join(", "),
            cold_columns(table).join(", "),
            cold_name(table.id)
        ),
        format!("INSERT INTO main._rs_reloaded(table_id, row) SELECT {}, row FROM temp._rs_moving", table.id.0),
        "DELETE FROM temp._rs_moving".to_owned(),
    ]
}

/// The triggers that bring rows back before a statement meets them.
pub(super) fn for_writing(table: &ColdTable) -> Vec<String> {
    let mut out = vec![before_insert(table)];
    out.push(before_update(table));
    for (i, reference) in table.references.iter().enumerate() {
        out.extend(before_parent_goes(table, reference, i));
    }
    out
}

/// A trigger that brings back what `wanted` selects: each a condition on a cold row `_rs_c`, and when it is to be looked at.
fn trigger(table: &ColdTable, name: &str, event: &str, on: &str, wanted: &[(String, String)]) -> String {
    let rows = |condition: &str| format!("FROM {} AS _rs_c WHERE {} AND {condition}", cold_name(table.id), alive(table.id, "_rs_c"));
    let any: Vec<String> = wanted.iter().map(|(when, c)| format!("({when} AND EXISTS (SELECT 1 {}))", rows(c))).collect();
    let all: Vec<String> = wanted.iter().map(|(when, c)| format!("SELECT _rs_c.rowid {} AND {when}", rows(c))).collect();
    format!(
        "CREATE TEMP TRIGGER \"_rs_{name}\" BEFORE {event} ON main.{} WHEN _rs_watching() AND ({}) BEGIN SELECT _rs_quiet(1); \
         INSERT INTO temp._rs_moving(row) {}; {}; SELECT _rs_quiet(0); END",
        quote(on),
        any.join(" OR "),
        all.join(" UNION "),
        bring_back(table).join("; ")
    )
}

fn before_insert(table: &ColdTable) -> String {
    let (id, name) = (quote(&table.columns[table.alias]), quote(&table.name));
    let cold = cold_name(table.id);
    // An automatic rowid is one more than the largest, which may be cold. It reads as -1 here. Where the largest is the last there is,
    // SQLite draws a rowid, and any cold row may have it.
    let hot_max = format!("(SELECT max({id}) FROM main.{name})");
    let largest = format!(
        "_rs_c.rowid=(SELECT max(_rs_x.rowid) FROM {cold} AS _rs_x WHERE _rs_x.rowid>ifnull({hot_max}, {}) AND {})",
        i64::MIN,
        alive(table.id, "_rs_x")
    );
    let is_automatic = format!("NEW.{id}=-1");
    let mut wanted = vec![
        ("1".to_owned(), format!("_rs_c.rowid=NEW.{id}")),
        (is_automatic.clone(), largest),
        (format!("{is_automatic} AND {hot_max}={}", i64::MAX), "1".to_owned()),
    ];
    wanted.extend(table.keys.iter().map(|key| ("1".to_owned(), same_key(key))));
    trigger(table, &format!("insert_{}", table.id.0), "INSERT", &table.name, &wanted)
}

fn before_update(table: &ColdTable) -> String {
    let id = &table.columns[table.alias];
    let changes = |columns: &[String]| {
        let each: Vec<String> = columns.iter().map(|c| format!("NEW.{0} COLLATE BINARY IS NOT OLD.{0}", quote(c))).collect();
        format!("({})", each.join(" OR "))
    };
    let mut wanted = vec![(changes(std::slice::from_ref(id)), format!("_rs_c.rowid=NEW.{}", quote(id)))];
    wanted.extend(table.keys.iter().map(|key| (changes(key), same_key(key))));
    let mut watched: Vec<String> = vec![quote(id)];
    watched.extend(table.keys.iter().flatten().map(|c| quote(c)));
    let event = format!("UPDATE OF {}, rowid, oid, _rowid_", watched.join(", "));
    trigger(table, &format!("update_{}", table.id.0), &event, &table.name, &wanted)
}

fn before_parent_goes(table: &ColdTable, reference: &Reference, number: usize) -> [String; 2] {
    let children: Vec<String> = reference
        .pairs
        .iter()
        .map(|(child, parent)| may_equal(&format!("_rs_c.{}", quote(child)), &format!("OLD.{}", quote(parent))))
        .collect();
    let children = children.join(" AND ");
    let changes: Vec<String> = reference.pairs.iter().map(|(_, p)| format!("NEW.{0} COLLATE BINARY IS NOT OLD.{0}", quote(p))).collect();
    let watched: Vec<String> = reference.pairs.iter().map(|(_, p)| quote(p)).collect();
    let suffix = format!("{}_{number}", table.id.0);
    let update = format!("UPDATE OF {}, rowid, oid, _rowid_", watched.join(", "));
    [
        trigger(table, &format!("parent_delete_{suffix}"), "DELETE", &reference.parent, &[("1".to_owned(), children.clone())]),
        trigger(
            table,
            &format!("parent_update_{suffix}"),
            &update,
            &reference.parent,
            &[(format!("({})", changes.join(" OR ")), children)],
        ),
    ]
}

fn same_key(columns: &[String]) -> String {
    let each: Vec<String> = columns.iter().map(|c| may_equal(&format!("_rs_c.{}", quote(c)), &format!("NEW.{}", quote(c)))).collect();
    each.join(" AND ")
}

/// That two cells may be equal under some affinity and some of SQLite's collations: true too often, and never too seldom. False for NULL.
fn may_equal(cold: &str, key: &str) -> String {
    format!(
        "(rtrim(CAST({cold} AS TEXT)) COLLATE NOCASE = rtrim(CAST({key} AS TEXT)) \
         OR (typeof({key}) IN ('integer', 'real') AND CAST({cold} AS NUMERIC)=CAST({key} AS NUMERIC)))"
    )
}

/// What takes objects of this type and name away.
pub(super) fn drop_object(kind: &str, name: &str) -> String {
    format!("DROP {} temp.{}", if kind == "table" { "TABLE" } else { kind }, quote(name))
}

/// The temp objects of the cold tier: triggers, then views, then tables, so that none is dropped before what rests on it.
pub(super) fn list() -> String {
    let pattern = quote_literal("%\"_rs_cold_%");
    format!(
        "SELECT type, name FROM temp.sqlite_schema WHERE type IN ('trigger', 'view', 'table') \
         AND (sql LIKE {pattern} OR name LIKE '\\_rs\\_cold\\_%' ESCAPE '\\') \
         ORDER BY CASE type WHEN 'trigger' THEN 0 WHEN 'view' THEN 1 ELSE 2 END"
    )
}
