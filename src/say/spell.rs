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

/// A telephone number in groups of `size` digits, the last one of `last`: people remember those.
/// A digit left over joins the group after it. What is not made of digits is one group.
pub fn groups(number: &str, size: usize, last: usize) -> Vec<Vec<&'static str>> {
    let plus = usize::from(number.starts_with('+'));
    let signs: Vec<_> = signs(number).collect();
    if !number[plus..].bytes().all(|it| it.is_ascii_digit()) {
        return vec![signs];
    }
    let mut rest = signs.as_slice();
    let mut groups = Vec::new();
    let mut wanted = last;
    while rest.len() > plus + wanted + 1 {
        let (before, group) = rest.split_at(rest.len() - wanted);
        groups.push(group.to_vec());
        (rest, wanted) = (before, size);
    }
    groups.push(rest.to_vec());
    groups.reverse();
    groups
}

/// `press one`: a key of a telephone, as one clip.
pub fn key(key: char) -> Option<&'static str> {
    const KEYS: [&str; 10] = [
        "press-0", "press-1", "press-2", "press-3", "press-4", "press-5", "press-6", "press-7",
        "press-8", "press-9",
    ];
    match key {
        '0'..='9' => Some(KEYS[key as usize - '0' as usize]),
        '*' => Some("press-star"),
        '#' => Some("press-pound"),
        _ => None,
    }
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
