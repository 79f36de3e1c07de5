//! What is asked of a change of shape: the mode, and what bears on the answer beside it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, identifier};

/// Which readers must be able to read which writers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Mode {
    /// Nothing is refused; what would be is still told, as warnings.
    None,
    /// The new schema reads what the last one wrote.
    Backward,
    /// The new schema reads what every earlier one wrote.
    BackwardTransitive,
    /// The last schema reads what the new one writes.
    Forward,
    /// Every earlier schema reads what the new one writes.
    ForwardTransitive,
    /// Both, for the last schema.
    Full,
    /// Both, for every earlier schema.
    FullTransitive,
}

impl Mode {
    /// All modes, the weakest first.
    pub const ALL: [Self; 7] =
        [Self::None, Self::Backward, Self::BackwardTransitive, Self::Forward, Self::ForwardTransitive, Self::Full, Self::FullTransitive];

    /// The mode's word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Backward => "BACKWARD",
            Self::BackwardTransitive => "BACKWARD_TRANSITIVE",
            Self::Forward => "FORWARD",
            Self::ForwardTransitive => "FORWARD_TRANSITIVE",
            Self::Full => "FULL",
            Self::FullTransitive => "FULL_TRANSITIVE",
        }
    }

    /// Whether every earlier version counts, not the last alone.
    #[must_use]
    pub const fn is_transitive(self) -> bool {
        matches!(self, Self::BackwardTransitive | Self::ForwardTransitive | Self::FullTransitive)
    }

    /// The directions that are looked at. Under `NONE` both, to tell of them.
    #[must_use]
    pub const fn directions(self) -> &'static [Direction] {
        match self {
            Self::Backward | Self::BackwardTransitive => &[Direction::Backward],
            Self::Forward | Self::ForwardTransitive => &[Direction::Forward],
            Self::None | Self::Full | Self::FullTransitive => &[Direction::Backward, Direction::Forward],
        }
    }

    /// Who upgrades first once a change is allowed under this mode.
    #[must_use]
    pub const fn upgrade_order(self) -> &'static str {
        match self {
            Self::None => "nothing is promised: upgrade readers and stores together",
            Self::Backward | Self::BackwardTransitive => "deploy readers (warehouse jobs, consumers) first, then migrate the stores",
            Self::Forward | Self::ForwardTransitive => "migrate the stores first, then deploy readers (warehouse jobs, consumers)",
            Self::Full | Self::FullTransitive => "readers and stores may be upgraded in any order",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An enum's value by its name, whatever the case.
fn by_name<T: Copy>(what: &'static str, given: &str, all: &[T], name: impl Fn(T) -> &'static str) -> Result<T, Error> {
    if let Some(found) = all.iter().copied().find(|v| name(*v).eq_ignore_ascii_case(given.trim())) {
        return Ok(found);
    }
    let names: Vec<&str> = all.iter().copied().map(name).collect();
    let hint = match identifier::nearest(given, names.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("it is one of {}", names.join(", ")),
    };
    Err(Error::invalid(format!("no such {what}")).with("given", given).with_hint(hint))
}

impl FromStr for Mode {
    type Err = Error;

    /// # Errors
    /// `Invalid`, with the nearest word or all of them.
    fn from_str(s: &str) -> Result<Self, Error> {
        by_name("compatibility mode", s, &Self::ALL, Self::name)
    }
}

/// Who reads whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Direction {
    /// The new schema reads what an earlier one wrote.
    Backward,
    /// An earlier schema reads what the new one writes.
    Forward,
}

/// What becomes of changes that rows can be read across, while what the tables promise grows or shrinks: unique keys, foreign keys, checks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConstraintPolicy {
    /// They are allowed, with a warning.
    #[default]
    Warn,
    /// They are refused.
    Enforce,
    /// They are allowed, and nothing is said.
    Ignore,
}

impl ConstraintPolicy {
    /// All policies.
    pub const ALL: [Self; 3] = [Self::Warn, Self::Enforce, Self::Ignore];

    /// The policy's word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Warn => "warn",
            Self::Enforce => "enforce",
            Self::Ignore => "ignore",
        }
    }
}

impl fmt::Display for ConstraintPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ConstraintPolicy {
    type Err = Error;

    /// # Errors
    /// `Invalid`, with the nearest word or all of them.
    fn from_str(s: &str) -> Result<Self, Error> {
        by_name("constraint policy", s, &Self::ALL, Self::name)
    }
}

/// Where rows are read from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// Events and the log: a store without history in tiers.
    #[default]
    Records,
    /// History in Iceberg tables too: a type changes only to one that Iceberg promotes it to.
    Iceberg,
}

impl Profile {
    /// The mode of a store that chose none.
    #[must_use]
    pub const fn default_mode(self) -> Mode {
        match self {
            Self::Records => Mode::Backward,
            Self::Iceberg => Mode::BackwardTransitive,
        }
    }
}

/// How readers find a column in what was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// By its name. A newer schema knows the names that its columns had; an older one cannot know those to come. What a missing column
    /// holds is what the reader's own definition says.
    #[default]
    ByName,
    /// By its lasting id, with the default it had when it was added.
    ById,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_name_modes_and_policies() {
        for mode in Mode::ALL {
            assert_eq!(mode.to_string().to_lowercase().parse::<Mode>().unwrap(), mode);
            assert_eq!(serde_json::to_string(&mode).unwrap(), format!("\"{mode}\""));
        }
        for policy in ConstraintPolicy::ALL {
            assert_eq!(policy.to_string().parse::<ConstraintPolicy>().unwrap(), policy);
        }
        let near = "BACKWARDS".parse::<Mode>().unwrap_err();
        assert_eq!(format!("{near:?}"), "Invalid: no such compatibility mode (given: BACKWARDS) [try: did you mean BACKWARD?]");
        let far = "strict".parse::<ConstraintPolicy>().unwrap_err();
        assert_eq!(far.hint(), Some("it is one of warn, enforce, ignore"));
    }
}
