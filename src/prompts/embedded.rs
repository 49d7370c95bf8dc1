//! The languages inside the program, so that it speaks without any file beside it.

/// A language as it lies under `prompts/`.
pub(super) struct Language {
    /// What the folder is called.
    pub(super) name: &'static str,
    /// Its `phrases.toml`.
    pub(super) phrases: &'static str,
    /// Its clips: name and WAV file.
    pub(super) clips: &'static [(&'static str, &'static [u8])],
}

impl Language {
    pub(super) fn has(&self, clip: &str) -> bool {
        self.clips.iter().any(|(name, _)| *name == clip)
    }
}

macro_rules! language {
    ($name:literal, $($clip:literal)*) => {
        Language {
            name: $name,
            phrases: include_str!(concat!("../../prompts/", $name, "/phrases.toml")),
            clips: &[$((
                $clip,
                include_bytes!(concat!("../../prompts/", $name, "/", $clip, ".wav")),
            )),*],
        }
    };
}

/// A test compares the list with the folder.
pub(super) const LANGUAGES: &[Language] = &[ENGLISH, FRENCH];

const ENGLISH: Language = language!(
    "en",
    "0" "1" "2" "3" "4" "5" "6" "7" "8" "9" "10" "11" "12" "13" "14" "15" "16" "17" "18" "19"
    "20" "30" "40" "50" "60" "70" "80" "90" "hundred" "thousand"
    "letter-a" "letter-b" "letter-c" "letter-d" "letter-e" "letter-f" "letter-g" "letter-h"
    "letter-i" "letter-j" "letter-k" "letter-l" "letter-m" "letter-n" "letter-o" "letter-p"
    "letter-q" "letter-r" "letter-s" "letter-t" "letter-u" "letter-v" "letter-w" "letter-x"
    "letter-y" "letter-z" "dash" "dot" "plus" "pound" "star" "underscore"
    "person-at-extension" "is-not-available" "is-on-the-phone" "leave-your-message" "when-you-are-done"
    "message-too-short" "nothing-heard" "try-again"
    "to-keep" "to-listen" "to-record-again" "to-delete" "to-mark-urgent" "to-mark-private"
    "to-reach-operator" "marked-urgent" "not-urgent" "marked-private" "not-private" "switched-off"
    "message-saved" "message-deleted" "message-not-saved"
    "mailbox-full" "no-such-mailbox" "one-moment" "goodbye"
    "enter-mailbox" "enter-pin" "login-incorrect" "out-of-reach" "no-more" "none-before"
    "this-is-deleted" "this-is-restored" "this-is-saved" "not-done" "not-playable" "unknown-key"
    "choose-listen" "choose-folders" "choose-new-folder" "choose-saved-folder"
    "choose-deleted-folder" "choose-previous" "choose-repeat" "choose-next" "choose-delete"
    "choose-restore" "choose-save" "choose-envelope" "choose-help" "choose-exit" "choose-back"
    "choose-forward" "choose-pause" "choose-restart" "press-0" "press-1" "press-2" "press-3"
    "press-4" "press-5" "press-6" "press-7" "press-8" "press-9" "press-star" "press-pound"
    "you-have" "no-messages" "new-message" "new-message-end" "new-messages" "new-messages-end"
    "saved-message" "saved-messages" "deleted-message" "deleted-messages" "which-is-urgent"
    "which-is-urgent-end" "of-them-urgent" "of-them-urgent-end" "all-urgent" "all-urgent-end" "and"
    "no-new-messages" "no-saved-messages" "no-deleted-messages" "urgent" "last" "message" "1st"
    "2nd" "3rd" "4th" "5th" "6th" "7th" "8th" "9th" "10th" "11th" "12th" "13th" "14th" "15th" "16th"
    "17th" "18th" "19th" "20th" "30th" "received-today" "received-yesterday" "monday" "tuesday"
    "wednesday" "thursday" "friday" "saturday" "sunday" "received-on" "january" "february" "march"
    "april" "may" "june" "july" "august" "september" "october" "november" "december" "at" "o" "a-m"
    "p-m" "noon" "midnight" "hours-end" "from-extension" "from-phone-number" "from-unknown" "length"
    "hour" "hour-end" "hours" "minute" "minute-end" "minutes" "minutes-end" "second" "seconds" "0-end" "1-end"
    "2-end" "3-end" "4-end" "5-end" "6-end" "7-end" "8-end" "9-end" "10-end" "11-end" "12-end"
    "13-end" "14-end" "15-end" "16-end" "17-end" "18-end" "19-end" "20-end" "30-end" "40-end"
    "50-end"
    "first-use" "enter-new-pin" "enter-again" "pins-differ" "pin-length" "pin-easy" "pin-changed"
    "speak-greeting" "speak-name" "speak-intro" "speak-reply" "how-many-days" "recording-kept"
    "recording-removed" "nothing-recorded" "enter-numbers" "message-sent" "not-forwardable"
    "no-reply" "no-call-back" "private" "no-mailbox-with" "sent-by-extension" "choose-own"
    "choose-unavailable" "choose-busy" "choose-temporary" "choose-name" "choose-pin" "choose-hear"
    "choose-record" "choose-remove" "choose-keep" "choose-more" "choose-reply" "choose-call-back"
    "choose-send" "choose-intro" "choose-send-now" "choose-save-to" "choose-work-folder"
    "choose-family-folder" "choose-friends-folder" "choose-fifth-folder" "choose-sixth-folder"
    "choose-slower" "choose-faster" "choose-cancel" "work-message" "work-messages"
    "no-work-messages" "family-message" "family-messages" "no-family-messages" "friends-message"
    "friends-messages" "no-friends-messages" "fifth-message" "fifth-messages" "no-fifth-messages"
    "sixth-message" "sixth-messages" "no-sixth-messages"
);

