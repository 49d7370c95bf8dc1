//! What the engine writes, less what nobody said: `[BLANK_AUDIO]`, `(Bell)`, `*coughs*`, notes.

use crate::mailbox::Segment;

/// A phrase said so often in a row is the engine going round in circles.
const CIRCLES: usize = 4;
/// Who is less sure of all their words than this has made them up. Over the telephone what was said came
/// out at 0.58 and above, misheard words included; what was written for music, noise and cut-off
/// syllables at 0.33 and below (docs/speech.md).
const SURE: f32 = 0.4;

/// The words of a line, with single spaces; empty when nothing but tags was in it.
///
/// A bracket that is never closed is kept, with what follows it.
pub fn spoken(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['[', '(', '*', '♪']) {
        let (before, from) = rest.split_at(at);
        kept.push_str(before);
        if let Some(after) = tag(from) {
            kept.push(' ');
            rest = after;
        } else {
            let mut following = from.chars();
            kept.extend(following.next());
            rest = following.as_str();
        }
    }
    kept.push_str(rest);
    let plain: String = kept.chars().map(|it| if it.is_control() { ' ' } else { it }).collect();
    let words: Vec<&str> = plain.split_whitespace().collect();
    let line = words.join(" ");
    if line.contains(char::is_alphanumeric) { line } else { String::new() }
}

/// Segments with their words only; those without any are gone, and of a phrase that goes round in
/// circles the first is kept.
pub(super) fn clean(segments: Vec<Segment>) -> Vec<Segment> {
    let words = segments.into_iter().map(|it| Segment { text: spoken(&it.text), ..it });
    let kept: Vec<Segment> = words.filter(|it| !it.text.is_empty()).collect();
    let runs = kept.chunk_by(|a, b| a.text == b.text);
    runs.flat_map(|run| if run.len() < CIRCLES { run } else { &run[..1] }).cloned().collect()
}

/// The same segments, or none if the engine itself does not believe in them on the whole. Of a phrase said
/// again and again only the first time counts: the next ones are copied from it, with great confidence.
pub(super) fn believed(segments: Vec<Segment>) -> Vec<Segment> {
    let phrases = segments.chunk_by(|a, b| a.text == b.text).filter_map(|it| it.first());
    let (mut sum, mut length) = (0.0, 0.0);
    for it in phrases {
        let letters = it.text.chars().count() as f32;
        (sum, length) = (sum + it.confidence * letters, length + letters);
    }
    if sum < SURE * length { Vec::new() } else { segments }
}

/// What follows the tag that `text` begins with.
fn tag(text: &str) -> Option<&str> {
    let open = text.chars().next()?;
    let close = match open {
        '[' => ']',
        '(' => ')',
        same => same,
    };
    let inner = &text[open.len_utf8()..];
    inner.split_once(close).map(|(_, after)| after)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str, confidence: f32) -> Segment {
        Segment { start_ms: 0, end_ms: 0, text: text.into(), confidence }
    }

    #[test]
    fn what_the_engine_does_not_believe_itself_was_not_said() {
        let unsure = vec![said("pieces", 0.1), said("270g", 0.2)];
        assert_eq!(believed(unsure), []);
        let copied = vec![said("1/2 tbc", 0.3), said("1/2 tbc", 0.9), said("1/2 tbc", 0.95)];
        assert_eq!(believed(copied), []);
        let mumbled = vec![said("Hi, it is me.", 0.3), said("Call me back at five, please.", 0.7)];
        assert_eq!(believed(mumbled.clone()), mumbled);
    }

    #[test]
    fn a_phrase_repeated_in_circles_is_told_once_and_a_patient_hello_stays() {
        let circles = vec![said("Thank you.", 1.0); 5];
        assert_eq!(clean(circles).len(), 1);
        assert_eq!(clean(vec![said("Hello?", 1.0); 3]).len(), 3);
    }
}
