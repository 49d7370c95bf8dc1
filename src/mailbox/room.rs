//! Limits and rotation: whether a mailbox takes a message, and which ones give way for it.

use serde::{Deserialize, Serialize};

use super::{Caller, Folder, MessageId, Timestamp};

/// A message as rotation sees it. The trash does not count and is not among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lying {
    /// What names it.
    pub id: MessageId,
    /// Who left it.
    pub caller: Caller,
    /// When.
    pub received: Timestamp,
    /// Where it lies.
    pub folder: Folder,
    /// Its caller called it urgent.
    pub urgent: bool,
    /// Somebody still waits for its mail.
    pub owed: bool,
    /// Pinned by its owner, or held by an administrator: it stays.
    pub fixed: bool,
}

/// What decides which messages give way before others, whenever they came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// Where they lie.
    pub folder: Folder,
    /// Their callers called them urgent.
    pub urgent: bool,
    /// Somebody still waits for their mail.
    pub owed: bool,
}

impl Kind {
    /// All there are, the first to go first: heard before unheard; within that plain before urgent,
    /// mailed before not yet mailed.
    pub const ALL: [Self; 8] = {
        const fn kind(folder: Folder, urgent: bool, owed: bool) -> Kind {
            Kind { folder, urgent, owed }
        }
        [
            kind(Folder::Saved, false, false),
            kind(Folder::Saved, false, true),
            kind(Folder::Saved, true, false),
            kind(Folder::Saved, true, true),
            kind(Folder::New, false, false),
            kind(Folder::New, false, true),
            kind(Folder::New, true, false),
            kind(Folder::New, true, true),
        ]
    };
}

/// What a mailbox does with a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// Takes a message.
    Open,
    /// Its limit is 0: it plays its greeting and takes nothing.
    Announcement,
    /// Refuses, before the greeting, until its owner deletes something.
    Full,
    /// "Toggle Voicemail": refuses until its owner wants messages again.
    Off,
}

/// Whether a caller may leave a message in a mailbox with this limit that holds `count` messages,
/// `fixed` of which never give way.
pub fn door(count: usize, fixed: usize, limit: usize, rotates: bool) -> Door {
    match limit {
        0 => Door::Announcement,
        _ if count < limit => Door::Open,
        _ if rotates && fixed < limit => Door::Open,
        _ => Door::Full,
    }
}

/// How many messages should give way so that one more beside `count` keeps within the limit.
pub fn excess(count: usize, limit: usize, rotates: bool) -> usize {
    // Who made it an announcement did not ask for what lies in it to go.
    if rotates && limit > 0 { (count + 1).saturating_sub(limit) } else { 0 }
}

/// Which messages go into the trash when `excess` of them should: by their [`Kind`], then the oldest.
/// What is fixed never goes, so there may be too few: who heard the beep is filed all the same. Of a
/// kind no more than the `excess` oldest that are not fixed need to be told, and no kind after those
/// that are enough.
pub fn giving_way(lying: Vec<Lying>, excess: usize) -> Vec<Lying> {
    let mut free: Vec<_> = lying.into_iter().filter(|it| !it.fixed).collect();
    let kind = |it: &Lying| {
        let Lying { folder, urgent, owed, .. } = *it;
        Kind::ALL.iter().position(|kind| *kind == Kind { folder, urgent, owed })
    };
    free.sort_by_key(|it| (kind(it), it.received, it.id));
    free.truncate(excess);
    free
}

/// How full a mailbox was once a message was filed, and what gave way for it: what the owner's mail
/// tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeRoom {
    /// Messages it holds now.
    pub used: usize,
    /// Messages it may hold.
    pub limit: usize,
    /// Those that went into the trash, the first to go first.
    pub rotated: Vec<Rotated>,
}

/// A message that gave way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotated {
    /// What names it.
    pub id: MessageId,
    /// Who left it.
    pub caller: Caller,
    /// When.
    pub received: Timestamp,
}

impl MadeRoom {
    /// The share of the limit from which owners are warned, in percent.
    pub const WARN_AT: usize = 80;

    /// What there is to tell after filing one more beside `count` messages, if anything.
    pub fn told(count: usize, limit: usize, rotated: &[Lying]) -> Option<Self> {
        let used = (count + 1).saturating_sub(rotated.len());
        let worth = !rotated.is_empty() || limit > 0 && used * 100 >= limit * Self::WARN_AT;
        let rotated = rotated
            .iter()
            .map(|it| Rotated { id: it.id, caller: it.caller.clone(), received: it.received })
            .collect();
        worth.then_some(Self { used, limit, rotated })
    }

    /// Whether the next caller finds no room that is simply there.
    pub fn is_full(&self) -> bool {
        self.used >= self.limit
    }
}
