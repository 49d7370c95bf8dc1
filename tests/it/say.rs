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
fn counts_in_french() {
    use number::Gender::{Feminine, Masculine};
    let spoken = |count| {
        let [masculine, feminine] =
            [Masculine, Feminine].map(|gender| number::french(count, gender).join(" "));
        match masculine == feminine {
            true => format!("{count}: {masculine}"),
            false => format!("{count}: {masculine} | {feminine}"),
        }
    };
    let table = [
        0, 1, 7, 16, 17, 20, 21, 22, 30, 31, 60, 61, 69, 70, 71, 72, 77, 79, 80, 81, 82, 90, 91,
        99, 100, 101, 121, 171, 180, 200, 201, 999, 1_000, 1_001, 1_100, 2_000, 21_000, 71_021,
        81_000, 100_000, 200_001, 365_912, 999_999, 1_000_000,
    ];
    assert_eq!(
        table.map(spoken).join("\n"),
        "\
0: 0
1: 1 | 1-f
7: 7
16: 16
17: 17
20: 20
21: 20 and-1 | 20 and-1-f
22: 20 2
30: 30
31: 30 and-1 | 30 and-1-f
60: 60
61: 60 and-1 | 60 and-1-f
69: 60 9
70: 60 10
71: 60 and-11
72: 60 12
77: 60 17
79: 60 19
80: 80
81: 80 1 | 80 1-f
82: 80 2
90: 80 10
91: 80 11
99: 80 19
100: hundred
101: hundred 1 | hundred 1-f
121: hundred 20 and-1 | hundred 20 and-1-f
171: hundred 60 and-11
180: hundred 80
200: 2 hundred
201: 2 hundred 1 | 2 hundred 1-f
999: 9 hundred 80 19
1000: thousand
1001: thousand 1 | thousand 1-f
1100: thousand hundred
2000: 2 thousand
21000: 20 and-1 thousand
71021: 60 and-11 thousand 20 and-1 | 60 and-11 thousand 20 and-1-f
81000: 80 1 thousand
100000: hundred thousand
200001: 2 hundred thousand 1 | 2 hundred thousand 1-f
365912: 3 hundred 60 5 thousand 9 hundred 12
999999: 9 hundred 80 19 thousand 9 hundred 80 19
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
    let busy = phrases.clips(&Phrase::OnThePhone { number: "7".into() });
    assert_eq!(busy.join(" "), "person-at-extension 7 is-on-the-phone");
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
