//! The greeting for each reason, whatever the owner has recorded.

use afterbeep::mailbox::greeting::{Kind, Recorded, made};
use afterbeep::mailbox::rules::{Facts, Rules, Verdict};
use afterbeep::mailbox::schedule::Frame;
use afterbeep::mailbox::{Profile, Reason, Timestamp};
use afterbeep::say::Phrase;

const NOW: Timestamp = Timestamp(1_000_000);

fn recorded(kinds: &[Kind]) -> Vec<Recorded> {
    kinds.iter().map(|&kind| Recorded { kind, until: None }).collect()
}

fn facts(reason: Reason, recorded: &[Recorded]) -> Facts<'_> {
    let (presence, frame) = (Profile::Available, Frame::Open);
    Facts { reason, presence, frame, recorded, now: NOW }
}

fn chosen(reason: Reason, recorded: &[Recorded]) -> Option<Kind> {
    Rules::default().chosen(&facts(reason, recorded))
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
            assert_eq!(chosen(reason, &recorded(has)), wanted, "{reason}, {has:?}");
        }
    }
}

#[test]
fn a_temporary_greeting_ends_when_it_was_to_end() {
    let until = |at| Recorded { kind: Kind::Temporary, until: Some(Timestamp(at)) };
    let chosen = |temporary| {
        let all = [Recorded { kind: Kind::Unavailable, until: None }, temporary];
        chosen(Reason::NoAnswer, &all)
    };
    assert_eq!(chosen(until(NOW.0 + 1)), Some(Kind::Temporary));
    assert_eq!(chosen(until(NOW.0)), Some(Kind::Unavailable));
    assert_eq!(chosen(until(NOW.0 - 1)), Some(Kind::Unavailable));
}

#[test]
fn a_made_up_greeting_says_that_somebody_is_there_or_not() {
    let made = |reason| made(Rules::default().wanted(&facts(reason, &[])), "1000");
    let number = "1000".to_owned();
    for reason in Reason::ALL {
        let wanted = match reason {
            Reason::Busy | Reason::DoNotDisturb => Phrase::OnThePhone { number: number.clone() },
            _ => Phrase::NotAvailable { number: number.clone() },
        };
        assert_eq!(made(reason), wanted, "{reason}");
    }
}

#[test]
fn nobody_at_lunch_or_out_of_the_office_is_said_to_be_on_the_phone() {
    for presence in Profile::ALL {
        let facts = Facts { presence, ..facts(Reason::NoAnswer, &[]) };
        let said = made(Rules::default().wanted(&facts), "1000");
        assert_eq!(said, Phrase::NotAvailable { number: "1000".into() }, "{presence}");
    }
}

/// Eleven profiles, four reasons and three times, as the table of docs/greetings.md has them.
#[test]
fn presence_reason_and_time_choose_as_the_table_says() {
    let all =
        recorded(&Kind::ALL.into_iter().filter(|it| *it != Kind::Temporary).collect::<Vec<_>>());
    let mut table = String::new();
    for presence in Profile::ALL {
        for reason in [Reason::NoAnswer, Reason::Busy, Reason::DoNotDisturb, Reason::Unconditional]
        {
            let kind = Frame::ALL.map(|frame| {
                let facts = Facts { presence, frame, ..facts(reason, &all) };
                Rules::default().chosen(&facts).unwrap().to_string()
            });
            table += &format!("| {presence} | {reason} | {} |\n", kind.join(" | "));
        }
    }
    let written = include_str!("../../../docs/greetings.md");
    assert!(written.contains(&table), "docs/greetings.md should have this table:\n\n{table}");
}

#[test]
fn an_explanation_names_what_fails_what_is_missing_and_what_was_chosen() {
    let rules: Rules =
        "temporary, reason:busy+time:closed=closed, reason:busy=busy, unavailable".parse().unwrap();
    let all = recorded(&[Kind::Unavailable]);
    let facts = facts(Reason::Busy, &all);
    let told: Vec<_> = rules.decide(&facts).into_iter().map(|(_, it)| it).collect();
    let closed = "time:closed".parse().unwrap();
    assert_eq!(
        told,
        [Verdict::NotRecorded, Verdict::Fails(closed), Verdict::NotRecorded, Verdict::Chosen]
    );
    assert_eq!(rules.chosen(&facts), Some(Kind::Unavailable));
    assert_eq!(rules.wanted(&facts), Kind::Busy);
}

#[test]
fn rules_are_written_as_they_are_read() {
    for text in ["default", "temporary, reason:busy+presence:lunch=busy, unavailable", "closed"] {
        assert_eq!(text.parse::<Rules>().unwrap().to_string(), text);
    }
    for text in ["", "reason:busy", "reason:nobody=busy", "time:noon=closed", "busy=reason:busy"] {
        assert!(text.parse::<Rules>().is_err(), "{text}");
    }
}

#[test]
fn every_kind_has_its_word() {
    for kind in Kind::ALL {
        assert_eq!(kind.as_str().parse(), Ok(kind));
    }
    assert!("vacation".parse::<Kind>().unwrap_err().contains("temporary"));
}
