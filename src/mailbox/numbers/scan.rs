//! A text cut into words and numerals, with what stands between them.

/// A word or a numeral.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) token: Token,
    /// What stands between it and the piece before.
    pub(super) gap: Gap,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// Digits without their grouping, with a point before decimals: `1000`, `2.50`, `0199`.
    Digits(String),
    /// Lower case, without accents (but `à`, which is not `a`).
    Word(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gap {
    /// Nothing: `25th`.
    None,
    /// Spaces or a hyphen: what is said in one breath.
    Tight,
    /// A colon between numerals: `5:30`.
    Clock,
    /// Other marks that may stand within a number: commas, dots, brackets.
    Loose,
    /// The end of a sentence, or marks that no number has.
    End,
}

impl Piece {
    pub(super) fn word(&self) -> Option<&str> {
        match &self.token {
            Token::Word(word) => Some(word),
            Token::Digits(_) => None,
        }
    }
}

/// The pieces of a text, in order.
pub(super) fn pieces(text: &str) -> Vec<Piece> {
    let letters: Vec<char> = text.chars().collect();
    let mut pieces = Vec::new();
    let (mut at, mut gap) = (0, Gap::End);
    while let Some(&letter) = letters.get(at) {
        let (token, length) = if letter.is_ascii_digit() {
            let (digits, length) = numeral(&letters, at);
            (Token::Digits(digits), length)
        } else if letter.is_alphabetic() {
            let (word, length) = word(&letters[at..]);
            (Token::Word(word), length)
        } else {
            gap = wider(gap, mark(letter));
            at += 1;
            continue;
        };
        let clock = gap == Gap::Loose && at > 0 && letters[at - 1] == ':';
        pieces.push(Piece { token, gap: if clock { Gap::Clock } else { gap } });
        gap = Gap::None;
        at += length;
    }
    pieces
}

fn mark(letter: char) -> Gap {
    match letter {
        _ if letter.is_whitespace() && letter != '\n' => Gap::Tight,
        '-' | '\u{2010}' | '\u{2011}' => Gap::Tight,
        '\'' | '\u{2019}' => Gap::Tight,
        ',' | '.' | ':' | '/' | '(' | ')' | '+' | '\u{2013}' => Gap::Loose,
        _ => Gap::End,
    }
}

fn wider(one: Gap, other: Gap) -> Gap {
    let width = |gap| match gap {
        Gap::None => 0,
        Gap::Tight => 1,
        Gap::Clock | Gap::Loose => 2,
        Gap::End => 3,
    };
    if width(other) > width(one) { other } else { one }
}

/// A word and its length. An apostrophe parts words, except in `o'clock`.
fn word(letters: &[char]) -> (String, usize) {
    let apostrophe = |it: Option<&char>| matches!(it, Some('\'' | '\u{2019}'));
    let length = letters.iter().take_while(|it| it.is_alphabetic()).count();
    let word: String = letters[..length].iter().flat_map(|it| it.to_lowercase()).collect();
    if word == "o" && apostrophe(letters.get(1)) && letters[2..].starts_with(&CLOCK) {
        return ("oclock".to_owned(), 2 + CLOCK.len());
    }
    (word.chars().map(plain).collect(), length)
}

const CLOCK: [char; 5] = ['c', 'l', 'o', 'c', 'k'];

/// A letter without its accent, for those the number words have.
fn plain(letter: char) -> char {
    match letter {
        'é' | 'è' | 'ê' | 'ë' => 'e',
        'á' | 'â' | 'ã' | 'ä' => 'a',
        'í' | 'î' | 'ï' => 'i',
        'ó' | 'ô' | 'õ' | 'ö' => 'o',
        'ú' | 'û' | 'ù' | 'ü' => 'u',
        'ç' => 'c',
        _ => letter,
    }
}

/// The numeral at a place and its length in the text: `1,000`, `1 000` and `1.000` are one thousand,
/// `2.50` and `2,50` two and a half. Three digits after a single mark are taken for thousands; one
/// that goes on behind a mark (`05.56.12`, `11/25`) is no more than its own digits.
fn numeral(letters: &[char], at: usize) -> (String, usize) {
    let digit = |at: usize| letters.get(at).is_some_and(char::is_ascii_digit);
    let count = |from: usize| (from..).take_while(|&it| digit(it)).count();
    let chained = |mark: usize| matches!(letters.get(mark), Some('.' | ',' | '/' | '-' | ':'));
    let mut end = at + count(at);
    let mut digits: String = letters[at..end].iter().collect();
    if at >= 2 && chained(at - 1) && digit(at - 2) {
        return (digits, end - at);
    }
    if let Some(mark) = letters.get(end).copied().filter(|it| GROUPING.contains(it))
        && end - at <= 3
        && !digits.starts_with('0')
    {
        while letters.get(end) == Some(&mark) && count(end + 1) == 3 {
            digits.extend(&letters[end + 1..end + 4]);
            end += 4;
        }
    }
    let after = end + 1 + count(end + 1);
    let decimals = matches!(letters.get(end), Some('.' | ',')) && (2..=3).contains(&(after - end));
    if decimals && !(chained(after) && digit(after + 1)) {
        digits.push('.');
        digits.extend(&letters[end + 1..after]);
        end = after;
    }
    (digits, end - at)
}

/// Marks between thousands, of one country or another.
const GROUPING: [char; 8] = [',', '.', ' ', '\'', '\u{2019}', '\u{a0}', '\u{2009}', '\u{202f}'];
