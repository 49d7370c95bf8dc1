//! What the API asks: one thing by its id through its tenant, lists page by page, changes to what
//! was seen.

use afterbeep::{
    mailbox::{MailboxId, Settings, Timestamp, UserId},
    store::{
        jobs,
        mailboxes::{self, Entry},
        messages,
        people::{self, Person},
        tenants,
    },
};

use super::house::{NOW, house};

#[tokio::test]
async fn lists_are_read_page_by_page_each_tenant_its_own() {
    let house = house().await;
    let db = &house.db;
    let (one, other) = (house.tenant("acme", None).await, house.tenant("zeta", None).await);
    for number in ["1002", "1000", "1001"] {
        house.mailbox(&one, number).await;
    }
    house.mailbox(&other, "1000").await;
    let numbers = async |after: &str, most| {
        let page = mailboxes::page(db, &one, after, most).await.unwrap();
        page.into_iter().map(|it| it.number).collect::<Vec<_>>()
    };
    assert_eq!(numbers("", 2).await, ["1000", "1001"]);
    assert_eq!(numbers("1001", 2).await, ["1002"]);
    assert_eq!(numbers("1002", 2).await, [""; 0]);

    for (id, tenant, email) in [("1", &one, "b@x"), ("2", &one, "a@x"), ("3", &other, "c@x")] {
        let (id, tenant) = (UserId(id.into()), tenant.clone());
        let person = Person { id, tenant, name: "A".into(), email: email.into() };
        people::add(db, &person, NOW).await.unwrap();
    }
    let first = people::page(db, &one, "", 1).await.unwrap();
    assert_eq!(first[0].email, "a@x");
    let rest = people::page(db, &one, "a@x", 5).await.unwrap();
    assert_eq!(rest.iter().map(|it| it.id.0.as_str()).collect::<Vec<_>>(), ["1"]);
    assert!(people::get(db, &one, &UserId("1".into())).await.unwrap().is_some());
    assert!(people::get(db, &one, &UserId("3".into())).await.unwrap().is_none());

    assert_eq!(tenants::page(db, "", 1).await.unwrap()[0].name, "acme");
    assert_eq!(tenants::page(db, "acme", 5).await.unwrap()[0].id, other);
    assert_eq!(tenants::get(db, &one).await.unwrap().unwrap().name, "acme");
}

#[tokio::test]
async fn jobs_are_read_as_they_are_due_of_one_tenant_or_of_all() {
    let house = house().await;
    let db = &house.db;
    let (one, other) = (house.tenant("acme", None).await, house.tenant("zeta", None).await);
    let (ours, theirs) = (house.mailbox(&one, "1").await, house.mailbox(&other, "1").await);
    for mailbox in [&ours, &ours, &theirs] {
        messages::file(db, &[house.filing(mailbox)], NOW).await.unwrap();
    }
    let mut after = (Timestamp(i64::MIN), String::new());
    let mut found = Vec::new();
    loop {
        let page = jobs::page(db, Some(&one), (after.0, &after.1), 3).await.unwrap();
        let Some(last) = page.last() else { break };
        after = (last.due, last.job.id.clone());
        found.extend(page);
    }
    assert_eq!(found.len(), 4, "two each for two messages");
    assert!(found.is_sorted_by_key(|it| (it.due, it.job.id.clone())));
    let all = jobs::page(db, None, (Timestamp(i64::MIN), ""), 100).await.unwrap();
    assert_eq!(all.len(), 6);
    let id = &found[0].job.id;
    assert_eq!(jobs::get(db, Some(&one), id).await.unwrap().as_ref(), Some(&found[0]));
    assert_eq!(jobs::get(db, Some(&other), id).await.unwrap(), None);
    assert!(jobs::get(db, None, id).await.unwrap().is_some());
    assert!(jobs::try_now(db, &found[3].job.id, NOW).await.unwrap());
    assert!(!jobs::try_now(db, "nothing", NOW).await.unwrap());
}

#[tokio::test]
async fn a_mailbox_is_replaced_only_as_it_was_seen() {
    let house = house().await;
    let db = &house.db;
    let (tenant, other) = (house.tenant("acme", None).await, house.tenant("zeta", None).await);
    let id = house.mailbox_with(&tenant, "1000", &Entry::default()).await;
    let seen = mailboxes::told(db, &tenant, &id).await.unwrap().unwrap();
    assert_eq!((seen.number.as_str(), &seen.entry), ("1000", &Entry::default()));
    let settings = Settings { limit: Some(5), ..Settings::default() };
    let new = Entry { name: "Ann".into(), settings, ..Entry::default() };
    assert!(!mailboxes::replace(db, &other, &id, &seen.entry, &new).await.unwrap());
    assert!(mailboxes::replace(db, &tenant, &id, &seen.entry, &new).await.unwrap());
    let late = Entry { name: "Bob".into(), ..Entry::default() };
    assert!(!mailboxes::replace(db, &tenant, &id, &seen.entry, &late).await.unwrap());
    assert_eq!(mailboxes::told(db, &tenant, &id).await.unwrap().unwrap().entry, new);
    let nobody = MailboxId("nothing".into());
    assert!(mailboxes::told(db, &tenant, &nobody).await.unwrap().is_none());
    assert!(mailboxes::told(db, &other, &id).await.unwrap().is_none());
}
