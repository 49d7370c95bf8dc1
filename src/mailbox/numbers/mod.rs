//! Numbers in what was said and in its translation: are they the same?
//!
//! A machine that translates may drop a digit of a telephone number and still write a fluent
//! sentence. So the numbers of both texts are read, words turned into digits (English, French,
//! Portuguese, Spanish; of other languages digits only), and compared. The same numbers in another
//! order or grouping are the same; whatever is in doubt counts as a difference, for it is shown to
//! a reader and decides nothing.

use std::collections::HashMap;
use std::fmt;

use serde::{Deserialize, Serialize};

mod read;
mod scan;
mod sum;
mod words;

use read::Run;

/// A text, and the language it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said<'a> {
    /// What was said or written.
    pub text: &'a str,
    /// ISO 639-1, with or without a region.
    pub language: &'a str,
}

/// What a translation made of the numbers in its original. Never empty on both sides.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Numbers of the original that the translation does not have, in digits.
    pub missing: Vec<String>,
    /// Numbers of the translation that the original does not have, in digits.
    pub added: Vec<String>,
}

/// How the numbers of a translation differ from its original's; `None` if they are the same.
pub fn differ(original: Said<'_>, translation: Said<'_>) -> Option<Difference> {
    let (left, right) = (numbers(original), numbers(translation));
    if left.iter().flatten().eq(right.iter().flatten()) {
        return None;
    }
    let (left, right) = without_common(left, right, key);
    let (left, right) = (apart(left), apart(right));
    let (missing, added) = without_common(left, right, String::clone);
    let same = missing.is_empty() && added.is_empty();
    (!same).then_some(Difference { missing, added })
}

/// The numbers of a text in digits, those that stand side by side together: `call 555 0199 at
/// half past two` is `[555, 0199]` and `[2, 30]`.
pub fn numbers(said: Said<'_>) -> Vec<Vec<String>> {
    let pieces = scan::pieces(said.text);
    read::runs(&pieces, words::Language::of(said.language))
}

/// Fewer digits than this may be two small numbers side by side rather than one in two groups.
const GROUPED: usize = 3;
/// So many digits side by side are one number, like that of a telephone.
const LONG: usize = 7;

/// What is the same for a number however it is grouped.
fn key(run: &Run) -> String {
    run.join(if digits(run) < GROUPED { " " } else { "" })
}

/// Numbers one by one; digits of which the order matters stay together.
fn apart(runs: Vec<Run>) -> Vec<String> {
    runs.into_iter().flat_map(|run| if spelled(&run) { vec![run.concat()] } else { run }).collect()
}

/// Whether these are the digits of one number, spelled or in groups.
fn spelled(run: &Run) -> bool {
    let singly = run.len() >= GROUPED && run.iter().all(|it| it.len() == 1);
    singly || run.len() > 1 && digits(run) >= LONG
}

fn digits(run: &Run) -> usize {
    run.iter().map(String::len).sum()
}

/// Both lists without what is in both, as often as it is in both.
fn without_common<T>(left: Vec<T>, right: Vec<T>, key: impl Fn(&T) -> String) -> (Vec<T>, Vec<T>) {
    let mut spare: HashMap<String, usize> = HashMap::new();
    for it in &right {
        *spare.entry(key(it)).or_default() += 1;
    }
    let mut found: HashMap<String, usize> = HashMap::new();
    let take = |from: &mut HashMap<String, usize>, key: &str| match from.get_mut(key) {
        Some(left @ 1..) => {
            *left -= 1;
            true
        }
        _ => false,
    };
    let mut alone = Vec::new();
    for it in left {
        let key = key(&it);
        if take(&mut spare, &key) {
            *found.entry(key).or_default() += 1;
        } else {
            alone.push(it);
        }
    }
    let rest = right.into_iter().filter(|it| !take(&mut found, &key(it))).collect();
    (alone, rest)
}

impl fmt::Display for Difference {
    /// `missing 5550199, added 550199`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = [("missing", &self.missing), ("added", &self.added)];
        let told = told.iter().filter(|(_, numbers)| !numbers.is_empty());
        let told: Vec<_> = told.map(|(word, it)| format!("{word} {}", it.join(" "))).collect();
        f.write_str(&told.join(", "))
    }
}
