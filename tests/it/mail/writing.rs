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
    let html = html(&letter);
    assert!(html.contains("href=\"tel:+33556123456\""), "{html}");
    let (words, caller) = (html.find("Hello, it"), html.find("<bdi>Marie"));
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
        for ways in [Ways::default(), ways()] {
            for (text, first_line, subject) in &kinds {
                let envelope = Envelope { interrupted, ..from_marie() };
                let letter = written(&news(&reception(), &envelope, text), &ways);
                let html = html(&letter);
                assert!(letter.subject.contains(subject), "{}", letter.subject);
                assert_eq!(letter.text.contains("broke off"), interrupted);
                assert_eq!(html.contains("broke off"), interrupted);
                for (way, words) in [
                    (&ways.base_url, "Sent by Afterbeep at https://voicemail.example\n"),
                    (&ways.listen, "Listen: https://voicemail.example/l/AAAA\n"),
                    (&ways.unsubscribe, "of these mails: https://voicemail.example/u/BBBB\n"),
                ] {
                    assert_eq!(letter.text.contains(words), way.is_some(), "{}", letter.text);
                }
                assert_eq!(letter.unsubscribe, ways.unsubscribe);
                assert!(!letter.text.contains("\n\n\n"), "{}", letter.text);
                if !(interrupted && *text == Text::Off) {
                    assert!(letter.text.starts_with(first_line), "{}", letter.text);
                }
                let paragraphs = html.matches("<p ").count();
                assert_eq!(html.matches("</p>").count(), paragraphs);
            }
        }
    }
}

#[test]
fn words_the_recogniser_doubted_are_marked() {
    let letter = letter(&from_marie(), &transcript(&[("Call", 0.9), ("Mr. Fish.", 0.2)]));
    assert!(letter.text.starts_with("“Call Mr. Fish. [?]”"), "{}", letter.text);
    assert!(letter.text.contains("unsure of what stands before [?]"), "{}", letter.text);
    let html = html(&letter);
    assert!(html.contains("dotted\">Mr. Fish.</span>"), "{html}");
}

#[test]
fn dates_are_told_in_the_owners_time_zone() {
    for (zone, date) in [
        ("America/Los_Angeles", "Monday, 23 November 2026, 05:32 PST"),
        ("Asia/Kolkata", "Monday, 23 November 2026, 19:02 IST"),
        ("Nowhere/Atall", "Monday, 23 November 2026, 13:32 UTC"),
    ] {
        let mailbox = set("time_zone", zone);
        let letter = written(&news(&mailbox, &from_marie(), &Text::Off), &Ways::default());
        assert!(letter.text.contains(date), "{zone}: {}", letter.text);
    }
}

#[test]
fn impossible_dates_and_unknown_languages_still_make_a_letter() {
    for received in [i64::MIN, -1, 0, i64::MAX] {
        let envelope = Envelope { received: Timestamp(received), ..from_marie() };
        let mailbox = set("pages", "../en");
        let letter = written(&news(&mailbox, &envelope, &Text::NoSpeech), &Ways::default());
        assert!(letter.text.contains("No speech"));
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
        let href = html(&letter).split("<a href=\"").nth(1).map(|it| it.split('"').next().unwrap());
        assert_eq!(href, link, "{number}");
        assert_eq!(letter.text.contains("Call back"), link.is_some(), "{number}");
    }
}

#[test]
fn a_withheld_caller_is_called_unknown() {
    let letter = letter(&Envelope { caller: Caller::default(), ..from_marie() }, &Text::Off);
    assert_eq!(letter.subject, "Voicemail from an unknown caller (0:24)");
    assert!(letter.text.starts_with("From: Unknown caller\n"), "{}", letter.text);
    assert_eq!(letter.recording.unwrap().name, "voicemail-2026-11-23-1432-from-unknown.wav");
}

#[test]
fn long_transcripts_are_cut_in_the_subject_only() {
    let words = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen";
    let letter = letter(&from_marie(), &transcript(&[(words, 0.9)]));
    assert!(letter.subject.ends_with("nine ten eleven…” (0:24)"), "{}", letter.subject);
    assert!(letter.text.contains(words));
    assert!(html(&letter).contains(words));
}

#[test]
fn names_written_from_right_to_left_keep_to_themselves() {
    let caller = Caller { name: Some("שרה".into()), number: Some("1001".into()) };
    let letter = letter(&Envelope { caller, ..from_marie() }, &Text::Off);
    assert_eq!(letter.subject, "Voicemail from \u{2068}שרה (1001)\u{2069} (0:24)");
}

