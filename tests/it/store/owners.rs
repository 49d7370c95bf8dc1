//! Tenants, people, mailboxes and greetings.

use std::time::Duration;

use afterbeep::{
    mailbox::{
        MailboxId, Preferences, Settings, UserId,
        greeting::{Kind, Recorded},
    },
    store::{
        StoreError,
        greetings::{self, Greeting},
        mailboxes::{self, Entry},
        messages::{self, Filed},
        names::{self, Name},
        people::{self, Person},
        tenants::{self},
    },
};

use super::house::{NOW, full, house, tenant};

#[tokio::test]
async fn a_mailbox_has_its_tenants_settings_until_it_has_its_own() {
    let house = house().await;
    let tenant = house.tenant("acme", Some("voice.acme.example")).await;
    let id = house.mailbox_with(&tenant, "1000", &Entry::default()).await;
    let seen = mailboxes::at(&house.db, &tenant, "1000").await.unwrap().unwrap();
    let Preferences { time_zone, pages, prompts, transcribe, .. } = &seen.settings;
    assert_eq!(
        (time_zone.as_str(), pages.as_str(), prompts.as_str()),
        ("Europe/Vienna", "de", "en")
    );
    assert_eq!((seen.settings.spoken(), *transcribe), (Some("de"), true));
    assert!(seen.recipients().is_empty());

    let own = Entry {
        name: "Ann".into(),
        owner: None,
        settings: Settings {
            time_zone: Some("America/Lima".into()),
            pages: Some("es".into()),
            spoken: Some(Settings::DETECTED.into()),
            transcribe: Some(false),
            use_login_email: Some(false),
            notify_to: Some(vec!["ann@acme.example".to_owned()].into()),
            ..Settings::default()
        },
    };
    assert!(mailboxes::set(&house.db, &tenant, &id, &own).await.unwrap());
    let read = mailboxes::entry(&house.db, &tenant, &id).await.unwrap();
    assert_eq!(read.as_ref(), Some(&own));
    let seen = mailboxes::at(&house.db, &tenant, "1000").await.unwrap().unwrap();
    let Preferences { time_zone, pages, transcribe, .. } = &seen.settings;
    assert_eq!((time_zone.as_str(), pages.as_str()), ("America/Lima", "es"));
    assert_eq!((seen.settings.spoken(), *transcribe), (None, false));
    assert_eq!(seen.recipients(), [full("ann@acme.example")]);
}

#[tokio::test]
async fn mail_goes_to_the_owner_when_nobody_else_is_named() {
    let house = house().await;
    let tenant = house.tenant("acme", None).await;
    let bob = Person {
        id: UserId("bob".into()),
        tenant: tenant.clone(),
        name: "Bob".into(),
        email: "bob@acme.example".into(),
    };
    people::add(&house.db, &bob, NOW).await.unwrap();
    let entry = Entry { owner: Some(bob.id.clone()), ..Entry::default() };
    let id = house.mailbox_with(&tenant, "1000", &entry).await;
    let recipients = async || {
        let mailbox = mailboxes::held(&house.db, &tenant, &id).await.unwrap().unwrap();
        mailbox.recipients()
    };
    assert_eq!(recipients().await, [full("bob@acme.example")]);

    assert!(people::remove(&house.db, &tenant, &bob.id).await.unwrap());
    assert!(people::list(&house.db, &tenant).await.unwrap().is_empty());
    assert!(recipients().await.is_empty());
}

#[tokio::test]
async fn tenants_cannot_see_each_others_mailboxes_and_messages() {
    let house = house().await;
    let (ours, theirs) = (house.tenant("ours", None).await, house.tenant("theirs", None).await);
    let (here, there) = (house.mailbox(&ours, "1000").await, house.mailbox(&theirs, "1000").await);
    let private = house.mailbox(&theirs, "2000").await;
    assert_ne!(here.id, there.id);
    assert_eq!(mailboxes::at(&house.db, &ours, "2000").await.unwrap(), None);
    assert_eq!(mailboxes::list(&house.db, &ours).await.unwrap(), [here]);
    let entry = Entry::default();
    assert!(!mailboxes::set(&house.db, &ours, &private.id, &entry).await.unwrap());
    assert_eq!(mailboxes::entry(&house.db, &ours, &private.id).await.unwrap(), None);
    assert_eq!(mailboxes::remove(&house.db, &ours, &private.id).await.unwrap(), None);
    assert_eq!(mailboxes::held(&house.db, &ours, &there.id).await.unwrap(), None);

    let filing = house.filing(&there);
    messages::file(&house.db, std::slice::from_ref(&filing), NOW).await.unwrap();
    assert_eq!(messages::get(&house.db, &ours, &filing.id).await.unwrap(), None);
    assert!(messages::get(&house.db, &theirs, &filing.id).await.unwrap().is_some());
}

