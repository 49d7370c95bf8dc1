//! Links in letters: they open one thing, and nobody makes one but us.

use afterbeep::mail::{Links, Reader, key_as_text};
use proptest::prelude::*;

use super::*;

const WEEK: Duration = Duration::from_secs(7 * 86_400);

fn links() -> Links {
    Links::below("https://voicemail.example/box/", &key_as_text([7; 32]), WEEK).unwrap()
}

fn bob() -> Reader {
    Reader { mailbox: MailboxId("0192-m".into()), address: "Bob@Example.org".into() }
}

#[test]
fn a_letter_leads_below_the_address_that_is_set() {
    let ways = links().ways(ID, RECEIVED, &bob());
    assert_eq!(ways.base_url.as_deref(), Some("https://voicemail.example/box"));
    let listen = ways.listen.unwrap();
    let token = listen.strip_prefix("https://voicemail.example/box/l/").unwrap();
    assert_eq!(links().opened(token, RECEIVED), Some(ID));
    assert!(listen.len() < 110, "{listen}");
    let unsubscribe = ways.unsubscribe.unwrap();
    let token = unsubscribe.strip_prefix("https://voicemail.example/box/u/").unwrap();
    assert_eq!(links().reader(token), Some(bob()));
}

#[test]
fn a_link_to_a_recording_ends_and_is_the_same_on_every_try() {
    let token = links().listen(ID, RECEIVED);
    assert_eq!(token, links().listen(ID, RECEIVED));
    let end = RECEIVED + WEEK;
    assert_eq!(links().opened(&token, Timestamp(end.0 - 1)), Some(ID));
    assert_eq!(links().opened(&token, end), None);
}

#[test]
fn a_link_opens_only_what_it_was_made_for() {
    let (listen, leave) = (links().listen(ID, RECEIVED), links().unsubscribe(&bob()));
    assert_eq!(links().reader(&listen), None);
    assert_eq!(links().opened(&leave, RECEIVED), None);
    let other = Links::below("https://voicemail.example", &key_as_text([8; 32]), WEEK).unwrap();
    assert_eq!(other.opened(&listen, RECEIVED), None);
    assert_eq!(other.reader(&leave), None);
}

#[test]
fn links_are_only_made_where_nobody_reads_along() {
    let key = key_as_text([7; 32]);
    for (base_url, made) in [
        ("https://voicemail.example", true),
        ("http://127.0.0.1:8080", true),
        ("http://[::1]:8080/x", true),
        ("http://localhost:8080", true),
        ("http://voicemail.example", false),
        ("http://192.168.1.5", false),
        ("http://127.0.0.1.evil.example", false),
        ("https://voicemail.example/?a=b", false),
        ("https://voicemail.example/#a", false),
        ("ftp://localhost", false),
        ("voicemail.example", false),
    ] {
        assert_eq!(Links::below(base_url, &key, WEEK).is_some(), made, "{base_url}");
    }
    for key in ["", "77", &"7".repeat(63), &"x".repeat(64), &"7".repeat(66)] {
        assert!(Links::below("https://voicemail.example", key, WEEK).is_none(), "{key}");
    }
    assert!(!format!("{:?}", links()).contains("07"), "the key is never shown");
}

proptest! {
    /// Nothing that was changed in any place opens anything.
    #[test]
    fn no_other_token_is_taken(at in 0..54usize, letter in "[A-Za-z0-9_-]") {
        let token = links().listen(ID, RECEIVED);
        prop_assert_eq!(token.len(), 54);
        let mut other = token.clone();
        other.replace_range(at..=at, &letter);
        prop_assert_eq!(links().opened(&other, RECEIVED).is_some(), other == token);
        prop_assert_eq!(links().opened(&token[..at], RECEIVED), None);
    }

    #[test]
    fn whatever_is_said_is_no_token(said in "\\PC{0,900}") {
        prop_assert_eq!(links().opened(&said, RECEIVED), None);
        prop_assert_eq!(links().reader(&said), None);
    }
}
