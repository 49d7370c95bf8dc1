//! Whole tables, from one engine to the other.

use afterbeep::{
    mailbox::{
        Timestamp, UserId,
        greeting::{Kind, Recorded},
    },
    store::{
        Db, StoreError, deliveries,
        greetings::{self, Greeting},
        messages,
        names::{self, Name},
        people::{self, Person},
        rows::{self, PASSING, Sum, TABLES},
        transcripts,
    },
};

use super::{
    ENGINE,
    house::{House, NOW, house, house_on, house_with_mailbox, transcript},
};

#[tokio::test]
async fn every_table_of_the_database_is_known_to_those_who_copy() {
    let house = house().await;
    let mut there = house.tables().await;
    there.retain(|it| it != "_sqlx_migrations");
    there.sort();
    let mut known: Vec<_> = TABLES.iter().chain(&PASSING).map(|it| (*it).to_owned()).collect();
    known.sort();
    assert_eq!(there, known);
}

#[tokio::test]
async fn what_is_copied_to_the_other_engine_is_the_same_there() {
    let here = furnished().await;
    let there = house_on(ENGINE.other()).await;
    let told = std::cell::Cell::new(0);
    // An earlier copy ended in the middle.
    copy(&here.db, &there.db, 3, |_| {}).await;
    assert_ne!(sums(&here.db).await, sums(&there.db).await);
    copy(&here.db, &there.db, TABLES.len(), |rows| told.set(told.get() + rows)).await;

    let all = sums(&here.db).await;
    assert_eq!(sums(&there.db).await, all);
    assert_eq!(told.get(), all.iter().map(|it| it.1.rows).sum::<u64>());
    let found = messages::has_blob(&there.db, "messages/ab/0.wav").await.unwrap();
    assert!(found);
}

#[tokio::test]
async fn a_look_at_everything_does_not_see_what_is_written_meanwhile() {
    let (house, mailbox) = house_with_mailbox().await;
    let mut snapshot = house.db.snapshot().await.unwrap();
    messages::file(&house.db, &[house.filing(&mailbox)], NOW).await.unwrap();
    let tables = snapshot.tables();
    let message = tables.iter().find(|it| it.name == "message").unwrap();
    assert_eq!(snapshot.count(message).await.unwrap(), 0);
    drop(snapshot);
    assert_eq!(house.db.snapshot().await.unwrap().count(message).await.unwrap(), 1);
}

#[tokio::test]
async fn rows_that_do_not_fit_are_refused_and_nothing_is_left_of_the_rest() {
    let house = house().await;
    let tables = house.db.snapshot().await.unwrap().tables();
    let tombstone = tables.iter().find(|it| it.name == "tombstone").unwrap();
    let mut filling = house.db.fill().await.unwrap();
    filling.insert(tombstone, r#"{"message":"m","purged":5}"#).await.unwrap();
    for strange in [
        "",
        "{}",
        r#"{"message":"m"}"#,
        r#"{"message":1,"purged":5}"#,
        r#"{"message":"m","purged":5,"by":"x"}"#,
        r#"{"message":"m","purged":"5"}"#,
    ] {
        let refused = filling.insert(tombstone, strange).await;
        assert!(matches!(refused, Err(StoreError::Strange { .. })), "{strange}: {refused:?}");
    }
    drop(filling);
    assert_eq!(house.db.snapshot().await.unwrap().count(tombstone).await.unwrap(), 0);
}

async fn copy(from: &Db, to: &Db, tables: usize, told: impl Fn(u64) + Copy) {
    let mut snapshot = from.snapshot().await.unwrap();
    for table in snapshot.tables().iter().take(tables) {
        snapshot.copy(table, to, 2, told).await.unwrap();
    }
}

async fn sums(db: &Db) -> Vec<(&'static str, Sum)> {
    let mut snapshot = db.snapshot().await.unwrap();
    let mut sums = Vec::new();
    for table in snapshot.tables() {
        sums.push((table.name, snapshot.sum(&table).await.unwrap()));
    }
    sums
}

/// A database with something in most tables, and what is hard to write down in it.
async fn furnished() -> House {
    let (house, mailbox) = house_with_mailbox().await;
    house.tenant("Émile's", Some("voice.acme.example")).await;
    let owner = Person {
        id: UserId("ann".into()),
        tenant: mailbox.tenant.clone(),
        name: "Ann \"the\\boss\"\n\u{1f44b}".into(),
        email: "ann@acme.example".into(),
    };
    people::add(&house.db, &owner, Timestamp(i64::MAX)).await.unwrap();
    let greeting = Greeting { blob: "greetings/ab.wav".into(), ..greeting() };
    greetings::set(&house.db, &mailbox.id, &greeting, NOW).await.unwrap();
    let name = Name { blob: "greetings/cd.wav".into(), length: std::time::Duration::from_secs(1) };
    names::set(&house.db, &mailbox.id, &name, NOW).await.unwrap();
    for nth in 0..7 {
        let mut filing = house.filing(&mailbox);
        filing.blob = format!("messages/ab/{nth}.wav");
        filing.envelope.interrupted = nth % 2 == 0;
        filing.envelope.caller.name = (nth > 2).then(|| "Zoë".into());
        messages::file(&house.db, std::slice::from_ref(&filing), NOW).await.unwrap();
        match nth {
            0 => {
                transcripts::save(&house.db, &filing.id, &transcript(), NOW).await.unwrap();
            }
            1 => {
                messages::purge(&house.db, &mailbox.id, &filing.id, NOW).await.unwrap();
            }
            2 => {
                let (to, said) = ("ann@acme.example", "451 \0 later");
                let id = &filing.id;
                deliveries::deferred(&house.db, id, to, said, NOW).await.unwrap();
            }
            _ => {}
        }
    }
    assert!(rows::schema() > 0);
    house
}

fn greeting() -> Greeting {
    let recorded = Recorded { kind: Kind::Unavailable, until: None };
    Greeting { recorded, blob: String::new(), length: std::time::Duration::from_secs(3) }
}
