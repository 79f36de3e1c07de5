//! The rules: what each change of shape means to readers, row by row as they were decided.
//!
//! One law yields every row. A change that lets more rows be valid can be read by the new schema and not by the old; one that lets fewer be
//! valid the other way round; one that every reader can fill or pass over, both ways. `FULL` is both columns together, and a transitive
//! mode is the table against each earlier version, on the whole difference from it. A row's mirror image, its columns exchanged, has the
//! row's number too.

use serde::Serialize;

use super::Direction;

/// What a rule says of one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Letter {
    /// Allowed.
    Allowed,
    /// Allowed, with a warning.
    Warned,
    /// Refused.
    Refused,
    /// Rows can be read; what the tables promise is another: as the constraint policy says.
    Constraint,
    /// Refused where readers find columns by name, allowed where they find them by id.
    ByName,
    /// Allowed, but not where history is in Iceberg tables.
    NotInIceberg,
}

/// Why a rule refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A row can be written that the reader cannot decode.
    Decode,
    /// Every row can be decoded, and would be misunderstood or lost.
    Meaning,
    /// What a table promises changes: which rows there are together, not what one of them holds.
    Promise,
}

/// The stable code of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "each is named for what happened; the rules say the rest")]
pub enum Code {
    RequiredColumnAdded,
    NonConstantDefault,
    ColumnAdded,
    ColumnDropped,
    RequiredColumnDropped,
    NameReused,
    ColumnRenamedNoAlias,
    ColumnRenameUnrecorded,
    TypeWidened,
    TypeNarrowed,
    TypeUnpromotable,
    LossyPromotion,
    NullabilityTightened,
    NullabilityLoosened,
    ConstraintTightened,
    ConstraintLoosened,
    ReferentialActionChanged,
    PkChanged,
    TableAdded,
    TableDropped,
    TableRenamedNoAlias,
    DefaultChanged,
    DefaultRemoved,
    EnumValueAdded,
    EnumValueRemoved,
    ColumnsReordered,
    IndexChanged,
    StorageClassesTightened,
    StorageClassesLoosened,
    CollationChanged,
    ValuesNeedTransform,
    LogicalModeChanged,
    GeneratedColumn,
    PartitionColumnChanged,
    RebuildWithCascadeChild,
}

/// What the SQL of an application that was not upgraded meets in a migrated store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OldSql {
    /// Nothing.
    Fine,
    /// It works, in most cases or with a difference that this says.
    Risk(&'static str),
    /// It fails, in the way that this says.
    Fails(&'static str),
}

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    /// What happened.
    pub kind: Kind,
    /// The row's number, 1 to 45.
    pub row: u8,
    /// The change in words.
    pub change: &'static str,
    /// What the new schema as a reader makes of it.
    pub backward: Letter,
    /// What the old schema as a reader makes of it.
    pub forward: Letter,
    /// The code of its findings.
    pub code: Code,
    /// Why it is refused where it is.
    pub reason: Reason,
    /// The reason in words: a clause.
    pub because: &'static str,
    /// A way out: an instruction. Empty where nothing is ever refused.
    pub fix: &'static str,
    /// What an old application's SQL meets.
    pub old_sql: OldSql,
    /// Whether SQLite can make the change only by building the table anew.
    pub is_rebuild: bool,
}

impl Rule {
    /// What it says of `direction`.
    #[must_use]
    pub const fn letter(&self, direction: Direction) -> Letter {
        match direction {
            Direction::Backward => self.backward,
            Direction::Forward => self.forward,
        }
    }
}

impl Kind {
    /// The row of this kind.
    #[must_use]
    pub fn rule(self) -> &'static Rule {
        // The table is in the order of the kinds, which the test below holds.
        &RULES[self as usize]
    }
}

use Code::*;
use Letter::{Allowed as Y, ByName as N, Constraint as C, NotInIceberg as I, Refused as X, Warned as W};
use OldSql::{Fails, Fine, Risk};
use Reason::{Decode, Meaning, Promise};

macro_rules! rules {
    ($($row:literal $kind:ident $change:literal $back:ident $forward:ident $code:ident $reason:ident $rebuild:literal,
        $because:literal, $fix:literal, $old:expr;)*) => {
        /// What can happen to a shape, one for each row of [`RULES`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind { $(#[doc = $change] $kind,)* }

        /// The table, by its rows' numbers.
        pub const RULES: &[Rule] = &[$(Rule {
            kind: Kind::$kind, row: $row, change: $change, backward: $back, forward: $forward, code: $code, reason: $reason,
            because: $because, fix: $fix, old_sql: $old, is_rebuild: $rebuild,
        },)*];
    };
}

