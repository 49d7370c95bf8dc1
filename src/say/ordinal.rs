//! Places aloud. One function per language; each is a golden table in the tests.

const TO_TWENTY: [&str; 20] = [
    "1st", "2nd", "3rd", "4th", "5th", "6th", "7th", "8th", "9th", "10th", "11th", "12th", "13th",
    "14th", "15th", "16th", "17th", "18th", "19th", "20th",
];

/// The largest place with words of its own: the days of a month all have some.
pub const LARGEST: u32 = 31;

/// `21` is `20 1st`.
pub fn english(place: u32) -> Option<Vec<&'static str>> {
    match place {
        1..=20 => Some(vec![TO_TWENTY[place as usize - 1]]),
        21..=29 => Some(vec!["20", TO_TWENTY[place as usize - 21]]),
        30 => Some(vec!["30th"]),
        31 => Some(vec!["30", "1st"]),
        _ => None,
    }
}

/// Of what is masculine. `21` is `20 and-1st`: vingt et unième.
pub fn french(place: u32) -> Option<Vec<&'static str>> {
    match place {
        21 => Some(vec!["20", "and-1st"]),
        31 => Some(vec!["30", "and-1st"]),
        _ => english(place),
    }
}
