//! Numbers in what was said and in its translation.

use afterbeep::mailbox::numbers::{Difference, Said, differ, numbers};
use proptest::prelude::*;

/// The numbers of a text: those side by side joined by `+`, others by a comma.
fn read(language: &str, text: &str) -> String {
    let runs = numbers(Said { text, language });
    runs.iter().map(|it| it.join("+")).collect::<Vec<_>>().join(", ")
}

fn compared(from: (&str, &str), to: (&str, &str)) -> Option<Difference> {
    let said = |(language, text)| Said { text, language };
    differ(said(from), said(to))
}

fn table(language: &str, rows: &[(&str, &str)]) {
    let told = |(text, _): &(&str, &str)| format!("{text} -> {}", read(language, text));
    let expected = |(text, it): &(&str, &str)| format!("{text} -> {it}");
    let (told, expected): (Vec<_>, Vec<_>) =
        (rows.iter().map(told).collect(), rows.iter().map(expected).collect());
    assert_eq!(told.join("\n"), expected.join("\n"), "{language}");
}

#[test]
fn numbers_in_english() {
    table(
        "en",
        &[
            ("Call me back.", ""),
            ("five five five, zero one nine nine", "5+5+5+0+1+9+9"),
            ("five five five oh one double nine", "5+5+5+0+1+9+9"),
            ("triple seven", "7+7+7"),
            ("Oh, five of us", "5"),
            ("twenty-one", "21"),
            ("twenty, one", "20+1"),
            ("three hundred and forty-two", "342"),
            ("a hundred", "100"),
            ("between one hundred and two hundred", "100, 200"),
            ("two thousand and five", "2005"),
            ("one million two hundred thousand and three", "1200003"),
            ("nineteen ninety-nine", "19+99"),
            ("nineteen hundred", "1900"),
            ("two thousands of them", "2"),
            ("hundreds of thousands", ""),
            ("half past two", "2+30"),
            ("quarter to five, a quarter past one", "4+45, 1+15"),
            ("quarter to one", "12+45"),
            ("at noon or midnight", "12, 0"),
            ("5:30 p.m.", "5+30"),
            ("05:30", "5+30"),
            ("5:00", "5"),
            ("five o'clock", "5"),
            ("at five o clock", "5"),
            ("one thing, this one, no one, one of them", ""),
            ("at one.", "1"),
            ("at one o'clock", "1"),
            ("1 PM", "1"),
            ("555 0199, one more thing", "555+0199"),
            ("press one two three four", "1+2+3+4"),
            ("first of all, wait a second", ""),
            ("the twenty-first of May, the third, the 25th", "21, 3, 25"),
            ("November 25th, 2024", "25+2024"),
            ("11/25/2024", "11+25+2024"),
            ("1,000 dollars and 2,500,000.75", "1000, 2500000.75"),
            ("2.5 million", "2500000"),
            ("three point one four", "3.14"),
            ("$2.50", "2.50"),
            ("room B12", "12"),
            ("(555) 123-4567", "555+123+4567"),
            ("555.123.4567", "555123+4567"),
            ("+44 20 7946 0018", "44+20+7946+0018"),
            ("I'll come at 5. 30 people come.", "5+30"),
            ("Is it 5? 30 people come.", "5, 30"),
        ],
    );
}

#[test]
fn numbers_in_french() {
    table(
        "fr",
        &[
            ("J'ai une question et un message pour vous.", ""),
            ("cinq cinq cinq, zéro un neuf neuf", "5+5+5+0+1+9+9"),
            ("vingt et un", "21"),
            ("soixante et onze, soixante-douze", "71+72"),
            ("soixante-dix-sept", "77"),
            ("quatre-vingts, quatre-vingt-un", "80+81"),
            ("quatre-vingt-dix-neuf", "99"),
            ("septante-deux, nonante", "72+90"),
            ("deux cents", "200"),
            ("mille neuf cent quatre-vingt-dix-neuf", "1999"),
            ("deux mille vingt-quatre", "2024"),
            ("trois millions deux cent mille", "3200000"),
            ("zéro cinq, cinquante-six, douze, trente-quatre, cinquante-six", "0+5+56+12+34+56"),
            ("05 56 12 34 56", "05+56+12+34+56"),
            ("05.56.12.34.56", "05+56+12+34+56"),
            ("1 000 euros, 1.000, 2,50 €", "1000, 1000+2.50"),
            ("1\u{202f}234\u{202f}567", "1234567"),
            ("17h30, 17 h 00, à dix-sept heures", "17+30+17, 17"),
            ("deux heures trente", "2+30"),
            ("à deux heures et demie", "2+30"),
            ("cinq heures moins le quart", "4+45"),
            ("midi et demi, cet après-midi", "12+30"),
            ("à une heure", "1"),
            ("dans une heure", ""),
            ("20 pour cent, vingt pour cent", "20, 20"),
            ("le 1er mai, le vingt-deuxième, le deuxième étage", "1, 22"),
            ("2,5 millions", "2500000"),
            ("trois virgule quatorze", "3.14"),
            ("cinquante cents", "50"),
        ],
    );
}

