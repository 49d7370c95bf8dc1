//! Who is told how many messages lie in a mailbox, and when.

use std::time::Duration;

use afterbeep::{
    mailbox::{
        Folder, Mailbox, MessageId, Timestamp,
        lamp::{Counts, Fate, Kind},
    },
    store::{
        StoreError,
        lamps::{self, Due, Limits, Renewed, Settled, Subscribed},
        mailboxes,
        messages::{self, Marks},
    },
};

use super::house::{House, LEASE, NOW, house_with_mailbox};

const HOUR: Duration = Duration::from_secs(3_600);
const SECOND: Duration = Duration::from_secs(1);
const MANY: Limits = Limits { most: 100, most_each: 100 };

fn renewed(name: &str, expires: Timestamp) -> Renewed {
    Renewed {
        name: name.into(),
        dialog: format!("{{\"of\":\"{name}\"}}"),
        place: format!("sip:{name}@192.0.2.1"),
        node: "127.0.0.1:5060".into(),
        expires,
    }
}

impl House {
    async fn subscribe(&self, mailbox: &Mailbox, name: &str, limits: Limits) -> bool {
        let new = Subscribed {
            id: name.to_owned(),
            mailbox: mailbox.id.clone(),
            change: renewed(name, NOW + HOUR),
        };
        let there = lamps::subscribe(&self.db, &new, limits, NOW, LEASE).await.unwrap();
        lamps::ready(&self.db, name, NOW).await.unwrap();
        there
    }

    /// As [`House::subscribe`], from a phone at this address.
    async fn subscribe_at(&self, mailbox: &Mailbox, name: &str, place: &str) -> bool {
        let change = Renewed { place: place.into(), ..renewed(name, NOW + HOUR) };
        let new = Subscribed { id: name.to_owned(), mailbox: mailbox.id.clone(), change };
        let limits = Limits { most: 9, most_each: 2 };
        lamps::subscribe(&self.db, &new, limits, NOW, LEASE).await.unwrap()
    }

    async fn due(&self, now: Timestamp) -> Vec<Due> {
        lamps::claim(&self.db, now, 100, LEASE).await.unwrap()
    }

    /// What each is told at this time, all of them answering.
    async fn told(&self, now: Timestamp) -> Vec<(String, Counts)> {
        let due = self.due(now).await;
        let settled: Vec<_> = due.iter().map(|it| settled(it, Fate::Told)).collect();
        lamps::settle(&self.db, &settled, now).await.unwrap();
        due.into_iter().map(|it| (it.id, it.mailbox.unwrap().counts)).collect()
    }

    async fn file(&self, mailbox: &Mailbox) -> MessageId {
        let filing = self.filing(mailbox);
        messages::file(&self.db, std::slice::from_ref(&filing), NOW).await.unwrap();
        filing.id
    }
}

fn settled(due: &Due, fate: Fate) -> Settled {
    let problem = (fate != Fate::Told).then(|| "it answers 503".to_owned());
    Settled { id: due.id.clone(), sequence: due.sequence, fate, problem }
}

fn counts(new: u32, saved: u32) -> Counts {
    Counts { new, saved, ..Counts::default() }
}

#[tokio::test]
async fn every_change_of_what_lies_in_a_mailbox_is_told_once() {
    let (house, mailbox) = house_with_mailbox().await;
    assert!(house.subscribe(&mailbox, "a", MANY).await);
    let mut now = NOW;
    let mut shows = async |wanted: Option<Counts>| {
        now = now + SECOND * 2;
        let told = house.told(now).await;
        assert_eq!(told, Vec::from_iter(wanted.map(|it| ("a".to_owned(), it))));
        assert_eq!(house.told(now + SECOND * 1).await, [], "told twice");
    };
    shows(Some(counts(0, 0))).await;
    let (one, two) = (house.file(&mailbox).await, house.file(&mailbox).await);
    shows(Some(counts(2, 0))).await;
    shows(None).await;
    // As another process does it.
    let other = house.again().await;
    let urgent = Marks { urgent: true, ..Marks::default() };
    messages::mark(&other, &mailbox.id, &one, urgent).await.unwrap();
    shows(Some(Counts { new_urgent: 1, ..counts(2, 0) })).await;
    let to = async |id, folder| {
        messages::move_to(&other, &mailbox.id, id, folder, "owner", NOW).await.unwrap()
    };
    to(&one, Folder::Saved).await;
    shows(Some(Counts { saved_urgent: 1, ..counts(1, 1) })).await;
    to(&two, Folder::Deleted).await;
    shows(Some(Counts { saved_urgent: 1, ..counts(0, 1) })).await;
    messages::purge(&other, &mailbox.id, &one, NOW).await.unwrap();
    shows(Some(counts(0, 0))).await;
    lamps::resync(&other, &mailbox.id).await.unwrap();
    shows(Some(counts(0, 0))).await;
    other.close().await;
}