const FRENCH: Language = language!(
    "fr",
    "0" "1" "1-f" "2" "3" "4" "5" "6" "7" "8" "9" "10" "11" "12" "13" "14" "15" "16" "17" "18" "19"
    "20" "30" "40" "50" "60" "80" "and-1" "and-1-f" "and-11" "hundred" "thousand"
    "letter-a" "letter-b" "letter-c" "letter-d" "letter-e" "letter-f" "letter-g" "letter-h"
    "letter-i" "letter-j" "letter-k" "letter-l" "letter-m" "letter-n" "letter-o" "letter-p"
    "letter-q" "letter-r" "letter-s" "letter-t" "letter-u" "letter-v" "letter-w" "letter-x"
    "letter-y" "letter-z" "dash" "dot" "plus" "pound" "star" "underscore"
    "person-at-extension" "is-not-available" "is-on-the-phone" "leave-your-message"
    "when-you-are-done" "message-too-short" "nothing-heard" "try-again"
    "to-keep" "to-listen" "to-record-again" "to-delete" "to-mark-urgent" "to-mark-private"
    "to-reach-operator" "marked-urgent" "not-urgent" "marked-private" "not-private" "switched-off"
    "message-saved" "message-deleted" "message-not-saved"
    "mailbox-full" "no-such-mailbox" "one-moment" "goodbye"
    "enter-mailbox" "enter-pin" "login-incorrect" "out-of-reach" "no-more" "none-before"
    "this-is-deleted" "this-is-restored" "this-is-saved" "not-done" "not-playable" "unknown-key"
    "choose-listen" "choose-folders" "choose-new-folder" "choose-saved-folder"
    "choose-deleted-folder" "choose-previous" "choose-repeat" "choose-next" "choose-delete"
    "choose-restore" "choose-save" "choose-envelope" "choose-help" "choose-exit" "choose-back"
    "choose-forward" "choose-pause" "choose-restart" "press-0" "press-1" "press-2" "press-3"
    "press-4" "press-5" "press-6" "press-7" "press-8" "press-9" "press-star" "press-pound"
    "you-have" "no-messages" "new-message" "new-message-end" "saved-message" "deleted-message"
    "which-is-urgent" "which-is-urgent-end" "of-them" "urgent-ones" "urgent-ones-end" "all-urgent"
    "all-urgent-end" "and" "no-new-messages" "no-saved-messages" "no-deleted-messages" "urgent"
    "last" "message" "1st" "2nd" "3rd" "4th" "5th" "6th" "7th" "8th" "9th" "10th" "11th" "12th"
    "13th" "14th" "15th" "16th" "17th" "18th" "19th" "20th" "30th" "and-1st" "received-today"
    "received-yesterday" "monday" "tuesday" "wednesday" "thursday" "friday" "saturday" "sunday"
    "received-on" "january" "february" "march" "april" "may" "june" "july" "august" "september"
    "october" "november" "december" "at" "hour-0" "hour-1" "hour-2" "hour-3" "hour-4" "hour-5"
    "hour-6" "hour-7" "hour-8" "hour-9" "hour-10" "hour-11" "hour-12" "hour-13" "hour-14" "hour-15"
    "hour-16" "hour-17" "hour-18" "hour-19" "hour-20" "hour-21" "hour-22" "hour-23" "noon"
    "noon-end" "midnight" "midnight-end" "in-the-morning" "in-the-afternoon" "in-the-evening"
    "from-extension" "from-phone-number" "from-unknown" "length" "hours" "hours-end" "minutes" "minutes-end"
    "seconds" "6-short" "8-short" "10-short" "0-end" "1-end" "2-end" "3-end" "4-end" "5-end" "6-end"
    "7-end" "8-end" "9-end" "10-end" "11-end" "12-end" "13-end" "14-end" "15-end" "16-end" "17-end"
    "18-end" "19-end" "1-f-end" "and-1-end" "and-1-f-end" "20-end" "30-end" "40-end" "50-end"
    "first-use" "enter-new-pin" "enter-again" "pins-differ" "pin-length" "pin-easy" "pin-changed"
    "speak-greeting" "speak-name" "speak-intro" "speak-reply" "how-many-days" "recording-kept"
    "recording-removed" "nothing-recorded" "enter-numbers" "message-sent" "not-forwardable"
    "no-reply" "no-call-back" "private" "no-mailbox-with" "sent-by-extension" "choose-own"
    "choose-unavailable" "choose-busy" "choose-temporary" "choose-name" "choose-pin" "choose-hear"
    "choose-record" "choose-remove" "choose-keep" "choose-more" "choose-reply" "choose-call-back"
    "choose-send" "choose-intro" "choose-send-now" "choose-save-to" "choose-work-folder"
    "choose-family-folder" "choose-friends-folder" "choose-fifth-folder" "choose-sixth-folder"
    "choose-slower" "choose-faster" "choose-cancel" "work-message" "no-work-messages"
    "family-message" "no-family-messages" "friends-message" "no-friends-messages" "fifth-message"
    "no-fifth-messages" "sixth-message" "no-sixth-messages"
);

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    #[test]
    fn every_clip_of_the_folder_is_inside_the_program() {
        let prompts = Path::new(env!("CARGO_MANIFEST_DIR")).join("prompts");
        for language in LANGUAGES {
            let folder = fs::read_dir(prompts.join(language.name)).unwrap();
            let files = folder.map(|it| it.unwrap().file_name().into_string().unwrap());
            let there: BTreeSet<_> =
                files.filter_map(|it| Some(it.strip_suffix(".wav")?.to_owned())).collect();
            let here: BTreeSet<_> =
                language.clips.iter().map(|&(name, _)| name.to_owned()).collect();
            assert_eq!(here, there, "prompts/{}", language.name);
        }
    }
}
