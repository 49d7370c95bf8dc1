//! Counts aloud. One function per language; each is a golden table in the tests.

const TO_TWENTY: [&str; 21] = [
    "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16",
    "17", "18", "19", "20",
];
const TENS: [&str; 10] = ["0", "10", "20", "30", "40", "50", "60", "70", "80", "90"];

/// The largest count with words of its own; what lies above is spoken digit by digit.
pub const LARGEST: u32 = 999_999;

/// `342` is `3 hundred 40 2`.
pub fn english(count: u32) -> Vec<&'static str> {
    if count > LARGEST {
        return super::spell::signs(&count.to_string()).collect();
    }
    let mut clips = Vec::new();
    say(count as usize, &mut clips);
    clips
}

fn say(count: usize, clips: &mut Vec<&'static str>) {
    let rest = match count {
        0..=20 => {
            clips.push(TO_TWENTY[count]);
            0
        }
        21..=99 => {
            clips.push(TENS[count / 10]);
            count % 10
        }
        100..=999 => {
            clips.extend([TO_TWENTY[count / 100], "hundred"]);
            count % 100
        }
        _ => {
            say(count / 1_000, clips);
            clips.push("thousand");
            count % 1_000
        }
    };
    if rest > 0 {
        say(rest, clips);
    }
}