#[tokio::test]
async fn changes_within_a_second_are_told_together() {
    let (house, mailbox) = house_with_mailbox().await;
    house.subscribe(&mailbox, "a", MANY).await;
    house.told(NOW).await;
    for _ in 0..5 {
        house.file(&mailbox).await;
        assert_eq!(house.told(NOW + Duration::from_millis(999)).await, []);
    }
    assert_eq!(house.told(NOW + SECOND).await, [("a".to_owned(), counts(5, 0))]);
}

#[tokio::test]
async fn a_lamp_that_is_being_told_is_not_told_twice_and_comes_back_when_nobody_answers_for_it() {
    let (house, mailbox) = house_with_mailbox().await;
    house.subscribe(&mailbox, "a", MANY).await;
    let first = house.due(NOW).await;
    assert_eq!((first.len(), first[0].sequence), (1, 1));
    house.file(&mailbox).await;
    assert_eq!(house.due(NOW + SECOND * 2).await, []);
    let second = house.due(NOW + LEASE).await;
    assert_eq!((second.len(), second[0].sequence), (1, 2));
    // Nothing has changed since, but nobody knows whether it heard.
    assert_eq!(house.due(NOW + LEASE + SECOND).await, []);
    let second = house.due(NOW + LEASE * 2).await;
    assert_eq!((second.len(), second[0].sequence), (1, 3));
    // Too late: it was told again since.
    lamps::settle(&house.db, &[settled(&first[0], Fate::Gone)], NOW).await.unwrap();
    assert_eq!(lamps::count(&house.db).await.unwrap(), (1, 0));
    lamps::settle(&house.db, &[settled(&second[0], Fate::Gone)], NOW).await.unwrap();
    assert_eq!(lamps::count(&house.db).await.unwrap(), (0, 0));
}

#[tokio::test]
async fn a_target_that_cannot_be_told_is_told_later_and_says_why_not() {
    let (house, mailbox) = house_with_mailbox().await;
    let at = "sip:1000@192.0.2.20";
    lamps::add_target(&house.db, "t", &mailbox.id, at, NOW).await.unwrap();
    let again = lamps::add_target(&house.db, "u", &mailbox.id, at, NOW).await.unwrap_err();
    assert!(matches!(again, StoreError::Taken { .. }), "{again:?}");

    let due = house.due(NOW).await;
    assert_eq!((due[0].kind, due[0].place.as_str(), due[0].failures), (Kind::Target, at, 0));
    let later = settled(&due[0], Fate::Again(SECOND * 15));
    lamps::settle(&house.db, &[later], NOW).await.unwrap();
    let listed = lamps::list(&house.db, &mailbox.tenant).await.unwrap();
    assert_eq!(listed[0].problem.as_deref(), Some("it answers 503"));
    assert!(listed[0].is_behind);
    assert_eq!(house.due(NOW + SECOND * 14).await, []);
    assert_eq!(house.due(NOW + SECOND * 15).await[0].failures, 1);

    assert!(lamps::remove_target(&house.db, &mailbox.id, at).await.unwrap());
    assert!(!lamps::remove_target(&house.db, &mailbox.id, at).await.unwrap());
}

#[tokio::test]
async fn a_subscription_is_renewed_and_ends_when_its_time_is_over() {
    let (house, mailbox) = house_with_mailbox().await;
    house.subscribe(&mailbox, "a", MANY).await;
    house.told(NOW).await;
    let until = NOW + HOUR * 2;
    assert!(lamps::renew(&house.db, &renewed("a", until), NOW + SECOND).await.unwrap());
    assert!(!lamps::renew(&house.db, &renewed("b", until), NOW).await.unwrap());
    let told = house.told(NOW + SECOND).await;
    assert_eq!(told, [("a".to_owned(), counts(0, 0))], "whoever renews is told at once");

    let before = NOW + HOUR * 2 - SECOND;
    assert!(lamps::kept(&house.db, "a", before).await.unwrap().is_some());
    assert!(lamps::kept(&house.db, "a", until).await.unwrap().is_none());
    assert_eq!(house.due(before).await, []);
    let last = house.due(until).await;
    assert_eq!((last.len(), last[0].expires), (1, Some(until)));
    assert_eq!(lamps::count(&house.db).await.unwrap(), (0, 0));
}

