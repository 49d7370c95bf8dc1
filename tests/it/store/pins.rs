//! PINs, and how many wrong ones get an answer.

use std::time::Duration;

use afterbeep::{
    mailbox::{Guesses, TenantId, Timestamp},
    store::{
        Db, dial_in, mailboxes,
        pins::{self, Subject},
    },
};

use super::house::{NOW, house, house_with_mailbox};

const HOUR: Duration = Guesses::WINDOW;

#[tokio::test]
async fn a_pin_is_set_changed_and_taken_away() {
    let (house, mailbox) = house_with_mailbox().await;
    assert_eq!(pins::of(&house.db, &mailbox.id).await.unwrap(), None);
    for hash in ["one", "two"] {
        assert!(pins::set(&house.db, &mailbox.id, hash, NOW).await.unwrap());
        assert_eq!(pins::of(&house.db, &mailbox.id).await.unwrap().as_deref(), Some(hash));
    }
    assert!(pins::remove(&house.db, &mailbox.id).await.unwrap());
    assert!(!pins::remove(&house.db, &mailbox.id).await.unwrap());
}

#[tokio::test]
async fn a_given_pin_is_known_until_its_owner_chooses_another() {
    let (house, mailbox) = house_with_mailbox().await;
    let given = async || pins::is_given(&house.db, &mailbox.id).await.unwrap();
    assert!(!given().await);
    pins::set(&house.db, &mailbox.id, "given", NOW).await.unwrap();
    assert!(given().await);
    assert!(pins::change(&house.db, &mailbox.id, "chosen", NOW).await.unwrap());
    assert!(!given().await);
    assert_eq!(pins::of(&house.db, &mailbox.id).await.unwrap().as_deref(), Some("chosen"));
    pins::set(&house.db, &mailbox.id, "given", NOW).await.unwrap();
    assert!(given().await);
}

#[tokio::test]
async fn of_all_guesses_at_a_mailbox_ten_an_hour_get_an_answer() {
    let (house, mailbox) = house_with_mailbox().await;
    let subject = Subject::Mailbox(&mailbox.id);
    let guess =
        async |now: Timestamp| pins::tried(&house.db, subject, now).await.unwrap().is_some();
    // One a minute for five hours: ten get through, one hour is locked, ten more get
    // through, two hours are locked.
    let mut answered = Vec::new();
    for minute in 0..300_u32 {
        let now = NOW + Duration::from_secs(60) * minute;
        if guess(now).await {
            answered.push(minute / 60);
        }
    }
    let by_hour: Vec<_> =
        (0..5).map(|hour| answered.iter().filter(|it| **it == hour).count()).collect();
    assert!(by_hour.iter().all(|it| *it <= 10), "{by_hour:?}");
    // Locked from the tenth minute for an hour, and from the eightieth for two.
    assert_eq!(answered.len(), 30, "{by_hour:?}");
}

#[tokio::test]
async fn each_lock_is_told_once_with_who_brought_it_about() {
    let (house, mailbox) = house_with_mailbox().await;
    let lock = async |now: Timestamp| {
        for _ in 0..Guesses::MOST {
            pins::tried(&house.db, Subject::Mailbox(&mailbox.id), now).await.unwrap();
        }
    };
    assert!(pins::untold(&house.db, 9).await.unwrap().is_empty());
    for (locks, hours, now) in [(1, 1, NOW), (2, 2, NOW + HOUR)] {
        lock(now).await;
        pins::note_source(&house.db, &mailbox.id, Some("+4312345")).await.unwrap();
        let all = pins::untold(&house.db, 9).await.unwrap();
        let (source, until) = (Some("+4312345".to_owned()), now + HOUR * hours);
        let told = pins::Lock { mailbox: mailbox.id.clone(), until, locks, source };
        assert_eq!(all, std::slice::from_ref(&told));
        assert_eq!(pins::locked_until(&house.db, &mailbox.id, now).await.unwrap(), Some(until));
        assert_eq!(until - Guesses::lasts(locks), now);
        pins::told(&house.db, &told).await.unwrap();
        assert!(pins::untold(&house.db, 9).await.unwrap().is_empty());
    }
    assert!(pins::unlock(&house.db, &mailbox.id).await.unwrap());
    assert!(!pins::unlock(&house.db, &mailbox.id).await.unwrap());
    assert_eq!(pins::locked_until(&house.db, &mailbox.id, NOW).await.unwrap(), None);
    assert!(tried(&house.db, Subject::Mailbox(&mailbox.id)).await);
}

