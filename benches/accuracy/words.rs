//! Words as they are counted: how they are written does not matter, which they are does.

/// The words of a text in lower case, without marks; numbers in words and in digits are the same.
pub fn of(text: &str, language: &str) -> Vec<String> {
    let plain: String = text
        .to_lowercase()
        .chars()
        .map(|it| match it {
            '’' => '\'',
            '#' => '#',
            _ if it.is_alphanumeric() || it == '\'' => it,
            _ => ' ',
        })
        .collect();
    // French has its article before an apostrophe; English its endings behind.
    let plain = if language == "fr" { plain.replace('\'', " ") } else { plain.replace('\'', "") };
    plain.replace('#', " # ").split_whitespace().map(|it| digits(it, language)).collect()
}

/// A number word as a digit.
fn digits(word: &str, language: &str) -> String {
    const ENGLISH: [&str; 13] = [
        "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
        "eleven", "twelve",
    ];
    const FRENCH: [&str; 13] = [
        "zéro", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "dix",
        "onze", "douze",
    ];
    let table = if language == "fr" { FRENCH } else { ENGLISH };
    let number = table.iter().position(|it| *it == word);
    number.map_or_else(|| word.to_owned(), |it| it.to_string())
}

/// Words wrong, missing or too many, by the least number of edits.
pub fn wrong(said: &[String], heard: &[String]) -> usize {
    let mut row: Vec<usize> = (0..=heard.len()).collect();
    for (at, word) in said.iter().enumerate() {
        let mut corner = std::mem::replace(&mut row[0], at + 1);
        for (column, other) in heard.iter().enumerate() {
            let changed = corner + usize::from(word != other);
            corner = row[column + 1];
            row[column + 1] = changed.min(corner + 1).min(row[column] + 1);
        }
    }
    row[heard.len()]
}