#[tokio::test]
async fn a_call_reaches_the_tenant_of_its_host_else_the_default_else_the_only_one() {
    let house = house().await;
    let reached = async |host: &str| {
        let found = mailboxes::reached(&house.db, host, "1000").await.unwrap();
        found.map(|it| it.tenant)
    };
    assert_eq!(reached("anything").await, None);

    let acme = house.tenant("acme", Some("Voice.Acme.Example")).await;
    house.mailbox(&acme, "1000").await;
    assert_eq!(reached("192.0.2.1").await.as_ref(), Some(&acme), "the only one");

    let other = house.tenant("other", Some("other.example")).await;
    house.mailbox(&other, "1000").await;
    assert_eq!(reached("192.0.2.1").await, None, "nobody can tell which");
    assert_eq!(reached("VOICE.acme.example").await, Some(acme));
    assert_eq!(reached("other.example").await.as_ref(), Some(&other));

    let default = house.tenant("default", None).await;
    assert_eq!(reached("192.0.2.1").await, None, "the default tenant has no such mailbox");
    house.mailbox(&default, "1000").await;
    assert_eq!(reached("192.0.2.1").await, Some(default));
    assert_eq!(reached("other.example").await, Some(other));
}

#[tokio::test]
async fn names_and_numbers_are_given_once() {
    let house = house().await;
    let acme = house.tenant("acme", Some("acme.example")).await;
    house.mailbox(&acme, "1000").await;
    let again = tenant("acme", None);
    let error = tenants::add(&house.db, &again, NOW).await.unwrap_err();
    assert_eq!(error.to_string(), "there is already a tenant called \"acme\"");
    let domain = tenant("other", Some("ACME.example"));
    let error = tenants::add(&house.db, &domain, NOW).await.unwrap_err();
    assert_eq!(error.to_string(), "there is already a SIP domain called \"ACME.example\"");
    assert!(!error.is_temporary());

    let id = MailboxId("another".into());
    let added = mailboxes::add(&house.db, &acme, &id, "1000", &Entry::default(), NOW).await;
    assert!(matches!(added, Err(StoreError::Taken { what: "mailbox", .. })));
}

#[tokio::test]
async fn nothing_is_removed_while_something_lies_in_it() {
    let house = house().await;
    let acme = house.tenant("acme", None).await;
    let mailbox = house.mailbox(&acme, "1000").await;
    let filing = house.filing(&mailbox);
    messages::file(&house.db, std::slice::from_ref(&filing), NOW).await.unwrap();
    greetings::set(&house.db, &mailbox.id, &recorded(Kind::Unavailable, 1), NOW).await.unwrap();

    let kept = tenants::remove(&house.db, &acme).await;
    assert!(matches!(kept, Err(StoreError::InUse { count: 1, .. })));
    let kept = mailboxes::remove(&house.db, &acme, &mailbox.id).await;
    assert!(matches!(kept, Err(StoreError::InUse { count: 1, .. })));

    messages::purge(&house.db, &mailbox.id, &filing.id, NOW).await.unwrap().unwrap();
    let blobs = mailboxes::remove(&house.db, &acme, &mailbox.id).await.unwrap();
    assert_eq!(blobs.unwrap(), ["greetings/1.wav"]);
    assert!(tenants::remove(&house.db, &acme).await.unwrap());
    assert!(!tenants::remove(&house.db, &acme).await.unwrap());
    let late = messages::file(&house.db, &[house.filing(&mailbox)], NOW).await.unwrap();
    assert_eq!(late, [Filed::NoMailbox]);
}

#[tokio::test]
async fn a_new_greeting_names_the_sound_it_replaces() {
    let house = house().await;
    let acme = house.tenant("acme", None).await;
    let mailbox = house.mailbox(&acme, "1000").await.id;
    assert_eq!(greetings::of(&house.db, &mailbox).await.unwrap(), []);
    let (one, two) = (recorded(Kind::Unavailable, 1), recorded(Kind::Unavailable, 2));
    assert_eq!(greetings::set(&house.db, &mailbox, &one, NOW).await.unwrap(), None);
    let replaced = greetings::set(&house.db, &mailbox, &two, NOW).await.unwrap();
    assert_eq!(replaced.as_deref(), Some("greetings/1.wav"));
    assert_eq!(greetings::of(&house.db, &mailbox).await.unwrap(), [two]);
    assert!(messages::has_blob(&house.db, "greetings/2.wav").await.unwrap());
    assert!(!messages::has_blob(&house.db, "greetings/1.wav").await.unwrap());
}

#[tokio::test]
async fn a_mailbox_has_a_greeting_of_each_kind_and_each_goes_alone() {
    let house = house().await;
    let acme = house.tenant("acme", None).await;
    let mailbox = house.mailbox(&acme, "1000").await.id;
    let mut temporary = recorded(Kind::Temporary, 3);
    temporary.recorded.until = Some(NOW);
    let all = [recorded(Kind::Busy, 2), temporary, recorded(Kind::Unavailable, 1)];
    for greeting in &all {
        assert_eq!(greetings::set(&house.db, &mailbox, greeting, NOW).await.unwrap(), None);
    }
    assert_eq!(greetings::of(&house.db, &mailbox).await.unwrap(), all);
    let gone = greetings::remove(&house.db, &mailbox, Kind::Temporary).await.unwrap();
    assert_eq!(gone.as_deref(), Some("greetings/3.wav"));
    assert_eq!(greetings::remove(&house.db, &mailbox, Kind::Temporary).await.unwrap(), None);
    assert_eq!(greetings::of(&house.db, &mailbox).await.unwrap().len(), 2);
}

