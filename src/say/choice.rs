//! What keys are for.

use serde::Deserialize;

/// Something an owner can choose by a key. Menus tell them in this order.
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
    /// The folder of work.
    WorkFolder,
    /// The folder of the family.
    FamilyFolder,
    /// The folder of friends.
    FriendsFolder,
    /// A folder of the owner's own.
    FifthFolder,
    /// Another one.
    SixthFolder,
    /// The trash.
    DeletedFolder,
    /// What callers hear, and the PIN.
    Own,
    /// The greeting for callers who find nobody.
    Unavailable,
    /// The greeting for callers who find the owner busy.
    Busy,
    /// The greeting that is heard in place of the others.
    Temporary,
    /// The owner's name.
    Name,
    /// Change the PIN.
    Pin,
    /// Hear what was recorded.
    Hear,
    /// Record it, or record it again.
    Record,
    /// Take away what callers hear.
    Remove,
    /// Keep what was just recorded.
    Keep,
    /// Say something before it.
    Intro,
    /// Send it as it is.
    SendNow,
    /// Leave a message for who left this one.
    Reply,
    /// Speak with who left this message.
    CallBack,
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
    /// Put this message into a folder.
    SaveTo,
    /// Give this message to others.
    Send,
    /// Hear when the message was left, and by whom.
    Envelope,
    /// What is seldom done with a message.
    More,
    /// Leave it as it is.
    Cancel,
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
    /// Hear the message more slowly.
    Slower,
    /// Hear the message faster.
    Faster,
}

impl Choice {
    /// All of them.
    pub const ALL: [Self; 43] = [
        Self::Listen,
        Self::Folders,
        Self::NewFolder,
        Self::SavedFolder,
        Self::WorkFolder,
        Self::FamilyFolder,
        Self::FriendsFolder,
        Self::FifthFolder,
        Self::SixthFolder,
        Self::DeletedFolder,
        Self::Own,
        Self::Unavailable,
        Self::Busy,
        Self::Temporary,
        Self::Name,
        Self::Pin,
        Self::Hear,
        Self::Record,
        Self::Remove,
        Self::Keep,
        Self::Intro,
        Self::SendNow,
        Self::Reply,
        Self::CallBack,
        Self::Previous,
        Self::Repeat,
        Self::Next,
        Self::Delete,
        Self::Restore,
        Self::Save,
        Self::SaveTo,
        Self::Send,
        Self::Envelope,
        Self::More,
        Self::Cancel,
        Self::Help,
        Self::Exit,
        Self::Back,
        Self::Forward,
        Self::Pause,
        Self::Restart,
        Self::Slower,
        Self::Faster,
    ];

    /// Its clip, the first half of `To hear your messages, press one.`
    pub fn clip(self) -> &'static str {
        match self {
            Self::Listen => "choose-listen",
            Self::Folders => "choose-folders",
            Self::NewFolder => "choose-new-folder",
            Self::SavedFolder => "choose-saved-folder",
            Self::WorkFolder => "choose-work-folder",
            Self::FamilyFolder => "choose-family-folder",
            Self::FriendsFolder => "choose-friends-folder",
            Self::FifthFolder => "choose-fifth-folder",
            Self::SixthFolder => "choose-sixth-folder",
            Self::DeletedFolder => "choose-deleted-folder",
            Self::Own => "choose-own",
            Self::Unavailable => "choose-unavailable",
            Self::Busy => "choose-busy",
            Self::Temporary => "choose-temporary",
            Self::Name => "choose-name",
            Self::Pin => "choose-pin",
            Self::Hear => "choose-hear",
            Self::Record => "choose-record",
            Self::Remove => "choose-remove",
            Self::Keep => "choose-keep",
            Self::Intro => "choose-intro",
            Self::SendNow => "choose-send-now",
            Self::Reply => "choose-reply",
            Self::CallBack => "choose-call-back",
            Self::Previous => "choose-previous",
            Self::Repeat => "choose-repeat",
            Self::Next => "choose-next",
            Self::Delete => "choose-delete",
            Self::Restore => "choose-restore",
            Self::Save => "choose-save",
            Self::SaveTo => "choose-save-to",
            Self::Send => "choose-send",
            Self::Envelope => "choose-envelope",
            Self::More => "choose-more",
            Self::Cancel => "choose-cancel",
            Self::Help => "choose-help",
            Self::Exit => "choose-exit",
            Self::Back => "choose-back",
            Self::Forward => "choose-forward",
            Self::Pause => "choose-pause",
            Self::Restart => "choose-restart",
            Self::Slower => "choose-slower",
            Self::Faster => "choose-faster",
        }
    }
}
