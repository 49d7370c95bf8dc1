//! Which key does what on the owner's phone. Layouts are data (`assets/keys`), so that people keep
//! the one their fingers know.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::say::Choice;

/// A layout: what each key does, by what is going on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    main: Layer,
    own: Layer,
    recording: Layer,
    review: Layer,
    folders: Layer,
    playing: Layer,
    message: Layer,
    more: Layer,
    sending: Layer,
    confirm: Layer,
}

/// What the keys do at one place.
type Layer = BTreeMap<char, Choice>;

/// The layouts that come with the program.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// As Asterisk has them.
    #[default]
    Asterisk,
    /// Near to FreeSWITCH's defaults.
    FreeSwitch,
    /// Near to Cisco Unity Connection's.
    Cisco,
}

/// Where a key is pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Before a message is heard.
    Main,
    /// What callers hear, and the PIN.
    Own,
    /// One greeting, or the name.
    Recording,
    /// Something was dictated.
    Review,
    /// A folder is being chosen, to be heard or for a message.
    Folders,
    /// A message sounds.
    Playing,
    /// A message was heard.
    After,
    /// What is seldom done with a message.
    More,
    /// It is known whom a message is sent to.
    Sending,
    /// A message is about to be deleted.
    Confirm,
}

impl Layout {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Asterisk, Self::FreeSwitch, Self::Cisco];

    /// What its keys do.
    pub fn keys(self) -> Keys {
        let text = match self {
            Self::Asterisk => include_str!("../../assets/keys/asterisk.toml"),
            Self::FreeSwitch => include_str!("../../assets/keys/freeswitch.toml"),
            Self::Cisco => include_str!("../../assets/keys/cisco.toml"),
        };
        toml::from_str(text).expect("a test reads every layout")
    }
}

impl Keys {
    /// What a key does at a place.
    pub(super) fn at(&self, place: Place, key: char) -> Option<Choice> {
        let own = self.layers(place).into_iter().find_map(|it| it.get(&key));
        own.copied()
    }

    /// Everything there is to choose at a place, by key.
    pub(super) fn choices(&self, place: Place) -> Vec<(Choice, char)> {
        let mut all = Layer::new();
        for layer in self.layers(place).into_iter().rev() {
            all.extend(layer);
        }
        all.into_iter().map(|(key, what)| (what, key)).collect()
    }

    /// The one that counts first.
    fn layers(&self, place: Place) -> Vec<&Layer> {
        match place {
            Place::Main => vec![&self.main],
            Place::Own => vec![&self.own],
            Place::Recording => vec![&self.recording],
            Place::Review => vec![&self.review],
            Place::Folders => vec![&self.folders],
            Place::Playing => vec![&self.playing, &self.message],
            Place::After => vec![&self.message],
            Place::More => vec![&self.more],
            Place::Sending => vec![&self.sending],
            Place::Confirm => vec![&self.confirm],
        }
    }
}
