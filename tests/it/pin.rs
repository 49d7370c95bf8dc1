//! Which PINs are taken, and how they are kept.

use std::time::Duration;

use afterbeep::mailbox::{Guesses, Pin, Timestamp, pin::PinError};

fn check(pin: &str, number: &str) -> Result<(), PinError> {
    Pin::new(pin.to_owned()).check(number)
}

#[test]
fn pins_that_anybody_would_try_first_are_refused() {
    for easy in [
        "000000",
        "111111",
        "123456",
        "654321",
        "234567",
        "121212",
        "123123",
        "112112",
        "909090",
        "100000",
        "147258",
        "159357",
        "789456",
        "0123456789",
        "12341234",
    ] {
        assert_eq!(check(easy, "4711"), Err(PinError::Easy), "{easy}");
    }
    for fine in ["271828", "314159", "900417", "8675309", "2468013579"] {
        assert_eq!(check(fine, "1000"), Ok(()), "{fine}");
    }
}

#[test]
fn a_pin_is_digits_not_too_few_and_not_the_mailboxs_number() {
    for (pin, number, why) in [
        ("12a456", "1000", PinError::NotDigits),
        ("", "1000", PinError::Length),
        ("27182", "1000", PinError::Length),
        ("27182818284590452", "1000", PinError::Length),
        ("271000", "1000", PinError::LikeNumber),
        ("270001", "1000", PinError::LikeNumber),
        ("271828", "271828", PinError::LikeNumber),
    ] {
        assert_eq!(check(pin, number), Err(why), "{pin:?} for {number}");
    }
    // That a mailbox is called 2 makes no PIN with a 2 in it bad.
    assert_eq!(check("271828", "2"), Ok(()));
}

#[test]
fn a_hash_is_of_one_pin_with_one_pepper_and_shows_neither() {
    let pin = Pin::new("271828".to_owned());
    let hash = pin.hash(b"pepper", &[7; 16]);
    assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
    assert!(!hash.contains("271828") && !hash.contains("pepper"));
    assert!(pin.matches(b"pepper", &hash));
    assert!(!pin.matches(b"salt", &hash));
    assert!(!Pin::new("271829".to_owned()).matches(b"pepper", &hash));
    assert!(!pin.matches(b"pepper", "") && !pin.matches(b"pepper", "271828"));
    assert_ne!(hash, pin.hash(b"pepper", &[8; 16]));
    assert_eq!(format!("{pin:?}"), "Pin");
}

#[test]
fn each_lock_takes_twice_as_long_as_the_one_before_up_to_sixteen_hours() {
    let mut now = Timestamp(1_790_000_000_000);
    let mut guesses = Guesses::default();
    for hours in [1, 2, 4, 8, 16, 16] {
        for _ in 0..10 {
            guesses = guesses.tried(10, now).expect("not locked");
        }
        assert_eq!(guesses.tried(10, now), None);
        assert_eq!(guesses.tried(10, guesses.locked_until - Duration::from_millis(1)), None);
        assert_eq!(guesses.locked_until, now + Duration::from_secs(hours * 3_600));
        now = guesses.locked_until;
    }
}

#[test]
fn ten_thousand_guesses_over_days_get_ten_answers_in_any_hour() {
    // In bursts and dribbles, by whoever it is, and after whatever locks.
    let paces = [1, 7, 31, 59, 397, 401, 1_801, 3_599];
    let mut guesses = Guesses::default();
    let (mut answered, mut now) = (Vec::new(), Timestamp(1_790_000_000_000));
    for nth in 0..10_000 {
        now = now + Duration::from_secs(paces[nth / 25 % paces.len()]);
        if let Some(counted) = guesses.tried(Guesses::MOST, now) {
            guesses = counted;
            answered.push(now.0);
        }
    }
    for (first, eleventh) in answered.iter().zip(answered.iter().skip(10)) {
        assert!(eleventh - first >= 3_600_000, "eleven within {} ms", eleventh - first);
    }
    assert!(answered.len() > 100, "only {} were tried at all", answered.len());
}
