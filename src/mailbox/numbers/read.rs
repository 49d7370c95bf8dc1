//! From pieces to numbers: which words belong together, and what they come to.

use super::scan::{Gap, Piece, Token};
use super::sum::Sum;
use super::words::{Language, Part};

/// Numbers that stand side by side, in digits.
pub(super) type Run = Vec<String>;

/// All numbers of a text.
pub(super) fn runs(pieces: &[Piece], language: Language) -> Vec<Run> {
    let mut reader = Reader { pieces, language, run: Vec::new(), runs: Vec::new() };
    let mut at = 0;
    while at < pieces.len() {
        at += reader.step(at);
    }
    reader.close();
    reader.runs
}

struct Reader<'a> {
    pieces: &'a [Piece],
    language: Language,
    /// What the run that is being read has so far.
    run: Vec<Item>,
    runs: Vec<Run>,
}

#[derive(Debug, Clone)]
struct Item {
    digits: String,
    /// `one` on its own, which is an article or a pronoun unless something speaks for a number.
    weak: Option<Weak>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weak {
    /// A word that is no number follows in the same breath: `one thing`.
    Followed,
    /// None does.
    Alone,
}

impl<'a> Reader<'a> {
    /// Reads from a piece on; how many pieces that were.
    fn step(&mut self, at: usize) -> usize {
        let piece = &self.pieces[at];
        if piece.gap == Gap::End {
            self.close();
        }
        if let Some(used) = self.number(at) {
            return used + self.tail(at + used);
        }
        if !self.goes_on(at) {
            self.close();
        }
        1
    }

    /// A number that begins here goes into the run; how many pieces it took.
    fn number(&mut self, at: usize) -> Option<usize> {
        let pieces = self.pieces;
        match &pieces[at].token {
            Token::Digits(digits) => Some(self.numeral(at, digits)),
            Token::Word(word) => {
                let before = at.checked_sub(1).and_then(|it| self.word(it));
                if let Some(hour) = self.language.named_hour(word, before) {
                    self.push(hour.to_owned());
                    return Some(1);
                }
                self.minutes_before(at).or_else(|| self.repeated(at)).or_else(|| self.spoken(at))
            }
        }
    }

    fn numeral(&mut self, at: usize, digits: &str) -> usize {
        let clock = self.pieces[at].gap == Gap::Clock || self.after_hour(at);
        if clock && digits == "00" && !self.run.is_empty() {
            return 1;
        }
        match self.tight(at + 1).and_then(|it| self.language.part(it)) {
            Some(Part::Scale(scale) | Part::Scales(scale)) => {
                self.push(scaled(digits, scale));
                2
            }
            _ => {
                let next = self.pieces.get(at + 1);
                let hour = next.is_some_and(|it| it.gap == Gap::Clock);
                // 05:30 is 5:30.
                let short = digits.strip_prefix('0').filter(|it| hour && it.len() == 1);
                self.push(short.unwrap_or(digits).to_owned());
                1
            }
        }
    }

    /// `half past two`, `quarter to five`.
    fn minutes_before(&mut self, at: usize) -> Option<usize> {
        let (minutes, short) = self.language.minutes_before(self.word(at)?, self.tight(at + 1)?)?;
        let (hour, used) = match &self.pieces.get(at + 2)?.token {
            Token::Digits(digits) => (digits.parse().ok()?, 1),
            Token::Word(_) => self.cardinal(at + 2)?,
        };
        self.push(if short { hour_before(hour) } else { hour }.to_string());
        self.push(minutes.to_owned());
        Some(2 + used)
    }

    /// `double five`.
    fn repeated(&mut self, at: usize) -> Option<usize> {
        let times = self.language.repeats(self.word(at)?)?;
        let next = self.pieces.get(at + 1).filter(|it| is_tight(it.gap))?;
        let digit = match &next.token {
            Token::Digits(digits) if digits.len() == 1 => digits.clone(),
            Token::Digits(_) => return None,
            Token::Word(word) => match self.language.part(word)? {
                Part::Zero => "0".to_owned(),
                Part::Unit(unit) => unit.to_string(),
                _ => return None,
            },
        };
        for _ in 0..times {
            self.push(digit.clone());
        }
        Some(2)
    }

