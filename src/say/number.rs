//! Counts aloud. One function per language; each is a golden table in the tests.

const TO_TWENTY: [&str; 21] = [
    "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16",
    "17", "18", "19", "20",
];
const TENS: [&str; 10] = ["0", "10", "20", "30", "40", "50", "60", "70", "80", "90"];

/// The largest count with words of its own; what lies above is spoken digit by digit.
pub const LARGEST: u32 = 999_999;

/// What is counted, in languages where it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gender {
    /// `un message`.
    Masculine,
    /// `une seconde`.
    Feminine,
}

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

/// `371` is `3 hundred 60 and-11`: trois cent soixante et onze. What is counted changes a closing
/// one only: `21` of the feminine is `20 and-1-f`, vingt et une.
pub fn french(count: u32, gender: Gender) -> Vec<&'static str> {
    if count > LARGEST {
        return super::spell::signs(&count.to_string()).collect();
    }
    let mut clips = Vec::new();
    dire(count as usize, gender, &mut clips);
    clips
}

fn dire(count: usize, gender: Gender, clips: &mut Vec<&'static str>) {
    let (thousands, rest) = (count / 1_000, count % 1_000);
    // Nobody says "un mille", nor "un cent".
    if thousands > 1 {
        dire(thousands, Gender::Masculine, clips);
    }
    if thousands > 0 {
        clips.push("thousand");
    }
    let (hundreds, rest) = (rest / 100, rest % 100);
    if hundreds > 1 {
        clips.push(TO_TWENTY[hundreds]);
    }
    if hundreds > 0 {
        clips.push("hundred");
    }
    if rest > 0 || count == 0 {
        below_hundred(rest, gender, clips);
    }
}

/// 70 and 90 go on counting from 60 and 80: soixante-dix, quatre-vingt-dix.
fn below_hundred(count: usize, gender: Gender, clips: &mut Vec<&'static str>) {
    let one = |masculine, feminine| match gender {
        Gender::Masculine => masculine,
        Gender::Feminine => feminine,
    };
    let (tens, ones) = match count {
        0..=20 => (0, count),
        61..=79 => (60, count - 60),
        81..=99 => (80, count - 80),
        _ => (count / 10 * 10, count % 10),
    };
    if tens > 0 {
        clips.push(TENS[tens / 10]);
    }
    clips.extend(match (tens, ones) {
        (0 | 80, 1) => Some(one("1", "1-f")),
        (20..=60, 1) => Some(one("and-1", "and-1-f")),
        (60, 11) => Some("and-11"),
        (20.., 0) => None,
        _ => Some(TO_TWENTY[ones]),
    });
}