#[test]
fn numbers_in_portuguese_and_spanish() {
    table(
        "pt",
        &[
            ("Tenho uma pergunta.", ""),
            ("cinco cinco cinco, zero um nove nove", "5+5+5+0+1+9+9"),
            ("vinte e um, noventa e nove", "21+99"),
            ("duzentos e cinquenta", "250"),
            ("mil novecentos e noventa e nove", "1999"),
            ("dois mil e vinte e quatro", "2024"),
            ("às duas e meia", "2+30"),
            ("metade dos dois últimos", "2"),
            ("meio-dia", "12"),
            ("quinta-feira", ""),
            ("1.000 reais", "1000"),
        ],
    );
    table(
        "es",
        &[
            ("cinco cinco cinco, cero uno nueve nueve", "5+5+5+0+1+9+9"),
            ("treinta y uno, veintidós", "31+22"),
            ("dos mil veinticuatro", "2024"),
            ("a la una, a las dos y media", "1, 2+30"),
        ],
    );
    table("de", &[("um 17 Uhr 30 sind es fünf", "17, 30")]);
}

#[test]
fn a_lost_digit_is_told_whatever_the_language() {
    let said = ("en", "My number is five five five, zero one nine nine.");
    let lost = ("pt", "O meu número é cinco cinco, zero um nove nove.");
    let difference = compared(said, lost).unwrap();
    assert_eq!(difference.to_string(), "missing 5550199, added 550199");
    let unread = ("de", "Meine Nummer ist fünf fünf fünf null eins neun neun.");
    assert_eq!(compared(said, unread).unwrap().to_string(), "missing 5550199");
}

#[test]
fn what_a_machine_gets_wrong_is_told() {
    for (said, translated, told) in [
        ("Call at half past two.", ("pt", "Ligue na metade dos dois últimos."), "missing 30"),
        ("It is 5:30.", ("fr", "Il est 17h30."), "missing 5, added 17"),
        ("five five five oh one nine nine", ("fr", "555-0919"), "missing 5550199, added 5550919"),
        ("It costs $2.50.", ("fr", "Cela coûte 250 $."), "missing 2.50, added 250"),
        ("at two, five people", ("fr", "à 25 personnes"), "missing 2 5, added 25"),
        ("quarter to five", ("fr", "cinq heures et quart"), "missing 4 45, added 5 15"),
        ("fifteen people", ("fr", "cinquante personnes"), "missing 15, added 50"),
        ("Call me back.", ("fr", "Rappelez-moi à 12 heures."), "added 12"),
    ] {
        let difference = compared(("en", said), translated);
        assert_eq!(difference.map(|it| it.to_string()).as_deref(), Some(told), "{said}");
    }
}

#[test]
fn the_same_numbers_written_otherwise_are_no_difference() {
    for (said, language, translated) in [
        ("five five five, zero one nine nine", "fr", "cinq cinq cinq, zéro un neuf neuf"),
        ("five five five, zero one nine nine", "fr", "555-0199"),
        ("call 555 0199", "fr", "appelez le cinq cinq cinq zéro cent quatre-vingt-dix-neuf"),
        ("oh five five six one two three four five six", "fr", "05 56 12 34 56"),
        ("1,000 dollars", "fr", "1 000 dollars"),
        ("1,000 dollars", "pt", "1.000 dólares"),
        ("one thousand dollars", "fr", "mille dollars"),
        ("a hundred and one things", "fr", "cent une choses"),
        ("half past two", "fr", "deux heures et demie"),
        ("two thirty", "fr", "deux heures trente"),
        ("at 5:30", "fr", "à 5 h 30"),
        ("at 5:00 pm", "fr", "à 5 heures"),
        ("nineteen ninety-nine", "fr", "mille neuf cent quatre-vingt-dix-neuf"),
        ("in twenty twenty-four", "fr", "en 2024"),
        ("November 25th, 2024 at 5", "fr", "à 5 heures le 25 novembre 2024"),
        ("one, two, three", "fr", "un, deux, trois"),
        ("one of them, in an hour", "fr", "un d'entre eux, dans une heure"),
        ("2.5 million, 20 percent", "fr", "2,5 millions, 20 pour cent"),
        ("at noon", "fr", "à midi"),
        ("the twenty-first of May", "fr", "le vingt et un mai"),
    ] {
        assert_eq!(compared(("en", said), (language, translated)), None, "{said} / {translated}");
    }
}

const ENGLISH: [&str; 28] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
    "thirty",
    "forty",
    "fifty",
    "sixty",
    "seventy",
    "eighty",
    "ninety",
];
const FRENCH: [&str; 17] = [
    "zéro", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "dix", "onze",
    "douze", "treize", "quatorze", "quinze", "seize",
];
const FRENCH_TENS: [&str; 7] = ["", "dix", "vingt", "trente", "quarante", "cinquante", "soixante"];

