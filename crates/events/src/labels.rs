//! The closed sets of words in the metadata: direction and priority.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A word that is not in a closed set.
#[derive(Debug, thiserror::Error)]
#[error("`{word}` is none of: {known}")]
pub struct UnknownLabel {
    word: String,
    known: &'static str,
}

/// Which way a message or call went, seen from this installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// It came from outside.
    Inbound,
    /// It was sent by us.
    Outbound,
    /// It never left the system.
    System,
}

impl Direction {
    /// The word that is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
            Self::System => "system",
        }
    }

    /// Reads the stored word.
    ///
    /// # Errors
    /// When the word is none of the three.
    pub fn parse(word: &str) -> Result<Self, UnknownLabel> {
        [Self::Inbound, Self::Outbound, Self::System]
            .into_iter()
            .find(|d| d.as_str() == word)
            .ok_or_else(|| UnknownLabel {
                word: word.to_owned(),
                known: "inbound, outbound, system",
            })
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How urgent the sender says an event is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// May wait.
    Low,
    /// The usual.
    Normal,
    /// Before the usual.
    High,
    /// Before everything.
    Critical,
}

impl Priority {
    /// The word that is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// Reads the stored word.
    ///
    /// # Errors
    /// When the word is none of the four.
    pub fn parse(word: &str) -> Result<Self, UnknownLabel> {
        [Self::Low, Self::Normal, Self::High, Self::Critical]
            .into_iter()
            .find(|p| p.as_str() == word)
            .ok_or_else(|| UnknownLabel {
                word: word.to_owned(),
                known: "low, normal, high, critical",
            })
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
