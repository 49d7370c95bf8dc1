//! What is said, as names of clips.

use afterbeep::say::{Phrase, Phrases, number, spell};

const ENGLISH: &str = include_str!("../../prompts/en/phrases.toml");

#[test]
fn counts_in_english() {
    let spoken = |count| format!("{count}: {}", number::english(count).join(" "));
    let table = [
        0, 7, 10, 13, 20, 21, 99, 100, 101, 110, 342, 999, 1_000, 1_001, 1_100, 12_000, 21_015,
        100_000, 365_912, 999_999, 1_000_000,
    ];
    assert_eq!(
        table.map(spoken).join("\n"),
        "\
0: 0
7: 7
10: 10
13: 13
20: 20
21: 20 1
99: 90 9
100: 1 hundred
101: 1 hundred 1
110: 1 hundred 10
342: 3 hundred 40 2
999: 9 hundred 90 9
1000: 1 thousand
1001: 1 thousand 1
1100: 1 thousand 1 hundred
12000: 12 thousand
21015: 20 1 thousand 15
100000: 1 hundred thousand
365912: 3 hundred 60 5 thousand 9 hundred 12
999999: 9 hundred 90 9 thousand 9 hundred 90 9
1000000: 1 0 0 0 0 0 0"
    );
}

#[test]
fn what_is_dialled_is_spelled() {
    let spoken = |dialled| spell::signs(dialled).collect::<Vec<_>>().join(" ");
    assert_eq!(spoken("1000"), "1 0 0 0");
    assert_eq!(spoken("+43 1"), "plus 4 3 1");
    assert_eq!(
        spoken("Bob_2.x-*#"),
        "letter-b letter-o letter-b underscore 2 dot letter-x dash star pound"
    );
    assert_eq!(spoken("\u{202e}é/\0 "), "", "what has no name is not spoken");
    assert_eq!(spell::signs(&"9".repeat(5_000)).count(), spell::LONGEST);
}

#[test]
fn the_greeting_is_made_of_the_number() {
    let phrases = Phrases::parse(ENGLISH).unwrap();
    let greeting = phrases.clips(&Phrase::NotAvailable { number: "1002".into() });
    assert_eq!(greeting.join(" "), "person-at-extension 1 0 0 2 is-not-available");
    let unnamed = phrases.clips(&Phrase::NotAvailable { number: String::new() });
    assert_eq!(unnamed.join(" "), "person-at-extension is-not-available");
}

#[test]
fn the_review_menu_names_its_keys_in_order() {
    let phrases = Phrases::parse(ENGLISH).unwrap();
    let texts: toml::Table = ENGLISH.parse().unwrap();
    let menu = phrases.clips(&Phrase::ReviewMenu);
    let spoken: Vec<_> = menu.iter().map(|it| texts["clips"][it].as_str().unwrap()).collect();
    for (key, sentence) in ["one", "two", "three", "four"].iter().zip(&spoken) {
        assert!(sentence.ends_with(&format!("press {key}.")), "{sentence}");
    }
    assert_eq!(spoken.len(), 4);
}

/// A language that lacks a sentence is found out when it is loaded, not when it is needed.
#[test]
fn phrases_that_are_not_whole_are_refused_by_name() {
    let refused = |text: &str| Phrases::parse(text).unwrap_err().to_string();
    let missing = ENGLISH.replace("goodbye = [\"goodbye\"]\n", "");
    assert!(
        refused(&missing).contains(r#"the phrase "goodbye" is missing"#),
        "{}",
        refused(&missing)
    );
    let unknown = ENGLISH.replace("[phrases]\n", "[phrases]\ngood-bye = [\"goodbye\"]\n");
    assert!(
        refused(&unknown).contains(r#"there is no phrase "good-bye""#),
        "{}",
        refused(&unknown)
    );
    for clip in ["", "{count}", "../../etc/passwd", "Goodbye"] {
        let wrong = ENGLISH.replace("[\"goodbye\"]", &format!("[\"{clip}\"]"));
        assert!(refused(&wrong).contains(&format!("{clip:?}")), "{}", refused(&wrong));
    }
}