#[test]
fn times_are_told_by_the_clock_the_owner_wants() {
    for (hours, zone, date) in [
        ("12", "Europe/Vienna", "Monday, 23 November 2026, 2:32 PM CET"),
        ("24", "Europe/Vienna", "Monday, 23 November 2026, 14:32 CET"),
        ("12", "America/Los_Angeles", "Monday, 23 November 2026, 5:32 AM PST"),
    ] {
        let mut mailbox = set("hours", hours);
        mailbox.settings.time_zone = zone.into();
        let letter = written(&news(&mailbox, &from_marie(), &Text::Off), &Ways::default());
        assert!(letter.text.contains(date), "{}", letter.text);
    }
}

#[test]
fn a_letter_that_lacks_the_recording_says_so() {
    let (mailbox, envelope) = (reception(), from_marie());
    let news = news(&mailbox, &envelope, &Text::Off);
    let letter = Letter::full(&Templates::built_in(), &news, &Ways::default(), None).unwrap();
    assert!(letter.text.contains("not attached, for it could not be read"), "{}", letter.text);
    assert!(html(&letter).contains("not attached, for it could not be read"));
    assert_eq!(letter.recording, None);
}

#[test]
fn a_letter_whose_recording_is_too_large_for_mail_says_so() {
    for (pages, said) in [
        ("en", "the mail server takes no mail that large"),
        ("fr", "n’accepte pas de courriel aussi gros"),
    ] {
        let (mailbox, envelope) = (set("pages", pages), from_marie());
        let news = News { too_large: true, ..news(&mailbox, &envelope, &Text::Off) };
        let letter = Letter::full(&Templates::built_in(), &news, &ways(), None).unwrap();
        for text in [letter.text.as_str(), html(&letter)] {
            assert!(text.contains(said), "{text}");
        }
        let whole = written(&news, &ways());
        assert!(!whole.text.contains(said), "{}", whole.text);
    }
}

/// A copy of what was left a week ago sorts with today's mail, and tells both days.
#[test]
fn a_letter_has_the_date_of_the_day_its_message_came_into_the_mailbox() {
    let (mailbox, envelope) = (reception(), from_marie());
    let filed = Timestamp(RECEIVED.0 + 8 * 86_400_000);
    let room = room::MadeRoom {
        used: 100,
        limit: 100,
        rotated: vec![room::Rotated { id: ID, caller: Caller::default(), received: RECEIVED }],
    };
    let news = News { filed, room: Some(&room), ..news(&mailbox, &envelope, &Text::Off) };
    let letter = written(&news, &Ways::default());
    let short = Letter::short(&Templates::built_in(), &news, &Ways::default()).unwrap();
    assert_eq!((letter.date, short.date), (filed, filed));
    assert!(letter.text.contains("Received: Monday, 23 November 2026, 14:32"), "{}", letter.text);
    assert!(letter.text.contains("fetched back until 31 December 2026"), "{}", letter.text);
}

#[test]
fn owners_learn_how_full_their_mailbox_is_and_what_gave_way() {
    let gone = |name: Option<&str>| room::Rotated {
        id: ID,
        caller: Caller::claimed(name, None),
        received: Timestamp(RECEIVED.0 - 20 * 86_400_000),
    };
    let told = |used, rotated, disable_rotate: &str| {
        let (mailbox, envelope) = (set("disable_rotate", disable_rotate), from_marie());
        let room = room::MadeRoom { used, limit: 100, rotated };
        let news = News { room: Some(&room), ..news(&mailbox, &envelope, &Text::Off) };
        let letter = written(&news, &Ways::default());
        assert!(!letter.text.contains("\n\n\n"), "{}", letter.text);
        let html = html(&letter).replace("<bdi>", "").replace("</bdi>", "");
        let html = html.replace("&lt;", "<").replace("&gt;", ">");
        for line in letter.text.lines().filter(|it| it.starts_with("- ")) {
            assert!(html.contains(&line[2..]), "{line}: {html}");
        }
        letter.text
    };
    let text = told(85, vec![], "no");
    assert!(text.contains("\nYour mailbox holds 85 of 100 messages.\n"), "{text}");
    let text = told(100, vec![], "yes");
    assert!(text.contains("full: 100 of 100 messages. Callers can leave no more until"), "{text}");
    let text = told(100, vec![gone(Some("Paul <b>")), gone(None)], "no");
    assert!(text.contains("For each new message an old one goes into the trash.\n"), "{text}");
    assert!(
        text.contains(
            "fetched back until 23 December 2026:\n- Paul <b>, 3 November 2026\n\
             - unknown caller, 3 November 2026\n\n-- \n"
        ),
        "{text}"
    );
    let text = told(100, vec![gone(None); 60], "no");
    assert!(text.contains("- and 40 more\n"), "{text}");
}
