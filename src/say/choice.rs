//! What keys are for.

use serde::Deserialize;

/// Something an owner can choose by a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Choice {
    /// Hear the messages.
    Listen,
    /// Choose a folder.
    Folders,
    /// The folder of new messages.
    NewFolder,
    /// The folder of saved messages.
    SavedFolder,
    /// The trash.
    DeletedFolder,
    /// The message before.
    Previous,
    /// This message once more.
    Repeat,
    /// The message after.
    Next,
    /// Put this message into the trash.
    Delete,
    /// Take this message out of the trash.
    Restore,
    /// Put this message among the saved ones.
    Save,
    /// Hear when the message was left, and by whom.
    Envelope,
    /// Hear the choices.
    Help,
    /// Leave.
    Exit,
    /// A few seconds back within the message.
    Back,
    /// A few seconds ahead within the message.
    Forward,
    /// Hold the message, and go on with it.
    Pause,
    /// The message from its beginning.
    Restart,
}

impl Choice {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::Listen,
        Self::Folders,
        Self::NewFolder,
        Self::SavedFolder,
        Self::DeletedFolder,
        Self::Previous,
        Self::Repeat,
        Self::Next,
        Self::Delete,
        Self::Restore,
        Self::Save,
        Self::Envelope,
        Self::Help,
        Self::Exit,
        Self::Back,
        Self::Forward,
        Self::Pause,
        Self::Restart,
    ];

    /// Its clip, the first half of `To hear your messages, press one.`
    pub fn clip(self) -> &'static str {
        match self {
            Self::Listen => "choose-listen",
            Self::Folders => "choose-folders",
            Self::NewFolder => "choose-new-folder",
            Self::SavedFolder => "choose-saved-folder",
            Self::DeletedFolder => "choose-deleted-folder",
            Self::Previous => "choose-previous",
            Self::Repeat => "choose-repeat",
            Self::Next => "choose-next",
            Self::Delete => "choose-delete",
            Self::Restore => "choose-restore",
            Self::Save => "choose-save",
            Self::Envelope => "choose-envelope",
            Self::Help => "choose-help",
            Self::Exit => "choose-exit",
            Self::Back => "choose-back",
            Self::Forward => "choose-forward",
            Self::Pause => "choose-pause",
            Self::Restart => "choose-restart",
        }
    }
}