#[tokio::test]
async fn greetings_with_labels_are_kept_and_one_of_a_kind_is_chosen() {
    let house = house().await;
    let acme = house.tenant("acme", None).await;
    let mailbox = house.mailbox(&acme, "1000").await.id;
    let (plain, summer, busy) =
        (recorded(Kind::Unavailable, 1), recorded(Kind::Unavailable, 2), recorded(Kind::Busy, 3));
    greetings::set(&house.db, &mailbox, &plain, NOW).await.unwrap();
    greetings::keep(&house.db, &mailbox, &summer, "Summer", NOW).await.unwrap();
    greetings::keep(&house.db, &mailbox, &busy, "Busy", NOW).await.unwrap();
    let heard = async || greetings::of(&house.db, &mailbox).await.unwrap();
    assert_eq!(heard().await, [busy.clone(), summer.clone()]);

    let all = greetings::all(&house.db, &mailbox).await.unwrap();
    let told: Vec<_> = all.iter().map(|it| (it.label.as_str(), it.chosen)).collect();
    assert_eq!(told, [("Busy", true), ("", false), ("Summer", true)]);
    assert!(greetings::choose(&house.db, &mailbox, &all[1].id).await.unwrap());
    assert_eq!(heard().await, [busy.clone(), plain.clone()]);
    let other = house.mailbox(&acme, "2000").await.id;
    assert!(!greetings::choose(&house.db, &other, &all[2].id).await.unwrap());
    assert!(!greetings::choose(&house.db, &mailbox, "nothing").await.unwrap());
    assert_eq!(greetings::discard(&house.db, &other, &all[2].id).await.unwrap(), None);

    // One that is set anew stays who it is, and is chosen.
    let newer = recorded(Kind::Unavailable, 4);
    let replaced = greetings::keep(&house.db, &mailbox, &newer, "Summer", NOW).await.unwrap();
    assert_eq!(replaced.as_deref(), Some("greetings/2.wav"));
    assert_eq!(greetings::all(&house.db, &mailbox).await.unwrap()[2].id, all[2].id);
    assert_eq!(heard().await, [busy.clone(), newer]);
    // Without the chosen one callers hear none of the others unasked.
    greetings::remove(&house.db, &mailbox, Kind::Unavailable).await.unwrap();
    assert_eq!(heard().await, [busy]);
    let gone = greetings::discard(&house.db, &mailbox, &all[1].id).await.unwrap();
    assert_eq!(gone.as_deref(), Some("greetings/1.wav"));
}

#[tokio::test]
async fn a_mailbox_keeps_so_many_greetings_and_no_more() {
    let house = house().await;
    let acme = house.tenant("acme", None).await;
    let mailbox = house.mailbox(&acme, "1000").await.id;
    for at in 0..greetings::MOST as u64 {
        let one = recorded(Kind::Busy, at);
        greetings::keep(&house.db, &mailbox, &one, &at.to_string(), NOW).await.unwrap();
    }
    let more = recorded(Kind::Busy, 99);
    let refused = greetings::keep(&house.db, &mailbox, &more, "more", NOW).await.unwrap_err();
    assert!(matches!(refused, StoreError::TooMany { .. }), "{refused}");
    greetings::keep(&house.db, &mailbox, &more, "7", NOW).await.unwrap();
}

#[tokio::test]
async fn a_spoken_name_is_set_replaced_and_goes_with_its_mailbox() {
    let house = house().await;
    let acme = house.tenant("acme", None).await;
    let mailbox = house.mailbox(&acme, "1000").await.id;
    assert_eq!(names::of(&house.db, &mailbox).await.unwrap(), None);
    let name = |sound: u64| Name {
        blob: format!("greetings/n{sound}.wav"),
        length: Duration::from_millis(sound),
    };
    assert_eq!(names::set(&house.db, &mailbox, &name(1), NOW).await.unwrap(), None);
    let old = names::set(&house.db, &mailbox, &name(2), NOW).await.unwrap();
    assert_eq!(old.as_deref(), Some("greetings/n1.wav"));
    assert_eq!(names::of(&house.db, &mailbox).await.unwrap(), Some(name(2)));
    assert_eq!(names::all(&house.db, &acme).await.unwrap(), [("1000".to_owned(), name(2))]);
    assert!(messages::has_blob(&house.db, "greetings/n2.wav").await.unwrap());
    let gone = mailboxes::remove(&house.db, &acme, &mailbox).await.unwrap();
    assert_eq!(gone.unwrap(), ["greetings/n2.wav"]);
    assert_eq!(names::all(&house.db, &acme).await.unwrap(), []);
    assert_eq!(names::remove(&house.db, &mailbox).await.unwrap(), None);
}

fn recorded(kind: Kind, sound: u64) -> Greeting {
    let recorded = Recorded { kind, until: None };
    let length = Duration::from_millis(1_000 * sound + 500);
    Greeting { recorded, blob: format!("greetings/{sound}.wav"), length }
}
