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
    "to-keep" "to-listen" "to-record-again" "to-delete"
    "message-saved" "message-deleted" "message-not-saved"
    "mailbox-full" "no-such-mailbox" "one-moment" "goodbye"
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
    "to-keep" "to-listen" "to-record-again" "to-delete"
    "message-saved" "message-deleted" "message-not-saved"
    "mailbox-full" "no-such-mailbox" "one-moment" "goodbye"
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