/// A number below a million in English words.
fn english(number: usize) -> String {
    let with_rest = |head: String, joint: &str, rest| match rest {
        0 => head,
        rest => format!("{head}{joint}{}", english(rest)),
    };
    match number {
        0..=19 => ENGLISH[number].to_owned(),
        20..=99 => with_rest(ENGLISH[18 + number / 10].to_owned(), "-", number % 10),
        100..=999 => with_rest(format!("{} hundred", english(number / 100)), " and ", number % 100),
        _ => with_rest(format!("{} thousand", english(number / 1_000)), " ", number % 1_000),
    }
}

/// The same in French words.
fn french(number: usize) -> String {
    let then = |head: String, rest| match rest {
        0 => head,
        rest => format!("{head} {}", french(rest)),
    };
    match number {
        0..=16 => FRENCH[number].to_owned(),
        17..=19 => format!("dix-{}", FRENCH[number - 10]),
        71 => "soixante et onze".to_owned(),
        21 | 31 | 41 | 51 | 61 => format!("{} et un", FRENCH_TENS[number / 10]),
        20 | 30 | 40 | 50 | 60 => FRENCH_TENS[number / 10].to_owned(),
        22..=69 => format!("{}-{}", FRENCH_TENS[number / 10], FRENCH[number % 10]),
        70..=79 => format!("soixante-{}", french(number - 60)),
        80 => "quatre-vingts".to_owned(),
        81..=99 => format!("quatre-vingt-{}", french(number - 80)),
        100..=199 => then("cent".to_owned(), number % 100),
        200..=999 if number.is_multiple_of(100) => format!("{} cents", FRENCH[number / 100]),
        200..=999 => then(format!("{} cent", FRENCH[number / 100]), number % 100),
        1_000..=1_999 => then("mille".to_owned(), number % 1_000),
        _ => then(format!("{} mille", french(number / 1_000)), number % 1_000),
    }
}

fn spelled(words: &[&str], digits: &[usize]) -> String {
    digits.iter().map(|&it| words[it]).collect::<Vec<_>>().join(" ")
}

#[test]
fn every_number_below_ten_thousand_is_read_in_words() {
    for number in 2..10_000 {
        assert_eq!(read("en", &english(number)), number.to_string(), "{}", english(number));
        // mille cents is no French: `cents` wants its number in the same breath, and has it.
        assert_eq!(read("fr", &french(number)), number.to_string(), "{}", french(number));
    }
}

proptest! {
    /// Whatever is said, a text has the numbers it has.
    #[test]
    fn no_text_differs_from_itself(text in ".{0,200}") {
        for language in ["en", "fr", "pt", "es", "xx"] {
            prop_assert_eq!(compared((language, &text), (language, &text)), None);
        }
    }

    /// Number words in any order are read without a panic and without end.
    #[test]
    fn any_words_are_read(words in prop::collection::vec(prop::sample::select(&[
        "one", "five", "twenty", "hundred", "thousand", "million", "and", "point", "half", "past",
        "quarter", "to", "double", "oh", "quatre", "vingt", "dix", "et", "cent", "mille", "heures",
        "moins", "le", "quart", "00", "1", "05", "1,000", "2.5", ":", ",", ".", "h", "-", "midi",
    ][..]), 0..30)) {
        for language in ["en", "fr", "pt", "es"] {
            let _ = read(language, &words.join(" "));
            let _ = read(language, &words.concat());
        }
    }

    /// A number above twelve is the same in words of either language and in digits.
    #[test]
    fn a_number_is_the_same_in_words_and_digits(number in 13_usize..1_000_000) {
        let texts = [("en", english(number)), ("fr", french(number)), ("en", number.to_string())];
        for (one, other) in [(0, 1), (1, 2), (0, 2)] {
            let (one, other) = (&texts[one], &texts[other]);
            prop_assert_eq!(compared((one.0, &one.1), (other.0, &other.1)), None);
        }
    }

    /// A telephone number loses or changes no digit unseen.
    #[test]
    fn a_digit_lost_or_changed_is_told(
        digits in prop::collection::vec(0_usize..10, 5..12),
        at in any::<prop::sample::Index>(),
        by in 1_usize..10,
    ) {
        let at = at.index(digits.len());
        let said = spelled(&ENGLISH, &digits);
        prop_assert_eq!(compared(("en", &said), ("fr", &spelled(&FRENCH, &digits))), None);
        let mut lost = digits.clone();
        lost.remove(at);
        prop_assert!(compared(("en", &said), ("fr", &spelled(&FRENCH, &lost))).is_some());
        let mut changed = digits;
        changed[at] = (changed[at] + by) % 10;
        let written: String = changed.iter().map(ToString::to_string).collect();
        prop_assert!(compared(("en", &said), ("fr", &written)).is_some());
    }
}
