//! The greeting for each reason, whatever the owner has recorded.

use afterbeep::mailbox::greeting::{Kind, Recorded, chosen, made};
use afterbeep::mailbox::{Reason, Timestamp};
use afterbeep::say::Phrase;

const NOW: Timestamp = Timestamp(1_000_000);

fn recorded(kinds: &[Kind]) -> Vec<Recorded> {
    kinds.iter().map(|&kind| Recorded { kind, until: None }).collect()
}

#[test]
fn the_temporary_greeting_overrides_busy_is_for_the_busy_and_unavailable_for_the_rest() {
    use Kind::*;
    for (has, when_busy, otherwise) in [
        (&[][..], None, None),
        (&[Unavailable], Some(Unavailable), Some(Unavailable)),
        (&[Busy], Some(Busy), None),
        (&[Unavailable, Busy], Some(Busy), Some(Unavailable)),
        (&[Temporary], Some(Temporary), Some(Temporary)),
        (&[Unavailable, Busy, Temporary], Some(Temporary), Some(Temporary)),
    ] {
        for reason in Reason::ALL {
            let busy = matches!(reason, Reason::Busy | Reason::DoNotDisturb);
            let wanted = if busy { when_busy } else { otherwise };
            assert_eq!(chosen(reason, &recorded(has), NOW), wanted, "{reason}, {has:?}");
        }
    }
}

#[test]
fn a_temporary_greeting_ends_when_it_was_to_end() {
    let until = |at| Recorded { kind: Kind::Temporary, until: Some(Timestamp(at)) };
    let chosen = |temporary| {
        let all = [Recorded { kind: Kind::Unavailable, until: None }, temporary];
        chosen(Reason::NoAnswer, &all, NOW)
    };
    assert_eq!(chosen(until(NOW.0 + 1)), Some(Kind::Temporary));
    assert_eq!(chosen(until(NOW.0)), Some(Kind::Unavailable));
    assert_eq!(chosen(until(NOW.0 - 1)), Some(Kind::Unavailable));
}

#[test]
fn a_made_up_greeting_says_that_somebody_is_there_or_not() {
    let number = "1000".to_owned();
    assert_eq!(made(Reason::Busy, "1000"), Phrase::OnThePhone { number: number.clone() });
    assert_eq!(made(Reason::DoNotDisturb, "1000"), Phrase::OnThePhone { number: number.clone() });
    assert_eq!(made(Reason::NoAnswer, "1000"), Phrase::NotAvailable { number: number.clone() });
    assert_eq!(made(Reason::Unknown, "1000"), Phrase::NotAvailable { number });
}

#[test]
fn every_kind_has_its_word() {
    for kind in Kind::ALL {
        assert_eq!(kind.as_str().parse(), Ok(kind));
    }
    assert!("holiday".parse::<Kind>().unwrap_err().contains("temporary"));
}
