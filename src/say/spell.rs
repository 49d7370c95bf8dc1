//! What is dialled, sign by sign: `10-b` is `1 0 dash letter-b`, in every language.

const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
const LETTERS: [&str; 26] = [
    "letter-a", "letter-b", "letter-c", "letter-d", "letter-e", "letter-f", "letter-g", "letter-h",
    "letter-i", "letter-j", "letter-k", "letter-l", "letter-m", "letter-n", "letter-o", "letter-p",
    "letter-q", "letter-r", "letter-s", "letter-t", "letter-u", "letter-v", "letter-w", "letter-x",
    "letter-y", "letter-z",
];

/// No caller listens to more signs than these; the rest of a longer number is not spoken.
pub const LONGEST: usize = 32;

/// One clip for each sign that has a name; others are passed over.
pub fn signs(dialled: &str) -> impl Iterator<Item = &'static str> {
    dialled.chars().take(LONGEST).filter_map(sign)
}

/// The names of all signs.
pub fn all() -> impl Iterator<Item = &'static str> {
    (' '..='~').filter(|it| !it.is_ascii_uppercase()).filter_map(sign)
}

fn sign(sign: char) -> Option<&'static str> {
    let from = |first: char| sign.to_ascii_lowercase() as usize - first as usize;
    match sign {
        '0'..='9' => Some(DIGITS[from('0')]),
        'a'..='z' | 'A'..='Z' => Some(LETTERS[from('a')]),
        '+' => Some("plus"),
        '-' => Some("dash"),
        '.' => Some("dot"),
        '_' => Some("underscore"),
        '*' => Some("star"),
        '#' => Some("pound"),
        _ => None,
    }
}