    /// A number in words, with its decimals.
    fn spoken(&mut self, at: usize) -> Option<usize> {
        if self.is_oh(at) {
            self.push("0".to_owned());
            return Some(1);
        }
        let (value, mut used) = self.cardinal(at)?;
        let mut digits = value.to_string();
        if let Some((decimals, more)) = self.decimals(at + used) {
            digits = format!("{digits}.{decimals}");
            used += more;
        }
        let weak = (digits == "1" && used == 1).then(|| self.weakness(at)).flatten();
        self.run.push(Item { digits, weak });
        Some(used)
    }

    /// `point one four`; not in the middle of spelled digits, where it is a dot.
    fn decimals(&self, at: usize) -> Option<(String, usize)> {
        if !self.run.is_empty() || !self.language.points(self.tight(at)?) {
            return None;
        }
        let (mut decimals, mut used) = (String::new(), 1);
        while self.pieces.get(at + used).is_some_and(|it| is_tight(it.gap)) {
            let Some((value, more)) = self.cardinal(at + used) else { break };
            decimals += &value.to_string();
            used += more;
        }
        (!decimals.is_empty()).then_some((decimals, used))
    }

    /// `oh` beside other digits.
    fn is_oh(&self, at: usize) -> bool {
        let oh = self.language == Language::English && matches!(self.word(at), Some("o" | "oh"));
        let after =
            self.pieces.get(at + 1).filter(|it| is_tight(it.gap)).is_some_and(|it| {
                match &it.token {
                    Token::Digits(_) => true,
                    Token::Word(word) => self.language.part(word).is_some(),
                }
            });
        let clock = self.tight(at + 1) == Some("clock");
        oh && !clock && (after || !self.run.is_empty() && is_tight(self.pieces[at].gap))
    }

    /// Whether a lone `one` may be no number at all.
    fn weakness(&self, at: usize) -> Option<Weak> {
        let before = at.checked_sub(1).and_then(|it| self.word(it));
        let next = self.pieces.get(at + 1).filter(|it| is_tight(it.gap));
        let after = next.and_then(Piece::word);
        if self.language.is_hour(before, after) {
            return None;
        }
        let number = |word: &str| {
            self.language.part(word).is_some() || self.language.repeats(word).is_some()
        };
        let followed = match next.map(|it| &it.token) {
            Some(Token::Word(word)) => !number(word) && !self.language.hour(word),
            Some(Token::Digits(_)) => true,
            None => false,
        };
        Some(if followed { Weak::Followed } else { Weak::Alone })
    }

    /// After an hour: its minutes, told in words of their own.
    fn tail(&mut self, at: usize) -> usize {
        let skipped = usize::from(self.tight(at).is_some_and(|it| self.is_hour_word(it)));
        let from = at + skipped;
        let words = [0, 1, 2].map(|it| self.tight(from + it));
        let Some((used, minutes, short)) = self.language.minutes(words) else { return skipped };
        let named = at.checked_sub(1).and_then(|it| self.word(it));
        let hour = skipped > 0 || named.is_some_and(|it| matches!(it, "midi" | "minuit"));
        if self.language == Language::French && !hour {
            return skipped;
        }
        if short && let Some(last) = self.run.last_mut() {
            let hour = last.digits.parse().map_or(0, hour_before);
            *last = Item { digits: hour.to_string(), weak: None };
        }
        if let Some(last) = self.run.last_mut() {
            last.weak = None;
        }
        self.push(minutes.to_owned());
        skipped + used
    }

    /// Whether a word leaves a run open: the hour's, or what is written after a numeral (`25th`).
    fn goes_on(&self, at: usize) -> bool {
        let Some(word) = self.word(at) else { return false };
        let after_numeral = at > 0
            && self.pieces[at].gap == Gap::None
            && matches!(self.pieces[at - 1].token, Token::Digits(_));
        after_numeral && matches!(word, "st" | "nd" | "rd" | "th" | "er" | "re" | "e" | "eme")
            || !self.run.is_empty() && self.is_hour_word(word)
    }

