//! Who gets copies of what is left in a mailbox: those it names, those they name in turn, each once.

use std::collections::{HashMap, HashSet, VecDeque};

use super::{Mailbox, Preferences, Settings, settings::Numbers};

/// Where a message goes besides, or instead of, the mailbox it was left in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FanOut<'a> {
    /// Who gets a copy, each once, the mailbox itself never.
    pub to: Vec<&'a Mailbox>,
    /// Numbers that are named and that no mailbox has.
    pub unknown: Vec<&'a str>,
}

/// Follows "Copy to Extension(s)" and distribution lists from one mailbox through those of its tenant.
/// A distribution list among them keeps nothing, so its members stand in for it. Whoever was reached
/// once is not reached again: that ends every circle.
pub fn fan_out<'a>(from: &'a Mailbox, all: &'a [Mailbox]) -> FanOut<'a> {
    let numbered: HashMap<_, _> = all.iter().map(|it| (it.number.as_str(), it)).collect();
    let mut reached = HashSet::from([&from.id]);
    let mut waiting = VecDeque::from([from]);
    let mut found = FanOut::default();
    while let Some(mailbox) = waiting.pop_front() {
        let (list, is_everybody) = named(mailbox);
        let everybody = all.iter().filter(|it| is_everybody && it.takes_messages());
        let mut next: Vec<_> = everybody.collect();
        for number in list.iter().filter(|_| !is_everybody) {
            match numbered.get(number) {
                Some(known) => next.push(known),
                None => found.unknown.push(number),
            }
        }
        for next in next {
            if !reached.insert(&next.id) {
                continue;
            }
            waiting.push_back(next);
            if !next.settings.distributes() {
                found.to.push(next);
            }
        }
    }
    found
}

/// Whom a mailbox names, and whether that is everybody. Whoever distributes copies to nobody besides.
fn named(mailbox: &Mailbox) -> (&Numbers, bool) {
    let Preferences { distribute, copy_to, .. } = &mailbox.settings;
    match mailbox.settings.distributes() {
        true => (distribute, distribute.iter().eq([Settings::ALL])),
        false => (copy_to, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mailbox::{MailboxId, TenantId};

    fn mailbox(number: &str, copy_to: &str, distribute: &str) -> Mailbox {
        let list =
            |words: &str| Numbers::from(words.split(' ').map(str::to_owned).collect::<Vec<_>>());
        let (copy_to, distribute) = (list(copy_to), list(distribute));
        Mailbox {
            id: MailboxId(format!("id of {number}")),
            tenant: TenantId("tenant".into()),
            number: number.into(),
            name: number.into(),
            owner_email: None,
            settings: Preferences { copy_to, distribute, ..Preferences::default() },
        }
    }

    /// Numbers that get a copy of what is left at the first mailbox.
    fn reached(all: &[Mailbox]) -> Vec<&str> {
        fan_out(&all[0], all).to.into_iter().map(|it| it.number.as_str()).collect()
    }

    #[test]
    fn circles_end_and_nobody_gets_two_copies() {
        let all = [mailbox("1", "2 3", ""), mailbox("2", "1 3", ""), mailbox("3", "1 2", "")];
        assert_eq!(reached(&all), ["2", "3"]);
        assert_eq!(reached(&[mailbox("1", "1", "")]), [""; 0]);
    }

    #[test]
    fn copies_go_on_from_mailbox_to_mailbox() {
        let all = [mailbox("1", "2", ""), mailbox("2", "3", ""), mailbox("3", "", "")];
        assert_eq!(reached(&all), ["2", "3"]);
    }

    #[test]
    fn the_members_of_a_list_stand_in_for_it() {
        let all = [
            mailbox("800", "9", "1 801"),
            mailbox("801", "", "2 800"),
            mailbox("1", "", ""),
            mailbox("2", "", ""),
            mailbox("9", "", ""),
        ];
        assert_eq!(reached(&all), ["1", "2"]);
    }

    #[test]
    fn everybody_is_every_mailbox_that_keeps_messages() {
        let (mut announces, mut rests) = (mailbox("2", "", ""), mailbox("3", "", ""));
        announces.settings.limit = 0;
        rests.settings.takes_messages = false;
        let [list, one] = [mailbox("801", "", "1"), mailbox("1", "", "")];
        assert_eq!(reached(&[mailbox("800", "", "all"), list, one, announces, rests]), ["1"]);
    }

    #[test]
    fn numbers_that_nobody_has_are_told() {
        let all = [mailbox("1", "2 77", ""), mailbox("2", "", "")];
        let found = fan_out(&all[0], &all);
        assert_eq!((found.to.len(), found.unknown), (1, vec!["77"]));
    }
}
