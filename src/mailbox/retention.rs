//! How long messages are kept: what a mailbox's settings ask for, as rules with the settings' names.

use std::time::Duration;

use super::{Folder, Preferences};

/// What happens to messages that have lain in a folder for long enough. Pinned and held ones are exempt
/// from every rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// The setting that asks for it; told of what it puts into the trash.
    pub name: &'static str,
    /// Where they lie.
    pub from: Folder,
    /// Where they go; `None` for good.
    pub to: Option<Folder>,
    /// How long they have been there by then.
    pub after: Duration,
}

impl Preferences {
    /// The rules of a mailbox: what goes for good first, so that nothing takes two steps at once.
    pub fn retention(&self) -> Vec<Rule> {
        let rule = |name, days, from, to| Rule { name, from, to, after: self::days(days) };
        let all = [
            rule("trash_days", self.trash_days, Folder::Deleted, None),
            rule("saved_days", self.saved_days, Folder::Saved, Some(Folder::Deleted)),
            rule("new_days", self.new_days, Folder::New, Some(Folder::Saved)),
        ];
        all.into_iter().filter(|it| !it.after.is_zero()).collect()
    }

    /// How long what lies in the trash can be fetched back, where the server keeps it for `at_most`.
    pub fn keeps_trash(&self, at_most: Duration) -> Duration {
        match self.trash_days {
            0 => at_most,
            own => days(own).min(at_most),
        }
    }
}

fn days(days: u32) -> Duration {
    Duration::from_secs(u64::from(days) * 24 * 3_600)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mailbox_that_asks_for_nothing_has_no_rules() {
        assert_eq!(Preferences::default().retention(), []);
        assert_eq!(Preferences::default().keeps_trash(days(30)), days(30));
    }

    #[test]
    fn each_folder_has_a_rule_named_like_its_setting() {
        let asked =
            Preferences { new_days: 30, saved_days: 60, trash_days: 7, ..Preferences::default() };
        let told: Vec<_> = asked.retention().iter().map(|it| (it.name, it.from, it.to)).collect();
        assert_eq!(
            told,
            [
                ("trash_days", Folder::Deleted, None),
                ("saved_days", Folder::Saved, Some(Folder::Deleted)),
                ("new_days", Folder::New, Some(Folder::Saved)),
            ]
        );
        assert_eq!(asked.keeps_trash(days(30)), days(7));
        assert_eq!(asked.keeps_trash(days(3)), days(3));
    }
}
