//! What the owner's phone is set to.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::keys::Layout;

/// `[retrieval]`: the owner's phone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Which key does what: `asterisk`, `freeswitch` or `cisco`.
    pub keys: Layout,

    /// How long a menu waits for a key, and a number for its next digit.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub patience: Duration,

    /// How often somebody may try to log in, and a menu is said to somebody who presses no key.
    pub tries: u32,

    /// How far "back" and "forward" go within a message.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub skip: Duration,

    /// An owner who calls with a PIN that somebody else chose is asked for another one, and for their
    /// name.
    pub first_use: bool,

    /// Beginnings of the numbers that owners may call back from their messages: `["+33", "1"]`. With
    /// none nobody may. Who pays for such calls decides; a caller can claim any number.
    pub call_back: Vec<String>,

    /// So many call-backs a mailbox may have a day; after that owners hear that the number cannot be
    /// called.
    pub call_backs_a_day: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            keys: Layout::default(),
            patience: Duration::from_secs(5),
            tries: 3,
            skip: Duration::from_secs(3),
            first_use: true,
            call_back: Vec::new(),
            call_backs_a_day: 20,
        }
    }
}

impl Settings {
    /// What contradicts itself, in a sentence.
    pub fn check(&self) -> Result<(), String> {
        if self.tries == 0 {
            return Err("tries must be at least 1".into());
        }
        if self.patience < Duration::from_secs(1) {
            return Err("patience must be at least 1s".into());
        }
        if self.call_back.iter().any(String::is_empty) {
            return Err("call_back: an empty beginning would allow every number".into());
        }
        Ok(())
    }
}
