//! What is said, as names of clips.

mod golden;
mod walk;

use afterbeep::say::{Choice, Phrase, Phrases, Who, number, ordinal, spell};

const ENGLISH: &str = include_str!("../../prompts/en/phrases.toml");
const FRENCH: &str = include_str!("../../prompts/fr/phrases.toml");

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
    for (key, sentence) in ["one", "two", "three", "four", "five", "star"].iter().zip(&spoken) {
        assert!(sentence.ends_with(&format!("press {key}.")), "{sentence}");
    }
    assert_eq!(spoken.len(), 6);
}

/// A sentence misspelt is found out when the language is loaded, not when it is needed.
#[test]
fn phrases_that_make_no_sense_are_refused_by_name() {
    let refused = |text: &str| Phrases::parse(text).unwrap_err().to_string();
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
    let timeless = ENGLISH.replace("[\"goodbye\"]", "[\"goodbye\", \"{time}\"]");
    assert!(
        refused(&timeless).contains(r#"there is no {time} in the phrase "goodbye""#),
        "{}",
        refused(&timeless)
    );
    let klingon = ENGLISH.replace("grammar = \"english\"", "grammar = \"klingon\"");
    assert!(refused(&klingon).contains("klingon"), "{}", refused(&klingon));
}

/// Whoever wrote phrases before there were as many goes on with them.
#[test]
fn what_a_language_lacks_is_taken_from_another_one() {
    let mut phrases = Phrases::parse("[phrases]\ngoodbye = [\"farewell\"]\n").unwrap();
    assert!(phrases.has(&Phrase::Goodbye) && !phrases.has(&Phrase::EnterPin));
    assert_eq!(phrases.missing().count(), Phrase::NAMES.len() - 1);
    phrases.complete(Phrases::parse(FRENCH).unwrap());
    assert_eq!(phrases.missing().count(), 0);
    assert_eq!(phrases.clips(&Phrase::Goodbye), ["farewell"]);
    assert_eq!(phrases.clips(&Phrase::EnterPin), ["enter-pin"]);
    let counts = phrases.clips(&Phrase::Counts { new: 2, urgent: 1, saved: 0 });
    assert_eq!(
        counts.join(" "),
        "you-have 2 new-message of-them 1 urgent-ones-end",
        "in its order"
    );
}

#[test]
fn a_word_ends_a_sentence_where_the_language_has_it_so() {
    let clips = |text: &str| {
        let phrases = Phrases::parse(text).unwrap();
        let spoken = phrases.clips(&Phrase::From(Who::Phone("5551234567".into())));
        spoken.join(" ")
    };
    let plain = "[phrases]\nfrom-phone = [\"from\", \"{number}\"]\n";
    assert_eq!(clips(plain), "from 5 5 5 1 2 3 4 5 6 7");
    let falling = format!("{plain}[clips]\n5-end = \"five.\"\n7-end = \"seven.\"\n");
    assert_eq!(clips(&falling), "from 5 5 5-end 1 2 3 4 5 6 7-end");
}

#[test]
fn telephone_numbers_are_spoken_in_groups() {
    let groups = |number, size, last| {
        let groups = spell::groups(number, size, last);
        groups.iter().map(|it| it.join("")).collect::<Vec<_>>().join(" ")
    };
    let american = |number| groups(number, 3, 4);
    assert_eq!(american("911"), "911");
    assert_eq!(american("12345"), "12345");
    assert_eq!(american("5551234"), "555 1234");
    assert_eq!(american("5551234567"), "555 123 4567");
    assert_eq!(american("+15551234567"), "plus1555 123 4567", "a single digit joins the next ones");
    assert_eq!(american("442079460958"), "44 207 946 0958");
    let french = |number| groups(number, 2, 2);
    assert_eq!(french("0556123456"), "05 56 12 34 56");
    assert_eq!(french("+33556123456"), "plus335 56 12 34 56");
    assert_eq!(french("3949"), "39 49");
    assert_eq!(french("15"), "15");
    assert_eq!(french("+"), "plus");
    assert_eq!(french("0556-12"), "0556dash12", "what is not all digits is one group");
    assert_eq!(spell::groups(&"9".repeat(5_000), 2, 2).concat().len(), spell::LONGEST);
}

#[test]
fn places_have_words_as_far_as_the_days_of_a_month() {
    for place in 1..=ordinal::LARGEST {
        assert!(ordinal::english(place).is_some() && ordinal::french(place).is_some(), "{place}");
    }
    for place in [0, ordinal::LARGEST + 1, u32::MAX] {
        assert_eq!((ordinal::english(place), ordinal::french(place)), (None, None));
    }
}

#[test]
fn who_cannot_be_named_is_unknown() {
    for number in ["", "é", " "] {
        for who in [Who::Phone(number.into()), Who::Extension(number.into())] {
            assert_eq!(Phrase::From(who).name(), "from-unknown", "{number:?}");
        }
    }
}

#[test]
fn a_key_no_telephone_has_is_not_spoken() {
    let phrases = Phrases::parse(ENGLISH).unwrap();
    let clips = |key| phrases.clips(&Phrase::Choice { what: Choice::Help, key }).join(" ");
    assert_eq!(clips('#'), "choose-help press-pound");
    assert_eq!(clips('é'), "choose-help");
}
