//! Letters in other languages, and with a translation beside the transcript.

use afterbeep::mail::listen_page;

use super::*;

fn spoken() -> Text {
    transcript(&[("Hello, it's Marie.", 0.9), ("Call me back before noon?", 0.2)])
}

#[test]
fn a_french_owner_reads_a_french_letter() {
    let (mailbox, envelope, text) = (set("pages", "fr"), from_marie(), spoken());
    let letter = written(&news(&mailbox, &envelope, &text), &ways());
    assert_eq!(
        letter.subject,
        "Marie Dupont (+33 5 56 12 34 56)\u{a0}: \
         «\u{a0}Hello, it's Marie. Call me back before noon?\u{a0}» (0:24)"
    );
    assert_eq!(
        letter.text.replace('\u{a0}', "~"),
        "\
«~Hello, it's Marie. Call me back before noon? [?]~»

Transcription automatique, que personne n’a relue~; elle peut contenir des erreurs.
Ce qui précède [?] est incertain.

De~: Marie Dupont (+33 5 56 12 34 56)
Reçu~: lundi 23 novembre 2026 à 14~h~32 (CET)
Durée~: 0:24
Rappeler~: tel:+33556123456
Écouter~: https://voicemail.example/l/AAAA

L’enregistrement est joint à ce courriel~: voicemail-2026-11-23-1432-from-33556123456.wav

-- \n\
Vous recevez ce courriel parce que la boîte vocale 1000 (Reception) envoie ses messages à cette adresse.
Ne plus recevoir ces courriels~: https://voicemail.example/u/BBBB
Envoyé par Afterbeep, https://voicemail.example
"
    );
    let html = html(&letter);
    assert!(html.contains("<html lang=\"fr\">"), "{html}");
    for english in ["Received", "Length", "Listen", "Call back", "transcript"] {
        assert!(!html.contains(english), "{english}: {html}");
    }
}

#[test]
fn the_first_of_a_month_and_a_region_are_french_too() {
    let envelope = Envelope { received: Timestamp(RECEIVED.0 + 8 * 86_400_000), ..from_marie() };
    let mailbox = set("pages", "fr-CA");
    let letter = written(&news(&mailbox, &envelope, &Text::NoSpeech), &Ways::default());
    assert!(letter.text.contains("mardi 1er décembre 2026 à 14"), "{}", letter.text);
    assert!(letter.text.starts_with("Aucune parole, 24"), "{}", letter.text);
}

#[test]
fn why_there_is_no_transcript_is_said_in_french_where_it_is_ours_to_say() {
    let mailbox = set("pages", "fr");
    let why = |reason: &str| {
        let text = Text::NotTranscribed(reason.into());
        written(&news(&mailbox, &from_marie(), &text), &Ways::default()).text
    };
    let late = why("The transcript was not ready in time.");
    assert!(late.starts_with("Pas de transcription. La transcription n’était pas prête"), "{late}");
    let other = why("The recogniser caught fire.");
    assert!(other.starts_with("Pas de transcription. The recogniser caught fire."), "{other}");
}

/// And every sentence of ours is, in letters and on the page their links open.
#[test]
fn nothing_of_what_is_ours_to_say_about_missing_words_is_english_in_french() {
    let (mailbox, envelope) = (set("pages", "fr"), from_marie());
    for (reason, said) in [
        ("The translation was not ready in time.", "La traduction n’était pas prête à temps."),
        ("The translation is not ready yet.", "La traduction n’est pas encore prête."),
        ("The transcript is missing.", "La transcription est introuvable."),
        ("The server could not make one.", "Le serveur n’a pas pu en produire une."),
    ] {
        let (text, translated) =
            (Text::NotTranscribed(reason.into()), Translated::NotMade(reason.into()));
        let news = News { translated: &translated, ..news(&mailbox, &envelope, &text) };
        let letter = written(&news, &Ways::default());
        let page = listen_page(&Templates::built_in(), &news, "audio").unwrap();
        for text in [letter.text.as_str(), html(&letter), page.as_str()] {
            assert_eq!(text.matches(said).count(), 2, "{text}");
            assert!(!text.contains(reason), "{text}");
        }
    }
}

#[test]
fn a_translation_stands_beside_the_words_and_is_marked_as_a_machines() {
    let (mailbox, envelope, text) = (reception(), from_marie(), spoken());
    let made = |missing: &[&str], added: &[&str]| Translated::Made {
        language: "fr".into(),
        text: "Bonjour, c'est Marie.\nRappelle-moi avant midi ?".into(),
        missing: missing.iter().map(ToString::to_string).collect(),
        added: added.iter().map(ToString::to_string).collect(),
    };
    let letter = |translated: &Translated| {
        let news = News { translated, ..news(&mailbox, &envelope, &text) };
        let letter = written(&news, &Ways::default());
        assert!(!letter.text.contains("\n\n\n"), "{}", letter.text);
        letter
    };
    let same = letter(&made(&[], &[]));
    let [original, translated, machine, from] =
        ["“Hello", "In French: “Bonjour, c'est Marie.\n", "Translated by a machine", "From: "]
            .map(|it| same.text.find(it).unwrap_or_else(|| panic!("{it}: {}", same.text)));
    assert!(original < translated && translated < machine && machine < from);
    assert!(html(&same).contains("lang=\"fr\""), "{}", html(&same));
    assert!(!same.text.contains("Numbers"), "{}", same.text);

    let differs = letter(&made(&["5", "0199"], &["3"]));
    for text in [&differs.text, html(&differs)] {
        assert!(text.contains("said and are not in the translation: 5, 0199"), "{text}");
        assert!(text.contains("in the translation that were not said: 3"), "{text}");
    }
    let none = letter(&Translated::NotMade("There is no model for it.".into()));
    for text in [&none.text, html(&none)] {
        assert!(text.contains("No translation. There is no model for it."), "{text}");
    }
}