#[tokio::test]
async fn no_mailbox_and_no_house_has_more_subscriptions_than_it_may() {
    let (house, mailbox) = house_with_mailbox().await;
    let other = house.mailbox(&mailbox.tenant, "2000").await;
    let limits = Limits { most: 3, most_each: 2 };
    lamps::add_target(&house.db, "t", &mailbox.id, "sip:a@192.0.2.1", NOW).await.unwrap();
    let mut there = Vec::new();
    for (mailbox, name) in
        [(&mailbox, "a"), (&mailbox, "b"), (&mailbox, "c"), (&other, "d"), (&other, "e")]
    {
        there.push(house.subscribe(mailbox, name, limits).await);
    }
    assert_eq!(there, [true, true, false, true, false]);
    assert_eq!(lamps::count(&house.db).await.unwrap(), (3, 1));
}

#[tokio::test]
async fn a_phone_that_is_started_again_and_again_takes_the_place_of_itself_alone() {
    let (house, mailbox) = house_with_mailbox().await;
    assert!(house.subscribe_at(&mailbox, "a", "sip:here").await);
    for name in ["b", "c", "d"] {
        assert!(house.subscribe_at(&mailbox, name, "sip:there").await, "{name}");
    }
    assert!(!house.subscribe_at(&mailbox, "e", "sip:elsewhere").await);
    for (name, there) in [("a", true), ("b", false), ("c", false), ("d", true)] {
        let kept = lamps::kept(&house.db, name, NOW).await.unwrap();
        assert_eq!(kept.is_some(), there, "{name}");
    }
}

#[tokio::test]
async fn lamps_of_a_mailbox_that_is_gone_are_told_so_and_go() {
    let (house, mailbox) = house_with_mailbox().await;
    house.subscribe(&mailbox, "a", MANY).await;
    house.told(NOW).await;
    assert!(mailboxes::remove(&house.db, &mailbox.tenant, &mailbox.id).await.unwrap().is_some());
    let last = house.due(NOW + SECOND).await;
    assert_eq!((last.len(), last[0].mailbox.is_none()), (1, true));
    assert_eq!(lamps::count(&house.db).await.unwrap(), (0, 0));
}

#[tokio::test]
async fn after_a_restart_everybody_is_told_anew_under_a_higher_number() {
    let (house, mailbox) = house_with_mailbox().await;
    house.subscribe(&mailbox, "a", MANY).await;
    house.subscribe(&mailbox, "b", MANY).await;
    house.told(NOW).await;
    // It ends while it tells one of them.
    house.file(&mailbox).await;
    let cut = lamps::claim(&house.db, NOW + SECOND, 1, LEASE).await.unwrap();
    lamps::resume(&house.db, NOW + SECOND * 2).await.unwrap();
    let again = house.due(NOW + SECOND * 2).await;
    assert_eq!(again.len(), 2);
    let same = again.iter().find(|it| it.id == cut[0].id).unwrap();
    assert_eq!(same.sequence, cut[0].sequence + 1);
    assert_eq!(same.mailbox.as_ref().unwrap().counts, counts(1, 0));

    lamps::resume(&house.db, NOW + HOUR).await.unwrap();
    assert_eq!(lamps::count(&house.db).await.unwrap(), (0, 0), "their time was over");
}

#[tokio::test]
async fn what_changed_comes_before_who_is_new_and_those_before_who_is_told_again() {
    let (house, mailbox) = house_with_mailbox().await;
    let other = house.mailbox(&mailbox.tenant, "2000").await;
    house.subscribe(&mailbox, "again", MANY).await;
    house.subscribe(&other, "changed", MANY).await;
    house.told(NOW).await;
    house.subscribe(&mailbox, "new", MANY).await;
    lamps::resync(&house.db, &mailbox.id).await.unwrap();
    house.file(&other).await;
    let due = house.due(NOW + SECOND).await;
    assert_eq!(
        due.iter().map(|it| it.id.as_str()).collect::<Vec<_>>(),
        ["changed", "new", "again"]
    );
}

#[tokio::test]
async fn a_lamp_that_shows_something_else_than_lies_there_is_found_and_told() {
    let (house, mailbox) = house_with_mailbox().await;
    house.subscribe(&mailbox, "a", MANY).await;
    let id = house.file(&mailbox).await;
    assert_eq!(lamps::mend(&house.db).await.unwrap(), 0, "it is only not told yet");
    house.told(NOW).await;
    assert_eq!(lamps::mend(&house.db).await.unwrap(), 0);
    // Behind everybody's back.
    house.sql(&format!("update message set folder = 'saved' where id = '{id}'")).await;
    assert_eq!(house.told(NOW + SECOND).await, []);
    assert_eq!(lamps::mend(&house.db).await.unwrap(), 1);
    assert_eq!(house.told(NOW + SECOND).await, [("a".to_owned(), counts(0, 1))]);
    assert_eq!(lamps::mend(&house.db).await.unwrap(), 0);
}
