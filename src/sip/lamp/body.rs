//! What a NOTIFY says of a mailbox (RFC 3842 §5.2).

use crate::mailbox::lamp::Counts;

/// The event package (RFC 3842 §3.1).
pub(super) const EVENT: &str = "message-summary";
/// The type of the body.
pub(super) const SUMMARY: &str = "application/simple-message-summary";

/// The body: whether something new waits, in which account, and the counts.
pub(super) fn body(counts: Counts, account: &str) -> String {
    let Counts { new, saved, new_urgent, saved_urgent } = counts;
    let waiting = if new > 0 { "yes" } else { "no" };
    format!(
        "Messages-Waiting: {waiting}\r\nMessage-Account: {account}\r\n\
         Voice-Message: {new}/{saved} ({new_urgent}/{saved_urgent})\r\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_say_what_waits_and_where() {
        let account = "sip:1000@voice.example";
        for ((new, saved, new_urgent, saved_urgent), waiting, voice) in [
            ((0, 0, 0, 0), "no", "0/0 (0/0)"),
            ((1, 0, 0, 0), "yes", "1/0 (0/0)"),
            ((0, 7, 0, 2), "no", "0/7 (0/2)"),
            ((4, 8, 1, 2), "yes", "4/8 (1/2)"),
            ((10_000, 0, 10_000, 0), "yes", "10000/0 (10000/0)"),
        ] {
            let counts = Counts { new, saved, new_urgent, saved_urgent };
            let wanted = format!(
                "Messages-Waiting: {waiting}\r\nMessage-Account: {account}\r\n\
                 Voice-Message: {voice}\r\n"
            );
            assert_eq!(body(counts, account), wanted);
        }
    }
}
