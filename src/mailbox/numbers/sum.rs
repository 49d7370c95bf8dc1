//! Adding up a number in words: which word may follow which.

use super::words::{Language, Part};

/// A number in words while it is added up.
pub(super) struct Sum {
    language: Language,
    /// What is settled: whole thousands and above.
    settled: u64,
    /// What is being said below the next thousand; `None` before the first word of it.
    group: Option<u64>,
    /// The scale said last; the next one must be smaller.
    scale: u64,
    /// What was said last.
    last: Option<Part>,
}

impl Sum {
    pub(super) fn new(language: Language) -> Self {
        Self { language, settled: 0, group: None, scale: u64::MAX, last: None }
    }

    pub(super) fn value(&self) -> u64 {
        self.settled + self.group.unwrap_or(0)
    }

    /// Adds a word; `false` if it begins another number.
    pub(super) fn take(&mut self, part: Part) -> bool {
        let Some(group) = self.with(part) else { return false };
        match part {
            Part::Scale(scale) | Part::Scales(scale) => {
                self.settled += group;
                self.scale = scale;
                self.group = None;
            }
            _ => self.group = Some(group),
        }
        self.last = Some(part);
        true
    }

    /// What the group comes to with one more word, if it may follow.
    fn with(&self, part: Part) -> Option<u64> {
        let french = self.language == Language::French;
        let (group, fresh) = (self.group.unwrap_or(0), self.group.is_none());
        let (tail, hundreds) = (group % 100, group >= 100 && group.is_multiple_of(100));
        match part {
            Part::Zero => (self.last.is_none()).then_some(0),
            Part::Unit(unit) => {
                let after_ten = tail >= 20 && tail.is_multiple_of(10);
                // dix-sept, soixante-dix-sept, quatre-vingt-dix-sept.
                let after_dix = french && self.last == Some(Part::Teen(10)) && unit >= 7;
                (fresh || hundreds || after_ten || after_dix).then_some(group + unit)
            }
            Part::Late(unit) => (tail >= 20 && tail.is_multiple_of(10)).then_some(group + unit),
            Part::Teen(teen) => {
                let vigesimal = french && matches!(tail, 60 | 80);
                (fresh || hundreds || vigesimal).then_some(group + teen)
            }
            Part::Ten(20) if french && tail == 4 && self.last == Some(Part::Unit(4)) => {
                Some(group + 76)
            }
            Part::Ten(ten) => (fresh || hundreds).then_some(group + ten),
            Part::Hundred if fresh => Some(100),
            Part::Hundred | Part::Hundreds => {
                let said = matches!(self.last, Some(Part::Unit(_) | Part::Teen(_) | Part::Ten(_)));
                // nineteen hundred; but no French says un cent.
                let may = if self.language == Language::English { 1..=99 } else { 2..=9 };
                (said && may.contains(&group)).then_some(group * 100)
            }
            Part::Whole(whole) => fresh.then_some(whole),
            Part::Scale(scale) => {
                let first = self.last.is_none();
                (self.may_scale(scale) && (first || !fresh)).then_some(group.max(1) * scale)
            }
            Part::Scales(scale) => (self.may_scale(scale) && !fresh).then_some(group * scale),
        }
    }

    /// Whether a scale may still follow, being smaller than the one before.
    pub(super) fn may_scale(&self, scale: u64) -> bool {
        scale < self.scale
    }

    /// Whether `and` may stand before this word here.
    pub(super) fn joins(&self, next: Part) -> bool {
        let small = matches!(next, Part::Unit(_) | Part::Teen(_) | Part::Ten(_));
        let tens = self.group.is_some_and(|it| it % 100 >= 20 && it.is_multiple_of(10));
        let may = match self.language {
            Language::English => {
                matches!(self.last, Some(Part::Hundred | Part::Scale(_) | Part::Scales(_)))
            }
            Language::French => {
                tens && matches!(next, Part::Unit(1) | Part::Teen(11) | Part::Late(1))
            }
            Language::Portuguese => {
                tens || self.last.is_some() && self.group.is_none_or(|it| it >= 100)
            }
            Language::Spanish => tens && matches!(next, Part::Unit(_)),
            Language::Other => false,
        };
        let small = small || matches!((self.language, next), (Language::French, Part::Late(1)));
        let whole = self.language == Language::Portuguese && matches!(next, Part::Whole(_));
        may && (small && self.with(next).is_some() || whole && self.group.is_none())
    }
}
