//! What a migration's statements say by themselves.

use relstore_model::schema::ReferentialAction;
use relstore_model::{Schema, TableId};

use super::LintFinding;
use super::walk::Step;
use crate::migration::destruction::Destruction;
use crate::migration::statement::{Kind, Parser, kind};

pub(super) fn look(step: &Step<'_>, found: &mut Vec<LintFinding>) {
    let mut out: Vec<LintFinding> = Vec::new();
    for statement in &step.statements {
        let mut push = |f: LintFinding| out.push(f.of(step.migration).at(statement.number, statement.line));
        for lost in &statement.destroys {
            push(LintFinding::warning(lost.code(), format!("it {lost}"), fix_of(lost)));
        }
        if let Some(why) = &statement.depends_on_rows {
            push(LintFinding::warning(
                "depends-on-rows",
                format!("without rows it fails, so that whether it succeeds depends on what the store holds: {why}"),
                "plan it on a copy of the store that it is for",
            ));
        }
        if let Some(rebuild) = &statement.rebuild {
            let children = children(&step.before, rebuild.table);
            if !children.is_empty() {
                push(LintFinding::warning(
                    "rebuild-with-cascade-child",
                    format!(
                        "{} is rebuilt, and a delete in it reaches {}: nothing is lost here, where foreign keys do not act in a migration; drizzle's own \
                         migrator ignores the PRAGMA within its transaction, and DROP TABLE deletes or empties those rows",
                        rebuild.name,
                        children.join(", ")
                    ),
                    "apply this folder with this store's migrations only",
                ));
            }
        }
        if kind(&statement.sql) == Kind::Control {
            push(without_effect(&statement.sql));
        }
    }
    // drizzle-kit writes a pair of them around each rebuild: once is enough.
    let mut told: Vec<&'static str> = Vec::new();
    for finding in out {
        let is_of_control = ["foreign-keys-pragma", "transaction-statement"].contains(&finding.code);
        if is_of_control && told.contains(&finding.code) {
            continue;
        }
        told.push(finding.code);
        found.push(finding);
    }
}

fn without_effect(sql: &str) -> LintFinding {
    if Parser::new(sql).word("PRAGMA") {
        return LintFinding::warning(
            "foreign-keys-pragma",
            format!(
                "{sql} is without effect: a migration is one transaction, in which foreign keys do not act, and they are checked at its end"
            ),
            "leave it out, unless the file is for other migrators too",
        );
    }
    LintFinding::warning(
        "transaction-statement",
        format!("{sql} is without effect: a migration is one transaction of its own"),
        "leave it out; what is to be committed apart is a migration of its own",
    )
}

fn fix_of(lost: &Destruction) -> &'static str {
    match lost {
        Destruction::Table { .. } => "keep the table until nothing reads it; a store applies it only if that is allowed",
        Destruction::Column { .. } => "keep the column until nothing reads it; a store applies it only if that is allowed",
        Destruction::Rows { .. } => "say with WHERE which rows are meant; a store applies it only if that is allowed",
        Destruction::Filtered { .. } => "copy every row, and delete by a statement of its own what is not to stay",
        Destruction::Narrowed { .. } => "add a column of the new type beside it, fill it, and drop the old one later",
    }
}

/// The other tables whose rows a delete in this one deletes or empties.
fn children(schema: &Schema, id: TableId) -> Vec<String> {
    let Some(parent) = schema.by_id(id) else { return Vec::new() };
    let acts = |action: ReferentialAction| match action {
        ReferentialAction::Cascade | ReferentialAction::SetNull | ReferentialAction::SetDefault => true,
        ReferentialAction::NoAction | ReferentialAction::Restrict => false,
    };
    let hangs = |t: &&relstore_model::Table| {
        let keys = t.facts.iter().flat_map(|facts| &facts.foreign_keys);
        t.id != id && keys.into_iter().any(|k| acts(k.on_delete) && k.parent.eq_ignore_ascii_case(&parent.name))
    };
    schema.tables.iter().filter(hangs).map(|t| t.name.clone()).collect()
}
