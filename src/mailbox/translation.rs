//! A message in another language, as a machine put it.

use serde::{Deserialize, Serialize};

use super::numbers::Difference;

/// What a machine made of a transcript in another language. The transcript stays what was said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Translation {
    /// ISO 639-1, as it was asked for.
    pub language: String,
    /// All of it, in one line.
    pub text: String,
    /// What made it, e.g. `fxtranslate en-fr`.
    pub engine: String,
    /// How its numbers differ from the original's; to be shown wherever the text is.
    pub difference: Option<Difference>,
}
