//! What a letter says.

use super::*;

#[test]
fn the_transcript_comes_first_and_the_facts_follow() {
    let said = transcript(&[("Hello, it's Marie.", 0.9), ("Call me back before noon?", 0.8)]);
    let letter = letter(&from_marie(), &said);
    assert_eq!(
        letter.subject,
        "Marie Dupont (+33 5 56 12 34 56): \
         “Hello, it's Marie. Call me back before noon?” (0:24)"
    );
    assert_eq!(
        letter.text,
        "\
“Hello, it's Marie. Call me back before noon?”

Written down by a machine from the words of a caller nobody has checked; some may be wrong.

From: Marie Dupont (+33 5 56 12 34 56)
Received: Monday, 23 November 2026, 14:32 CET
Length: 0:24
Call back: tel:+33556123456

The recording is attached: voicemail-2026-11-23-1432-from-33556123456.wav

-- \n\
You get this mail because mailbox 1000 (Reception) sends its messages to this address.
"
    );
    assert!(letter.html.contains("href=\"tel:+33556123456\""), "{}", letter.html);
    let (words, caller) = (letter.html.find("Hello, it"), letter.html.find("<bdi>Marie"));
    assert!(words.unwrap() < caller.unwrap(), "the transcript stands before the caller");
}

#[test]
fn every_kind_of_letter_is_written_in_full() {
    let kinds = [
        (transcript(&[("Hello.", 0.9)]), "“Hello.”", "“Hello.” (0:24)"),
        (transcript(&[]), "No speech, 24 s.", ": no speech, 24 s"),
        (transcript(&[("  ", 0.1)]), "No speech, 24 s.", ": no speech, 24 s"),
        (Text::NoSpeech, "No speech, 24 s.", ": no speech, 24 s"),
        (
            Text::NotTranscribed("The recogniser was busy.".into()),
            "No transcript. The recogniser was busy.",
            "Voicemail from Marie",
        ),
        (Text::Off, "From: Marie Dupont", "Voicemail from Marie"),
    ];
    for interrupted in [false, true] {
        for base_url in [None, Some("https://voicemail.example")] {
            for (text, first_line, subject) in &kinds {
                let envelope = Envelope { interrupted, ..from_marie() };
                let letter =
                    Letter::about(ID, &reception(), &envelope, text, sound(), base_url).unwrap();
                assert!(letter.subject.contains(subject), "{}", letter.subject);
                assert_eq!(letter.text.contains("broke off"), interrupted);
                assert_eq!(letter.html.contains("broke off"), interrupted);
                assert_eq!(letter.text.contains("at https://voicemail"), base_url.is_some());
                assert!(!letter.text.contains("\n\n\n"), "{}", letter.text);
                if !(interrupted && *text == Text::Off) {
                    assert!(letter.text.starts_with(first_line), "{}", letter.text);
                }
                let paragraphs = letter.html.matches("<p ").count();
                assert_eq!(letter.html.matches("</p>").count(), paragraphs);
            }
        }
    }
}

#[test]
fn words_the_recogniser_doubted_are_marked() {
    let letter = letter(&from_marie(), &transcript(&[("Call", 0.9), ("Mr. Fish.", 0.2)]));
    assert!(letter.text.starts_with("“Call Mr. Fish. [?]”"), "{}", letter.text);
    assert!(letter.text.contains("unsure of what stands before [?]"), "{}", letter.text);
    assert!(letter.html.contains("dotted\">Mr. Fish.</span>"), "{}", letter.html);
}

#[test]
fn dates_are_told_in_the_owners_time_zone() {
    for (zone, date) in [
        ("America/Los_Angeles", "Monday, 23 November 2026, 05:32 PST"),
        ("Asia/Kolkata", "Monday, 23 November 2026, 19:02 IST"),
        ("Nowhere/Atall", "Monday, 23 November 2026, 13:32 UTC"),
    ] {
        let settings = Preferences { time_zone: zone.into(), ..reception().settings };
        let mailbox = Mailbox { settings, ..reception() };
        let letter = Letter::about(ID, &mailbox, &from_marie(), &Text::Off, sound(), None).unwrap();
        assert!(letter.text.contains(date), "{zone}: {}", letter.text);
    }
}

#[test]
fn impossible_dates_and_unknown_languages_still_make_a_letter() {
    for received in [i64::MIN, -1, 0, i64::MAX] {
        let envelope = Envelope { received: Timestamp(received), ..from_marie() };
        let settings = Preferences { pages: "../en".into(), ..reception().settings };
        let mailbox = Mailbox { settings, ..reception() };
        let letter = Letter::about(ID, &mailbox, &envelope, &Text::NoSpeech, sound(), None);
        assert!(letter.unwrap().text.contains("No speech"));
    }
}

#[test]
fn only_numbers_that_dial_a_person_are_linked() {
    for (number, link) in [
        ("+33 5 56.12-34/56", Some("tel:+33556123456")),
        ("(0)5561234", Some("tel:05561234")),
        ("1001", Some("tel:1001")),
        ("*2767*3855#", None),
        ("*#06#", None),
        ("alice", None),
        ("javascript:alert(1)", None),
        ("12\" onclick=\"x", None),
        ("+", None),
        ("++33", None),
        ("٣٣٥٥", None),
    ] {
        let caller = Caller { name: None, number: Some(number.into()) };
        let letter = letter(&Envelope { caller, ..from_marie() }, &Text::Off);
        let href = letter.html.split("<a href=\"").nth(1).map(|it| it.split('"').next().unwrap());
        assert_eq!(href, link, "{number}");
        assert_eq!(letter.text.contains("Call back"), link.is_some(), "{number}");
    }
}

#[test]
fn a_withheld_caller_is_called_unknown() {
    let letter = letter(&Envelope { caller: Caller::default(), ..from_marie() }, &Text::Off);
    assert_eq!(letter.subject, "Voicemail from an unknown caller (0:24)");
    assert_eq!(letter.recording.name, "voicemail-2026-11-23-1432-from-unknown.wav");
    assert!(letter.text.starts_with("From: Unknown caller\n"), "{}", letter.text);
}

#[test]
fn long_transcripts_are_cut_in_the_subject_only() {
    let words = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen";
    let letter = letter(&from_marie(), &transcript(&[(words, 0.9)]));
    assert!(letter.subject.ends_with("nine ten eleven…” (0:24)"), "{}", letter.subject);
    assert!(letter.text.contains(words));
    assert!(letter.html.contains(words));
}

#[test]
fn names_written_from_right_to_left_keep_to_themselves() {
    let caller = Caller { name: Some("שרה".into()), number: Some("1001".into()) };
    let letter = letter(&Envelope { caller, ..from_marie() }, &Text::Off);
    assert_eq!(letter.subject, "Voicemail from \u{2068}שרה (1001)\u{2069} (0:24)");
}
