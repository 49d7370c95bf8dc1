//! Passwords, and browsers that are logged in.

use std::time::Duration;

use afterbeep::{
    mailbox::{Guesses, TenantId, UserId},
    store::{
        Db, logins,
        people::{self, Person},
        pins::{self, Subject},
        sessions::{self, IDLE, LONGEST},
        tokens::PRECISION,
    },
};

use super::house::{NOW, house};

async fn person(db: &Db, tenant: &TenantId, email: &str) -> Person {
    let person = Person {
        id: UserId(format!("{tenant}-{email}")),
        tenant: tenant.clone(),
        name: "Ann".into(),
        email: email.into(),
    };
    people::add(db, &person, NOW).await.unwrap();
    person
}

#[tokio::test]
async fn who_has_a_password_may_log_in_at_their_tenant_alone() {
    let house = house().await;
    let db = &house.db;
    let (acme, other) = (house.tenant("acme", None).await, house.tenant("other", None).await);
    let ann = person(db, &acme, "Ann@acme.example").await;
    person(db, &other, "Ann@acme.example").await;
    assert!(!logins::any(db).await.unwrap());
    assert!(logins::set(db, &ann, "one", NOW).await.unwrap());
    assert!(logins::set(db, &ann, "two", NOW).await.unwrap());
    for typed in ["Ann@acme.example", "ann@ACME.example"] {
        let login = logins::at(db, &acme, typed).await.unwrap().unwrap();
        assert_eq!((login.person, login.hash.as_str()), (ann.clone(), "two"));
        assert_eq!(logins::at(db, &other, typed).await.unwrap(), None);
    }
    assert_eq!(logins::of(db, &acme).await.unwrap(), std::slice::from_ref(&ann.id));
    assert!(logins::of(db, &other).await.unwrap().is_empty());
    assert!(logins::remove(db, &ann.id).await.unwrap());
    assert!(!logins::remove(db, &ann.id).await.unwrap());
    let nobody = Person { id: UserId("nobody".into()), ..ann };
    assert!(!logins::set(db, &nobody, "three", NOW).await.unwrap());
}

#[tokio::test]
async fn a_browser_is_logged_in_until_it_idles_grows_old_or_logs_out() {
    let house = house().await;
    let db = &house.db;
    let tenant = house.tenant("acme", None).await;
    let ann = person(db, &tenant, "ann@acme.example").await;
    logins::set(db, &ann, "hash", NOW).await.unwrap();
    sessions::begin(db, &ann.id, "one", NOW).await.unwrap();
    let good = async |now| sessions::good(db, "one", now).await.unwrap();
    assert_eq!(good(NOW).await.unwrap().person, ann);
    assert!(good(NOW + (IDLE - Duration::from_secs(1))).await.is_some());
    assert_eq!(good(NOW + IDLE).await, None, "it has idled");

    let mut now = NOW;
    while now + IDLE / 2 < NOW + LONGEST {
        now = now + IDLE / 2;
        let session = good(now).await.expect("it is used every few hours");
        sessions::note_use(db, &session, "one", now).await.unwrap();
        assert_eq!(good(now).await.unwrap().used, now);
        sessions::note_use(db, &good(now).await.unwrap(), "one", now + PRECISION / 2)
            .await
            .unwrap();
        assert_eq!(good(now).await.unwrap().used, now, "a use is noted once in a while");
    }
    assert_eq!(good(NOW + LONGEST).await, None, "it is old");
    assert_eq!(sessions::sweep(db, NOW + LONGEST).await.unwrap(), 1);

    sessions::begin(db, &ann.id, "one", NOW).await.unwrap();
    sessions::end(db, "one").await.unwrap();
    assert_eq!(good(NOW).await, None, "it has logged out");
}

#[tokio::test]
async fn a_new_password_and_none_log_every_browser_out() {
    let house = house().await;
    let db = &house.db;
    let tenant = house.tenant("acme", None).await;
    let ann = person(db, &tenant, "ann@acme.example").await;
    for ways in 0..3 {
        logins::set(db, &ann, "hash", NOW).await.unwrap();
        sessions::begin(db, &ann.id, "one", NOW).await.unwrap();
        match ways {
            0 => assert!(logins::set(db, &ann, "new", NOW).await.unwrap()),
            1 => assert!(logins::remove(db, &ann.id).await.unwrap()),
            _ => assert!(people::remove(db, &tenant, &ann.id).await.unwrap()),
        }
        assert_eq!(sessions::good(db, "one", NOW).await.unwrap(), None, "{ways}");
    }
}

#[tokio::test]
async fn a_person_has_so_many_browsers_and_the_one_used_least_recently_makes_room() {
    let house = house().await;
    let db = &house.db;
    let tenant = house.tenant("acme", None).await;
    let ann = person(db, &tenant, "ann@acme.example").await;
    logins::set(db, &ann, "hash", NOW).await.unwrap();
    let second = |at: u32| NOW + Duration::from_secs(1) * at;
    for at in 0..=sessions::MOST {
        sessions::begin(db, &ann.id, &format!("{at}"), second(at)).await.unwrap();
    }
    let good = async |at: u32| {
        let now = second(sessions::MOST);
        sessions::good(db, &format!("{at}"), now).await.unwrap().is_some()
    };
    assert!(!good(0).await);
    assert!(good(1).await && good(sessions::MOST).await);
}

#[tokio::test]
async fn tries_at_an_address_are_counted_whoever_has_it_until_there_is_a_new_password() {
    let house = house().await;
    let db = &house.db;
    let tenant = house.tenant("acme", None).await;
    let ann = person(db, &tenant, "ann@acme.example").await;
    let tried = async |email: &str| {
        pins::tried(db, Subject::Login(&tenant, email), NOW).await.unwrap().is_some()
    };
    for email in ["ann@acme.example", "nobody@acme.example"] {
        for _ in 0..Guesses::MOST {
            assert!(tried(email).await);
        }
        assert!(!tried(email).await);
        assert!(!tried(&email.to_uppercase()).await, "large letters are no way around");
    }
    assert!(logins::set(db, &ann, "new", NOW).await.unwrap());
    assert!(tried("ann@acme.example").await);
}