#[tokio::test]
async fn guesses_at_once_are_no_way_around() {
    let (house, mailbox) = house_with_mailbox().await;
    let guesses = (0..40).map(|_| pins::tried(&house.db, Subject::Mailbox(&mailbox.id), NOW));
    let answered = futures::future::join_all(guesses).await;
    assert_eq!(answered.into_iter().filter(|it| matches!(it, Ok(Some(_)))).count(), 10);
}

#[tokio::test]
async fn the_right_pin_and_a_new_one_forget_the_wrong_ones() {
    let (house, mailbox) = house_with_mailbox().await;
    let subject = Subject::Mailbox(&mailbox.id);
    for right in [true, false] {
        for _ in 0..9 {
            assert!(pins::tried(&house.db, subject, NOW).await.unwrap().is_some());
        }
        match right {
            true => pins::right(&house.db, subject, None).await.unwrap(),
            false => assert!(pins::set(&house.db, &mailbox.id, "new", NOW).await.unwrap()),
        }
    }
    assert!(pins::tried(&house.db, subject, NOW).await.unwrap().is_some_and(|it| it.wrong == 1));
}

#[tokio::test]
async fn one_caller_is_not_heard_any_more_whichever_mailboxes_they_try() {
    let house = house().await;
    let caller = Subject::Caller("+4312345");
    let mut answered = 0;
    for _ in 0..50 {
        answered += u32::from(pins::tried(&house.db, caller, NOW).await.unwrap().is_some());
    }
    assert_eq!(answered, Guesses::MOST_OF_ONE);
    let other = Subject::Caller("+4354321");
    assert!(pins::tried(&house.db, other, NOW).await.unwrap().is_some());

    assert_eq!(pins::sweep(&house.db, NOW + HOUR).await.unwrap(), 0);
    assert_eq!(pins::sweep(&house.db, NOW + HOUR * 50).await.unwrap(), 2);
}

#[tokio::test]
async fn an_owner_gets_no_new_tries_at_others_by_logging_in_between() {
    let (house, mailbox) = house_with_mailbox().await;
    let (me, mut wrong) = ("1000", 0);
    for _ in 0..50 {
        // A wrong one for somebody else, and then the right one for one's own.
        wrong += u32::from(tried(&house.db, Subject::Caller(me)).await);
        if tried(&house.db, Subject::Caller(me)).await {
            assert!(tried(&house.db, Subject::Mailbox(&mailbox.id)).await);
            pins::right(&house.db, Subject::Mailbox(&mailbox.id), Some(Subject::Caller(me)))
                .await
                .unwrap();
        }
    }
    assert!(wrong <= Guesses::MOST_OF_ONE, "{wrong} wrong ones got an answer");
}

async fn tried(db: &Db, subject: Subject<'_>) -> bool {
    pins::tried(db, subject, NOW).await.unwrap().is_some()
}

#[tokio::test]
async fn owners_numbers_lead_to_their_tenant_and_to_no_other() {
    let house = house().await;
    let acme = house.tenant("acme", Some("voice.acme.example")).await;
    let other = house.tenant("other", Some("other.example")).await;
    dial_in::set(&house.db, &acme, &["*97".to_owned(), "8500".to_owned()]).await.unwrap();
    dial_in::set(&house.db, &acme, &["*98".to_owned(), "8500".to_owned()]).await.unwrap();
    assert_eq!(dial_in::of(&house.db, &acme).await.unwrap(), ["*98", "8500"]);

    let reached = async |host: &str, number: &str| -> Option<TenantId> {
        dial_in::reached(&house.db, host, number).await.unwrap()
    };
    assert_eq!(reached("Voice.Acme.Example", "*98").await, Some(acme.clone()));
    assert_eq!(reached("voice.acme.example", "*97").await, None);
    assert_eq!(reached("other.example", "*98").await, None);
    assert!(mailboxes::list(&house.db, &other).await.unwrap().is_empty());
}
