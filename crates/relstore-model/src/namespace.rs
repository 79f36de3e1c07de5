//! The name of a store, and the path it has in a bucket and on a disk.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The name of one store (a tenant, a user, an object): 1 to 128 characters without `/`, `\` or control characters, and neither `.`
/// nor `..`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Namespace(String);

impl Namespace {
    /// The longest name, in characters.
    pub const CHARS_MAX: usize = 128;

    /// The namespace `name`.
    ///
    /// # Errors
    /// `Invalid` if the name is empty, too long, or holds what no path component may hold.
    pub fn new(name: impl Into<String>) -> Result<Self> {
        let name = name.into();
        let problem = if name.is_empty() {
            "it is empty"
        } else if name.chars().count() > Self::CHARS_MAX {
            "it is longer than 128 characters"
        } else if name == "." || name == ".." {
            "it names a folder, not a store"
        } else if name.chars().any(|c| c == '/' || c == '\\' || c.is_control()) {
            "it holds a slash, a backslash or a control character"
        } else {
            return Ok(Self(name));
        };
        Err(Error::invalid(format!("not a namespace: {problem}"))
            .with("ns", format!("{name:?}"))
            .with_hint("use a plain name such as acme or user_42"))
    }

    /// The name as given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as one path component.
    ///
    /// Letters, digits, `-` and `_` stand for themselves, every other byte as `%XX`. Some file systems take `EWR` and `ewr` for one
    /// name, so a name with capitals ends in `~` and a mask of where they stand, in base 16. No two names share a path, even there,
    /// and [`Namespace::from_path`] reads it back.
    #[must_use]
    pub fn to_path(&self) -> String {
        let mut path = String::with_capacity(self.0.len());
        let mut capitals: Vec<u8> = Vec::new();
        for (i, byte) in self.0.bytes().enumerate() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => path.push(byte as char),
                _ => path.push_str(&format!("%{byte:02x}")),
            }
            if byte.is_ascii_uppercase() {
                capitals.resize(i / 4 + 1, 0);
                capitals[i / 4] |= 1 << (i % 4);
            }
        }
        if !capitals.is_empty() {
            path.push('~');
            path.extend(capitals.iter().filter_map(|nibble| char::from_digit(u32::from(*nibble), 16)));
        }
        path
    }

    /// Reads a path component that [`Namespace::to_path`] gave.
    ///
    /// # Errors
    /// `Invalid` if it is none.
    pub fn from_path(path: &str) -> Result<Self> {
        let refuse = || Error::invalid("not the path of a namespace").with("path", path);
        let body = path.split('~').next().unwrap_or_default().as_bytes();
        let mut bytes = Vec::with_capacity(body.len());
        let mut i = 0;
        while i < body.len() {
            if body[i] == b'%' {
                let hex = body.get(i + 1..i + 3).and_then(|h| std::str::from_utf8(h).ok()).ok_or_else(refuse)?;
                bytes.push(u8::from_str_radix(hex, 16).map_err(|_| refuse())?);
                i += 3;
            } else {
                bytes.push(body[i]);
                i += 1;
            }
        }
        let namespace = Self::new(String::from_utf8(bytes).map_err(|_| refuse())?)?;
        if namespace.to_path() == path { Ok(namespace) } else { Err(refuse()) }
    }

    /// A 64-bit hash of the name (FNV-1a), the same on every machine and in every version.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.0.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Namespace {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self> {
        Self::new(s)
    }
}

impl TryFrom<String> for Namespace {
    type Error = Error;

    fn try_from(s: String) -> Result<Self> {
        Self::new(s)
    }
}

impl From<Namespace> for String {
    fn from(ns: Namespace) -> Self {
        ns.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_could_leave_its_folder_is_refused() {
        for bad in ["", ".", "..", "../x", "a/b", "a\\b", "a\0b", "a\nb"] {
            assert!(Namespace::new(bad).is_err(), "{bad:?}");
        }
        assert!(Namespace::new("x".repeat(129)).is_err());
    }

    #[test]
    fn every_name_has_its_own_path_whatever_the_case_of_the_file_system() {
        let names = ["EWR", "ewr", "Ewr", "eWR", "ewr~7", "a.b", "a%b", "alice@example.com", "é", "...", "con fig", "Zürich"];
        let mut seen = std::collections::BTreeSet::new();
        for name in names {
            let ns = Namespace::new(name).unwrap();
            let path = ns.to_path();
            assert!(path.chars().all(|c| c.is_ascii_alphanumeric() || "-_%~".contains(c)), "{path}");
            assert_eq!(Namespace::from_path(&path).unwrap(), ns);
            assert!(seen.insert(path.to_lowercase()), "{path}");
        }
        assert_eq!(Namespace::new("EWR").unwrap().to_path(), "EWR~7");
        assert!(Namespace::from_path("EWR").is_err());
    }
}
