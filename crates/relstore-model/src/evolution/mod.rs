//! Changes of shape: what they are, whether readers survive them, and how old rows are read after them.
//!
//! Schemas and rows come in; differences, verdicts and rows come out. [`diff`] tells what happened between two versions,
//! [`SchemaEvolution`] judges that by [`RULES`] under a [`Mode`], and [`Reading`] reads a row of one version as another. The three agree:
//! what the rules allow, every row can be read across, and what they refuse because of decoding has a row that cannot. What is deliberately
//! not here: SQL, migrations, files.

mod compatibility;
mod describe;
mod diff;
mod edit;
mod mode;
mod promotion;
mod reading;
mod report;
mod rules;

pub use compatibility::SchemaEvolution;
pub use describe::{Rename, described};
pub use diff::{Change, diff};
pub use edit::{ColumnChanges, Edit, NewColumn};
pub use mode::{ConstraintPolicy, Direction, Mode, Profile, Resolution};
pub use reading::Reading;
pub use report::{Finding, Report, Severity, SqlFinding};
pub use rules::{Code, Kind, Letter, OldSql, RULES, Reason, Rule};
