//! Classes of hold music: changed as they were seen, and with a name all that is called by it.

use std::time::Duration;

use afterbeep::{
    mailbox::{MailboxId, Settings, TenantId},
    music::{Class, ClassId, Manner},
    store::{
        StoreError,
        announcements::{self, Announcement},
        mailboxes::{self, Entry},
        music, tenants,
    },
};

use super::house::{House, NOW, house};

async fn class(house: &House, tenant: &TenantId, name: &str, manner: Manner) -> Class {
    let id = ClassId(house.clock.message_id().to_string());
    let class = Class { id, tenant: tenant.clone(), name: name.to_owned(), manner };
    music::add(&house.db, &class, NOW).await.unwrap();
    class
}

fn renamed(class: &Class, name: &str) -> Class {
    Class { name: name.to_owned(), ..class.clone() }
}

fn begins_with(announcement: &str) -> Manner {
    Manner { intro: Some(announcement.to_owned()), ..Manner::default() }
}

fn repeats(announcement: &str) -> Manner {
    Manner { announcement: Some(announcement.to_owned()), ..Manner::default() }
}

/// Makes an announcement; its blob.
async fn announce(house: &House, tenant: &TenantId, name: &str) -> String {
    let id = house.clock.message_id().to_string();
    let (blob, length) = (format!("music/{id}.music"), Duration::from_secs(1));
    let said = Announcement { name: name.to_owned(), script: None, blob, length };
    announcements::set(&house.db, tenant, &id, &said, NOW).await.unwrap();
    said.blob
}

/// Adds a mailbox that has a class as its music.
async fn has(house: &House, tenant: &TenantId, number: &str, class: &str) -> MailboxId {
    let settings = Settings { hold_music: Some(class.to_owned()), ..Settings::default() };
    house.mailbox_with(tenant, number, &Entry { settings, ..Entry::default() }).await
}

/// Which class a mailbox has.
async fn had(house: &House, tenant: &TenantId, mailbox: &MailboxId) -> Option<String> {
    let entry = mailboxes::entry(&house.db, tenant, mailbox).await.unwrap();
    entry.unwrap().settings.hold_music
}

#[tokio::test]
async fn a_class_is_replaced_only_as_it_was_seen() {
    let house = house().await;
    let db = &house.db;
    let tenant = house.tenant("acme", None).await;
    let seen = class(&house, &tenant, "jazz", Manner::default()).await;
    let off = Class { manner: Manner { enabled: false, ..Manner::default() }, ..seen.clone() };
    assert!(music::replace(db, &seen, &off).await.unwrap());
    let late = Class { manner: Manner { shuffle: true, ..Manner::default() }, ..seen.clone() };
    assert!(!music::replace(db, &seen, &late).await.unwrap());
    assert_eq!(music::get(db, &tenant, &seen.id).await.unwrap(), Some(off.clone()));
    music::remove(db, &tenant, &seen.id).await.unwrap();
    assert!(!music::replace(db, &off, &late).await.unwrap());
}

#[tokio::test]
async fn what_names_a_class_or_its_own_greeting_goes_with_its_name() {
    let house = house().await;
    let db = &house.db;
    let (acme, zeta) = (house.tenant("acme", None).await, house.tenant("zeta", None).await);
    let blob = announce(&house, &acme, "intro-jazz").await;
    let theirs = announce(&house, &zeta, "intro-jazz").await;
    let jazz = class(&house, &acme, "jazz", begins_with("intro-jazz")).await;
    let other = class(&house, &acme, "other", repeats("intro-jazz")).await;
    let foreign = class(&house, &zeta, "jazz", begins_with("intro-jazz")).await;
    let own = has(&house, &acme, "1000", "jazz").await;
    let alike = has(&house, &acme, "1001", "jazz-2").await;
    let stranger = has(&house, &zeta, "1000", "jazz").await;
    let mut usual = tenants::get(db, &acme).await.unwrap().unwrap();
    usual.settings.hold_music = Some("jazz".into());
    tenants::set(db, &usual).await.unwrap();

    assert!(music::replace(db, &jazz, &renamed(&jazz, "smooth")).await.unwrap());
    let smooth = music::get(db, &acme, &jazz.id).await.unwrap().unwrap();
    assert_eq!((smooth.name.as_str(), &smooth.manner), ("smooth", &begins_with("intro-smooth")));
    let other = music::get(db, &acme, &other.id).await.unwrap().unwrap();
    assert_eq!(other.manner, repeats("intro-smooth"));
    let greeting = announcements::named(db, &acme, "intro-smooth").await.unwrap();
    assert_eq!(greeting.map(|it| it.blob), Some(blob));
    assert_eq!(announcements::named(db, &acme, "intro-jazz").await.unwrap(), None);
    assert_eq!(had(&house, &acme, &own).await.as_deref(), Some("smooth"));
    assert_eq!(had(&house, &acme, &alike).await.as_deref(), Some("jazz-2"));
    usual.settings.hold_music = Some("smooth".into());
    assert_eq!(tenants::get(db, &acme).await.unwrap(), Some(usual));

    assert_eq!(music::get(db, &zeta, &foreign.id).await.unwrap(), Some(foreign));
    let greeting = announcements::named(db, &zeta, "intro-jazz").await.unwrap();
    assert_eq!(greeting.map(|it| it.blob), Some(theirs));
    assert_eq!(had(&house, &zeta, &stranger).await.as_deref(), Some("jazz"));
}

#[tokio::test]
async fn a_class_whose_new_name_or_greeting_is_taken_stays_as_it_is() {
    let house = house().await;
    let db = &house.db;
    let tenant = house.tenant("acme", None).await;
    announce(&house, &tenant, "intro-jazz").await;
    let jazz = class(&house, &tenant, "jazz", begins_with("intro-jazz")).await;
    class(&house, &tenant, "waltz", Manner::default()).await;
    let others = announce(&house, &tenant, "intro-polka").await;
    for name in ["waltz", "polka"] {
        let taken = music::replace(db, &jazz, &renamed(&jazz, name)).await;
        assert!(matches!(taken, Err(StoreError::Taken { .. })), "{name}: {taken:?}");
        assert_eq!(music::get(db, &tenant, &jazz.id).await.unwrap().as_ref(), Some(&jazz));
    }
    let polka = announcements::named(db, &tenant, "intro-polka").await.unwrap();
    assert_eq!(polka.map(|it| it.blob), Some(others));
}

#[tokio::test]
async fn a_class_takes_its_own_greeting_along_unless_another_says_it() {
    let house = house().await;
    let db = &house.db;
    let tenant = house.tenant("acme", None).await;
    let greeting = announce(&house, &tenant, "intro-jazz").await;
    announce(&house, &tenant, "intro-waltz").await;
    let jazz = class(&house, &tenant, "jazz", begins_with("intro-jazz")).await;
    let waltz = class(&house, &tenant, "waltz", begins_with("intro-waltz")).await;
    class(&house, &tenant, "other", repeats("intro-waltz")).await;
    let gone = music::remove(db, &tenant, &jazz.id).await.unwrap();
    assert_eq!(gone, Some(vec![greeting]));
    assert_eq!(announcements::named(db, &tenant, "intro-jazz").await.unwrap(), None);
    assert_eq!(music::remove(db, &tenant, &waltz.id).await.unwrap(), Some(vec![]));
    assert!(announcements::named(db, &tenant, "intro-waltz").await.unwrap().is_some());
    assert_eq!(music::remove(db, &tenant, &jazz.id).await.unwrap(), None);
}
