//! After the mail: may the message leave the mailbox?

use super::Notice;

/// What became of the mail to one recipient. Whoever unsubscribed before it was sent is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// What they were to get.
    pub kind: Notice,
    /// The mail server took it over, and no server further on returned it.
    pub accepted: bool,
    /// The recording was in it.
    pub with_audio: bool,
}

/// Whether a message is in good hands elsewhere, so that "Delete voicemail after notification" may
/// put it into the trash: somebody was to get all of it, and everybody who was has it, sound
/// included. Short mails never count, and where nobody was told nothing goes. Who unsubscribed neither
/// keeps a message from going nor is reason enough to let it go.
pub fn in_good_hands(mails: &[Told]) -> bool {
    let mut full = mails.iter().filter(|it| it.kind == Notice::Full).peekable();
    full.peek().is_some() && full.all(|it| it.accepted && it.with_audio)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_goes_only_when_everybody_who_was_to_get_it_has_it() {
        let full = |accepted, with_audio| Told { kind: Notice::Full, accepted, with_audio };
        let short = |accepted| Told { kind: Notice::Short, accepted, with_audio: false };
        let (has, refused, silent) = (full(true, true), full(false, false), full(true, false));
        let table: [(&[Told], bool); 14] = [
            (&[], false),
            (&[has], true),
            (&[refused], false),
            (&[silent], false),
            // It was in the letter, but the letter came back.
            (&[full(false, true)], false),
            (&[has, has], true),
            (&[has, refused], false),
            (&[refused, has], false),
            (&[has, silent], false),
            (&[has, full(false, true)], false),
            // Short mails neither help nor hinder.
            (&[short(true)], false),
            (&[short(true), short(true)], false),
            (&[has, short(false)], true),
            (&[short(true), refused], false),
        ];
        for (mails, goes) in table {
            assert_eq!(in_good_hands(mails), goes, "{mails:?}");
        }
    }

    /// The rule once more, in other words, for every three mails there can be.
    #[test]
    fn every_combination_of_three_keeps_the_rule() {
        let one: Vec<Option<Told>> = [Notice::Full, Notice::Short]
            .into_iter()
            .flat_map(|kind| {
                [(false, false), (false, true), (true, false), (true, true)]
                    .map(|(accepted, with_audio)| Some(Told { kind, accepted, with_audio }))
            })
            .chain([None])
            .collect();
        let any = 0..one.len();
        for (a, b, c) in any.clone().flat_map(|a| {
            let (any, last) = (any.clone(), any.clone());
            any.flat_map(move |b| last.clone().map(move |c| (a, b, c)))
        }) {
            let mails: Vec<Told> = [a, b, c].into_iter().filter_map(|it| one[it]).collect();
            let full = mails.iter().filter(|it| it.kind == Notice::Full);
            let (have, lack): (Vec<&Told>, Vec<&Told>) =
                full.partition(|it| it.accepted && it.with_audio);
            assert_eq!(in_good_hands(&mails), !have.is_empty() && lack.is_empty(), "{mails:?}");
        }
    }
}