    fn is_hour_word(&self, word: &str) -> bool {
        word == "h" || self.language.hour(word)
    }

    fn after_hour(&self, at: usize) -> bool {
        at.checked_sub(1).and_then(|it| self.word(it)).is_some_and(|it| self.is_hour_word(it))
    }

    /// A whole number in words: its value and how many pieces it takes.
    fn cardinal(&self, from: usize) -> Option<(u64, usize)> {
        let before = from.checked_sub(1).and_then(|it| self.word(it));
        let mut sum = Sum::new(self.language);
        let mut used = 0;
        while let Some(piece) = self.pieces.get(from + used) {
            if used > 0 && !is_tight(piece.gap) {
                break;
            }
            let Some(word) = piece.word() else { break };
            if used > 0 && self.language.joins(word) && self.joined(from + used, &sum) {
                used += 1;
                continue;
            }
            let Some(part) = self.language.part(word) else { break };
            // `pour cent` is a share and no hundred.
            let share = matches!(before, Some("pour" | "por"))
                && matches!(part, Part::Hundred | Part::Whole(100));
            if used == 0 && share || !sum.take(part) {
                break;
            }
            used += 1;
            if part == Part::Zero {
                break;
            }
        }
        (used > 0).then(|| (sum.value(), used))
    }

    /// Whether an `and` joins what follows to the number so far: `two hundred and fifty`, but not
    /// `one hundred and two hundred`.
    fn joined(&self, and: usize, sum: &Sum) -> bool {
        let part = |at: usize| self.language.part(self.tight(at)?);
        let Some(next) = part(and + 1) else { return false };
        let another = match part(and + 2) {
            Some(Part::Hundred | Part::Hundreds) => true,
            Some(Part::Scale(scale) | Part::Scales(scale)) => !sum.may_scale(scale),
            _ => false,
        };
        !another && sum.joins(next)
    }

    fn word(&self, at: usize) -> Option<&'a str> {
        self.pieces.get(at)?.word()
    }

    /// The word at a place, if it is said in one breath with the one before.
    fn tight(&self, at: usize) -> Option<&'a str> {
        self.pieces.get(at).filter(|it| is_tight(it.gap))?.word()
    }

    fn push(&mut self, digits: String) {
        self.run.push(Item { digits, weak: None });
    }

    /// The run is over: what counts of it is kept.
    fn close(&mut self) {
        let run = std::mem::take(&mut self.run);
        let company = run.len() > 1;
        let counts = |it: &Item| match it.weak {
            None => true,
            Some(Weak::Alone) => company,
            Some(Weak::Followed) => false,
        };
        let kept: Vec<Item> = run.into_iter().filter(counts).collect();
        let lonely = matches!(kept[..], [Item { weak: Some(_), .. }]);
        if !kept.is_empty() && !lonely {
            self.runs.push(kept.into_iter().map(|it| it.digits).collect());
        }
    }
}

fn is_tight(gap: Gap) -> bool {
    matches!(gap, Gap::None | Gap::Tight)
}

/// `quarter to five` is said of the hour before.
fn hour_before(hour: u64) -> u64 {
    match hour {
        0 => 23,
        1 => 12,
        later => later - 1,
    }
}

/// `2.5` millions, in digits.
fn scaled(digits: &str, scale: u64) -> String {
    let places = scale.ilog10() as usize;
    let (whole, decimals) = digits.split_once('.').unwrap_or((digits, ""));
    if decimals.len() > places {
        return format!("{whole}{}.{}", &decimals[..places], &decimals[places..]);
    }
    let zeros = "0".repeat(places - decimals.len());
    let all = format!("{whole}{decimals}{zeros}");
    let plain = all.trim_start_matches('0');
    if plain.is_empty() { "0".to_owned() } else { plain.to_owned() }
}
