//! The short letter: what a text message has room for.

use super::*;

fn short(mailbox: &Mailbox, envelope: &Envelope, text: &Text) -> Letter {
    let news = news(mailbox, envelope, text);
    Letter::short(&Templates::built_in(), &news, &Ways::default()).unwrap()
}

#[test]
fn it_says_who_when_how_long_and_the_first_words() {
    let said = transcript(&[("Hello, it's Marie.", 0.9), ("Call me.", 0.2)]);
    let letter = short(&reception(), &from_marie(), &said);
    assert_eq!(letter.subject, "Voicemail for 1000");
    assert_eq!(
        letter.text,
        "Marie Dupont (+33 5 56 12 34 56), 23 Nov 14:32, 0:24: Hello, it's Marie. Call me."
    );
    assert_eq!((letter.html, letter.recording), (None, None));
}

#[test]
fn every_kind_fits_a_text_message() {
    let long = "one two three four five six seven eight nine ten ".repeat(20);
    let name = "A very long name of a company, as some exchanges like to send it".to_owned();
    let callers = [
        Caller::default(),
        from_marie().caller,
        Caller { name: Some(name), number: Some("+33 5 56 12 34 56".repeat(4)) },
    ];
    for language in ["en", "fr"] {
        for caller in &callers {
            let envelope = Envelope { caller: caller.clone(), ..from_marie() };
            for (text, end) in [
                (transcript(&[(&long, 0.9)]), "..."),
                (transcript(&[("Call me.", 0.9)]), ""),
                (Text::NoSpeech, ""),
                (Text::NotTranscribed("The recogniser was busy.".into()), "0:24"),
                (Text::Off, "0:24"),
            ] {
                let letter = short(&set("pages", language), &envelope, &text);
                let count = letter.text.chars().count();
                assert!(count <= 160, "{count}: {}", letter.text);
                if caller.name.as_ref().is_none_or(|it| it.len() < 20) {
                    assert!(letter.text.ends_with(end), "{}", letter.text);
                    assert!(end != "..." || count > 130, "room is left: {}", letter.text);
                }
            }
        }
    }
}