const SELECTS_FAIL: OldSql = Fails("statements that name it fail");

// Number, kind, the change in words; BACKWARD, FORWARD: Y allowed, W allowed with a warning, X refused, C as the constraint policy says, N
// refused to readers by name, I refused where Iceberg is; code, reason, whether the table is built anew.
rules! {
    1 AddNullable "add nullable column (no default)" Y Y ColumnAdded Decode false, "", "", Fine;
    2 AddNullableDefault "add nullable column DEFAULT c" Y Y ColumnAdded Decode false, "", "", Fine;
    3 AddRequiredDefault "add NOT NULL DEFAULT c (constant)" Y Y ColumnAdded Decode false, "", "", Fine;
    4 AddRequired "add NOT NULL, no default" X Y RequiredColumnAdded Decode true,
        "rows written before have no value for it", "give it a constant DEFAULT, or let it be NULL",
        Fails("INSERTs that do not give it fail");
    5 AddRequiredComputed "add NOT NULL with non-constant default" X Y NonConstantDefault Decode true,
        "rows written before would get another value with every reading", "give it a constant DEFAULT and set the value in the INSERT",
        Fine;
    5 AddRequiredBackfilled "add NOT NULL with non-constant default, an initial constant recorded" W Y NonConstantDefault Decode true,
        "rows written before get the constant recorded for them, not the default", "see that the constant is what they should have", Fine;
    6 DropNullable "drop nullable column" Y Y ColumnDropped Decode false, "", "", SELECTS_FAIL;
    7 DropDefaulted "drop NOT NULL column with default" Y W RequiredColumnDropped Decode false,
        "old readers take its default for the value, which may be untrue", "stop reading it before it is dropped", SELECTS_FAIL;
    8 DropRequired "drop NOT NULL column, no default" Y X RequiredColumnDropped Decode false,
        "old readers need a value for it", "give it a DEFAULT or let it be NULL first, and drop it once no older reader is left", SELECTS_FAIL;
    9 ReuseName "re-add a dropped name (other meaning)" N N NameReused Meaning false,
        "readers by name take the one for the other", "choose another name, or let every reader resolve by id", Fine;
    10 RenameColumn "rename column, recorded" Y N ColumnRenamedNoAlias Meaning false,
        "old readers look for it under its old name", "add a column of the new name, write both, and drop the old one later",
        SELECTS_FAIL;
    11 RenameUnrecorded "rename column, unrecorded (drop+add)" X X ColumnRenameUnrecorded Meaning false,
        "if it is a rename, every value in it is lost to readers",
        "write it as RENAME COLUMN; if the old column is really dropped, say so", SELECTS_FAIL;
    11 RenameTableUnrecorded "rename table, unrecorded (drop+add)" X X ColumnRenameUnrecorded Meaning false,
        "if it is a rename, every row in it is lost to readers",
        "write it as ALTER TABLE … RENAME TO; if the old table is really dropped, say so", SELECTS_FAIL;
    12 WidenInteger "widen INT32→INT64" Y X TypeWidened Decode true,
        "old readers have no room for its larger numbers", "add a column of the wider type beside it", Fine;
    12 NarrowInteger "narrow INT64→INT32" X Y TypeNarrowed Decode true,
        "the new type has no room for the larger numbers written before", "keep the wider type", Fine;
    13 Int32ToReal "INT32→REAL(double)" I X TypeUnpromotable Decode true,
        "an integer is not promoted to a float everywhere it is read", "add a column of the new type, fill it, and retire the old one", Fine;
    14 Int64ToReal "INT64→REAL" X X LossyPromotion Decode true,
        "a float cannot hold every integer beyond 2^53", "add a column of the new type, fill it, and retire the old one", Fine;
    14 RealToInt64 "REAL→INT64" X X LossyPromotion Decode true,
        "an integer cannot hold a fraction, and a float not every integer", "add a column of the new type, fill it, and retire the old one",
        Fine;
    15 RealToInt32 "REAL→INT (narrow)" X I TypeUnpromotable Decode true,
        "an integer cannot hold a fraction", "add a column of the new type, fill it, and retire the old one", Fine;
    16 WidenFloat "FLOAT32→FLOAT64" Y X TypeWidened Decode true,
        "old readers have no room for its precision", "add a column of the wider type beside it", Fine;
    16 NarrowFloat "FLOAT64→FLOAT32" X Y TypeNarrowed Decode true,
        "the new type has no room for the precision written before", "keep the wider type", Fine;
    17 WidenDecimal "DECIMAL(p)→(p'>p), same scale" Y X TypeWidened Decode true,
        "old readers have no room for its digits", "add a column of the wider type beside it", Fine;
    17 NarrowDecimal "DECIMAL(p)→(p'<p), same scale" X Y TypeNarrowed Decode true,
        "the new type has no room for digits written before", "keep the wider type", Fine;
    17 ScaleDecimal "DECIMAL, another scale" X X TypeUnpromotable Decode true,
        "the same digits mean another number under another scale", "keep the scale, or add a column of the new type", Fine;
    18 Unpromotable "TEXT→INT, INT→TEXT, bool→text" X X TypeUnpromotable Decode true,
        "neither type is promoted to the other", "add a column of the new type, fill it, and retire the old one",
        Fails("it gets and gives values of another type");
    19 TextBlob "TEXT↔BLOB" X X TypeUnpromotable Decode true,
        "bytes need not be text, and Iceberg promotes neither to the other", "add a column of the new type, fill it, and retire the old one",
        Fails("it gets and gives values of another type");
    20 Lengthen "VARCHAR(n) longer" Y X TypeWidened Decode true,
        "old readers have no room for longer text", "add a column of the wider type beside it", Fine;
    20 Shorten "VARCHAR(n) shorter" X Y TypeNarrowed Decode true,
        "the new type has no room for longer text written before", "keep the length", Fine;
    21 Tighten "nullable → NOT NULL (even with default)" X Y NullabilityTightened Decode true,
        "rows written before hold NULL, which a default does not replace",
        "add a NOT NULL column with a DEFAULT beside it, fill it, and retire the old one",
        Risk("INSERTs and UPDATEs that give NULL fail; the migration fails if there are NULLs");
    22 Loosen "NOT NULL → nullable" Y X NullabilityLoosened Decode true,
        "old readers do not expect NULL", "keep it NOT NULL until no older reader is left", Risk("it may read NULLs that it does not expect");
    23 AddUnique "add UNIQUE" C Y ConstraintTightened Promise false,
        "history may hold rows that are the same in it", "look for duplicates first, and in history too",
        Risk("INSERTs of duplicates fail; the migration fails if there are some");
    24 DropUnique "drop UNIQUE" Y C ConstraintLoosened Promise false,
        "old readers may rely on it as a key", "keep the unique index until no older reader is left",
        Fails("ON CONFLICT on it fails");
    25 AddForeignKey "add FK" C Y ConstraintTightened Promise true,
        "history may hold rows without a parent", "look for orphans first, and in history too", Risk("INSERTs without a parent fail");
    25 AddCheck "add CHECK" C Y ConstraintTightened Promise true,
        "history may hold rows that break it", "look for rows that break it first, and in history too", Risk("INSERTs that break it fail");
    26 DropForeignKey "drop FK" Y C ConstraintLoosened Promise true,
        "old readers may rely on there being a parent", "keep it until no older reader is left", Fine;
    26 DropCheck "drop CHECK" Y C ConstraintLoosened Promise true,
        "old readers may rely on it", "keep it until no older reader is left", Fine;
    26 DropAutoincrement "drop AUTOINCREMENT" Y C ConstraintLoosened Promise true,
        "old readers may rely on a deleted row's id never coming back", "keep AUTOINCREMENT", Fine;
    26 ReferentialAction "FK ON DELETE or ON UPDATE action changed" W W ReferentialActionChanged Promise true,
        "deletes and updates of parents do something else to their children", "see that no application relies on the old action",
        Risk("deletes and updates of parents do something else to their children");
    27 ChangeKey "change PK (add/drop/replace column, type of PK)" X X PkChanged Promise true,
        "rows get another identity, and events another key", "make a new table with the new key and fill it from the old one",
        Fails("statements that rely on the key fail or find other rows");
    28 WidenKey "PK widen INT32→INT64" Y X TypeWidened Decode true,
        "old readers have no room for larger keys", "add a table with the wider key, or wait until no older reader is left", Fine;
    29 AddTable "add table" Y Y TableAdded Decode false, "", "", Fine;
    30 DropTable "drop table" Y X TableDropped Promise false,
        "old readers ask for it", "keep the table until no older reader is left", SELECTS_FAIL;
    31 RenameTable "rename table, recorded" Y N TableRenamedNoAlias Meaning false,
        "old readers look for it under its old name", "make a view of the old name, or wait until no older reader is left", SELECTS_FAIL;
    32 ChangeDefault "change default c→c'" Y Y DefaultChanged Decode true, "", "", Fine;
    33 AddDefault "add default to required column" Y Y DefaultChanged Decode true, "", "", Fine;
    34 RemoveDefault "remove default (NOT NULL)" Y Y DefaultRemoved Decode true, "", "", Fails("INSERTs that do not give it fail");
    34 RemoveDefaultOfNewer "remove default (NOT NULL), an older version lacks the column" N Y DefaultRemoved Decode true,
        "rows from before the column have no value for it once the default is gone", "keep the default", Fine;
    35 AddEnumValue "enum value added" Y X EnumValueAdded Decode true,
        "old readers do not know the value", "teach every reader the value first", Fine;
    36 RemoveEnumValue "enum value removed" X Y EnumValueRemoved Decode true,
        "rows written before hold the value", "keep the value and stop writing it", Fails("INSERTs of the value fail");
    37 RenameEnumValue "enum renamed value" X X EnumValueRemoved Decode true,
        "neither reader knows the other's value", "add the new value, keep the old one, and stop writing it",
        Fails("INSERTs of the value fail");
    38 Reorder "reorder columns" Y Y ColumnsReordered Decode true, "", "",
        Risk("SELECT * and INSERTs without a column list mean other columns");
    39 ChangeIndex "add/drop non-unique index, view, trigger" Y Y IndexChanged Promise false, "", "", Fine;
    40 AddStrict "STRICT on" X Y StorageClassesTightened Decode true,
        "rows written before may hold cells of other storage classes", "look for cells that do not fit their column, and in history too",
        Risk("INSERTs of cells that do not fit their column fail");
    40 DropStrict "STRICT off" Y X StorageClassesLoosened Decode true,
        "old readers do not expect cells of other storage classes", "keep the table STRICT", Fine;
    41 CollationOfKey "collation change on key/unique" X X CollationChanged Promise true,
        "which values are the same changes", "make a new column or table with the new collation",
        Risk("comparisons find other rows");
    41 Collation "collation change elsewhere" W W CollationChanged Promise true,
        "comparisons and the order of rows change", "see that no reader relies on the old order", Risk("comparisons find other rows");
    42 Transform "column split / merge / JSON→columns" X X ValuesNeedTransform Meaning true,
        "no reader can make the one out of the other", "add the new columns, fill them, write both, and drop the old ones later",
        SELECTS_FAIL;
    43 LogicalMode "mode change (timestamp_ms↔timestamp, boolean↔number, json↔text)" X X LogicalModeChanged Decode true,
        "the same cell means something else", "add a column of the new type, fill it, and retire the old one", Fine;
    44 AddGenerated "generated column add" W Y GeneratedColumn Decode true,
        "rows written before have no cell for it: readers compute it", "see that readers can compute it", Fine;
    44 DropGenerated "generated column drop" Y Y ColumnDropped Decode false, "", "", SELECTS_FAIL;
    44 ChangeGenerated "generated column computed otherwise" W W GeneratedColumn Meaning true,
        "rows on both sides hold values of different expressions", "give the new expression a new column", Fine;
    45 PartitionColumn "partition column (warm/cold) dropped or type changed" X X PartitionColumnChanged Promise true,
        "history is partitioned by it", "change the partitioning of the history first", Fine;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_every_row_and_a_way_out_of_each() {
        let rows: std::collections::BTreeSet<u8> = RULES.iter().map(|rule| rule.row).collect();
        assert_eq!(rows, (1..=45).collect());
        for (at, rule) in RULES.iter().enumerate() {
            assert_eq!(rule.kind as usize, at);
            assert_eq!(rule.kind.rule(), rule);
            let says_something = [rule.backward, rule.forward].iter().any(|letter| *letter != Letter::Allowed);
            assert_eq!(says_something, !rule.because.is_empty() && !rule.fix.is_empty(), "{}", rule.change);
        }
    }
}
