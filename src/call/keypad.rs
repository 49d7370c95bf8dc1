//! One press, one key: whoever sends keys by SIP INFO has their tones in the sound as well, often.

use std::time::Duration;

use tokio::time::Instant;

/// The two ways a press may be told of twice.
#[derive(Debug, Default)]
pub(super) struct Keypad {
    /// The last key that was heard as a tone.
    tone: Option<(char, Instant)>,
    /// Keys come by SIP INFO.
    informs: bool,
}

/// So long after its tone the INFO of a press may come.
const SAME: Duration = Duration::from_secs(1);

impl Keypad {
    /// A key told by SIP INFO; `None` if it was heard already. From now on tones are none.
    pub(super) fn told(&mut self, key: char) -> Option<char> {
        self.informs = true;
        let heard = self.tone.take().is_some_and(|(same, at)| same == key && at.elapsed() < SAME);
        (!heard).then_some(key)
    }

    /// A key heard as a tone; `None` if this phone tells of its keys.
    pub(super) fn sounded(&mut self, key: char) -> Option<char> {
        if self.informs {
            return None;
        }
        self.tone = Some((key, Instant::now()));
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_press_that_is_told_of_both_ways_is_one_key() {
        let mut keypad = Keypad::default();
        assert_eq!(keypad.sounded('5'), Some('5'));
        tokio::time::advance(Duration::from_millis(300)).await;
        assert_eq!(keypad.told('5'), None);
        assert_eq!(keypad.told('5'), Some('5'), "the next press is another");
        assert_eq!(keypad.sounded('5'), None);

        let mut keypad = Keypad::default();
        assert_eq!(keypad.sounded('1'), Some('1'));
        assert_eq!(keypad.told('2'), Some('2'));
        let mut keypad = Keypad::default();
        assert_eq!(keypad.sounded('1'), Some('1'));
        tokio::time::advance(SAME).await;
        assert_eq!(keypad.told('1'), Some('1'));
    }
}
